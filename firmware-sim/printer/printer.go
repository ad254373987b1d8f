// Package printer is the firmware of an ESC/POS receipt printer with its
// paper: it speaks on a pseudo terminal or a TCP port and draws what it prints.
package printer

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Options say what printer it is and where it is plugged in.
type Options struct {
	Link   string // symbolic link to make to the pseudo terminal; may be empty
	TCP    string // listen address instead of a pseudo terminal
	Dots   int    // per line: 576 (80 mm paper) or 384 (58 mm); 0 means 576
	OutDir string // where receipts go; made if absent
	Baud   int    // speed of the line; 0 is unlimited
	Speed  int    // of the paper, in mm/s; 0 is at once
}

// State is what a bystander sees of the printer.
type State struct {
	Address   string // device or address to open
	On        bool   // has power
	Plugged   bool   // the cable is in
	PaperOut  bool
	PaperLow  bool
	CoverOpen bool
	Unknown   int   // commands received that no manual names
	Pulses    int   // times the drawer's coil was driven
	Fault     error // last receipt that could not be saved, if any
}

// Printer is a running printer. Its methods may be called from anywhere.
//
// PowerOff and Unplug both end the connection, as USB and network printers do;
// PowerOff also empties the buffer, while an unplugged printer prints on what it has.
type Printer struct {
	options Options
	input   chan []byte
	orders  chan func()
	quit    chan struct{}
	stopped chan struct{}
	once    sync.Once

	// Owned by run.
	machine     *machine
	line        line
	up          bool
	next        int // number of the next receipt
	unplugAfter int // bytes; 0 is never

	mu       sync.Mutex
	state    State         // guarded by mu
	receipts []Receipt     // guarded by mu
	changed  chan struct{} // guarded by mu; closed at the next change
}

// Start switches a printer on, with paper in it and its cable plugged in.
func Start(o Options) (*Printer, error) {
	if o.Dots == 0 {
		o.Dots = 576
	}
	if o.Dots != 576 && o.Dots != 384 {
		return nil, fmt.Errorf("print head of %d dots: want 576 or 384", o.Dots)
	}
	if o.Link != "" && o.TCP != "" {
		return nil, errors.New("printer on a link and on TCP: want one of them")
	}
	if err := os.MkdirAll(o.OutDir, 0o755); err != nil {
		return nil, fmt.Errorf("make receipt folder: %w", err)
	}
	faces, err := loadFaces()
	if err != nil {
		return nil, err
	}
	p := &Printer{
		options: o,
		input:   make(chan []byte), orders: make(chan func()),
		quit: make(chan struct{}), stopped: make(chan struct{}),
		machine: newMachine(faces, o.Dots, o.Speed),
		changed: make(chan struct{}),
		state:   State{On: true, Plugged: true},
	}
	var highest int
	if p.receipts, highest, err = earlier(o.OutDir); err != nil {
		return nil, err
	}
	p.next = highest + 1
	if p.line = (&ptyLine{link: o.Link, baud: o.Baud}); o.TCP != "" {
		p.line = &tcpLine{listen: o.TCP, baud: o.Baud}
	}
	if err := p.connect(); err != nil {
		return nil, err
	}
	go p.run()
	return p, nil
}

// run owns the machine and the line.
func (p *Printer) run() {
	defer close(p.stopped)
	defer p.line.unplug()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		input := p.input
		if p.machine.free() < burst {
			input = nil // the line stops, as with hardware flow control
		}
		if at, waits := p.machine.wake(); waits {
			alarm.Reset(max(0, time.Until(at)))
		}
		select {
		case <-p.quit:
			return
		case order := <-p.orders:
			order()
		case in := <-input:
			p.take(in)
		case <-alarm.C:
		}
		p.work()
	}
}

// take receives bytes, up to the place where the cable is to be pulled.
func (p *Printer) take(in []byte) {
	if p.unplugAfter == 0 || len(in) < p.unplugAfter {
		p.machine.receive(in)
		p.unplugAfter = max(0, p.unplugAfter-len(in))
		return
	}
	p.machine.receive(in[:p.unplugAfter])
	p.unplugAfter = 0
	p.setState(func(s *State) { s.Plugged = false })
	p.connect()
}

// work lets the machine go on, and hands out what it produced.
func (p *Printer) work() {
	m := p.machine
	m.step(time.Now())
	for _, piece := range m.cuts {
		piece.at = time.Now()
		p.keep(piece)
	}
	m.cuts = nil
	p.setState(func(s *State) {
		s.PaperOut, s.PaperLow, s.CoverOpen = m.paperOut, m.paperLow, m.cover
		s.Unknown, s.Pulses = m.unknown, m.pulses
	})
	if out := m.out; len(out) > 0 {
		m.out = nil
		p.line.write(out)
	}
}

func (p *Printer) keep(piece sheet) {
	receipt, err := save(p.options.OutDir, p.next, piece)
	if err != nil {
		p.setState(func(s *State) { s.Fault = err })
		return
	}
	p.next++
	p.mu.Lock()
	defer p.mu.Unlock()
	p.receipts = append(p.receipts, receipt)
	p.receipts = p.receipts[max(0, len(p.receipts)-maxReceipts):]
	p.tell()
}

// connect makes the line as the state wants it.
func (p *Printer) connect() error {
	p.mu.Lock()
	want := p.state.On && p.state.Plugged
	p.mu.Unlock()
	if want == p.up {
		return nil
	}
	if !want {
		p.line.unplug()
		p.machine.out = nil
	} else if err := p.line.plug(p.input); err != nil {
		return err
	}
	p.up = want
	p.setState(func(s *State) { s.Address = p.line.address() })
	return nil
}

func (p *Printer) setState(change func(*State)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.state
	change(&p.state)
	if p.state != before {
		p.tell()
	}
}

// tell wakes those who watch; mu is held.
func (p *Printer) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Receipts are those cut so far, oldest first, at most the last 1000. Those
// of earlier runs in the same folder come first.
func (p *Printer) Receipts() []Receipt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Receipt{}, p.receipts...)
}

// State is the printer's state at this moment.
func (p *Printer) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Watch gives a channel that closes at the next new receipt or change of
// state. Call it before looking, so that nothing is missed.
func (p *Printer) Watch() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}
