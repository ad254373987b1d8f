// Package display is the firmware of a customer display of two lines, Epson DM-D
// or CD5220, on a pseudo terminal or a TCP port. It shares no code with the
// driver, so that the two do not agree on a mistake.
package display

import (
	"fmt"
	"image/color"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"holdfast.dev/firmware-sim/paint"
	"holdfast.dev/firmware-sim/wire"
)

// Dialects.
const (
	Epson  = "epson"
	CD5220 = "cd5220"
)

// Options say what display it is and where it is plugged in.
type Options struct {
	wire.Options
	Dialect string // Epson, which is the default, or CD5220
}

// State is what a bystander sees.
type State struct {
	Lines      [Rows]string // twenty characters each
	Brightness int          // 1 to 4; 0 is dark
	Blinking   bool
	Unknown    int // commands received that no manual names
}

// Display is a display that is switched on.
type Display struct {
	Cable   *wire.Cable
	name    string
	font    *paint.Font
	machine *machine

	mu  sync.Mutex
	off bool // guarded by mu
}

// Start switches a display on and plugs it in.
func Start(o Options) (*Display, error) {
	d, err := newDisplay(o.Dialect)
	if err != nil {
		return nil, err
	}
	if d.Cable, err = wire.Start(o.Options, d.machine); err != nil {
		return nil, err
	}
	return d, nil
}

// On switches a display on at the other end of a connection.
func On(conn io.ReadWriteCloser, dialect string) (*Display, error) {
	d, err := newDisplay(dialect)
	if err != nil {
		return nil, err
	}
	d.Cable = wire.Attach(conn, d.machine)
	return d, nil
}

func newDisplay(dialect string) (*Display, error) {
	if dialect == "" {
		dialect = Epson
	}
	if dialect != Epson && dialect != CD5220 {
		return nil, fmt.Errorf("display dialect %q: want %s or %s", dialect, Epson, CD5220)
	}
	font, err := paint.LoadFont()
	if err != nil {
		return nil, err
	}
	return &Display{name: dialect, font: font, machine: newMachine(dialect == CD5220)}, nil
}

// State is what shows at this moment.
func (d *Display) State() State {
	var s State
	d.Cable.Do(func(time.Time) { s = d.machine.state() })
	if d.isOff() {
		s.Brightness = 0
	}
	return s
}

func (m *machine) state() State {
	s := State{Brightness: m.brightness, Blinking: m.blink > 0 && m.blink < 255, Unknown: m.unknown}
	if m.blink == 255 {
		s.Brightness = 0
	}
	for y, row := range m.cells {
		s.Lines[y] = string(row[:])
	}
	return s
}

// SetPower switches the display off, or on with the settings of a new one.
func (d *Display) SetPower(on bool) {
	d.Cable.Do(func(time.Time) { d.machine.initialize() })
	f := d.Cable.Faults()
	f.Deaf = !on
	d.Cable.SetFaults(f)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = !on
}

func (d *Display) isOff() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.off
}

// Close takes the display away.
func (d *Display) Close() error { return d.Cable.Close() }

// Places and sizes in the picture, in dots.
const (
	cellWide, cellTall = 24, 48
	pitch, lead        = 27, 60
	frame              = 16
	perMetre           = 4000
)

// PNG is a picture of the display.
func (d *Display) PNG() ([]byte, error) {
	s := d.State()
	picture := paint.New(2*frame+Columns*pitch-(pitch-cellWide), 2*frame+lead+cellTall)
	if s.Brightness > 0 {
		for y, line := range s.Lines {
			for x, r := range []rune(line) {
				picture.Put(d.font.Cell(r, cellWide, cellTall), frame+x*pitch, frame+y*lead)
			}
		}
	}
	return picture.PNG(color.RGBA{0x10, 0x1c, 0x1a, 0xff}, glow(s.Brightness), perMetre)
}

// glow is the colour of lit lamps.
func glow(brightness int) color.Color {
	percent := [...]int{0, 40, 60, 80, 100}[brightness]
	part := func(full int) uint8 { return uint8(full * percent / 100) }
	return color.RGBA{part(0x7a), part(0xff), part(0xd8), 0xff}
}

// Panel is the display's page.
func (d *Display) Panel() wire.Panel {
	return wire.Panel{
		Title: "Customer display, " + d.name, Cable: d.Cable, View: d.view,
		Picture: func() []byte {
			picture, err := d.PNG()
			if err != nil {
				return nil
			}
			return picture
		},
		Do: map[string]func(url.Values) error{
			"power": func(f url.Values) error { d.SetPower(f.Get("on") == "true"); return nil },
		},
	}
}

func (d *Display) view() wire.View {
	s := d.State()
	power := wire.Action{Label: "Switch off", Do: "power", Fields: map[string]string{"on": "false"}}
	if d.isOff() {
		power = wire.Action{Label: "Switch on", Do: "power", Fields: map[string]string{"on": "true"}}
	}
	return wire.View{
		Picture: fmt.Sprint(strings.Join(s.Lines[:], "\n"), s.Brightness),
		Facts: []wire.Fact{
			{Name: "upper line", Value: s.Lines[0]}, {Name: "lower line", Value: s.Lines[1]},
			{Name: "brightness", Value: fmt.Sprintf("%d of 4", s.Brightness), Bad: s.Brightness == 0},
			{Name: "unknown commands", Value: fmt.Sprint(s.Unknown), Bad: s.Unknown > 0},
		},
		Actions: []wire.Action{power},
	}
}
