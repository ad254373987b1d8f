package shopfloor_test

import (
	"fmt"
	"testing"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

const dayMS = int64(24 * 3600_000)

// openLater opens a store long after 1970.
func openLater(t *testing.T) *store {
	s := open(t)
	s.now = 1_700_000_000_000
	return s
}

// week is what happens in a store in seven days: sales, deliveries, orders that
// are handed over by code, an order that is given up, and the cloud hears of all.
func (s *store) week(n int) (codes []string) {
	s.t.Helper()
	ctx := s.t.Context()
	s.receive(60)
	s.grant(9)
	for d := range 7 {
		s.now += dayMS
		s.SampleClock(s.now)
		code := fmt.Sprintf("A%06dA", n*7+d)
		r := s.accept(code, 1)
		id := [16]byte(r.Reservation)
		_, err := s.Pick(ctx, shopfloor.Cause{ID: s.id()}, id, bread, 0)
		if err == nil && d%2 == 0 {
			_, err = s.Collect(ctx, shopfloor.Cause{ID: s.id()}, s.token(r))
			codes = append(codes, s.token(r))
		} else if err == nil {
			_, err = s.Release(ctx, shopfloor.Cause{ID: s.id()}, id, recordv1.ReleaseReason_RELEASE_REASON_STAFF)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		for range 6 {
			_, err := s.Sell(ctx, shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()},
				Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}}})
			if err != nil {
				s.t.Fatal(err)
			}
		}
		if err := s.Acked(ctx, s.Head().Seq); err != nil {
			s.t.Fatal(err)
		}
		if err := s.HousekeepDue(ctx); err != nil {
			s.t.Fatal(err)
		}
	}
	return codes
}

// sizes counts what grows.
func (s *store) sizes() (records, orders int) {
	s.t.Helper()
	first, err := s.j.First(s.t.Context())
	if err == nil {
		records = int(s.Head().Seq - first + 1)
		err = s.View(s.t.Context(), func(tx *journal.Tx) error {
			ended, err := books.FinishedReservations(tx, 7, -1)
			orders = len(ended)
			return err
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return records, orders
}

func TestAStoreDoesNotGrowWithTheYears(t *testing.T) {
	s := openLater(t)
	weeks := 60
	if testing.Short() {
		weeks = 26
	}
	var codes []string
	mostRecords, mostOrders := 0, 0
	for n := range weeks {
		codes = append(codes, s.week(n)...)
		records, orders := s.sizes()
		if n == 14 { // twice forty days and one clearing up more
			mostRecords, mostOrders = records+records/2, orders+orders/2
		}
		if n > 14 && (records > mostRecords || orders > mostOrders) {
			t.Fatalf("week %d: %d records and %d ended orders", n, records, orders)
		}
	}
	if records, _ := s.sizes(); uint64(records) > s.Head().Seq/2 {
		t.Errorf("%d of %d records are kept", records, s.Head().Seq)
	}
	if report, err := s.j.Verify(t.Context(), nil); err != nil || !report.OK() {
		t.Errorf("%v %v", report.Mismatches, err)
	}
	for _, c := range []string{codes[0], codes[len(codes)/2], codes[len(codes)-1]} {
		_, err := s.Collect(t.Context(), shopfloor.Cause{ID: s.id()}, c)
		if !stock.Refused(err, stock.AlreadyFinished) && !stock.Refused(err, stock.AlreadyCollected) {
			t.Errorf("a code of an order that has ended: %v", err)
		}
	}
}

func TestWhatTheCloudDoesNotHaveIsKept(t *testing.T) {
	s := openLater(t)
	for n := range 2 {
		s.week(n)
	}
	acked := s.Acknowledged()
	for range 100 { // the line is cut, for long
		s.now += dayMS
		s.SampleClock(s.now)
		_, err := s.Sell(t.Context(), shopfloor.Sell{Cause: shopfloor.Cause{ID: s.id()},
			Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}}, Decided: &shopfloor.Decider{Name: "Anna", Manager: true}})
		if err == nil {
			err = s.HousekeepDue(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	first, err := s.j.First(t.Context())
	if err != nil || first > acked+1 {
		t.Errorf("the cloud has %d, the first record that is kept is %d, %v", acked, first, err)
	}
}

func TestNothingIsForgottenByAClockThatNobodyTrusts(t *testing.T) {
	s := openLater(t)
	s.week(0)
	before := s.Head()
	s.now += 100 * dayMS // nobody has compared it with the cloud's
	if err := s.HousekeepDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Head() != before {
		t.Errorf("it cleared up: records %d to %d", before.Seq+1, s.Head().Seq)
	}
}

func TestARequestWhoseIdMayBeGoneIsNotTakenAsNew(t *testing.T) {
	s := open(t)
	s.now = 1_800_000_000_000
	s.receive(5)
	n := s.forgetful()
	n.now = s.now
	id := [16]byte{6: 0x70, 8: 0x80, 15: 1}
	made := uint64(s.now - 36*dayMS)
	for i := range 6 {
		id[i] = byte(made >> (40 - 8*i))
	}
	epoch := stock.Epoch{Timeline: 1, Counter: 1}
	_, err := n.Refund(t.Context(), shopfloor.Cause{ID: id, Resent: &epoch}, [16]byte{},
		[]*recordv1.MovementLine{{Sku: 1, Units: 1}}, false)
	if !stock.Refused(err, stock.AlreadyFinished) {
		t.Errorf("a request of 36 days ago: %v", err)
	}
}

func TestAnOrderIsForgottenOnlyByTheNumberThatFirstBroughtIt(t *testing.T) {
	s := openLater(t)
	ctx := t.Context()
	s.receive(6)
	s.grant(4)
	heard := s.accept("AAAAAAAA", 1)
	unheard := s.reserve("BBBBBBBB", 1) // the line was cut before it came
	if err := s.BeginTimeline(ctx, 2, s.Head().Seq); err != nil {
		t.Fatal(err)
	}
	s.dseq, s.hash = 0, journal.Hash{}
	for _, r := range []*recordv1.Reserve{heard, unheard} {
		if err := s.directIn(2, &recordv1.Directive{Body: &recordv1.Directive_Reserve{Reserve: r}}); err != nil {
			t.Fatal(err)
		}
		_, err := s.Release(ctx, shopfloor.Cause{ID: s.id()}, [16]byte(r.Reservation),
			recordv1.ReleaseReason_RELEASE_REASON_STAFF)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, orders := s.sizes(); orders != 2 {
		t.Fatalf("%d orders have ended", orders)
	}
	s.now += 50 * dayMS
	if err := s.Housekeep(ctx); err != nil {
		t.Fatal(err)
	}
	if _, orders := s.sizes(); orders != 1 {
		t.Errorf("%d ended orders are kept, want the one whose number was never applied in its timeline", orders)
	}
	for _, r := range []*recordv1.Reserve{heard, unheard} {
		_, err := s.Collect(ctx, shopfloor.Cause{ID: s.id()}, s.token(r))
		if !stock.Refused(err, stock.AlreadyFinished) {
			t.Errorf("code of %s: %v", r.GetCode(), err)
		}
	}
}
