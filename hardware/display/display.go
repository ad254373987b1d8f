// Package display drives customer displays of two lines of twenty characters,
// as the Epson DM-D and CD5220 families understand them.
package display

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/text/encoding/charmap"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/exchange"
)

// Columns is how many characters a line holds.
const Columns = 20

// Commands of the Epson DM-D series, as its manual names them.
const (
	epsonInit       = "\x1b@"     // ESC @: clear, overwrite mode, cursor home
	epsonPage       = "\x1bt"     // ESC t n: character code table
	epsonUSA        = "\x1bR\x00" // ESC R 0: brackets stay brackets
	epsonToDisplay  = "\x1b=\x02" // ESC = 2: a printer behind it hears nothing
	epsonOverwrite  = "\x1f\x01"  // US MD1
	epsonCursor     = "\x1fC"     // US C n
	epsonMove       = "\x1f$"     // US $ column row, from 1
	epsonBrightness = "\x1fX"     // US X n: 1 to 4
	clearScreen     = "\x0c"      // CLR, in both families
)

// Commands of the CD5220 mode, as the manuals of Logic Controls and Partner
// name them.
const (
	cdInit       = "\x1b@"
	cdOverwrite  = "\x1b\x11" // ESC DC1
	cdCursor     = "\x1b_"    // ESC _ n
	cdUpper      = "\x1bQA"   // ESC Q A text CR
	cdLower      = "\x1bQB"   // ESC Q B text CR
	cdEnd        = "\x0d"
	cdBrightness = "\x1b*" // ESC * n: 1 to 4
)

// Dialect is the family that a display belongs to.
type Dialect uint8

// Dialects.
const (
	EpsonDMD Dialect = iota
	CD5220
)

// Page is a character code table of the Epson dialect. CD5220 has page 437 as it
// is switched on; makers number the others differently.
type Page uint8

// Pages; the number is that of ESC t.
const (
	Page437  Page = 0
	Page850  Page = 2
	Page1252 Page = 16
	Page858  Page = 19
)

var pages = map[Page]*charmap.Charmap{
	Page437: charmap.CodePage437, Page850: charmap.CodePage850,
	Page1252: charmap.Windows1252, Page858: charmap.CodePage858,
}

// Config says what display it is. The zero value is an Epson display that shows
// page 437, which all have.
type Config struct {
	Dialect Dialect
	Page    Page
	Cursor  bool // a blinking cursor stands behind the text
}

// Display is a hardware.Display on one port.
type Display struct {
	line  *exchange.Line
	cfg   Config
	page  *charmap.Charmap
	ready chan struct{} // closed when the display was initialized, or Run has ended
	begin sync.Once     // closes ready

	mu    sync.Mutex
	ran   bool   // guarded by mu; Run has begun
	shown string // guarded by mu; what shows the lines again
}

var errLevel = errors.New("want 1 to 4")

// New makes a driver of a display on a port that is open. It serves one Run,
// which closes the port.
func New(port hardware.Port, cfg Config) *Display {
	if cfg.Dialect == CD5220 {
		cfg.Page = Page437
	}
	page := pages[cfg.Page]
	if page == nil {
		page, cfg.Page = pages[Page437], Page437
	}
	return &Display{line: exchange.New(port, 0), cfg: cfg, page: page, ready: make(chan struct{})}
}

// Run initializes the display and reads the port, to notice when it is gone,
// until ctx ends (nil) or the port fails (a fault).
func (d *Display) Run(ctx context.Context) error {
	d.mu.Lock()
	d.ran = true
	d.mu.Unlock()
	begun := func() { d.begin.Do(func() { close(d.ready) }) }
	defer begun()
	return d.line.Run(ctx, func(ctx context.Context) {
		defer begun()
		d.line.Tell(ctx, []byte(d.initial())) // a fault of the port reaches Run too
	})
}

func (d *Display) initial() string {
	cursor := "\x00"
	if d.cfg.Cursor {
		cursor = "\x01"
	}
	if d.cfg.Dialect == CD5220 {
		return cdInit + cdOverwrite + cdCursor + cursor + clearScreen
	}
	return epsonToDisplay + epsonInit + epsonUSA + epsonPage + string([]byte{byte(d.cfg.Page)}) +
		epsonOverwrite + epsonCursor + cursor + clearScreen
}

// Show replaces both lines. Text beyond the twentieth column is left out.
func (d *Display) Show(ctx context.Context, top, bottom string) error {
	lines := d.lines(top, bottom)
	d.keep(lines)
	return d.tell(ctx, "show", lines)
}

func (d *Display) keep(lines string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown = lines
}

// lines gives the bytes that show two lines. Every cell is written, so that
// nothing flickers, and each line at its place, so that a lost byte harms only
// one of them. Bytes below 20 are commands; none comes from a text.
func (d *Display) lines(top, bottom string) string {
	upper, lower := d.padded(top), d.padded(bottom)
	if d.cfg.Dialect == CD5220 {
		return cdUpper + upper + cdEnd + cdLower + lower + cdEnd
	}
	return epsonMove + "\x01\x01" + upper + epsonMove + "\x01\x02" + lower
}

func (d *Display) padded(text string) string {
	b := d.paged(text)
	return string(b[:min(len(b), Columns)]) + strings.Repeat(" ", max(0, Columns-len(b)))
}

// Clear blanks both lines.
func (d *Display) Clear(ctx context.Context) error {
	d.keep("")
	return d.tell(ctx, "clear", clearScreen)
}

// Brightness sets how bright the text is, from 1 to 4.
func (d *Display) Brightness(ctx context.Context, level int) error {
	if level < 1 || level > 4 {
		return fmt.Errorf("brightness %d: %w", level, errLevel)
	}
	value := string([]byte{byte(level)})
	if d.cfg.Dialect != CD5220 {
		return d.tell(ctx, "set brightness", epsonBrightness+value)
	}
	d.mu.Lock()
	shown := d.shown
	d.mu.Unlock()
	// A display whose lines were set takes no other command until it is cleared.
	return d.tell(ctx, "set brightness", clearScreen+cdBrightness+value+shown)
}

// tell sends what the initialization of a driver that runs would wipe out after
// that.
func (d *Display) tell(ctx context.Context, what, data string) error {
	d.mu.Lock()
	ran := d.ran
	d.mu.Unlock()
	if ran {
		select {
		case <-d.ready:
		case <-ctx.Done():
			return fmt.Errorf("%s on display: %w", what, ctx.Err())
		}
	}
	if _, err := d.line.Tell(ctx, []byte(data)); err != nil {
		return fmt.Errorf("%s on display: %w", what, err)
	}
	return nil
}

// Pair sets one text on the left and one, such as an amount, on the right of a
// line. The left one gives way.
func Pair(left, right string) string {
	l, r := []rune(left), []rune(right)
	r = r[:min(len(r), Columns)]
	room := max(0, Columns-len(r)-1)
	l = l[:min(len(l), room)]
	return string(l) + strings.Repeat(" ", Columns-len(l)-len(r)) + string(r)
}
