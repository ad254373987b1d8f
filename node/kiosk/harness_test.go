package kiosk

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/hardware/receipt"
	"holdfast.dev/internal/process"
	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"
)

const (
	breadGTIN  = "09521234500001"
	cheeseGTIN = "09521234500018"
	jamGTIN    = "09521234500025" // has no price
)

func testProducts() []*recordv1.Product {
	return []*recordv1.Product{
		{Sku: 1, Gtin: breadGTIN, Name: "Rye crispbread 250 g", Category: "Bread and pastry", Aisle: "B2", Unit: "each",
			PriceMinor: 299, Currency: "EUR", VatPermille: 90, Names: map[string]string{"nl": "Roggeknäckebröd 250 g"}},
		{Sku: 2, Gtin: cheeseGTIN, Name: "Farm cheese", Category: "Cheese", Aisle: "A1", Unit: "g", PriceMinor: 1290,
			Currency: "EUR", VatPermille: 90, Plu: "00042"},
		{Sku: 3, Gtin: jamGTIN, Name: "Plum jam", Category: "Breakfast and spreads", Aisle: "C4", Unit: "each", Currency: "EUR"},
		{Sku: 4, Gtin: "09521234500032", Name: "Coffee beans 500 g", Category: "Coffee and tea", Aisle: "D1", Unit: "each",
			PriceMinor: 849, Currency: "EUR", VatPermille: 90},
		{Sku: 5, Gtin: "09521234500049", Name: "Lamp bulb E27", Category: "Home and garden", Aisle: "F3", Unit: "each",
			PriceMinor: 495, Currency: "EUR", VatPermille: 210},
	}
}

// testLink is the line to the cloud, as a test sets it.
type testLink struct {
	state   uplink.State
	changed chan struct{}
}

func (l *testLink) State() uplink.State    { return l.state }
func (l *testLink) Watch() <-chan struct{} { return l.changed }

// shop is one store with its kiosk, and the cloud's hand on its directives.
type shop struct {
	*Kiosk
	t       *testing.T
	url     string
	link    *testLink
	journal *journal.Journal
	scanner net.Conn // writes what a scanner reads
	dseq    uint64
	hash    journal.Hash
}

// pinHash is the hash of "1234"; making one takes long on purpose.
var pinHash = process.HashPIN("1234")

type shopOptions struct {
	lang     words.Lang
	devices  []devices.Config
	stations []Station
	path     string
	logo     receipt.Image
}

func openShop(t *testing.T, so shopOptions) *shop {
	t.Helper()
	if so.lang == "" {
		so.lang = words.EN
	}
	if so.stations == nil {
		so.stations = []Station{{Name: "counter", Scanner: "gun", Printer: "paper"}}
	}
	s := &shop{t: t, link: &testLink{state: uplink.State{Phase: uplink.Online}, changed: make(chan struct{})}}
	products := new(catalogue.Products)
	set := devices.New(devices.Options{Devices: so.devices, MaxBackoff: 50 * time.Millisecond})
	floor := shopfloor.New(shopfloor.Options{Store: 7, Epoch: stock.Epoch{Timeline: 1, Counter: 1}, Tenant: 1,
		Catalogue: products, Lockers: set.Compartments(), Now: func() int64 { return time.Now().UnixMilli() }, NewID: newID,
		Notify: func(e shopfloor.Event) {
			if s.Kiosk != nil {
				s.Kiosk.Notify(e)
			}
		}}, catalogue.Migration, Migration)
	j, err := journal.Open(t.Context(), journal.Options{Path: so.path, Machine: floor.Machine(), Sync: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	products.Open(j)
	if err := floor.Open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if err := products.Apply(t.Context(), testProducts()); err != nil {
		t.Fatal(err)
	}
	s.journal = j
	s.Kiosk = New(Options{Floor: floor, Products: products, Journal: j, Devices: set, Link: s.link,
		Info: Info{Store: 7, Name: "Holdfast Utrecht", Town: "Utrecht", Street: "Oudegracht 12", Currency: "EUR",
			Timezone: "Europe/Amsterdam", Language: so.lang, NodeID: "n-1", Realm: "r1",
			Build: "test"},
		Stations: so.stations, Logo: so.logo, Registry: prometheus.NewRegistry(),
		Staff: []Staff{{Name: "Anna", Role: "staff", PINHash: pinHash}, {Name: "Mads", Role: "manager", PINHash: pinHash}}})
	s.run(set)
	server := httptest.NewUnstartedServer(s.Handler())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	s.url = server.URL
	return s
}

// run runs devices and kiosk until the test ends.
func (s *shop) run(set *devices.Set) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- set.Run(ctx) }()
	go func() { done <- s.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-done; err != nil {
				s.t.Error(err)
			}
		}
	})
}

// post calls the API and returns status and answer.
func (s *shop) post(path, body string) (int, map[string]any) { return s.call("POST", path, body) }

func (s *shop) get(path string) (int, map[string]any) { return s.call("GET", path, "") }

func (s *shop) call(method, path, body string) (int, map[string]any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		s.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, raw)
	}
	return res.StatusCode, out
}

// must is post for calls that cannot be refused.
func (s *shop) must(path, body string) map[string]any {
	s.t.Helper()
	status, out := s.post(path, body)
	if status != 200 {
		s.t.Fatalf("POST %s: %d %v", path, status, out)
	}
	return out
}

// at reads a value inside a JSON answer.
func at(v any, keys ...any) any {
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			l, _ := v.([]any)
			if k >= len(l) {
				return nil
			}
			v = l[k]
		}
	}
	return v
}

// reason is the stable code of an error.
func reason(answer map[string]any) any { return at(answer, "details", 0, "reason") }

func (s *shop) receive(n int, gtin string) {
	s.t.Helper()
	s.must("/v1/receipts", `{"requestId":"`+uuid.NewString()+`","document":"`+uuid.NewString()+
		`","lines":[{"gtin":"`+gtin+`","quantity":`+decimal(int64(n))+`}]}`)
}

// direct sends one order of the cloud.
func (s *shop) direct(d *recordv1.Directive) {
	s.t.Helper()
	d.Seq, d.Timeline = s.dseq+1, 1
	raw, err := proto.Marshal(d)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.o.Floor.ApplyDirectives(s.t.Context(), d.Seq, s.hash[:], [][]byte{raw}); err != nil {
		s.t.Fatal(err)
	}
	s.dseq, s.hash = d.Seq, journal.Chain(s.hash, d.Seq, raw)
}

func (s *shop) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, 32)) }

// grant gives the cloud units of a product.
func (s *shop) grant(sku stock.SKU, n stock.Units) {
	s.t.Helper()
	if _, err := s.o.Floor.GrantUpTo(s.t.Context(), []shopfloor.Want{{SKU: sku, Target: n, Timeline: 1}}); err != nil {
		s.t.Fatal(err)
	}
}

// order makes the store accept an order and returns its id.
func (s *shop) order(code string, lines ...*recordv1.ReservedLine) string {
	s.t.Helper()
	id := uuid.New()
	for i, l := range lines {
		l.Line = uint32(i + 1)
		s.grant(stock.SKU(l.GetSku()), 10)
	}
	s.direct(&recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: &recordv1.Reserve{Reservation: id[:],
		Timeline: 1, Directive: s.dseq + 1, Code: code, Contact: "Sanne", Language: "nl",
		PickupUntil: time.Now().Add(26 * time.Hour).UnixMilli(), ConfirmedAt: time.Now().UnixMilli(), Lines: lines}}})
	return id.String()
}
