package journal

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// Row is the result of QueryRow.
type Row interface {
	// Scan copies the row's columns. It gives sql.ErrNoRows if there is none.
	Scan(dest ...any) error
}

// Rows is the result of Query. It closes itself after the last row.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Close() error
	Err() error
}

type mode uint8

const (
	reading mode = 1 + iota // statements that change the database fail
	writing
)

var (
	errReadOnly = errors.New("this transaction only reads")
	errTxEnded  = errors.New("transaction has ended")
)

// Tx is a transaction, seen by the function that runs inside it. It keeps
// prepared statements by their text, so SQL should be constant text with
// arguments. It ends with the function.
type Tx struct {
	ctx   context.Context
	c     *conn
	mode  mode
	wrote bool // some statement changed the database since the flag was cleared
	ended bool
	first bool    // nothing was written in the transaction before this function
	open  []*rows // results that were not closed yet
}

func newTx(ctx context.Context, c *conn, m mode) *Tx { return &Tx{ctx: ctx, c: c, mode: m} }

// Exec runs a statement and returns how many rows it changed.
func (tx *Tx) Exec(q string, args ...any) (int64, error) {
	s, err := tx.prepare(q, args)
	if err != nil {
		return 0, err
	}
	more := true
	for more && err == nil {
		more, err = s.step()
	}
	n := tx.c.changes()
	if doneErr := s.done(); err == nil {
		err = doneErr
	}
	if err != nil {
		tx.wrote = tx.wrote || s.writes
		return 0, fmt.Errorf("exec %q: %w", q, tx.cause(err))
	}
	tx.wrote = tx.wrote || s.writes && n != 0
	return n, nil
}

// cause is what a statement ended with: the end of ctx, if that interrupted it.
func (tx *Tx) cause(err error) error {
	if ended := tx.ctx.Err(); ended != nil {
		return ended
	}
	return err
}

// Query runs a statement that returns rows.
func (tx *Tx) Query(q string, args ...any) (Rows, error) {
	r := tx.query(q, args)
	if r.err != nil {
		return nil, r.err
	}
	return r, nil
}

// QueryRow runs a statement that returns one row or none.
func (tx *Tx) QueryRow(q string, args ...any) Row { return (*oneRow)(tx.query(q, args)) }

// query runs a statement up to its first row.
func (tx *Tx) query(q string, args []any) *rows {
	r := &rows{tx: tx}
	r.s, r.err = tx.prepare(q, args)
	if r.err != nil {
		r.closed = true
		return r
	}
	tx.wrote = tx.wrote || r.s.writes
	tx.open = append(tx.open, r)
	if r.fetched, r.err = r.s.step(); r.err != nil {
		r.err = fmt.Errorf("query %q: %w", q, tx.cause(r.err))
		r.Close()
	}
	return r
}

// prepare takes a statement into use, with its arguments bound.
func (tx *Tx) prepare(q string, args []any) (*statement, error) {
	if tx.ended {
		return nil, errTxEnded
	}
	if err := tx.ctx.Err(); err != nil {
		return nil, err
	}
	s, err := tx.c.prepare(q)
	if err != nil {
		return nil, err
	}
	s.inUse = true
	if s.writes && tx.mode != writing {
		return nil, errors.Join(fmt.Errorf("%q: %w", q, errReadOnly), s.done())
	}
	if err := s.bind(args); err != nil {
		return nil, errors.Join(fmt.Errorf("%q: %w", q, err), s.done())
	}
	return s, nil
}

// closeRows closes results that the function left open; an open one would
// keep the commit from ending.
func (tx *Tx) closeRows() {
	for len(tx.open) > 0 {
		tx.open[len(tx.open)-1].Close()
	}
}

// mark is where backToMark goes back to, until unmark. At the beginning of a
// transaction that is its own beginning: a savepoint would copy every page that
// is written after it.
func (tx *Tx) mark() (err error) {
	if !tx.first {
		_, err = tx.Exec(beginEntries)
	}
	return err
}

func (tx *Tx) backToMark() (err error) {
	if !tx.first {
		_, err = tx.Exec(undoEntries)
		return err
	}
	tx.closeRows()
	return errors.Join(tx.c.rollback.run(), tx.c.begin.run())
}

func (tx *Tx) unmark() (err error) {
	if !tx.first {
		_, err = tx.Exec(endEntries)
	}
	return err
}

func (tx *Tx) end() {
	tx.closeRows()
	tx.ended = true
}

// rows is a result being read.
type rows struct {
	tx      *Tx
	s       *statement
	values  []driver.Value // of the row, for those who asked to have them
	fetched bool           // the first row is there
	started bool           // Next was called
	ready   bool           // there is a row
	closed  bool
	err     error
}

// Next reads the next row. It is false after the last one and on an error.
func (r *rows) Next() bool {
	r.ready = false
	if r.closed {
		return false
	}
	more, err := r.fetched, r.tx.ctx.Err()
	if r.started && err == nil {
		more, err = r.s.step()
	}
	r.started = true
	if err != nil || !more {
		r.err = err
		r.Close()
		return false
	}
	for i := range r.values {
		r.values[i] = r.s.cells[i].value()
	}
	r.ready = true
	return true
}

// Scan copies the columns of the row that Next read.
func (r *rows) Scan(dest ...any) error {
	if !r.ready {
		return errors.New("scan without a row")
	}
	if len(dest) != len(r.s.cells) {
		return fmt.Errorf("scan %d columns into %d destinations", len(r.s.cells), len(dest))
	}
	for i, d := range dest {
		if err := assign(d, &r.s.cells[i]); err != nil {
			return fmt.Errorf("column %s: %w", r.s.columns()[i], err)
		}
	}
	return nil
}

// Close ends the reading. Closing twice is fine.
func (r *rows) Close() error {
	if r.closed {
		return nil
	}
	r.closed, r.ready = true, false
	open := r.tx.open
	for i := len(open) - 1; i >= 0; i-- {
		if open[i] == r {
			r.tx.open = append(open[:i], open[i+1:]...)
			break
		}
	}
	err := r.s.done()
	if r.err == nil {
		r.err = err
	}
	return err
}

// Err returns what ended the reading early.
func (r *rows) Err() error { return r.err }

// oneRow is a result of which only the first row counts.
type oneRow rows

// Scan copies the columns of the row and ends the reading.
func (o *oneRow) Scan(dest ...any) error {
	r := (*rows)(o)
	defer r.Close()
	if !r.Next() {
		if r.err != nil {
			return r.err
		}
		return sql.ErrNoRows
	}
	return r.Scan(dest...)
}
