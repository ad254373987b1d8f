package gateway_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/gateway"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// behind is an engine whose copy is old until it is synced.
type behind struct {
	*engine.Engine
	old    *engine.Engine
	fault  error // of Sync
	synced bool
}

func (b *behind) View(ctx context.Context, f func(tx *journal.Tx) error) error {
	if b.synced {
		return b.Engine.View(ctx, f)
	}
	return b.old.View(ctx, f)
}

func (b *behind) Sync(context.Context) error {
	b.synced = b.fault == nil
	return b.fault
}

// openBehind is a second process of a shop's cloud that has heard of nothing yet.
func openBehind(t *testing.T, s *shop, fault error) *gateway.Gateway {
	t.Helper()
	old, err := engine.Open(t.Context(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { old.Close() })
	return gateway.New(gateway.Options{Engine: &behind{Engine: s.engine, old: old, fault: fault},
		Stores: s, Tenant: 1, KeyID: 9, Key: key, Logger: slog.New(slog.DiscardHandler)})
}

func reserved(t *testing.T, s *shop) *shopv1.Reservation {
	t.Helper()
	s.receive(1)
	s.grant(1)
	r, err := s.reserve(uuid.NewString(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAPromiseIsSeenByAProcessThatWasBehind(t *testing.T) {
	s := open(t)
	r := reserved(t, s)
	got, err := openBehind(t, s, nil).GetReservation(t.Context(), &shopv1.GetReservationRequest{
		Reservation: r.GetReservation()})
	if err != nil || got.GetReservation() != r.GetReservation() {
		t.Errorf("%v %v", got, err)
	}
	w := &watcher{ctx: t.Context(), got: make(chan *shopv1.Reservation, 1)}
	ended := make(chan error, 1)
	go func() { // until the test ends
		ended <- openBehind(t, s, nil).WatchReservation(&shopv1.WatchReservationRequest{
			Reservation: r.GetReservation()}, w)
	}()
	select {
	case <-w.got:
	case err := <-ended:
		t.Errorf("watched: %v", err)
	}
}

func TestAProcessThatMayBeBehindDoesNotGuess(t *testing.T) {
	s := open(t)
	r := reserved(t, s)
	cut := openBehind(t, s, stock.Refuse(stock.Busy, "nobody leads"))
	_, err := cut.GetReservation(t.Context(), &shopv1.GetReservationRequest{
		Reservation: r.GetReservation()})
	if !stock.Refused(err, stock.Busy) {
		t.Errorf("want that it says so, got %v", err)
	}
}
