package labelprinter

import (
	"fmt"
	"image"
	"strings"

	"github.com/boombuler/barcode/code128"
	"github.com/boombuler/barcode/ean"
	"github.com/boombuler/barcode/qr"

	"holdfast.dev/firmware-sim/paint"
)

const captionHeight = 26 // dots of the plain text below bars

// linear prepares a linear barcode: ^BC, ^BE or ^B8 with orientation, height,
// text below, text above.
func (m *machine) linear(name string, p []string) {
	height := whole(p[1], 1, largestSide, m.set.barHeight)
	module, caption := m.set.module, p[2] != "N"
	f := m.format.field
	m.format.field.symbol = func(content string) {
		kind, bars, text, err := barsOf(name, content)
		if err != nil {
			m.format.warn(kind + " " + content + ": " + err.Error())
			return
		}
		picture := paint.Traced(bars, module, height)
		m.format.paper.Put(picture, f.x, f.y)
		if caption {
			line := m.font.Line(text, captionHeight, captionHeight)
			m.format.paper.Put(line, f.x+max(0, (picture.Width-line.Width)/2), f.y+height+4)
		}
		m.drawn(kind, text, f.x+picture.Width)
	}
}

// drawn notes a symbol, and warns of one that leaves the paper.
func (m *machine) drawn(kind, content string, right int) {
	m.format.symbols = append(m.format.symbols, content)
	m.format.text = append(m.format.text, "["+kind+" "+content+"]")
	if right > m.format.paper.Width {
		m.format.warn(kind + " leaves the label")
	}
}

// barsOf gives the bars of a symbol, one dot high, and its plain text.
func barsOf(name, content string) (kind string, bars image.Image, text string, err error) {
	if name != "BC" {
		kind = map[string]string{"BE": "EAN-13", "B8": "EAN-8"}[name]
		digits := map[string]int{"BE": 12, "B8": 7}[name]
		if len(content) != digits && len(content) != digits+1 {
			return kind, nil, content, fmt.Errorf("want %d digits", digits)
		}
		code, err := ean.Encode(content[:digits])
		if err != nil {
			return kind, nil, content, err
		}
		return kind, code, code.Content(), nil
	}
	text, err = setB(content)
	if err != nil {
		return "Code 128", nil, content, err
	}
	code, err := code128.Encode(text)
	return "Code 128", code, text, err
}

// setB reads Code 128 data that begins with >: for set B, or with nothing; >0 is
// the greater-than sign.
func setB(content string) (string, error) {
	content = strings.TrimPrefix(content, ">:")
	var out strings.Builder
	for i := 0; i < len(content); i++ {
		switch {
		case content[i] != '>':
			out.WriteByte(content[i])
		case i+1 < len(content) && content[i+1] == '0':
			out.WriteByte('>')
			i++
		default:
			return "", fmt.Errorf("function %.2q is not drawn", content[i:])
		}
	}
	return out.String(), nil
}

var levels = map[byte]qr.ErrorCorrectionLevel{'L': qr.L, 'M': qr.M, 'Q': qr.Q, 'H': qr.H}

// qrCode prepares a QR code; its data begin with level, mode and comma.
func (m *machine) qrCode(p []string) {
	f, module := m.format.field, whole(p[2], 1, 10, 3)
	m.format.field.symbol = func(data string) {
		if len(data) < 4 || data[1] != 'A' || data[2] != ',' {
			m.format.warn("QR code without level and mode: " + data)
			return
		}
		level, ok := levels[data[0]]
		if !ok {
			m.format.warn("QR code of level " + data[:1])
			return
		}
		code, err := qr.Encode(data[3:], level, qr.Auto)
		if err != nil {
			m.format.warn("QR code: " + err.Error())
			return
		}
		picture := paint.Traced(code, module, module)
		m.format.paper.Put(picture, f.x, f.y)
		if f.y+picture.Height > m.format.paper.Height {
			m.format.warn("QR code leaves the label")
		}
		m.drawn("QR", data[3:], f.x+picture.Width)
	}
}
