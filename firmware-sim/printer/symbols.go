package printer

import (
	"errors"
	"image"
	"image/color"
	"strconv"
	"strings"

	"github.com/boombuler/barcode/aztec"
	"github.com/boombuler/barcode/datamatrix"
	"github.com/boombuler/barcode/pdf417"
	"github.com/boombuler/barcode/qr"
)

// symbolSettings are what one kind of two-dimensional symbol was told.
type symbolSettings struct {
	module int
	tall   int  // modules per row of PDF417
	level  byte // '0' to '3' of QR codes
	data   []byte
}

// Kinds of symbols: cn of GS ( k.
const (
	cnPDF417     = '0'
	cnQR         = '1'
	cnAztec      = '5'
	cnDataMatrix = '6'
)

func (m *machine) symbol(cn byte) *symbolSettings {
	s, ok := m.symbols[cn]
	if !ok {
		s = &symbolSettings{module: 3, tall: 3, level: '0'}
		m.symbols[cn] = s
	}
	return s
}

// symbol2D is GS ( k with cn, fn and parameters in body.
func (m *machine) symbol2D(body []byte) {
	if len(body) < 2 {
		return
	}
	switch body[0] {
	case cnPDF417:
		m.pdf417(body[1], body[2:])
	case cnQR, cnAztec, cnDataMatrix:
		m.matrix(body[0], body[1], body[2:])
	default:
		m.strip.warn("BARCODE_NOT_DRAWN: kind " + hexBytes(body[:1]))
	}
}

// matrix is the functions of QR codes, which Aztec and DataMatrix share.
func (m *machine) matrix(cn, fn byte, body []byte) {
	s := m.symbol(cn)
	switch {
	case fn == 'C' && len(body) == 1 && body[0] >= 1 && body[0] <= 16:
		s.module = int(body[0])
	case fn == 'E' && len(body) == 1 && body[0] >= '0' && body[0] <= '3':
		s.level = body[0]
	case fn == 'P' && len(body) >= 1:
		s.data = append([]byte{}, body[1:]...)
	case fn == 'Q':
		m.print2D(cn)
	case fn == 'R':
		m.tellSize(cn)
	}
}

func (m *machine) pdf417(fn byte, body []byte) {
	s := m.symbol(cnPDF417)
	switch {
	case fn == 'C' && len(body) == 1 && body[0] >= 1 && body[0] <= 8:
		s.module = int(body[0])
	case fn == 'D' && len(body) == 1 && body[0] >= 2 && body[0] <= 8:
		s.tall = int(body[0])
	case fn == 'E' && len(body) == 2 && body[0] == '0' && body[1] >= '0' && body[1] <= '8':
		s.level = body[1]
	case fn == 'P' && len(body) >= 1:
		s.data = append([]byte{}, body[1:]...)
	case fn == 'Q':
		m.print2D(cnPDF417)
	case fn == 'R':
		m.tellSize(cnPDF417)
	}
}

var errNotDrawn = errors.New("is not drawn")

// most2D is how many bytes a symbol can hold at best; more is not tried.
var most2D = map[byte]int{cnQR: 7089, cnPDF417: 2710, cnAztec: 3832, cnDataMatrix: 3116}

var errTooLong = errors.New("holds more than any symbol")

// draw2D gives the symbol of the stored data; nil if there is none.
func (m *machine) draw2D(cn byte) (name string, picture *bitmap, err error) {
	s := m.symbol(cn)
	switch {
	case len(s.data) == 0:
		return "", nil, nil
	case len(s.data) > most2D[cn]:
		return "symbol", nil, errTooLong
	}
	var code image.Image
	wide, tall := s.module, s.module
	switch cn {
	case cnQR:
		name = "QR code"
		levels := map[byte]qr.ErrorCorrectionLevel{'0': qr.L, '1': qr.M, '2': qr.Q, '3': qr.H}
		code, err = qr.Encode(string(s.data), levels[s.level], qr.Auto)
	case cnPDF417:
		name = "PDF417"
		code, err = pdf417.Encode(string(s.data), s.level-'0')
		tall = s.module * s.tall
		if code != nil {
			code = everySecondRow{code}
		}
	case cnAztec:
		name = "Aztec"
		code, err = aztec.Encode(s.data, 23, 0)
	case cnDataMatrix:
		name = "DataMatrix"
		code, err = datamatrix.Encode(string(s.data))
	}
	if err != nil {
		return name, nil, err
	}
	return name, traced(code).scaled(wide, tall), nil
}

// everySecondRow undoes that the library draws each row of PDF417 twice.
type everySecondRow struct{ image.Image }

// At is a module of the symbol.
func (e everySecondRow) At(x, y int) color.Color { return e.Image.At(x, 2*y) }

// Bounds is the size in modules and rows.
func (e everySecondRow) Bounds() image.Rectangle {
	b := e.Image.Bounds()
	b.Max.Y = b.Min.Y + b.Dy()/2
	return b
}

func (m *machine) print2D(cn byte) {
	name, picture, err := m.draw2D(cn)
	switch {
	case err != nil:
		m.strip.warn("BARCODE_INVALID " + name + ": " + err.Error())
	case picture != nil:
		m.printSymbol(picture, name, string(m.symbol(cn).data))
	}
}

// tellSize answers with the size of the symbol that would be printed now.
func (m *machine) tellSize(cn byte) {
	width, height, fits := 0, 0, "2"
	if _, picture, err := m.draw2D(cn); err == nil && picture != nil {
		width, height = picture.width, picture.height
		if width <= m.set.area {
			fits = "1"
		}
	}
	const fixed = "1"
	id := "6" // QR
	if cn == cnPDF417 {
		id = "5"
	}
	m.say([]byte("7" + id + strings.Join([]string{strconv.Itoa(width), strconv.Itoa(height), fixed,
		fits}, "\x1f") +
		"\x00")...)
}

// traced copies the modules of a symbol to dots.
func traced(code image.Image) *bitmap {
	size := code.Bounds().Size()
	b := newBitmap(size.X, size.Y)
	for y := range size.Y {
		for x := range size.X {
			if r, _, _, _ := code.At(x, y).RGBA(); r < 0x8000 {
				b.set(x, y)
			}
		}
	}
	return b
}

// printSymbol prints a code unless it is wider than the print area.
func (m *machine) printSymbol(picture *bitmap, kind, content string) {
	if len(m.line) > 0 {
		m.printLine(m.set.spacing)
	}
	if picture.width > m.set.area {
		m.strip.warn("BARCODE_TOO_WIDE: " + kind + " is wider than the print area")
		return
	}
	m.place(picture, "["+kind+" "+content+"]")
	m.strip.tag(content)
}
