package journey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast.dev/firmware-sim/demo"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	burstDocument = "DN-2025-0099"
	burstUnits    = 400 // for shoppers while the power fails
	burstShoppers = 4
	burstScans    = 30 // acknowledged before the kill, at least
	burstOrders   = 10
	burstPatience = 10 * time.Second
)

// burst is what a store and its shoppers were told before the lights went out.
type burst struct {
	mu      sync.Mutex
	scans   []uint64                       // records that the screen confirmed; guarded by mu
	orders  map[string]*shopv1.Reservation // by id of the request; guarded by mu
	unknown []string                       // requests that got no answer; guarded by mu
}

func (b *burst) scanned(a *storev1.Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.GetOk() {
		b.scans = append(b.scans, a.GetSeq())
	}
}

func (b *burst) ordered(id string, o *shopv1.Reservation, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.unknown = append(b.unknown, id)
		return
	}
	b.orders[id] = o
}

// enough says that the burst is in full swing.
func (b *burst) enough() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.scans) < burstScans || len(b.orders) < burstOrders {
		return wrong("%d scans and %d orders were confirmed", len(b.scans), len(b.orders))
	}
	return nil
}

// kill ends node and cloud in the middle of a burst, without a word, and wants
// everything back that anybody was told.
func (r *run) kill(ctx context.Context) (string, error) {
	r.a.Cable.Plug()
	if err := r.settled(ctx, r.a, soon); err != nil {
		return "", err
	}
	if err := r.stockBurst(ctx); err != nil {
		return "", err
	}
	b := &burst{orders: make(map[string]*shopv1.Reservation)}
	if err := r.killDuring(ctx, b); err != nil {
		return "", err
	}
	began := time.Now()
	if err := r.startAgain(ctx); err != nil {
		return "", err
	}
	took := time.Since(began).Round(time.Millisecond)
	if err := r.scansThere(ctx, b); err != nil {
		return "", err
	}
	if err := r.ordersThere(ctx, b); err != nil {
		return "", err
	}
	said, err := r.prove(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d confirmed scans and %d confirmed orders survived SIGKILL of node and cloud (back in %s), "+
		"%d unanswered orders were repeated; %s", len(b.scans), len(b.orders), took, len(b.unknown), said), nil
}

func (r *run) stockBurst(ctx context.Context) error {
	_, err := r.a.Floor.Receive(ctx, &storev1.ReceiveRequest{RequestId: newID(), Document: "BULK-" + r.burst.Code,
		Lines: []*storev1.SellLine{{Gtin: r.burst.GTIN, Quantity: burstUnits}}})
	if err != nil {
		return err
	}
	return eventually(ctx, soon, func() error {
		seen, err := r.availability(ctx, r.a, r.burst)
		if err == nil && seen.GetAvailable() < burstUnits {
			err = wrong("%d of %d available", seen.GetAvailable(), burstUnits)
		}
		return err
	})
}

// killDuring lets scanner and shoppers go on until both programs are dead.
func (r *run) killDuring(ctx context.Context, b *burst) error {
	st, err := stand(ctx, r.a, demo.Stockroom)
	if err != nil {
		return err
	}
	defer st.leave()
	if err := st.mode(ctx, storev1.Mode_MODE_RECEIVE, burstDocument); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() {
		for ctx.Err() == nil && r.a.Scan(ctx, demo.Stockroom, r.goods[0].Code) == nil {
		}
	})
	all.Go(func() {
		for a := range st.heard { // until the node is dead
			b.scanned(a)
		}
	})
	for range burstShoppers {
		all.Go(func() { r.shopUntilDead(ctx, b) })
	}
	if err := eventually(ctx, burstPatience, b.enough); err != nil {
		st.leave()
		return err
	}
	return errors.Join(r.a.Program.Kill(), r.room.Head.Kill())
}

func (r *run) shopUntilDead(ctx context.Context, b *burst) {
	s := newShopper(r.room.Head.URLs()...)
	defer s.leave()
	for ctx.Err() == nil {
		id := newID()
		o, err := s.reserve(ctx, r.a, id, line(r.burst, 1))
		b.ordered(id, o, err)
		if err != nil {
			return
		}
	}
}

// startAgain starts what was killed and waits until all stores are back.
func (r *run) startAgain(ctx context.Context) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.room.StartCloud(groupCtx) })
	group.Go(func() error { return r.room.StartStore(groupCtx, r.a) })
	if err := group.Wait(); err != nil {
		return err
	}
	for _, s := range r.room.Stores {
		if err := r.settled(ctx, s, 2*soon); err != nil {
			return fmt.Errorf("store %d after the kill: %w", s.ID, err)
		}
	}
	return nil
}

// scansThere wants the record of every scan that the screen confirmed.
func (r *run) scansThere(ctx context.Context, b *burst) error {
	_, all, err := records(ctx, r.a, b.scans[0])
	if err != nil {
		return err
	}
	kept := make(map[uint64]bool)
	positions := make(map[uint32]bool)
	for _, rec := range all {
		if receipt := rec.GetReceipt(); receipt.GetDocument() == burstDocument {
			kept[rec.GetSeq()] = true
			if positions[receipt.GetPosition()] {
				return wrong("position %d was booked twice", receipt.GetPosition())
			}
			positions[receipt.GetPosition()] = true
		}
	}
	for _, seq := range b.scans {
		if !kept[seq] {
			return wrong("the screen confirmed record %d, and it is lost", seq)
		}
	}
	return nil
}

// ordersThere wants every confirmed order at both ends. An order whose answer
// was lost may be there or not: the same request makes it one.
func (r *run) ordersThere(ctx context.Context, b *burst) error {
	for _, id := range b.unknown {
		o, err := r.shop.reserve(ctx, r.a, id, line(r.burst, 1))
		if err != nil {
			return fmt.Errorf("repeat an unanswered order: %w", err)
		}
		b.orders[id] = o
	}
	for id, was := range b.orders {
		is, err := r.shop.reservation(ctx, was.GetReservation())
		if err != nil {
			return fmt.Errorf("confirmed order %s: %w", was.GetCode(), err)
		}
		if is.GetCode() != was.GetCode() || is.GetToken() != was.GetToken() {
			return wrong("order %s of request %s came back as %s", was.GetCode(), id, is.GetCode())
		}
	}
	if err := r.settled(ctx, r.a, soon); err != nil {
		return err
	}
	known, err := pickups(ctx, r.a)
	if err != nil {
		return err
	}
	for _, was := range b.orders {
		if known[was.GetReservation()] == nil {
			return wrong("the store does not know order %s", was.GetCode())
		}
	}
	book, err := r.book(ctx, r.a, r.burst)
	if err == nil && int(book.GetAssigned()) != len(b.orders) {
		err = wrong("%d orders of one unit, %d units are promised", len(b.orders), book.GetAssigned())
	}
	return err
}

// prove lets every node prove its books, and compares them with the cloud's.
func (r *run) prove(ctx context.Context) (string, error) {
	var said []string
	for _, s := range r.room.Stores {
		out, err := r.room.Verify(ctx, s)
		if err != nil {
			return "", err
		}
		said = append(said, strings.TrimSpace(out.Said))
		if s == r.c {
			continue // nothing happened there: it has no books
		}
		if err := r.agreed(ctx, s); err != nil {
			return "", err
		}
	}
	if _, err := r.invariants(ctx); err != nil {
		return "", err
	}
	return "verify: " + said[0], nil
}
