package paper

import (
	"slices"
	"strings"

	"holdfast.dev/hardware/receipt"
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
func (p PickSlip) Document(m Mark) receipt.Document {
	d := begin(p.Lang, p.Store, m)
	d.add(receipt.Line{Text: d.text("pick.title"), Align: receipt.Centre, Bold: true})
	d.add(receipt.Line{Text: token.GroupCode(p.Code), Align: receipt.Centre, Bold: true, Wide: 3, Tall: 3})
	if p.Contact != "" {
		d.add(receipt.Line{Text: d.text("pick.for", "name", p.Contact), Align: receipt.Centre})
	}
	d.add(receipt.Line{Text: d.text("pick.until", "time", d.dateTime(p.Store.at(p.Until))), Align: receipt.Centre})
	d.add(receipt.Rule{})
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
			d.add(receipt.Line{Text: where, Bold: true})
		}
		d.add(receipt.Row{Cells: []receipt.Cell{{Text: "[ ]", Width: receipt.Fit},
			{Text: l.quantity(p.Lang), Width: 9, Align: receipt.Right}, {Text: l.Name}}})
		if l.GTIN != "" {
			d.add(receipt.Line{Text: l.GTIN, Align: receipt.Right})
		}
	}
	d.add(receipt.Rule{}, receipt.QR{Content: p.Code}, receipt.Line{Text: d.text("pick.scan"), Align: receipt.Centre})
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
func (h Handover) Document(m Mark) receipt.Document {
	d := begin(h.Lang, h.Store, m)
	d.add(receipt.Line{Text: d.text("collect.title"), Align: receipt.Centre, Bold: true})
	d.add(receipt.Pair(d.text("collect.order", "code", token.GroupCode(h.Code)), d.dateTime(h.Store.at(h.At))))
	if h.Contact != "" {
		d.add(receipt.Line{Text: d.text("collect.for", "name", h.Contact)})
	}
	d.add(receipt.Rule{})
	d.list(h.Lines)
	if len(h.Missing) > 0 {
		d.add(receipt.Feed{Lines: 1}, receipt.Line{Text: d.text("collect.missing"), Bold: true})
		d.list(h.Missing)
	}
	d.add(receipt.Rule{})
	if h.Number != "" {
		d.add(receipt.QR{Content: h.Number}, receipt.Line{Text: h.Number, Align: receipt.Centre})
	}
	d.add(receipt.Feed{Lines: 1}, receipt.Line{Text: d.text("thanks"), Align: receipt.Centre})
	return d.end()
}

func (s *sheet) list(lines []PickLine) {
	for _, l := range lines {
		s.add(receipt.Row{Cells: []receipt.Cell{{Text: l.quantity(s.lang), Width: 9, Align: receipt.Right}, {Text: l.Name}}})
	}
}
