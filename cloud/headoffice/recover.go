package headoffice

import (
	"bytes"
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

// recoveryTables is the SQL of what recovery needs. Two promises may have had
// the same directive number in a timeline that a restored cloud used twice.
const recoveryTables = `
ALTER TABLE store ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN forked_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE node ADD COLUMN revoked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE office ADD COLUMN cluster_version INTEGER NOT NULL DEFAULT 1;
DROP INDEX promise_directive;
CREATE INDEX promise_directive ON promise (store, timeline, directive);
CREATE TABLE anomaly_case (
  store INTEGER NOT NULL, seq INTEGER NOT NULL, number INTEGER NOT NULL,
  progress INTEGER NOT NULL, owner TEXT NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (store, seq, number)
) STRICT, WITHOUT ROWID;
`

const (
	updateTimeline = `UPDATE office SET timeline = ? WHERE id = 1`
	freeAllHolds   = `UPDATE hold SET state = ?, reservation = x'' WHERE state = ?`
	listHoldsOf    = `SELECT hold FROM hold WHERE store = ? AND state = 1 ORDER BY hold`
	listFreePools  = `SELECT sku FROM quota WHERE store = ? AND timeline = ?
  AND granted - returned - assigned - held > 0 ORDER BY sku`
	listOldPromises = `SELECT reserve, cancel_at FROM promise
  WHERE store = ? AND timeline < ? AND finished_at = 0 ORDER BY timeline, directive, reservation`
	listUncancelled = `SELECT reservation FROM promise
  WHERE store = ? AND finished_at = 0 AND cancel_at = 0 ORDER BY reservation`
	selectDirective = `SELECT data FROM directive WHERE store=? AND timeline=? AND directive=?`
	upsertCase      = `INSERT INTO anomaly_case (store, seq, number, progress, owner, note, at)
  VALUES (?,?,?,?,?,?,?) ON CONFLICT (store, seq, number) DO UPDATE SET progress=excluded.progress,
  owner=excluded.owner, note=excluded.note, at=excluded.at`
	countAnomaly = `SELECT count(*) FROM anomaly WHERE store = ? AND seq = ? AND number = ?`
)

// maxTimelines bounds how many timelines a restored cloud can have forgotten.
const maxTimelines = 1000

// bumpTimeline begins a new incarnation of the cloud's state, after it was
// restored from a backup: whatever it had promised since is not known any more.
// The pools of the old timeline are void here, carts are gone, and each store
// gets a new chain of orders. What it knows of the old ones it brings back.
func (d *desk) bumpTimeline(b *recordv1.BumpTimeline) (*recordv1.Result, error) {
	if !plain(b.GetReason(), maxStoreText) {
		return nil, badRequest("reason", "a reason of %d bytes", len(b.GetReason()))
	}
	after := stock.Timeline(b.GetAfter())
	if after > d.timeline+maxTimelines {
		return nil, badRequest("timeline", "after timeline %d, the last here is %d", after, d.timeline)
	}
	d.timeline = max(d.timeline, after) + 1
	if _, err := d.tx.Exec(updateTimeline, d.timeline); err != nil {
		return nil, fmt.Errorf("begin timeline %d: %w", d.timeline, err)
	}
	if _, err := d.tx.Exec(freeAllHolds, reservation.Freed, reservation.Held); err != nil {
		return nil, fmt.Errorf("free the carts of timeline %d: %w", d.timeline-1, err)
	}
	stores, err := loadStores(d.tx, 0, -1)
	if err != nil {
		return nil, err
	}
	for _, s := range stores {
		s.frozen = b.GetFreeze()
		if err := d.beginTimeline(s); err != nil {
			return nil, err
		}
	}
	d.touch(AllStores)
	return counted(int64(len(stores))), nil
}

// admitNode serves a store by one node, the one that stands there, after a
// freeze or after another, or none, was taken for it.
func (d *desk) admitNode(a *recordv1.AdmitNode) (*recordv1.Result, error) {
	s, err := d.store(a.GetStore())
	if err != nil {
		return nil, err
	}
	if len(a.GetNodeId()) != nodeIDSize {
		return nil, badRequest("node", "a node id of %d bytes", len(a.GetNodeId()))
	}
	known := bytes.Equal(s.node, a.GetNodeId())
	if !s.frozen && (known || d.version < careful) {
		return counted(0), nil
	}
	s.frozen = false
	if !known {
		d.newEpoch(s)
		s.node = bytes.Clone(a.GetNodeId())
		_, err := d.tx.Exec(insertNode, s.id, s.epoch.Timeline, s.epoch.Counter, s.node, "", d.now)
		if err != nil {
			return nil, fmt.Errorf("admit node of store %d: %w", s.id, err)
		}
	}
	return counted(1), d.save(s)
}

// reissue orders again, in the new timeline, what the cloud still knows to be
// promised in older ones. A store that has dealt with one does nothing.
func (d *desk) reissue(s *store) error {
	rows, err := d.tx.Query(listOldPromises, s.id, s.timeline)
	if err != nil {
		return fmt.Errorf("list old promises of store %d: %w", s.id, err)
	}
	defer rows.Close()
	for rows.Next() {
		var data []byte
		var cancelAt int64
		if err := rows.Scan(&data, &cancelAt); err != nil {
			return fmt.Errorf("read old promise of store %d: %w", s.id, err)
		}
		r := new(recordv1.Reserve)
		if err := proto.Unmarshal(data, r); err != nil {
			return fmt.Errorf("decode old promise of store %d: %w", s.id, err)
		}
		if err := d.orderAgain(s, r, cancelAt > 0); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (d *desk) orderAgain(s *store, r *recordv1.Reserve, cancel bool) error {
	err := d.order(s, &recordv1.Directive{Critical: true, Body: &recordv1.Directive_Reserve{Reserve: r}})
	if err != nil || !cancel {
		return err
	}
	return d.orderCancel(s, r, "")
}

func (d *desk) orderCancel(s *store, r *recordv1.Reserve, reason string) error {
	return d.order(s, &recordv1.Directive{Critical: true, Body: &recordv1.Directive_Cancel{
		Cancel: &recordv1.CancelRequest{Reservation: r.GetReservation(), Timeline: r.GetTimeline(),
			Directive: r.GetDirective(), Lines: r.GetLines(), Reason: reason}}})
}

// reimport brings back a promise that a restored cloud had forgotten, by what
// its signed token says. It never touches the pools of the present timeline:
// the store still has the units of the old one set aside.
func (d *desk) reimport(c *recordv1.Reimport) (*recordv1.Result, error) {
	r := c.GetReserve()
	id, err := id16(r.GetReservation(), "reservation")
	if err != nil {
		return nil, err
	}
	s, err := d.store(c.GetStore())
	if err != nil {
		return nil, err
	}
	known, err := findPromise(d.tx, id)
	if err != nil {
		return nil, err
	}
	if known != nil {
		if err := known.look(d.tx); err != nil {
			return nil, err
		}
		return promised(known.Store, known.Reserve, known.State), nil
	}
	t := stock.Timeline(r.GetTimeline())
	if t == 0 || t >= s.timeline || len(r.GetLines()) == 0 {
		return nil, badRequest("timeline", "a promise of timeline %d, the present one is %d", t, s.timeline)
	}
	if err := d.bringBack(s, r); err != nil {
		return nil, err
	}
	mirror, err := books.CursorOf(d.tx, s.id)
	if err != nil {
		return nil, err
	}
	if mirror.Timeline == s.timeline { // else it goes with the others
		if err := d.orderAgain(s, r, false); err != nil {
			return nil, err
		}
	}
	return promised(s.id, r, Confirmed), d.save(s)
}

// bringBack inserts a promise of an older timeline.
func (d *desk) bringBack(s *store, r *recordv1.Reserve) error {
	data, err := encode.Marshal(r)
	if err != nil {
		return err
	}
	_, err = d.tx.Exec(insertPromise, s.id, r.GetReservation(), r.GetTimeline(), r.GetDirective(),
		data, r.GetConfirmedAt())
	if err != nil {
		return fmt.Errorf("bring promise %x back: %w", r.GetReservation(), err)
	}
	return d.keepRequest(s, r)
}

// salvageUpload passes what a former box had recorded on to the store's
// present node, a directive for each fact: only that node decides what they
// mean now.
func (d *desk) salvageUpload(u *recordv1.SalvageUpload) (*recordv1.Result, error) {
	if len(u.GetRecords()) > MaxBatch {
		return nil, stock.Refuse(stock.TooMany, "%d records in one upload", len(u.GetRecords())).
			With("limit", MaxBatch).With("what", "records")
	}
	s, err := d.store(u.GetStore())
	if err != nil {
		return nil, err
	}
	taken := int64(0)
	for _, raw := range u.GetRecords() {
		fact := new(recordv1.Record)
		if proto.Unmarshal(raw, fact) != nil || !books.Salvageable(fact) {
			continue
		}
		err := d.order(s, &recordv1.Directive{Critical: true, Body: &recordv1.Directive_SalvageFacts{
			SalvageFacts: &recordv1.SalvageFacts{Epoch: fact.GetEpoch(), Records: [][]byte{raw}}}})
		if err != nil {
			return nil, err
		}
		taken++
	}
	return counted(taken), d.save(s)
}

// voidDirective takes back a directive that the store's node does not know. A
// reservation in it ends unfulfilled, with its accounting.
func (d *desk) voidDirective(v *recordv1.VoidDirective) (*recordv1.Result, error) {
	s, err := d.store(v.GetStore())
	if err != nil {
		return nil, err
	}
	if v.GetDirective() <= s.acked {
		return nil, stock.Refuse(stock.WrongState, "directive %d of store %d was applied", v.GetDirective(),
			s.id).With("state", "applied").With("step", "void")
	}
	var data []byte
	err = d.tx.QueryRow(selectDirective, s.id, s.timeline, v.GetDirective()).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, badRequest("directive", "store %d has no directive %d", s.id, v.GetDirective())
	}
	if err != nil {
		return nil, fmt.Errorf("load directive %d of store %d: %w", v.GetDirective(), s.id, err)
	}
	was := new(recordv1.Directive)
	if err := proto.Unmarshal(data, was); err != nil {
		return nil, fmt.Errorf("decode directive %d of store %d: %w", v.GetDirective(), s.id, err)
	}
	void := &recordv1.Void{Directive: v.GetDirective(), Timeline: uint32(s.timeline)}
	if r := was.GetReserve(); r != nil {
		void.Reservation, void.Lines, void.Timeline = r.GetReservation(), r.GetLines(), r.GetTimeline()
	}
	err = d.order(s, &recordv1.Directive{Critical: true, Body: &recordv1.Directive_Void{Void: void}})
	if err != nil {
		return nil, err
	}
	return counted(1), d.save(s)
}

// abandon gives a silent store up: its node is fenced, what the cloud could
// still promise goes back, carts are freed, and every open promise is asked to
// end. How each ends is still the store's to say: by its next node.
func (d *desk) abandon(a *recordv1.Abandon) (*recordv1.Result, error) {
	if !plain(a.GetReason(), maxStoreText) {
		return nil, badRequest("reason", "a reason of %d bytes", len(a.GetReason()))
	}
	s, err := d.store(a.GetStore())
	if err != nil {
		return nil, err
	}
	d.newEpoch(s)
	rows := int64(0)
	for _, step := range []func(*store) (int64, error){d.freeHolds, d.returnPools, d.cancelAll} {
		n, err := step(s)
		if err != nil {
			return nil, err
		}
		rows += n
	}
	if err := d.noteEvent(s, "ABANDONED", a.GetReason()); err != nil {
		return nil, err
	}
	return counted(rows), d.save(s)
}

func (d *desk) freeHolds(s *store) (int64, error) {
	ids, err := columnOf(d.tx, scanID, listHoldsOf, s.id)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		c, err := d.loadCart(s, id)
		if err != nil {
			return 0, err
		}
		if err := d.free(s, c, reservation.Free); err != nil {
			return 0, err
		}
	}
	return int64(len(ids)), nil
}

func (d *desk) returnPools(s *store) (int64, error) {
	skus, err := columnOf(d.tx, scanSKU, listFreePools, s.id, s.timeline)
	if err != nil {
		return 0, err
	}
	for _, sku := range skus {
		q, err := d.quota(s, sku)
		if err != nil {
			return 0, err
		}
		if err := d.giveBack(s, q, q.pool.Free()); err != nil {
			return 0, err
		}
	}
	return int64(len(skus)), nil
}

func (d *desk) cancelAll(s *store) (int64, error) {
	ids, err := columnOf(d.tx, scanID, listUncancelled, s.id)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		p, err := findPromise(d.tx, id)
		if err != nil {
			return 0, err
		}
		if _, err := d.tx.Exec(updateCancel, max(1, d.now), s.id, id[:]); err != nil {
			return 0, fmt.Errorf("cancel promise %x: %w", id, err)
		}
		if err := d.orderCancel(s, p.Reserve, "store abandoned"); err != nil {
			return 0, err
		}
	}
	return int64(len(ids)), nil
}

func scanID(row scanner) (id [16]byte, err error) {
	var raw []byte
	err = row.Scan(&raw)
	copy(id[:], raw)
	return id, err
}

func scanSKU(row scanner) (sku stock.SKU, err error) { return sku, row.Scan(&sku) }

// columnOf reads a whole column, so that its rows may be changed meanwhile.
func columnOf[T any](tx *journal.Tx, scan func(scanner) (T, error), q string, args ...any) ([]T, error) {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// handleAnomaly notes what somebody in head office does about an anomaly.
func (d *desk) handleAnomaly(h *recordv1.HandleAnomaly) (*recordv1.Result, error) {
	if h.GetProgress() == 0 || !plain(h.GetOwner(), maxStoreText) || !plain(h.GetNote(), maxStoreText) {
		return nil, badRequest("item", "owner or note too long, or no progress")
	}
	var n int
	row := d.tx.QueryRow(countAnomaly, h.GetStore(), h.GetSeq(), h.GetNumber())
	if err := row.Scan(&n); err != nil {
		return nil, fmt.Errorf("find anomaly: %w", err)
	}
	if n == 0 {
		return nil, badRequest("item", "record %d of store %d has no anomaly %d", h.GetSeq(), h.GetStore(),
			h.GetNumber())
	}
	_, err := d.tx.Exec(upsertCase, h.GetStore(), h.GetSeq(), h.GetNumber(), int32(h.GetProgress()),
		h.GetOwner(), h.GetNote(), d.now)
	d.touch(stock.StoreID(h.GetStore()))
	return counted(1), err
}
