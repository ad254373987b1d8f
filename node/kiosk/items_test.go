package kiosk

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

const lampGTIN = "09521234500049"

// request begins the body of a call that carries an id.
func request() string { return `{"requestId":"` + idString(newID()) + `",` }

// bump sells the last lamps although an order has one, and names who decided.
func (s *shop) bump() {
	s.t.Helper()
	s.receive(1, lampGTIN)
	s.grant(5, 1)
	s.order("8XXM2Q9B", &recordv1.ReservedLine{Sku: 5, Units: 1, Name: "Lamp"})
	s.must("/v1/sales", request()+`"till":"till-1","decidedBy":"Mads","pin":"1234","lines":[{"gtin":"`+
		lampGTIN+`","quantity":1}]}`)
}

func TestAnItemSaysWhatHappenedAndWhoDealsWithIt(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.bump()
	_, list := s.get("/v1/items")
	item, _ := at(list, "items", 0).(map[string]any)
	got := []any{item["kind"], item["gtin"], item["quantity"], item["code"], item["progress"],
		item["happened"]}
	want := []any{"bumped", lampGTIN, "1", "8XXM2Q9B", "open",
		"A customer in the shop got what was kept " +
			"for order 8XXM-2Q9B: 1\u00a0× Lamp bulb E27. Decided by Mads."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	name := item["item"].(string)
	handle := request() + `"item":"` + name + `","progress":"taken","owner":"Anna","note":"on it"}`
	for range 2 { // the same request once more is the same record
		out := s.must("/v1/items/"+name+":handle", handle)
		if diff := cmp.Diff([]any{"taken", "Anna", "on it"},
			[]any{out["progress"], out["owner"], out["note"]}); diff != "" {
			t.Error(diff)
		}
	}
	s.must("/v1/items/"+name+":handle",
		request()+`"item":"`+name+`","progress":"done","owner":"Anna"}`)
	_, open := s.get("/v1/items")
	_, all := s.get("/v1/items?done=true&language=nl")
	if at(open, "items", 0) != nil || at(all, "items", 0, "progress") != "done" {
		t.Errorf("open: %v, all: %v", open, all)
	}
	if said := at(all, "items", 0, "todo"); said != words.Item(words.NL, "bumped").Todo {
		t.Errorf("to do in Dutch: %v", said)
	}
}

func TestItemsComeInPages(t *testing.T) {
	s := openShop(t, shopOptions{})
	for range 3 {
		s.must("/v1/sales", request()+`"till":"t","lines":[{"gtin":"`+breadGTIN+`","quantity":1}]}`)
	}
	var seen []string
	token := ""
	for range 3 {
		_, page := s.get("/v1/items?page_size=1&page_token=" + token)
		seen = append(seen, at(page, "items", 0, "item").(string))
		token = at(page, "nextPageToken").(string)
	}
	if diff := cmp.Diff([]string{"3-1", "2-1", "1-1"}, seen); diff != "" || token != "" {
		t.Errorf("token %q after %s", token, diff)
	}
}

func TestCallsAboutItemsThatMakeNoSenseAreRefused(t *testing.T) {
	s := openShop(t, shopOptions{})
	for _, c := range []struct{ path, body, reason string }{
		{"/v1/items/7-1:handle", request() + `"item":"7-1","progress":"done"}`, "BAD_REQUEST"},
		{"/v1/items/x:handle", request() + `"item":"x","progress":"done"}`, "BAD_REQUEST"},
		{"/v1/items/7-1:handle", request() + `"progress":"soon"}`, "BAD_REQUEST"},
		{"/v1/items/7-1:handle", `{"progress":"done"}`, "BAD_REQUEST"},
		{"/v1/node:settle", `{}`, "NOT_SIGNED_IN"},
		{"/v1/node:settle", `{"name":"Anna","pin":"1234"}`, "MANAGER_NEEDED"},
		{"/v1/node:reconcile", `{"name":"Mads","pin":"9"}`, "WRONG_PIN"},
	} {
		if _, out := s.post(c.path, c.body); reason(out) != c.reason {
			t.Errorf("%s %s: %v, want %s", c.path, c.body, out, c.reason)
		}
	}
	if _, out := s.get("/v1/items?page_token=x"); reason(out) != "BAD_REQUEST" {
		t.Errorf("a page token of nobody's: %v", out)
	}
}

func TestAManagerEndsTheWaitForTheTills(t *testing.T) {
	s := openShop(t, shopOptions{})
	if err := s.o.Floor.Recovered(t.Context(), stock.Epoch{Timeline: 1, Counter: 2}); err != nil {
		t.Fatal(err)
	}
	if _, n := s.get("/v1/node"); at(n, "mode") != "suspect" {
		t.Fatalf("mode %v", at(n, "mode"))
	}
	s.must("/v1/node:settle", `{"name":"Mads","pin":"1234"}`)
	if _, n := s.get("/v1/node"); at(n, "mode") != "normal" {
		t.Errorf("mode %v", at(n, "mode"))
	}
}

func TestAManagerTakesBackWhatWasSetAside(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	s.grant(1, 3)
	if err := s.o.Floor.BeginTimeline(t.Context(), 2, 0); err != nil {
		t.Fatal(err)
	}
	if got := s.must("/v1/node:reconcile", `{"name":"Mads","pin":"1234"}`)["products"]; got != 1.0 {
		t.Errorf("%v products came back, want 1", got)
	}
	if _, have := s.get("/v1/stock/" + breadGTIN); at(have, "sellable") != 5.0 {
		t.Errorf("afterwards: %v", have)
	}
}

func TestTheInboxShowsBothEventsAndWorksWithoutScripts(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.bump()
	b := s.browser()
	_, page := b.open("/inbox")
	for _, says := range []string{"An order had to give way", "Decided by Mads",
		"1\u00a0× Lamp bulb E27", "till-1 · ",
		"record ", "8XXM-2Q9B", "Out of stock", "Offer the shopper something else", "Sign in first"} {
		if !strings.Contains(page, says) {
			t.Errorf("the inbox lacks %q", says)
		}
	}
	if _, page := b.open("/"); !strings.Contains(page,
		`<span class="count" aria-hidden="true">1</span>`) {
		t.Error("the home page has no count")
	}
	_, list := s.get("/v1/items")
	path := "/inbox/" + at(list, "items", 0, "item").(string)
	if status, _ := b.send(path, "progress", "taken", "to", "/inbox"); status != 401 {
		t.Errorf("taken by nobody: %d", status)
	}
	for _, step := range []struct {
		path   string
		fields []string
		says   string
	}{
		{"/signin", []string{"name", "Anna", "pin", "1234", "to", "/inbox"}, "I will look at it"},
		{path, []string{"progress", "taken", "to", "/inbox"}, "Anna looks at it"},
		{path, []string{"progress", "done", "note", "gave tea", "to", "/inbox"}, "Nothing to look at"},
	} {
		if status, page := b.send(step.path, step.fields...); status != 200 ||
			!strings.Contains(page, step.says) {
			t.Errorf("POST %s %v: %d, without %q", step.path, step.fields, status, step.says)
		}
	}
	_, done := b.open("/inbox?filter=done")
	if !strings.Contains(done, "Done by Anna") || !strings.Contains(done, "<q>gave tea</q>") {
		t.Error("what is done does not say by whom, or loses the note")
	}
}

func TestALongInboxHasMoreThanOnePage(t *testing.T) {
	s := openShop(t, shopOptions{})
	for range maxCards + 2 {
		s.must("/v1/sales", request()+`"till":"t","lines":[{"gtin":"`+breadGTIN+`","quantity":1}]}`)
	}
	b := s.browser()
	_, first := b.open("/inbox")
	_, next := b.open("/inbox?filter=open.3-1")
	if n := strings.Count(first, `class="card case"`); n != maxCards ||
		!strings.Contains(first, "filter=open.3-1") {
		t.Errorf("%d cards on the first page, or no way on", n)
	}
	if n := strings.Count(next, `class="card case"`); n != 2 ||
		strings.Contains(next, "filter=open.") {
		t.Errorf("%d cards on the second page, want 2 and no third", n)
	}
}

func TestEveryPageSaysWhenTheStoreIsNotWhatItShouldBe(t *testing.T) {
	s := openShop(t, shopOptions{})
	b := s.browser()
	if _, page := b.open("/sell"); strings.Contains(page, "<details") {
		t.Error("a banner without a reason")
	}
	for code, says := range map[string]string{"FENCED": "store no more", "FORKED": "Two computers",
		"FROZEN": "n-1", "ROLLED_BACK": "older than this store"} {
		s.link.state = uplink.State{Phase: uplink.Offline, Refused: code}
		if _, page := b.open("/sell"); !strings.Contains(page, says) ||
			!strings.Contains(page, "call head office") &&
				!strings.Contains(page, "Call head office") {
			t.Errorf("%s: no %q, or nobody to call", code, says)
		}
	}
	s.link.state = uplink.State{Phase: uplink.Offline, Refused: "BUSY"}
	if err := s.o.Floor.Recovered(t.Context(), stock.Epoch{Timeline: 1, Counter: 2}); err != nil {
		t.Fatal(err)
	}
	_, page := b.open("/stock")
	if strings.Count(page, "<details class=\"alert") != 1 ||
		!strings.Contains(page, `href="/settle"`) {
		t.Error("a store that has come back does not say so, or says more")
	}
	seen := s.o.Floor.Seen()
	if _, err := s.o.Floor.Witness(t.Context(),
		shopfloor.Seen{Epoch: seen.Epoch, Seq: seen.Seq + 9}); err == nil {
		t.Fatal("a newer witness was believed")
	}
	if _, page := b.open("/orders"); !strings.Contains(page, "does not trust its books") {
		t.Error("a store that does not trust itself does not say so")
	}
}

func TestTheWaitEndsByAPageAndAPIN(t *testing.T) {
	s := openShop(t, shopOptions{})
	b := s.browser()
	if _, page := b.open("/settle"); !strings.Contains(page, "waits for nothing") {
		t.Error("there is something to end")
	}
	if err := s.o.Floor.Recovered(t.Context(), stock.Epoch{Timeline: 1, Counter: 2}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, pin string
		status    int
	}{{"Anna", "1234", 403}, {"Mads", "0", 401}, {"Mads", "1234", 200}} {
		if status, _ := b.send("/settle", "name", c.name, "pin", c.pin); status != c.status {
			t.Errorf("%s: %d, want %d", c.name, status, c.status)
		}
	}
	if mode := s.o.Floor.Mode(); mode != recordv1.NodeMode_NODE_MODE_NORMAL {
		t.Errorf("mode %s", mode)
	}
}
