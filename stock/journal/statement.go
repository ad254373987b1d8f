package journal

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// statement is prepared SQL. A cached one that is in use is not shared: the
// same SQL nested inside its own result gets a statement of its own.
type statement struct {
	e      *engine
	ptr    uintptr
	sql    string
	params int
	cells  []cell // the row that step came to; its bytes are SQLite's

	names []string // of columns, once somebody asked
	room  uintptr  // for bytes of arguments, which SQLite reads from here
	space int      // bytes of room

	cached bool
	inUse  bool
	writes bool // changes the database, as far as its text tells
}

// cell is one value of a row.
type cell struct {
	kind  int32 // as SQLite numbers them
	n     int64 // an integer, or the bits of a float
	bytes []byte
}

const (
	isInt   = sqlite3.SQLITE_INTEGER
	isFloat = sqlite3.SQLITE_FLOAT
	isText  = sqlite3.SQLITE_TEXT
	isBlob  = sqlite3.SQLITE_BLOB
	isNull  = sqlite3.SQLITE_NULL
)

// value gives what a cell holds as database/sql would.
func (c *cell) value() driver.Value {
	switch c.kind {
	case isInt:
		return c.n
	case isFloat:
		return math.Float64frombits(uint64(c.n))
	case isText:
		return string(c.bytes)
	case isBlob:
		return append([]byte{}, c.bytes...)
	}
	return nil
}

// step goes to the next row. It is false after the last one.
func (s *statement) step() (bool, error) {
	switch rc := sqlite3.Xsqlite3_step(s.e.tls, s.ptr); rc {
	case sqlite3.SQLITE_ROW:
		s.read()
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	default:
		return false, s.e.failure(rc)
	}
}

// read looks at the row's columns without copying them.
func (s *statement) read() {
	tls := s.e.tls
	for i := range s.cells {
		c, column := &s.cells[i], int32(i)
		c.kind = sqlite3.Xsqlite3_column_type(tls, s.ptr, column)
		switch c.kind {
		case isInt:
			c.n = int64(sqlite3.Xsqlite3_column_int64(tls, s.ptr, column))
		case isFloat:
			c.n = int64(math.Float64bits(sqlite3.Xsqlite3_column_double(tls, s.ptr, column)))
		case isText:
			c.look(sqlite3.Xsqlite3_column_text(tls, s.ptr, column),
				sqlite3.Xsqlite3_column_bytes(tls, s.ptr, column))
		case isBlob:
			c.look(sqlite3.Xsqlite3_column_blob(tls, s.ptr, column),
				sqlite3.Xsqlite3_column_bytes(tls, s.ptr, column))
		}
	}
}

func (c *cell) look(at uintptr, n int32) {
	c.bytes = nil
	if n > 0 {
		c.bytes = libc.GoBytes(at, int(n))
	}
}

// columns names the columns.
func (s *statement) columns() []string {
	for i := len(s.names); i < len(s.cells); i++ {
		s.names = append(s.names, libc.GoString(sqlite3.Xsqlite3_column_name(s.e.tls, s.ptr, int32(i))))
	}
	return s.names
}

// bind sets the arguments. What they point to is copied.
func (s *statement) bind(args []any) error {
	if len(args) != s.params {
		return fmt.Errorf("%d arguments, want %d", len(args), s.params)
	}
	size := 0
	for _, arg := range args {
		size += sizeOf(arg)
	}
	if err := s.makeRoom(size); err != nil {
		return err
	}
	at := s.room
	for i, arg := range args {
		n, err := s.bindOne(int32(i+1), arg, at)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
		at += uintptr(n)
	}
	return nil
}

// sizeOf is how many bytes an argument needs beside its slot; none of those
// that are of a rare type, see bindRare.
func sizeOf(arg any) int {
	switch v := arg.(type) {
	case []byte:
		return len(v)
	case string:
		return len(v)
	case Hash:
		return len(v)
	case [16]byte:
		return len(v)
	}
	return 0
}

// makeRoom keeps the room that the statement once needed.
func (s *statement) makeRoom(size int) error {
	const least = 64
	size = max(size, least) // an empty blob points somewhere, too
	if size <= s.space {
		return nil
	}
	libc.Xfree(s.e.tls, s.room)
	s.space = 2 * size
	s.room = libc.Xmalloc(s.e.tls, uint64(s.space))
	if s.room == 0 {
		s.space = 0
		return errNoMemory
	}
	return nil
}

// bindOne sets an argument and returns how much of the room it took.
func (s *statement) bindOne(i int32, arg any, at uintptr) (int, error) {
	switch v := arg.(type) {
	case string:
		n := copy(libc.GoBytes(at, len(v)), v)
		return n, s.e.failure(sqlite3.Xsqlite3_bind_text(s.e.tls, s.ptr, i, at, int32(n), 0))
	case []byte:
		if v == nil {
			return 0, s.e.failure(sqlite3.Xsqlite3_bind_null(s.e.tls, s.ptr, i))
		}
		return s.bindBlob(i, v, at)
	case Hash:
		return s.bindBlob(i, v[:], at)
	case [16]byte:
		return s.bindBlob(i, v[:], at)
	case nil:
		return 0, s.e.failure(sqlite3.Xsqlite3_bind_null(s.e.tls, s.ptr, i))
	}
	n, ok, err := toInt(arg)
	if ok && err == nil {
		err = s.e.failure(sqlite3.Xsqlite3_bind_int64(s.e.tls, s.ptr, i, n))
	}
	if ok || err != nil {
		return 0, err
	}
	return 0, s.bindRare(i, arg)
}

func (s *statement) bindBlob(i int32, b []byte, at uintptr) (int, error) {
	n := copy(libc.GoBytes(at, len(b)), b)
	return n, s.e.failure(sqlite3.Xsqlite3_bind_blob(s.e.tls, s.ptr, i, at, int32(n), 0))
}

// bindRare sets an argument of a type that needs conversion; SQLite copies it.
func (s *statement) bindRare(i int32, arg any) error {
	v, err := toValue(arg)
	if err != nil {
		return err
	}
	var rc int32
	switch v := v.(type) {
	case nil:
		rc = sqlite3.Xsqlite3_bind_null(s.e.tls, s.ptr, i)
	case int64:
		rc = sqlite3.Xsqlite3_bind_int64(s.e.tls, s.ptr, i, v)
	case float64:
		rc = sqlite3.Xsqlite3_bind_double(s.e.tls, s.ptr, i, v)
	case string, []byte:
		return s.bindCopy(i, v)
	default:
		return fmt.Errorf("SQLite has no type for %T", arg)
	}
	return s.e.failure(rc)
}

func (s *statement) bindCopy(i int32, v any) error {
	const copied = ^uintptr(0) // SQLITE_TRANSIENT
	text, isText := v.(string)
	if !isText {
		text = string(v.([]byte))
	}
	at, err := libc.CString(text)
	if err != nil {
		return err
	}
	defer libc.Xfree(s.e.tls, at)
	if isText {
		return s.e.failure(sqlite3.Xsqlite3_bind_text(s.e.tls, s.ptr, i, at, int32(len(text)), copied))
	}
	return s.e.failure(sqlite3.Xsqlite3_bind_blob(s.e.tls, s.ptr, i, at, int32(len(text)), copied))
}

// run executes one of the connection's own statements.
func (s *statement) run() error {
	_, err := s.step()
	s.reset()
	return err
}

// reset makes the statement ready for other arguments. Its result code repeats
// what the last step said already.
func (s *statement) reset() { sqlite3.Xsqlite3_reset(s.e.tls, s.ptr) }

// done gives a statement back.
func (s *statement) done() error {
	s.inUse = false
	s.reset()
	if s.cached {
		return nil
	}
	return s.close()
}

func (s *statement) close() error {
	rc := sqlite3.Xsqlite3_finalize(s.e.tls, s.ptr)
	libc.Xfree(s.e.tls, s.room)
	s.ptr, s.room, s.space = 0, 0, 0
	if rc == sqlite3.SQLITE_OK {
		return nil
	}
	return errors.Join(errors.New("finalize"), s.e.failure(rc))
}
