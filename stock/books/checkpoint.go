package books

import (
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
)

// Rows of one kind in one part of a checkpoint: a part must fit into a batch.
const (
	partBalances     = 1000
	partReservations = 200
	partRows         = 1000
)

// Checkpoint writes a store's whole books down in parts that, applied in order
// to empty books, make the same rows again.
func Checkpoint(tx *journal.Tx, store stock.StoreID) ([]*recordv1.Checkpoint, error) {
	w := &checkpointer{tx: tx, store: store}
	for _, step := range []func() error{w.balances, w.reservations, w.documents, w.items, w.counts,
		w.cursors} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("checkpoint of store %d: %w", store, err)
		}
	}
	for i, p := range w.parts {
		p.Part, p.Parts = uint32(i+1), uint32(len(w.parts))
	}
	return w.parts, nil
}

// Empty forgets a store's books. What is applied next must make them anew.
func Empty(tx *journal.Tx, store stock.StoreID) error {
	for _, table := range []string{"acct", "legacy", "reservation", "reservation_line", "document",
		"cursor", "legacy_cursor", "counted", "item"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE store = ?", store); err != nil {
			return fmt.Errorf("empty %s of store %d: %w", table, store, err)
		}
	}
	return nil
}

type checkpointer struct {
	tx    *journal.Tx
	store stock.StoreID
	parts []*recordv1.Checkpoint
}

// part returns the part that the row with this number goes into, a new one
// every so many rows.
func (w *checkpointer) part(row, every int) *recordv1.Checkpoint {
	if row%every == 0 {
		w.parts = append(w.parts, new(recordv1.Checkpoint))
	}
	return w.parts[len(w.parts)-1]
}

func (w *checkpointer) balances() error {
	legacy, err := w.legacy()
	if err != nil {
		return err
	}
	row := 0
	for after := stock.SKU(0); ; {
		page, err := Accounts(w.tx, w.store, after, partBalances)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, a := range page {
			after = a.SKU
			p := w.part(row, partBalances)
			p.Balances = append(p.Balances, balanceProto(a, legacy[a.SKU]))
			row++
		}
	}
}

func balanceProto(a Account, legacy []*recordv1.LegacyRights) *recordv1.Balance {
	b := &recordv1.Balance{Sku: uint32(a.SKU), Granted: int64(a.Rights.Granted),
		Returned: int64(a.Rights.Returned), Assigned: int64(a.Rights.Assigned),
		Timeline: uint32(a.Rights.Timeline), Legacy: legacy}
	for acct := ledger.Sellable; acct <= ledger.Writeoff; acct++ {
		b.Accounts = append(b.Accounts, int64(a.Balances[acct]))
	}
	return b
}

func (w *checkpointer) legacy() (map[stock.SKU][]*recordv1.LegacyRights, error) {
	rows, err := w.tx.Query(`SELECT sku, timeline, granted, returned_rights, assigned FROM legacy
  WHERE store = ? ORDER BY sku, timeline`, w.store)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[stock.SKU][]*recordv1.LegacyRights)
	for rows.Next() {
		var sku stock.SKU
		l := new(recordv1.LegacyRights)
		if err := rows.Scan(&sku, &l.Timeline, &l.Granted, &l.Returned, &l.Assigned); err != nil {
			return nil, err
		}
		all[sku] = append(all[sku], l)
	}
	return all, rows.Err()
}

func (w *checkpointer) reservations() error {
	all, err := listReservations(w.tx, w.store, `SELECT `+reservationColumns+` FROM reservation
  WHERE store = ? ORDER BY id LIMIT ?`, -1)
	for i, r := range all {
		p := w.part(i, partReservations)
		p.Reservations = append(p.Reservations, reservationProto(r))
	}
	return err
}

func reservationProto(r *Reservation) *recordv1.ReservationState {
	s := &recordv1.ReservationState{Reserve: r.Reserve, FinishedAt: r.FinishedAt,
		Accepted: r.Accepted, PickupUntil: r.PickupUntil, Shelf: r.Shelf}
	for _, l := range r.Lines {
		s.Lines = append(s.Lines, &recordv1.LineState{Line: l.Line,
			Reserved: int64(l.At(reservation.Reserved)), Picked: int64(l.At(reservation.Picked)),
			Staged: int64(l.At(reservation.Staged)), Collected: int64(l.At(reservation.Collected)),
			Released: int64(l.At(reservation.Released)), Short: int64(l.At(reservation.Short))})
	}
	return s
}

func (w *checkpointer) documents() error {
	rows, err := w.tx.Query(`SELECT id, position, seq FROM document WHERE store = ?
  ORDER BY id, position`, w.store)
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		d := new(recordv1.DocumentState)
		if err := rows.Scan(&d.Document, &d.Position, &d.Seq); err != nil {
			return err
		}
		p := w.part(n, partRows)
		p.Documents = append(p.Documents, d)
	}
	return rows.Err()
}

func (w *checkpointer) items() error {
	rows, err := w.tx.Query(`SELECT `+itemColumns+` FROM item WHERE store = ?
  ORDER BY seq, number`, w.store)
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		i, err := scanItem(rows)
		if err != nil {
			return err
		}
		p := w.part(n, partRows)
		p.Items = append(p.Items, &recordv1.ItemState{Seq: i.Seq, Number: i.Number, Kind: i.Kind,
			At: i.At, Sku: uint32(i.SKU), Units: int64(i.Units), Reservation: i.Reservation[:],
			Detail: i.Detail, Progress: i.Progress, Owner: i.Owner, Note: i.Note})
	}
	return rows.Err()
}

func (w *checkpointer) counts() error {
	rows, err := w.tx.Query(`SELECT sku, seq, epoch_timeline, epoch_counter FROM counted
  WHERE store = ? ORDER BY sku`, w.store)
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		c := &recordv1.CountedState{Epoch: new(recordv1.Epoch)}
		if err := rows.Scan(&c.Sku, &c.Seq, &c.Epoch.Timeline, &c.Epoch.Counter); err != nil {
			return err
		}
		p := w.part(n, partRows)
		p.Counted = append(p.Counted, c)
	}
	return rows.Err()
}

// cursors is the last part, also of empty books.
func (w *checkpointer) cursors() error {
	c, err := CursorOf(w.tx, w.store)
	if err != nil {
		return err
	}
	last := &recordv1.Checkpoint{Directive: c.Directives, DirectiveHash: c.Hash[:],
		Timeline: uint32(c.Timeline)}
	w.parts = append(w.parts, last)
	rows, err := w.tx.Query(`SELECT timeline, directives FROM legacy_cursor WHERE store = ?
  ORDER BY timeline`, w.store)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		l := new(recordv1.LegacyCursor)
		if err := rows.Scan(&l.Timeline, &l.Directive); err != nil {
			return err
		}
		last.LegacyCursors = append(last.LegacyCursors, l)
	}
	return rows.Err()
}

// checkpoint makes the rows that are not there. Rows that are there must be
// the same: a checkpoint repeats, it does not correct.
func (b *Book) checkpoint(c *recordv1.Checkpoint) error {
	for _, step := range []func(*recordv1.Checkpoint) error{b.putBalances, b.putReservations,
		b.putRows, b.putCursors} {
		if err := step(c); err != nil {
			return err
		}
	}
	return nil
}

func (b *Book) putBalances(c *recordv1.Checkpoint) error {
	for _, bal := range c.GetBalances() {
		if len(bal.GetAccounts()) != ledger.NumAccounts-1 || bal.GetSku() == 0 {
			return malformed("balance")
		}
		a, err := b.account(stock.SKU(bal.GetSku()))
		if err != nil {
			return err
		}
		was := *a
		for i, n := range bal.GetAccounts() {
			a.Balances[ledger.Sellable+ledger.Account(i)] = units(n)
		}
		a.Rights.Timeline = stock.Timeline(bal.GetTimeline())
		a.Rights.Granted, a.Rights.Returned = units(bal.GetGranted()), units(bal.GetReturned())
		a.Rights.Assigned = units(bal.GetAssigned())
		if was.stored && (was.Balances != a.Balances || was.Rights != a.Rights) {
			*a = was
			b.differs("sku %d", a.SKU)
			continue
		}
		if !was.stored {
			a.wide = true
			b.touch(a)
		}
		for _, l := range bal.GetLegacy() {
			r, err := b.legacy(stock.Timeline(l.GetTimeline()), a.SKU)
			if err != nil {
				return err
			}
			r.Granted, r.Returned, r.Assigned = units(l.GetGranted()), units(l.GetReturned()),
				units(l.GetAssigned())
			r.dirty = true
		}
	}
	return nil
}

// differs notes that a checkpoint and the books disagree.
func (b *Book) differs(format string, args ...any) {
	b.note(stock.RolledBack, "checkpoint differs: "+format, args...)
}

func (b *Book) putReservations(c *recordv1.Checkpoint) error {
	for _, s := range c.GetReservations() {
		if len(s.GetReserve().GetReservation()) != 16 {
			return malformed("reservation without id or lines")
		}
		id := ofReservation(s.GetReserve().GetReservation())
		_, known, err := b.Reservation(id)
		if err != nil || known {
			if err != nil {
				return err
			}
			continue
		}
		r := &Reservation{ID: id, Reserve: s.GetReserve(), Accepted: s.GetAccepted(),
			PickupUntil: s.GetPickupUntil(), FinishedAt: s.GetFinishedAt(), Shelf: s.GetShelf()}
		for i, l := range s.GetReserve().GetLines() {
			if i >= len(s.GetLines()) {
				return malformed("reservation without id or lines")
			}
			r.Lines = append(r.Lines, loadState(l, s.GetLines()[i]))
		}
		b.reservations[id] = r
		b.change(r)
	}
	return nil
}

func loadState(l *recordv1.ReservedLine, s *recordv1.LineState) reservation.Line {
	return reservation.LoadLine(l.GetLine(), stock.SKU(l.GetSku()), units(l.GetUnits()),
		func(p reservation.Part) stock.Units {
			return units(map[reservation.Part]int64{reservation.Reserved: s.GetReserved(),
				reservation.Picked: s.GetPicked(), reservation.Staged: s.GetStaged(),
				reservation.Collected: s.GetCollected(), reservation.Released: s.GetReleased(),
				reservation.Short: s.GetShort()}[p])
		})
}

func (b *Book) putRows(c *recordv1.Checkpoint) error {
	for _, d := range c.GetDocuments() {
		used, err := b.booked(d.GetDocument(), d.GetPosition())
		if err != nil {
			return err
		}
		if !used {
			b.documents = append(b.documents, document{d.GetDocument(), d.GetPosition(), d.GetSeq()})
		}
	}
	for _, i := range c.GetItems() {
		b.items = append(b.items, Item{Seq: i.GetSeq(), Number: i.GetNumber(), Kind: i.GetKind(),
			At: i.GetAt(), SKU: stock.SKU(i.GetSku()), Units: units(i.GetUnits()),
			Reservation: ofReservation(i.GetReservation()), Detail: i.GetDetail(),
			Progress: i.GetProgress(), Owner: i.GetOwner(), Note: i.GetNote()})
	}
	for _, n := range c.GetCounted() {
		b.counts = append(b.counts, counted{stock.SKU(n.GetSku()), n.GetSeq(), epochOf(n.GetEpoch())})
	}
	return nil
}

func (b *Book) putCursors(c *recordv1.Checkpoint) error {
	if c.GetTimeline() == 0 {
		return nil
	}
	for _, l := range c.GetLegacyCursors() {
		if _, err := b.tx.Exec(upsertLegacyCursor, b.store, l.GetTimeline(), l.GetDirective()); err != nil {
			return err
		}
	}
	at := Cursor{Directives: c.GetDirective(), Timeline: stock.Timeline(c.GetTimeline())}
	if len(c.GetDirectiveHash()) != len(at.Hash) {
		return errors.New("checkpoint without the hash of its directives")
	}
	copy(at.Hash[:], c.GetDirectiveHash())
	was, err := b.now()
	if err != nil {
		return err
	}
	if was.Directives > 0 && was != at {
		b.differs("directive %d", was.Directives)
		return nil
	}
	b.cursor = &at
	return nil
}
