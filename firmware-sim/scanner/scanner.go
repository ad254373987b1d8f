// Package scanner is the firmware of a barcode scanner, on a pseudo terminal,
// a network port or as keys of a keyboard: for demos and tests without a
// device. It shares no code with the driver, so that the two do not agree on a
// mistake.
package scanner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

var (
	// ErrUnplugged says that the cable is out, or was pulled during the call.
	ErrUnplugged = errors.New("scanner unplugged")
	// ErrNotRead says that the host has stopped taking bytes, or that none is
	// connected.
	ErrNotRead = errors.New("host does not read the scanner's line")
	// ErrNotAcknowledged says that the host did not say that it has the symbol.
	// A real scanner beeps low.
	ErrNotAcknowledged = errors.New("host does not acknowledge the symbol")
	// ErrDisabled says that the host has switched scanning off.
	ErrDisabled = errors.New("scanning is switched off by the host")
)

// Mode is how a scanner sends symbols.
type Mode string

// Modes.
const (
	Plain    Mode = "plain"    // as frames of bytes
	SSI      Mode = "ssi"      // as packets of Zebra's Simple Serial Interface
	Keyboard Mode = "keyboard" // as keys, in the events of Linux
)

// Factory settings.
const (
	DefaultBaud   = 9600
	DefaultSuffix = "\r\n"
	// ShortSuffix is what a keyboard ends a symbol with, Enter, and in SSI mode
	// what ends one that is sent raw.
	ShortSuffix = "\r"
	// DefaultAnswerWait is the host response time-out of most scanners.
	DefaultAnswerWait = 2 * time.Second
	// DefaultKeyTime is how often a USB host asks a keyboard for its keys.
	DefaultKeyTime = 4 * time.Millisecond
)

// Options says how the scanner is set up.
type Options struct {
	Mode Mode // empty: Plain

	// Where its line is. One of TCP and Events, or neither: a pseudo terminal.
	Link   string         // stable name to point at the pseudo terminal, as udev would
	TCP    string         // address to listen on for a host
	Events io.WriteCloser // takes a keyboard's events; closed by Unplug, for good

	Baud      int    // zero: DefaultBaud
	Prefix    string // sent before each symbol
	Suffix    string // sent after each symbol; empty: DefaultSuffix
	NoSuffix  bool   // send no suffix
	SendAIM   bool   // send the AIM identifier before each symbol
	Handshake bool   // in plain mode: wait for ACK or NAK after each symbol

	AnswerWait  time.Duration // zero: DefaultAnswerWait
	Packets     bool          // in SSI mode: send packets before the host asks for them
	PacketBytes int           // longest text in an SSI packet; zero: what fits

	Layout  string        // of a keyboard: us, de, dk or nl; empty: us
	KeyTime time.Duration // between two changes of a key; zero: DefaultKeyTime
}

// Symbol is one symbol that a scanner read, with its AIM identifier.
type Symbol struct {
	Code string `json:"code"`
	AIM  string `json:"aim"`
}

// sentKept is how many symbols Sent remembers.
const sentKept = 10000

// Scanner is a scanner that is switched on. Its methods may be called together;
// it sends one symbol at a time.
type Scanner struct {
	opts    Options
	layout  keyboard
	sending chan struct{} // holds a token while a symbol is being sent
	writing chan struct{} // holds a token while bytes go out that belong together
	// lineFree is when the line had carried what was written last. It belongs
	// to who holds writing.
	lineFree time.Time
	answers  chan byte // what the host said of what was sent last

	mu      sync.Mutex
	line    line // nil while unplugged
	decoder decoder
	trouble trouble
	held    []piece // symbols that wait for the next one to be sent with it
	sent    []Symbol
	beeps   int
}

// Start switches a scanner on and plugs it in.
func Start(opts Options) (*Scanner, error) {
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("start scanner: %w", err)
	}
	s := &Scanner{
		opts:    opts,
		sending: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		answers: make(chan byte, 2),
		decoder: decoder{enabled: true, packets: opts.Packets},
		trouble: newTrouble(Faults{}),
	}
	if opts.Mode == Keyboard {
		var err error
		if s.layout, err = keyboardOf(opts.Layout); err != nil {
			return nil, fmt.Errorf("start scanner: %w", err)
		}
	}
	if err := s.Plug(); err != nil {
		return nil, err
	}
	return s, nil
}

// complete fills in the factory settings and says what cannot be.
func (o *Options) complete() error {
	if o.Mode == "" {
		o.Mode = Plain
	}
	if o.Baud == 0 {
		o.Baud = DefaultBaud
	}
	if o.Suffix == "" {
		o.Suffix = DefaultSuffix
		if o.Mode != Plain {
			o.Suffix = ShortSuffix
		}
	}
	if o.NoSuffix {
		o.Suffix = ""
	}
	if o.AnswerWait == 0 {
		o.AnswerWait = DefaultAnswerWait
	}
	if o.PacketBytes == 0 {
		o.PacketBytes = maxPacketText
	}
	if o.KeyTime == 0 {
		o.KeyTime = DefaultKeyTime
	}
	switch {
	case o.Mode != Plain && o.Mode != SSI && o.Mode != Keyboard:
		return fmt.Errorf("mode %q is none of plain, ssi, keyboard", o.Mode)
	case (o.Mode == Keyboard) != (o.Events != nil):
		return errors.New("a keyboard, and only a keyboard, needs a place for its events")
	case o.TCP != "" && o.Link != "":
		return errors.New("a network port has no link")
	case speeds[o.Baud] == 0:
		return fmt.Errorf("no line runs at %d baud", o.Baud)
	case o.PacketBytes < 1 || o.PacketBytes > maxPacketText:
		return fmt.Errorf("a packet holds 1 to %d bytes, not %d", maxPacketText, o.PacketBytes)
	}
	return nil
}

// Path is the name by which a host opens the line: the link if there is one,
// or an address. It is empty for a scanner that is unplugged and has neither.
func (s *Scanner) Path() string {
	if s.opts.Link != "" {
		return s.opts.Link
	}
	if l := s.plugged(); l != nil {
		return l.path()
	}
	return ""
}

// Plug plugs the cable in: a new device appears, and the link points at it.
func (s *Scanner) Plug() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != nil {
		return nil
	}
	l, err := s.opts.plugIn(s.hear)
	if err != nil {
		return fmt.Errorf("plug scanner in: %w", err)
	}
	if s.opts.TCP != "" {
		s.opts.TCP = l.path() // the same port after the next plug
	}
	s.line = l
	s.decoder = decoder{enabled: true, packets: s.opts.Packets} // its power comes by the cable
	return nil
}

// Unplug pulls the cable: the host's device hangs up and its link vanishes.
func (s *Scanner) Unplug() {
	s.mu.Lock()
	l := s.line
	s.line, s.held = nil, nil
	s.mu.Unlock()
	if l != nil {
		l.pull()
	}
}

// Restart takes the scanner's power for a moment, with the cable in: it forgets
// what the host has set, and the line does not tell.
func (s *Scanner) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decoder = decoder{enabled: true, packets: s.opts.Packets}
}

// Close switches the scanner off.
func (s *Scanner) Close() error {
	s.Unplug()
	return nil
}

// Sent lists the symbols that left the scanner whole, the oldest first: one
// that was sent twice for want of an answer once, and one that the line
// damaged not at all. It remembers the last 10000.
func (s *Scanner) Sent() []Symbol {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Symbol(nil), s.sent...)
}

// Beeps counts the beeps that the host asked for.
func (s *Scanner) Beeps() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beeps
}

// Scan sends a symbol as the firmware does when the trigger is pulled, at the
// pace of the line. The AIM identifier, such as "]E0", is sent if so set up.
func (s *Scanner) Scan(ctx context.Context, code string, aim string) error {
	return s.hold(ctx, func() error {
		t := s.plan()
		if t.wrongCheck {
			code = wrongCheck(code)
		}
		times := 1
		if t.double {
			times = 2
		}
		for range times {
			if err := s.scanOnce(ctx, Symbol{code, aim}, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// Raw sends bytes as they are, at the pace of the line. A host that has set
// another speed receives what its hardware would make of the signal.
func (s *Scanner) Raw(ctx context.Context, data []byte) error {
	return s.hold(ctx, func() error { return s.transmit(ctx, data, faultsOnce{}) })
}

// hold takes the trigger: nothing else is scanned meanwhile.
func (s *Scanner) hold(ctx context.Context, do func() error) error {
	select {
	case s.sending <- struct{}{}:
		defer func() { <-s.sending }()
	case <-ctx.Done():
		return fmt.Errorf("scan: %w", ctx.Err())
	}
	if err := do(); err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	return nil
}

func (s *Scanner) plugged() line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.line
}

// record notes that a symbol left whole.
func (s *Scanner) record(symbols ...Symbol) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, symbols...)
	s.sent = s.sent[max(0, len(s.sent)-sentKept):]
}
