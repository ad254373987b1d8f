package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

const (
	selectHash    = `SELECT hash FROM journal WHERE seq = ?`
	selectEntries = `SELECT seq, uid, data, hash, reply FROM journal WHERE seq >= ? ORDER BY seq LIMIT ?`
	selectOldest  = `SELECT seq, uid, data, hash, reply FROM journal ORDER BY seq LIMIT 1`
	selectEntry   = `SELECT seq, uid, data, hash, reply FROM journal WHERE uid = ?`
)

// View runs f on a snapshot that does not change while f runs. Writers do not
// wait for it, except in memory, where there is only one connection. Few
// views run at once; others wait, at most until ctx ends.
func (j *Journal) View(ctx context.Context, f func(tx *Tx) error) error {
	if j.path == "" {
		return j.viewInMemory(ctx, f)
	}
	c, err := j.readers.borrow(ctx)
	if err != nil {
		return err
	}
	ended := false
	defer func() { j.readers.giveBack(c, ended) }()
	if err := c.begin.run(); err != nil {
		return fmt.Errorf("begin view: %w", err)
	}
	tx, stop := newTx(ctx, c, reading), c.interruptAfter(ctx)
	defer func() {
		tx.end()
		stop()
		ended = c.rollback.run() == nil // nothing was written, so nothing is lost
	}()
	err = f(tx)
	if brokenFile(err) {
		j.poison(fmt.Errorf("view: %w", err))
	}
	return err
}

// viewInMemory runs f between two batches. Nobody can write meanwhile, so it
// needs no transaction.
func (j *Journal) viewInMemory(ctx context.Context, f func(tx *Tx) error) error {
	if ctx.Err() != nil || !j.queue.claim() {
		r := j.queue.newRequest()
		r.view = f
		_, err := j.submit(ctx, r)
		return err
	}
	defer j.queue.next()
	if cause := j.Err(); cause != nil {
		return fmt.Errorf("%w: journal stopped: %w", ErrUnknown, cause)
	}
	tx := newTx(context.Background(), j.writer, reading)
	defer tx.end()
	return f(tx)
}

// At returns the position of record seq. Position zero always exists.
func (j *Journal) At(ctx context.Context, seq uint64) (Position, error) {
	if head := j.Head(); head.Seq == seq {
		return head, nil
	}
	if seq == 0 {
		return Position{}, nil
	}
	var p Position
	err := j.View(ctx, func(tx *Tx) (err error) {
		p, err = positionAt(tx, seq)
		return err
	})
	return p, err
}

func positionAt(tx *Tx, seq uint64) (Position, error) {
	p := Position{Seq: seq}
	err := tx.QueryRow(selectHash, seq).Scan(&p.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoRecord
	}
	if err != nil {
		return Position{}, fmt.Errorf("record %d: %w", seq, err)
	}
	return p, nil
}

// Entries returns records from seq on, in order: at most maxEntries, and no
// more once their data reach maxBytes. It returns at least one if there is one.
func (j *Journal) Entries(ctx context.Context, from uint64, maxEntries, maxBytes int) ([]Entry, error) {
	var es []Entry
	err := j.View(ctx, func(tx *Tx) (err error) {
		es, err = entriesFrom(tx, from, maxEntries, maxBytes)
		return err
	})
	return es, err
}

func entriesFrom(tx *Tx, from uint64, maxEntries, maxBytes int) ([]Entry, error) {
	found, err := tx.Query(selectEntries, from, max(maxEntries, 1))
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var es []Entry
	for size := 0; found.Next(); {
		var e Entry
		if err := e.scan(found); err != nil {
			return nil, err
		}
		if size += len(e.Data); len(es) > 0 && size > maxBytes {
			return es, nil
		}
		es = append(es, e)
	}
	return es, found.Err()
}

// Find returns the record that was proposed with this id, if there is one.
func (j *Journal) Find(ctx context.Context, uid [16]byte) (Entry, bool, error) {
	var e Entry
	err := j.View(ctx, func(tx *Tx) error { return e.scan(tx.QueryRow(selectEntry, uid[:])) })
	if errors.Is(err, sql.ErrNoRows) {
		return Entry{}, false, nil
	}
	return e, err == nil, err
}

func (e *Entry) scan(from Row) error {
	var uid []byte
	if err := from.Scan(&e.Seq, &uid, &e.Data, &e.Hash, &e.Reply); err != nil {
		return err
	}
	copy(e.UID[:], uid)
	return nil
}

// readers are the connections for views. They are opened when first needed.
type readers struct {
	path string
	free chan *conn // nil: may be opened
}

func newReaders(path string) *readers {
	r := &readers{path: path, free: make(chan *conn, readerCount)}
	for range readerCount {
		r.free <- nil
	}
	return r
}

func (r *readers) borrow(ctx context.Context) (*conn, error) {
	var c *conn
	var open bool
	select {
	case c, open = <-r.free:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !open {
		return nil, ErrClosed
	}
	if c != nil {
		return c, nil
	}
	c, err := openReader(r.path)
	if err != nil {
		r.free <- nil
		return nil, fmt.Errorf("open a view: %w", err)
	}
	return c, nil
}

// giveBack keeps the connection for the next view, or lets it go if its
// snapshot did not end as it should.
func (r *readers) giveBack(c *conn, usable bool) {
	if !usable {
		_ = c.close() // it had its error already
		c = nil
	}
	r.free <- c
}

// close waits for the views that still run.
func (r *readers) close() error {
	var errs []error
	for range readerCount {
		if c := <-r.free; c != nil {
			errs = append(errs, c.close())
		}
	}
	close(r.free)
	return errors.Join(errs...)
}
