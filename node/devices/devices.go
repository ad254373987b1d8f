// Package devices opens, supervises and reopens the devices of one store, so
// that the rest of the node sees scans, states and jobs, never ports.
package devices

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"holdfast.dev/hardware"
)

// DefaultMaxBackoff is the longest pause between two attempts to open a device.
const DefaultMaxBackoff = 10 * time.Second

// scanQueue is how many scans may wait for whoever acts on them. When it is
// full the drivers wait, and scans wait in the devices' lines: none is dropped.
const scanQueue = 256

// DefaultWidth is how many characters fit on a line of the usual 80 mm paper.
const DefaultWidth = 42

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
	expected map[string]chan Scan       // guarded by mu; by the data of the symbol
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
		expected: make(map[string]chan Scan),
	}
	for _, cfg := range opts.Devices {
		full, _ := cfg.full() // what is wrong with it stands in invalid
		s.devices = append(s.devices, newDevice(full, s, opts))
	}
	return s
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
