package model

import (
	"flag"
	"testing"
	"time"
)

// The bounds of the walks: small ones for every commit, full ones for the proof
// in PROOF.md, long ones that take as long as they are given.
var (
	long   = flag.Bool("long", false, "walk the long bounds")
	states = flag.Int("states", 20_000_000, "how many states a long walk may have")
)

type size uint8

const (
	small size = iota
	full
	larger
)

func sizeOf() size {
	switch {
	case *long:
		return larger
	case testing.Short(), raceDetector:
		return small
	}
	return full
}

// scenarios lists what may go wrong together. What may happen once can happen
// at any moment.
func scenarios(sz size) []Scenario {
	all := []Scenario{
		{Name: "day", Can: Cancelling | Returning | Borrowing | Bumping | LateTargets},
		{Name: "day of two units", Can: Cancelling | Returning | Borrowing | LateTargets,
			Quantities: []int8{2, 1}},
		{Name: "day of three orders", Can: Cancelling | Returning, Quantities: []int8{1, 1, 1}},
		{Name: "pick and miss", Can: Cancelling | Picking | Shrinking | Counting},
		{Name: "surplus", Can: Borrowing | Bumping | Surplus | Shrinking | Counting | Returning},
		{Name: "void", Can: Voiding | Cancelling | Returning},
		{Name: "void of two units", Can: Voiding | Cancelling, Quantities: []int8{2, 1}},
		{Name: "void and rebuild", Can: Voiding | Dying | Salvaging},
		{Name: "rebuild", Can: Dying | Salvaging | Resubmitting | Returning | Cancelling},
		{Name: "rebuild and borrow", Can: Dying | Salvaging | Resubmitting | Borrowing | Bumping},
		{Name: "rebuild and count", Can: Dying | Salvaging | Resubmitting | Shrinking | Counting},
		{Name: "rebuild and pick", Can: Dying | Salvaging | Picking},
		{Name: "rebuild and surplus", Can: Dying | Salvaging | Surplus | Borrowing | Counting},
		{Name: "rebuild and receive", Can: Dying | Salvaging | Resubmitting | Receiving},
		{Name: "rebuild of two units", Can: Dying | Salvaging | Resubmitting, Quantities: []int8{2, 1}},
		{Name: "fast forward", Can: Restoring | Salvaging | Resubmitting | Returning | Cancelling},
		{Name: "fast forward and borrow",
			Can: Restoring | Salvaging | Resubmitting | Borrowing | Bumping | Counting},
		{Name: "abandon", Can: Abandoning | Dying | Salvaging | Cancelling},
		{Name: "timeline", Can: NewTimeline | Returning | Cancelling},
		{Name: "timeline of two units", Can: NewTimeline, Quantities: []int8{2, 1}},
		{Name: "timeline and borrow", Can: NewTimeline | Borrowing | Bumping},
		{Name: "timeline and rebuild", Can: NewTimeline | Dying | Salvaging},
		{Name: "both tails", Can: NewTimeline | Dying | Salvaging | BothTails},
	}
	for i := range all {
		all[i].bound(sz)
	}
	return all
}

// bound says how often what may happen. The heaviest walks have one reservation
// where the others have two.
func (sc *Scenario) bound(sz size) {
	heavy := sc.can(Dying|Restoring|Abandoning) && sc.Quantities == nil
	switch {
	case sc.Quantities != nil:
		sc.Units, sc.Grants = 3, 3
	case heavy && (sz == small || sc.can(NewTimeline) && sz == full):
		sc.Quantities, sc.Units, sc.Grants = []int8{1}, 2, 2
	default:
		sc.Quantities, sc.Units, sc.Grants = []int8{1, 1}, 2, 2
	}
	sc.Sales, sc.Hands, sc.Returns, sc.Tail, sc.Directives = 1, 2, 1, 3, 4
	if sc.Can&(Surplus|Borrowing) != 0 && sz > small {
		sc.Sales = 2
	}
	if sz == small {
		sc.Tail, sc.Directives = 2, 3
	}
	if sz == larger {
		sc.Tail, sc.Directives, sc.Units, sc.Sales = 4, 5, sc.Units+1, 2
	}
}

func TestNothingGoesWrong(t *testing.T) {
	for _, sc := range scenarios(sizeOf()) {
		t.Run(sc.Name, func(t *testing.T) {
			begun := time.Now()
			r := Explore(sc, boundsOf())
			judge(t, r, begun)
		})
	}
}

func TestNoIncarnationGoesWrong(t *testing.T) {
	all := []History{
		{Name: "replaced", Replaces: true, Sales: 3},
		{Name: "restored", Restores: true, Sales: 3},
		{Name: "replaced, cloud restored", Replaces: true, Bumps: true, Sales: 3},
		{Name: "restored, cloud restored", Restores: true, Bumps: true, Sales: 3},
		{Name: "all", Replaces: true, Restores: true, Bumps: true, Sales: 3},
	}
	for _, sc := range all {
		if sc.Restores && sc.Replaces { // the two multiply
			sc.Sales = int8(1 + sizeOf())
		}
		t.Run(sc.Name, func(t *testing.T) {
			begun := time.Now()
			judge(t, ExploreIncarnations(sc, boundsOf()), begun)
		})
	}
}

func boundsOf() Bounds {
	if *long {
		return Bounds{States: *states}
	}
	return Bounds{}
}

// judge fails a walk that found something, or that was to see everything and did not.
func judge(t *testing.T, r Report, begun time.Time) {
	t.Helper()
	t.Logf("%v, %v", r, time.Since(begun).Round(time.Millisecond))
	if r.Wrong != "" {
		t.Errorf("%s", r.Wrong)
		for _, line := range r.Trace {
			t.Log(line)
		}
	}
	if !r.Exhausted && !*long && r.Wrong == "" {
		t.Error("there are states that were not seen")
	}
}
