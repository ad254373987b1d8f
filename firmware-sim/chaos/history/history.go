// Package history holds what clients were told against what may be true: that a
// store's pool counted every unit once, and that no reservation's life went
// backwards.
package history

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Outcome is what a client was told.
type Outcome string

// Outcomes. After Unknown the request may have had its effect, may yet have
// it, or never.
const (
	OK          Outcome = "ok"
	Short       Outcome = "SHORT"
	UnknownHold Outcome = "UNKNOWN_HOLD"
	HoldExpired Outcome = "HOLD_EXPIRED"
	WrongState  Outcome = "WRONG_STATE"
	Missing     Outcome = "UNKNOWN_RESERVATION"
	Finished    Outcome = "ALREADY_FINISHED" // collected counts as finished
	Unknown     Outcome = "unknown"
)

// Span says who asked, and when, since the run began.
type Span struct {
	Client int           `json:"client"`
	Member int           `json:"member"` // that was asked last
	Start  time.Duration `json:"start"`
	End    time.Duration `json:"end"`
}

// Verdict is what a check found.
type Verdict struct {
	Name     string   `json:"name"`
	Ops      int      `json:"ops"`
	Answered int      `json:"answered"`
	Wrong    string   `json:"wrong,omitempty"` // empty: a legal history
	Shortest []string `json:"shortest,omitempty"`
	Page     string   `json:"page,omitempty"` // HTML of what could be explained

	info *porcupine.LinearizationInfo
	of   porcupine.Model
}

const (
	// checkWithin bounds the search for one history's explanation.
	checkWithin = 2 * time.Minute
	forever     = int64(1) << 60
	maxTold     = 40 // operations of the shortest history that are shown
)

// operation is one call as porcupine takes it.
func operation(s Span, in, out any, unknown bool) porcupine.Operation {
	op := porcupine.Operation{ClientId: s.Client, Input: in, Output: out, Call: int64(s.Start),
		Return: int64(s.End)}
	if unknown {
		op.Return = forever
	}
	return op
}

// judge looks for an order of the operations that explains all answers. If
// there is none, it looks for the shortest beginning that has none.
func judge(name string, m porcupine.Model, ops []porcupine.Operation, doubt doubt) Verdict {
	v := Verdict{Name: name, Ops: len(ops), of: m}
	for _, op := range ops {
		if op.Return != forever {
			v.Answered++
		}
	}
	result, info := porcupine.CheckOperationsVerbose(m, ops, checkWithin)
	switch result {
	case porcupine.Ok:
		return v
	case porcupine.Unknown:
		v.Wrong = fmt.Sprintf("no explanation was found within %s", checkWithin)
		return v
	}
	v.info = &info
	least := shortest(m, ops, doubt)
	v.Wrong = fmt.Sprintf("no order explains %d of its answers", len(least))
	for _, op := range least[max(0, len(least)-maxTold):] {
		v.Shortest = append(v.Shortest, tell(m, op))
	}
	return v
}

// Draw writes a page that shows how far the history can be explained.
func (v *Verdict) Draw(path string) error {
	if v.info == nil {
		return nil
	}
	v.Page = path
	return porcupine.VisualizePath(v.of, *v.info, path)
}

func tell(m porcupine.Model, op porcupine.Operation) string {
	end := "…"
	if op.Return != forever {
		end = time.Duration(op.Return).Round(time.Microsecond).String()
	}
	return fmt.Sprintf("client %d, %s to %s: %s", op.ClientId,
		time.Duration(op.Call).Round(time.Microsecond), end, m.DescribeOperation(op.Input, op.Output))
}

// doubt turns an operation into one whose answer was not heard, and says
// whether one that was never asked would explain as much.
type doubt func(op porcupine.Operation) (unheard porcupine.Operation, droppable bool)

// shortest returns the shortest beginning of an illegal history that is illegal
// too, without what does not matter in it. What had no answer by then is unheard.
func shortest(m porcupine.Model, ops []porcupine.Operation, d doubt) []porcupine.Operation {
	ends := make([]int64, 0, len(ops))
	for _, op := range ops {
		if op.Return != forever {
			ends = append(ends, op.Return)
		}
	}
	slices.Sort(ends)
	legal := func(n int) bool { return explained(m, beginning(ops, ends[n], d)) }
	from, to := 0, len(ends)-1
	for from < to {
		if mid := (from + to) / 2; legal(mid) {
			from = mid + 1
		} else {
			to = mid
		}
	}
	least := beginning(ops, ends[from], d)
	for i := len(least) - 1; i >= 0; i-- {
		if _, droppable := d(least[i]); !droppable {
			continue
		}
		if fewer := slices.Delete(slices.Clone(least), i, i+1); !explained(m, fewer) {
			least = fewer
		}
	}
	slices.SortStableFunc(least, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	return least
}

func explained(m porcupine.Model, ops []porcupine.Operation) bool {
	return porcupine.CheckOperationsTimeout(m, ops, checkWithin) != porcupine.Illegal
}

func beginning(ops []porcupine.Operation, until int64, d doubt) (part []porcupine.Operation) {
	for _, op := range ops {
		switch {
		case op.Call > until:
		case op.Return > until:
			if unheard, droppable := d(op); !droppable {
				part = append(part, unheard)
			}
		default:
			part = append(part, op)
		}
	}
	return part
}
