package headoffice

import (
	"fmt"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const (
	listDirectives = `SELECT directive, data FROM directive
  WHERE store = ? AND timeline = ? AND directive > ? ORDER BY directive LIMIT ?`
	listNotes = `SELECT store, seq, number, at, code, what FROM anomaly
  WHERE (at, store, seq, number) < (?, ?, ?, ?)
  ORDER BY at DESC, store DESC, seq DESC, number DESC LIMIT ?`
)

// Cursor is a place in a store's directives.
type Cursor struct {
	Store    stock.StoreID
	Timeline stock.Timeline
	After    uint64
}

// DirectivesAfter returns the stored bytes of the directives after a place, and
// the hash of the chain there. journal.ErrNoRecord means that the place is not
// kept any more, or was never reached.
func DirectivesAfter(tx *journal.Tx, c Cursor, limit int) (raw [][]byte, prev journal.Hash,
	err error) {
	if c.After > 0 {
		row := tx.QueryRow(selectDirectiveHash, c.Store, c.Timeline, c.After)
		h, err := found(new(journal.Hash), row.Scan(&prev))
		if err == nil && h == nil {
			err = fmt.Errorf("directive %d of store %d: %w", c.After, c.Store, journal.ErrNoRecord)
		}
		if err != nil {
			return nil, prev, err
		}
	}
	raw, err = chainFrom(tx, c.After+1, limit, listDirectives, c.Store, c.Timeline, c.After, limit)
	return raw, prev, err
}

// chainFrom reads numbered rows and insists on their numbers.
func chainFrom(tx *journal.Tx, next uint64, limit int, q string, args ...any) ([][]byte, error) {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return nil, fmt.Errorf("list from %d: %w", next, err)
	}
	defer rows.Close()
	raw := make([][]byte, 0, min(limit, 64))
	for ; rows.Next(); next++ {
		var n uint64
		var data []byte
		if err := rows.Scan(&n, &data); err != nil {
			return nil, fmt.Errorf("read %d: %w", next, err)
		}
		if n != next {
			return nil, fmt.Errorf("number %d: %w", next, journal.ErrNoRecord)
		}
		raw = append(raw, data)
	}
	return raw, rows.Err()
}

// Anomaly is something about a store's records that a person should look at.
// The words are the store's.
type Anomaly struct {
	At     int64 // Unix ms
	Store  stock.StoreID
	Seq    uint64 // of the record
	Number int
	Code   string
	What   string
}

// Anomalies lists the newest first, those before a given one; the zero Anomaly
// means from the newest.
func Anomalies(tx *journal.Tx, before Anomaly, limit int) ([]Anomaly, error) {
	if before == (Anomaly{}) {
		before.At = 1<<63 - 1
	}
	rows, err := tx.Query(listNotes, before.At, before.Store, before.Seq, before.Number, limit)
	if err != nil {
		return nil, fmt.Errorf("list anomalies: %w", err)
	}
	defer rows.Close()
	var all []Anomaly
	for rows.Next() {
		var a Anomaly
		if err := rows.Scan(&a.Store, &a.Seq, &a.Number, &a.At, &a.Code, &a.What); err != nil {
			return nil, fmt.Errorf("read anomaly: %w", err)
		}
		all = append(all, a)
	}
	return all, rows.Err()
}
