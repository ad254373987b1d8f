package printer

import (
	"errors"
	"image"
	"strings"

	"github.com/boombuler/barcode/codabar"
	"github.com/boombuler/barcode/code128"
	"github.com/boombuler/barcode/code39"
	"github.com/boombuler/barcode/code93"
	"github.com/boombuler/barcode/ean"
	"github.com/boombuler/barcode/qr"
	"github.com/boombuler/barcode/twooffive"
)

type qrSettings struct {
	module int
	level  byte // '0' to '3'
	data   []byte
}

// symbol2D is GS ( k with cn, fn and parameters in body.
func (m *machine) symbol2D(body []byte) {
	if len(body) < 2 || body[0] != '1' {
		m.strip.warn("two-dimensional symbol is not a QR code")
		return
	}
	switch fn := body[1]; {
	case fn == 'C' && len(body) == 3 && body[2] >= 1 && body[2] <= 16:
		m.qr.module = int(body[2])
	case fn == 'E' && len(body) == 3 && body[2] >= '0' && body[2] <= '3':
		m.qr.level = body[2]
	case fn == 'P' && len(body) >= 3:
		m.qr.data = append([]byte{}, body[3:]...)
	case fn == 'Q':
		m.printQR()
	}
}

func (m *machine) printQR() {
	if len(m.qr.data) == 0 {
		return
	}
	levels := map[byte]qr.ErrorCorrectionLevel{'0': qr.L, '1': qr.M, '2': qr.Q, '3': qr.H}
	code, err := qr.Encode(string(m.qr.data), levels[m.qr.level], qr.Auto)
	if err != nil {
		m.strip.warn("QR code: " + err.Error())
		return
	}
	picture := traced(code).scaled(m.qr.module, m.qr.module)
	m.printSymbol(picture, "QR code", string(m.qr.data))
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
		m.strip.warn(kind + " is wider than the print area")
		return
	}
	m.place(picture, "["+kind+" "+content+"]")
	m.strip.marks[len(m.strip.marks)-1].symbol = content
}

// barcode is GS k in both forms.
func (m *machine) barcode(cmd []byte) {
	kind := cmd[2]
	var data string
	if kind <= 6 {
		data = strings.TrimSuffix(string(cmd[3:]), "\x00")
		kind += 65
	} else {
		data = string(cmd[4:])
	}
	name, bars, text, err := linear(kind, data)
	if err != nil {
		m.strip.warn(name + ": " + err.Error())
		return
	}
	picture := newBitmap(bars.width*m.set.barDots, m.set.barHeight)
	for x := range bars.width {
		if bars.at(x, 0) {
			picture.fill(x*m.set.barDots, 0, m.set.barDots, m.set.barHeight)
		}
	}
	m.printSymbol(m.captioned(picture, text), name, text)
}

var errNotDrawn = errors.New("is not drawn")

// linear gives the bars of a linear symbol, one row high.
func linear(kind byte, data string) (name string, bars *bitmap, text string, err error) {
	var code image.Image
	text = data
	switch kind {
	case 65:
		name = "UPC-A"
		code, err = ean.Encode("0" + data)
	case 67:
		name = "EAN-13"
		code, err = ean.Encode(data)
	case 68:
		name = "EAN-8"
		code, err = ean.Encode(data)
	case 69:
		name = "Code 39"
		code, err = code39.Encode(strings.Trim(data, "*"), false, false)
	case 70:
		name = "ITF"
		code, err = twooffive.Encode(data, true)
	case 71:
		name = "Codabar"
		code, err = codabar.Encode(data)
	case 72:
		name = "Code 93"
		code, err = code93.Encode(data, true, false)
	case 73:
		name = "Code 128"
		var content string
		if content, text, err = code128Content(data); err == nil {
			code, err = code128.Encode(content)
		}
	default:
		return "barcode " + hexBytes([]byte{kind}), nil, text, errNotDrawn
	}
	if err != nil {
		return name, nil, text, err
	}
	return name, traced(code), text, nil
}

// code128Content reads code sets and functions: {A {B {C select, {1 is FNC1,
// {{ a brace; in set C each byte is a pair of digits. The text leaves FNC1 out.
func code128Content(data string) (content, text string, err error) {
	var c, t strings.Builder
	set := byte(0)
	for i := 0; i < len(data); i++ {
		b := data[i]
		if b == '{' && i+1 < len(data) {
			i++
			switch next := data[i]; next {
			case 'A', 'B', 'C':
				set = next
			case '1':
				c.WriteRune(code128.FNC1)
			case '{':
				c.WriteByte('{')
				t.WriteByte('{')
			default:
				return "", "", errors.New("function is not drawn")
			}
			continue
		}
		switch {
		case set == 0:
			return "", "", errors.New("no code set")
		case set == 'C' && b > 99, b > 0x7f:
			return "", "", errors.New("byte outside the code set")
		case set == 'C':
			pair := string([]byte{'0' + b/10, '0' + b%10})
			c.WriteString(pair)
			t.WriteString(pair)
		default:
			c.WriteByte(b)
			t.WriteByte(b)
		}
	}
	return c.String(), t.String(), nil
}

// captioned adds the plain text (HRI) above or below the bars.
func (m *machine) captioned(bars *bitmap, text string) *bitmap {
	if m.set.hri == 0 {
		return bars
	}
	f := m.faces[m.set.hriFont]
	caption := newBitmap(f.width*len(text), f.height)
	for i, char := range []rune(text) {
		if rows, ok := f.rows[char]; ok {
			for y, row := range rows {
				for x := range f.width {
					if row&(0x8000>>x) != 0 {
						caption.set(i*f.width+x, y)
					}
				}
			}
		}
	}
	above, below := m.set.hri&1 != 0, m.set.hri&2 != 0
	width, height := max(bars.width, caption.width), bars.height
	top := 0
	if above {
		top = f.height
		height += f.height
	}
	if below {
		height += f.height
	}
	whole := newBitmap(width, height)
	whole.put(bars, (width-bars.width)/2, top)
	if above {
		whole.put(caption, (width-caption.width)/2, 0)
	}
	if below {
		whole.put(caption, (width-caption.width)/2, top+bars.height)
	}
	return whole
}
