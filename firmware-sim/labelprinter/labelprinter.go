// Package labelprinter is the firmware of a ZPL II label printer of 203 dpi with
// its roll of labels, on a pseudo terminal or a TCP port. It shares no code with
// the driver, so that the two do not agree on a mistake.
package labelprinter

import (
	"fmt"
	"image/color"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast.dev/firmware-sim/paint"
	"holdfast.dev/firmware-sim/wire"
)

// Options say what printer it is and where it is plugged in.
type Options struct {
	wire.Options
	Speed  int    // mm of labels per second; 0 is at once
	Chatty bool   // answers ~HS also when labels are out or the head is open
	OutDir string // where labels go as pictures and texts; empty: nowhere
}

// Label is a label that came out of the printer.
type Label struct {
	Number        int
	Width, Height int       // dots
	Text          string    // its texts in the order in which they were sent
	Symbols       []string  // contents of its codes
	Warnings      []string  // what a technician should look at
	At            time.Time // when it was out
	paper         *paint.Dots
}

// PNG is a picture of the label, at 8 dots per mm.
func (l Label) PNG() ([]byte, error) {
	return l.paper.PNG(color.White, color.Black, perMM*1000)
}

// State is what a bystander sees.
type State struct {
	On        bool
	MediaOut  bool
	RibbonOut bool
	HeadOpen  bool
	Paused    bool
	Waiting   int // labels that it has and did not print yet
	Spoiled   int // labels that were half printed when something failed
	Unknown   int // commands that no manual names, or that are not drawn
	Fault     error
}

// Printer is a label printer that is switched on, with labels in it.
type Printer struct {
	Cable   *wire.Cable
	machine *machine
	outDir  string
	saved   int   // owned by the cable's goroutine
	fault   error // owned by the cable's goroutine
}

// Start switches a printer on and plugs it in.
func Start(o Options) (*Printer, error) {
	p, err := newPrinter(o)
	if err != nil {
		return nil, err
	}
	if p.Cable, err = wire.Start(o.Options, saving{p.machine, p}); err != nil {
		return nil, err
	}
	return p, nil
}

// On switches a printer on at the other end of a connection.
func On(conn io.ReadWriteCloser, o Options) (*Printer, error) {
	p, err := newPrinter(o)
	if err != nil {
		return nil, err
	}
	p.Cable = wire.Attach(conn, saving{p.machine, p})
	return p, nil
}

func newPrinter(o Options) (*Printer, error) {
	font, err := paint.LoadFont()
	if err != nil {
		return nil, err
	}
	if o.OutDir != "" {
		if err := os.MkdirAll(o.OutDir, 0o755); err != nil {
			return nil, fmt.Errorf("make label folder: %w", err)
		}
	}
	p := &Printer{machine: newMachine(font, o.Speed), outDir: o.OutDir}
	p.machine.chatty = o.Chatty
	return p, nil
}

// saving is the machine with a folder for what it prints.
type saving struct {
	*machine
	printer *Printer
}

// Step steps the machine and saves what came out.
func (s saving) Step(now time.Time, in []byte) []byte {
	out := s.machine.Step(now, in)
	p := s.printer
	for _, l := range p.machine.printed {
		if p.outDir != "" && l.Number > p.saved {
			p.saved = l.Number
			p.fault = save(p.outDir, l)
		}
	}
	return out
}

func save(dir string, l Label) error {
	base := filepath.Join(dir, fmt.Sprintf("label-%06d", l.Number))
	picture, err := l.PNG()
	if err != nil {
		return err
	}
	if err := os.WriteFile(base+".txt", []byte(l.Text+"\n"), 0o644); err != nil {
		return fmt.Errorf("save label: %w", err)
	}
	if err := os.WriteFile(base+".png", picture, 0o644); err != nil {
		return fmt.Errorf("save label: %w", err)
	}
	return nil
}

// SetMedia takes the roll out, or puts a full one in.
func (p *Printer) SetMedia(in bool) { p.do(func(m *machine) { m.mediaOut = !in }) }

// SetRibbon takes the ribbon out, or puts one in.
func (p *Printer) SetRibbon(in bool) { p.do(func(m *machine) { m.ribbonOut = !in }) }

// SetHead opens or closes the print head.
func (p *Printer) SetHead(open bool) { p.do(func(m *machine) { m.headOpen = open }) }

// SetPaused presses the pause button.
func (p *Printer) SetPaused(paused bool) { p.do(func(m *machine) { m.paused = paused }) }

// SetPower switches the printer off, which empties its memory, or on: it then
// hears nothing for a while.
func (p *Printer) SetPower(on bool) {
	p.Cable.Do(func(now time.Time) {
		p.machine.reset()
		p.machine.switched, p.machine.booted = on, now.Add(boots)
	})
}

func (p *Printer) do(f func(m *machine)) { p.Cable.Do(func(time.Time) { f(p.machine) }) }

// State is the printer's state at this moment.
func (p *Printer) State() (s State) {
	p.do(func(m *machine) {
		s = State{On: m.switched, MediaOut: m.mediaOut, RibbonOut: m.ribbonOut, HeadOpen: m.headOpen,
			Paused: m.paused, Spoiled: m.spoiled, Unknown: m.unknown, Fault: p.fault}
		for _, b := range m.queue {
			s.Waiting += b.left
		}
	})
	return s
}

// Labels are those printed so far, oldest first, at most the last 200.
func (p *Printer) Labels() (all []Label) {
	p.do(func(m *machine) { all = append(all, m.printed...) })
	return all
}

// Close takes the printer away.
func (p *Printer) Close() error { return p.Cable.Close() }

// Panel is the printer's page.
func (p *Printer) Panel() wire.Panel {
	on := func(do func(bool)) func(url.Values) error {
		return func(f url.Values) error { do(f.Get("on") == "true"); return nil }
	}
	return wire.Panel{
		Title: "Label printer, ZPL II", Cable: p.Cable, View: p.view, Picture: p.lastPicture,
		Do: map[string]func(url.Values) error{
			"media": on(p.SetMedia), "ribbon": on(p.SetRibbon), "head": on(p.SetHead),
			"pause": on(p.SetPaused), "power": on(p.SetPower),
		},
	}
}

func (p *Printer) lastPicture() []byte {
	labels := p.Labels()
	if len(labels) == 0 {
		return nil
	}
	picture, err := labels[len(labels)-1].PNG()
	if err != nil {
		return nil
	}
	return picture
}

func (p *Printer) view() wire.View {
	s, labels := p.State(), p.Labels()
	v := wire.View{Facts: []wire.Fact{
		{Name: "labels printed", Value: fmt.Sprint(len(labels))},
		{Name: "waiting", Value: fmt.Sprint(s.Waiting), Bad: s.Waiting > 0},
		{Name: "unknown commands", Value: fmt.Sprint(s.Unknown), Bad: s.Unknown > 0},
	}}
	if n := len(labels); n > 0 {
		last := labels[n-1]
		v.Picture = fmt.Sprint(last.Number)
		v.Facts = append(v.Facts, wire.Fact{Name: "last label", Value: last.Text},
			wire.Fact{Name: "warnings", Value: strings.Join(last.Warnings, "; "), Bad: true})
	}
	if s.Fault != nil {
		v.Facts = append(v.Facts, wire.Fact{Name: "not saved", Value: s.Fault.Error(), Bad: true})
	}
	for _, c := range []struct {
		do, yes, no string
		is          bool // what the button undoes
	}{
		{"media", "Put labels in", "Take the labels out", s.MediaOut},
		{"ribbon", "Put a ribbon in", "Take the ribbon out", s.RibbonOut},
		{"head", "Open the head", "Close the head", !s.HeadOpen},
		{"pause", "Pause", "Go on", !s.Paused},
		{"power", "Switch on", "Switch off", !s.On},
	} {
		label := c.no
		if c.is {
			label = c.yes
		}
		v.Actions = append(v.Actions, wire.Action{Label: label, Do: c.do,
			Fields: map[string]string{"on": fmt.Sprint(c.is)}})
	}
	return v
}
