// Package devices opens, supervises and reopens the scanners and printers of
// one store, so that the rest of the node sees scans and states, never ports.
package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/stock"
)

// DefaultMaxBackoff is the longest pause between two attempts to open a device.
const DefaultMaxBackoff = 10 * time.Second

// scanQueue is how many scans may wait for whoever acts on them. When it is
// full the drivers wait, and scans wait in the devices' lines: none is dropped.
const scanQueue = 256

// DefaultWidth is how many characters fit on a line of the usual 80 mm paper.
const DefaultWidth = 42

// Kind says what a device is for.
type Kind string

// Kinds of devices.
const (
	Scanner Kind = "scanner"
	Printer Kind = "printer"
)

// Config is one device of the store, as its configuration names it.
type Config struct {
	Name   string `toml:"name"`   // unique, such as "counter-scanner"
	Kind   Kind   `toml:"kind"`   // scanner or printer
	Driver string `toml:"driver"` // see Drivers
	Path   string `toml:"path"`   // device file, or host:port
	Baud   int    `toml:"baud"`   // of a serial line; zero: 9600

	Suffix    string        `toml:"suffix"`     // of a scanner: auto, cr, lf, crlf, tab, etx, none
	MinRescan time.Duration `toml:"min_rescan"` // of a presentation scanner; zero delivers every read

	Profile string `toml:"profile"` // of a printer: epson (if empty), status-only or write-only
	Width   int    `toml:"width"`   // of a printer, characters on a line; zero: DefaultWidth
}

// Options says which devices a store has.
type Options struct {
	Devices    []Config
	Logger     *slog.Logger  // nil: silent
	MaxBackoff time.Duration // zero: DefaultMaxBackoff
}

// Scan is one read of one device.
type Scan struct {
	Device string
	hardware.Read
}

// Set is the devices of one store.
type Set struct {
	devices []*device
	invalid error
	scans   chan Scan

	mu       sync.Mutex
	watchers map[chan struct{}]struct{} // guarded by mu
}

// New makes a set. It opens nothing; Run does.
func New(opts Options) *Set {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.MaxBackoff == 0 {
		opts.MaxBackoff = DefaultMaxBackoff
	}
	s := &Set{
		invalid:  Check(opts.Devices),
		scans:    make(chan Scan, scanQueue),
		watchers: make(map[chan struct{}]struct{}),
	}
	for _, cfg := range opts.Devices {
		if cfg.Kind == Printer && cfg.Width == 0 {
			cfg.Width = DefaultWidth
		}
		s.devices = append(s.devices, newDevice(cfg, s, opts))
	}
	return s
}

// Check says what is wrong with a list of devices, all of it.
func Check(list []Config) error {
	var wrong []error
	seen := make(map[string]bool, len(list))
	for i, cfg := range list {
		switch {
		case cfg.Name == "":
			wrong = append(wrong, fmt.Errorf("device %d has no name", i+1))
		case seen[cfg.Name]:
			wrong = append(wrong, fmt.Errorf("two devices are called %q", cfg.Name))
		}
		seen[cfg.Name] = true
		if err := checkDriver(cfg); err != nil {
			wrong = append(wrong, fmt.Errorf("device %q: %w", cfg.Name, err))
		}
	}
	return errors.Join(wrong...)
}

// Run keeps every device open until ctx ends (nil), and then closes Scans. It
// returns an error at once if the configuration is wrong. It runs once.
func (s *Set) Run(ctx context.Context) error {
	defer close(s.scans)
	if s.invalid != nil {
		return fmt.Errorf("devices: %w", s.invalid)
	}
	var all sync.WaitGroup
	for _, d := range s.devices {
		all.Go(func() { d.run(ctx) })
	}
	all.Wait()
	<-ctx.Done()
	return nil
}

// Scans gives what the scanners read, garbage included. It has one reader.
func (s *Set) Scans() <-chan Scan { return s.scans }

// States gives every device's state, in the order of the configuration.
func (s *Set) States() []State {
	all := make([]State, len(s.devices))
	for i, d := range s.devices {
		all[i] = d.snapshot()
	}
	return all
}

// Watch gives a channel that holds a token whenever a state has changed since
// the last token was taken. It starts with one, and ends with ctx.
func (s *Set) Watch(ctx context.Context) <-chan struct{} {
	w := make(chan struct{}, 1)
	w <- struct{}{}
	s.mu.Lock()
	s.watchers[w] = struct{}{}
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, w)
		close(w)
	})
	return w
}

// changed tells the watchers. A token that was not taken yet stands for this
// change too.
func (s *Set) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// Print prints a job on a printer by name, after the jobs before it. A printer
// that is not ready refuses with stock.PrinterDown before anything is sent:
// hardware.Failed. Otherwise state and fault are what the driver knows for sure.
func (s *Set) Print(ctx context.Context, name string, job []byte) (hardware.PrintState, error) {
	i := slices.IndexFunc(s.devices, func(d *device) bool {
		return d.cfg.Name == name && d.cfg.Kind == Printer
	})
	if i < 0 {
		return hardware.Failed, stock.Refuse(stock.PrinterDown, "no printer is called %q", name)
	}
	return s.devices[i].print(ctx, job)
}
