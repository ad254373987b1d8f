package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// maxSpliced bounds the records of one Splice or Import.
const maxSpliced = 10_000

const (
	selectOrigin = `SELECT seq, hash FROM journal_origin WHERE id = 1`
	upsertOrigin = `INSERT INTO journal_origin (id, seq, hash) VALUES (1, ?, ?)
		ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`
	selectFirst = `SELECT ifnull(min(seq), 0) FROM journal`
)

// Splice appends records that another copy of this journal has kept, as they
// are, and applies them. They must follow the head. All are durable when it
// returns, or none are there.
func (j *Journal) Splice(ctx context.Context, entries []Entry) error {
	return j.transplant(ctx, entries, j.applyAll)
}

// Import puts records of another copy of this journal at the end of one whose
// state they do not build: they are kept, for their ids and to be sent again,
// but not applied. Only a journal that has applied nothing takes them, and
// what is appended after them must build the state from nothing. Replay then
// begins after them. Records may be missing before the first.
func (j *Journal) Import(ctx context.Context, prev Position, entries []Entry) error {
	return j.transplant(ctx, entries, func(tx *Tx, head Position, es []Entry) (Position, error) {
		if head.Seq == 0 {
			head = prev
		}
		return keepAll(tx, head, es)
	})
}

func (j *Journal) transplant(ctx context.Context, entries []Entry,
	do func(tx *Tx, head Position, es []Entry) (Position, error)) error {
	if len(entries) > maxSpliced {
		return fmt.Errorf("%d records at once, limit %d", len(entries), maxSpliced)
	}
	if len(entries) == 0 {
		return nil
	}
	r := j.queue.newRequest()
	r.splice = func(tx *Tx, head Position) (Position, error) {
		return do(tx, head, entries)
	}
	_, err := j.submit(ctx, r)
	return err
}

func (j *Journal) applyAll(tx *Tx, head Position, entries []Entry) (Position, error) {
	for i := range entries {
		e := &entries[i]
		if err := e.follows(head); err != nil {
			return head, err
		}
		reply, err := j.machine.Apply(tx, e.Seq, e.Data)
		tx.closeRows()
		if err != nil {
			return head, fmt.Errorf("apply record %d again: %w", e.Seq, err)
		}
		if err := keep(tx, e, reply); err != nil {
			return head, err
		}
		head = Position{Seq: e.Seq, Hash: e.Hash}
	}
	return head, nil
}

func keepAll(tx *Tx, head Position, entries []Entry) (Position, error) {
	origin, err := readOrigin(tx)
	if err != nil {
		return head, err
	}
	if origin != head && (origin.Seq != 0 || applied(tx)) {
		return head, errors.New("records were applied already: there is no room for older ones")
	}
	for i := range entries {
		e := &entries[i]
		if err := e.follows(head); err != nil {
			return head, err
		}
		if err := keep(tx, e, e.Reply); err != nil {
			return head, err
		}
		head = Position{Seq: e.Seq, Hash: e.Hash}
	}
	_, err = tx.Exec(upsertOrigin, head.Seq, head.Hash[:])
	return head, err
}

// applied tells whether the journal has records at all; without an origin, all
// of them were applied.
func applied(tx *Tx) bool {
	var first uint64
	return tx.QueryRow(selectFirst).Scan(&first) != nil || first > 0
}

func keep(tx *Tx, e *Entry, reply []byte) error {
	var uid []byte
	if e.UID != ([16]byte{}) {
		uid = e.UID[:]
	}
	_, err := tx.Exec(insertEntry, e.Seq, uid, e.Data, e.Hash[:], reply)
	return err
}

// readOrigin returns the last record that was kept without being applied.
func readOrigin(tx *Tx) (Position, error) {
	var p Position
	err := tx.QueryRow(selectOrigin).Scan(&p.Seq, &p.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Position{}, nil
	}
	return p, err
}

// First returns the number of the oldest record that is kept; zero when there
// is none.
func (j *Journal) First(ctx context.Context) (first uint64, err error) {
	err = j.View(ctx, func(tx *Tx) error { return tx.QueryRow(selectFirst).Scan(&first) })
	return first, err
}

// runSplice runs it between savepoints: its error leaves nothing behind.
func (r *request) runSplice(tx *Tx, head Position) (Position, error) {
	tx.mode = writing
	if _, err := tx.Exec(savepoint); err != nil {
		return head, err
	}
	next, err := r.splice(tx, head)
	tx.closeRows()
	if err != nil {
		if environmental(err) {
			return head, fmt.Errorf("splice records: %w", err)
		}
		r.err, next = err, head
		if _, err := tx.Exec(undoLocal); err != nil {
			return head, err
		}
	}
	_, err = tx.Exec(keepLocal)
	return next, err
}
