package history_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/chaos/history"
	shopv1 "holdfast.dev/proto/shop/v1"
)

// at is when something began and ended, in ms.
func at(client, start, end int) history.Span {
	return history.Span{Client: client, Start: time.Duration(start) * time.Millisecond,
		End: time.Duration(end) * time.Millisecond}
}

func pool(s history.Span, v history.Verb, id string, n int32, o history.Outcome) history.PoolOp {
	return history.PoolOp{Span: s, Verb: v, ID: id, Units: history.Units{n}, Outcome: o}
}

// Verbs and outcomes, short enough for tables.
const (
	hold, reserve, confirm, release = history.Hold, history.Reserve, history.Confirm, history.Release
	ok, short, unknown              = history.OK, history.Short, history.Unknown
)

func TestLegalShelvesAreExplained(t *testing.T) {
	for name, ops := range map[string][]history.PoolOp{
		"nothing happened": nil,
		"the last unit": {pool(at(1, 0, 9), reserve, "a", 1, ok), pool(at(2, 1, 9), reserve, "b", 1, ok),
			pool(at(3, 2, 9), reserve, "c", 1, short)},
		"a released unit is free": {pool(at(1, 0, 1), hold, "a", 2, ok),
			pool(at(1, 2, 3), release, "a", 2, ok), pool(at(2, 4, 5), reserve, "b", 2, ok)},
		"refused while a release is under way": {pool(at(1, 0, 1), hold, "a", 2, ok),
			pool(at(1, 2, 9), release, "a", 2, ok), pool(at(2, 3, 8), reserve, "b", 1, short)},
		"unheard, and it had its effect": {pool(at(1, 0, 1), reserve, "a", 2, unknown),
			pool(at(2, 2, 3), reserve, "b", 1, short)},
		"unheard, and it had none": {pool(at(1, 0, 1), reserve, "a", 2, unknown),
			pool(at(2, 2, 3), reserve, "b", 2, ok)},
		"unheard, and it came late": {pool(at(1, 0, 1), reserve, "a", 2, unknown),
			pool(at(2, 2, 3), hold, "b", 2, ok), pool(at(2, 4, 5), release, "b", 2, ok),
			pool(at(2, 6, 7), hold, "c", 1, short)},
		"the same request again": {pool(at(1, 0, 1), reserve, "a", 2, ok),
			pool(at(1, 2, 3), reserve, "a", 2, ok)},
		"too late to confirm": {pool(at(1, 0, 1), hold, "a", 1, ok), pool(at(1, 2, 3), release, "a", 1, ok),
			pool(at(1, 4, 5), confirm, "a", 1, history.HoldExpired)},
		"too late to release": {pool(at(1, 0, 1), hold, "a", 1, ok), pool(at(1, 2, 3), confirm, "a", 1, ok),
			pool(at(1, 4, 5), release, "a", 1, history.WrongState)},
		"both or none": {{Span: at(1, 0, 1), Verb: hold, ID: "a", Units: history.Units{1, 5}, Outcome: short},
			{Span: at(1, 2, 3), Verb: hold, ID: "b", Units: history.Units{2, 0}, Outcome: ok}},
	} {
		t.Run(name, func(t *testing.T) {
			v := history.CheckShelf(name, history.Units{2, 2}, ops)
			if v.Wrong != "" {
				t.Errorf("refused: %s\n%s", v.Wrong, strings.Join(v.Shortest, "\n"))
			}
		})
	}
}

// What the checker is for: each of these must be refused, by the operations
// that matter and no others.
func TestBrokenShelvesAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		ops  []history.PoolOp
		left int // operations of the shortest history
	}{
		"oversold": {[]history.PoolOp{pool(at(1, 0, 5), reserve, "a", 2, ok),
			pool(at(3, 0, 9), reserve, "x", 3, short), pool(at(2, 1, 6), reserve, "b", 1, ok)}, 2},
		"short with units free": {[]history.PoolOp{pool(at(1, 0, 1), hold, "a", 1, ok),
			pool(at(2, 2, 3), reserve, "b", 1, short)}, 2},
		"a release that gave nothing back": {[]history.PoolOp{pool(at(1, 0, 1), hold, "a", 2, ok),
			pool(at(1, 2, 3), release, "a", 2, ok), pool(at(2, 4, 5), reserve, "b", 2, short)}, 3},
		"a release that gave back twice": {[]history.PoolOp{pool(at(1, 0, 1), hold, "a", 1, ok),
			pool(at(2, 0, 1), hold, "b", 1, ok), pool(at(1, 2, 3), release, "a", 1, ok),
			pool(at(1, 4, 5), release, "a", 1, ok), pool(at(3, 6, 7), reserve, "c", 2, ok)}, 5},
		"a confirmed hold that was lost": {[]history.PoolOp{pool(at(1, 0, 1), hold, "a", 2, ok),
			pool(at(1, 2, 3), confirm, "a", 2, ok), pool(at(2, 4, 5), reserve, "b", 1, ok)}, 3},
		"a repeat that was refused": {[]history.PoolOp{pool(at(1, 0, 1), reserve, "a", 2, ok),
			pool(at(1, 2, 3), reserve, "a", 2, short)}, 2},
		"a hold that was forgotten": {[]history.PoolOp{pool(at(1, 0, 1), hold, "a", 1, ok),
			pool(at(1, 2, 3), confirm, "a", 1, history.UnknownHold)}, 2},
		"confirmed and released": {[]history.PoolOp{pool(at(1, 0, 1), hold, "a", 1, ok),
			pool(at(1, 2, 9), confirm, "a", 1, ok), pool(at(2, 2, 9), release, "a", 1, ok)}, 3},
		"seen before it was done": {[]history.PoolOp{pool(at(2, 0, 1), reserve, "b", 1, short),
			pool(at(1, 2, 3), reserve, "a", 2, ok)}, 1},
		"half of a cart": {[]history.PoolOp{
			{Span: at(1, 0, 1), Verb: hold, ID: "a", Units: history.Units{1, 5}, Outcome: ok}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			v := history.CheckShelf(name, history.Units{2, 2}, test.ops)
			if v.Wrong == "" {
				t.Fatal("a broken history was explained")
			}
			if len(v.Shortest) != test.left {
				t.Errorf("want %d operations, got %q", test.left, v.Shortest)
			}
		})
	}
}

func TestALostUnitIsFoundInALongHistory(t *testing.T) {
	ops := longHistory(400, -1)
	if v := history.CheckShelf("long", history.Units{5, 5}, ops); v.Wrong != "" {
		t.Fatalf("%s\n%s", v.Wrong, strings.Join(v.Shortest, "\n"))
	}
	broken := longHistory(400, 200)
	v := history.CheckShelf("long", history.Units{5, 5}, broken)
	if v.Wrong == "" {
		t.Fatal("a unit was handed out twice, and nobody noticed")
	}
	page := filepath.Join(t.TempDir(), "history.html")
	if err := v.Draw(page); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(page); err != nil || info.Size() == 0 {
		t.Errorf("the page of %s: %v", v.Name, err)
	}
}

// longHistory is what clients hear of a true counter that from its nth step on
// has one unit too many.
func longHistory(n, wrongFrom int) (ops []history.PoolOp) {
	r := rand.New(rand.NewPCG(5, 6))
	free := int32(5)
	var holds []string
	for i := range n {
		if i == wrongFrom {
			free++
		}
		span := at(r.IntN(4), 2*i, 2*i+3) // each overlaps with the next one
		if len(holds) > 0 && r.IntN(3) == 0 {
			ops = append(ops, pool(span, release, holds[0], 1, ok))
			free, holds = free+1, holds[1:]
			continue
		}
		id := fmt.Sprint(i)
		if free == 0 {
			ops = append(ops, pool(span, hold, id, 1, short))
			continue
		}
		ops = append(ops, pool(span, hold, id, 1, ok))
		free, holds = free-1, append(holds, id)
	}
	return ops
}

const (
	promisedState = shopv1.ReservationState_CONFIRMED
	accepted      = shopv1.ReservationState_ACCEPTED
	ready         = shopv1.ReservationState_READY
	collected     = shopv1.ReservationState_COLLECTED
	cancelled     = shopv1.ReservationState_CANCELLED
)

func life(s history.Span, v history.Verb, state history.State, asked bool) history.LifeOp {
	return history.LifeOp{Span: s, Verb: v, Outcome: ok, State: state, CancelAsked: asked}
}

func no(s history.Span, v history.Verb, o history.Outcome) history.LifeOp {
	return history.LifeOp{Span: s, Verb: v, Outcome: o}
}

func TestLegalLivesAreExplained(t *testing.T) {
	promised := life(at(1, 0, 5), history.Promise, promisedState, false)
	for name, ops := range map[string][]history.LifeOp{
		"a whole life": {promised, life(at(2, 6, 7), history.Look, accepted, false),
			life(at(2, 8, 9), history.Look, ready, false), life(at(3, 10, 11), history.Look, collected, false)},
		"two look at once": {promised, life(at(2, 6, 20), history.Look, promisedState, false),
			life(at(3, 7, 8), history.Look, accepted, false)},
		"a cancel that nobody heard of": {promised, no(at(2, 6, 7), history.Cancel, unknown),
			life(at(3, 8, 9), history.Look, accepted, false), life(at(3, 30, 31), history.Look, cancelled, true)},
		"too late to cancel": {promised, no(at(2, 6, 7), history.Cancel, history.Finished),
			life(at(3, 8, 9), history.Look, collected, false)},
	} {
		t.Run(name, func(t *testing.T) {
			if v := history.CheckLife(name, ops); v.Wrong != "" {
				t.Errorf("refused: %s\n%s", v.Wrong, strings.Join(v.Shortest, "\n"))
			}
		})
	}
}

func TestBrokenLivesAreRefused(t *testing.T) {
	promised := life(at(1, 0, 5), history.Promise, promisedState, false)
	for name, ops := range map[string][]history.LifeOp{
		"promised and not seen": {promised, no(at(2, 6, 7), history.Look, history.Missing)},
		"seen, then not": {promised, life(at(2, 1, 6), history.Look, promisedState, false),
			no(at(2, 7, 8), history.Look, history.Missing)},
		"back to the beginning": {promised, life(at(2, 6, 7), history.Look, accepted, false),
			life(at(3, 8, 9), history.Look, promisedState, false)},
		"alive again": {promised, life(at(2, 6, 7), history.Look, cancelled, false),
			life(at(3, 8, 9), history.Look, collected, false)},
		"ended, and then not": {promised, no(at(2, 6, 7), history.Cancel, history.Finished),
			life(at(3, 8, 9), history.Look, ready, false)},
		"a cancel that was lost": {promised, life(at(2, 6, 7), history.Cancel, promisedState, true),
			life(at(3, 8, 9), history.Look, accepted, false)},
		"a cancel that nobody asked for": {promised, life(at(3, 8, 9), history.Look, accepted, true)},
	} {
		t.Run(name, func(t *testing.T) {
			v := history.CheckLife(name, ops)
			if v.Wrong == "" || len(v.Shortest) == 0 {
				t.Errorf("a broken life was explained: %+v", v)
			}
		})
	}
}
