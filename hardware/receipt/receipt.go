// Package receipt describes receipts as data and lays them out for a printer's
// paper and character set, the same for every driver.
package receipt

// Align says where a text stands in its line or column.
type Align uint8

// Alignments; the zero value is the left margin.
const (
	Left Align = iota
	Centre
	Right
)

// Document is a receipt as data. Text in it is data too: it can never become
// a command, and what the printer's character set lacks is spelled out.
type Document struct {
	Width  int // columns: 32, 42 or 48, or fewer on narrower paper; 0: as the paper
	Blocks []Block
}

// Block is one part of a receipt: Line, Row, Rule, QR, Barcode, Image, Feed,
// Cut or Kick.
type Block interface {
	compose(c *composer) error
}

// Line is a text that continues on the next line when it is too long.
type Line struct {
	Text      string
	Align     Align
	Bold      bool
	Underline bool
	Inverse   bool // white on black
	Wide      int  // how many times wider than normal, 1 to 8; 0 means 1
	Tall      int  // how many times taller than normal, 1 to 8; 0 means 1
}

// Fit as a Cell's width makes its column as wide as its text.
const Fit = -1

// Cell is one column of a Row; its text continues below within the column.
type Cell struct {
	Text  string
	Width int // columns, or Fit; 0 shares what the others leave
	Align Align
}

// Row is a line of cells with one blank column between them.
// Columns that want more than the line has are made narrower, widest first.
type Row struct {
	Cells []Cell
	Bold  bool
}

// Rule is a line across the whole width.
type Rule struct{}

// QR is a QR code of printable text, centred, drawn by the printer itself.
type QR struct {
	Content string
	Module  int // dots per module, 1 to 8; 0 chooses
}

// Kind is a family of linear barcodes.
type Kind uint8

// Kinds of barcode.
const (
	EAN13   Kind = 1 + iota // 13 digits with a right check digit
	Code128                 // printable ASCII
	EAN8                    // 8 digits with a right check digit
	UPCA                    // 12 digits with a right check digit
	Code39                  // digits, capitals and " $%+-./"
	ITF                     // digits, an even number of them
)

// Barcode is a linear symbol, centred, with its content below in plain text.
type Barcode struct {
	Kind    Kind
	Content string
	Height  int // dots, 1 to 255; 0 means 80, which is 10 mm
}

// Feed leaves lines blank.
type Feed struct {
	Lines int // 1 to 20
}

// Cut ends the receipt: it feeds the last line past the knife and cuts.
type Cut struct{}

// Kick opens a cash drawer. A copy must not have one.
type Kick struct {
	Drawer int // 1 or 2: which of the two that one cable can drive
}

// Pair is a row with one text on the left and one on the right, such as an amount.
func Pair(left, right string) Row {
	return Row{Cells: []Cell{{Text: left}, {Text: right, Width: Fit, Align: Right}}}
}

// Triple is a row such as "2  Rye crispbread  5,98", with a count of up to four digits.
func Triple(count, what, amount string) Row {
	return Row{Cells: []Cell{
		{Text: count, Width: 4, Align: Right},
		{Text: what},
		{Text: amount, Width: Fit, Align: Right},
	}}
}
