package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"holdfast.dev/firmware-sim/chaos/history"
	shopv1 "holdfast.dev/proto/shop/v1"
)

const (
	silentShoppers = 5
	busyShoppers   = 2 // at each working store
	readers        = 2
	shelvesAtOnce  = 3
	shelfLife      = 4 * time.Second // of the shelves that are drawn on
	think          = 12 * time.Millisecond
)

// shopper is one client of the cloud: it knows every member.
type shopper struct {
	number  int
	by      *rand.Rand
	rec     *records
	members []*rest
}

func (w *world) newShopper(number int, rec *records) *shopper {
	s := &shopper{number: number, rec: rec, by: rand.New(rand.NewPCG(w.o.Seed, uint64(number)+100))}
	for _, m := range w.members {
		s.members = append(s.members, newREST(m.shop.at(), callWithin))
	}
	return s
}

func (s *shopper) leave() {
	for _, m := range s.members {
		m.close()
	}
}

func (s *shopper) pause(ctx context.Context) {
	select {
	case <-time.After(think/2 + time.Duration(s.by.Int64N(int64(think)))):
	case <-ctx.Done():
	}
}

// crowd is everybody who shops, and the shelves they stand at.
type crowd struct {
	w       *world
	rec     *records
	shelves []*shelf
	round   atomic.Int64
	// forgets, when set, says that the cloud and a store may not know of a
	// promise any more.
	forgets func(p promise) bool
}

// stand makes the silent store's products shelves, with what is free of them.
func (w *world) stand(books map[uint32]*shopv1.BookRow, rec *records) *crowd {
	c := &crowd{w: w, rec: rec}
	for i := 0; i+1 < len(w.shelves); i += 2 {
		s := &shelf{store: w.nodes[silent].store, products: [2]product{w.shelves[i], w.shelves[i+1]}}
		for k, p := range s.products {
			s.free[k] = int32(books[p.sku].GetPool())
		}
		s.name = fmt.Sprintf("store %d, SKU %d and %d", w.nodes[silent].store, s.products[0].sku,
			s.products[1].sku)
		c.shelves = append(c.shelves, s)
	}
	return c
}

// run lets everybody shop until ctx ends; what is under way is then finished.
func (c *crowd) run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { c.turn(ctx) })
	number := 0
	begin := func(do func(ctx context.Context, s *shopper)) {
		s := c.w.newShopper(number, c.rec)
		number++
		all.Go(func() {
			defer s.leave()
			for ctx.Err() == nil {
				do(context.WithoutCancel(ctx), s)
				s.pause(ctx)
			}
		})
	}
	for range silentShoppers {
		begin(c.shop)
	}
	for range readers {
		begin(c.read)
	}
	for i := range c.w.nodes {
		for range busyShoppers {
			if i != silent {
				begin(func(ctx context.Context, s *shopper) { c.order(ctx, s, c.w.nodes[i].store) })
			}
		}
	}
}

// turn moves everybody on to other shelves now and then, so that no history
// gets too long to check.
func (c *crowd) turn(ctx context.Context) {
	tick := time.NewTicker(shelfLife)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.round.Add(1)
		case <-ctx.Done():
			return
		}
	}
}

// drawn is a shelf that is drawn on now; nil when all are used up.
func (c *crowd) drawn(by *rand.Rand) *shelf {
	i := int(c.round.Load())*shelvesAtOnce + by.IntN(shelvesAtOnce)
	if i >= len(c.shelves) {
		return nil
	}
	return c.shelves[i]
}

// shop takes units of a shelf in one of the ways in which that is done.
func (c *crowd) shop(ctx context.Context, s *shopper) {
	at := c.drawn(s.by)
	if at == nil {
		return
	}
	units := history.Units{int32(1 + s.by.IntN(3)), int32(s.by.IntN(3))}
	if s.by.IntN(2) == 0 {
		units = history.Units{0, int32(1 + s.by.IntN(4))}
	}
	if s.by.IntN(20) == 0 {
		s.reserve(ctx, at, units)
		return
	}
	id := newID()
	if !s.hold(ctx, at, id, units) {
		return
	}
	if s.by.IntN(6) == 0 && !s.hold(ctx, at, id, units) { // the same cart again
		return
	}
	s.pause(ctx)
	switch n := s.by.IntN(25); {
	case n < 22:
		s.release(ctx, at, id, units)
	case n < 23:
		s.confirm(ctx, at, id, units)
	case n == 23: // two of one household, at the same moment
		var both sync.WaitGroup
		other := *s
		other.number += 1000
		other.by = rand.New(rand.NewPCG(s.by.Uint64(), 1))
		both.Go(func() { other.release(ctx, at, id, units) })
		s.confirm(ctx, at, id, units)
		both.Wait()
	}
}

func cart(at *shelf, units history.Units) (lines []*shopv1.CartLine) {
	for k, p := range at.products {
		if units[k] > 0 {
			lines = append(lines, &shopv1.CartLine{Gtin: p.gtin, Quantity: units[k]})
		}
	}
	return lines
}

// note records what a request about a shelf led to, and whether it was served.
func (s *shopper) note(at *shelf, op history.PoolOp, how insisted) bool {
	for _, one := range how.poolOps(s.number, op) {
		s.rec.pool(at, one)
	}
	return how.outcome == history.OK
}

func (s *shopper) hold(ctx context.Context, at *shelf, id string, units history.Units) bool {
	how := s.rec.insist(ctx, s.by, len(s.members), func(ctx context.Context, m int) error {
		return s.members[m].post(ctx, fmt.Sprintf("/v1/stores/%d/holds", at.store),
			&shopv1.CreateHoldRequest{RequestId: id, Lines: cart(at, units)}, new(shopv1.Hold))
	})
	return s.note(at, history.PoolOp{Verb: history.Hold, ID: id, Units: units}, how)
}

func (s *shopper) release(ctx context.Context, at *shelf, id string, units history.Units) {
	how := s.rec.insist(ctx, s.by, len(s.members), func(ctx context.Context, m int) error {
		return s.members[m].post(ctx, fmt.Sprintf("/v1/stores/%d/holds/%s:release", at.store, id),
			&shopv1.ReleaseHoldRequest{}, new(shopv1.ReleaseHoldResponse))
	})
	s.note(at, history.PoolOp{Verb: history.Release, ID: id, Units: units}, how)
}

func (s *shopper) confirm(ctx context.Context, at *shelf, id string, units history.Units) {
	request, got := newID(), new(shopv1.Reservation)
	how := s.rec.insist(ctx, s.by, len(s.members), func(ctx context.Context, m int) error {
		return s.members[m].post(ctx, fmt.Sprintf("/v1/stores/%d/holds/%s:confirm", at.store, id),
			&shopv1.ConfirmHoldRequest{RequestId: request}, got)
	})
	if s.note(at, history.PoolOp{Verb: history.Confirm, ID: id, Units: units}, how) {
		s.told(ctx, request, got, how)
	}
}

func (s *shopper) reserve(ctx context.Context, at *shelf, units history.Units) {
	request := newID()
	for range 1 + s.by.IntN(2) { // once more, by the same id
		got := new(shopv1.Reservation)
		how := s.book(ctx, request, at.store, cart(at, units), got)
		if !s.note(at, history.PoolOp{Verb: history.Reserve, ID: request, Units: units}, how) {
			return
		}
		s.told(ctx, request, got, how)
	}
}

func (s *shopper) book(ctx context.Context, request string, store uint32, lines []*shopv1.CartLine,
	got *shopv1.Reservation) insisted {
	return s.rec.insist(ctx, s.by, len(s.members), func(ctx context.Context, m int) error {
		return s.members[m].post(ctx, fmt.Sprintf("/v1/stores/%d/reservations", store),
			&shopv1.CreateReservationRequest{RequestId: request, Lines: lines}, got)
	})
}

// told notes the reservation that a request led to, and looks at it right away.
func (s *shopper) told(ctx context.Context, request string, r *shopv1.Reservation, how insisted) {
	p := promise{ID: r.GetReservation(), Store: r.GetStore(), Units: make(map[string]int),
		Told: how.end}
	for _, l := range r.GetLines() {
		p.Units[l.GetGtin()] += int(l.GetQuantity())
	}
	s.rec.life(p.ID, history.LifeOp{Verb: history.Promise, Outcome: history.OK, State: r.GetState(),
		CancelAsked: r.GetCancelRequested(), Span: history.Span{Client: s.number, Member: how.lastMember,
			Start: how.first, End: how.end}})
	s.rec.promised(request, p)
	s.look(ctx, p.ID)
}

// read looks at one of the newest reservations, at any member, and rarely
// changes its mind about it.
func (c *crowd) read(ctx context.Context, s *shopper) {
	id, ok := c.rec.anyKnown(s.by)
	switch {
	case !ok:
	case s.by.IntN(50) == 0:
		s.cancel(ctx, id)
	default:
		s.look(ctx, id)
	}
}

func (s *shopper) look(ctx context.Context, id string) {
	_, _ = s.lookAt(ctx, s.by.IntN(len(s.members)), id) // what it leads to is in the records
}

// lookAt reads a reservation at one member.
func (s *shopper) lookAt(ctx context.Context, m int, id string) (*shopv1.Reservation, error) {
	start, got := s.rec.now(), new(shopv1.Reservation)
	err := s.members[m].get(ctx, "/v1/reservations/"+id, got)
	s.rec.life(id, history.LifeOp{Verb: history.Look, Outcome: outcomeOf(err), State: got.GetState(),
		CancelAsked: got.GetCancelRequested(),
		Span:        history.Span{Client: s.number, Member: m, Start: start, End: s.rec.now()}})
	return got, err
}

func outcomeOf(err error) history.Outcome {
	code := codeOf(err)
	switch {
	case err == nil:
		return history.OK
	case code == "" || untouched(code):
		return history.Unknown
	case code == "ALREADY_COLLECTED":
		return history.Finished
	}
	return history.Outcome(code)
}

// order reserves at a working store, and now and then cancels.
func (c *crowd) order(ctx context.Context, s *shopper, store uint32) {
	request, got := newID(), new(shopv1.Reservation)
	p := c.w.trade[s.by.IntN(len(c.w.trade))]
	how := s.book(ctx, request, store, []*shopv1.CartLine{{Gtin: p.gtin,
		Quantity: int32(1 + s.by.IntN(2))}}, got)
	s.rec.mu.Lock()
	s.rec.count("order", how.outcome)
	s.rec.mu.Unlock()
	if how.outcome != history.OK {
		return
	}
	s.told(ctx, request, got, how)
	if s.by.IntN(5) == 0 {
		s.cancel(ctx, got.GetReservation())
	}
	for range 10 { // orders are rarer than looks at carts
		s.pause(ctx)
	}
}

func (s *shopper) cancel(ctx context.Context, id string) {
	request, got := newID(), new(shopv1.Reservation)
	how := s.rec.insist(ctx, s.by, len(s.members), func(ctx context.Context, m int) error {
		return s.members[m].post(ctx, "/v1/reservations/"+id+":cancel",
			&shopv1.CancelReservationRequest{RequestId: request, Reason: "chaos"}, got)
	})
	if how.nothing {
		return
	}
	span := history.Span{Client: s.number, Member: how.lastMember, Start: how.first, End: how.end}
	op := history.LifeOp{Span: span, Verb: history.Cancel, Outcome: outcomeOf(how.refusal),
		State:       got.GetState(),
		CancelAsked: got.GetCancelRequested()}
	if how.outcome == history.Unknown || how.unsure && how.outcome != history.OK {
		unheard := op
		unheard.Outcome = history.Unknown
		s.rec.life(id, unheard)
	}
	if how.outcome != history.Unknown {
		op.Start = how.last
		if how.outcome == history.OK {
			op.Start = how.first
		}
		s.rec.life(id, op)
	}
}
