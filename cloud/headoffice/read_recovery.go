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
	listArchive  = `SELECT seq, data FROM archive WHERE store = ? AND seq > ? ORDER BY seq LIMIT ?`
	firstArchive = `SELECT ifnull(min(seq), 0) FROM archive WHERE store = ?`
)

// RecordsAfter returns the stored bytes of a store's own records after a
// number, as its node sent them, and the position that they follow. Asked for
// what is not kept any more it begins with the first record that is; asked
// beyond the last it returns none.
func RecordsAfter(tx *journal.Tx, store stock.StoreID, after uint64,
	limit int) (raw [][]byte, at journal.Position, err error) {
	s, err := loadStore(tx, store)
	if err != nil || after >= s.applied.Seq {
		return nil, at, err
	}
	var first uint64
	if err := tx.QueryRow(firstArchive, store).Scan(&first); err != nil {
		return nil, at, fmt.Errorf("first record of store %d: %w", store, err)
	}
	at.Seq = max(after, first-1)
	h, err := (&desk{tx: tx}).archived(s, at.Seq)
	if err != nil {
		return nil, at, err
	}
	if h == nil { // the record before the first one is not kept
		at.Seq++
		if h, err = (&desk{tx: tx}).archived(s, at.Seq); err != nil || h == nil {
			return nil, at, fmt.Errorf("record %d of store %d: %w", at.Seq, store, journal.ErrNoRecord)
		}
	}
	at.Hash = *h
	raw, err = chainFrom(tx, at.Seq+1, limit, listArchive, store, at.Seq, limit)
	return raw, at, err
}

// Snapshot is the cloud's copy of a store's books, as of a record.
type Snapshot struct {
	At    journal.Position
	Parts []*recordv1.Checkpoint // the last one with policy and keys
}

// SnapshotOf writes the cloud's copy of a store's books down.
func SnapshotOf(tx *journal.Tx, store stock.StoreID) (*Snapshot, error) {
	s, err := loadStore(tx, store)
	if err != nil {
		return nil, err
	}
	parts, err := books.Checkpoint(tx, store)
	if err != nil {
		return nil, err
	}
	last := parts[len(parts)-1]
	if last.Policy, err = s.terms(); err != nil {
		return nil, err
	}
	if last.Keys, err = Keys(tx); err != nil {
		return nil, err
	}
	return &Snapshot{At: s.applied, Parts: parts}, nil
}

// WasNode tells whether a box is, or once was, the node of a store, and was
// not shut out.
func WasNode(tx *journal.Tx, store stock.StoreID, node []byte) (bool, error) {
	before, revoked, err := wasNode(tx, store, node)
	return before && !revoked, err
}

// AnomalyCase is what somebody in head office does about an anomaly.
type AnomalyCase struct {
	Progress recordv1.ItemProgress
	Owner    string
	Note     string
}

const selectCase = `SELECT progress, owner, note FROM anomaly_case
  WHERE store = ? AND seq = ? AND number = ?`

// CaseOf returns what is being done about an anomaly; nobody has touched a new
// one.
func CaseOf(tx *journal.Tx, a Anomaly) (c AnomalyCase, err error) {
	err = tx.QueryRow(selectCase, a.Store, a.Seq, a.Number).Scan(&c.Progress, &c.Owner, &c.Note)
	if errors.Is(err, sql.ErrNoRows) {
		return AnomalyCase{Progress: recordv1.ItemProgress_ITEM_PROGRESS_OPEN}, nil
	}
	return c, err
}
