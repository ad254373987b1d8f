package shopfloor_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/ledger"
)

// forgetful is a copy of a store as it was, that knows that it has lost what
// came since.
func (s *store) forgetful() *store {
	s.t.Helper()
	n := open(s.t)
	n.dseq, n.hash, n.ids = s.dseq, s.hash, 1<<20
	prev, all := s.raws(n.Head().Seq)
	if err := n.FastForward(s.t.Context(), prev, all); err != nil {
		s.t.Fatal(err)
	}
	if err := n.Recovered(s.t.Context(), stock.Epoch{Timeline: 1, Counter: 2}); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// told is one request of a till: how it was asked, and how it is asked again.
type told struct {
	name  string
	first func(s *store, c shopfloor.Cause) error
	again func(s *store, c shopfloor.Cause) error
}

func tills(r [3][16]byte) []told {
	one := []*recordv1.MovementLine{{Sku: 1, Units: 3}}
	step := func(name string, do func(s *store, c shopfloor.Cause) error) told { return told{name, do, do} }
	return []told{
		step("sell", func(s *store, c shopfloor.Cause) error {
			_, err := s.Sell(s.t.Context(), shopfloor.Sell{Cause: c, Lines: []*recordv1.SaleLine{{Sku: 1, Units: 1}}})
			return err
		}),
		step("receive", func(s *store, c shopfloor.Cause) error {
			_, err := s.Receive(s.t.Context(), c, "D-9", one)
			return err
		}),
		{"count", func(s *store, c shopfloor.Cause) error {
			_, err := s.Count(s.t.Context(), c, bread, 20, "")
			return err
		}, func(s *store, c shopfloor.Cause) error {
			_, err := s.CountAgain(s.t.Context(), c, &recordv1.Count{Sku: 1, Counted: 20, Delta: -2})
			return err
		}},
		step("refund", func(s *store, c shopfloor.Cause) error {
			_, err := s.Refund(s.t.Context(), c, [16]byte{}, one, false)
			return err
		}),
		step("reshelve", func(s *store, c shopfloor.Cause) error {
			_, err := s.Reshelve(s.t.Context(), c, bread, 2, "")
			return err
		}),
		step("damage", func(s *store, c shopfloor.Cause) error {
			_, err := s.Damage(s.t.Context(), c, &recordv1.Damage{Sku: 1, Units: 1})
			return err
		}),
		{"collect", func(s *store, c shopfloor.Cause) error {
			if _, err := s.Pick(s.t.Context(), shopfloor.Cause{ID: s.id()}, r[0], bread, 0); err != nil {
				return err
			}
			_, err := s.CollectFor(s.t.Context(), c, shopfloor.Presented{Code: "AAAAAAAA", PIN: "1234"})
			return err
		}, func(s *store, c shopfloor.Cause) error {
			_, err := s.Collect(s.t.Context(), c, "AAAAAAAA")
			return err
		}},
		step("release", func(s *store, c shopfloor.Cause) error {
			_, err := s.Release(s.t.Context(), c, r[1], recordv1.ReleaseReason_RELEASE_REASON_STAFF)
			return err
		}),
		step("missing", func(s *store, c shopfloor.Cause) error {
			_, err := s.Missing(s.t.Context(), c, r[2], 1, 1)
			return err
		}),
	}
}

func TestWhateverATillWasAnsweredItCanSendAgainBlindly(t *testing.T) {
	s := open(t)
	s.receive(20)
	s.grant(8)
	var r [3][16]byte
	for i, code := range []string{"AAAAAAAA", "BBBBBBBB", "CCCCCCCC"} {
		r[i] = [16]byte(s.accept(code, 2).Reservation)
	}
	n := s.forgetful()
	all, ids := tills(r), make([][16]byte, 9)
	for i, a := range all {
		ids[i] = s.id()
		if err := a.first(s, shopfloor.Cause{ID: ids[i]}); err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
	}
	epoch := stock.Epoch{Timeline: 1, Counter: 1}
	for round := range 2 {
		head := n.Head()
		for i, a := range all {
			if err := a.again(n, shopfloor.Cause{ID: ids[i], Resent: &epoch}); err != nil {
				t.Errorf("%s sent again, round %d: %v", a.name, round, err)
			}
		}
		if round > 0 && n.Head() != head {
			t.Errorf("a second time made records %d to %d", head.Seq+1, n.Head().Seq)
		}
	}
	if diff := cmp.Diff(s.account(bread).Balances, n.account(bread).Balances); diff != "" {
		t.Error(diff)
	}
	for i, a := range all { // the id is good for nothing else
		other := all[(i+1)%len(all)]
		err := other.again(n, shopfloor.Cause{ID: ids[i], Resent: &epoch})
		if !stock.Refused(err, stock.IDReused) {
			t.Errorf("%s with the id of %s: %v", other.name, a.name, err)
		}
	}
}

func TestAStoreThatHasForgottenNothingTakesNobodysWordForIt(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(2)
	s.accept("AAAAAAAA", 2)
	epoch := s.Epoch()
	_, err := s.Collect(t.Context(), shopfloor.Cause{ID: s.id(), Resent: &epoch}, "AAAAAAAA")
	if !stock.Refused(err, stock.NotReady) {
		t.Errorf("an order that nobody has picked: %v", err)
	}
}

func TestAHandoverThatIsSentAgainWaitsForItsOrder(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(2)
	n := s.forgetful()
	r := s.accept("AAAAAAAA", 2)
	epoch := stock.Epoch{Timeline: 1, Counter: 1}
	for _, code := range []string{"AAAAAAAA", s.token(r)} {
		_, err := n.Collect(t.Context(), shopfloor.Cause{ID: s.id(), Resent: &epoch}, code)
		if !stock.Refused(err, stock.UnknownReservation) {
			t.Errorf("an order that it does not know yet: %v", err)
		}
	}
}

func TestWhatWasMissingStaysMissingWhenItsOrderHasEnded(t *testing.T) {
	s := open(t)
	s.receive(5)
	s.grant(2)
	r := [16]byte(s.accept("AAAAAAAA", 2).Reservation)
	n := s.forgetful()
	if _, err := n.Release(t.Context(), shopfloor.Cause{ID: n.id()}, r,
		recordv1.ReleaseReason_RELEASE_REASON_EXPIRE); err != nil {
		t.Fatal(err)
	}
	epoch, before := stock.Epoch{Timeline: 1, Counter: 1}, n.account(bread).Balances
	_, err := n.Missing(t.Context(), shopfloor.Cause{ID: n.id(), Resent: &epoch}, r, 1, 1)
	after := n.account(bread).Balances
	if err != nil || after.OnHand() != before.OnHand()-1 {
		t.Errorf("%v, before %v, after %v", err, before, after)
	}
}

func TestAHandoverIsSentAgainWithWhatWasHandedOver(t *testing.T) {
	s := open(t)
	s.receive(2)
	s.grant(2)
	r := [16]byte(s.accept("AAAAAAAA", 2).Reservation)
	n := s.forgetful() // it has not heard that one was missing
	ctx, epoch := t.Context(), stock.Epoch{Timeline: 1, Counter: 1}
	one := []*recordv1.OutcomeLine{{Line: 1, Units: 1}}
	for _, handed := range [][]*recordv1.OutcomeLine{{{Line: 1, Units: 3}}, {{Line: 2, Units: 1}}} {
		_, err := n.CollectFor(ctx, shopfloor.Cause{ID: n.id(), Resent: &epoch},
			shopfloor.Presented{Code: "AAAAAAAA", Handed: handed})
		if _, refused := stock.AsRefusal(err); !refused {
			t.Errorf("%v: %v", handed, err)
		}
	}
	_, err := n.CollectFor(ctx, shopfloor.Cause{ID: n.id(), Resent: &epoch},
		shopfloor.Presented{Code: "AAAAAAAA", Handed: one})
	if err != nil {
		t.Fatal(err)
	}
	n.want("one was handed over", map[ledger.Account]stock.Units{ledger.Collected: 1, ledger.Reserved: 1})
	if _, err := n.Missing(ctx, shopfloor.Cause{ID: n.id(), Resent: &epoch}, r, 1, 1); err != nil {
		t.Fatal(err)
	}
	n.want("one was missing", map[ledger.Account]stock.Units{ledger.Missing: 1, ledger.Reserved: 0})
}
