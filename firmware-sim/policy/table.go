package policy

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

func (r *Report) printJSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// print writes the goals and then every figure, as tables in Markdown.
func (r *Report) print(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d stores of %d products for each workload; 95 %% intervals.\n\n",
		r.Seeds, r.Products)
	r.printGoals(&b)
	for _, w := range workloads {
		for _, length := range cutLengths {
			r.printRows(&b, w, length)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (r *Report) printGoals(b *strings.Builder) {
	broken, played := int64(0), int64(0)
	for _, row := range r.Rows {
		if row.Policy == "strict" {
			broken, played = broken+row.Broken, played+row.Wanted
		}
	}
	mark := "✓"
	if broken > 0 {
		mark = "✗"
	}
	fmt.Fprintf(b, "Oversold by Holdfast, strict: %d units of %d wanted (goal: none) %s\n\n",
		broken, played, mark)
	for _, against := range []string{withoutSplit, oracleName} {
		head := "Money lost at 8 h, by the best policy without a split"
		if against == oracleName {
			head = "Money lost at 2 h, by the oracle"
		}
		lines := [][]string{{head, "strict", "lends by risk", "knows rates and length", "oracle",
			"goal", "strict loses more, of 1000 wanted"}}
		for i, g := range r.Goals {
			if g.Against != against || g.Policy != "strict" {
				continue
			}
			lend := r.Goals[i+1]
			lines = append(lines, []string{g.title, g.Got.text(2), lend.Got.text(2), g.Informed.short(),
				g.Oracle.short(), fmt.Sprintf("≤ %g %s", g.AtMost, met(g.Met, lend.Met)), g.Extra.text(1)})
		}
		writeTable(b, lines)
	}
}

// met marks a goal that both, one or none of two policies reach.
func met(strict, lend bool) string {
	switch {
	case strict && lend:
		return "✓"
	case strict || lend:
		return "✓ one"
	}
	return "✗"
}

func (r *Report) printRows(b *strings.Builder, w workload, length int64) {
	lines := [][]string{{w.title + ", " + lengthText(length), "oversold", "cancelled",
		"lost in store", "lost online", "lent", "money lost", "regret", "moves a sale"}}
	for _, row := range r.Rows {
		if row.Workload == w.name && row.Minutes == length/minute {
			lines = append(lines, []string{row.title, row.Oversold.text(1), row.Cancelled.text(1),
				row.LostStore.text(1), row.LostWeb.text(1), row.Lent.short(), row.Money.text(1),
				row.Regret.text(1), row.Moves.text(2)})
		}
	}
	writeTable(b, lines)
}

func lengthText(length int64) string {
	switch {
	case length < hour:
		return fmt.Sprintf("%d min", length/minute)
	case length < day:
		return fmt.Sprintf("%d h", length/hour)
	}
	return fmt.Sprintf("%d days", length/day)
}

// text is the mean and half the width of the interval.
func (i Interval) text(digits int) string {
	switch {
	case !i.finite():
		return "–"
	case i.High == i.Low:
		return fmt.Sprintf("%.*f", digits, i.Mean)
	}
	return fmt.Sprintf("%.*f ± %.*f", digits, i.Mean, digits, (i.High-i.Low)/2)
}

func (i Interval) short() string {
	if !i.finite() {
		return "–"
	}
	return fmt.Sprintf("%.2f", i.Mean)
}

// writeTable writes columns of equal width; the first line is the head.
func writeTable(b *strings.Builder, lines [][]string) {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for c, cell := range line {
			width[c] = max(width[c], len([]rune(cell)))
		}
	}
	for n, line := range lines {
		for c, cell := range line {
			fill := strings.Repeat(" ", width[c]-len([]rune(cell)))
			if c > 0 { // figures stand right
				cell, fill = fill+cell, ""
			}
			b.WriteString("| " + cell + fill + " ")
		}
		b.WriteString("|\n")
		if n == 0 {
			for c := range line {
				rule := strings.Repeat("-", width[c]+1)
				if c > 0 {
					rule += ":"
				} else {
					rule += "-"
				}
				b.WriteString("|" + rule)
			}
			b.WriteString("|\n")
		}
	}
	b.WriteString("\n")
}
