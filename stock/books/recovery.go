package books

import (
	"database/sql"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// RecoveryMigration is the SQL of the second version of the tables: what a
// store needs to come back after a loss on either side, and what people should
// look at. It comes after every migration that was released before it.
func RecoveryMigration() string { return recoveryMigration }

const recoveryMigration = `
CREATE TABLE legacy_cursor (
  store INTEGER NOT NULL, timeline INTEGER NOT NULL, directives INTEGER NOT NULL,
  PRIMARY KEY (store, timeline)
) STRICT, WITHOUT ROWID;
CREATE TABLE counted (
  store INTEGER NOT NULL, sku INTEGER NOT NULL, seq INTEGER NOT NULL,
  epoch_timeline INTEGER NOT NULL, epoch_counter INTEGER NOT NULL,
  PRIMARY KEY (store, sku)
) STRICT, WITHOUT ROWID;
CREATE TABLE item (
  store INTEGER NOT NULL, seq INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
  at INTEGER NOT NULL, sku INTEGER NOT NULL, units INTEGER NOT NULL, reservation BLOB NOT NULL,
  detail TEXT NOT NULL, progress INTEGER NOT NULL, owner TEXT NOT NULL, note TEXT NOT NULL,
  PRIMARY KEY (store, seq, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX item_open ON item (store, seq, number) WHERE progress <> 3;
`

const (
	moveToLegacy = `INSERT INTO legacy (store, timeline, sku, granted, returned_rights, assigned)
  SELECT store, timeline, sku, granted, returned_rights, assigned FROM acct
  WHERE store = ? AND timeline < ? AND granted - returned_rights - assigned > 0`
	restartRights = `UPDATE acct SET timeline = ?, granted = 0, returned_rights = 0, assigned = 0
  WHERE store = ? AND timeline < ?`
	upsertLegacyCursor = `INSERT INTO legacy_cursor (store, timeline, directives) VALUES (?,?,?)
  ON CONFLICT (store, timeline) DO UPDATE SET directives = excluded.directives`
	selectLegacyCursor = `SELECT directives FROM legacy_cursor WHERE store = ? AND timeline = ?`
	selectLegacy       = `SELECT granted, returned_rights, assigned FROM legacy
  WHERE store = ? AND timeline = ? AND sku = ?`
	upsertLegacy = `INSERT INTO legacy (store, timeline, sku, granted, returned_rights, assigned)
  VALUES (?,?,?,?,?,?) ON CONFLICT (store, timeline, sku) DO UPDATE SET granted=excluded.granted,
  returned_rights=excluded.returned_rights, assigned=excluded.assigned`
	listLegacy = `SELECT timeline, sku, granted, returned_rights, assigned FROM legacy
  WHERE store = ? AND granted - returned_rights - assigned > 0 ORDER BY timeline, sku LIMIT ?`
	selectCounted = `SELECT epoch_timeline, epoch_counter FROM counted WHERE store = ? AND sku = ?`
	upsertCounted = `INSERT INTO counted (store, sku, seq, epoch_timeline, epoch_counter)
  VALUES (?,?,?,?,?) ON CONFLICT (store, sku) DO UPDATE SET seq=excluded.seq,
  epoch_timeline=excluded.epoch_timeline, epoch_counter=excluded.epoch_counter`
)

// legacyKey names the rights of one SKU in an older timeline.
type legacyKey struct {
	timeline stock.Timeline
	sku      stock.SKU
}

type legacyRights struct {
	escrow.Rights
	dirty bool
}

// now is the cursor as this unit of work has left it.
func (b *Book) now() (Cursor, error) {
	if b.cursor != nil {
		return *b.cursor, nil
	}
	if b.loaded == nil {
		c, err := CursorOf(b.tx, b.store)
		if err != nil {
			return c, err
		}
		b.loaded = &c
	}
	return *b.loaded, nil
}

// Timeline is the incarnation of the cloud's state that the store is in.
func (b *Book) Timeline() (stock.Timeline, error) {
	c, err := b.now()
	return c.Timeline, err
}

// changeTimeline books that the cloud was restored from a backup: what was
// granted until now backs old promises only, and new rights start from zero.
func (b *Book) changeTimeline(t *recordv1.TimelineChange) error {
	was, err := b.now()
	if err != nil {
		return err
	}
	next := stock.Timeline(t.GetTimeline())
	if next <= was.Timeline {
		return stock.Refuse(stock.BadRequest, "timeline %d after %d", next, was.Timeline).
			With("what", "timeline")
	}
	if err := b.flush(); err != nil {
		return err
	}
	if _, err := b.tx.Exec(moveToLegacy, b.store, next); err != nil {
		return fmt.Errorf("keep the rights of timeline %d: %w", was.Timeline, err)
	}
	if _, err := b.tx.Exec(restartRights, next, b.store, next); err != nil {
		return fmt.Errorf("begin the rights of timeline %d: %w", next, err)
	}
	_, err = b.tx.Exec(upsertLegacyCursor, b.store, was.Timeline, was.Directives)
	if err != nil {
		return fmt.Errorf("keep the cursor of timeline %d: %w", was.Timeline, err)
	}
	b.cursor = &Cursor{Timeline: next}
	b.item(Item{Kind: ItemTimeline, Detail: fmt.Sprintf("%d", next)})
	return nil
}

// flush writes what this unit of work has changed and forgets what it has
// loaded, so that statements over whole tables see and change all of it.
func (b *Book) flush() error {
	if err := b.Save(); err != nil {
		return err
	}
	b.accounts, b.legacies = nil, nil
	return nil
}

// legacy loads the rights of a SKU in an older timeline; zeros when there were
// none left.
func (b *Book) legacy(t stock.Timeline, sku stock.SKU) (*legacyRights, error) {
	key := legacyKey{t, sku}
	if r, ok := b.legacies[key]; ok {
		return r, nil
	}
	r := &legacyRights{Rights: escrow.Rights{Timeline: t}}
	err := b.tx.QueryRow(selectLegacy, b.store, t, sku).Scan(&r.Granted, &r.Returned, &r.Assigned)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("load rights of timeline %d of sku %d: %w", t, sku, err)
	}
	if b.legacies == nil {
		b.legacies = make(map[legacyKey]*legacyRights)
	}
	b.legacies[key] = r
	return r, nil
}

// Rights returns the counters of a SKU in a timeline.
func (b *Book) Rights(t stock.Timeline, sku stock.SKU) (escrow.Rights, error) {
	a, err := b.account(sku)
	if err != nil || t == 0 || a.Rights.Timeline == t {
		return a.Rights, err
	}
	r, err := b.legacy(t, sku)
	if err != nil {
		return escrow.Rights{}, err
	}
	return r.Rights, nil
}

// change changes the counters of a SKU in a timeline by one of escrow's rules;
// timeline zero is the present one.
func (b *Book) changeRights(t stock.Timeline, sku stock.SKU,
	rule func(escrow.Rights) (escrow.Rights, error)) error {
	a, err := b.account(sku)
	if err != nil {
		return err
	}
	if t == 0 || a.Rights.Timeline == t {
		return b.rights(sku, rule)
	}
	r, err := b.legacy(t, sku)
	if err != nil {
		return err
	}
	next, err := rule(r.Rights)
	if refusal, ok := stock.AsRefusal(err); ok {
		if b.rules == Strict {
			return refusal.With("sku", sku)
		}
		b.note(refusal.Code, "sku %d in timeline %d: %s", sku, t, refusal.Detail)
		return nil
	}
	r.Rights, r.dirty = next, true
	b.touch(a)
	return err
}

// drain takes units of an old timeline back, that nobody can claim any more.
func (b *Book) drain(d *recordv1.DrainLegacy) error {
	t, sku, n := stock.Timeline(d.GetTimeline()), stock.SKU(d.GetSku()), units(d.GetUnits())
	now, err := b.now()
	if err != nil {
		return err
	}
	if t == 0 || t >= now.Timeline {
		return malformed("drain of a timeline that is not over")
	}
	err = b.changeRights(t, sku, func(r escrow.Rights) (escrow.Rights, error) {
		return r.Return(n, r.Returned+n)
	})
	if err != nil {
		return err
	}
	return b.post(sku, ledger.Movement{From: ledger.Online, To: ledger.Sellable, Units: n})
}

// saveRecovery writes the rows of this file and of items.
func (b *Book) saveRecovery() error {
	for key, r := range b.legacies {
		if !r.dirty {
			continue
		}
		_, err := b.tx.Exec(upsertLegacy, b.store, key.timeline, key.sku,
			int64(r.Granted), int64(r.Returned), int64(r.Assigned))
		if err != nil {
			return fmt.Errorf("save rights of timeline %d: %w", key.timeline, err)
		}
		r.dirty = false
	}
	for _, c := range b.counts {
		_, err := b.tx.Exec(upsertCounted, b.store, c.sku, c.seq, c.epoch.Timeline, c.epoch.Counter)
		if err != nil {
			return fmt.Errorf("save count of sku %d: %w", c.sku, err)
		}
	}
	b.counts = nil
	return b.saveItems()
}

// counted is the newest absolute count of a SKU.
type counted struct {
	sku   stock.SKU
	seq   uint64
	epoch stock.Epoch
}

func epochOf(e *recordv1.Epoch) stock.Epoch {
	return stock.Epoch{Timeline: stock.Timeline(e.GetTimeline()), Counter: e.GetCounter()}
}

// countedSince tells whether the SKU was counted in a later epoch than this
// one: then whatever happened in that epoch is in the count already.
func (b *Book) countedSince(sku stock.SKU, e stock.Epoch) (bool, error) {
	for i := len(b.counts) - 1; i >= 0; i-- {
		if b.counts[i].sku == sku {
			return b.counts[i].epoch.Compare(e) > 0, nil
		}
	}
	var last stock.Epoch
	err := b.tx.QueryRow(selectCounted, b.store, sku).Scan(&last.Timeline, &last.Counter)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && last.Compare(e) > 0, err
}

// CountedSince tells whether a SKU was counted in a later epoch than this one.
func (b *Book) CountedSince(sku stock.SKU, e stock.Epoch) (bool, error) {
	return b.countedSince(sku, e)
}

// AppliedIn returns how many directives of an older timeline were applied.
func (b *Book) AppliedIn(t stock.Timeline) (n uint64, err error) {
	now, err := b.now()
	if err != nil || t == 0 || t == now.Timeline {
		return now.Directives, err
	}
	err = b.tx.QueryRow(selectLegacyCursor, b.store, t).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return n, err
}

// LegacyRow is what is left of the rights to a SKU of an older timeline.
type LegacyRow struct {
	SKU    stock.SKU
	Rights escrow.Rights
}

// LegacyRows lists rights of older timelines that still have units.
func LegacyRows(tx *journal.Tx, store stock.StoreID, limit int) ([]LegacyRow, error) {
	rows, err := tx.Query(listLegacy, store, limit)
	if err != nil {
		return nil, fmt.Errorf("list rights of older timelines: %w", err)
	}
	defer rows.Close()
	var all []LegacyRow
	for rows.Next() {
		var l LegacyRow
		r := &l.Rights
		if err := rows.Scan(&r.Timeline, &l.SKU, &r.Granted, &r.Returned, &r.Assigned); err != nil {
			return nil, fmt.Errorf("read rights of older timelines: %w", err)
		}
		all = append(all, l)
	}
	return all, rows.Err()
}
