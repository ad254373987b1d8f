package fleet

import (
	"time"

	"holdfast.dev/cloud/headoffice"
	clouduplink "holdfast.dev/cloud/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/token"
)

const (
	askPatience = 800 * time.Millisecond // as the gateway has it
	askRounds   = 3
	maxRetries  = 50 // of a shopper whose order has no answer
)

// ticket is what a shopper has in hand.
type ticket struct {
	p     *promise
	token string
	code  string
	lines []wish
	until int64
}

// order is a shopper who orders something and comes for it, or does not.
func (w *World) order(st *store, c chance) {
	w.start(func(r *routine) {
		wishes := w.wishes(st, c, 3)
		var t *ticket
		if c.of(350) {
			t = r.checkout(st, c, wishes)
		} else {
			t = r.reserveNow(st, c, wishes)
		}
		if t != nil {
			r.live(t, c)
		}
	})
}

// cart is a shopper who puts things in a cart and forgets it, or gives it up.
func (w *World) cart(st *store, c chance) {
	w.start(func(r *routine) {
		hold := c.id()
		if !r.hold(st, c, hold, w.wishes(st, c, 3)) || c.of(500) {
			return
		}
		r.sleep(c.span(0, w.mix.day/20))
		r.release(st, c, hold)
		if c.of(400) {
			r.release(st, c, hold) // a finger that slips
		}
	})
}

func (r *routine) release(st *store, c chance, hold id) {
	_, err := r.propose(c, &recordv1.Command{Body: &recordv1.Command_ReleaseHold{
		ReleaseHold: &recordv1.ReleaseHold{Hold: hold[:], Store: uint32(st.id)}}})
	if err != nil && !stock.Refused(err, stock.UnknownHold) {
		r.w.logf("store %d: release hold %x: %v", st.id, hold[:4], err)
	}
}

// twoStores is a shopper whose cart needs two stores, or none.
func (w *World) twoStores(st *store, c chance) {
	other := oneOf(c, w.stores...)
	if other == st {
		return
	}
	w.start(func(r *routine) {
		first, second := c.id(), c.id()
		if !r.hold(st, c, first, w.wishes(st, c, 1)) {
			return
		}
		if !r.hold(other, c, second, w.wishes(other, c, 1)) {
			w.marks.hit(markSagaReleased)
			r.release(st, c, first)
			return
		}
		a, b := r.confirm(st, c, first), r.confirm(other, c, second)
		for _, t := range []*ticket{a, b} {
			if t != nil {
				sub := newChance(c.Uint64(), 1)
				w.start(func(r *routine) { r.live(t, sub) })
			}
		}
	})
}

// browsing looks at what a store can promise.
func (w *World) browsing(st *store, c chance) {
	cell := w.anyCell(st, c)
	err := w.office.View(w.ctx, func(tx *journal.Tx) error {
		rows, err := headoffice.Availability(tx, st.id, cell.sku)
		if err == nil && rows[0].Pool != cell.quota {
			w.fail("INV-11", "store %d sku %d: read as %+v, is %+v", st.id, cell.sku, rows[0].Pool, cell.quota)
		}
		return err
	})
	if err != nil {
		w.fail("FAULT", "read availability: %v", err)
	}
}

// propose proposes until there is an answer; the request's id makes it once.
func (r *routine) propose(c chance, command *recordv1.Command) (*recordv1.Result, error) {
	for try := 0; ; try++ {
		var result *recordv1.Result
		var err error
		done := false
		r.wait(-1, func(wake func()) {
			r.w.office.submit(command, func(res *recordv1.Result, e error) {
				if !done {
					result, err, done = res, e, true
					wake()
				}
			})
		})
		_, refused := stock.AsRefusal(err)
		if err == nil || refused || try == maxRetries {
			return result, err
		}
		r.sleep(c.span(100*time.Millisecond, 5*time.Second))
		r.refresh(c, command)
	}
}

// refresh makes up anew what the gateway makes up for every attempt.
func (r *routine) refresh(c chance, command *recordv1.Command) {
	switch v := command.GetBody().(type) {
	case *recordv1.Command_ReserveNow:
		fresh := c.id()
		command.Body = &recordv1.Command_ReserveNow{ReserveNow: &recordv1.ReserveNow{
			Reservation: fresh[:], Store: v.ReserveNow.GetStore(), Lines: v.ReserveNow.GetLines(),
			Shopper: shopperOf(c)}}
	case *recordv1.Command_Confirm:
		fresh := c.id()
		command.Body = &recordv1.Command_Confirm{Confirm: &recordv1.Confirm{Hold: v.Confirm.GetHold(),
			Store: v.Confirm.GetStore(), Reservation: fresh[:], Shopper: shopperOf(c)}}
	}
}

func shopperOf(c chance) *recordv1.Shopper {
	code, err := token.NewCode(reader{c})
	if err != nil {
		panic(err)
	}
	return &recordv1.Shopper{FirstName: "Sam", Code: code}
}

// wanted is a wish in the cloud's words.
func wanted(all []wish) (lines []*recordv1.WantedLine) {
	for _, w := range all {
		lines = append(lines, &recordv1.WantedLine{Sku: uint32(w.cell.sku), Units: int64(w.units)})
	}
	return lines
}

// proposeUnits proposes what needs units; while the pool is short and the store
// connected, the store is asked for more.
func (r *routine) proposeUnits(st *store, c chance, all []wish, command *recordv1.Command) (*recordv1.Result, error) {
	needs := make([]clouduplink.Need, len(all))
	for i, w := range all {
		needs[i] = clouduplink.Need{SKU: w.cell.sku, Units: w.units}
	}
	until := r.w.now + askPatience
	for round := 0; ; round++ {
		result, err := r.propose(c, command)
		s := r.w.office.session(st.id)
		if err == nil && round > 0 {
			r.w.marks.hit(markAskedStore)
		}
		if len(all) > 1 && stock.Refused(err, stock.Short) {
			r.w.marks.hit(markBundleRefused)
		}
		if !stock.Refused(err, stock.Short) || s == nil || round == askRounds || r.w.now >= until {
			return result, err
		}
		s.ask(r, needs, until-r.w.now)
	}
}

func (r *routine) reserveNow(st *store, c chance, all []wish) *ticket {
	request, key := c.id(), c.id()
	result, err := r.proposeUnits(st, c, all, &recordv1.Command{Request: request[:],
		Body: &recordv1.Command_ReserveNow{ReserveNow: &recordv1.ReserveNow{Reservation: key[:],
			Store: uint32(st.id), Lines: wanted(all), Shopper: shopperOf(c)}}})
	return r.ticket(st, result, err)
}

func (r *routine) hold(st *store, c chance, hold id, all []wish) bool {
	_, err := r.proposeUnits(st, c, all, &recordv1.Command{Body: &recordv1.Command_Hold{
		Hold: &recordv1.Hold{Hold: hold[:], Store: uint32(st.id), Lines: wanted(all)}}})
	return err == nil
}

func (r *routine) confirm(st *store, c chance, hold id) *ticket {
	request, key := c.id(), c.id()
	result, err := r.propose(c, &recordv1.Command{Request: request[:],
		Body: &recordv1.Command_Confirm{Confirm: &recordv1.Confirm{Hold: hold[:], Store: uint32(st.id),
			Reservation: key[:], Shopper: shopperOf(c)}}})
	if stock.Refused(err, stock.HoldExpired) {
		r.w.marks.hit(markConfirmLate)
	}
	return r.ticket(st, result, err)
}

// checkout holds a cart, thinks, and confirms it.
func (r *routine) checkout(st *store, c chance, all []wish) *ticket {
	hold := c.id()
	if !r.hold(st, c, hold, all) {
		return nil
	}
	think := c.span(0, r.w.mix.day/60)
	if c.of(100) {
		think = 2 * time.Duration(r.w.mix.policy.GetHoldMs()) * time.Millisecond
	}
	r.sleep(think)
	return r.confirm(st, c, hold)
}

// ticket is what the cloud gives a shopper whose order is confirmed.
func (r *routine) ticket(st *store, result *recordv1.Result, err error) *ticket {
	w := r.w
	if err != nil {
		w.logf("store %d: an order ends: %v", st.id, err)
		return nil
	}
	res := result.GetReservation().GetReserve()
	p := w.office.promises[id(res.GetReservation())]
	if p == nil {
		w.fail("INV-11", "store %d: reservation %x was told but never committed", st.id, res.GetReservation())
		return nil
	}
	t := &ticket{p: p, code: res.GetCode(), until: res.GetPickupUntil()}
	signed := token.Token{KeyID: w.office.keyID(), Tenant: tenant, Store: st.id,
		Timeline: stock.Timeline(res.GetTimeline()), Reservation: p.id, DSeq: res.GetDirective(),
		PickupUntil: res.GetPickupUntil(), IssuedAt: res.GetConfirmedAt()}
	for _, l := range res.GetLines() {
		t.lines = append(t.lines, wish{st.cell(stock.SKU(l.GetSku())), stock.Units(l.GetUnits())})
		signed.Lines = append(signed.Lines, token.Line{SKU: stock.SKU(l.GetSku()), Units: stock.Units(l.GetUnits())})
	}
	if t.token, err = token.Sign(signed, w.office.key()); err != nil {
		w.fail("FAULT", "sign a token: %v", err)
		return nil
	}
	w.logf("store %d: order %x is promised by directive %d", st.id, p.id[:4], res.GetDirective())
	return t
}
