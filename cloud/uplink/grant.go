package uplink

import (
	"context"
	"fmt"
	"time"

	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

// AskGrant asks a store to let the cloud promise what a cart wants, and waits
// until the store's grant is applied; it returns the units granted so far (G)
// by SKU. Give needs in whole, not less what the pool has: what other carts
// wait for is counted too. It refuses as Short when the store says no, as
// Offline when the store has no session at this member, and fails when ctx
// ends. A cart may find its units held by a faster one and may ask again.
func (s *Server) AskGrant(
	ctx context.Context, store stock.StoreID, needs []Need,
) (map[uint32]int64, error) {
	for _, n := range needs {
		if n.SKU == 0 || n.Units <= 0 {
			return nil, stock.Refuse(stock.BadUnits, "%d units of SKU %d", n.Units, n.SKU)
		}
	}
	l := s.link(store)
	if l == nil {
		return nil, s.offline(store)
	}
	ask, done, err := l.ask(needs)
	if err != nil {
		return nil, err
	}
	select {
	case <-done:
		return ask.granted, ask.err
	case <-ctx.Done():
		l.drop(ask)
		return nil, fmt.Errorf("ask store %s for units: %w", store, ctx.Err())
	}
}

func (s *Server) offline(store stock.StoreID) error {
	_, since := s.Connected(store)
	r := stock.Refuse(stock.Offline, "store %s has no session here", store)
	if !since.IsZero() {
		r = r.With("since", since.UTC().Format(time.RFC3339))
	}
	return r
}

func (l *link) ask(needs []Need) (*Ask, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.over:
		return nil, nil, l.server.offline(l.store)
	case len(l.waiters) >= maxAsks:
		return nil, nil, stock.Refuse(stock.Busy, "%d carts wait for store %s", maxAsks, l.store)
	}
	ask, done := l.asks.Add(needs), make(chan struct{})
	l.waiters[ask] = done
	l.lookAgain()
	return ask, done, nil
}

func (l *link) drop(ask *Ask) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asks.Drop(ask)
	delete(l.waiters, ask)
}

// round lets the asks see the pools that were read for them.
func (l *link) round(standing Standing) []*uplinkv1.Want {
	l.mu.Lock()
	defer l.mu.Unlock()
	wants, done := l.asks.Round(standing.Pools, standing.Timeline)
	l.wake(done)
	return wants
}

// failAsks ends the waiting of all carts: the store is gone.
func (l *link) failAsks() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.wake(l.asks.Fail(l.server.offline(l.store)))
}

// wake needs mu.
func (l *link) wake(asks []*Ask) {
	for _, ask := range asks {
		close(l.waiters[ask])
		delete(l.waiters, ask)
	}
}
