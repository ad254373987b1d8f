// Package zpl prints labels on printers that speak ZPL II and says how much of
// that is certain.
package zpl

// DotsPerMM is the resolution of the printers that labels are laid out for, of
// 203 dpi.
const DotsPerMM = 8

// Label is a label as data. Text in it is data too: it can never become a
// command. Places are in dots from the upper left corner.
type Label struct {
	Width, Height int
	Copies        int // 0 means 1
	Items         []Item
}

// Item is one part of a label: Text, Box, Barcode or QR.
type Item interface {
	write(w *writer) error
}

// Align says where text stands in its block.
type Align uint8

// Alignments; the zero value is the left margin.
const (
	Left Align = iota
	Centre
	Right
)

// Text is text in the printer's scalable font, in a block that it fills line by
// line. What does not fit is cut off with three points. In a block that is not
// aligned left, a slash stands for a backslash.
type Text struct {
	X, Y    int
	Size    int // height of a line, 10 to 400 dots
	Width   int // of the block
	Lines   int // at most; 0 means 1
	Align   Align
	Content string
}

// Box is a frame, or a line when it is as thick as it is high or wide.
type Box struct {
	X, Y, Width, Height int
	Thick               int
}

// Kind is a family of linear barcodes.
type Kind uint8

// Kinds of barcode.
const (
	EAN13   Kind = 1 + iota // 13 digits with a right check digit
	EAN8                    // 8 digits with a right check digit
	Code128                 // printable ASCII
)

// Barcode is a linear symbol with its content below in plain text.
type Barcode struct {
	X, Y    int
	Kind    Kind
	Content string
	Height  int // dots
	Module  int // dots of the narrowest bar, 1 to 10
}

// QR is a QR code, at error correction level M.
type QR struct {
	X, Y    int
	Content string
	Module  int // dots of a module, 1 to 10
}
