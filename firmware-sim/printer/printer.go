// Package printer is the firmware of a receipt printer with its paper and its
// cash drawer: it speaks ESC/POS or Star's languages on a pseudo terminal or a
// TCP port and draws what it prints.
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
	Link     string // symbolic link to make to the pseudo terminal; may be empty
	TCP      string // listen address instead of a pseudo terminal
	Dots     int    // per line: 576 (80 mm paper) or 384 (58 mm); 0 means 576
	OutDir   string // where receipts go; made if absent
	Baud     int    // speed of the line; 0 is unlimited
	Speed    int    // of the paper, in mm/s; 0 is at once
	Language string // ESCPOS if empty, StarPRNT or StarLine
	Buffer   int    // bytes of the receive buffer; 0 means 65536
	Model    Model
}

// Flow is how a printer keeps a host from sending more than it has room for.
type Flow string

// Kinds of flow control.
const (
	FlowHold Flow = ""     // by wire, or as networks do: the line stands still
	FlowXON  Flow = "xon"  // XON and XOFF on the line
	FlowNone Flow = "none" // not at all: what finds no room is lost
)

// DrawerSwitch is what the switch of the cash drawer says.
type DrawerSwitch string

// Kinds of switches.
const (
	DrawerHigh     DrawerSwitch = "high" // open is high; also if empty
	DrawerLow      DrawerSwitch = "low"  // open is low
	DrawerSwitchNo DrawerSwitch = "mute" // a drawer without a switch
	NoDrawer       DrawerSwitch = "none" // no drawer at all
)

// Model says in what a printer differs from a good one.
type Model struct {
	Name        string // answer to GS I 67
	NoProcessID bool   // GS ( H, DLE DC4 8 and ESC GS ETX have no answer
	NoSensor    bool   // GS r has no answer
	NoNearEnd   bool   // paper has no near-end sensor
	NoCutter    bool   // only says so; it cuts by hand
	Mute        bool   // says nothing at all
	AutoLF      bool   // a switch makes CR print the line
	KeepPage    bool   // ESC @ leaves the code page as it is
	WrongPage   bool   // prints page 437 whatever is selected
	Flow        Flow
	Drawer      DrawerSwitch
}

// State is what a bystander sees of the printer.
type State struct {
	Address    string `json:"address"` // device or address to open
	On         bool   `json:"on"`      // has power
	Plugged    bool   `json:"plugged"` // the cable is in
	PaperOut   bool   `json:"paperOut"`
	PaperLow   bool   `json:"paperLow"`
	CoverOpen  bool   `json:"coverOpen"`
	CutterJam  bool   `json:"cutterJam"` // something blocks the knife
	Stalled    bool   `json:"stalled"`   // the motor is blocked
	Hot        bool   `json:"hot"`       // the head cools
	Broken     bool   `json:"broken"`    // until power off
	Feeding    bool   `json:"feeding"`   // the button is held
	DrawerOpen bool   `json:"drawerOpen"`
	Stuck      bool   `json:"drawerStuck"` // the drawer is locked
	Unknown    int    `json:"unknown"`     // commands received that no manual names
	Lost       int    `json:"lost"`        // bytes that found no room
	Waiting    int    `json:"waiting"`     // bytes in the receive buffer
	Pulses     int    `json:"pulses"`      // times a drawer's coil was driven
	Rows       int    `json:"rows"`        // of paper from the knife to the head, in dots
	Fault      error  `json:"-"`           // last receipt that could not be saved, if any
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
	machine *machine
	line    line
	up      bool
	next    int      // number of the next receipt
	planned []onByte // faults to come, the nearest first

	mu       sync.Mutex
	state    State         // guarded by mu
	receipts []Receipt     // guarded by mu
	changed  chan struct{} // guarded by mu; closed at the next change
	changes  uint64        // guarded by mu
}

// Start switches a printer on, with paper in it and its cable plugged in.
func Start(o Options) (*Printer, error) {
	lang, err := o.check()
	if err != nil {
		return nil, err
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
	p.machine.lang, p.machine.model, p.machine.size = lang, o.Model, o.Buffer
	p.machine.powerUp()
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
	p.work() // so that the state is that of the machine
	go p.run()
	return p, nil
}

// leastDots and mostDots are the heads that a receipt printer can have.
const leastDots, mostDots = 200, 832

// check fills in what is usual.
func (o *Options) check() (*language, error) {
	if o.Dots == 0 {
		o.Dots = 576
	}
	if o.Buffer == 0 {
		o.Buffer = bufferSize
	}
	switch {
	case o.Dots < leastDots || o.Dots > mostDots:
		return nil, fmt.Errorf("print head of %d dots: want %d to %d", o.Dots, leastDots, mostDots)
	case o.Link != "" && o.TCP != "":
		return nil, errors.New("printer on a link and on TCP: want one of them")
	case o.Buffer < 16 || o.Buffer > maxFrame:
		return nil, fmt.Errorf("receive buffer of %d bytes: want 16 to %d", o.Buffer, maxFrame)
	}
	return languageOf(o.Language)
}

// run owns the machine and the line.
func (p *Printer) run() {
	defer close(p.stopped)
	defer p.line.unplug()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		input := p.input
		if p.options.Model.Flow == FlowHold && p.machine.free() < min(burst, p.options.Buffer/2) {
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

// take receives bytes; a fault that is planned comes right after its byte.
func (p *Printer) take(in []byte) {
	for len(p.planned) > 0 && len(in) >= p.planned[0].bytes {
		next := p.planned[0]
		p.planned = p.planned[1:]
		p.machine.receive(in[:next.bytes], time.Now())
		p.machine.step(time.Now())
		in = in[next.bytes:]
		next.do()
		if !p.up { // what is still on the wire stays there
			p.planned = nil
			return
		}
	}
	if len(p.planned) > 0 {
		p.planned[0].bytes -= len(in)
	}
	p.machine.receive(in, time.Now())
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
		s.CutterJam, s.Stalled, s.Hot, s.Broken, s.Feeding = m.jam, m.stalled, m.hot, m.broken, m.feeding
		s.DrawerOpen, s.Stuck = m.drawer.open, m.drawer.stuck
		s.Unknown, s.Lost, s.Pulses = m.unknown, m.lost, m.drawer.pulses[0]+m.drawer.pulses[1]
		s.Waiting, s.Rows = len(m.queue), len(m.strip.rows)
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
	p.changes++
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
