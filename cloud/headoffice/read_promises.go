package headoffice

import (
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/reservation"
)

// State is how a shopper's reservation stands, as far as the cloud has heard.
type State uint8

// States. From Collected on they are final.
const (
	Confirmed State = 1 + iota // promised; the store has not said that it knows
	Accepted                   // the store knows
	Picking
	Ready // every open line is staged
	Collected
	Cancelled
	Expired
	Shorted         // could not be fulfilled
	PartlyCollected // finished, some units collected and some not
)

var stateNames = [...]string{"", "confirmed", "accepted", "picking", "ready", "collected",
	"cancelled", "expired", "short", "partly_collected"}

// String gives the word used in APIs and pages.
func (s State) String() string { return stateNames[s] }

// Final tells whether the reservation has ended.
func (s State) Final() bool { return s >= Collected }

// Promise is a reservation: what the cloud has promised, and in Mirror how it
// goes, by what the store has recorded. Mirror is nil until the store knows.
type Promise struct {
	Store       stock.StoreID
	ID          [16]byte
	Timeline    stock.Timeline
	Reserve     *recordv1.Reserve
	ConfirmedAt int64 // Unix ms
	CancelAt    int64 // when a shopper asked to cancel; 0: nobody did
	Mirror      *books.Reservation
	State       State

	released recordv1.ReleaseReason
}

// Promised is the promise that a command has just led to.
func Promised(r *recordv1.ReservationResult) *Promise {
	reserve := r.GetReserve()
	return &Promise{Store: stock.StoreID(r.GetStore()), ID: [16]byte(reserve.GetReservation()),
		Timeline: stock.Timeline(reserve.GetTimeline()), Reserve: reserve,
		ConfirmedAt: reserve.GetConfirmedAt(), State: Confirmed}
}

// PickupUntil is when the shopper should have come, Unix ms.
func (p *Promise) PickupUntil() int64 {
	if p.Mirror != nil {
		return p.Mirror.PickupUntil
	}
	return p.Reserve.GetPickupUntil()
}

// FinishedAt is when the store ended it, Unix ms by the store's clock; 0: open.
func (p *Promise) FinishedAt() int64 {
	if p.Mirror != nil {
		return p.Mirror.FinishedAt
	}
	return 0
}

const promiseColumns = `store, reservation, timeline, reserve, confirmed_at, cancel_at, released`

const (
	selectPromise = `SELECT ` + promiseColumns + ` FROM promise WHERE reservation = ?
  ORDER BY store LIMIT 1`
	listPromises = `SELECT ` + promiseColumns + ` FROM promise
  WHERE store = ?1 AND directive < ?2 ORDER BY timeline DESC, directive DESC LIMIT ?3`
	listOpenPromises = `SELECT ` + promiseColumns + ` FROM promise
  WHERE store = ?1 AND directive < ?2 AND finished_at = 0
  ORDER BY timeline DESC, directive DESC LIMIT ?3`
)

// findPromise returns nil when there is none. It does not look at the mirror.
func findPromise(tx *journal.Tx, id [16]byte) (*Promise, error) {
	p, err := scanPromise(tx.QueryRow(selectPromise, id[:]))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load promise %x: %w", id, err)
	}
	return p, nil
}

func scanPromise(row scanner) (*Promise, error) {
	p := &Promise{State: Confirmed}
	var reserve []byte
	err := row.Scan(&p.Store, &p.ID, &p.Timeline, &reserve, &p.ConfirmedAt, &p.CancelAt, &p.released)
	if err != nil {
		return nil, err
	}
	p.Reserve = new(recordv1.Reserve)
	return p, proto.Unmarshal(reserve, p.Reserve)
}

// look finds out how the reservation goes.
func (p *Promise) look(tx *journal.Tx) error {
	m, known, err := books.Open(tx, p.Store).Reservation(p.ID)
	if err != nil || !known {
		return err
	}
	p.Mirror = m
	p.State = p.stateOf(m)
	return nil
}

func (p *Promise) stateOf(m *books.Reservation) State {
	switch m.State() {
	case reservation.Picking, reservation.AllPicked:
		return Picking
	case reservation.Ready:
		return Ready
	case reservation.AllCollected:
		return Collected
	case reservation.AllReleased:
		if p.released == recordv1.ReleaseReason_RELEASE_REASON_EXPIRE {
			return Expired
		}
		return Cancelled
	case reservation.AllShort:
		return Shorted
	case reservation.Mixed:
		return p.mixed(m)
	}
	return Accepted
}

// mixed names an end in several ways by what matters most to the shopper.
func (p *Promise) mixed(m *books.Reservation) State {
	for _, l := range m.Lines {
		if l.At(reservation.Collected) > 0 {
			return PartlyCollected
		}
	}
	return Shorted
}

// FindPromise returns a reservation, or refuses with UnknownReservation.
func FindPromise(tx *journal.Tx, id [16]byte) (*Promise, error) {
	p, err := findPromise(tx, id)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, stock.Refuse(stock.UnknownReservation, "reservation %x", id)
	}
	return p, p.look(tx)
}

// List says which of a store's reservations are asked for.
type List struct {
	Store    stock.StoreID
	OpenOnly bool
	Before   uint64 // directive number of the last one shown; 0: from the newest
	Limit    int
}

// Promises lists a store's reservations, the newest first.
func Promises(tx *journal.Tx, l List) ([]*Promise, error) {
	q := listPromises
	if l.OpenOnly {
		q = listOpenPromises
	}
	before := int64(l.Before)
	if before == 0 {
		before = 1<<63 - 1
	}
	rows, err := tx.Query(q, l.Store, before, l.Limit)
	if err != nil {
		return nil, fmt.Errorf("list promises of store %d: %w", l.Store, err)
	}
	var all []*Promise
	for rows.Next() {
		p, err := scanPromise(rows)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read promise: %w", err), rows.Close())
		}
		all = append(all, p)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, p := range all {
		if err := p.look(tx); err != nil {
			return nil, err
		}
	}
	return all, nil
}
