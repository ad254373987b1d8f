package kiosk

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/node/devices"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/words"
)

// bareKey finds a text that nobody wrote: it shows as its key.
var bareKey = regexp.MustCompile(`\b(kiosk|floor|common|receipt|refusal|devices)\.[a-z_.]+`)

// browser is a person at the kiosk whose browser runs no scripts.
type browser struct {
	t    *testing.T
	url  string
	http *http.Client
}

func (s *shop) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{t: s.t, url: s.url, http: &http.Client{Jar: jar}}
}

func (b *browser) open(path string) (int, string) {
	b.t.Helper()
	res, err := b.http.Get(b.url + path)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(res)
}

func (b *browser) send(path string, fields ...string) (int, string) {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	res, err := b.http.PostForm(b.url+path, form)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(res)
}

func (b *browser) read(res *http.Response) (int, string) {
	b.t.Helper()
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

// busy fills a shop with one of everything that a page can show.
func busy(t *testing.T, lang words.Lang, all ...devices.Config) (*shop, string) {
	s := openShop(t, shopOptions{lang: lang, devices: all})
	for _, p := range testProducts() {
		s.receive(1200, p.GetGtin())
	}
	s.order("8XXM2Q9B", &recordv1.ReservedLine{Sku: 4, Units: 1, Name: "Coffee"})
	gone := s.order("9XXM2Q9C", &recordv1.ReservedLine{Sku: 5, Units: 1, Name: "Lamp"})
	s.must("/v1/pickups/"+gone+":pick", `{"gtin":"09521234500049"}`)
	s.must("/v1/pickups/"+gone+":release", `{}`)
	id := s.order("7K3M2Q9A", &recordv1.ReservedLine{Sku: 1, Units: 2, Name: "Rye"},
		&recordv1.ReservedLine{Sku: 2, Units: 10, Name: "Cheese"})
	s.must("/v1/pickups/"+id+":pick", `{"gtin":"`+breadGTIN+`","quantity":1}`)
	return s, id
}

func TestEveryPageSpeaksEveryLanguage(t *testing.T) {
	for _, lang := range words.Langs() {
		t.Run(string(lang), func(t *testing.T) {
			s, id := busy(t, words.EN)
			b := s.browser()
			b.open("/?lang=" + string(lang))
			b.send("/scan", "code", breadGTIN, "to", "/sell")
			b.send("/scan", "code", cheeseGTIN, "to", "/sell")
			paths := []string{"/", "/sell", "/receive", "/orders", "/orders?filter=ready", "/orders?filter=finished",
				"/orders/" + id, "/collect", "/stock", "/stock?gtin=" + breadGTIN, "/stock?q=cheese", "/stock?q=zzz",
				"/count?gtin=" + cheeseGTIN, "/shelve", "/devices", "/signin", "/orders/none"}
			for _, path := range paths {
				status, page := b.open(path)
				if want := map[bool]int{true: 404, false: 200}[path == "/orders/none"]; status != want {
					t.Errorf("%s: status %d, want %d: %s", path, status, want, page)
				}
				if found := bareKey.FindAllString(page, -1); found != nil {
					t.Errorf("%s: texts are missing: %v", path, found)
				}
				if !strings.Contains(page, `<html lang="`+string(lang)+`"`) {
					t.Errorf("%s is not in %s", path, lang)
				}
			}
		})
	}
}

func TestStaffCanWorkWithoutScripts(t *testing.T) {
	s, id := busy(t, words.EN)
	b := s.browser()
	steps := []struct {
		path   string
		fields []string
		says   string
	}{
		{"/go", []string{"page", "sell"}, "Scan the first product"},
		{"/scan", []string{"code", "9521 2345 00001", "to", "/sell"}, "€2.99"},
		{"/scan", []string{"code", cheeseGTIN, "to", "/sell"}, "Weight in grams"},
		{"/scan", []string{"code", cheeseGTIN, "quantity", "350", "to", "/sell"}, "350\u00a0g"},
		{"/finish", nil, "Nothing scanned yet"},
		{"/receive", []string{"document", "D-77"}, "Nothing received yet"},
		{"/scan", []string{"code", breadGTIN, "to", "/receive"}, "1 scan"},
		{"/receive/done", nil, "What is next?"},
		{"/orders/" + id + "/start", nil, "Trouble?"},
		{"/orders/" + id + "/pick", []string{"gtin", breadGTIN}, "2 of 2"},
		{"/scan", []string{"code", jamGTIN, "to", "/orders/" + id}, "Not this one"},
		{"/orders/" + id + "/missing", []string{"line", "2", "quantity", "10"}, "Trouble?"},
		{"/orders/" + id + "/pick", []string{"gtin", cheeseGTIN}, "Set aside"},
		{"/orders/" + id + "/extend", nil, "Keep a day longer"},
		{"/orders/" + id + "/stage", []string{"shelf", "A7"}, "Hand over"},
		{"/go", []string{"page", "collect"}, "Scan the customer"},
		{"/collect", []string{"code", "7k3m 2q9a"}, "Hand this over"},
		{"/go", []string{"page", "count"}, "Scan the product you count"},
		{"/damage", []string{"gtin", breadGTIN, "quantity", "1"}, "Damaged"},
		{"/count", []string{"gtin", breadGTIN, "counted", "7", "reason", "lost", "page", "count"}, "7"},
		{"/shelve", []string{"gtin", "09521234500049", "quantity", "1"}, "Everything is in its place"},
		{"/signin", []string{"name", "Anna", "pin", "1234", "to", "/"}, "Hello Anna"},
		{"/signin", []string{"out", "1"}, "Who are you?"},
	}
	for _, step := range steps {
		status, page := b.send(step.path, step.fields...)
		if status != 200 || !strings.Contains(page, step.says) {
			t.Errorf("POST %s %v: %d, without %q", step.path, step.fields, status, step.says)
		}
	}
	if _, stock := s.get("/v1/stock/" + breadGTIN); at(stock, "available") != 7.0 {
		t.Errorf("after the count: %v", stock)
	}
}

func TestARefusedFormSaysWhy(t *testing.T) {
	s, id := busy(t, words.NL)
	b := s.browser()
	for _, c := range []struct {
		path   string
		fields []string
		status int
		says   string
	}{
		{"/signin", []string{"name", "Anna", "pin", "1"}, 401, "Deze pincode klopt niet"},
		{"/finish", nil, 409, "niets gescand"},
		{"/collect", []string{"code", "7K3M2Q9A"}, 409, "Nog niet alles"},
		{"/orders/" + id + "/stage", []string{"shelf", ""}, 400, "Dat"},
		{"/count", []string{"gtin", breadGTIN, "counted", "many"}, 400, ""},
		{"/damage", []string{"gtin", breadGTIN, "quantity", "99999"}, 409, ""},
		{"/jobs/99/reprint", nil, 400, ""},
		{"/go", []string{"page", "moon"}, 400, ""},
	} {
		status, page := b.send(c.path, c.fields...)
		if status != c.status || !strings.Contains(page, c.says) || !strings.Contains(page, `role="alert"`) {
			t.Errorf("POST %s %v: %d, want %d with %q: %s", c.path, c.fields, status, c.status, c.says, page)
		}
	}
}

func TestOtherSitesCannotPost(t *testing.T) {
	s := openShop(t, shopOptions{})
	for _, path := range []string{"/finish", "/v1/sales"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s from another site: %d", path, res.StatusCode)
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
}

func TestAWedgeScanIsAScan(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	b := s.browser()
	form := url.Values{"scan": {breadGTIN}, "request_id": {idString(newID())}}
	var seen []string
	for range 2 { // the page repeats a scan that was not answered
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/stations/counter:scan",
			strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Fragment", "true")
		res, err := b.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		status, piece := b.read(res)
		if status != 200 || !strings.HasPrefix(piece, `<div id="verdict"`) || !strings.Contains(piece, "verdict-yes") {
			t.Errorf("the answer is %d %s", status, piece)
		}
		_, st := s.get("/v1/stations/counter")
		seen = append(seen, at(st, "totalMinor").(string))
	}
	if diff := cmp.Diff([]string{"299", "299"}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestTheBarSaysSinceWhenTheStoreIsAlone(t *testing.T) {
	s := openShop(t, shopOptions{})
	began := time.Now().Add(-2 * time.Minute)
	s.link.state = uplink.State{Phase: uplink.Offline, Since: began}
	if _, page := s.browser().open("/"); !strings.Contains(page, "offline since "+words.Time(words.EN, began.In(s.zone))) {
		t.Error("the page does not say it")
	}
	s.link.state = uplink.State{Phase: uplink.CatchingUp, Backlog: 12}
	if _, page := s.browser().open("/"); !strings.Contains(page, "catching up, 12 left") {
		t.Error("the page does not say that the store catches up")
	}
}

func TestAFormThatIsSentTwiceKeepsAnOrderOneDayLonger(t *testing.T) {
	s, id := busy(t, "en")
	b := s.browser()
	request := idString(newID())
	var until []any
	for range 2 {
		if status, _ := b.send("/orders/"+id+"/extend", "request_id", request); status != 200 {
			t.Fatalf("status %d", status)
		}
		_, order := s.get("/v1/pickups/" + id)
		until = append(until, at(order, "pickupUntil"))
	}
	if until[0] != until[1] {
		t.Errorf("first until %v, then until %v", until[0], until[1])
	}
}
