package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"holdfast.dev/stock"
)

const (
	selectByUID = `SELECT seq, reply FROM journal WHERE uid = ?`
	insertEntry = `INSERT INTO journal (seq, uid, data, hash, reply) VALUES (?, ?, ?, ?, ?)`
	savepoint   = `SAVEPOINT local`
	undoLocal   = `ROLLBACK TO local`
	keepLocal   = `RELEASE local`
)

// lead serves one batch and hands over. If a function of a caller panics, the
// journal stops and the panic goes on.
func (j *Journal) lead() {
	// Those who were just answered may propose again: let them come along
	// instead of waiting for the commit after this one. In memory a commit is
	// over before they would.
	if j.path != "" {
		runtime.Gosched()
	}
	batch := j.queue.take(nil)
	returned := false
	defer func() {
		if !returned {
			j.giveUp(batch, errors.New("a transaction's function panicked"))
		}
		if j.checkpointDue() {
			j.wal.kick <- struct{}{} // the checkpointer leads next
		} else {
			j.queue.next()
		}
		for _, r := range batch {
			r.wake <- done
		}
	}()
	j.serve(batch)
	returned = true
}

// serve runs the batch in one transaction.
func (j *Journal) serve(batch []*request) {
	if cause := j.Err(); cause != nil {
		refuseAll(batch, cause)
		return
	}
	restore, err := j.commitFully(batch)
	if err == nil {
		err = j.writer.begin.run()
	}
	if err != nil {
		j.giveUp(batch, fmt.Errorf("begin: %w", err))
		return
	}
	head, err := j.runAll(batch)
	if err != nil {
		j.giveUp(batch, err)
		return
	}
	if err := j.writer.commit.run(); err != nil {
		j.giveUp(batch, fmt.Errorf("commit: %w", err))
		return
	}
	if err := restore(); err != nil {
		j.giveUp(batch, fmt.Errorf("commit: %w", err))
		return
	}
	for _, r := range batch {
		if r.committed != nil {
			r.committed()
		}
	}
	if head != *j.head.Load() {
		j.head.Store(&head)
		j.watch.moved(head.Seq)
	}
}

// commitFully makes the next commit durable if one of the batch must be, and
// with it all commits before. It returns how to go on as before.
func (j *Journal) commitFully(batch []*request) (restore func() error, err error) {
	if !slices.ContainsFunc(batch, func(r *request) bool { return r.full }) {
		return func() error { return nil }, nil
	}
	restore = func() error { return j.writer.script("PRAGMA synchronous = " + j.sync) }
	return restore, j.writer.script("PRAGMA synchronous = FULL")
}

// giveUp stops the journal. Whether the batch was kept is not known.
func (j *Journal) giveUp(batch []*request, cause error) {
	j.poison(cause)
	// The error does not matter any more: a restart reads what is there.
	_ = j.writer.rollback.run()
	refuseAll(batch, cause)
}

func refuseAll(batch []*request, cause error) {
	for _, r := range batch {
		r.out, r.err = Outcome{}, fmt.Errorf("%w: journal stopped: %w", ErrUnknown, cause)
	}
}

// runAll runs the batch's functions in order. Its error is a fault.
func (j *Journal) runAll(batch []*request) (Position, error) {
	tx := newTx(context.Background(), j.writer, writing)
	defer tx.end()
	head := *j.head.Load()
	for i, r := range batch {
		var err error
		tx.first = i == 0
		switch {
		case r.decide != nil:
			head, err = j.propose(tx, r, head)
		case r.local != nil:
			err = r.runLocal(tx)
		case r.replay != nil:
			tx.mode = writing
			head, err = r.replay(tx, head)
		case r.splice != nil:
			head, err = r.runSplice(tx, head)
		default:
			tx.mode = reading
			r.err = r.view(tx)
		}
		tx.closeRows()
		if err != nil {
			return head, err
		}
	}
	return head, nil
}

// propose serves one proposal on top of head and returns the new head.
func (j *Journal) propose(tx *Tx, r *request, head Position) (Position, error) {
	tx.mode = reading
	known, err := findRepeat(tx, r)
	if known || err != nil {
		return head, err
	}
	seq := head.Seq + 1
	data, err := r.decide(tx, seq)
	tx.closeRows()
	if err != nil && environmental(err) {
		return head, fmt.Errorf("decide record %d: %w", seq, err)
	}
	if err != nil || data == nil {
		r.err = err
		return head, nil
	}
	tx.mode, tx.wrote = writing, false
	reply, err := j.machine.Apply(tx, seq, data)
	tx.closeRows()
	if err != nil {
		if _, refused := stock.AsRefusal(err); !refused || tx.wrote {
			return head, fmt.Errorf("apply record %d (changed the books: %t): %w", seq, tx.wrote, err)
		}
		r.err = err
		return head, nil
	}
	next := Position{Seq: seq, Hash: Chain(head.Hash, seq, data)}
	var uid []byte
	if r.uid != ([16]byte{}) {
		uid = r.uid[:]
	}
	if _, err := tx.Exec(insertEntry, seq, uid, data, next.Hash[:], reply); err != nil {
		return head, err
	}
	r.out = Outcome{Seq: seq, Reply: reply}
	return next, nil
}

// findRepeat fills in the outcome that the request's id had before. Records
// of the same batch count: they are in the table already.
func findRepeat(tx *Tx, r *request) (bool, error) {
	if r.uid == ([16]byte{}) {
		return false, nil
	}
	err := tx.QueryRow(selectByUID, r.uid[:]).Scan(&r.out.Seq, &r.out.Reply)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find an earlier outcome: %w", err)
	}
	r.out.Repeated = true
	return true, nil
}

// runLocal runs f between savepoints, so that its error undoes it alone.
func (r *request) runLocal(tx *Tx) error {
	tx.mode = writing
	if _, err := tx.Exec(savepoint); err != nil {
		return err
	}
	r.err = r.local(tx)
	tx.closeRows()
	if r.err != nil {
		if environmental(r.err) {
			return fmt.Errorf("local transaction: %w", r.err)
		}
		if _, err := tx.Exec(undoLocal); err != nil {
			return err
		}
	}
	_, err := tx.Exec(keepLocal)
	return err
}
