package escpos

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Commands, named as in the ESC/POS command reference.
const (
	lf         = "\x0a"
	initialize = "\x1b@"         // ESC @
	kanjiOff   = "\x1c."         // FS . ; Chinese models start with it on
	page1252   = "\x1bt\x10"     // ESC t 16
	setUSA     = "\x1bR\x00"     // ESC R 0: brackets stay brackets
	centred    = "\x1ba\x01"     // ESC a 1
	boldOn     = "\x1bE\x01"     // ESC E
	boldOff    = "\x1bE\x00"     //
	size       = "\x1d!"         // GS ! n: high nibble width-1, low nibble height-1
	feed       = "\x1bd"         // ESC d n: lines
	cut        = "\x1dV\x42\x00" // GS V 66 0: feed to the knife, cut
	barHeight  = "\x1dh"         // GS h n: dots
	barModule  = "\x1dw"         // GS w n: dots per module
	barText    = "\x1dH\x02"     // GS H 2: content below
	barFont    = "\x1df\x00"     // GS f 0: font A
	barPrint   = "\x1dk"         // GS k m n data
	qrModel    = "\x1d(k\x04\x001A2\x00"
	qrModule   = "\x1d(k\x03\x001C"
	qrLevelM   = "\x1d(k\x03\x001E1"
	qrPrint    = "\x1d(k\x03\x001Q0"
)

const (
	maxFeed    = 20
	maxCells   = 8
	dotsOfCell = 12 // font A
	// A longer code could not be read from paper this narrow, and its length
	// bytes could look like a real-time command (10 04, 10 05, 10 14).
	maxQR = 997
)

// Encode gives the bytes that print the document. Every byte below 20 and
// every 7F in them is part of a command; none comes from a text.
func Encode(d Document) ([]byte, error) {
	w, err := write(d)
	if err != nil {
		return nil, err
	}
	return w.wire.Bytes(), nil
}

// Text gives the receipt as plain text for logs and tests, with the same
// spelling and line breaks as on paper. A block that Encode refuses shows as its reason.
func Text(d Document) string {
	w, err := write(d)
	if err != nil {
		return w.text.String() + "[" + err.Error() + "]\n"
	}
	return w.text.String()
}

type writer struct {
	width int
	wire  bytes.Buffer
	text  strings.Builder
}

func write(d Document) (*writer, error) {
	w := &writer{width: d.Width}
	if d.Width != 32 && d.Width != 42 && d.Width != 48 {
		return w, fmt.Errorf("receipt of %d columns: want 32, 42 or 48", d.Width)
	}
	// All lines are padded to the width and centred, so that 42 columns stand
	// in the middle of a printer that has 48.
	w.wire.WriteString(initialize + kanjiOff + page1252 + setUSA + centred)
	for i, b := range d.Blocks {
		if b == nil {
			return w, fmt.Errorf("receipt block %d: is nil", i+1)
		}
		if err := b.write(w); err != nil {
			return w, fmt.Errorf("receipt block %d: %w", i+1, err)
		}
	}
	return w, nil
}

// line adds one line of printable text that fills the width.
func (w *writer) line(text string) {
	w.wire.Write(paged(text))
	w.wire.WriteString(lf)
	w.note(text)
}

func (w *writer) note(text string) {
	w.text.WriteString(strings.TrimRight(text, " "))
	w.text.WriteByte('\n')
}

func (w *writer) bold(on bool, lines func()) {
	if on {
		w.wire.WriteString(boldOn)
		defer w.wire.WriteString(boldOff)
	}
	lines()
}

func (l Line) write(w *writer) error {
	wide, tall := max(1, l.Wide), max(1, l.Tall)
	if l.Wide < 0 || wide > 8 || l.Tall < 0 || tall > 8 {
		return fmt.Errorf("size %d by %d: want 1 to 8", l.Wide, l.Tall)
	}
	columns := w.width / wide
	w.bold(l.Bold, func() {
		for _, text := range wrapped(printable(l.Text), columns) {
			if wide == 1 && tall == 1 {
				w.line(padded(text, columns, l.Align))
				continue
			}
			w.large(text, l.Align, wide, tall)
		}
	})
	return nil
}

// large adds a line of large text; the blanks around it have normal size, so
// that it stands in the middle to the dot.
func (w *writer) large(text string, align Align, wide, tall int) {
	taken := wide * len([]rune(text))
	blanks := padded(strings.Repeat("x", taken), w.width, align)
	before := strings.IndexByte(blanks+"x", 'x')
	w.wire.WriteString(strings.Repeat(" ", before) + size)
	w.wire.WriteByte(byte(wide-1)<<4 | byte(tall-1))
	w.wire.Write(paged(text))
	w.wire.WriteString(size + "\x00" + strings.Repeat(" ", w.width-taken-before) + lf)
	w.note(padded(text, w.width, align))
}

func (r Row) write(w *writer) error {
	if len(r.Cells) < 1 || len(r.Cells) > maxCells {
		return fmt.Errorf("row of %d cells: want 1 to %d", len(r.Cells), maxCells)
	}
	cells := make([]Cell, len(r.Cells))
	for i, c := range r.Cells {
		if c.Width < Fit {
			return fmt.Errorf("cell %d: width %d", i+1, c.Width)
		}
		c.Width = min(c.Width, w.width)
		c.Text = printable(c.Text)
		cells[i] = c
	}
	w.bold(r.Bold, func() {
		for _, text := range rowLines(cells, w.width) {
			w.line(text)
		}
	})
	return nil
}

func (Rule) write(w *writer) error {
	w.line(strings.Repeat("-", w.width))
	return nil
}

func (f Feed) write(w *writer) error {
	if f.Lines < 1 || f.Lines > maxFeed {
		return fmt.Errorf("feed of %d lines: want 1 to %d", f.Lines, maxFeed)
	}
	w.feed(f.Lines)
	w.text.WriteString(strings.Repeat("\n", f.Lines))
	return nil
}

func (w *writer) feed(lines int) {
	w.wire.WriteString(feed)
	w.wire.WriteByte(byte(lines))
}

func (Cut) write(w *writer) error {
	w.wire.WriteString(cut)
	w.note("[cut]")
	return nil
}

var errContent = errors.New("content must be printable")

// inked says that a symbol's content holds no byte that a printer could obey.
func inked(content string) error {
	if content == "" {
		return errors.New("content is empty")
	}
	for i := range len(content) {
		if content[i] < ' ' || content[i] == 0x7f {
			return errContent
		}
	}
	return nil
}
