package history

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// Verb is what a client asks of a pool or of a reservation.
type Verb string

// Verbs. The first four move units of a pool.
const (
	Hold    Verb = "hold"
	Reserve Verb = "reserve"
	Confirm Verb = "confirm"
	Release Verb = "release"

	Promise Verb = "promise" // the answer that named the reservation
	Look    Verb = "look"
	Cancel  Verb = "cancel"
)

// Units are how many of each of a shelf's two products.
type Units [2]int32

func (u Units) minus(v Units) Units { return Units{u[0] - v[0], u[1] - v[1]} }
func (u Units) plus(v Units) Units  { return Units{u[0] + v[0], u[1] + v[1]} }
func (u Units) covers(v Units) bool { return u[0] >= v[0] && u[1] >= v[1] }

// PoolOp is one request about a shelf's units. All tries with the same id, up
// to the first that was answered with OK, are one operation; a try that was
// answered otherwise is one by itself.
type PoolOp struct {
	Span
	Verb    Verb    `json:"verb"`
	ID      string  `json:"id"` // of the hold, or of the request to reserve
	Units   Units   `json:"units"`
	Outcome Outcome `json:"outcome"`
}

// CheckShelf holds what clients were told about two products of a store that
// nobody else draws on against one exact counter of each. free is what there
// was at first.
func CheckShelf(name string, free Units, ops []PoolOp) Verdict {
	numbers := make(map[string]int)
	all := make([]porcupine.Operation, 0, len(ops))
	for _, op := range ops {
		n, known := numbers[op.ID]
		if !known {
			n = len(numbers)
			numbers[op.ID] = n
		}
		all = append(all, operation(op.Span, poolCall{op.Verb, n, op.Units}, op.Outcome,
			op.Outcome == Unknown))
	}
	return judge(name, poolModel(free, len(numbers)), all, doubtPool)
}

func doubtPool(op porcupine.Operation) (porcupine.Operation, bool) {
	switch op.Output.(Outcome) {
	case OK, Unknown:
		op.Return, op.Output = forever, Unknown
		return op, false
	}
	return op, true // a refusal changes nothing
}

type poolCall struct {
	verb  Verb
	id    int
	units Units
}

// marks of an id: what became of it.
const (
	none      = byte('-')
	held      = byte('h')
	freed     = byte('f')
	confirmed = byte('c')
)

// poolState is a shelf between two operations. It can be compared.
type poolState struct {
	free  Units
	marks string // by number of the id
}

func (s poolState) with(id int, mark byte, free Units) poolState {
	b := []byte(s.marks)
	b[id] = mark
	return poolState{free: free, marks: string(b)}
}

func poolModel(free Units, ids int) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{poolState{free, string(slices.Repeat([]byte{none}, ids))}} },
		Step: func(state, input, output any) []any {
			s, call := state.(poolState), input.(poolCall)
			next, told := s.step(call)
			switch output.(Outcome) {
			case Unknown:
				if next != s {
					return []any{s, next}
				}
				return []any{s}
			case told:
				return []any{next}
			}
			return nil
		},
		Equal: func(a, b any) bool { return a.(poolState) == b.(poolState) },
		DescribeOperation: func(input, output any) string {
			c := input.(poolCall)
			return fmt.Sprintf("%s %d of %v: %s", c.verb, c.id, c.units, output)
		},
		DescribeState: func(state any) string {
			s := state.(poolState)
			return fmt.Sprintf("%v free, %s", s.free, s.marks)
		},
	}
	return m.ToModel()
}

// step is the whole rule: what a request leads to, and what its caller is told.
func (s poolState) step(c poolCall) (poolState, Outcome) {
	mark := s.marks[c.id]
	switch c.verb {
	case Hold, Reserve:
		return s.take(c, mark)
	case Confirm:
		switch mark {
		case held:
			return s.with(c.id, confirmed, s.free), OK
		case confirmed:
			return s, OK // the same request again
		case freed:
			return s, HoldExpired
		}
	case Release:
		switch mark {
		case held:
			return s.with(c.id, freed, s.free.plus(c.units)), OK
		case freed:
			return s, OK
		case confirmed:
			return s, WrongState
		}
	}
	return s, UnknownHold
}

func (s poolState) take(c poolCall, mark byte) (poolState, Outcome) {
	switch {
	case mark == freed:
		return s, HoldExpired
	case mark != none:
		return s, OK // the same request again
	case !s.free.covers(c.units):
		return s, Short
	case c.verb == Reserve:
		return s.with(c.id, confirmed, s.free.minus(c.units)), OK
	}
	return s.with(c.id, held, s.free.minus(c.units)), OK
}
