package journey

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast.dev/firmware-sim/demo"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

// converge is how long both sides may take to agree after the first Hello.
const converge = 5 * time.Second

// plug puts the cable in again and wants both sides to agree, also after the
// whole journal was sent a second time.
func (r *run) plug(ctx context.Context) (string, error) {
	before, err := r.room.Head.State(ctx, r.a.ID)
	if err != nil {
		return "", err
	}
	backlog, err := node(ctx, r.a)
	if err != nil {
		return "", err
	}
	r.a.Cable.Plug()
	err = eventually(ctx, soon, func() error {
		now, err := r.room.Head.State(ctx, r.a.ID)
		if err == nil && now.GetSession() == before.GetSession() {
			err = wrong("no session since the cable is in")
		}
		return err
	})
	if err != nil {
		return "", err
	}
	hello := time.Now()
	if err := r.settled(ctx, r.a, converge); err != nil {
		return "", err
	}
	took := time.Since(hello)
	if err := r.agreed(ctx, r.a); err != nil {
		return "", err
	}
	held, err := r.invariants(ctx)
	if err != nil {
		return "", err
	}
	again, err := r.replay(ctx)
	if err != nil {
		return "", fmt.Errorf("the whole journal again: %w", err)
	}
	return fmt.Sprintf("%d records and all orders agreed %d ms after the Hello; %d invariants held; "+
		"%d records sent again in a new session had no effect", backlog.GetJournalLast()-before.GetJournalApplied(),
		took.Milliseconds(), held, again), nil
}

// invariants asks the cloud to check its own books.
func (r *run) invariants(ctx context.Context) (int, error) {
	answer, err := r.room.Head.Office.CheckInvariants(ctx, &shopv1.CheckInvariantsRequest{})
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, i := range answer.GetResults() {
		if !i.GetHeld() {
			faults = append(faults, wrong("invariant %s: %v", i.GetName(), i.GetViolations()))
		}
	}
	if len(answer.GetResults()) == 0 {
		faults = append(faults, wrong("the cloud checks no invariant"))
	}
	return len(answer.GetResults()), errors.Join(faults...)
}

// agreed compares what both sides say of a store. A store that still works
// gets a few tries.
func (r *run) agreed(ctx context.Context, s *demo.Store) error {
	return eventually(ctx, soon, func() error {
		return errors.Join(r.sameBooks(ctx, s), r.sameOrders(ctx, s))
	})
}

// books are the cloud's books of a store by SKU.
func (r *run) books(ctx context.Context, s *demo.Store) (map[uint32]*shopv1.BookRow, error) {
	all := make(map[uint32]*shopv1.BookRow)
	token := ""
	for {
		page, err := r.room.Head.Office.ListBooks(ctx, &shopv1.ListBooksRequest{Store: s.ID, PageSize: 1000, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, row := range page.GetRows() {
			all[row.GetSku()] = row
		}
		if token = page.GetNextPageToken(); token == "" {
			return all, nil
		}
	}
}

// sameBooks compares every account and every counter of a store with the
// cloud's copy, and checks what must always be true of them.
func (r *run) sameBooks(ctx context.Context, s *demo.Store) error {
	cloud, err := r.books(ctx, s)
	if err != nil {
		return err
	}
	floor, err := demo.Products(ctx, s.Floor)
	if err != nil {
		return err
	}
	if len(floor) == 0 {
		return wrong("store %d has no books", s.ID)
	}
	var faults []error
	for _, own := range floor {
		row, ok := cloud[own.GetSku()]
		if !ok {
			faults = append(faults, wrong("the cloud has no book of SKU %d in store %d", own.GetSku(), s.ID))
			continue
		}
		delete(cloud, own.GetSku())
		if err := sameBook(own, row); err != nil {
			faults = append(faults, fmt.Errorf("SKU %d in store %d: %w", own.GetSku(), s.ID, err))
		}
	}
	for sku, row := range cloud {
		for account, n := range row.GetAccounts() {
			if n != 0 {
				faults = append(faults, wrong("only the cloud has SKU %d in store %d: %s %d", sku, s.ID, account, n))
			}
		}
	}
	return errors.Join(faults[:min(len(faults), 5)]...)
}

// boundary are the accounts through which units come and go; they and sellable
// may be below zero.
var mayBeNegative = []string{"sellable", "supplier", "sold", "collected", "returned", "missing", "found",
	"transfer_out", "writeoff"}

func sameBook(own *storev1.Stock, row *shopv1.BookRow) error {
	mine, theirs := own.GetAccounts(), row.GetAccounts()
	var sum int64
	for account, n := range theirs {
		sum += n
		if mine[account] != n {
			return wrong("the store has %d %s, the cloud %d", mine[account], account, n)
		}
		if n < 0 && !slices.Contains(mayBeNegative, account) {
			return wrong("%d %s", n, account)
		}
	}
	switch {
	case sum != 0:
		return wrong("the accounts add up to %d: %v", sum, theirs)
	case row.GetGranted() != own.GetGranted() || row.GetReturned() != own.GetReturned() || row.GetAssigned() != own.GetAssigned():
		return wrong("rights G %d R %d A %d at the store, %d %d %d at the cloud", own.GetGranted(), own.GetReturned(),
			own.GetAssigned(), row.GetGranted(), row.GetReturned(), row.GetAssigned())
	case row.GetPool() < 0 || row.GetHeld() < 0:
		return wrong("pool %d, held %d", row.GetPool(), row.GetHeld())
	case int64(own.GetOnline()) != row.GetPool()+row.GetHeld():
		return wrong("online %d is not pool %d and held %d", own.GetOnline(), row.GetPool(), row.GetHeld())
	}
	return nil
}

// sameOrders compares what both sides say of every order of a store.
func (r *run) sameOrders(ctx context.Context, s *demo.Store) error {
	floor, err := pickups(ctx, s)
	if err != nil {
		return err
	}
	token, seen := "", 0
	for {
		page, err := r.room.Head.Office.ListReservations(ctx, &shopv1.ListReservationsRequest{Store: s.ID,
			PageSize: 100, PageToken: token})
		if err != nil {
			return err
		}
		for _, order := range page.GetReservations() {
			if err := sameOrder(floor[order.GetReservation()], order); err != nil {
				return fmt.Errorf("order %s in store %d: %w", order.GetCode(), s.ID, err)
			}
			seen++
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if seen != len(floor) {
		return wrong("store %d has %d orders, the cloud %d", s.ID, len(floor), seen)
	}
	return nil
}

func pickups(ctx context.Context, s *demo.Store) (map[string]*storev1.Pickup, error) {
	all := make(map[string]*storev1.Pickup)
	token := ""
	for {
		page, err := s.Floor.ListPickups(ctx, &storev1.ListPickupsRequest{Filter: "all", PageSize: 500, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, p := range page.GetPickups() {
			all[p.GetReservation()] = p
		}
		if token = page.GetNextPageToken(); token == "" {
			return all, nil
		}
	}
}

// cloudStates are how the shopper sees the states of a store's order.
var cloudStates = map[string]shopv1.ReservationState{
	"new": shopv1.ReservationState_ACCEPTED, "picking": shopv1.ReservationState_PICKING,
	"picked": shopv1.ReservationState_PICKING, "ready": shopv1.ReservationState_READY,
	"collected": shopv1.ReservationState_COLLECTED,
}

func sameOrder(own *storev1.Pickup, order *shopv1.Reservation) error {
	if own == nil {
		return wrong("the store does not know it")
	}
	if want, ok := cloudStates[own.GetState()]; ok && want != order.GetState() {
		return wrong("%s in the store, %s at the cloud", own.GetState(), order.GetState())
	}
	if len(own.GetLines()) != len(order.GetLines()) {
		return wrong("%d lines in the store, %d at the cloud", len(own.GetLines()), len(order.GetLines()))
	}
	for i, l := range own.GetLines() {
		c := order.GetLines()[i]
		mine := map[string]int32{"quantity": l.GetQuantity(), "picked": l.GetPicked(), "staged": l.GetStaged(),
			"collected": l.GetCollected(), "released": l.GetReleased(), "short": l.GetShort()}
		theirs := map[string]int32{"quantity": c.GetQuantity(), "picked": c.GetPicked(), "staged": c.GetStaged(),
			"collected": c.GetCollected(), "released": c.GetReleased(), "short": c.GetShort()}
		if !maps.Equal(mine, theirs) {
			return wrong("line %d: %v in the store, %v at the cloud", i+1, mine, theirs)
		}
		if ended := l.GetCollected() + l.GetReleased() + l.GetShort(); ended > l.GetQuantity() {
			return wrong("line %d: %d of %d units ended", i+1, ended, l.GetQuantity())
		}
	}
	return nil
}
