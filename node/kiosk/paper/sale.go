package paper

import (
	"cmp"
	"slices"

	"holdfast.dev/hardware/receipt"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

// SaleLine is one line of a sale.
type SaleLine struct {
	Name        string
	Units       stock.Units
	Unit        string // "each", "g" or "ml"
	PriceMinor  int64  // per piece, or per kg or litre
	TotalMinor  int64
	VATPermille uint32
}

// Sale is the receipt of a basket.
type Sale struct {
	Lang     words.Lang
	Store    Store
	Number   string
	At       int64 // Unix ms
	Staff    string
	Station  string
	Currency string
	Lines    []SaleLine
}

// Title names the receipt in lists.
func (s Sale) Title() string { return s.Number }

// Total is what the customer pays.
func (s Sale) Total() (minor int64) {
	for _, l := range s.Lines {
		minor += l.TotalMinor
	}
	return minor
}

// Document lays the receipt out.
func (s Sale) Document(m Mark) receipt.Document {
	d := begin(s.Lang, s.Store, m)
	d.add(receipt.Pair(d.text("number", "number", s.Number), d.dateTime(s.Store.at(s.At))))
	if s.Staff != "" {
		d.add(receipt.Line{Text: d.text("served", "name", s.Staff)})
	}
	d.add(receipt.Rule{})
	for _, l := range s.Lines {
		d.add(s.line(d, l)...)
	}
	d.add(receipt.Rule{})
	d.add(receipt.Line{Text: d.text("total") + "  " + words.Money(s.Lang, s.Total(), s.Currency),
		Align: receipt.Right, Bold: true, Tall: 2})
	d.add(receipt.Feed{Lines: 1})
	d.add(s.vat(d)...)
	d.add(receipt.Feed{Lines: 1}, receipt.QR{Content: s.Number},
		receipt.Line{Text: s.Number, Align: receipt.Centre},
		receipt.Feed{Lines: 1}, receipt.Line{Text: d.text("thanks"), Align: receipt.Centre})
	return d.end()
}

// line writes a line, and below it how its amount came about.
func (s Sale) line(d *sheet, l SaleLine) []receipt.Block {
	blocks := []receipt.Block{receipt.Pair(l.Name, s.amount(l.TotalMinor))}
	price := words.Money(s.Lang, l.PriceMinor, s.Currency)
	quantity := words.Quantity(s.Lang, l.Units, l.Unit)
	switch {
	case l.Unit == "g":
		blocks = append(blocks, receipt.Line{Text: "  " + quantity + " x " + price + "/kg"})
	case l.Unit == "ml":
		blocks = append(blocks, receipt.Line{Text: "  " + quantity + " x " + price + "/l"})
	case l.Units != 1:
		blocks = append(blocks, receipt.Line{Text: "  " + quantity + " x " + price})
	}
	return blocks
}

func (s Sale) amount(minor int64) string { return words.Money(s.Lang, minor, s.Currency) }

// vat sums the tax that is in the prices, by rate.
func (s Sale) vat(d *sheet) []receipt.Block {
	gross := make(map[uint32]int64)
	for _, l := range s.Lines {
		gross[l.VATPermille] += l.TotalMinor
	}
	rates := make([]uint32, 0, len(gross))
	for r := range gross {
		rates = append(rates, r)
	}
	slices.SortFunc(rates, func(a, b uint32) int { return cmp.Compare(b, a) })
	const money = 12
	row := func(a, b, c, e string) receipt.Row {
		return receipt.Row{Cells: []receipt.Cell{{Text: a}, {Text: b, Width: money, Align: receipt.Right},
			{Text: c, Width: money, Align: receipt.Right}, {Text: e, Width: money, Align: receipt.Right}}}
	}
	blocks := []receipt.Block{row(d.text("vat.rate"), d.text("vat.net"), d.text("vat.tax"), d.text("vat.gross"))}
	for _, r := range rates {
		tax := TaxIn(gross[r], r)
		blocks = append(blocks, row(Rate(s.Lang, r), s.amount(gross[r]-tax), s.amount(tax), s.amount(gross[r])))
	}
	return blocks
}

// TaxIn is the tax in a gross amount, rounded to the nearest minor unit.
func TaxIn(gross int64, permille uint32) int64 {
	base := 1000 + int64(permille)
	return (2*gross*int64(permille) + base) / (2 * base)
}

// Rate writes thousandths as a percentage: "9%", "8,1%".
func Rate(lang words.Lang, permille uint32) string {
	whole := words.Number(lang, int64(permille/10))
	if permille%10 == 0 {
		return whole + "%"
	}
	point := ","
	if lang == words.EN {
		point = "."
	}
	return whole + point + words.Number(lang, int64(permille%10)) + "%"
}
