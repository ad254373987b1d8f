package policy

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The plot has a panel for each workload and some lengths of the cut; in it a
// bar of money for each policy.
const (
	plotLabels = 150
	plotPanel  = 330
	plotGap    = 24
	plotBar    = 12
	plotLine   = 17
	plotHead   = 40
	plotTop    = 96
	plotValue  = 54 // room for the figure at the end of the longest bar
)

// What the parts of a bar are, with their colours.
var plotParts = []struct {
	name, colour string
	cost         float64
	of           func(Row) Interval
}{
	{"promises broken × 5", "#B42318", 5, func(r Row) Interval { return r.Cancelled }},
	{"lost in the store × 1.5", "#B45309", 1.5, func(r Row) Interval { return r.LostStore }},
	{"lost online × 1", "#1D4ED8", 1, func(r Row) Interval { return r.LostWeb }},
}

// drawing is an SVG in the making.
type drawing struct{ strings.Builder }

func (d *drawing) text(x, y float64, style, text string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" %s>`, x, y, style)
	_ = xml.EscapeText(d, []byte(text)) // a builder does not fail
	d.WriteString("</text>\n")
}

func (d *drawing) bar(x, y, width, height float64, colour string) {
	fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.2f" height="%.1f" fill="%s"/>`+"\n",
		x, y, width, height, colour)
}

func (d *drawing) line(x1, y1, x2, y2 float64, style string) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`+"\n", x1, y1, x2, y2, style)
}

// plot draws the report.
func plot(r *Report) []byte {
	lengths := cutLengths[twoHours:]
	height := plotHead + plotLine*len(policies()) + plotGap
	width := plotLabels + len(lengths)*(plotPanel+plotGap)
	d := &drawing{}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" `+
		`font-family="Atkinson Hyperlegible, Verdana, sans-serif" font-size="12" fill="#0E1B24">`+"\n",
		width, plotTop+height*len(workloads))
	d.bar(0, 0, float64(width), float64(plotTop+height*len(workloads)), "#FBFAF7")
	d.text(16, 30, `font-size="19" font-weight="bold"`,
		"Money lost during a cut, for each 1000 units wanted, in margins of a unit")
	x := 16.0
	for _, part := range plotParts {
		d.bar(x, 46, 12, 12, part.colour)
		d.text(x+18, 56, "", part.name)
		x += 180
	}
	whiskers := fmt.Sprintf("dashed: what nobody could avoid · whiskers: 95 %%, %d stores", r.Seeds)
	d.text(x, 56, "", whiskers)
	for w, workload := range workloads {
		y := float64(plotTop + w*height)
		d.text(16, y+14, `font-size="15" font-weight="bold"`, workload.title)
		for i, policy := range policies() {
			below := y + plotHead + float64(i*plotLine) + plotBar - 2
			d.text(plotLabels-8, below, `text-anchor="end"`, policy.title)
		}
		for l, length := range lengths {
			d.panel(r, workload, length, float64(plotLabels+l*(plotPanel+plotGap)), y)
		}
	}
	d.WriteString("</svg>\n")
	return []byte(d.String())
}

// panel draws one workload and one length of the cut.
func (d *drawing) panel(r *Report, w workload, length int64, x, y float64) {
	d.text(x, y+plotHead-8, `fill="#46555F"`, "cut of "+lengthText(length))
	var rows []Row
	most := 0.0
	for _, row := range r.Rows {
		if row.Workload == w.name && row.Minutes == length/minute {
			rows, most = append(rows, row), max(most, row.Money.High, row.Money.Mean)
		}
	}
	if most == 0 {
		most = 1
	}
	scale := (plotPanel - plotValue) / most
	least := rows[len(rows)-1].Money.Mean * scale
	for i, row := range rows {
		top, at := y+plotHead+float64(i*plotLine), x
		for _, part := range plotParts {
			wide := part.of(row).Mean * part.cost * scale
			d.bar(at, top, wide, plotBar, part.colour)
			at += wide
		}
		middle := top + plotBar/2
		if row.Money.finite() && row.Money.High > row.Money.Low {
			low, high := max(0, row.Money.Low*scale), row.Money.High*scale
			d.line(x+low, middle, x+high, middle, `stroke="#0E1B24"`)
		}
		end := x + max(row.Money.High*scale, at-x) + 5
		d.text(end, top+plotBar-2, "", fmt.Sprintf("%.1f", row.Money.Mean))
	}
	bottom := y + plotHead + float64(len(rows)*plotLine)
	d.line(x, y+plotHead-3, x, bottom, `stroke="#D5DDD8"`)
	d.line(x+least, y+plotHead-3, x+least, bottom, `stroke="#0E1B24" stroke-dasharray="3 3"`)
}
