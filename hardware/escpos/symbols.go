package escpos

import (
	"fmt"
	"strings"
)

// qrBytes is how many bytes a QR code of version 1, 2, … holds at level M
// (ISO/IEC 18004, table 7).
var qrBytes = [...]int{14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412,
	450, 504, 560, 624, 666, 711, 779, 857, 911, maxQR}

const (
	quietQR       = 4   // modules on each side
	quietBar      = 10  // modules on each side
	goodQRModule  = 6   // dots; 0.75 mm reads well from a phone's distance
	largestModule = 16  // dots, GS ( k function 67
	barDefault    = 80  // dots
	largestBar    = 255 // dots, GS h
)

func (q QR) write(w *writer) error {
	if err := inked(q.Content); err != nil {
		return fmt.Errorf("QR code: %w", err)
	}
	if len(q.Content) > maxQR {
		return fmt.Errorf("QR code of %d bytes: at most %d", len(q.Content), maxQR)
	}
	version := 0
	for qrBytes[version] < len(q.Content) {
		version++
	}
	modules := 17 + 4*(version+1) + 2*quietQR
	module := q.Module
	if module == 0 {
		module = min(goodQRModule, w.width*dotsOfCell/modules)
	}
	if module < 1 || module > largestModule || module*modules > w.width*dotsOfCell {
		return fmt.Errorf("QR code of %d modules of %d dots: does not fit the paper", modules, module)
	}
	stored := len(q.Content) + 3
	w.feed(1)
	w.wire.WriteString(qrModel + qrModule + string(rune(module)) + qrLevelM)
	w.wire.Write([]byte{0x1d, '(', 'k', byte(stored), byte(stored >> 8), '1', 'P', '0'})
	w.wire.WriteString(q.Content + qrPrint)
	w.feed(1)
	w.mark("[QR " + printable(q.Content) + "]")
	return nil
}

func (b Barcode) write(w *writer) error {
	height := b.Height
	if height == 0 {
		height = barDefault
	}
	if height < 1 || height > largestBar {
		return fmt.Errorf("barcode %d dots high: want 1 to %d", height, largestBar)
	}
	symbol, modules, err := b.symbol()
	if err != nil {
		return err
	}
	module := min(3, w.width*dotsOfCell/(modules+2*quietBar))
	if module < 2 {
		return fmt.Errorf("barcode of %d modules: does not fit the paper", modules)
	}
	w.feed(1)
	w.wire.WriteString(barHeight)
	w.wire.WriteByte(byte(height))
	w.wire.WriteString(barModule)
	w.wire.WriteByte(byte(module))
	w.wire.WriteString(barText + barFont + barPrint)
	w.wire.Write(symbol)
	w.feed(1)
	w.mark("[" + b.Kind.String() + " " + b.Content + "]")
	return nil
}

// String names the family as on packages.
func (k Kind) String() string {
	switch k {
	case EAN13:
		return "EAN-13"
	case Code128:
		return "Code 128"
	}
	return fmt.Sprintf("barcode kind %d", uint8(k))
}

// symbol gives "m n data" of GS k and the width in modules.
func (b Barcode) symbol() (symbol []byte, modules int, err error) {
	switch b.Kind {
	case EAN13:
		if !rightEAN13(b.Content) {
			return nil, 0, fmt.Errorf("EAN-13 %q: want 13 digits with a right check digit", b.Content)
		}
		return append([]byte{67, 13}, b.Content...), 95, nil
	case Code128:
		if err := inked(b.Content); err != nil {
			return nil, 0, fmt.Errorf("Code 128: %w", err)
		}
		for i := range len(b.Content) {
			if b.Content[i] > 0x7e {
				return nil, 0, fmt.Errorf("Code 128 %q: want ASCII", b.Content)
			}
		}
		// Set B alone: in set C pairs of digits would travel as control bytes.
		data := "{B" + strings.ReplaceAll(b.Content, "{", "{{")
		if len(data) > 255 {
			return nil, 0, fmt.Errorf("Code 128 of %d characters: too long", len(b.Content))
		}
		return append([]byte{73, byte(len(data))}, data...), 11*(len(b.Content)+3) + 2, nil
	}
	return nil, 0, fmt.Errorf("%v: unknown", b.Kind)
}

func rightEAN13(s string) bool {
	if len(s) != 13 {
		return false
	}
	sum := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		sum += int(s[i]-'0') * (1 + 2*(i%2))
	}
	return sum%10 == 0
}

func (w *writer) mark(text string) {
	for _, line := range wrapped(text, w.width) {
		w.note(padded(line, w.width, Centre))
	}
}
