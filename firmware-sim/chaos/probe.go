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
	accepted []accepted // guarded by mu
}

type accepted struct{ asked, heard time.Duration }

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
				asked := time.Since(p.start)
				err := r.post(ctx, path, &shopv1.CreateReservationRequest{RequestId: newID(),
					Lines: []*shopv1.CartLine{{Gtin: w.probe.gtin, Quantity: 1}}}, new(shopv1.Reservation))
				if err == nil {
					p.mu.Lock()
					p.accepted = append(p.accepted, accepted{asked, time.Since(p.start)})
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

// after is how long after a moment the first write was accepted that was asked
// for after it; none: it was not.
func (p *probes) after(moment time.Duration) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var times []time.Duration
	for _, a := range p.accepted {
		if a.asked >= moment {
			times = append(times, a.heard-moment)
		}
	}
	if len(times) == 0 {
		return 0, false
	}
	return slices.Min(times), true
}
