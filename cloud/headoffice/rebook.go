package headoffice

import (
	"database/sql"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
)

const (
	// maxRebooked bounds the records of a store that was set apart which are
	// booked later: weeks of a busy one.
	maxRebooked = 100_000
	rebookPage  = 500

	listUnbooked = `SELECT data FROM archive WHERE store = ? AND seq >= ? ORDER BY seq LIMIT ?`
	keepApart    = `INSERT INTO renewal (store, part, seq) VALUES (?,0,?) ON CONFLICT (store) DO NOTHING`
	selectApart  = `SELECT seq FROM renewal WHERE store = ?`
	updateApart  = `UPDATE renewal SET seq = ? WHERE store = ?`
)

// rebook books what a store recorded while it was set apart, but for what
// contradicts the copy. If its box is lost, a new one begins with that; if not,
// its own books take the place.
func (d *desk) rebook(s *store) error {
	if !s.quarantined || d.version < careful {
		return nil
	}
	var from uint64
	err := d.tx.QueryRow(selectApart, s.id).Scan(&from)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("find where store %d was set apart: %w", s.id, err)
	}
	last := s.applied.Seq
	if from == 0 || from > last || last-from >= maxRebooked {
		return nil
	}
	for seq := from; seq <= last; {
		page, err := d.archivePage(s, seq)
		if err != nil || len(page) == 0 {
			return err
		}
		whole, err := d.rebookPage(s, seq, page)
		if err != nil {
			return err
		}
		for i := range page {
			if whole {
				break
			}
			if _, err := d.rebookPage(s, seq+uint64(i), page[i:i+1]); err != nil {
				return err
			}
		}
		seq += uint64(len(page))
	}
	_, err = d.tx.Exec(updateApart, last+1, s.id)
	return err
}

func (d *desk) archivePage(s *store, from uint64) ([]*recordv1.Record, error) {
	raw, err := columnOf(d.tx, scanData, listUnbooked, s.id, from, rebookPage)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	return decodeRecords(from, raw)
}

func scanData(row scanner) (data []byte, err error) { return data, row.Scan(&data) }

// rebookPage books records; it is false when the tables refused them together.
func (d *desk) rebookPage(s *store, first uint64, page []*recordv1.Record) (whole bool, err error) {
	m := newMirror(d, s)
	m.lenient = true
	s.quarantined = false
	err = m.bookAll(first, page)
	s.quarantined = true
	return !m.dropped, err
}
