package shopfloor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/gtin"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// wall is a locker whose compartments are called L0-1 to L0-9.
type wall struct {
	opened []string
	stuck  map[string]bool
}

func (w *wall) Compartment(shelf string) (string, bool) {
	name := strings.TrimPrefix(shelf, "SHELF-")
	return name, strings.HasPrefix(name, "L0-") && len(name) == 4
}

func (w *wall) Open(_ context.Context, name string) error {
	if w.stuck[name] {
		return stock.Refuse(stock.LockerDown, "stuck").With("state", "stuck")
	}
	w.opened = append(w.opened, name)
	return nil
}

// picked is a store with an order of which one unit is picked.
func (s *store) picked(order string) [16]byte {
	s.t.Helper()
	r := s.accept(order, 1)
	id := [16]byte(r.Reservation)
	if _, err := s.Pick(s.t.Context(), shopfloor.Cause{}, id, bread, 0); err != nil {
		s.t.Fatal(err)
	}
	return id
}

func withWall(t *testing.T) (*store, *wall) {
	w := &wall{stuck: make(map[string]bool)}
	s := furnish(&store{t: t, lockers: w})
	s.receive(5)
	s.grant(5)
	return s, w
}

func TestACompartmentHoldsOneOrderUntilItIsCollectedOrGivenUp(t *testing.T) {
	s, w := withWall(t)
	ctx := t.Context()
	held := func() []string {
		t.Helper()
		all, err := s.Compartments(ctx)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, name := range []string{"L0-1", "L0-2"} {
			if _, taken := all[name]; taken {
				names = append(names, name)
			}
		}
		return names
	}
	first, second := s.picked("AAAAAAAA"), s.picked("BBBBBBBB")
	if _, err := s.SetMode(ctx, "back", shopfloor.Staging, "", first); err != nil {
		t.Fatal(err)
	}
	if a := s.scan("back", "SHELF-L0-1"); a.Refusal != nil || a.Shelf != "L0-1" {
		t.Errorf("scan of a compartment = %+v", a)
	}
	if _, err := s.Stage(ctx, shopfloor.Cause{}, second, "L0-1"); !stock.Refused(err, stock.ShelfTaken) {
		t.Errorf("a compartment that is taken: %v", err)
	}
	if _, err := s.Stage(ctx, shopfloor.Cause{}, second, "SHELF-L0-2"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"L0-1", "L0-2"}, held()); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	if a := s.scan("till", "AAAAAAAA"); a.Refusal != nil {
		t.Fatalf("collect: %v", a.Refusal)
	}
	if _, err := s.Release(ctx, shopfloor.Cause{}, second, recordv1.ReleaseReason_RELEASE_REASON_STAFF); err != nil {
		t.Fatal(err)
	}
	if got := held(); len(got) != 0 {
		t.Errorf("%v are still held", got)
	}
	if diff := cmp.Diff([]string{"L0-1", "L0-2", "L0-1"}, w.opened); diff != "" {
		t.Errorf("doors (-want +got):\n%s", diff)
	}
}

func TestACompartmentOpensForNobodyElse(t *testing.T) {
	s, w := withWall(t)
	ctx := t.Context()
	waiting := s.accept("CCCCCCCC", 1)
	if _, err := s.Stage(ctx, shopfloor.Cause{}, [16]byte(waiting.Reservation), "L0-3"); !stock.Refused(err, stock.WrongState) {
		t.Errorf("an order of which nothing is picked: %v", err)
	}
	id := s.picked("AAAAAAAA")
	if _, err := s.Stage(ctx, shopfloor.Cause{}, id, "L0-1"); err != nil {
		t.Fatal(err)
	}
	w.opened = nil
	if a := s.scan("till", "AAAAAAAB"); code(a) == 0 {
		t.Errorf("another code = %+v", a)
	}
	if a := s.scan("till", "CCCCCCCC"); code(a) != stock.NotReady {
		t.Errorf("an order that is not ready = %+v", a)
	}
	if len(w.opened) != 0 {
		t.Errorf("doors %v were opened", w.opened)
	}
	cause := shopfloor.Cause{ID: s.id()}
	for range 2 {
		if _, err := s.Collect(ctx, cause, "AAAAAAAA"); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.opened) != 1 {
		t.Errorf("the same request opened %v", w.opened)
	}
}

func TestAnOrderBehindAStuckDoorIsNotHandedOver(t *testing.T) {
	s, w := withWall(t)
	id := s.picked("AAAAAAAA")
	w.stuck["L0-2"] = true
	if _, err := s.Stage(t.Context(), shopfloor.Cause{}, id, "L0-2"); !stock.Refused(err, stock.LockerDown) {
		t.Errorf("stage behind a stuck door: %v", err)
	}
	s.want("nothing was staged", map[ledger.Account]stock.Units{ledger.Picked: 1, ledger.Staged: 0})
	if _, err := s.Stage(t.Context(), shopfloor.Cause{}, id, "L0-1"); err != nil {
		t.Fatal(err)
	}
	w.stuck["L0-1"] = true
	if a := s.scan("till", "AAAAAAAA"); code(a) != stock.LockerDown {
		t.Errorf("collect = %+v", a)
	}
	s.want("it waits", map[ledger.Account]stock.Units{ledger.Staged: 1})
	w.stuck["L0-1"] = false
	if a := s.scan("till", "AAAAAAAA"); a.Refusal != nil {
		t.Errorf("collect after the door was freed: %v", a.Refusal)
	}
	s.want("handed over", map[ledger.Account]stock.Units{ledger.Staged: 0})
}

func TestAWeighedCodeIsReadByTheStoresOwnRules(t *testing.T) {
	rule := func(mask, measure, currency string) gtin.Rule {
		r, err := gtin.ParseRule(mask, measure, currency)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	s := furnish(&store{t: t, decoder: gtin.Decoder{
		Rules: []gtin.Rule{rule("27.....{NNDDD}", "weight", ""), rule("28.....{NNNDD}", "price", "EUR")}}})
	label := func(digits string) string {
		for check := range 10 {
			if text := digits + string(rune('0'+check)); valid(text) {
				return text
			}
		}
		return ""
	}
	for _, c := range []struct {
		name, label string
		units       stock.Units
		amount      int64
	}{
		{"by weight", label("270004200350"), 350, 452},
		{"by price", label("280004200451"), 350, 451},
	} {
		a := s.scan("till", c.label)
		if a.Refusal != nil || a.Units != c.units || a.Amount != c.amount || a.Product.GetSku() != uint32(cheese) {
			t.Errorf("%s: %s = %+v, want %d g for %d", c.name, c.label, a, c.units, c.amount)
		}
	}
	usual := open(t)
	if a := usual.scan("till", label("280004200451")); a.Refusal == nil {
		t.Errorf("a shop without that rule sells %+v", a)
	}
	a, _, err := s.Scan(t.Context(), "till", shopfloor.Scan{ID: s.id(), Data: []byte(cheeseGTIN), Units: 350, Amount: 455})
	if err != nil || a.Amount != 455 {
		t.Errorf("what the scale asks for = %+v, %v; want 455", a, err)
	}
}

func valid(digits string) bool {
	_, err := gtin.Parse(digits)
	return err == nil
}

func TestAStuckDoorIsSomethingForAPersonOnce(t *testing.T) {
	s, w := withWall(t)
	w.stuck["L0-2"] = true
	id := s.picked("AAAAAAAA")
	items := func(done bool) (kinds []string) {
		err := s.View(t.Context(), func(tx *journal.Tx) error {
			all, err := books.Items(tx, books.ItemQuery{Store: 7, Done: done})
			for _, i := range all {
				kinds = append(kinds, i.Kind+" "+i.Detail)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return kinds
	}
	for range 2 {
		if _, err := s.Stage(t.Context(), shopfloor.Cause{}, id, "L0-2"); !stock.Refused(err, stock.LockerDown) {
			t.Errorf("a stuck door: %v", err)
		}
	}
	if diff := cmp.Diff([]string{"locker L0-2"}, items(false)); diff != "" {
		t.Error(diff)
	}
	_, err := s.HandleItem(t.Context(), shopfloor.Cause{}, &recordv1.HandleItem{Seq: s.Head().Seq, Number: 1,
		Progress: recordv1.ItemProgress_ITEM_PROGRESS_DONE})
	if err != nil || len(items(false)) > 0 {
		t.Errorf("dealt with: %v %v", err, items(false))
	}
	if err := s.OpenDoor(t.Context(), "L0-2"); err == nil || len(items(false)) != 1 || len(items(true)) != 2 {
		t.Errorf("stuck again: %v, %v", err, items(true))
	}
}
