package headoffice

import (
	"database/sql"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

const (
	selectRenewal = `SELECT part FROM renewal WHERE store = ?`
	upsertRenewal = `INSERT INTO renewal (store, part, seq) VALUES (?,?,0)
  ON CONFLICT (store) DO UPDATE SET part = excluded.part`
	deleteRenewal = `DELETE FROM renewal WHERE store = ?`
	dropArchive   = `DELETE FROM archive WHERE store = ?`
	dropBatches   = `DELETE FROM batch WHERE store = ?`
)

// Codes of the events of a copy that is made anew.
const (
	eventGap     = "RECORDS_LOST" // nobody has them any more
	eventRenewed = "COPY_RENEWED"
)

// renewal tells which part of a store's own books head office waits for, to
// make its copy anew; 0: it does not wait.
func (d *desk) renewal(s *store) (part uint32, err error) {
	if d.version < careful {
		return 0, nil
	}
	return renewalOf(d.tx, s.id)
}

func renewalOf(tx *journal.Tx, id stock.StoreID) (part uint32, err error) {
	err = tx.QueryRow(selectRenewal, id).Scan(&part)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("load the renewal of store %d: %w", id, err)
	}
	return part, nil
}

// Renewing tells whether head office waits for a store's own books, to make its
// copy of them anew.
func Renewing(tx *journal.Tx, id stock.StoreID) (bool, error) {
	part, err := renewalOf(tx, id)
	return part > 0, err
}

func (d *desk) setRenewal(s *store, part uint32) error {
	q, args := upsertRenewal, []any{s.id, part}
	if !s.quarantined {
		q, args = deleteRenewal, args[:1]
	}
	if _, err := d.tx.Exec(q, args...); err != nil {
		return fmt.Errorf("note the renewal of store %d: %w", s.id, err)
	}
	return nil
}

// renew lets a store's own books take the place of head office's copy. Whatever
// the two sides disagreed on ends with the timeline: in a new one, of this store
// alone, the cloud may promise nothing until the copy is there, and orders that
// are open are ordered again. Until then records are archived and not booked; those
// from before are booked as far as they can be, for the case that the box is lost.
func (d *desk) renew(r *recordv1.Renew) (*recordv1.Result, error) {
	if !plain(r.GetReason(), maxStoreText) {
		return nil, badRequest("reason", "a reason of %d bytes", len(r.GetReason()))
	}
	s, err := d.store(r.GetStore())
	if err != nil {
		return nil, err
	}
	if _, err := d.freeHolds(s); err != nil {
		return nil, err
	}
	d.timeline++
	if _, err := d.tx.Exec(updateTimeline, d.timeline); err != nil {
		return nil, fmt.Errorf("begin timeline %d: %w", d.timeline, err)
	}
	if err := d.rebook(s); err != nil {
		return nil, err
	}
	s.quarantined = true
	if err := d.setRenewal(s, 1); err != nil {
		return nil, err
	}
	return counted(1), d.beginTimeline(s)
}

// beginTimeline gives a store a new chain of orders.
func (d *desk) beginTimeline(s *store) error {
	s.endSession(d.now)
	s.timeline, s.directives, s.acked, s.keysVersion = d.timeline, journal.Position{}, 0, 0
	policy, err := s.terms()
	if err != nil {
		return err
	}
	return errors.Join(d.orderPolicy(s, policy), d.orderKeys(s), d.save(s))
}

// gap tells whether the node's records begin after those that the cloud has.
func gap(s *store, h *recordv1.Hello) bool {
	return h.GetJournalLast() > s.applied.Seq && h.GetJournalFirst() > s.applied.Seq+1
}

// bridge goes on from the node's first record over some that nobody has any
// more. What the store is without them its own books say.
func (d *desk) bridge(s *store, h *recordv1.Hello) error {
	lost := fmt.Sprintf("records %d to %d", s.applied.Seq+1, h.GetJournalFirst()-1)
	for _, q := range []string{dropArchive, dropBatches} { // a chain has no holes
		if _, err := d.tx.Exec(q, s.id); err != nil {
			return fmt.Errorf("bridge the records of store %d: %w", s.id, err)
		}
	}
	s.applied.Seq = h.GetJournalFirst()
	copy(s.applied.Hash[:], h.GetJournalFirstHash())
	s.quarantined = true
	if err := d.setRenewal(s, 1); err != nil {
		return err
	}
	return d.noteEvent(s, eventGap, lost)
}

// askForBooks orders the store to write its books down, if head office waits
// for them: once in each session, because the last one may have ended halfway.
func (d *desk) askForBooks(s *store) error {
	part, err := d.renewal(s)
	if err != nil || part == 0 {
		return err
	}
	return errors.Join(d.setRenewal(s, 1), d.order(s, &recordv1.Directive{
		Body: &recordv1.Directive_Checkpoint{Checkpoint: &recordv1.CheckpointRequest{}}}))
}

// renewing is a mirror that waits for the store's own books.
type renewing struct {
	known bool
	part  uint32 // that comes next; 0: none is waited for
}

// await looks whether a record of a store that is set apart is part of its
// books. Their parts come one after the other, or not at all.
func (m *mirror) await(r *recordv1.Record) error {
	w := &m.renewing
	if !w.known {
		part, err := m.d.renewal(m.s)
		if err != nil {
			return err
		}
		*w = renewing{true, part}
	}
	c := r.GetCheckpoint()
	switch {
	case w.part == 0:
		return nil
	case c == nil || c.GetPart() != w.part && c.GetPart() != 1:
		w.part = 1
		return nil
	case c.GetPart() == 1:
		if err := m.startOver(); err != nil {
			return err
		}
	}
	if err := m.takeOver(r, c); err != nil {
		return err
	}
	w.part = c.GetPart() + 1
	if c.GetPart() == c.GetParts() {
		w.part, m.s.quarantined, m.reissue = 0, false, true
		m.note(r.GetSeq(), eventRenewed, fmt.Sprintf("as of record %d", r.GetSeq()))
	}
	return nil
}

// startOver empties the copy.
func (m *mirror) startOver() error {
	m.book, m.granted, m.released = books.Open(m.d.tx, m.s.id), nil, nil
	return books.Empty(m.d.tx, m.s.id)
}

// takeOver books a part of the store's own books, and what it means beyond
// them.
func (m *mirror) takeOver(r *recordv1.Record, c *recordv1.Checkpoint) error {
	for _, b := range c.GetBalances() {
		if stock.Timeline(b.GetTimeline()) != m.s.timeline {
			continue
		}
		q, err := m.d.quota(m.s, stock.SKU(b.GetSku()))
		if err != nil {
			return err
		}
		q.pool.Granted = stock.Units(b.GetGranted())
		m.quotas[quotaKey{m.s.timeline, q.sku}] = q
		m.granted = append(m.granted, q)
	}
	for _, state := range c.GetReservations() {
		if state.GetFinishedAt() > 0 {
			continue
		}
		if err := m.expect(r.GetSeq(), state.GetReserve()); err != nil {
			return err
		}
	}
	return m.book.Apply(r, books.Total)
}

// saveRenewal keeps from which record on a store is set apart, and how far its
// own books have come.
func (m *mirror) saveRenewal() error {
	if m.apart > 0 && m.d.version >= careful {
		if _, err := m.d.tx.Exec(keepApart, m.s.id, m.apart); err != nil {
			return fmt.Errorf("set store %d apart: %w", m.s.id, err)
		}
	}
	if !m.renewing.known {
		return nil
	}
	return m.d.setRenewal(m.s, m.renewing.part)
}
