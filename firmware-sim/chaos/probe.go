package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	shopv1 "holdfast.dev/proto/shop/v1"
)

// probeWithin is how long one probe waits; longer than any failover may take.
const probeWithin = 10 * time.Second

// probes write one unit after the other, at every member at once, and note when
// which of them was accepted.
type probes struct {
	start time.Time

	mu       sync.Mutex
	accepted []time.Duration // guarded by mu
}

// run probes until ctx ends.
func (p *probes) run(ctx context.Context, w *world) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, m := range w.members {
		all.Go(func() {
			r := newREST(m.shop.at(), probeWithin)
			defer r.close()
			path := fmt.Sprintf("/v1/stores/%d/reservations", w.nodes[silent].store)
			for ctx.Err() == nil {
				err := r.post(ctx, path, &shopv1.CreateReservationRequest{RequestId: newID(),
					Lines: []*shopv1.CartLine{{Gtin: w.probe.gtin, Quantity: 1}}}, new(shopv1.Reservation))
				if err == nil {
					p.mu.Lock()
					p.accepted = append(p.accepted, time.Since(p.start))
					p.mu.Unlock()
				}
				select {
				case <-time.After(pollEvery):
				case <-ctx.Done():
				}
			}
		})
	}
}

// silence is the longest while within a time in which no write was accepted.
func (p *probes) silence(from, to time.Duration) (longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.accepted)
	last := from
	for _, at := range p.accepted {
		if at > from && at <= to {
			longest, last = max(longest, at-last), at
		}
	}
	return max(longest, to-last)
}

// end is when the last write was accepted.
func (p *probes) end() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.accepted) == 0 {
		return 0
	}
	return slices.Max(p.accepted)
}
