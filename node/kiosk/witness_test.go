package kiosk

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/token"
)

// till is an API client that shows what it has seen.
type till struct {
	s    *shop
	seen string
}

// post calls the API, and remembers what the answer says of the journal.
func (c *till) post(path, body string) (int, http.Header) {
	c.s.t.Helper()
	req, err := http.NewRequestWithContext(c.s.t.Context(), "POST", c.s.url+path,
		strings.NewReader(body))
	if err != nil {
		c.s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(headerSeen, c.seen)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.s.t.Fatal(err)
	}
	res.Body.Close()
	c.seen = res.Header.Get(headerHead)
	return res.StatusCode, res.Header
}

// putBack opens a copy of the shop as it was when the copy was made.
func (s *shop) putBack(copied string) *shop { return openShop(s.t, shopOptions{path: copied}) }

func (s *shop) backup() string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "copy.db")
	if err := s.journal.Backup(s.t.Context(), path); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func sale(id shopfloor.ID, more string) string {
	return `{"requestId":"` + idString(id) + `","till":"till-1",` + more + `"lines":[{"gtin":"` +
		breadGTIN + `","quantity":1}]}`
}

func TestHeadsAreReadAsTheyAreWritten(t *testing.T) {
	hash := strings.Repeat("0f", 16)
	want := shopfloor.Seen{Epoch: stock.Epoch{Timeline: 1, Counter: 3}, Seq: 120}
	for i := range want.Hash {
		want.Hash[i] = 0x0f
	}
	got, err := parseSeen("1.3/120/" + hash)
	if diff := cmp.Diff(want, got); diff != "" || err != nil || seenText(got) != "1.3/120/"+hash {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []string{"1.3/120", "1/120/" + hash, "1.3/x/" + hash, "1.3/120/0f",
		"1.3/-1/" + hash, "1.3/120/" + hash + "/", "a.b/1/" + hash} {
		if _, err := parseSeen(bad); !stock.Refused(err, stock.BadRequest) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestEveryAnswerSaysHowFarTheJournalIs(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	c := &till{s: s}
	if err := s.o.Floor.Acked(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	_, h := c.post("/v1/sales", sale(newID(), ""))
	if h.Get(headerHead) != seenText(s.o.Floor.Seen()) || !strings.HasPrefix(c.seen, "1.1/2/") ||
		h.Get(headerAcked) != "1" || h.Get(headerResend) != "" {
		t.Errorf("the answer says %v", h)
	}
	if status, _ := c.post("/v1/sales", sale(newID(), "")); status != 200 {
		t.Errorf("a till that is up to date: %d", status)
	}
	c.seen = "nonsense"
	if status, _ := c.post("/v1/sales", sale(newID(), "")); status != 400 {
		t.Errorf("a till that talks nonsense: %d", status)
	}
}

func TestATillUncoversAStoreThatWasPutBack(t *testing.T) {
	s := openShop(t, shopOptions{path: filepath.Join(t.TempDir(), "store.db")})
	s.receive(5, breadGTIN)
	copied := s.backup()
	c, lost := &till{s: s}, newID()
	c.post("/v1/sales", sale(lost, ""))
	s = s.putBack(copied)
	c.s = s
	status, h := c.post("/v1/sales", sale(newID(), ""))
	if status != 409 || h.Get(headerResend) != "true" ||
		s.o.Floor.Mode() != recordv1.NodeMode_NODE_MODE_SAFE {
		t.Errorf("%d, resend %q, mode %s", status, h.Get(headerResend), s.o.Floor.Mode())
	}
	for range 2 { // the head of the refusal is the one to show from now on
		if status, _ := c.post("/v1/sales", sale(lost, `"resentEpoch":"1.1",`)); status != 200 {
			t.Errorf("sent again: %d", status)
		}
	}
	if _, have := s.get("/v1/stock/" + breadGTIN); at(have, "onHand") != 4.0 {
		t.Errorf("on hand is %v, want 4", at(have, "onHand"))
	}
	if _, list := s.get("/v1/items"); at(list, "items", 0, "kind") != "safe_sale" {
		t.Errorf("items: %v", list)
	}
	if status, _ := c.post("/v1/sales", sale(newID(), `"resentEpoch":"one",`)); status != 400 {
		t.Errorf("an epoch of nobody's: %d", status)
	}
}

func TestATillOfAnEarlierEpochIsAskedToSendAgain(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	c := &till{s: s, seen: seenText(shopfloor.Seen{Epoch: stock.Epoch{Timeline: 1, Counter: 1},
		Seq: 99})}
	if err := s.o.Floor.Recovered(t.Context(), stock.Epoch{Timeline: 1, Counter: 2}); err != nil {
		t.Fatal(err)
	}
	status, h := c.post("/v1/sales", sale(newID(), ""))
	if status != 200 || h.Get(headerResend) != "true" || !strings.HasPrefix(c.seen, "1.2/") {
		t.Errorf("%d %v", status, h)
	}
	if _, h := c.post("/v1/sales", sale(newID(), "")); h.Get(headerResend) != "" {
		t.Error("it is asked for ever")
	}
}

func TestWhatLeftTheShopIsBookedAgainWhateverIsPromised(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(1, breadGTIN)
	s.grant(1, 1)
	c := &till{s: s}
	if status, _ := c.post("/v1/sales", sale(newID(), "")); status != 409 {
		t.Errorf("a promised unit: %d", status)
	}
	if status, _ := c.post("/v1/sales", sale(newID(), `"resentEpoch":"1.1",`)); status != 200 {
		t.Errorf("one that has left: %d", status)
	}
}

func TestWitnessesSpeakGRPCToo(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(5, breadGTIN)
	conn, err := grpc.NewClient(strings.TrimPrefix(s.url, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	api := storev1.NewStoreFloorClient(conn)
	var h metadata.MD
	if _, err := api.GetNode(t.Context(), &storev1.GetNodeRequest{}, grpc.Header(&h)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{seenText(s.o.Floor.Seen())}, h.Get("holdfast-head")); diff != "" {
		t.Error(diff)
	}
	newer := seenText(shopfloor.Seen{Epoch: s.o.Floor.Epoch(), Seq: 99, Hash: journal.Hash{1}})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "holdfast-seen", newer)
	h = nil
	_, err = api.GetNode(ctx, &storev1.GetNodeRequest{}, grpc.Header(&h))
	if status.Code(err) != codes.FailedPrecondition || len(h.Get("holdfast-resend")) != 1 {
		t.Errorf("%v, header %v", err, h)
	}
	stream, err := api.WatchEvents(ctx, &storev1.WatchEventsRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a stream: %v", err)
	}
}

// ask posts a form as the script of a page does, and returns what to keep.
func (s *shop) ask(path, id string, fields ...string) string {
	s.t.Helper()
	form := url.Values{"request_id": {id}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url+path,
		strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Fragment", "true")
	req.Header.Set(headerRequest, id)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	told, err := url.PathUnescape(res.Header.Get(headerKeep))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.ReplaceAll(strings.ReplaceAll(told, " ", ""), id, "ID")
}

func TestAPageIsToldHowToSendItsRequestAgain(t *testing.T) {
	s, order := busy(t, "en")
	other := s.order("9YYM2Q9C", &recordv1.ReservedLine{Sku: 1, Units: 1, Name: "Rye"})
	s.must("/v1/pickups/"+order+":pick", `{"gtin":"`+breadGTIN+`"}`)
	s.must("/v1/pickups/"+order+":pick", `{"gtin":"`+cheeseGTIN+`"}`)
	sold := `{"path":"/v1/sales","body":{"requestId":"ID","till":"counter","lines":[{"gtin":"` +
		breadGTIN + `","quantity":1}]}}`
	for _, c := range []struct {
		path   string
		fields []string
		want   string
	}{
		{"/v1/stations/counter:scan", []string{"scan", breadGTIN}, sold},
		{"/scan", []string{"code", breadGTIN, "to", "/sell"}, sold},
		{"/scan", []string{"code", jamGTIN, "to", "/sell"}, ""},
		{"/count", []string{"gtin", breadGTIN, "counted", "1190"}, `{"path":"/v1/counts","body":{"requestId":"ID",` +
			`"gtin":"` + breadGTIN + `","counted":1190,"staff":"counter","resentDelta":-6}}`},
		{"/damage", []string{"gtin", breadGTIN, "quantity", "2"}, `{"path":"/v1/damages","body":{"requestId":"ID",` +
			`"gtin":"` + breadGTIN + `","quantity":2,"reason":"damaged"}}`},
		{"/orders/" + other + "/missing", []string{"line", "1", "quantity", "1"}, `{"path":"/v1/pickups/` + other +
			`:short","body":{"requestId":"ID","line":1,"quantity":1,"staff":"counter"}}`},
		{"/collect", []string{"code", "7K3M2Q9A"},
			`{"path":"/v1/pickups:collect","body":{"requestId":"ID","staff":"counter","resentLines":[` +
				`{"line":1,"quantity":2},{"line":2,"quantity":10}]}}`},
		{"/orders/" + other + "/release", []string{"reason", "cancel"}, `{"path":"/v1/pickups/` + other +
			`:release","body":{"requestId":"ID","reason":"cancel","staff":"counter"}}`},
	} {
		if diff := cmp.Diff(c.want, s.ask(c.path, idString(newID()), c.fields...)); diff != "" {
			t.Errorf("%s: %s", c.path, diff)
		}
	}
}

func TestATillSendsAgainWhateverItWasAnswered(t *testing.T) {
	s := openShop(t, shopOptions{path: filepath.Join(t.TempDir(), "store.db")})
	s.receive(9, breadGTIN)
	s.grant(1, 4)
	pin := token.TagPIN(shopfloor.ID{7}, "2468")
	id := idString(shopfloor.ID{7})
	s.direct(&recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: &recordv1.Reserve{
		Reservation: append([]byte{7}, make([]byte, 15)...), Timeline: 1, Directive: s.dseq + 1,
		Code: "8XXM2Q9B", PinHash: pin[:], PickupUntil: time.Now().Add(time.Hour).UnixMilli(),
		Lines: []*recordv1.ReservedLine{{Line: 1, Sku: 1, Units: 2, Name: "Rye"}}}}})
	copied := s.backup()
	c := &till{s: s}
	type call struct{ path, body, again string }
	do := func(path, body, again string) call {
		return call{path, `{"requestId":"` + idString(newID()) + `",` + body, again}
	}
	one := `"gtin":"` + breadGTIN + `",`
	calls := []call{
		do("/v1/receipts", `"document":"D9","lines":[{`+one+`"quantity":3}]`, ""),
		do("/v1/counts", one+`"counted":11`, `,"resentDelta":-1`),
		do("/v1/damages", one+`"quantity":1`, ""),
		do("/v1/refunds", `"lines":[{`+one+`"quantity":2}]`, ""),
		do("/v1/reshelves", one+`"quantity":1`, ""),
		do("/v1/pickups/"+id+":pick", one+`"quantity":2`, "never"),
		do("/v1/pickups:collect", `"code":"8XXM2Q9B"`, ""),
	}
	for _, k := range calls {
		body := k.body + "}"
		if k.path == "/v1/pickups:collect" {
			body = k.body + `,"pin":"2468"}`
		}
		if status, _ := c.post(k.path, body); status != 200 {
			t.Fatalf("%s: %d", k.path, status)
		}
	}
	_, want := s.get("/v1/stock/" + breadGTIN)
	s = s.putBack(copied)
	c.s = s
	if status, _ := c.post("/v1/counts", calls[1].body+"}"); status != 409 {
		t.Errorf("a store that was put back: %d", status)
	}
	for range 2 {
		for _, k := range calls {
			if k.again == "never" {
				continue
			}
			if status, _ := c.post(k.path, k.body+k.again+`,"resentEpoch":"1.1"}`); status != 200 {
				t.Errorf("%s sent again: %d", k.path, status)
			}
		}
	}
	_, got := s.get("/v1/stock/" + breadGTIN)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
