package headoffice

import (
	"bytes"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/reservation"
)

const (
	maxFirstName = 60
	maxCode      = 16
	maxPIN       = 64
)

const (
	insertPromise = `INSERT INTO promise (store, reservation, timeline, directive, reserve,
  confirmed_at, cancel_at, released, finished_at) VALUES (?,?,?,?,?,?,0,0,0)`
	updateCancel = `UPDATE promise SET cancel_at = ? WHERE store = ? AND reservation = ?`
)

// confirm turns a hold into a reservation: from here on only the store decides
// how it ends.
func (d *desk) confirm(c *recordv1.Confirm) (*recordv1.Result, error) {
	holdID, err := id16(c.GetHold(), "hold")
	if err != nil {
		return nil, err
	}
	s, err := d.buyer(c.GetStore(), c.GetReservation(), c.GetShopper())
	if err != nil {
		return nil, err
	}
	h, err := d.loadCart(s, holdID)
	if err != nil {
		return nil, err
	}
	if h == nil || h.timeline != s.timeline {
		return d.confirmedBefore(s, holdID)
	}
	if h.state == reservation.Confirmed && bytes.Equal(h.reservation, c.GetReservation()) {
		return d.promisedBefore(s, c.GetReservation(), h.lines)
	}
	if h.state == reservation.Confirmed {
		return nil, wrongState(holdID, "confirm")
	}
	next, err := reservation.NextHold(h.state, reservation.Confirm)
	if err != nil {
		return nil, err
	}
	if d.now >= h.deadline {
		return nil, stock.Refuse(stock.HoldExpired, "hold %x ended at %d", holdID, h.deadline)
	}
	if err := d.freshReservation(c.GetReservation()); err != nil {
		return nil, err
	}
	all, err := d.claims(s, h.lines)
	if err != nil {
		return nil, err
	}
	result, err := d.promise(s, c.GetReservation(), c.GetShopper(), all)
	if err != nil {
		return nil, err
	}
	if _, err := d.tx.Exec(updateHold, next, c.GetReservation(), s.id, holdID[:]); err != nil {
		return nil, fmt.Errorf("confirm hold %x: %w", holdID, err)
	}
	return result, nil
}

// reserveNow is hold and confirm in one. The same reservation again is the same
// promise.
func (d *desk) reserveNow(r *recordv1.ReserveNow) (*recordv1.Result, error) {
	if err := checkLines(r.GetLines()); err != nil {
		return nil, err
	}
	s, err := d.buyer(r.GetStore(), r.GetReservation(), r.GetShopper())
	if err != nil {
		return nil, err
	}
	known, err := findPromise(d.tx, [16]byte(r.GetReservation()))
	if err != nil {
		return nil, err
	}
	if known == nil {
		known, err = d.ledTo()
	}
	if err != nil || known != nil {
		return d.promisedAs(s, known, r.GetLines(), err)
	}
	policy, err := s.terms()
	if err != nil {
		return nil, err
	}
	if err := d.limitPromises(s, policy); err != nil {
		return nil, err
	}
	all, err := d.claims(s, r.GetLines())
	if err != nil {
		return nil, err
	}
	language := r.GetShopper().GetLanguage()
	if language == "" {
		if language, err = s.language(); err != nil {
			return nil, err
		}
	}
	if err := holdAll(all, language); err != nil {
		return nil, err
	}
	return d.promise(s, r.GetReservation(), r.GetShopper(), all)
}

// buyer checks what a promise needs to know of a person, and loads the store.
func (d *desk) buyer(id uint32, promise []byte, p *recordv1.Shopper) (*store, error) {
	if _, err := id16(promise, "reservation"); err != nil {
		return nil, err
	}
	if !plain(p.GetFirstName(), maxFirstName) {
		return nil, badRequest("name", "a name of %d bytes", len(p.GetFirstName()))
	}
	if !plain(p.GetCode(), maxCode) || !plain(p.GetLanguage(),
		maxCode) || len(p.GetPinHash()) > maxPIN {
		return nil, badRequest("code", "a code of %d bytes", len(p.GetCode()))
	}
	s, err := d.store(id)
	if err != nil {
		return nil, err
	}
	policy, err := s.terms()
	if err != nil {
		return nil, err
	}
	if policy.GetPinNeeded() && len(p.GetPinHash()) == 0 {
		return nil, badRequest("pin", "store %d wants a PIN for every order", s.id)
	}
	if until := p.GetPickupUntil(); until != 0 && (until <= d.now || until > d.now+maxPickupMS) {
		return nil, badRequest("pickup_time", "pickup until %d, now %d", until, d.now)
	}
	return s, nil
}

// freshReservation refuses an id that another promise has.
func (d *desk) freshReservation(id []byte) error {
	known, err := findPromise(d.tx, [16]byte(id))
	if err != nil || known == nil {
		return err
	}
	return stock.Refuse(stock.IDReused, "reservation %x exists", id)
}

// promisedBefore answers a repeat, if it is one.
func (d *desk) promisedBefore(s *store, id []byte,
	lines []*recordv1.WantedLine) (*recordv1.Result, error) {
	p, err := findPromise(d.tx, [16]byte(id))
	if err == nil && p == nil {
		return nil, stock.Refuse(stock.IDReused, "reservation %x is another one", id)
	}
	return d.promisedAs(s, p, lines, err)
}

// promisedAs answers with a promise that was made before, if it is of the same
// cart; without lines the caller knows that it is.
func (d *desk) promisedAs(s *store, p *Promise, lines []*recordv1.WantedLine,
	err error) (*recordv1.Result, error) {
	if err != nil {
		return nil, err
	}
	if p.Store != s.id || lines != nil && !sameCart(p.Reserve.GetLines(), lines) {
		return nil, stock.Refuse(stock.IDReused, "reservation %x is another one", p.ID)
	}
	if err := p.look(d.tx); err != nil {
		return nil, err
	}
	return promised(p.Store, p.Reserve, p.State), nil
}

func sameCart(reserved []*recordv1.ReservedLine, wanted []*recordv1.WantedLine) bool {
	if len(reserved) != len(wanted) {
		return false
	}
	for i, l := range reserved {
		if l.GetSku() != wanted[i].GetSku() || l.GetUnits() != wanted[i].GetUnits() {
			return false
		}
	}
	return true
}

// promise assigns the held units to a reservation and orders the store to keep
// it. The directive's number is part of the promise: the store can tell by it
// whether a code it does not know is new or long finished.
func (d *desk) promise(s *store, id []byte, p *recordv1.Shopper, all []claim) (*recordv1.Result,
	error) {
	for _, c := range all {
		pool, err := c.quota.pool.Confirm(c.units)
		if err != nil {
			return nil, fmt.Errorf("promise %x: held units are gone: %s", id, err.Error())
		}
		c.quota.pool = pool
	}
	reserve, err := d.reserve(s, id, p, all)
	if err != nil {
		return nil, err
	}
	data, err := encode.Marshal(reserve)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if err := d.saveQuota(s, c.quota); err != nil {
			return nil, err
		}
	}
	_, err = d.tx.Exec(insertPromise, s.id, id, s.timeline, reserve.GetDirective(), data, d.now)
	if err != nil {
		return nil, fmt.Errorf("insert promise %x: %w", id, err)
	}
	err = errors.Join(d.keepRequest(s, reserve), d.order(s, &recordv1.Directive{Critical: true,
		Body: &recordv1.Directive_Reserve{Reserve: reserve}}))
	if err != nil {
		return nil, err
	}
	return promised(s.id, reserve, Confirmed), d.saveChain(s)
}

// reserve writes down what was promised, in the words of the store's people.
func (d *desk) reserve(s *store, id []byte, p *recordv1.Shopper, all []claim) (*recordv1.Reserve,
	error) {
	policy, err := s.terms()
	if err != nil {
		return nil, err
	}
	language, err := s.language()
	if err != nil {
		return nil, err
	}
	r := &recordv1.Reserve{
		Reservation: id, Timeline: uint32(s.timeline), Directive: s.directives.Seq + 1,
		PickupUntil: p.GetPickupUntil(), GraceMs: policy.GetGraceMs(),
		Contact: p.GetFirstName(), Language: p.GetLanguage(), Code: p.GetCode(),
		PinHash: p.GetPinHash(), ConfirmedAt: d.now, Basis: "quota",
	}
	if d.version >= careful {
		r.Request = d.request
	}
	if s.connected {
		r.Basis = "store"
	}
	if r.PickupUntil == 0 {
		r.PickupUntil = d.now + policy.GetPickupWindowMs()
	}
	for i, c := range all {
		r.Lines = append(r.Lines, &recordv1.ReservedLine{Line: uint32(i + 1), Sku: c.product.GetSku(),
			Units: int64(c.units), Gtin: c.product.GetGtin(), Name: NameIn(c.product, language)})
	}
	return r, nil
}

func promised(id stock.StoreID, r *recordv1.Reserve, state State) *recordv1.Result {
	return &recordv1.Result{Body: &recordv1.Result_Reservation{Reservation: &recordv1.ReservationResult{
		Reserve: r, Store: uint32(id), State: state.String()}}}
}

// requestCancel asks the store to end a reservation. Asking twice is asking
// once; what has ended cannot be asked for.
func (d *desk) requestCancel(c *recordv1.RequestCancel) (*recordv1.Result, error) {
	id, err := id16(c.GetReservation(), "reservation")
	if err != nil {
		return nil, err
	}
	if !plain(c.GetReason(), maxStoreText) {
		return nil, badRequest("reason", "a reason of %d bytes", len(c.GetReason()))
	}
	p, err := findPromise(d.tx, id)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, stock.Refuse(stock.UnknownReservation, "reservation %x", id)
	}
	if err := p.look(d.tx); err != nil {
		return nil, err
	}
	if p.Mirror != nil && p.State.Final() {
		return nil, books.Finished(p.Mirror)
	}
	if p.CancelAt > 0 {
		return promised(p.Store, p.Reserve, p.State), nil
	}
	s, err := loadStore(d.tx, p.Store)
	if err != nil {
		return nil, err
	}
	if _, err := d.tx.Exec(updateCancel, max(1, d.now), s.id, id[:]); err != nil {
		return nil, fmt.Errorf("cancel promise %x: %w", id, err)
	}
	if err := d.orderCancel(s, p.Reserve, c.GetReason()); err != nil {
		return nil, err
	}
	return promised(p.Store, p.Reserve, p.State), d.save(s)
}
