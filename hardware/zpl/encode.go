package zpl

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxSide   = 2400 // dots, 300 mm
	maxItems  = 100
	maxCopies = 999
	maxText   = 512  // runes of a text
	maxQR     = 1000 // bytes of a QR code
	leastSize = 10   // dots of a line of text
	mostSize  = 400
)

// writer collects the commands of one label.
type writer struct {
	label Label
	out   strings.Builder
}

// Encode gives the bytes that print the label, all of them ASCII. Every ^ and ~
// in them is part of a command; none comes from a text.
func Encode(l Label) ([]byte, error) {
	if l.Width < 1 || l.Width > maxSide || l.Height < 1 || l.Height > maxSide {
		return nil, fmt.Errorf("label of %d by %d dots: want 1 to %d", l.Width, l.Height, maxSide)
	}
	if l.Copies < 0 || l.Copies > maxCopies || len(l.Items) > maxItems {
		return nil, fmt.Errorf("label with %d copies, %d items: at most %d and %d",
			l.Copies, len(l.Items), maxCopies, maxItems)
	}
	w := &writer{label: l}
	// What an earlier label may have left otherwise is set: character set UTF-8,
	// size, home and no turning. What an installer set is left.
	fmt.Fprintf(&w.out, "^XA^CI28^PW%d^LL%d^LH0,0^PON^FWN\n", l.Width, l.Height)
	for i, item := range l.Items {
		if item == nil {
			return nil, fmt.Errorf("label item %d: is nil", i+1)
		}
		if err := item.write(w); err != nil {
			return nil, fmt.Errorf("label item %d: %w", i+1, err)
		}
	}
	fmt.Fprintf(&w.out, "^PQ%d,0,0,N^XZ\n", max(1, l.Copies))
	return []byte(w.out.String()), nil
}

// at begins a field.
func (w *writer) at(x, y int) error {
	if x < 0 || x >= w.label.Width || y < 0 || y >= w.label.Height {
		return fmt.Errorf("place %d, %d: outside a label of %d by %d dots",
			x, y, w.label.Width, w.label.Height)
	}
	fmt.Fprintf(&w.out, "^FO%d,%d", x, y)
	return nil
}

// data ends a field with its content, every byte of which is a printable one
// that means nothing, or the two digits of its number behind an underscore.
func (w *writer) data(content string) {
	w.out.WriteString("^FH_^FD")
	for i := range len(content) {
		if b := content[i]; harmless(b) {
			w.out.WriteByte(b)
		} else {
			fmt.Fprintf(&w.out, "_%02X", b)
		}
	}
	w.out.WriteString("^FS\n")
}

// harmless tells whether a byte of field data may stand as it is.
func harmless(b byte) bool {
	switch {
	case b >= '0' && b <= '9', b >= 'A' && b <= 'Z', b >= 'a' && b <= 'z':
		return true
	}
	return strings.IndexByte(` .,:;/+-()*$%&=!?'#\>`, b) >= 0
}

func (t Text) write(w *writer) error {
	lines := max(1, t.Lines)
	if t.Size < leastSize || t.Size > mostSize || t.Width < 1 || t.Width > maxSide || lines > 50 {
		return fmt.Errorf("text of size %d, %d lines of %d dots: out of range", t.Size, lines, t.Width)
	}
	if t.Align > Right {
		return fmt.Errorf("alignment %d: unknown", t.Align)
	}
	for i, line := range set(printable(t.Content), t.Size, t.Width, lines) {
		if err := w.at(t.X, t.Y+i*t.Size); err != nil {
			return err
		}
		fmt.Fprintf(&w.out, "^A0N,%d,%d", t.Size, t.Size)
		if t.Align != Left {
			fmt.Fprintf(&w.out, "^FB%d,1,0,%c,0", t.Width, " CR"[t.Align])
			// A backslash begins a command in a block, and printers differ on which.
			line = strings.ReplaceAll(line, `\`, "/")
		}
		w.data(line)
	}
	return nil
}

func (b Box) write(w *writer) error {
	if b.Width < 1 || b.Height < 1 || b.Thick < 1 || b.Width > maxSide || b.Height > maxSide ||
		b.Thick > max(b.Width, b.Height) {
		return fmt.Errorf("box of %d by %d, %d thick: out of range", b.Width, b.Height, b.Thick)
	}
	if err := w.at(b.X, b.Y); err != nil {
		return err
	}
	fmt.Fprintf(&w.out, "^GB%d,%d,%d^FS\n", b.Width, b.Height, b.Thick)
	return nil
}

func (b Barcode) write(w *writer) error {
	if b.Height < 1 || b.Height > maxSide || b.Module < 1 || b.Module > 10 {
		return fmt.Errorf("barcode %d dots high, modules of %d: out of range", b.Height, b.Module)
	}
	command, content, modules, err := b.symbol()
	if err != nil {
		return err
	}
	if b.X+modules*b.Module > w.label.Width {
		return fmt.Errorf("barcode of %d modules of %d dots: wider than the label", modules, b.Module)
	}
	if err := w.at(b.X, b.Y); err != nil {
		return err
	}
	fmt.Fprintf(&w.out, "^BY%d^%sN,%d,Y,N", b.Module, command, b.Height)
	w.data(content)
	return nil
}

var errPrintable = errors.New("want printable ASCII")

// symbol gives the command, the field data and the width in modules.
func (b Barcode) symbol() (command, content string, modules int, err error) {
	switch b.Kind {
	case EAN13, EAN8:
		digits, command, modules := 13, "BE", 95
		if b.Kind == EAN8 {
			digits, command, modules = 8, "B8", 67
		}
		if !rightEAN(b.Content, digits) {
			return "", "", 0, fmt.Errorf("EAN %q: want %d digits, the last a right check digit",
				b.Content, digits)
		}
		return command, b.Content[:digits-1], modules, nil // the printer adds the check digit
	case Code128:
		if b.Content == "" || len(b.Content) > 60 || !isASCII(b.Content) {
			return "", "", 0, fmt.Errorf("Code 128 %q: %w, 1 to 60", b.Content, errPrintable)
		}
		// Set B alone, which has every character; > invokes functions, >0 is itself.
		return "BC", ">:" + strings.ReplaceAll(b.Content, ">", ">0"), 11*(len(b.Content)+3) + 2, nil
	}
	return "", "", 0, fmt.Errorf("barcode kind %d: unknown", b.Kind)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func rightEAN(s string, digits int) bool {
	if len(s) != digits {
		return false
	}
	sum := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		sum += int(s[i]-'0') * (3 - 2*((digits-i)%2))
	}
	return sum%10 == 0
}

func (q QR) write(w *writer) error {
	if q.Content == "" || len(q.Content) > maxQR || !isASCII(q.Content) {
		return fmt.Errorf("QR code of %d bytes: %w, 1 to %d", len(q.Content), errPrintable, maxQR)
	}
	if q.Module < 1 || q.Module > 10 {
		return fmt.Errorf("QR code with modules of %d dots: want 1 to 10", q.Module)
	}
	if err := w.at(q.X, q.Y); err != nil {
		return err
	}
	fmt.Fprintf(&w.out, "^BQN,2,%d", q.Module)
	w.data("MA," + q.Content) // level M, automatic mode
	return nil
}
