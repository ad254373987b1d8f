package bench

import (
	"encoding/json"
	"fmt"
	"strconv"
	"text/tabwriter"
)

// Figure is one row of the result.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Limit float64 `json:"limit"` // what Value is compared with, in the same unit
	Ratio float64 `json:"ratio"` // Value by Limit
	Goal  float64 `json:"goal"`  // of Ratio
	Met   bool    `json:"met"`
	Note  string  `json:"note,omitempty"`
	// Missing says that it could not be measured here; Note says why.
	Missing bool `json:"missing,omitempty"`

	atMost bool // Ratio should be at most Goal, not at least
}

// atLeast is a figure of which more is better.
func atLeast(name, unit string, p pair, goal float64) Figure {
	f := figure(name, unit, p, goal)
	f.Met = f.Ratio >= goal
	return f
}

// atMost is a figure of which less is better.
func atMost(name, unit string, p pair, goal float64) Figure {
	f := figure(name, unit, p, goal)
	f.Met, f.atMost = f.Ratio <= goal, true
	return f
}

// missing is a figure that cannot be measured here.
func missing(name, why string) Figure { return Figure{Name: name, Note: why, Missing: true} }

func figure(name, unit string, p pair, goal float64) Figure {
	return Figure{Name: name, Value: p.ours, Unit: unit, Limit: p.limit, Ratio: p.ratio(), Goal: goal}
}

func (b *bench) print() error {
	if b.o.JSON {
		figures := b.figures
		if figures == nil {
			figures = []Figure{}
		}
		e := json.NewEncoder(b.o.Out)
		e.SetIndent("", "  ")
		return e.Encode(figures)
	}
	w := tabwriter.NewWriter(b.o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tvalue\tlimit\tunit\tratio\tgoal\t")
	for _, f := range b.figures {
		fmt.Fprintln(w, f.cells())
	}
	return w.Flush()
}

// cells is the figure as a row of the table.
func (f Figure) cells() string {
	if f.Missing {
		return f.Name + "\t\t\t\t\t\t–\t" + f.Note
	}
	sign, mark := "≥", "✗"
	if f.atMost {
		sign = "≤"
	}
	if f.Met {
		mark = "✓"
	}
	row := fmt.Sprintf("%s\t%s\t%s\t%s\t%.2f\t%s %s\t%s", f.Name, round(f.Value), round(f.Limit), f.Unit,
		f.Ratio, sign, strconv.FormatFloat(f.Goal, 'f', -1, 64), mark)
	if f.Note != "" {
		row += "\t" + f.Note
	}
	return row
}

// round shows three digits of a small number and all of a large one.
func round(v float64) string {
	digits := 0
	for limit := 100.0; v < limit && digits < 3; limit /= 10 {
		digits++
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
