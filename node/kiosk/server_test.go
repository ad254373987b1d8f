package kiosk

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock/journal"
)

func TestAScanSellsAndTheBasketAddsUp(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	for range 2 {
		s.must("/v1/stations/counter:scan", `{"data":"`+breadGTIN+`"}`)
	}
	_, st := s.get("/v1/stations/counter")
	if got := at(st, "totalMinor"); got != "598" {
		t.Errorf("total is %v, want 598", got)
	}
	if got := at(st, "last", "sentence"); got != "1 × Rye crispbread 250 g – €2.99" {
		t.Errorf("sentence is %q", got)
	}
	if got := at(st, "basket", 1, "mode"); got != "normal" {
		t.Errorf("mode is %v", got)
	}
	_, stock := s.get("/v1/stock/" + breadGTIN)
	if at(stock, "onHand") != 3.0 || at(stock, "available") != 3.0 {
		t.Errorf("stock is %v", stock)
	}
}

func TestScansAreCounted(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	for _, code := range []string{breadGTIN, breadGTIN, jamGTIN} {
		s.must("/v1/stations/counter:scan", `{"data":"`+code+`"}`)
	}
	families, err := s.o.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{"holdfast_scans_total ok": 2, "holdfast_scans_total refused": 1,
		"holdfast_refusals_total NO_PRICE": 1, "holdfast_scan_answer_seconds": 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTroubleInTheMachineIsNotTakenForYes(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.get("/v1/stations/counter")
	s.journal.Close()
	status, answer := s.post("/v1/stations/counter:scan", `{"data":"`+breadGTIN+`"}`)
	if status != 503 || at(answer, "message") == "" {
		t.Errorf("the API says %d %v", status, answer)
	}
	status, page := s.browser().send("/scan", "code", breadGTIN, "to", "/sell")
	if status != 500 || !strings.Contains(page, "Something went wrong in the system") {
		t.Errorf("the page says %d %s", status, page)
	}
}

func TestAnswersAreInTheCallersLanguage(t *testing.T) {
	s := openShop(t, shopOptions{lang: "da"})
	for asked, want := range map[string]string{"nl-BE,nl;q=0.9": "Deze pincode", "de": "Diese PIN", "": "Den pinkode"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/stations/counter:signIn",
			strings.NewReader(`{"name":"Nobody","pin":"0"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Language", asked)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var answer map[string]any
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got, _ := at(answer, "message").(string); !strings.HasPrefix(got, want) {
			t.Errorf("asked for %q: %q, want %q", asked, got, want)
		}
	}
}

func TestRefusalsCarryCodeSentenceAndStatus(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	id := uuid.NewString()
	s.must("/v1/sales", `{"requestId":"`+id+`","till":"t1","lines":[{"gtin":"`+breadGTIN+`","quantity":1}]}`)
	for name, c := range map[string]struct {
		path, body, reason string
		status             int
	}{
		"no id":          {"/v1/sales", `{"lines":[{"gtin":"` + breadGTIN + `","quantity":1}]}`, "BAD_REQUEST", 400},
		"no uuid":        {"/v1/sales", `{"requestId":"seven"}`, "BAD_REQUEST", 400},
		"no lines":       {"/v1/sales", `{"requestId":"` + uuid.NewString() + `"}`, "BAD_REQUEST", 400},
		"minus one":      {"/v1/sales", `{"requestId":"` + uuid.NewString() + `","lines":[{"gtin":"` + breadGTIN + `","quantity":-1}]}`, "BAD_UNITS", 400},
		"no price":       {"/v1/sales", `{"requestId":"` + uuid.NewString() + `","lines":[{"gtin":"` + jamGTIN + `","quantity":1}]}`, "NO_PRICE", 409},
		"id reused":      {"/v1/sales", `{"requestId":"` + id + `","lines":[{"gtin":"` + breadGTIN + `","quantity":2}]}`, "ID_REUSED", 409},
		"unknown":        {"/v1/sales", `{"requestId":"` + uuid.NewString() + `","lines":[{"gtin":"4006381333931","quantity":1}]}`, "UNKNOWN_PRODUCT", 404},
		"check digit":    {"/v1/counts", `{"requestId":"` + uuid.NewString() + `","gtin":"4006381333932","counted":1}`, "BAD_CHECK_DIGIT", 400},
		"wrong pin":      {"/v1/stations/counter:signIn", `{"name":"Anna","pin":"0000"}`, "WRONG_PIN", 401},
		"empty basket":   {"/v1/stations/counter:finishBasket", `{}`, "WRONG_STATE", 409},
		"no such order":  {"/v1/pickups/" + uuid.NewString() + ":pick", `{"gtin":"` + breadGTIN + `"}`, "UNKNOWN_RESERVATION", 404},
		"no such code":   {"/v1/pickups:collect", `{"code":"7K3M2Q9A"}`, "UNKNOWN_RESERVATION", 404},
		"no such filter": {"/v1/pickups?filter=odd", "", "BAD_REQUEST", 400},
		"forged token":   {"/v1/stock?pageToken=abc", "", "BAD_REQUEST", 400},
	} {
		method := "POST"
		if c.body == "" {
			method = "GET"
		}
		status, answer := s.call(method, c.path, c.body)
		if status != c.status || reason(answer) != c.reason || at(answer, "details", 0, "domain") != "holdfast.dev" {
			t.Errorf("%s: %d %v, want %d %s", name, status, answer, c.status, c.reason)
		}
		if m, _ := at(answer, "message").(string); m == "" || strings.Contains(m, "_") {
			t.Errorf("%s: message %q is no sentence", name, m)
		}
	}
}

func TestTheSameRequestTwiceIsOnce(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	body := `{"requestId":"` + uuid.NewString() + `","lines":[{"gtin":"` + breadGTIN + `","quantity":2}]}`
	first, second := s.must("/v1/sales", body), s.must("/v1/sales", body)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the repeat differs: %s", diff)
	}
	if _, stock := s.get("/v1/stock/" + breadGTIN); at(stock, "onHand") != 3.0 {
		t.Errorf("on hand is %v, want 3", at(stock, "onHand"))
	}
}

func TestAnOrderGoesFromAcceptedToCollected(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	id := s.order("7K3M2Q9A", &recordv1.ReservedLine{Sku: 1, Units: 2, Name: "Rye"})
	_, list := s.get("/v1/pickups")
	if at(list, "pickups", 0, "state") != "new" || at(list, "pickups", 0, "lines", 0, "aisle") != "B2" {
		t.Errorf("list is %v", list)
	}
	if _, no := s.post("/v1/pickups/"+id+":pick", `{"gtin":"`+jamGTIN+`","quantity":1}`); reason(no) != "WRONG_ITEM" {
		t.Errorf("a wrong item: %v", no)
	}
	if _, no := s.post("/v1/pickups:collect", `{"code":"7k3m-2q9a"}`); reason(no) != "NOT_READY" {
		t.Errorf("too early: %v", no)
	}
	s.must("/v1/pickups/"+id+":pick", `{"gtin":"`+breadGTIN+`"}`)
	if p := s.must("/v1/pickups/"+id+":stage", `{"shelf":"A7"}`); at(p, "state") != "ready" || at(p, "shelf") != "A7" {
		t.Errorf("after staging: %v", p)
	}
	c := s.must("/v1/pickups:collect", `{"code":"7k3m-2q9a","station":"counter"}`)
	if at(c, "pickup", "state") != "collected" || at(c, "pickup", "finishTime") == nil {
		t.Errorf("after collecting: %v", c)
	}
	if _, no := s.post("/v1/pickups:collect", `{"code":"7k3m-2q9a"}`); reason(no) != "ALREADY_COLLECTED" {
		t.Errorf("twice: %v", no)
	}
}

func TestAPromisedUnitIsAQuestion(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.link.state.Phase = 1
	s.receive(1, breadGTIN)
	s.grant(1, 1)
	id := uuid.NewString()
	asked := s.must("/v1/stations/counter:scan", `{"data":"`+breadGTIN+`","requestId":"`+id+`"}`)
	if at(asked, "answer", "code") != "PROMISED_ONLINE" || at(asked, "station", "decision", "promised") != 1.0 {
		t.Fatalf("the first scan: %v", asked)
	}
	again := `{"data":"` + breadGTIN + `","requestId":"` + id + `","decision":"sell"`
	if _, no := s.post("/v1/stations/counter:scan", again+`}`); reason(no) != "NOT_SIGNED_IN" {
		t.Errorf("nobody decides: %v", no)
	}
	sold := s.must("/v1/stations/counter:scan", again+`,"manager":"Mads","pin":"1234"}`)
	if at(sold, "answer", "ok") != true || at(sold, "station", "decision") != nil {
		t.Errorf("after the decision: %v", sold)
	}
}

func TestFiveWrongPINsLockAName(t *testing.T) {
	s := openShop(t, shopOptions{})
	var codes []any
	for range 6 {
		_, answer := s.post("/v1/stations/counter:signIn", `{"name":"Anna","pin":"9999"}`)
		codes = append(codes, reason(answer))
	}
	want := []any{"WRONG_PIN", "WRONG_PIN", "WRONG_PIN", "WRONG_PIN", "WRONG_PIN", "LOCKED"}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Error(diff)
	}
	if status, _ := s.post("/v1/stations/counter:signIn", `{"name":"Anna","pin":"1234"}`); status != 429 {
		t.Errorf("the right PIN of a locked name: %d", status)
	}
	if st := s.must("/v1/stations/counter:signIn", `{"name":"Mads","pin":"1234"}`); at(st, "role") != "manager" {
		t.Errorf("another name: %v", st)
	}
}

func TestListsGoOnWhereTheyStopped(t *testing.T) {
	s := openShop(t, shopOptions{})
	for _, p := range testProducts() {
		s.receive(3, p.GetGtin())
	}
	var seen []any
	for token := ""; ; {
		_, page := s.get("/v1/stock?pageSize=2&pageToken=" + token)
		for _, row := range at(page, "stock").([]any) {
			seen = append(seen, at(row, "sku"))
		}
		if token, _ = at(page, "nextPageToken").(string); token == "" {
			break
		}
	}
	if diff := cmp.Diff([]any{1.0, 2.0, 3.0, 4.0, 5.0}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestEventsComeAtOnceOverRESTAndGRPC(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	res, err := http.Get(s.url + "/v1/events?station=counter")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func() (e map[string]any) {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					t.Fatal(err)
				}
				return e
			}
		}
		t.Fatal("the stream ended")
		return nil
	}
	if e := next(); at(e, "kind") != "hello" {
		t.Errorf("the first event is %v", e)
	}
	conn, err := grpc.NewClient(strings.TrimPrefix(s.url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	api := storev1.NewStoreFloorClient(conn)
	watch, err := api.WatchEvents(t.Context(), &storev1.WatchEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := watch.Recv(); err != nil || e.GetKind() != "hello" {
		t.Fatalf("gRPC begins with %v, %v", e, err)
	}
	scan := &storev1.ScanRequest{Station: "counter", Data: breadGTIN}
	if _, err := api.Scan(t.Context(), scan); err != nil {
		t.Fatal(err)
	}
	for e := next(); at(e, "kind") != "answer"; e = next() {
	}
	for {
		e, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if e.GetKind() == "answer" {
			if !e.GetAnswer().GetOk() || e.GetStation() != "counter" {
				t.Errorf("the answer is %v", e)
			}
			return
		}
	}
}

func TestAPlainCurlReachesTheAPI(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	res, err := http.Post(s.url+"/v1/stations/counter:scan", "application/x-www-form-urlencoded",
		strings.NewReader(`{"data":"`+breadGTIN+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || at(answer, "answer", "ok") != true {
		t.Errorf("the answer is %v, %v", answer, err)
	}
}

func TestABasketOfAStationWithoutAPrinterEndsOnce(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	s.must("/v1/stations/spare:scan", `{"data":"`+breadGTIN+`"}`)
	finish := `{"requestId":"` + idString(newID()) + `"}`
	first := s.must("/v1/stations/spare:finishBasket", finish)
	s.must("/v1/stations/spare:scan", `{"data":"`+breadGTIN+`"}`)
	again := s.must("/v1/stations/spare:finishBasket", finish)
	if diff := cmp.Diff(first, again); diff != "" || at(first, "totalMinor") != "299" {
		t.Errorf("%v: %s", first, diff)
	}
	if _, st := s.get("/v1/stations/spare"); at(st, "basket", 0) == nil {
		t.Error("the next basket ended with it")
	}
}

func TestWhatIsRecordedIsAnsweredBeforeTheCatalogueIsThere(t *testing.T) {
	s := openShop(t, shopOptions{})
	lines := `"lines":[{"gtin":"` + breadGTIN + `","quantity":2}]`
	one := `"gtin":"` + breadGTIN + `","quantity":1`
	requests := []struct{ path, body string }{
		{"/v1/receipts", `"document":"D1",` + strings.Replace(lines, ":2", ":5", 1)},
		{"/v1/sales", `"till":"till-1",` + lines},
		{"/v1/refunds", lines},
		{"/v1/reshelves", one},
		{"/v1/damages", one},
	}
	var bodies []string
	var first []any
	for _, r := range requests {
		bodies = append(bodies, `{"requestId":"`+uuid.NewString()+`",`+r.body+`}`)
		first = append(first, at(s.must(r.path, bodies[len(bodies)-1]), "seq"))
	}
	err := s.journal.Local(t.Context(), func(tx *journal.Tx) error {
		_, err := tx.Exec(`DELETE FROM local_product`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range requests {
		if _, answer := s.post(r.path, bodies[i]); at(answer, "seq") != first[i] {
			t.Errorf("%s again: %v, want record %v", r.path, answer, first[i])
		}
		if _, no := s.post(r.path, `{"requestId":"`+uuid.NewString()+`",`+r.body+`}`); reason(no) != "UNKNOWN_PRODUCT" {
			t.Errorf("%s, another request: %v", r.path, no)
		}
	}
}
