package shopfloor_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/gtin"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/token"
)

const (
	breadGTIN  = "09521234500001"
	cheeseGTIN = "09521234500018"
	bread      = stock.SKU(1)
	cheese     = stock.SKU(2)
)

// shelf is a catalogue of two products: bread by the piece, cheese by weight.
type shelf struct{}

var products = []*recordv1.Product{
	{Sku: 1, Gtin: breadGTIN, Name: "Rye bread", Unit: "each", PriceMinor: 250, Currency: "EUR"},
	{Sku: 2, Gtin: cheeseGTIN, Name: "Cheese", Unit: "g", PriceMinor: 1290, Currency: "EUR", Plu: "00042"},
}

func find(match func(*recordv1.Product) bool) (*recordv1.Product, error) {
	for _, p := range products {
		if match(p) {
			return p, nil
		}
	}
	return nil, nil
}

func (shelf) ByGTIN(_ *journal.Tx, gtin string) (*recordv1.Product, error) {
	return find(func(p *recordv1.Product) bool { return p.Gtin == gtin })
}
func (shelf) ByPLU(_ *journal.Tx, plu string) (*recordv1.Product, error) {
	return find(func(p *recordv1.Product) bool { return p.Plu == plu })
}
func (shelf) BySKU(_ *journal.Tx, sku stock.SKU) (*recordv1.Product, error) {
	return find(func(p *recordv1.Product) bool { return p.Sku == uint32(sku) })
}

// store is one shop under test, with the cloud's hand on its directives.
type store struct {
	*shopfloor.Floor
	t    *testing.T
	j    *journal.Journal
	now  int64
	ids  uint64
	dseq uint64
	hash journal.Hash
	key  ed25519.PrivateKey
	path string // of the journal; empty: in memory
	heed func(shopfloor.Event)

	decoder   gtin.Decoder
	catalogue shopfloor.Catalogue
	lockers   shopfloor.Lockers
}

func open(t *testing.T) *store { return furnish(&store{t: t}) }

// furnish opens a store that has something of its own.
func furnish(s *store) *store {
	s.now, s.key = 1_000_000, ed25519.NewKeyFromSeed(make([]byte, 32))
	s.start()
	s.direct(&recordv1.Directive{Body: &recordv1.Directive_Keys{Keys: &recordv1.KeySet{Version: 1,
		Keys: []*recordv1.PickupKey{{Id: 9, Public: s.key.Public().(ed25519.PublicKey), NotAfter: 1 << 50}}}}})
	return s
}

// start starts the store's node, or starts it again.
func (s *store) start() {
	if s.j != nil {
		s.j.Close()
	}
	s.Floor = shopfloor.New(s.options())
	j, err := journal.Open(s.t.Context(), journal.Options{Path: s.path, Machine: s.Machine()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { j.Close() })
	if err := s.Open(s.t.Context(), j); err != nil {
		s.t.Fatal(err)
	}
	s.j = j
}

func (s *store) options() shopfloor.Options {
	products := s.catalogue
	if products == nil {
		products = shelf{}
	}
	return shopfloor.Options{Store: 7, Epoch: stock.Epoch{Timeline: 1, Counter: 1},
		Tenant: 1, Catalogue: products, Now: func() int64 { return s.now }, NewID: s.id,
		Decoder: s.decoder, Lockers: s.lockers,
		Notify: func(e shopfloor.Event) {
			if s.heed != nil {
				s.heed(e)
			}
		}}
}

func (s *store) id() (id [16]byte) {
	s.ids++
	binary.BigEndian.PutUint64(id[:8], s.ids)
	return id
}

// direct sends one directive and returns what its application said.
func (s *store) direct(d *recordv1.Directive) error { return s.directIn(1, d) }

func (s *store) directIn(timeline uint32, d *recordv1.Directive) error {
	d.Seq, d.Timeline = s.dseq+1, timeline
	raw, err := proto.Marshal(d)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.ApplyDirectives(s.t.Context(), d.Seq, s.hash[:], [][]byte{raw})
	if err == nil {
		s.dseq, s.hash = d.Seq, journal.Chain(s.hash, d.Seq, raw)
	}
	return err
}

func (s *store) reserve(code string, n int64) *recordv1.Reserve {
	id := s.id()
	return &recordv1.Reserve{Reservation: id[:], Timeline: 1, Directive: s.dseq + 1, Code: code,
		PickupUntil: s.now + 1000, ConfirmedAt: s.now,
		Lines: []*recordv1.ReservedLine{{Line: 1, Sku: 1, Units: n, Name: "Rye bread"}}}
}

func (s *store) accept(code string, n int64) *recordv1.Reserve {
	r := s.reserve(code, n)
	if err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: r}}); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *store) token(r *recordv1.Reserve) string {
	tok := token.Token{KeyID: 9, Tenant: 1, Store: 7, Timeline: 1, Reservation: [16]byte(r.Reservation),
		DSeq: r.Directive, PickupUntil: r.PickupUntil, IssuedAt: s.now, PINTag: pinTag(r),
		Lines: []token.Line{{SKU: 1, Units: stock.Units(r.Lines[0].Units)}}}
	text, err := token.Sign(tok, s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func (s *store) receive(n int64) {
	_, err := s.Receive(s.t.Context(), shopfloor.Cause{ID: s.id()}, fmt.Sprint("D", s.ids),
		[]*recordv1.MovementLine{{Sku: 1, Units: n}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// grant brings n units into the cloud's pool.
func (s *store) grant(n stock.Units) {
	a := s.account(bread)
	got, err := s.GrantUpTo(s.t.Context(), []shopfloor.Want{{SKU: bread, Target: a.Rights.Granted + n, Timeline: 1}})
	if err != nil || got[0].Total != a.Rights.Granted+n {
		s.t.Fatalf("grant %d: %v %v", n, got, err)
	}
}

func (s *store) account(sku stock.SKU) (a books.Account) {
	err := s.j.View(s.t.Context(), func(tx *journal.Tx) (err error) {
		a, err = books.Open(tx, 7).Account(sku)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *store) want(what string, want map[ledger.Account]stock.Units) {
	s.t.Helper()
	a := s.account(bread)
	for acct, n := range want {
		if a.Balances[acct] != n {
			s.t.Errorf("%s: %s = %d, want %d (%v)", what, acct, a.Balances[acct], n, a.Balances)
		}
	}
}

func (s *store) scan(station, data string) shopfloor.Answer {
	s.t.Helper()
	a, _, err := s.Scan(s.t.Context(), station, shopfloor.Scan{ID: s.id(), Data: []byte(data)})
	if err != nil {
		s.t.Fatalf("scan %q: %v", data, err)
	}
	return a
}

func code(a shopfloor.Answer) stock.Code {
	if a.Refusal == nil {
		return 0
	}
	return a.Refusal.Code
}

func pinTag(r *recordv1.Reserve) (tag [4]byte) {
	copy(tag[:], r.GetPinHash())
	return tag
}
