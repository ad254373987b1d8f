package storefront

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/gateway"
	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/firmware-sim/demodata"
	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"
)

const (
	apples  = "09520001000010" // sold by weight, 2.49 a kilogram
	crisp   = "09520001002724" // rye crispbread, by the piece
	havarti = "09520001005008"
)

// assortment is a few products of the demonstration, by category.
const assortment = `gtin,name,name_nl,name_da,name_de,name_en,brand,category,aisle,package,unit,price_minor,currency,vat_permille
9520001000010,Elstar apples,Appels Elstar,Æbler Elstar,Äpfel Elstar,Elstar apples,Tjalk,Fruit and vegetables,01-01,1 kg,g,249,EUR,90
9520001002724,Rye crispbread,Rogge-knäckebröd,Rugknækbrød,Roggenknäcke,Rye crispbread,Kornhjem,Bread and pastry,02-06,250 g,each,189,EUR,90
9520001005008,Havarti block,Havarti aan het stuk,Havarti i blok,Havarti am Stück,Havarti block,Oosterlee,Cheese,04-04,400 g,each,539,EUR,90
`

var key = ed25519.NewKeyFromSeed(make([]byte, 32))

// noon is when the tests happen: a Thursday, 14:10 in Utrecht.
var noon = time.Date(2025, time.November, 20, 13, 10, 0, 0, time.UTC)

// world is a cloud with the first three stores of the demonstration, whose
// nodes the test plays, and the pages in front of it.
type world struct {
	t      *testing.T
	engine *engine.Engine
	shop   *gateway.Gateway
	front  *Storefront
	server *httptest.Server
	nodes  map[stock.StoreID]*node
	now    time.Time
}

// node is what the test knows of a store's journal.
type node struct {
	session uint64
	seq     uint64
	hash    journal.Hash
	granted map[uint32]int64
	offline time.Time // since when; zero: connected
	stingy  bool      // it grants nothing when asked
}

func newWorld(t *testing.T, products string) *world {
	t.Helper()
	w := &world{t: t, nodes: make(map[stock.StoreID]*node), now: noon}
	clock := func() time.Time { return w.now }
	engine, err := engine.Open(t.Context(), engine.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	w.engine = engine
	log := slog.New(slog.DiscardHandler)
	w.shop = gateway.New(gateway.Options{Engine: engine, Stores: w, Tenant: 1, KeyID: 9, Key: key,
		NodesAt: "localhost:8443", Logger: log})
	w.front = New(Options{Shop: w.shop, Language: words.EN, Logger: log})
	w.front.now, w.front.beat = clock, 10*time.Millisecond
	w.server = httptest.NewServer(w.front.Handler())
	t.Cleanup(w.server.Close)
	_, err = w.shop.Office().ImportProducts(t.Context(), &shopv1.ImportProductsRequest{Csv: []byte(products)})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range demodata.Stores()[:3] {
		w.putStore(s)
	}
	return w
}

func (w *world) putStore(s demodata.Store) {
	w.t.Helper()
	_, err := w.shop.Office().PutStore(w.t.Context(), &shopv1.PutStoreRequest{Store: &shopv1.Store{Store: s.ID,
		Name: s.Name, Town: s.Town, Street: s.Street, Postcode: s.Postcode, Country: s.Country, Latitude: s.Lat,
		Longitude: s.Lon, Timezone: s.Timezone, Opening: s.Opening, Language: s.Language, Currency: s.Currency}})
	if err != nil {
		w.t.Fatal(err)
	}
	secret, csr := sha256.Sum256([]byte(s.Name)), sha256.Sum256([]byte("csr"))
	id := make([]byte, 16)
	id[0] = byte(s.ID)
	w.propose(&recordv1.Command{Body: &recordv1.Command_IssueJoin{IssueJoin: &recordv1.IssueJoin{Store: s.ID,
		SecretHash: secret[:], ExpiresAt: w.now.Add(time.Hour).UnixMilli()}}})
	epoch := w.propose(&recordv1.Command{Body: &recordv1.Command_Enrol{Enrol: &recordv1.Enrol{Store: s.ID,
		SecretHash: secret[:], NodeId: id, CsrHash: csr[:]}}}).GetEnrol().GetEpoch()
	session := w.propose(&recordv1.Command{Body: &recordv1.Command_OpenSession{OpenSession: &recordv1.OpenSession{
		Hello: &recordv1.Hello{CapVersion: 1, CapMin: 1, Store: s.ID, NodeId: id, Epoch: epoch, Timeline: 1,
			JournalHash: make([]byte, 16), DirectivesHash: make([]byte, 16),
			Mode: recordv1.NodeMode_NODE_MODE_NORMAL}}}}).GetSession().GetSession()
	w.nodes[stock.StoreID(s.ID)] = &node{session: session, granted: make(map[uint32]int64)}
}

func (w *world) propose(c *recordv1.Command) *recordv1.Result {
	w.t.Helper()
	r, err := w.engine.Propose(context.Background(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// record sends records as a store's node would.
func (w *world) record(store stock.StoreID, records ...*recordv1.Record) {
	w.t.Helper()
	n := w.nodes[store]
	prev := n.hash
	batch := &recordv1.ApplyBatch{Store: uint32(store), Session: n.session, From: n.seq + 1, PrevHash: prev[:]}
	for _, r := range records {
		n.seq++
		r.Seq, r.Epoch, r.Hlc = n.seq, &recordv1.Epoch{Timeline: 1, Counter: 1}, uint64(w.now.UnixMilli())<<16
		raw, err := proto.Marshal(r)
		if err != nil {
			w.t.Fatal(err)
		}
		n.hash = journal.Chain(n.hash, n.seq, raw)
		batch.Records = append(batch.Records, raw)
	}
	w.propose(&recordv1.Command{Body: &recordv1.Command_ApplyBatch{ApplyBatch: batch}})
}

// stock puts units on a store's shelf and lets the cloud promise some of them.
func (w *world) stock(store stock.StoreID, gtin string, shelf, granted int64) {
	w.t.Helper()
	sku := w.sku(gtin)
	w.record(store, &recordv1.Record{Body: &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{
		Lines: []*recordv1.MovementLine{{Sku: sku, Units: shelf}}}}})
	if granted > 0 {
		w.grant(store, sku, granted)
	}
}

func (w *world) grant(store stock.StoreID, sku uint32, units int64) {
	n := w.nodes[store]
	n.granted[sku] += units
	w.record(store, &recordv1.Record{Body: &recordv1.Record_Grant{Grant: &recordv1.Grant{Sku: sku,
		Units: units, GrantedTotal: n.granted[sku]}}})
}

func (w *world) sku(gtin string) uint32 {
	w.t.Helper()
	p, err := w.shop.GetProduct(context.Background(), &shopv1.GetProductRequest{Gtin: gtin})
	if err != nil {
		w.t.Fatal(err)
	}
	return p.GetSku()
}

// AskGrant grants what is asked for when the shelf has it.
func (w *world) AskGrant(_ context.Context, store stock.StoreID, needs []gateway.Need) error {
	if w.nodes[store].stingy {
		return stock.Refuse(stock.Short, "the store keeps it")
	}
	for _, need := range needs {
		a, err := w.shop.Office().ListBooks(context.Background(), &shopv1.ListBooksRequest{Store: uint32(store)})
		if err != nil {
			return err
		}
		for _, row := range a.GetRows() {
			missing := int64(need.Units) - row.GetPool()
			if row.GetSku() == uint32(need.SKU) && missing > 0 && row.GetAccounts()["sellable"] >= missing {
				w.grant(store, row.GetSku(), missing)
			}
		}
	}
	return nil
}

// Standing says how a store stands with the cloud.
func (w *world) Standing(s *headoffice.Store) gateway.Standing {
	n := w.nodes[s.ID]
	if n == nil || !n.offline.IsZero() {
		if n == nil {
			return gateway.Standing{}
		}
		return gateway.Standing{Since: n.offline, LastHeard: n.offline}
	}
	return gateway.Standing{Connected: true, Since: noon.Add(-time.Hour), LastHeard: w.now}
}

// shopper is a browser without scripts.
type shopper struct {
	t      *testing.T
	client *http.Client
	base   string
	lang   string
}

func (w *world) shopper(lang string) *shopper {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &shopper{t: w.t, client: &http.Client{Jar: jar}, base: w.server.URL, lang: lang}
}

// page is an answer: its status, where it ended up, and its content.
type page struct {
	status int
	path   string
	html   string
	header http.Header
}

func (s *shopper) do(r *http.Request) page {
	s.t.Helper()
	r.Header.Set("Accept-Language", s.lang)
	answer, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return page{answer.StatusCode, answer.Request.URL.RequestURI(), string(body), answer.Header}
}

func (s *shopper) get(path string) page {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(r)
}

func (s *shopper) post(path string, fields ...string) page {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(r)
}

// take puts a product into the basket.
func (s *shopper) take(store, gtin, quantity string) page {
	s.t.Helper()
	return s.post("/cart/set", "store", store, "gtin", gtin, "quantity", quantity)
}
