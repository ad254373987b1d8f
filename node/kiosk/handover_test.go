package kiosk

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/token"
	"holdfast.dev/stock/words"
)

const orderPIN = "4711"

// secret makes an order with a PIN that waits on a pickup shelf.
func (s *shop) secret(code string) {
	s.t.Helper()
	id := uuid.New()
	s.receive(9, breadGTIN)
	s.grant(1, 9)
	tag := token.TagPIN(id, orderPIN)
	s.direct(&recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: &recordv1.Reserve{
		Reservation: id[:], Timeline: 1, Directive: s.dseq + 1, Code: code, Contact: "Sanne",
		PinHash: tag[:], Lines: []*recordv1.ReservedLine{{Line: 1, Sku: 1, Units: 1, Name: "Rye"}}}}})
	s.must("/v1/pickups/"+id.String()+":pick", `{"gtin":"`+breadGTIN+`"}`)
	s.must("/v1/pickups/"+id.String()+":stage", `{"shelf":"A7"}`)
}

func TestAnOrderWithAPINIsHandedToWhoSaysIt(t *testing.T) {
	s := openShop(t, shopOptions{})
	for _, tt := range []struct {
		name, more string
		status     int
		reason     any
	}{
		{"nothing", ``, 409, "NEED_PIN"},
		{"another PIN", `,"pin":"9999"`, 401, "WRONG_PIN"},
		{"the PIN", `,"pin":"4711"`, 200, nil},
		{"a manager", `,"decidedBy":"Mads","managerPin":"1234"`, 200, nil},
		{"somebody of the staff", `,"decidedBy":"Anna","managerPin":"1234"`, 403, "MANAGER_NEEDED"},
		{"a manager with another PIN", `,"decidedBy":"Mads","managerPin":"4711"`, 401, "WRONG_PIN"},
	} {
		code, err := token.NewCode(strings.NewReader(strings.Repeat(tt.name, 50)))
		if err != nil {
			t.Fatal(err)
		}
		s.secret(code)
		status, answer := s.post("/v1/pickups:collect", `{"code":"`+code+`"`+tt.more+`}`)
		if status != tt.status || reason(answer) != tt.reason {
			t.Errorf("%s: %d %v, want %d %v", tt.name, status, reason(answer), tt.status, tt.reason)
		}
	}
}

func TestAPINIsNotTriedOut(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.secret("7K3M2Q9A")
	try := func(pin string) (int, map[string]any) {
		return s.post("/v1/pickups:collect", `{"code":"7K3M2Q9A","pin":"`+pin+`"}`)
	}
	for n := range wrongPINs {
		_, answer := try("0000")
		if left := at(answer, "details", 0, "metadata", "left"); left != decimal(int64(wrongPINs-1-n)) {
			t.Errorf("try %d: %v left", n+1, left)
		}
	}
	if status, answer := try(orderPIN); status != 429 || reason(answer) != "LOCKED" {
		t.Errorf("after %d wrong ones: %d %v", wrongPINs, status, reason(answer))
	}
	s.must("/v1/pickups:collect", `{"code":"7K3M2Q9A","decidedBy":"Mads","managerPin":"1234"}`)
}

func TestTriesOfLongAgoAreForgotten(t *testing.T) {
	p := newPINs(nil)
	now := p.now()
	p.now = func() time.Time { return now }
	p.missed("a")
	now = now.Add(wrongWithin)
	p.missed("b")
	if _, kept := p.wrong["a"]; kept || len(p.wrong) != 1 {
		t.Errorf("kept are %v", p.wrong)
	}
}

func TestThePageAsksForThePINOfAnOrder(t *testing.T) {
	for _, page := range []struct{ name, mode, path string }{
		{"at the desk", "collect", "/collect"}, {"at a till", "sell", "/sell"},
	} {
		t.Run(page.name, func(t *testing.T) {
			s := openShop(t, shopOptions{lang: words.EN})
			s.secret("7K3M2Q9A")
			s.secret("6YYM2Q9D")
			b := s.browser()
			b.send("/go", "page", page.mode)
			s.must("/v1/stations/counter:scan", `{"data":"7K3M2Q9A"}`)
			steps := []struct {
				fields []string // to /collect; nil: only look
				asks   bool
				says   string
			}{
				{nil, true, "Ask the shopper for it"},
				{[]string{"code", "7K3M2Q9A", "pin", "1111"}, true, "That PIN is not right"},
				{[]string{"code", "7K3M2Q9A", "pin", orderPIN}, false, "verdict-yes"},
				{[]string{"code", "6YYM2Q9D"}, true, "Ask the shopper for it"},
				{[]string{"code", "6YYM2Q9D", "vouch", "1", "name", "Mads", "manager_pin", "1234"}, false,
					"verdict-yes"},
			}
			for _, step := range steps {
				status, html := b.open(page.path)
				if step.fields != nil {
					status, html = b.send("/collect", append(step.fields, "to", page.path)...)
				}
				if status != 200 || !strings.Contains(html, step.says) {
					t.Errorf("%v: %d without %q: %s", step.fields, status, step.says, html)
				}
				if asks := strings.Contains(html, `name="pin" inputmode`); asks != step.asks {
					t.Errorf("%v: asks is %t", step.fields, asks)
				}
			}
		})
	}
}

func TestACodeThatIsTypedWhileTheScannerIsBusyAsksToo(t *testing.T) {
	s := openShop(t, shopOptions{lang: words.EN})
	s.secret("7K3M2Q9A")
	b := s.browser()
	b.send("/receive", "document", "D-1")
	if status, html := b.send("/collect", "code", "7K3M2Q9A"); status != 409 ||
		!strings.Contains(html, "Ask the shopper for it") {
		t.Errorf("the code alone: %d %s", status, html)
	}
	if _, html := b.open("/collect"); !strings.Contains(html, "PIN of the order") {
		t.Errorf("the page does not ask: %s", html)
	}
	status, html := b.send("/collect", "code", "7K3M2Q9A", "pin", orderPIN, "to", "/collect")
	if status != 200 || !strings.Contains(html, "Collected") {
		t.Errorf("with its PIN: %d %s", status, html)
	}
	if _, html := b.open("/collect"); strings.Contains(html, "PIN of the order") {
		t.Errorf("the page still asks: %s", html)
	}
}

func TestAnotherScanEndsTheQuestion(t *testing.T) {
	s := openShop(t, shopOptions{lang: words.EN})
	s.secret("7K3M2Q9A")
	s.must("/v1/stations/counter:scan", `{"data":"7K3M2Q9A"}`)
	s.must("/v1/stations/counter:scan", `{"data":"`+breadGTIN+`"}`)
	if _, html := s.browser().open("/sell"); strings.Contains(html, "PIN of the order") {
		t.Errorf("the page still asks: %s", html)
	}
}
