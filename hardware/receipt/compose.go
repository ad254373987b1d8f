package receipt

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Paper is what a printer offers a receipt.
type Paper struct {
	Columns int // of normal width
	Dots    int // across the columns
	Charset Charset
}

// Piece is one step of printing, from top to bottom: TextLine, Picture, Matrix,
// Bars, Blank, Knife or Pulse.
type Piece interface{ piece() }

// Style is how characters look; Wide and Tall are 1 to 8.
type Style struct {
	Bold, Underline, Inverse bool
	Wide, Tall               int
}

// Run is characters of one style. All of them are in the charset, and none is
// a control character.
type Run struct {
	Text string
	Style
}

// TextLine is one line, padded to the document's width.
type TextLine struct{ Runs []Run }

// Picture is an image that fits the paper.
type Picture struct{ Image }

// Matrix is a QR code that fits the paper, with an error correction of 15 %.
type Matrix struct {
	Content string // printable
	Module  int    // dots
}

// Bars is a linear symbol that fits the paper.
type Bars struct {
	Kind    Kind
	Content string
	Module  int // dots, 2 or 3
	Height  int // dots, 1 to 255
}

// Blank is a number of empty lines, at most 20.
type Blank struct{ Lines int }

// Knife cuts the paper below the last line.
type Knife struct{}

// Pulse drives the coil of drawer 1 or 2.
type Pulse struct{ Drawer int }

func (TextLine) piece() {}
func (Picture) piece()  {}
func (Matrix) piece()   {}
func (Bars) piece()     {}
func (Blank) piece()    {}
func (Knife) piece()    {}
func (Pulse) piece()    {}

const (
	maxFeed    = 20
	maxCells   = 8
	dotsOfCell = 12 // usual
)

// Compose lays a document out. A block that cannot be printed is an error.
func Compose(d Document, p Paper) ([]Piece, error) {
	c, err := compose(d, p)
	if err != nil {
		return nil, err
	}
	return c.pieces, nil
}

// Text gives the receipt as plain text for logs and tests, with the same
// spelling and line breaks as on western paper of its width. A block that
// cannot be printed shows as its reason.
func Text(d Document) string {
	columns := d.Width
	if columns == 0 {
		columns = 42
	}
	c, err := compose(d, Paper{Columns: columns, Dots: columns * dotsOfCell, Charset: western})
	if err != nil {
		return c.text.String() + "[" + err.Error() + "]\n"
	}
	return c.text.String()
}

type composer struct {
	width, dots int
	charset     Charset
	pieces      []Piece
	text        strings.Builder
}

func compose(d Document, p Paper) (*composer, error) {
	c := &composer{width: d.Width, charset: p.Charset, pieces: make([]Piece, 0, 2*len(d.Blocks))}
	switch {
	case d.Width != 0 && d.Width != 32 && d.Width != 42 && d.Width != 48:
		return c, fmt.Errorf("receipt of %d columns: want 32, 42 or 48", d.Width)
	case p.Columns < 1 || p.Dots < p.Columns || len(p.Charset) == 0:
		return c, fmt.Errorf("paper of %d columns on %d dots", p.Columns, p.Dots)
	case d.Width == 0 || d.Width > p.Columns:
		c.width = p.Columns
	}
	c.dots = p.Dots * c.width / p.Columns
	for i, b := range d.Blocks {
		if b == nil {
			return c, fmt.Errorf("receipt block %d: is nil", i+1)
		}
		if err := b.compose(c); err != nil {
			return c, fmt.Errorf("receipt block %d: %w", i+1, err)
		}
	}
	return c, nil
}

// add adds a piece and what the transcript says of it.
func (c *composer) add(p Piece, note string) {
	c.pieces = append(c.pieces, p)
	c.note(note)
}

func (c *composer) note(text string) {
	c.text.WriteString(strings.TrimRight(text, " "))
	c.text.WriteByte('\n')
}

// line adds one line of spelled text that fills the width.
func (c *composer) line(text string, style Style) {
	style.Wide, style.Tall = 1, 1
	c.add(TextLine{Runs: []Run{{text, style}}}, text)
}

func (l Line) compose(c *composer) error {
	style := Style{l.Bold, l.Underline, l.Inverse, max(1, l.Wide), max(1, l.Tall)}
	if l.Wide < 0 || style.Wide > 8 || l.Tall < 0 || style.Tall > 8 {
		return fmt.Errorf("size %d by %d: want 1 to 8", l.Wide, l.Tall)
	}
	columns := max(1, c.width/style.Wide)
	decorated := l.Underline || l.Inverse || style.Wide > 1 || style.Tall > 1
	for _, text := range wrapped(c.charset.spell(l.Text), columns) {
		if !decorated {
			c.line(padded(text, columns, l.Align), style)
			continue
		}
		c.decorated(text, l.Align, style)
	}
	return nil
}

// decorated adds a line of which the blanks around the text are plain, so that
// it stands in the middle to the dot, and only the text is black.
func (c *composer) decorated(text string, align Align, style Style) {
	taken := style.Wide * utf8.RuneCountInString(text)
	blank := max(0, c.width-taken)
	before := 0
	switch align {
	case Centre:
		before = blank / 2
	case Right:
		before = blank
	}
	around := Style{Bold: style.Bold, Wide: 1, Tall: 1}
	runs := make([]Run, 0, 3)
	for _, r := range []Run{
		{strings.Repeat(" ", before), around}, {text, style}, {strings.Repeat(" ", blank-before),
			around},
	} {
		if r.Text != "" {
			runs = append(runs, r)
		}
	}
	c.add(TextLine{Runs: runs}, padded(text, c.width, align))
}

func (r Row) compose(c *composer) error {
	if len(r.Cells) < 1 || len(r.Cells) > maxCells {
		return fmt.Errorf("row of %d cells: want 1 to %d", len(r.Cells), maxCells)
	}
	cells := make([]Cell, len(r.Cells))
	for i, cell := range r.Cells {
		if cell.Width < Fit {
			return fmt.Errorf("cell %d: width %d", i+1, cell.Width)
		}
		cell.Width = min(cell.Width, c.width)
		cell.Text = c.charset.spell(cell.Text)
		cells[i] = cell
	}
	for _, text := range rowLines(cells, c.width) {
		c.line(text, Style{Bold: r.Bold})
	}
	return nil
}

func (Rule) compose(c *composer) error {
	c.line(strings.Repeat("-", c.width), Style{})
	return nil
}

func (f Feed) compose(c *composer) error {
	if f.Lines < 1 || f.Lines > maxFeed {
		return fmt.Errorf("feed of %d lines: want 1 to %d", f.Lines, maxFeed)
	}
	c.pieces = append(c.pieces, Blank(f))
	c.text.WriteString(strings.Repeat("\n", f.Lines))
	return nil
}

func (Cut) compose(c *composer) error {
	c.add(Knife{}, "[cut]")
	return nil
}

func (k Kick) compose(c *composer) error {
	if k.Drawer != 1 && k.Drawer != 2 {
		return fmt.Errorf("drawer %d: want 1 or 2", k.Drawer)
	}
	c.pieces = append(c.pieces, Pulse(k))
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
