package gateway_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/gateway"
	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
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

// openBehind is a second process of a shop's cloud that has heard of the store
// and of nothing else yet.
func openBehind(t *testing.T, s *shop, fault error) *gateway.Gateway {
	t.Helper()
	old, err := engine.Open(t.Context(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { old.Close() })
	_, err = old.Propose(t.Context(), &recordv1.Command{Body: &recordv1.Command_PutStore{
		PutStore: &recordv1.PutStore{Store: &recordv1.StoreInfo{Store: 7, Name: "Tjalk", Timezone: "UTC",
			Country: "NL", Language: "nl", Currency: "EUR"}}}})
	if err != nil {
		t.Fatal(err)
	}
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

func TestAProcessThatWasBehindServesCarts(t *testing.T) {
	s := open(t)
	s.receive(2)
	s.grant(2)
	line := &shopv1.CartLine{Gtin: bread, Quantity: 1}
	hold, err := openBehind(t, s, nil).CreateHold(t.Context(), &shopv1.CreateHoldRequest{Store: 7,
		RequestId: uuid.NewString(), Lines: []*shopv1.CartLine{line}})
	if err != nil || len(hold.GetLines()) != 1 {
		t.Errorf("%v %v", hold, err)
	}
	got, err := openBehind(t, s, nil).GetProduct(t.Context(), &shopv1.GetProductRequest{Gtin: bread})
	if err != nil || got.GetName() != "Rye bread" {
		t.Errorf("%v %v", got, err)
	}
	_, err = openBehind(t, s, nil).GetProduct(t.Context(), &shopv1.GetProductRequest{Gtin: "09521234500025"})
	if !stock.Refused(err, stock.UnknownProduct) {
		t.Errorf("a product that nobody knows: %v", err)
	}
}

// What is changed by what was read must not be read from an old copy.
func TestAProcessThatWasBehindUndoesNothing(t *testing.T) {
	s := open(t)
	must(t)(s.Office().SetPolicy(t.Context(), &shopv1.SetPolicyRequest{Store: 7, RequestId: uuid.NewString(),
		Policy: &shopv1.Policy{FloorUnits: 3}}))
	must(t)(openBehind(t, s, nil).Office().SetPolicy(t.Context(), &shopv1.SetPolicyRequest{Store: 7,
		RequestId: uuid.NewString(), Policy: &shopv1.Policy{HoldS: 60}}))
	must(t)(openBehind(t, s, nil).Office().ImportProducts(t.Context(), &shopv1.ImportProductsRequest{
		Csv: []byte("gtin,name\n" + bread[1:] + ",Dark rye bread\n")}))
	err := s.engine.View(t.Context(), func(tx *journal.Tx) error {
		store, err := headoffice.FindStore(tx, 7)
		if err != nil {
			return err
		}
		if p := store.Policy; p.GetFloorUnits() != 3 || p.GetHoldMs() != 60_000 {
			t.Errorf("policy: %v", p)
		}
		p, err := headoffice.ProductByGTIN(tx, bread)
		if p.GetName() != "Dark rye bread" || p.GetPriceMinor() != 250 {
			t.Errorf("product: %v", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
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
