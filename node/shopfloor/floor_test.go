package shopfloor_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
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
}

func open(t *testing.T) *store {
	s := &store{t: t, now: 1_000_000, key: ed25519.NewKeyFromSeed(make([]byte, 32))}
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
	s.Floor = shopfloor.New(shopfloor.Options{Store: 7, Epoch: stock.Epoch{Timeline: 1, Counter: 1},
		Tenant: 1, Catalogue: shelf{}, Now: func() int64 { return s.now }, NewID: s.id,
		Notify: func(e shopfloor.Event) {
			if s.heed != nil {
				s.heed(e)
			}
		}})
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

func (s *store) id() (id [16]byte) {
	s.ids++
	binary.BigEndian.PutUint64(id[:8], s.ids)
	return id
}

// direct sends one directive and returns what its application said.
func (s *store) direct(d *recordv1.Directive) error {
	d.Seq, d.Timeline = s.dseq+1, 1
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
		DSeq: r.Directive, PickupUntil: r.PickupUntil, IssuedAt: s.now,
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

func TestScansInSellingModeSellOrRefuseAndChangeNothingElse(t *testing.T) {
	s := open(t)
	s.receive(2)
	tests := []struct {
		name, data string
		want       stock.Code
	}{
		{"bread", "9521234500001", 0},
		{"unknown product", "9521234500025", stock.UnknownProduct},
		{"bad check digit", "9521234500002", stock.BadCheckDigit},
		{"shelf label", "SHELF-A1", stock.WrongState},
		{"cheese without a weight", "9521234500018", stock.NeedWeight},
	}
	for _, test := range tests {
		head := s.Head().Seq
		a := s.scan("till1", test.data)
		if code(a) != test.want {
			t.Errorf("%s: %v, want %v", test.name, a.Refusal, test.want)
		}
		if booked := s.Head().Seq > head; booked != (test.want == 0) {
			t.Errorf("%s: booked = %v", test.name, booked)
		}
	}
	a, _, err := s.Scan(t.Context(), "till1", shopfloor.Scan{ID: s.id(), Data: []byte{0xff, 0}, Garbage: true})
	if err != nil || code(a) != stock.Unreadable {
		t.Errorf("garbage: %v %v", a.Refusal, err)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 1, ledger.Sold: 1})
}

func TestSaleByTheSameIDIsBookedOnce(t *testing.T) {
	s := open(t)
	s.receive(5)
	sale := shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()}, Lines: []*recordv1.SaleLine{{Sku: 1, Units: 2}}}
	first, err := s.Sell(t.Context(), sale)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Sell(t.Context(), sale)
	if err != nil || again.Seq != first.Seq || !again.Repeated {
		t.Errorf("again: %+v %v", again, err)
	}
	sale.Lines = []*recordv1.SaleLine{{Sku: 1, Units: 3}}
	if _, err := s.Sell(t.Context(), sale); !stock.Refused(err, stock.IDReused) {
		t.Errorf("other sale with the id: %v", err)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 3, ledger.Sold: 2})
}

func TestDeliveryIsBookedOnce(t *testing.T) {
	s := open(t)
	if _, err := s.SetMode(t.Context(), "dock", shopfloor.Receiving, "DN-1", [16]byte{}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.scan("dock", "9521234500001")
	}
	if _, err := s.SetMode(t.Context(), "dock", shopfloor.Selling, "", [16]byte{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.SetMode(t.Context(), "dock", shopfloor.Receiving, "DN-1", [16]byte{})
	if !stock.Refused(err, stock.DocumentUsed) {
		t.Errorf("open again: %v", err)
	}
	_, err = s.Receive(t.Context(), shopfloor.Cause{ID: s.id()}, "DN-1", []*recordv1.MovementLine{{Sku: 1, Units: 1}})
	if !stock.Refused(err, stock.DocumentUsed) {
		t.Errorf("book again: %v", err)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 3})
}

func TestLastUnitFollowsThePolicy(t *testing.T) {
	s := open(t)
	s.receive(1)
	s.grant(1)
	if a := s.scan("till1", "9521234500001"); code(a) != stock.PromisedOnline || a.Refusal.Args["level"] != "L2" {
		t.Fatalf("promised unit: %v", a.Refusal)
	}
	s.want("asked", map[ledger.Account]stock.Units{ledger.Sold: 0, ledger.Online: 1})
	st, err := s.Station(t.Context(), "till1")
	if err != nil || st.Question == nil {
		t.Fatalf("no question: %v", err)
	}
	a, _, err := s.Scan(t.Context(), "till1", shopfloor.Scan{ID: st.Question.ID, Data: st.Question.Data,
		Decided: &shopfloor.Decider{Name: "Anna"}})
	if err != nil || a.Refusal != nil {
		t.Fatalf("decided: %v %v", a.Refusal, err)
	}
	s.want("lent", map[ledger.Account]stock.Units{ledger.Sold: 1, ledger.Online: 1, ledger.Sellable: -1})
	e, err := s.Entries(t.Context(), a.Seq, 1, 1<<20)
	var rec recordv1.Record
	if err != nil || proto.Unmarshal(e[0].Data, &rec) != nil {
		t.Fatal(err)
	}
	if sale := rec.GetSale(); sale.GetMode() != recordv1.SaleMode_SALE_MODE_BORROW || sale.GetDecidedBy() != "Anna" {
		t.Errorf("recorded: %v by %q", sale.GetMode(), sale.GetDecidedBy())
	}
	if got, err := s.GrantUpTo(t.Context(), []shopfloor.Want{{SKU: bread, Target: 9, Timeline: 1}}); err != nil || got[0].Total != 1 {
		t.Errorf("grant in debt: %v %v", got, err)
	}
}

func TestReservedUnitNeedsAManagerAndMakesTheNewestShort(t *testing.T) {
	s := open(t)
	s.receive(2)
	s.grant(2)
	s.accept("AAAAAAAA", 1)
	s.now++
	s.accept("BBBBBBBB", 1)
	sale := shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()}, Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}},
		Decided: &shopfloor.Decider{Name: "Anna"}}
	if _, err := s.Sell(t.Context(), sale); !stock.Refused(err, stock.ManagerNeeded) {
		t.Fatalf("staff: %v", err)
	}
	sale.Decided = &shopfloor.Decider{Name: "Bram", Manager: true}
	if _, err := s.Sell(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	s.want("bumped", map[ledger.Account]stock.Units{ledger.Sold: 1, ledger.Reserved: 1, ledger.Sellable: 0})
	if _, err := s.Collect(t.Context(), shopfloor.Cause{}, "BBBBBBBB"); !stock.Refused(err, stock.AlreadyFinished) {
		t.Errorf("newest: %v", err)
	}
	if _, err := s.Collect(t.Context(), shopfloor.Cause{}, "AAAAAAAA"); !stock.Refused(err, stock.NotReady) {
		t.Errorf("oldest: %v", err)
	}
}

func TestUnitThatTheBooksDoNotKnowIsSoldAsFound(t *testing.T) {
	s := open(t)
	if a := s.scan("till1", "9521234500001"); a.Refusal != nil || a.Done != "floor.found" {
		t.Fatalf("found: %+v", a)
	}
	s.want("found", map[ledger.Account]stock.Units{ledger.Sold: 1, ledger.Found: -1, ledger.Sellable: 0})
}

func TestOrderIsPickedStagedAndCollectedOnceByScan(t *testing.T) {
	s := open(t)
	s.receive(3)
	s.grant(2)
	r := s.accept("CCCCCCCC", 2)
	if _, err := s.SetMode(t.Context(), "pick", shopfloor.Picking, "", [16]byte(r.Reservation)); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		data string
		want stock.Code
	}{
		{"2100042004504", stock.WrongItem}, {"9521234500001", 0}, {"9521234500001", 0},
		{"9521234500001", stock.LineComplete}, {"SHELF-B2", 0}, {"SHELF-B2", stock.WrongState},
	}
	for _, step := range steps {
		if a := s.scan("pick", step.data); code(a) != step.want {
			t.Errorf("%s: %v, want %v", step.data, a.Refusal, step.want)
		}
	}
	s.want("staged", map[ledger.Account]stock.Units{ledger.Staged: 2})
	tok := s.token(r)
	if a := s.scan("counter", tok); a.Refusal != nil {
		t.Fatalf("collect: %v", a.Refusal)
	}
	if a := s.scan("counter", tok); code(a) != stock.AlreadyCollected || a.Refusal.Args["at"] == "" {
		t.Errorf("again: %v", a.Refusal)
	}
	s.want("collected", map[ledger.Account]stock.Units{ledger.Collected: 2, ledger.Staged: 0})
}

func TestTokenIsCollectedBeforeTheStoreHeardOfIt(t *testing.T) {
	s := open(t)
	s.receive(3)
	s.grant(3)
	r := s.reserve("DDDDDDDD", 2)
	tok := s.token(r)
	a := s.scan("counter", tok)
	if a.Refusal != nil {
		t.Fatalf("unheard: %v", a.Refusal)
	}
	if a := s.scan("counter", tok); code(a) != stock.AlreadyCollected {
		t.Errorf("again: %v", a.Refusal)
	}
	if err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: r}}); err != nil {
		t.Fatal(err)
	}
	s.want("after the directive", map[ledger.Account]stock.Units{ledger.Online: 1, ledger.Collected: 2})
	forged := tok[:len(tok)-1] + map[bool]string{true: "B", false: "A"}[tok[len(tok)-1] == 'A']
	if a := s.scan("counter", forged); a.Refusal == nil {
		t.Error("a changed token was accepted")
	}
}

func TestTokenWithoutUnitsIsHonouredWithAnAlarmAndStopsGrants(t *testing.T) {
	s := open(t)
	s.receive(3)
	r := s.reserve("KKKKKKKK", 2) // genuine, but this store lost the grant that covered it
	if a := s.scan("counter", s.token(r)); a.Refusal != nil {
		t.Fatalf("uncovered: %v", a.Refusal)
	}
	s.want("from the shelf", map[ledger.Account]stock.Units{ledger.Sellable: 1, ledger.Collected: 2, ledger.Online: 0})
	want := []shopfloor.Want{{SKU: bread, Target: 1, Timeline: 1}}
	if got, err := s.GrantUpTo(t.Context(), want); err != nil || got[0].Total != 0 || s.Mode() != recordv1.NodeMode_NODE_MODE_SAFE {
		t.Errorf("grant while the state is in doubt: %v %v", got, err)
	}
	if err := s.Recovered(t.Context(), stock.Epoch{Timeline: 1, Counter: 2}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.GrantUpTo(t.Context(), want); err != nil || got[0].Total != 0 {
		t.Errorf("grant before the tills were heard: %v %v", got, err)
	}
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.GrantUpTo(t.Context(), want); err != nil || got[0].Total != 1 {
		t.Errorf("grant after the cloud accepted the history: %v %v", got, err)
	}
}

func TestFinishedTokenIsRefusedThoughItsRowIsGone(t *testing.T) {
	s := open(t)
	s.receive(3)
	s.grant(3)
	r := s.reserve("EEEEEEEE", 1)
	r.Directive = s.dseq // applied long ago; the row was pruned
	if a := s.scan("counter", s.token(r)); code(a) != stock.AlreadyFinished {
		t.Errorf("pruned: %v", a.Refusal)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Online: 3})
}

func TestCancelReleasesUnlessItEndedBefore(t *testing.T) {
	s := open(t)
	s.receive(4)
	s.grant(4)
	first, second := s.accept("FFFFFFFF", 1), s.accept("GGGGGGGG", 1)
	cancel := func(r *recordv1.Reserve) {
		t.Helper()
		err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Cancel{
			Cancel: &recordv1.CancelRequest{Reservation: r.Reservation, Timeline: 1}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel(first)
	s.want("cancelled", map[ledger.Account]stock.Units{ledger.Sellable: 1, ledger.Reserved: 1})
	if _, err := s.Pick(t.Context(), shopfloor.Cause{}, [16]byte(second.Reservation), bread, 0); err != nil {
		t.Fatal(err)
	}
	cancel(second)
	s.want("picked units wait for the shelf", map[ledger.Account]stock.Units{ledger.ToShelve: 1, ledger.Sellable: 1})
	cancel(second)
	s.want("again", map[ledger.Account]stock.Units{ledger.ToShelve: 1, ledger.Sellable: 1})
}

func TestDirectivesAreAppliedOnceAndInOrder(t *testing.T) {
	s := open(t)
	s.receive(4)
	s.grant(4)
	raw := func(seq uint64, units, total int64) []byte {
		b, _ := proto.Marshal(&recordv1.Directive{Seq: seq, Timeline: 1, Body: &recordv1.Directive_Return{
			Return: &recordv1.Return{Sku: 1, Units: units, ReturnedTotal: total, Timeline: 1}}})
		return b
	}
	one, two := raw(2, 1, 1), raw(3, 1, 2)
	for range 2 {
		if n, err := s.ApplyDirectives(t.Context(), 2, nil, [][]byte{one, two}); err != nil || n != 3 {
			t.Fatalf("applied %d: %v", n, err)
		}
	}
	if _, err := s.ApplyDirectives(t.Context(), 9, nil, [][]byte{raw(9, 1, 3)}); err == nil {
		t.Error("a gap was accepted")
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Online: 2, ledger.Sellable: 2})
}

func TestUnclaimedOrdersExpireOnlyWithATrustedClock(t *testing.T) {
	s := open(t)
	s.receive(1)
	s.grant(1)
	s.accept("HHHHHHHH", 1)
	s.now += 1000 + s.Policy().GetGraceMs()
	s.SampleClock(s.now - 3600_000)
	if n, err := s.ExpireDue(t.Context()); n != 0 || err != nil {
		t.Fatalf("jumped clock: %d %v", n, err)
	}
	s.SampleClock(s.now)
	if n, err := s.ExpireDue(t.Context()); n != 1 || err != nil {
		t.Fatalf("due: %d %v", n, err)
	}
	s.want("expired", map[ledger.Account]stock.Units{ledger.Sellable: 1, ledger.Reserved: 0})
}

func TestCloudGetsItsShareUnasked(t *testing.T) {
	s := open(t)
	s.receive(10)
	if err := s.BalanceOnce(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.want("share", map[ledger.Account]stock.Units{ledger.Sellable: 5, ledger.Online: 5})
}

func TestReplayOfTheJournalProvesTheBooks(t *testing.T) {
	s := open(t)
	s.receive(6)
	s.grant(3)
	s.accept("JJJJJJJJ", 2)
	s.scan("till1", "9521234500001")
	report, err := s.j.Verify(t.Context(), nil)
	if err != nil || len(report.Mismatches) > 0 || report.Records != s.Head().Seq {
		t.Errorf("verify: %+v %v", report, err)
	}
}
