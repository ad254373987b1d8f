package paper

import (
	"slices"
	"strings"

	"holdfast.dev/hardware/escpos"
	"holdfast.dev/stock"
	"holdfast.dev/stock/token"
	"holdfast.dev/stock/words"
)

// PickLine is one product of an order.
type PickLine struct {
	Name  string
	Aisle string
	GTIN  string
	Units stock.Units
	Unit  string
}

func (l PickLine) quantity(lang words.Lang) string {
	if l.Unit == "g" || l.Unit == "ml" {
		return words.Quantity(lang, l.Units, l.Unit)
	}
	return words.Quantity(lang, l.Units, l.Unit) + " x"
}

// PickSlip tells staff what to fetch for an order.
type PickSlip struct {
	Lang    words.Lang // of the staff
	Store   Store
	Code    string
	Contact string // first name only
	Until   int64  // Unix ms
	At      int64
	Lines   []PickLine
}

// Title names the slip in lists.
func (p PickSlip) Title() string { return token.GroupCode(p.Code) }

// Document lays the slip out, in the order of a walk through the store.
func (p PickSlip) Document(m Mark) escpos.Document {
	d := begin(p.Lang, p.Store, m)
	d.add(escpos.Line{Text: d.text("pick.title"), Align: escpos.Centre, Bold: true})
	d.add(escpos.Line{Text: token.GroupCode(p.Code), Align: escpos.Centre, Bold: true, Wide: 3, Tall: 3})
	if p.Contact != "" {
		d.add(escpos.Line{Text: d.text("pick.for", "name", p.Contact), Align: escpos.Centre})
	}
	d.add(escpos.Line{Text: d.text("pick.until", "time", d.dateTime(p.Store.at(p.Until))), Align: escpos.Centre})
	d.add(escpos.Rule{})
	lines := slices.Clone(p.Lines)
	slices.SortStableFunc(lines, func(a, b PickLine) int {
		if (a.Aisle == "") != (b.Aisle == "") { // what nobody can place comes last
			return strings.Compare(b.Aisle, a.Aisle)
		}
		return strings.Compare(a.Aisle, b.Aisle)
	})
	aisle := "\x00" // no aisle is called so
	for _, l := range lines {
		if l.Aisle != aisle {
			aisle = l.Aisle
			where := aisle
			if where == "" {
				where = d.text("pick.nowhere")
			}
			d.add(escpos.Line{Text: where, Bold: true})
		}
		d.add(escpos.Row{Cells: []escpos.Cell{{Text: "[ ]", Width: escpos.Fit},
			{Text: l.quantity(p.Lang), Width: 9, Align: escpos.Right}, {Text: l.Name}}})
		if l.GTIN != "" {
			d.add(escpos.Line{Text: l.GTIN, Align: escpos.Right})
		}
	}
	d.add(escpos.Rule{}, escpos.QR{Content: p.Code}, escpos.Line{Text: d.text("pick.scan"), Align: escpos.Centre})
	return d.end()
}

// Handover is the customer's receipt of a collected order.
type Handover struct {
	Lang    words.Lang // of the customer
	Store   Store
	Code    string
	Number  string
	Contact string // first name only
	At      int64  // Unix ms
	Lines   []PickLine
	Missing []PickLine // promised and not delivered
}

// Title names the receipt in lists.
func (h Handover) Title() string { return token.GroupCode(h.Code) }

// Document lays the receipt out.
func (h Handover) Document(m Mark) escpos.Document {
	d := begin(h.Lang, h.Store, m)
	d.add(escpos.Line{Text: d.text("collect.title"), Align: escpos.Centre, Bold: true})
	d.add(escpos.Pair(d.text("collect.order", "code", token.GroupCode(h.Code)), d.dateTime(h.Store.at(h.At))))
	if h.Contact != "" {
		d.add(escpos.Line{Text: d.text("collect.for", "name", h.Contact)})
	}
	d.add(escpos.Rule{})
	d.list(h.Lines)
	if len(h.Missing) > 0 {
		d.add(escpos.Feed{Lines: 1}, escpos.Line{Text: d.text("collect.missing"), Bold: true})
		d.list(h.Missing)
	}
	d.add(escpos.Rule{})
	if h.Number != "" {
		d.add(escpos.QR{Content: h.Number}, escpos.Line{Text: h.Number, Align: escpos.Centre})
	}
	d.add(escpos.Feed{Lines: 1}, escpos.Line{Text: d.text("thanks"), Align: escpos.Centre})
	return d.end()
}

func (s *sheet) list(lines []PickLine) {
	for _, l := range lines {
		s.add(escpos.Row{Cells: []escpos.Cell{{Text: l.quantity(s.lang), Width: 9, Align: escpos.Right}, {Text: l.Name}}})
	}
}
