package fleet

import (
	"time"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/reservation"
)

const maxVisits = 4

// live is what a shopper does with a ticket: comes early, late, twice, to the
// wrong store, not at all, or does not want it any more.
func (r *routine) live(t *ticket, c chance) {
	w, st := r.w, t.p.st
	if c.of(180) {
		r.cancelLater(t, newChance(c.Uint64(), 1))
	}
	if c.of(80) {
		return // never comes
	}
	wait := c.span(0, w.mix.day/5)
	switch c.IntN(5) {
	case 0:
		wait = c.span(0, w.mix.day/500) // was in the shop when ordering
	case 1:
		wait = time.Duration(w.mix.policy.GetPickupWindowMs()+w.mix.policy.GetGraceMs())*time.Millisecond +
			c.span(-w.mix.day/20, w.mix.day/20)
	}
	r.sleep(max(0, wait))
	if c.of(60) {
		r.wrongStore(t, c)
	}
	for range maxVisits {
		if r.visit(st, t, c) {
			break
		}
		r.sleep(c.span(w.mix.day/200, w.mix.day/20))
	}
	if c.of(150) {
		r.sleep(c.span(0, w.mix.day/20))
		r.visit(st, t, c) // the same picture of a code, once more
	}
}

// cancelLater asks to cancel, at any time.
func (r *routine) cancelLater(t *ticket, c chance) {
	w := r.w
	w.start(func(r *routine) {
		r.sleep(c.span(0, w.mix.day/4))
		_, err := r.propose(c, &recordv1.Command{Body: &recordv1.Command_RequestCancel{
			RequestCancel: &recordv1.RequestCancel{Reservation: t.p.id[:], Reason: "shopper"}}})
		w.logf("store %d: order %x is asked to be cancelled: %v", t.p.st.id, t.p.id[:4], err)
	})
}

// wrongStore shows the code where it does not belong.
func (r *routine) wrongStore(t *ticket, c chance) {
	other := oneOf(c, r.w.stores...)
	if other == t.p.st {
		return
	}
	cause := shopfloor.Cause{ID: c.id()}
	err := r.ask(step{st: other, by: c, do: func(f *shopfloor.Floor, _ string) error {
		_, err := f.Collect(r.w.ctx, cause, t.token)
		return err
	}})
	switch {
	case stock.Refused(err, stock.WrongStore):
		r.w.marks.hit(markWrongStore)
	case stock.Refused(err, stock.UnknownKey):
	default:
		r.w.fail("INV-3", "store %d took a code of store %d: %v", other.id, t.p.st.id, err)
	}
}

// visit shows the code at the counter. It tells whether there is nothing left
// to come for.
func (r *routine) visit(st *store, t *ticket, c chance) bool {
	if !st.box.up {
		return false
	}
	order := st.order(t.p.id)
	if order != nil && !order.State().Final() && order.State() != reservation.Ready {
		r.pick(st, c, t.p.id)
		order = st.order(t.p.id)
	}
	if order == nil {
		return r.visitUnheard(st, t, c)
	}
	behind, at := order, st.box // a copy of the box may not know what was picked
	if st.tillsAt(at)[0].talksTo() != at {
		return false
	}
	h, err := r.collect(st, t, c, step{box: at, skus: lineSKUs(t.lines)}, c.of(500))
	if err != nil {
		return r.refused(st, t, c, err)
	}
	r.handOver(st, t, h, behind)
	return true
}

func lineSKUs(lines []wish) []stock.SKU { return skusOf(lines) }

// collect asks the box to hand an order over.
func (r *routine) collect(st *store, t *ticket, c chance, s step, byCode bool) (h shopfloor.Handover, err error) {
	cause, shown := shopfloor.Cause{ID: c.id(), Actor: "Jo"}, shopfloor.Presented{Code: t.token}
	if byCode {
		shown.Code = t.code
	}
	ask := func() error {
		return r.ask(step{st: st, by: c, box: s.box, skus: s.skus, keep: cause.ID,
			do: func(f *shopfloor.Floor, _ string) (err error) {
				h, err = f.CollectFor(r.w.ctx, cause, shown)
				return err
			},
			again: func(f *shopfloor.Floor, epoch stock.Epoch) error {
				late := cause
				late.Resent = &epoch
				handed := h.Record.GetCollect().GetLines()
				if by := h.Record.GetCollectByToken(); by != nil {
					handed = by.GetLines()
				}
				_, err := f.CollectFor(r.w.ctx, late, shopfloor.Presented{Code: shown.Code, Handed: handed})
				return err
			}})
	}
	if err = ask(); stock.Refused(err, stock.ManagerNeeded) {
		shown.By = &shopfloor.Decider{Name: "Mia", Manager: true}
		err = ask()
	}
	return h, err
}

// visitUnheard serves a shopper whose order the store has not heard of: the
// goods come from the shelf.
func (r *routine) visitUnheard(st *store, t *ticket, c chance) bool {
	var fetched []wish
	whole := true
	for _, l := range t.lines {
		got := l.cell.take(l.units)
		fetched = append(fetched, wish{l.cell, got})
		whole = whole && got == l.units
	}
	giveBack := func() {
		for _, f := range fetched {
			f.cell.putBack(f.units)
			f.cell.touch()
		}
	}
	if !whole {
		for i, l := range t.lines {
			r.excused(t, l, fetched[i].units)
		}
		giveBack()
		return false
	}
	h, err := r.collect(st, t, c, step{skus: lineSKUs(t.lines)}, false)
	if err != nil {
		giveBack()
		return r.refused(st, t, c, err)
	}
	if !h.Unheard { // it was heard of while the goods were fetched
		giveBack()
		r.handOver(st, t, h, nil)
		return true
	}
	for _, f := range fetched {
		f.cell.hands -= f.units
		f.cell.collected += f.units
		f.cell.touch()
	}
	r.w.markUnheard(t)
	return true
}

// excused checks that a unit which a shopper was promised, and which is not
// there, is missing for a reason that somebody is to blame for.
func (r *routine) excused(t *ticket, l wish, got stock.Units) {
	c := l.cell
	if st := t.p.st; st.bereft && stock.Timeline(t.p.reserve.GetTimeline()) < st.cloud.timeline {
		return // neither side knew of the promise, and of the units that were set aside for it
	}
	if got == l.units || c.hands > got || c.doubt > 0 || c.unaccounted() > 0 || c.free() < 0 ||
		c.back > 0 || t.p.ended || t.p.st.torn() {
		return
	}
	r.w.fail("INV-5", "store %d sku %d: %d units of order %x are not there, and nobody took them",
		t.p.st.id, c.sku, l.units-got, t.p.id)
}

// handOver gives what was picked to the shopper.
func (r *routine) handOver(st *store, t *ticket, h shopfloor.Handover, order *books.Reservation) {
	lines := h.Record.GetCollect().GetLines()
	if by := h.Record.GetCollectByToken(); by != nil {
		lines = by.GetLines()
	}
	for _, l := range lines {
		cell := t.lines[l.GetLine()-1].cell
		cell.back -= stock.Units(l.GetUnits())
		cell.collected += stock.Units(l.GetUnits())
		cell.touch()
		st.sold = append(st.sold, sold{cell.sku, stock.Units(l.GetUnits()), true})
	}
	for _, l := range t.lines {
		if r.w.products[l.cell.sku-1].weighed {
			r.weighMore(st, l.cell)
		}
	}
}

// weighMore sells what was handed over beyond the promise: goods by weight are
// never exact.
func (r *routine) weighMore(st *store, cell *cell) {
	more := cell.take(60)
	if more == 0 {
		return
	}
	c := newChance(uint64(r.w.now), uint64(cell.sku))
	r.pay(st, c, []wish{{cell, more}})
	r.w.marks.hit(markWeighed)
}

// refused tells whether a refusal at the counter is the end, and checks that
// it is the right one.
func (r *routine) refused(st *store, t *ticket, c chance, err error) bool {
	w, p := r.w, t.p
	w.logf("store %d: order %x is refused: %v", st.id, p.id[:4], err)
	switch refusal, _ := stock.AsRefusal(err); refusal.Code {
	case stock.AlreadyCollected, stock.AlreadyFinished:
		if !p.ended && !st.torn() {
			w.fail("INV-3", "store %d: order %x is refused as ended, it is open: %v", st.id, p.id, err)
		}
		w.markEnded(t, refusal.Code)
		return true
	case stock.NotReady, stock.UnknownKey, stock.RolledBack:
		return false
	case stock.UnknownReservation: // by its code, before the store heard of it
		return false
	}
	w.fail("REFUSED", "store %d: order %x: %v", st.id, p.id, err)
	return true
}
