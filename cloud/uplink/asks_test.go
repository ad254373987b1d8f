package uplink

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
)

type pools = map[stock.SKU]escrow.Pool

// targets gives what a round asks for, by SKU.
func targets(wants []*uplinkv1.Want) map[uint32]int64 {
	all := map[uint32]int64{}
	for _, w := range wants {
		all[w.GetSku()] = w.GetTarget()
	}
	return all
}

func (a *Asks) look(p pools) ([]*uplinkv1.Want, []*Ask) {
	a.Begin()
	return a.Round(p, 1)
}

func TestNeedsOfAllCartsAreSummed(t *testing.T) {
	var a Asks
	first := a.Add([]Need{{1, 2}, {2, 1}})
	second := a.Add([]Need{{1, 3}})
	wants, done := a.look(pools{1: {Granted: 10, Assigned: 9}})
	if diff := cmp.Diff(map[uint32]int64{1: 14, 2: 1}, targets(wants)); diff != "" || len(done) > 0 {
		t.Fatalf("done %d, wants -want +got\n%s", len(done), diff)
	}
	if wants, _ := a.look(pools{1: {Granted: 10, Assigned: 9}}); len(wants) > 0 {
		t.Errorf("asks again for %v", targets(wants))
	}
	third := a.Add([]Need{{1, 1}})
	wants, _ = a.look(pools{1: {Granted: 10, Assigned: 9}})
	if diff := cmp.Diff(map[uint32]int64{1: 15}, targets(wants)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// Enough for the second cart, but the first one came before it.
	if _, done := a.look(pools{1: {Granted: 12, Assigned: 9}}); len(done) > 0 {
		t.Error("a later cart was served before an earlier one")
	}
	_, done = a.look(pools{1: {Granted: 14, Assigned: 9}, 2: {Granted: 1}})
	if diff := cmp.Diff([]*Ask{first, second}, done, cmp.Comparer(same)); diff != "" {
		t.Errorf("done -want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[uint32]int64{1: 14, 2: 1}, first.granted); diff != "" || first.err != nil {
		t.Errorf("granted -want +got\n%s, %v", diff, first.err)
	}
	a.Drop(third)
	if got := a.Begin(); len(got) > 0 || len(a.asked) > 0 {
		t.Errorf("still waits for %v", got)
	}
}

func same(a, b *Ask) bool { return a == b }

func TestNoOfTheStoreEndsOnlyWhatItMeans(t *testing.T) {
	var a Asks
	small := a.Add([]Need{{1, 2}})
	large := a.Add([]Need{{1, 5}})
	wants, _ := a.look(pools{})
	old := wants[0]
	// The store grants three of seven; the grant itself is still on its way.
	a.Answer([]*uplinkv1.Got{{Request: old.Request, Sku: 1, Total: 3}})
	// Nobody is told no before it is there: the no says how many are available.
	if _, done := a.look(pools{}); len(done) > 0 {
		t.Fatalf("done %v before the grant", done)
	}
	_, done := a.look(pools{1: {Granted: 3}})
	if diff := cmp.Diff([]*Ask{small, large}, done, cmp.Comparer(same)); diff != "" {
		t.Fatalf("done -want +got\n%s", diff)
	}
	if r, ok := stock.AsRefusal(large.err); small.err != nil || !ok || r.Code != stock.Short || r.Args["available"] != "3" {
		t.Errorf("the small cart got %v, the large one %v", small.err, large.err)
	}
}

func TestAnswerToAnOlderQuestionDoesNotCount(t *testing.T) {
	var a Asks
	a.Add([]Need{{1, 1}})
	first, _ := a.look(pools{})
	a.Add([]Need{{1, 1}})
	second, _ := a.look(pools{})
	a.Answer([]*uplinkv1.Got{{Request: first[0].Request, Sku: 1, Total: 0}, {Request: []byte("x"), Sku: 1}})
	if _, done := a.look(pools{}); len(done) > 0 {
		t.Error("an answer to less than what is asked now has ended a wait")
	}
	a.Answer([]*uplinkv1.Got{{Request: second[0].Request, Sku: 1, Total: 0}})
	if _, done := a.look(pools{}); len(done) != 2 {
		t.Errorf("%d waits ended, want 2", len(done))
	}
}

func TestCartThatCameDuringALookWaitsForTheNext(t *testing.T) {
	var a Asks
	a.Add([]Need{{1, 1}})
	a.Begin()
	late := a.Add([]Need{{2, 1}})
	wants, _ := a.Round(pools{}, 1)
	if diff := cmp.Diff(map[uint32]int64{1: 1}, targets(wants)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if _, done := a.look(pools{2: {Granted: 1}}); len(done) != 1 || done[0] != late {
		t.Errorf("done %v", done)
	}
}

func TestStoreThatGoesEndsAllWaiting(t *testing.T) {
	var a Asks
	a.Add([]Need{{1, 1}})
	a.Add([]Need{{2, 1}})
	gone := stock.Refuse(stock.Offline, "gone")
	for _, ask := range a.Fail(gone) {
		if ask.err != error(gone) {
			t.Errorf("err is %v", ask.err)
		}
	}
	if len(a.waiting) > 0 {
		t.Errorf("%d still wait", len(a.waiting))
	}
}
