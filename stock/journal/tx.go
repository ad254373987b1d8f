package journal

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
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
	open  []*rows // results that were not closed yet
}

func newTx(ctx context.Context, c *conn, m mode) *Tx { return &Tx{ctx: ctx, c: c, mode: m} }

// Exec runs a statement and returns how many rows it changed.
func (tx *Tx) Exec(q string, args ...any) (int64, error) {
	s, values, err := tx.prepare(q, args)
	if err != nil {
		return 0, err
	}
	s.inUse = true
	res, err := s.exec.ExecContext(tx.ctx, values)
	if doneErr := s.done(); err == nil {
		err = doneErr
	}
	if err != nil {
		tx.wrote = tx.wrote || s.writes
		return 0, fmt.Errorf("exec %q: %w", q, err)
	}
	n, err := res.RowsAffected()
	tx.wrote = tx.wrote || s.writes && n != 0
	return n, err
}

// Query runs a statement that returns rows.
func (tx *Tx) Query(q string, args ...any) (Rows, error) {
	r, err := tx.query(q, args)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// QueryRow runs a statement that returns one row or none.
func (tx *Tx) QueryRow(q string, args ...any) Row {
	r, err := tx.query(q, args)
	return oneRow{r, err}
}

func (tx *Tx) query(q string, args []any) (*rows, error) {
	s, values, err := tx.prepare(q, args)
	if err != nil {
		return nil, err
	}
	tx.wrote = tx.wrote || s.writes
	raw, err := s.query.QueryContext(tx.ctx, values)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("query %q: %w", q, err), s.done())
	}
	s.inUse = true
	r := &rows{tx: tx, s: s, raw: raw, values: make([]driver.Value, len(raw.Columns()))}
	tx.open = append(tx.open, r)
	return r, nil
}

func (tx *Tx) prepare(q string, args []any) (*statement, []driver.NamedValue, error) {
	if tx.ended {
		return nil, nil, errTxEnded
	}
	s, err := tx.c.prepare(q)
	if err != nil {
		return nil, nil, err
	}
	if s.writes && tx.mode != writing {
		return nil, nil, errors.Join(fmt.Errorf("%q: %w", q, errReadOnly), s.done())
	}
	values, err := tx.c.bind(args)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%q: %w", q, err), s.done())
	}
	return s, values, nil
}

// closeRows closes results that the function left open; an open one would
// keep the commit from ending.
func (tx *Tx) closeRows() {
	for len(tx.open) > 0 {
		tx.open[len(tx.open)-1].Close()
	}
}

func (tx *Tx) end() {
	tx.closeRows()
	tx.ended = true
}

// rows is a result being read.
type rows struct {
	tx     *Tx
	s      *statement
	raw    driver.Rows
	values []driver.Value
	ready  bool // values hold a row
	closed bool
	err    error
}

// Next reads the next row. It is false after the last one and on an error.
func (r *rows) Next() bool {
	r.ready = false
	if r.closed {
		return false
	}
	err := r.tx.ctx.Err()
	if err == nil {
		err = r.raw.Next(r.values)
	}
	if err != nil {
		if err != io.EOF { //nolint:errorlint // drivers return io.EOF itself
			r.err = err
		}
		r.Close()
		return false
	}
	r.ready = true
	return true
}

// Scan copies the columns of the row that Next read.
func (r *rows) Scan(dest ...any) error {
	if !r.ready {
		return errors.New("scan without a row")
	}
	if len(dest) != len(r.values) {
		return fmt.Errorf("scan %d columns into %d destinations", len(r.values), len(dest))
	}
	for i, d := range dest {
		if err := assign(d, r.values[i]); err != nil {
			return fmt.Errorf("column %s: %w", r.raw.Columns()[i], err)
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
	err := r.raw.Close()
	if doneErr := r.s.done(); err == nil {
		err = doneErr
	}
	if r.err == nil {
		r.err = err
	}
	return err
}

// Err returns what ended the reading early.
func (r *rows) Err() error { return r.err }

type oneRow struct {
	r   *rows
	err error
}

func (o oneRow) Scan(dest ...any) error {
	if o.err != nil {
		return o.err
	}
	defer o.r.Close()
	if !o.r.Next() {
		if o.r.err != nil {
			return o.r.err
		}
		return sql.ErrNoRows
	}
	return o.r.Scan(dest...)
}
