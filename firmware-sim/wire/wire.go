// Package wire is the cable of a simulated device: a pseudo terminal or a TCP
// port, as fast as the real line, with faults to order and a page to play with.
package wire

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	bitsPerByte = 10  // start, eight bits (or seven and parity), stop
	burst       = 256 // bytes taken from the line at once
	pacedBurst  = 16  // with pacing
	unsent      = 64  // answers that may wait for the line; more are lost
)

// Machine is the firmware of a device. It is called from one goroutine, has no
// clock of its own and does no I/O.
type Machine interface {
	// Step takes what came in until now and gives what to send.
	Step(now time.Time, in []byte) (out []byte)
	// Wake is when Step has something to do without bytes; zero is never.
	Wake() time.Time
}

// Options say where a device is plugged in.
type Options struct {
	Link string // symbolic link to make to the pseudo terminal; may be empty
	TCP  string // listen address instead of a pseudo terminal
	Baud int    // speed of the line, both ways; 0 is unlimited
	Seed uint64 // of what the faults leave to chance
}

// Cable is a device with its cable. Its methods may be called together.
type Cable struct {
	opts    Options
	machine Machine // owned by run
	input   chan []byte
	orders  chan func()
	quit    chan struct{}
	stopped chan struct{}
	once    sync.Once

	// Owned by run.
	line  line
	in    bool // the cable is plugged in
	left  int  // bytes until the cable is pulled; 0 is never
	luck  *rand.Rand
	fault Faults

	mu      sync.Mutex
	address string        // guarded by mu
	plugged bool          // guarded by mu
	changed chan struct{} // guarded by mu; closed after the next step
}

// Start plugs a device in.
func Start(o Options, m Machine) (*Cable, error) {
	if o.Link != "" && o.TCP != "" {
		return nil, errors.New("device on a link and on TCP: want one of them")
	}
	c := newCable(o, m)
	if c.line = (&ptyLine{link: o.Link}); o.TCP != "" {
		c.line = &tcpLine{listen: o.TCP}
	}
	if err := c.plug(); err != nil {
		return nil, err
	}
	go c.run()
	return c, nil
}

// Attach plugs a device into a connection that is there already, as tests of
// drivers do on a clock of their own. Once unplugged, it stays so. There is no
// pacing.
func Attach(conn io.ReadWriteCloser, m Machine) *Cable {
	c := newCable(Options{}, m)
	c.line = &madeLine{conn: conn}
	c.plug()
	go c.run()
	return c
}

func newCable(o Options, m Machine) *Cable {
	return &Cable{
		opts: o, machine: m, input: make(chan []byte), orders: make(chan func()),
		quit: make(chan struct{}), stopped: make(chan struct{}), changed: make(chan struct{}),
		luck: rand.New(rand.NewPCG(o.Seed, 0x5eed)),
	}
}

// run owns machine and line.
func (c *Cable) run() {
	defer close(c.stopped)
	defer c.line.unplug()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		if wake := c.machine.Wake(); !wake.IsZero() {
			alarm.Reset(max(0, time.Until(wake)))
		}
		select {
		case <-c.quit:
			return
		case order := <-c.orders:
			order()
		case in := <-c.input:
			c.step(c.count(c.spoil(in)))
		case <-alarm.C:
			c.step(nil)
		}
		c.tell()
	}
}

func (c *Cable) step(in []byte) {
	if c.fault.Deaf {
		in = nil
	}
	if c.fault.Echo && len(in) > 0 {
		c.line.write(in, 0)
	}
	out := c.machine.Step(time.Now(), in)
	if len(out) == 0 || c.fault.Mute || !c.in {
		return
	}
	if c.luck.IntN(1000) < c.fault.Burst {
		out = append(c.noise(), out...)
	}
	c.line.write(c.count(c.spoil(out)), c.fault.Delay)
}

// count takes bytes off those after which the cable is to be pulled.
func (c *Cable) count(b []byte) []byte {
	if c.left == 0 || len(b) < c.left {
		c.left = max(0, c.left-len(b))
		return b
	}
	b = b[:c.left]
	c.left = 0
	go c.Unplug() // by itself, since this is the goroutine that obeys
	return b
}

func (c *Cable) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// Do runs f between two steps of the machine and then steps it. After Close it
// does nothing.
func (c *Cable) Do(f func(now time.Time)) {
	c.order(func() {
		f(time.Now())
		c.step(nil)
	})
}

func (c *Cable) order(f func()) {
	done := make(chan struct{})
	select {
	case c.orders <- func() { f(); close(done) }:
		<-done
	case <-c.stopped:
	}
}

// Plug puts the cable in. The error says that its place could not be taken.
func (c *Cable) Plug() (err error) {
	c.order(func() { err = c.plug() })
	return err
}

func (c *Cable) plug() error {
	if c.in {
		return nil
	}
	if err := c.line.plug(c.input, c.opts.Baud); err != nil {
		return fmt.Errorf("plug device in: %w", err)
	}
	c.set(true)
	return nil
}

// Unplug pulls the cable.
func (c *Cable) Unplug() {
	c.order(func() {
		if c.in {
			c.line.unplug()
			c.set(false)
		}
	})
}

func (c *Cable) set(in bool) {
	c.in = in
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plugged, c.address = in, c.line.address()
}

// Address is the device file or host:port that a host opens.
func (c *Cable) Address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.address
}

// Plugged tells whether the cable is in.
func (c *Cable) Plugged() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plugged
}

// Watch gives a channel that closes after the next step. Call it before looking.
func (c *Cable) Watch() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Close takes the device away.
func (c *Cable) Close() error {
	c.once.Do(func() { close(c.quit) })
	<-c.stopped
	return nil
}
