package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

const (
	// Grace is how long all parts together may take to stop. It is shorter than
	// what systemd waits before it kills.
	Grace = 20 * time.Second

	drain = 5 * time.Second // for requests in progress
)

// Part is a piece of a program that runs as long as the program. Run blocks,
// and returns nil when ctx ends, or the fault that stopped it.
type Part struct {
	Name string
	Run  func(ctx context.Context) error
}

type runningPart struct {
	name   string
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // valid once ended is closed
}

// Run starts the parts in order, and when ctx ends or the first of them fails
// stops them one after the other, the last one first. It returns the first
// fault, or nil when ctx ended and all stopped in time. A part that ends
// without being asked is a fault; one that does not stop within Grace is left
// behind and named.
func Run(ctx context.Context, parts ...Part) error {
	running := make([]*runningPart, len(parts))
	firstEnded := make(chan *runningPart, len(parts))
	for i, part := range parts {
		// The parts outlive ctx: Run ends them, in its own order.
		partCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r := &runningPart{name: part.Name, cancel: cancel, ended: make(chan struct{})}
		running[i] = r
		go func() {
			r.err = part.Run(partCtx)
			close(r.ended)
			firstEnded <- r
		}()
	}
	var first error
	select {
	case <-ctx.Done():
	case r := <-firstEnded:
		first = fmt.Errorf("%s: %w", r.name, cmp.Or(r.err, errors.New("ended by itself")))
		r.err = nil // told; stop must not tell it again
	}
	return errors.Join(first, stop(running))
}

func stop(running []*runningPart) error {
	grace := time.NewTimer(Grace)
	defer grace.Stop()
	var faults []error
	for _, r := range slices.Backward(running) {
		r.cancel()
		select {
		case <-r.ended:
			if r.err != nil && !errors.Is(r.err, context.Canceled) {
				faults = append(faults, fmt.Errorf("stop %s: %w", r.name, r.err))
			}
		case <-grace.C:
			grace.Reset(time.Second) // the others still get a moment
			faults = append(faults, fmt.Errorf("stop %s: not within %s", r.name, Grace))
		}
	}
	return errors.Join(faults...)
}

// Signals returns a context that ends at the first SIGINT or SIGTERM. A second
// one ends the program at once.
func Signals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
