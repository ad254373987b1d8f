package fleet

import (
	"fmt"
	"time"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
)

const (
	openOrders = 200 // that a picker looks at
	maxMisses  = 3   // that are reported of a line in one round
)

// delivery is a lorry with units of a few SKUs.
func (w *World) delivery(st *store, c chance) {
	var units []wish
	for _, o := range w.wishes(st, c, 6) {
		o.units += o.cell.natural(c) * 2
		units = append(units, o)
	}
	w.start(func(r *routine) { r.receive(st, c, units) })
}

// receive books a delivery, and then puts it on the shelves.
func (r *routine) receive(st *store, c chance, units []wish) {
	st.docs++
	document, cause := fmt.Sprintf("D-%d", st.docs), shopfloor.Cause{ID: c.id(), Actor: "Jo"}
	lines := make([]*recordv1.MovementLine, len(units))
	for i, u := range units {
		lines[i] = &recordv1.MovementLine{Sku: uint32(u.cell.sku), Units: int64(u.units)}
	}
	receive := func(f *shopfloor.Floor, cause shopfloor.Cause) error {
		_, err := f.Receive(r.w.ctx, cause, document, lines)
		return err
	}
	err := r.ask(step{st: st, by: c, skus: skusOf(units),
		do: func(f *shopfloor.Floor, _ string) error { return receive(f, cause) }})
	if err != nil {
		if st.mayDiffer() {
			return
		}
		r.w.fail("REFUSED", "store %d: delivery %s: %v", st.id, document, err)
		return
	}
	for _, u := range units {
		u.cell.delivered += u.units
		u.cell.shelf += u.units
		u.cell.touch()
	}
	if b := st.box; c.of(100) && b.up && !st.mayDiffer() { // somebody types the note again
		again := shopfloor.Cause{ID: c.id()}
		err, answered := b.call(func() error { return receive(b.floor, again) })
		if answered && !stock.Refused(err, stock.DocumentUsed) {
			r.w.fail("INV-4", "store %d: delivery %s was booked twice: %v", st.id, document, err)
		}
	}
}

// picking is a round of the store's pickers.
func (w *World) picking(st *store, c chance) {
	w.start(func(r *routine) {
		for _, o := range st.openOrders() {
			if c.of(850) {
				r.pick(st, c, o.ID)
				r.sleep(c.span(0, w.mix.day/500))
			}
		}
	})
}

// openOrders is what the store's screens list.
func (st *store) openOrders() (open []*books.Reservation) {
	if !st.box.up {
		return nil
	}
	err := st.box.floor.View(st.w.ctx, func(tx *journal.Tx) (err error) {
		open, err = books.OpenReservations(tx, st.id, openOrders)
		return err
	})
	if err != nil {
		st.w.fail("FAULT", "store %d: list orders: %v", st.id, err)
	}
	return open
}

// order reads one reservation in the store; nil if it is not known there.
func (st *store) order(key id) (found *books.Reservation) {
	if !st.box.up {
		return nil
	}
	err := st.box.floor.View(st.w.ctx, func(tx *journal.Tx) error {
		r, _, err := books.Open(tx, st.id).Reservation(key)
		found = r
		return err
	})
	if err != nil {
		st.w.fail("FAULT", "store %d: read order: %v", st.id, err)
	}
	return found
}

// pick gets everything of an order that can be found, and stages it.
func (r *routine) pick(st *store, c chance, key id) {
	order := st.order(key)
	if order == nil {
		return
	}
	for _, l := range order.Lines {
		r.pickLine(st, c, key, l)
	}
	if order = st.order(key); order == nil || order.State().Final() {
		return
	}
	for _, l := range order.Lines {
		if l.At(reservation.Picked) > 0 {
			r.stage(st, c, key)
			return
		}
	}
}

func (r *routine) pickLine(st *store, c chance, key id, l reservation.Line) {
	cell, need := st.cell(l.SKU), l.At(reservation.Reserved)
	if need == 0 {
		return
	}
	got := cell.take(need)
	if got > 0 && r.w.careless(c, faultShortPick) {
		cell.putBack(1)
		got--
	}
	if got > 0 {
		r.pickUnits(st, c, key, wish{cell, got})
	}
	gone := need > got && cell.shelf+cell.hands+got < need
	for miss := 0; need > got && miss < maxMisses && (gone || r.w.careless(c, faultShortPick)); miss++ {
		if !r.missing(st, c, key, l.Line, wish{cell, need - got}) {
			return
		}
	}
}

// pickUnits books units that a picker has in hand.
func (r *routine) pickUnits(st *store, c chance, key id, u wish) {
	cause := shopfloor.Cause{ID: c.id(), Actor: "Jo"}
	var done shopfloor.Written
	err := r.ask(step{st: st, by: c, asked: cause.ID, skus: []stock.SKU{u.cell.sku},
		do: func(f *shopfloor.Floor, _ string) (err error) {
			done, err = f.Pick(r.w.ctx, cause, key, u.cell.sku, u.units)
			return err
		}})
	booked := stock.Units(0)
	if err == nil {
		booked = stock.Units(done.Record.GetPick().GetUnits())
	}
	u.cell.hands -= booked
	u.cell.back += booked
	u.cell.putBack(u.units - booked)
	u.cell.touch()
}

// missing says that units cannot be found. It tells whether the line still
// needs them.
func (r *routine) missing(st *store, c chance, key id, line uint32, u wish) bool {
	cause := shopfloor.Cause{ID: c.id(), Actor: "Jo"}
	var done shopfloor.Written
	err := r.ask(step{st: st, by: c, asked: cause.ID, skus: []stock.SKU{u.cell.sku},
		do: func(f *shopfloor.Floor, _ string) (err error) {
			done, err = f.Missing(r.w.ctx, cause, key, line, u.units)
			return err
		}})
	return err == nil && done.Record.GetReplace() != nil
}

// stage puts what is picked of an order onto a pickup shelf.
func (r *routine) stage(st *store, c chance, key id) {
	cause, shelf := shopfloor.Cause{ID: c.id(), Actor: "Jo"}, fmt.Sprintf("P%d", c.IntN(20))
	err := r.ask(step{st: st, by: c, asked: cause.ID, do: func(f *shopfloor.Floor, _ string) error {
		_, err := f.Stage(r.w.ctx, cause, key, shelf)
		return err
	}})
	if err != nil {
		r.w.logf("store %d: stage %x: %v", st.id, key[:4], err)
	}
}

// shelving brings back what waits for the shelf.
func (w *World) shelving(st *store, c chance) {
	w.start(func(r *routine) {
		for _, cell := range st.cells {
			if n := cell.at(ledger.ToShelve); n > 0 && c.of(700) {
				r.reshelve(st, c, wish{cell, n})
			}
		}
	})
}

func (r *routine) reshelve(st *store, c chance, u wish) {
	cause := shopfloor.Cause{ID: c.id(), Actor: "Jo"}
	err := r.ask(step{st: st, by: c, asked: cause.ID, skus: []stock.SKU{u.cell.sku},
		do: func(f *shopfloor.Floor, _ string) error {
			_, err := f.Reshelve(r.w.ctx, cause, u.cell.sku, u.units, "A1")
			return err
		}})
	if err == nil {
		u.cell.back -= u.units
		u.cell.shelf += u.units
		u.cell.touch()
	}
}

// counting counts what is on a shelf, when nobody carries any of it away.
func (w *World) counting(st *store, c chance) {
	w.start(func(r *routine) {
		for range c.between(1, 4) {
			cell := w.anyCell(st, c)
			if cell.hands == 0 && cell.doubt == 0 {
				r.count(st, c, cell)
			}
			r.sleep(c.span(0, time.Minute))
		}
	})
}

// count books what is there at the moment of booking.
func (r *routine) count(st *store, c chance, cell *cell) {
	cause, wrong := shopfloor.Cause{ID: c.id(), Actor: "Jo"}, stock.Units(0)
	if r.w.careless(c, faultMiscount) {
		wrong = stock.Units(c.between(-2, 2))
	}
	seen := max(0, cell.shelf+cell.hands+wrong)
	err := r.ask(step{st: st, by: c, skus: []stock.SKU{cell.sku},
		do: func(f *shopfloor.Floor, _ string) error {
			_, err := f.Count(r.w.ctx, cause, cell.sku, seen, "cycle")
			return err
		}})
	if err != nil {
		r.w.fail("REFUSED", "store %d: a count of sku %d: %v", st.id, cell.sku, err)
	}
}

// damaging breaks something, or throws away what was broken.
func (w *World) damaging(st *store, c chance) {
	cell := w.anyCell(st, c)
	away := cell.damaged > 0 && c.of(500)
	if !away && cell.take(1) == 0 {
		return
	}
	w.start(func(r *routine) { r.damage(st, c, cell, away) })
}

func (r *routine) damage(st *store, c chance, cell *cell, away bool) {
	cause := shopfloor.Cause{ID: c.id(), Actor: "Jo"}
	err := r.ask(step{st: st, by: c, asked: cause.ID, skus: []stock.SKU{cell.sku},
		do: func(f *shopfloor.Floor, _ string) error {
			_, err := f.Damage(r.w.ctx, cause,
				&recordv1.Damage{Sku: uint32(cell.sku), Units: 1, WrittenOff: away, Reason: "dropped"})
			return err
		}})
	switch {
	case away && err == nil:
		cell.damaged--
		cell.thrown++
	case away:
	case err == nil:
		cell.hands--
		cell.damaged++
	default:
		cell.putBack(1)
	}
	cell.touch()
}
