package journey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/firmware-sim/program"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	// within is how soon what was done in a store is seen at the cloud, and the
	// other way round, while the cable is in.
	within = time.Second
	// soon is how long things may take that nobody promised a time for.
	soon = 5 * time.Second
	// often is how often a thing that must come true is looked at.
	often = 10 * time.Millisecond
)

// run is one journey: who takes part, and what later steps go on with.
type run struct {
	room *demo.Room
	shop shopper

	a, b, c *demo.Store // a loses its cable, b has the rush, c looks on

	goods []demo.Product // delivered by scans to a
	quota demo.Product   // in a: how many are promised while the cable is cut
	last  demo.Product   // in a: the last one is promised
	rush  demo.Product   // in b: 200 shoppers want the last ten
	burst demo.Product   // in a: delivered while the power fails

	order  *shopv1.Reservation // reserved, picked and collected
	secret *shopv1.Reservation // promised while the store did not hear of it
}

func newRun(room *demo.Room) *run {
	r := &run{room: room, shop: newShopper(room.Head.URLs()...)}
	r.a, r.b, r.c = room.Stores[0], room.Stores[1], room.Stores[2]
	return r
}

// newID is the id that a caller makes for one request.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// eventually waits until check holds, at most for limit; the error is what
// check last said.
func eventually(ctx context.Context, limit time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("still so after %s", limit))
	defer cancel()
	return program.Poll(ctx, often, check)
}

// wrong is a fact that is not as it must be.
func wrong(format string, args ...any) error { return fmt.Errorf(format, args...) }

// mustRefuse wants a refusal with this code.
func mustRefuse(err error, code, what string) error {
	switch got, _ := demo.RefusalOf(err); {
	case err == nil:
		return wrong("%s was not refused", what)
	case got != code:
		return wrong("%s: want the refusal %s, got %w", what, code, err)
	}
	return nil
}

// stockOf is what a node says of one product.
func stockOf(ctx context.Context, s *demo.Store, p demo.Product) (*storev1.Stock, error) {
	stock, err := s.Floor.GetStock(ctx, &storev1.GetStockRequest{Gtin: p.GTIN})
	if err != nil {
		return nil, fmt.Errorf("stock of %s in store %d: %w", p.GTIN, s.ID, err)
	}
	return stock, nil
}

// availability is what the cloud says of one product in one store.
func (r *run) availability(ctx context.Context, s *demo.Store, p demo.Product) (*shopv1.Availability, error) {
	return r.room.Head.Shop.GetAvailability(ctx, &shopv1.GetAvailabilityRequest{Store: s.ID, Gtin: p.GTIN})
}

// book is what the cloud's books say of one product in one store.
func (r *run) book(ctx context.Context, s *demo.Store, p demo.Product) (*shopv1.BookRow, error) {
	answer, err := r.room.Head.Office.ListBooks(ctx, &shopv1.ListBooksRequest{Store: s.ID, Gtin: p.GTIN})
	if err != nil {
		return nil, err
	}
	if len(answer.GetRows()) != 1 {
		return nil, wrong("the cloud has %d books of %s in store %d", len(answer.GetRows()), p.GTIN, s.ID)
	}
	return answer.GetRows()[0], nil
}

func node(ctx context.Context, s *demo.Store) (*storev1.Node, error) {
	n, err := s.Floor.GetNode(ctx, &storev1.GetNodeRequest{})
	if err != nil {
		return nil, fmt.Errorf("node of store %d: %w", s.ID, err)
	}
	return n, nil
}

// unchanged wants that do leaves no record in a store's journal, but for rights
// that move by themselves. It returns what do returned.
func unchanged(ctx context.Context, s *demo.Store, what string, do func() error) error {
	before, err := node(ctx, s)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	_, added, err := records(ctx, s, before.GetJournalLast()+1)
	if err != nil {
		return err
	}
	for _, rec := range added {
		if rec.GetGrant() == nil && rec.GetApplyReturn() == nil && rec.GetApplyDirective() == nil {
			return wrong("%s wrote record %d: %v", what, rec.GetSeq(), rec)
		}
	}
	return nil
}

// settled waits until nothing is under way in a store: the cloud has all
// records, and the store all orders.
func (r *run) settled(ctx context.Context, s *demo.Store, limit time.Duration) error {
	return eventually(ctx, limit, func() error {
		state, err := r.room.Head.State(ctx, s.ID)
		if err != nil {
			return err
		}
		n, err := node(ctx, s)
		if err != nil {
			return err
		}
		var faults []error
		if state.GetJournalApplied() != n.GetJournalLast() {
			faults = append(faults, wrong("the cloud has record %d of %d", state.GetJournalApplied(), n.GetJournalLast()))
		}
		if state.GetDirectivesAcked()+1 != state.GetDirectivesNext() ||
			n.GetLink().GetDirectivesApplied() != state.GetDirectivesAcked() {
			faults = append(faults, wrong("the store has order %d, confirmed is %d of %d",
				n.GetLink().GetDirectivesApplied(), state.GetDirectivesAcked(), state.GetDirectivesNext()-1))
		}
		if link := n.GetLink(); link.GetState() != "online" || !state.GetStore().GetConnected() {
			faults = append(faults, wrong("the link is %s %s", link.GetState(), link.GetRefused()))
		}
		return errors.Join(faults...)
	})
}
