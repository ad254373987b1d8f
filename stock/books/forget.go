package books

import (
	"fmt"
	"slices"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const (
	// maxForgotten bounds the orders that one record drops.
	maxForgotten = 2000
	// openItemMS is how much longer than one that is done an item is kept that
	// nobody has dealt with.
	openItemMS = int64(365 * 24 * 3600_000)

	listOver = `SELECT ` + reservationColumns + ` FROM reservation
  WHERE store=? AND finished_at>0 AND finished_at<? ORDER BY finished_at, id LIMIT ?`
	dropLines       = `DELETE FROM reservation_line WHERE store = ? AND id = ?`
	dropReservation = `DELETE FROM reservation WHERE store = ? AND id = ?`
	dropItems       = `DELETE FROM item WHERE store = ?1 AND (progress = 3 AND at < ?2 OR at < ?3)`
	dropDocuments   = `DELETE FROM document WHERE store = ?1 AND seq <= ?2`
)

// forget drops orders that ended before a time, and what was noted and delivered
// long ago. An order goes only when its own directive was applied in its own
// timeline: its number then says for ever that the order has ended, whoever
// shows its code or orders it again.
func (b *Book) forget(f *recordv1.Forget) error {
	if f.GetBefore() <= 0 {
		return malformed("time to forget before")
	}
	if err := b.flush(); err != nil {
		return err
	}
	over, err := b.over(f.GetBefore())
	if err != nil {
		return err
	}
	for _, r := range over {
		for _, drop := range []string{dropLines, dropReservation} {
			if _, err := b.tx.Exec(drop, b.store, r.ID[:]); err != nil {
				return fmt.Errorf("forget reservation %x: %w", r.ID, err)
			}
		}
		delete(b.reservations, r.ID)
		b.forgotten = append(b.forgotten, r.ID)
		b.changed = slices.DeleteFunc(b.changed, func(c *Reservation) bool { return c.ID == r.ID })
	}
	if _, err := b.tx.Exec(dropItems, b.store, f.GetBefore(), f.GetBefore()-openItemMS); err != nil {
		return fmt.Errorf("forget items: %w", err)
	}
	if _, err := b.tx.Exec(dropDocuments, b.store, f.GetThrough()); err != nil {
		return fmt.Errorf("forget documents: %w", err)
	}
	return nil
}

// over lists the orders that may be forgotten.
func (b *Book) over(before int64) (over []*Reservation, err error) {
	ended, err := endedBefore(b.tx, b.store, before)
	if err != nil {
		return nil, err
	}
	applied := make(map[stock.Timeline]uint64)
	for _, r := range ended {
		t := stock.Timeline(r.Reserve.GetTimeline())
		if _, known := applied[t]; !known {
			if applied[t], err = b.AppliedIn(t); err != nil {
				return nil, err
			}
		}
		if n := r.Reserve.GetDirective(); n > 0 && n <= applied[t] {
			over = append(over, r)
		}
	}
	return over, nil
}

func endedBefore(tx *journal.Tx, store stock.StoreID, before int64) ([]*Reservation, error) {
	rows, err := tx.Query(listOver, store, before, maxForgotten)
	if err != nil {
		return nil, fmt.Errorf("list what ended before %d: %w", before, err)
	}
	defer rows.Close()
	var all []*Reservation
	for rows.Next() {
		r, err := scanReservation(rows)
		if err != nil {
			return nil, fmt.Errorf("read what ended before %d: %w", before, err)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// Forgettable counts what a Forget of this time would drop of orders, at most as
// many as one record can.
func Forgettable(tx *journal.Tx, store stock.StoreID, before int64) (int, error) {
	over, err := Open(tx, store).over(before)
	return len(over), err
}

// Forgotten lists the orders that were dropped.
func (b *Book) Forgotten() [][16]byte { return b.forgotten }
