package history

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	shopv1 "holdfast.dev/proto/shop/v1"
)

// State is how a reservation stands, as a shopper sees it.
type State = shopv1.ReservationState

// LifeOp is one request about a reservation. State and CancelAsked count when
// the outcome is OK.
type LifeOp struct {
	Span
	Verb        Verb    `json:"verb"`
	Outcome     Outcome `json:"outcome"`
	State       State   `json:"state"`
	CancelAsked bool    `json:"cancel_asked"`
}

// CheckLife holds what clients were told of one reservation against a life that
// only goes on: promised, then seen by everybody, never less than was seen
// before, and ended once. What the store does with it happens unseen.
func CheckLife(name string, ops []LifeOp) Verdict {
	all := make([]porcupine.Operation, 0, len(ops))
	for _, op := range ops {
		if op.Outcome == Unknown && op.Verb != Cancel {
			continue // nothing was seen
		}
		told := lifeTold{op.Outcome, op.State, op.CancelAsked}
		all = append(all, operation(op.Span, op.Verb, told, op.Outcome == Unknown))
	}
	return judge(name, lifeModel.ToModel(), all, doubtLife)
}

func doubtLife(op porcupine.Operation) (porcupine.Operation, bool) {
	told := op.Output.(lifeTold)
	if told.outcome != OK && told.outcome != Unknown || op.Input.(Verb) == Look {
		return op, true
	}
	if op.Input.(Verb) == Promise {
		return op, false // nobody can see it before it has a name
	}
	op.Return, op.Output = forever, lifeTold{outcome: Unknown}
	return op, false
}

type lifeTold struct {
	outcome     Outcome
	state       State
	cancelAsked bool
}

// life is a reservation between two operations. It can be compared.
type life struct {
	state       State // zero: not promised yet
	ended       bool  // it was told that it has ended, perhaps not how
	cancelAsked bool
}

func final(s State) bool { return s >= shopv1.ReservationState_COLLECTED }

var lifeModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{life{}} },
	Step: func(state, input, output any) []any {
		return state.(life).step(input.(Verb), output.(lifeTold))
	},
	Equal: func(a, b any) bool { return a.(life) == b.(life) },
	DescribeOperation: func(input, output any) string {
		t := output.(lifeTold)
		if t.outcome != OK {
			return fmt.Sprintf("%s: %s", input, t.outcome)
		}
		return fmt.Sprintf("%s: %s, cancel asked: %t", input, t.state, t.cancelAsked)
	},
	DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
}

func (l life) step(v Verb, t lifeTold) []any {
	switch {
	case t.outcome == Unknown: // of a cancel
		asked := l
		asked.cancelAsked = true
		if l.cancelAsked || l.state == 0 {
			return []any{l}
		}
		return []any{l, asked}
	case t.outcome == Missing:
		if l.state == 0 {
			return []any{l}
		}
		return nil
	case t.outcome == Finished:
		if l.state == 0 {
			return nil
		}
		l.ended = true
		return []any{l}
	}
	if v == Promise && l.state == 0 {
		l.state = shopv1.ReservationState_CONFIRMED
	}
	if v == Cancel {
		l.cancelAsked = true
	}
	return l.see(t)
}

// see goes on to what was seen, if that is not going back.
func (l life) see(t lifeTold) []any {
	switch {
	case l.state == 0, t.state < l.state, l.cancelAsked != t.cancelAsked:
		return nil
	case final(l.state) && t.state != l.state, l.ended && !final(t.state):
		return nil
	}
	l.state = t.state
	return []any{l}
}
