// Package reservation holds the states of a hold and of a reservation as
// tables: which step is possible where, and what it does to the units.
package reservation

import "holdfast.dev/stock"

// Part says where units of a reservation line are.
type Part uint8

// Parts of a line. The last three are final.
const (
	Reserved  Part = 1 + iota // on the shelf
	Picked                    // taken from the shelf
	Staged                    // in the pickup area
	Collected                 // handed over
	Released                  // given up
	Short                     // promised and not delivered
	numParts  = int(Short) + 1
)

// Line is one line of a reservation: how many units are where.
type Line struct {
	Line     uint32
	SKU      stock.SKU
	Quantity stock.Units
	parts    [numParts]stock.Units
}

// NewLine is a line whose units are all reserved.
func NewLine(line uint32, sku stock.SKU, quantity stock.Units) Line {
	l := Line{Line: line, SKU: sku, Quantity: quantity}
	l.parts[Reserved] = quantity
	return l
}

// LoadLine is a line as it was saved; at gives the units of each part.
func LoadLine(line uint32, sku stock.SKU, quantity stock.Units, at func(Part) stock.Units) Line {
	l := Line{Line: line, SKU: sku, Quantity: quantity}
	for p := Reserved; p <= Short; p++ {
		l.parts[p] = at(p)
	}
	return l
}

// At is how many units of the line are at p.
func (l Line) At(p Part) stock.Units { return l.parts[p] }

// Open is how many units are not finished.
func (l Line) Open() stock.Units {
	return l.parts[Reserved] + l.parts[Picked] + l.parts[Staged]
}

// Step is what happens to units of a line.
type Step uint8

// Steps.
const (
	Pick Step = 1 + iota
	Unpick
	Stage
	Unstage
	Collect
	Release
	RunShort // not found
	GiveAway // given to somebody else, or to cover debt
)

var stepNames = [...]string{"", "pick", "unpick", "stage", "unstage", "collect", "release",
	"run short", "give away"}

// String gives the step's name for refusals.
func (s Step) String() string { return stepNames[s] }

// steps lists from which parts a step takes units, first to last, and where
// they go.
var steps = map[Step]struct {
	from []Part
	to   Part
}{
	Pick:     {[]Part{Reserved}, Picked},
	Unpick:   {[]Part{Picked}, Reserved},
	Stage:    {[]Part{Picked}, Staged},
	Unstage:  {[]Part{Staged}, Picked},
	Collect:  {[]Part{Staged, Picked, Reserved}, Collected},
	Release:  {[]Part{Reserved, Picked, Staged}, Released},
	RunShort: {[]Part{Reserved, Picked, Staged}, Short},
	GiveAway: {[]Part{Reserved}, Short},
}

// Move is units of a line going from one part to another.
type Move struct {
	From, To Part
	Units    stock.Units
}

// Do returns the line after n units took the step, and the moves, or a refusal.
func (l Line) Do(s Step, n stock.Units) (Line, []Move, error) {
	step, ok := steps[s]
	if !ok {
		return l, nil, stock.Refuse(stock.WrongState, "step %d", s)
	}
	if n <= 0 {
		return l, nil, stock.Refuse(stock.BadUnits, "%s %d units", s, n)
	}
	moves := make([]Move, 0, len(step.from))
	left := n
	for _, from := range step.from {
		k := min(left, l.parts[from])
		if k <= 0 {
			continue
		}
		l.parts[from] -= k
		l.parts[step.to] += k
		left -= k
		moves = append(moves, Move{From: from, To: step.to, Units: k})
	}
	if left > 0 {
		return l, nil, stock.Refuse(stock.LineComplete, "%s %d units of line %d: %d too many",
			s, n, l.Line, left)
	}
	return l, moves, nil
}

// State is how far a reservation is, derived from its lines.
type State uint8

// States. From AllCollected on they are final.
const (
	New          State = 1 + iota // known to the store, nothing picked
	Picking                       // some units picked
	AllPicked                     // nothing is left on the shelf, not all staged
	Ready                         // every open unit is staged
	AllCollected                  // everything was handed over
	AllReleased                   // everything was given up
	AllShort                      // nothing could be delivered
	Mixed                         // finished, in several ways
)

var stateNames = [...]string{"", "new", "picking", "picked", "ready", "collected", "released",
	"short", "mixed"}

// String gives the word used in APIs and pages.
func (s State) String() string { return stateNames[s] }

// Final tells whether the reservation has ended. Final is for ever.
func (s State) Final() bool { return s >= AllCollected }

// StateOf derives the state of a reservation from its lines.
func StateOf(lines []Line) State {
	var at [numParts]stock.Units
	for _, l := range lines {
		for p := Reserved; p <= Short; p++ {
			at[p] += l.parts[p]
		}
	}
	open := at[Reserved] + at[Picked] + at[Staged]
	switch {
	case open > 0 && at[Staged] == open:
		return Ready
	case open > 0 && at[Reserved] == 0:
		return AllPicked
	case open > 0 && at[Picked]+at[Staged] > 0:
		return Picking
	case open > 0:
		return New
	case at[Released] == 0 && at[Short] == 0:
		return AllCollected
	case at[Collected] == 0 && at[Short] == 0:
		return AllReleased
	case at[Collected] == 0 && at[Released] == 0:
		return AllShort
	}
	return Mixed
}

// HoldState is the state of a cart's claim.
type HoldState uint8

// States of a hold.
const (
	Held HoldState = 1 + iota
	Confirmed
	Freed
)

// HoldStep is what can happen to a hold.
type HoldStep uint8

// Steps of a hold.
const (
	Confirm HoldStep = 1 + iota
	Free
	Expire
)

var holdNext = map[HoldState]map[HoldStep]HoldState{
	Held: {Confirm: Confirmed, Free: Freed, Expire: Freed},
}

// NextHold returns the hold's state after a step, or a refusal.
func NextHold(s HoldState, step HoldStep) (HoldState, error) {
	next, ok := holdNext[s][step]
	if !ok {
		return s, stock.Refuse(stock.HoldExpired, "hold in state %d, step %d", s, step)
	}
	return next, nil
}
