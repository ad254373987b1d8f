// Package scale drives checkout scales on a serial line: the Mettler-Toledo 8217
// protocol, which gives a weight, and Dialog 06, which gives a price too.
//
// An amount that is computed from a weight for a customer needs a scale and a
// program that were certified together. The total of a Dialog 06 scale is its
// own; it is passed on as it came.
package scale

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/exchange"
)

// Why Weigh has no weight.
var (
	ErrMoving   = errors.New("scale is not at rest")
	ErrOver     = errors.New("scale is overloaded")
	ErrUnder    = errors.New("scale is below what it weighs")
	ErrNotZero  = errors.New("scale was switched on with a load; empty it")
	ErrPounds   = errors.New("scale weighs in pounds; set it to kilograms")
	ErrNoPrice  = errors.New("scale wants a unit price first")
	ErrSameLoad = errors.New("nothing moved on the scale since the last weighing")
	ErrRecord   = errors.New("scale did not accept what it was sent")
	ErrChecksum = errors.New("scale asks for its maker's checksum, which is not built")
)

var causes = map[hardware.ScaleState]error{
	hardware.ScaleSilent: hardware.ErrTimeout, hardware.ScaleMoving: ErrMoving,
	hardware.ScaleOver: ErrOver, hardware.ScaleUnder: ErrUnder, hardware.ScaleNotZero: ErrNotZero,
}

// Config says how a scale is set up. Zero durations mean the defaults.
type Config struct {
	EightBits bool          // 8N1, instead of the seven bits and parity of the protocol
	Answer    time.Duration // wait for an answer; 300 ms
	Poll      time.Duration // between two looks of Run; 500 ms
	Settle    time.Duration // how long Weigh waits for a load at rest; 5 s
}

// between is the pause between two questions of one weighing.
const between = 200 * time.Millisecond

func (c Config) filled() Config {
	for _, d := range []struct {
		set *time.Duration
		to  time.Duration
	}{
		{&c.Answer, 300 * time.Millisecond},
		{&c.Poll, 500 * time.Millisecond},
		{&c.Settle, 5 * time.Second},
	} {
		if *d.set <= 0 {
			*d.set = d.to
		}
	}
	return c
}

// bench is what both protocols need: a line, one weighing at a time, and the
// last thing that was told.
type bench struct {
	line *exchange.Line
	cfg  Config
	busy chan struct{} // held by a weighing

	mu      sync.Mutex
	last    hardware.Weight       // guarded by mu
	changed func(hardware.Weight) // guarded by mu; nil unless Run runs
}

func newBench(port hardware.Port, cfg Config) *bench {
	return &bench{line: exchange.New(port, 0), cfg: cfg.filled(), busy: make(chan struct{}, 1)}
}

// run looks at the scale whenever no one weighs.
func (b *bench) run(
	ctx context.Context, changed func(hardware.Weight), look func(context.Context) hardware.Weight,
) error {
	defer b.use(nil)
	return b.line.Run(ctx, func(ctx context.Context) {
		b.use(changed)
		tick := time.NewTicker(b.cfg.Poll)
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case b.busy <- struct{}{}:
				b.tell(ctx, look(ctx))
				<-b.busy
			default: // a weighing tells what it finds
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
}

func (b *bench) use(changed func(hardware.Weight)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changed = changed
}

// tell reports a weight that differs from the one before.
func (b *bench) tell(ctx context.Context, w hardware.Weight) {
	if ctx.Err() != nil {
		return // the silence of a scale that was not asked
	}
	b.mu.Lock()
	same, changed := b.last, b.changed
	same.At = w.At
	news := same != w
	b.last = w
	b.mu.Unlock()
	if news && changed != nil {
		changed(w)
	}
}

// begin waits for the turn to weigh.
func (b *bench) begin(ctx context.Context) error {
	select {
	case b.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for scale: %w", ctx.Err())
	}
}

func (b *bench) end() { <-b.busy }

// silent gives the state of a scale that did not answer.
func silent(now time.Time) hardware.Weight {
	return hardware.Weight{State: hardware.ScaleSilent, At: now}
}
