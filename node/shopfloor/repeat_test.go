package shopfloor_test

import (
	"context"
	"testing"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// request is one step that carries an id.
type request struct {
	name string
	do   do
}

type do = func(c shopfloor.Cause) (shopfloor.Written, error)

// script is requests of every kind, in an order in which each can be done, and
// each with a second form that asks for something else.
type script struct {
	*store
	asked, other []request
}

func (p *script) add(name string, first, second do) {
	p.asked, p.other = append(p.asked, request{name, first}), append(p.other, request{name, second})
}

// goods are the steps that need no order.
func (p *script) goods(ctx context.Context) {
	one := func(n int64) []*recordv1.MovementLine { return []*recordv1.MovementLine{{Sku: 1, Units: n}} }
	receive := func(n int64) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) { return p.Receive(ctx, c, "REP-1", one(n)) }
	}
	scanIn := func(n stock.Units) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) { return p.ReceiveScan(ctx, c, "REP-2", bread, n) }
	}
	sell := func(n int64) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) {
			return p.Sell(ctx, shopfloor.Sell{Cause: c, Lines: []*recordv1.SaleLine{{Sku: 1, Units: n}}})
		}
	}
	count := func(n stock.Units) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) { return p.Count(ctx, c, bread, n, "") }
	}
	refund := func(n int64) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) { return p.Refund(ctx, c, [16]byte{}, one(n), false) }
	}
	reshelve := func(n stock.Units) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) { return p.Reshelve(ctx, c, bread, n, "") }
	}
	damage := func(n int64) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) {
			return p.Damage(ctx, c, &recordv1.Damage{Sku: 1, Units: n})
		}
	}
	p.add("receive", receive(4), receive(5))
	p.add("receive a scan", scanIn(1), scanIn(2))
	p.add("sell", sell(1), sell(2))
	p.add("count", count(12), count(11))
	p.add("refund", refund(2), refund(1))
	p.add("reshelve", reshelve(1), reshelve(2))
	p.add("damage", damage(1), damage(2))
}

// orders are the steps on an order.
func (p *script) orders(ctx context.Context) {
	r, later := [16]byte(p.accept("AAAAAAAA", 3).Reservation), [16]byte(p.accept("BBBBBBBB", 1).Reservation)
	pick := func(id [16]byte, sku stock.SKU, n stock.Units) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) { return p.Pick(ctx, c, id, sku, n) }
	}
	stage := func(shelf string) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) {
			all, err := p.Stage(ctx, c, r, shelf)
			if err != nil {
				return shopfloor.Written{}, err
			}
			return all[0], nil
		}
	}
	missing := func(n stock.Units) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) { return p.Missing(ctx, c, r, 1, n) }
	}
	extend := func(ms int64) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) { return p.Extend(ctx, c, later, p.now+ms) }
	}
	release := func(why recordv1.ReleaseReason) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) { return p.Release(ctx, c, later, why) }
	}
	collect := func(code string) do {
		return func(c shopfloor.Cause) (shopfloor.Written, error) {
			h, err := p.Collect(ctx, c, code)
			if err == nil && h.Reservation != r {
				p.t.Errorf("collect answered for %x, want %x", h.Reservation, r)
			}
			return h.Written, err
		}
	}
	p.add("missing", missing(1), missing(2))
	p.add("pick", pick(r, bread, 2), pick(r, cheese, 2))
	p.add("stage", stage("A1"), stage("A2"))
	p.add("extend", extend(5000), extend(6000))
	p.add("release", release(recordv1.ReleaseReason_RELEASE_REASON_STAFF), release(recordv1.ReleaseReason_RELEASE_REASON_CANCEL))
	p.add("pick the rest", pick(r, bread, 0), pick(later, bread, 0))
	p.add("collect", collect("AAAAAAAA"), collect("BBBBBBBB"))
}

func TestEveryStepIsDoneOnceByItsIDAndTheIDIsGoodForNothingElse(t *testing.T) {
	s := open(t)
	s.receive(20)
	s.grant(8)
	p := &script{store: s}
	p.goods(t.Context())
	p.orders(t.Context())
	asked, other := p.asked, p.other
	causes := make([]shopfloor.Cause, len(asked))
	first := make([]uint64, len(asked))
	for i, step := range asked {
		causes[i] = shopfloor.Cause{ID: s.id(), Actor: "till1"}
		w, err := step.do(causes[i])
		if err != nil || w.Seq == 0 || w.Repeated {
			t.Fatalf("%s: %+v %v", step.name, w, err)
		}
		first[i] = w.Seq
	}
	head := s.Head().Seq
	for i, step := range asked {
		if w, err := step.do(causes[i]); err != nil || w.Seq != first[i] || !w.Repeated {
			t.Errorf("%s again: record %d, repeated %v, %v; want record %d", step.name, w.Seq, w.Repeated, err, first[i])
		}
		if _, err := other[i].do(causes[i]); !stock.Refused(err, stock.IDReused) {
			t.Errorf("%s otherwise with the same id: %v", step.name, err)
		}
		if _, err := step.do(causes[(i+1)%len(causes)]); !stock.Refused(err, stock.IDReused) {
			t.Errorf("%s with the id of %s: %v", step.name, asked[(i+1)%len(asked)].name, err)
		}
	}
	if s.Head().Seq != head {
		t.Errorf("repeats wrote %d records", s.Head().Seq-head)
	}
}

// acceptLines accepts an order of several lines of bread.
func (s *store) acceptLines(code string, units ...int64) [16]byte {
	r := s.reserve(code, 1)
	r.Lines = nil
	for i, n := range units {
		r.Lines = append(r.Lines, &recordv1.ReservedLine{Line: uint32(i + 1), Sku: 1, Units: n})
	}
	if err := s.direct(&recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: r}}); err != nil {
		s.t.Fatal(err)
	}
	return [16]byte(r.Reservation)
}

func TestStagingSeveralLinesIsDoneOnceByItsID(t *testing.T) {
	s := open(t)
	s.receive(6)
	s.grant(6)
	id := s.acceptLines("AAAAAAAA", 1, 2, 3)
	for range 3 {
		if _, err := s.Pick(t.Context(), shopfloor.Cause{ID: s.id()}, id, bread, 0); err != nil {
			t.Fatal(err)
		}
	}
	c := shopfloor.Cause{ID: s.id()}
	first, err := s.Stage(t.Context(), c, id, "A1")
	if err != nil || len(first) != 3 {
		t.Fatalf("stage: %v %v", first, err)
	}
	again, err := s.Stage(t.Context(), c, id, "A1")
	if err != nil || len(again) != 3 {
		t.Fatalf("stage again: %v %v", again, err)
	}
	for i, w := range again {
		if w.Seq != first[i].Seq || !w.Repeated {
			t.Errorf("line %d again is record %d, was %d", i+1, w.Seq, first[i].Seq)
		}
	}
	next := c.ID
	next[15] ^= 1 // ids that callers count up must not meet ids derived from others
	if _, err := s.Sell(t.Context(), shopfloor.Sell{Cause: shopfloor.Cause{ID: next},
		Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}}}); err != nil {
		t.Errorf("a sale with a neighbouring id: %v", err)
	}
	s.want("staged", map[ledger.Account]stock.Units{ledger.Staged: 6, ledger.Picked: 0})
}

func TestTwoTillsShareTheLastUnitOnce(t *testing.T) {
	s := open(t)
	s.receive(1)
	r := s.reserve("CCCCCCCC", 1)
	s.grant(1)
	tok := s.token(r)
	const tills = 8
	errs := make(chan error, tills)
	for range tills {
		c := shopfloor.Cause{ID: s.id()}
		go func() {
			_, err := s.Collect(context.WithoutCancel(t.Context()), c, tok)
			errs <- err
		}()
	}
	collected := 0
	for range tills {
		switch err := <-errs; {
		case err == nil:
			collected++
		case !stock.Refused(err, stock.AlreadyCollected):
			t.Errorf("second presentation: %v", err)
		}
	}
	if collected != 1 {
		t.Errorf("handed over %d times", collected)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Collected: 1, ledger.Online: 0})
}

func TestQuantitiesThatAreNoneChangeNothing(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(2)
	id := [16]byte(s.accept("AAAAAAAA", 2).Reservation)
	ctx := t.Context()
	for _, n := range []stock.Units{0, -1, ledger.MaxUnits + 1, 1 << 62} {
		c := func() shopfloor.Cause { return shopfloor.Cause{ID: s.id()} }
		line := []*recordv1.MovementLine{{Sku: 1, Units: int64(n)}}
		sale := shopfloor.Sell{Cause: c(), Lines: []*recordv1.SaleLine{{Sku: 1, Units: 6}, {Sku: 1, Units: int64(n)}}}
		head := s.Head().Seq
		_, sell := s.Sell(ctx, sale)
		_, receive := s.Receive(ctx, c(), "N", line)
		_, scanIn := s.ReceiveScan(ctx, c(), "N", bread, n)
		_, refund := s.Refund(ctx, c(), [16]byte{}, line, false)
		_, reshelve := s.Reshelve(ctx, c(), bread, n, "")
		_, damage := s.Damage(ctx, c(), &recordv1.Damage{Sku: 1, Units: int64(n)})
		_, missing := s.Missing(ctx, c(), id, 1, n)
		for name, err := range map[string]error{"sell": sell, "receive": receive, "scan": scanIn, "refund": refund,
			"reshelve": reshelve, "damage": damage, "missing": missing} {
			if !stock.Refused(err, stock.BadUnits) {
				t.Errorf("%s %d units: %v", name, n, err)
			}
		}
		if s.Head().Seq != head {
			t.Errorf("%d units wrote %d records", n, s.Head().Seq-head)
		}
	}
}

// emptied is a catalogue that is not there yet.
type emptied struct{ shelf }

func (emptied) ByGTIN(*journal.Tx, string) (*recordv1.Product, error) { return nil, nil }

func TestAScanThatIsRecordedIsAnsweredBeforeTheCatalogueIsThere(t *testing.T) {
	s := kept(t)
	s.receive(3)
	sold := shopfloor.Scan{ID: s.id(), Data: []byte(breadGTIN[1:])}
	first, _, err := s.Scan(t.Context(), "till1", sold)
	if err != nil || first.Refusal != nil {
		t.Fatal(first.Refusal, err)
	}
	s.catalogue = emptied{}
	s.start()
	again, station, err := s.Scan(t.Context(), "till1", sold)
	if err != nil || again.Refusal != nil || again.Seq != first.Seq || again.Amount != first.Amount {
		t.Errorf("the same scan is answered with %+v, %v; want record %d", again, err, first.Seq)
	}
	if len(station.Lines) != 1 {
		t.Errorf("the basket has %d lines", len(station.Lines))
	}
	other, _, err := s.Scan(t.Context(), "till1", shopfloor.Scan{ID: s.id(), Data: sold.Data})
	if err != nil || code(other) != stock.UnknownProduct {
		t.Errorf("another scan: %+v, %v", other, err)
	}
	s.want("after", map[ledger.Account]stock.Units{ledger.Sellable: 2})
}

func TestHelloTellsWhatIsUnderTheNumberThatTheCloudNamed(t *testing.T) {
	s := open(t)
	for range 20 {
		s.receive(1)
	}
	head := s.Head().Seq
	named := head - 11 // no mark of its own
	marked := func() bool {
		h, err := s.Hello(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range h.GetMarks() {
			if at, err := s.j.At(t.Context(), m.GetSeq()); err != nil || string(at.Hash[:]) != string(m.GetHash()) {
				t.Errorf("mark %d: %x, want %x, %v", m.GetSeq(), m.GetHash(), at.Hash, err)
			}
			if m.GetSeq() == named {
				return true
			}
		}
		return false
	}
	if marked() {
		t.Fatal("the test proves nothing")
	}
	s.Meet(named)
	if !marked() {
		t.Errorf("record %d of %d is not among the marks", named, head)
	}
	s.Meet(head + 5) // the cloud knows more
	if marked() {
		t.Error("a mark of what is not here")
	}
}
