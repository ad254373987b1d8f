package zpl

// ProductLabel is what stands on a product that came without a code.
type ProductLabel struct {
	Name  string
	Price string // as people read it, such as "2,49 €"; may be empty
	GTIN  string // 8 or 13 digits
}

// Label lays it out on 57 by 32 mm.
func (p ProductLabel) Label() Label {
	const width, height, margin = 57 * DotsPerMM, 32 * DotsPerMM, 16
	inner := width - 2*margin
	return Label{Width: width, Height: height, Items: []Item{
		Text{X: margin, Y: 14, Width: inner, Lines: 2, Size: largest(p.Name, inner, 2, 34, 28, 24),
			Content: p.Name},
		Text{X: margin, Y: 88, Width: inner, Size: 44, Align: Right, Content: p.Price},
		ean(p.GTIN, margin+60, 140, 64),
	}}
}

// ShelfLabel is what stands on the edge of a shelf.
type ShelfLabel struct {
	Name      string
	Price     string
	UnitPrice string // such as "1 kg = 9,96 €"
	GTIN      string
}

// Label lays it out on 76 by 38 mm.
func (s ShelfLabel) Label() Label {
	const width, height, margin = 76 * DotsPerMM, 38 * DotsPerMM, 16
	inner := width - 2*margin
	priceWidth := 300
	priceSize := largest(s.Price, priceWidth, 1, 96, 76, 60, 48, 36)
	return Label{Width: width, Height: height, Items: []Item{
		Text{X: margin, Y: 14, Width: inner, Lines: 2, Size: largest(s.Name, inner, 2, 44, 36, 30),
			Content: s.Name},
		Box{X: margin, Y: 112, Width: inner, Height: 2, Thick: 2},
		ean(s.GTIN, margin+16, 126, 100),
		Text{X: width - margin - priceWidth, Y: 220 - priceSize, Width: priceWidth, Size: priceSize,
			Align: Right, Content: s.Price},
		Text{X: margin, Y: 264, Width: inner, Size: 26, Align: Right, Content: s.UnitPrice},
	}}
}

// BagLabel is what stands on a bag that waits for its shopper.
type BagLabel struct {
	Code      string // what the shopper says, set large
	QR        string // printable ASCII; empty for none
	FirstName string
	Shelf     string // where it waits
	Note      string // small print, such as the day and "bag 1 of 2"
}

// Label lays it out on 100 by 75 mm.
func (b BagLabel) Label() Label {
	const width, height, margin = 100 * DotsPerMM, 75 * DotsPerMM, 24
	inner := width - 2*margin
	text := inner
	items := []Item{}
	if b.QR != "" {
		module := qrModule(len(b.QR), 300)
		items = append(items, QR{X: width - margin - 300, Y: 176, Content: b.QR, Module: module})
		text = inner - 320
	}
	return Label{Width: width, Height: height, Items: append([]Item{
		Text{X: margin, Y: 28, Width: inner, Size: largest(b.Code, inner, 1, 120, 96, 76, 60, 44),
			Content: b.Code},
		Box{X: margin, Y: 156, Width: inner, Height: 4, Thick: 4},
		Text{X: margin, Y: 184, Width: text, Size: largest(b.FirstName, text, 1, 84, 64, 48, 36),
			Content: b.FirstName},
		Text{X: margin, Y: 292, Width: text, Lines: 2, Size: largest(b.Shelf, text, 2, 100, 76, 56, 40),
			Content: b.Shelf},
		Text{X: margin, Y: height - 60, Width: inner, Size: 32, Content: b.Note},
	}, items...)}
}

// ean is the barcode of a GTIN of 8 or 13 digits.
func ean(gtin string, x, y, height int) Item {
	kind := EAN13
	if len(gtin) == 8 {
		kind = EAN8
	}
	return Barcode{X: x, Y: y, Kind: kind, Content: gtin, Height: height, Module: 2}
}

// qrBytes is how many bytes a QR code of version 1, 2, … holds at level M
// (ISO/IEC 18004, table 7).
var qrBytes = [...]int{14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412,
	450, 504, 560, 624, 666, 711, 779, 857, 911, 997}

// qrModule is how large the modules of so many bytes may be in a side of dots.
func qrModule(bytes, side int) int {
	version := 1
	for version < len(qrBytes) && qrBytes[version-1] < bytes {
		version++
	}
	return min(10, max(1, side/(17+4*version)))
}
