package books

import (
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
)

// Reservation is one shopper's promise as the store knows it.
type Reservation struct {
	ID          [16]byte
	Reserve     *recordv1.Reserve
	Lines       []reservation.Line
	Accepted    bool  // the directive was applied; false: known by its token alone
	PickupUntil int64 // Unix ms; may have been extended
	FinishedAt  int64 // Unix ms; 0 while open
	Shelf       string

	dirty bool
}

// State derives how far the reservation is.
func (r *Reservation) State() reservation.State { return reservation.StateOf(r.Lines) }

// Line returns the line with this number.
func (r *Reservation) Line(number uint32) (*reservation.Line, error) {
	for i := range r.Lines {
		if r.Lines[i].Line == number {
			return &r.Lines[i], nil
		}
	}
	return nil, stock.Refuse(stock.BadRequest, "reservation has no line %d", number).With("what", "line")
}

const reservationColumns = `id, reserve, accepted, pickup_until, finished_at, shelf`

const (
	selectReservation = `SELECT ` + reservationColumns + ` FROM reservation WHERE store=? AND id=?`
	selectByCode      = `SELECT ` + reservationColumns + ` FROM reservation
  WHERE store=? AND code=? ORDER BY finished_at > 0, finished_at DESC, id LIMIT 1`
	selectOpen = `SELECT ` + reservationColumns + ` FROM reservation
  WHERE store=? AND finished_at=0 ORDER BY pickup_until, id LIMIT ?`
	selectFinished = `SELECT ` + reservationColumns + ` FROM reservation
  WHERE store=? AND finished_at>0 ORDER BY finished_at DESC, id LIMIT ?`
	selectLines = `SELECT line, sku, quantity, reserved, picked, staged, collected, released, short
  FROM reservation_line WHERE store=? AND id=? ORDER BY line`
	upsertReservation = `INSERT INTO reservation
  (store, id, reserve, accepted, code, pickup_until, finished_at, shelf, directive, state)
  VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (store, id) DO UPDATE SET reserve=excluded.reserve,
  accepted=excluded.accepted, code=excluded.code, pickup_until=excluded.pickup_until,
  finished_at=excluded.finished_at, shelf=excluded.shelf, directive=excluded.directive,
  state=excluded.state`
	upsertLine = `INSERT INTO reservation_line
  (store, id, line, sku, quantity, reserved, picked, staged, collected, released, short)
  VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (store, id, line) DO UPDATE SET
  reserved=excluded.reserved, picked=excluded.picked, staged=excluded.staged,
  collected=excluded.collected, released=excluded.released, short=excluded.short`
)

// Reservation returns a reservation that this store knows.
func (b *Book) Reservation(id [16]byte) (*Reservation, bool, error) {
	if r, ok := b.reservations[id]; ok {
		return r, r != nil, nil
	}
	r, err := loadReservation(b.tx, b.store, selectReservation, id[:])
	if err != nil {
		return nil, false, fmt.Errorf("load reservation %x: %w", id, err)
	}
	if b.reservations == nil {
		b.reservations = make(map[[16]byte]*Reservation)
	}
	b.reservations[id] = r
	return r, r != nil, nil
}

// FindByCode returns the reservation with a human pickup code, an open one
// before a finished one; nil when there is none.
func FindByCode(tx *journal.Tx, store stock.StoreID, code string) (*Reservation, error) {
	return loadReservation(tx, store, selectByCode, code)
}

// OpenReservations lists what is not finished, due first.
func OpenReservations(tx *journal.Tx, store stock.StoreID, limit int) ([]*Reservation, error) {
	return listReservations(tx, store, selectOpen, limit)
}

// FinishedReservations lists what is finished, newest first.
func FinishedReservations(tx *journal.Tx, store stock.StoreID, limit int) ([]*Reservation, error) {
	return listReservations(tx, store, selectFinished, limit)
}

func loadReservation(tx *journal.Tx, store stock.StoreID, q string, key any) (*Reservation, error) {
	r, err := scanReservation(tx.QueryRow(q, store, key))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r, loadLines(tx, store, r)
}

func listReservations(tx *journal.Tx, store stock.StoreID, q string, limit int) ([]*Reservation, error) {
	rows, err := tx.Query(q, store, limit)
	if err != nil {
		return nil, fmt.Errorf("list reservations: %w", err)
	}
	var all []*Reservation
	for rows.Next() {
		r, err := scanReservation(rows)
		if err != nil {
			rows.Close()
			return nil, fmt.Errorf("read reservation: %w", err)
		}
		all = append(all, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, r := range all {
		if err := loadLines(tx, store, r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func scanReservation(row scanner) (*Reservation, error) {
	var id, reserve []byte
	r := &Reservation{Reserve: new(recordv1.Reserve)}
	err := row.Scan(&id, &reserve, &r.Accepted, &r.PickupUntil, &r.FinishedAt, &r.Shelf)
	if err != nil {
		return nil, err
	}
	copy(r.ID[:], id)
	return r, proto.Unmarshal(reserve, r.Reserve)
}

func loadLines(tx *journal.Tx, store stock.StoreID, r *Reservation) error {
	rows, err := tx.Query(selectLines, store, r.ID[:])
	if err != nil {
		return fmt.Errorf("list lines of %x: %w", r.ID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var line uint32
		var sku stock.SKU
		var n [7]stock.Units
		if err := rows.Scan(&line, &sku, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6]); err != nil {
			return fmt.Errorf("read line of %x: %w", r.ID, err)
		}
		r.Lines = append(r.Lines, reservation.LoadLine(line, sku, n[0],
			func(p reservation.Part) stock.Units { return n[p] }))
	}
	return rows.Err()
}

func (b *Book) saveReservation(r *Reservation) error {
	reserve, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Reserve)
	if err != nil {
		return err
	}
	_, err = b.tx.Exec(upsertReservation, b.store, r.ID[:], reserve, r.Accepted, r.Reserve.GetCode(),
		r.PickupUntil, r.FinishedAt, r.Shelf, r.Reserve.GetDirective(), r.State().String())
	if err != nil {
		return err
	}
	for _, l := range r.Lines {
		_, err := b.tx.Exec(upsertLine, b.store, r.ID[:], l.Line, l.SKU, l.Quantity,
			l.At(reservation.Reserved), l.At(reservation.Picked), l.At(reservation.Staged),
			l.At(reservation.Collected), l.At(reservation.Released), l.At(reservation.Short))
		if err != nil {
			return err
		}
	}
	r.dirty = false
	return nil
}

func (b *Book) change(r *Reservation) {
	if !r.dirty {
		r.dirty = true
		b.changed = append(b.changed, r)
	}
}

// ends says on which account units of a step end; units that were picked and
// are given up wait for a shelf scan.
var ends = map[reservation.Step]map[reservation.Part]ledger.Account{
	reservation.Pick:    {reservation.Reserved: ledger.Picked},
	reservation.Unpick:  {reservation.Picked: ledger.Reserved},
	reservation.Stage:   {reservation.Picked: ledger.Staged},
	reservation.Unstage: {reservation.Staged: ledger.Picked},
	reservation.Collect: {reservation.Reserved: ledger.Collected,
		reservation.Picked: ledger.Collected, reservation.Staged: ledger.Collected},
	reservation.Release: {reservation.Reserved: ledger.Sellable,
		reservation.Picked: ledger.ToShelve, reservation.Staged: ledger.ToShelve},
	reservation.RunShort: {reservation.Reserved: ledger.Missing,
		reservation.Picked: ledger.Missing, reservation.Staged: ledger.Missing},
	reservation.GiveAway: {reservation.Reserved: ledger.Sellable},
}

var accountOf = map[reservation.Part]ledger.Account{reservation.Reserved: ledger.Reserved,
	reservation.Picked: ledger.Picked, reservation.Staged: ledger.Staged}

// step takes n units of a line through a step, on the reservation and in the
// accounts at once.
func (b *Book) step(r *Reservation, number uint32, s reservation.Step, n stock.Units) error {
	line, err := r.Line(number)
	if err == nil {
		var next reservation.Line
		var moves []reservation.Move
		if next, moves, err = line.Do(s, n); err == nil {
			for _, m := range moves {
				mv := ledger.Movement{From: accountOf[m.From], To: ends[s][m.From], Units: m.Units}
				if err := b.post(line.SKU, mv); err != nil {
					return err
				}
			}
			*line = next
			b.change(r)
			return nil
		}
	}
	if refusal, ok := stock.AsRefusal(err); ok && b.rules == Total {
		b.note(refusal.Code, "reservation %x line %d: %s", r.ID, number, refusal.Detail)
		return nil
	}
	return err
}
