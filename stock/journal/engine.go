package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/libc"
	_ "modernc.org/sqlite" // patches the library where a platform needs it
	sqlite3 "modernc.org/sqlite/lib"
)

// engine is a database that SQLite has open, called without database/sql and
// its driver: they ask for the names and types of all columns, copy every value
// and take several locks for each statement, which costs more than most
// statements do. One goroutine uses it at a time.
type engine struct {
	tls *libc.TLS
	db  uintptr
	out uintptr // where SQLite puts its answers; it has room for two words
}

const (
	busyTimeout = 5 * time.Second
	openFlags   = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE | sqlite3.SQLITE_OPEN_NOMUTEX |
		sqlite3.SQLITE_OPEN_URI
	wordSize     = 8 // of an answer; pointers are no longer
	mainDatabase = "main"
)

// sqliteError is what SQLite answered.
type sqliteError struct {
	code int // extended
	text string
}

// Error says what SQLite said.
func (e *sqliteError) Error() string { return e.text }

var errNoMemory = errors.New("SQLite has no memory left")

// openEngine opens what a URI names, and sets what is not set by a PRAGMA.
func openEngine(uri string) (*engine, error) {
	e := &engine{tls: libc.NewTLS()}
	e.out = libc.Xmalloc(e.tls, 2*wordSize)
	name, err := libc.CString(uri)
	if err == nil && e.out != 0 {
		rc := sqlite3.Xsqlite3_open_v2(e.tls, name, e.out, openFlags, 0)
		e.db = e.pointer(0)
		libc.Xfree(e.tls, name)
		err = e.failure(rc)
	} else {
		err = errNoMemory
	}
	if err == nil {
		err = e.configure()
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// configure turns on what protects the file, and keeps plans of statements as
// they are: SQLite would prepare some of them again for every new argument.
func (e *engine) configure() error {
	sqlite3.Xsqlite3_extended_result_codes(e.tls, e.db, 1)
	sqlite3.Xsqlite3_busy_timeout(e.tls, e.db, int32(busyTimeout.Milliseconds()))
	for _, o := range []struct {
		option int32
		on     int32
	}{
		{sqlite3.SQLITE_DBCONFIG_DEFENSIVE, 1}, {sqlite3.SQLITE_DBCONFIG_ENABLE_QPSG, 1},
		{sqlite3.SQLITE_DBCONFIG_DQS_DDL, 0}, {sqlite3.SQLITE_DBCONFIG_DQS_DML, 0},
	} {
		args := libc.VaList(e.out, o.on, uintptr(0))
		if err := e.failure(sqlite3.Xsqlite3_db_config(e.tls, e.db, o.option, args)); err != nil {
			return fmt.Errorf("configure option %d: %w", o.option, err)
		}
	}
	return nil
}

// pointer is what SQLite has put into a word of out.
func (e *engine) pointer(word int) uintptr {
	const small = ^uintptr(0)>>32 == 0
	b := libc.GoBytes(e.out, 2*wordSize)[word*wordSize:]
	if small {
		return uintptr(binary.NativeEndian.Uint32(b))
	}
	return uintptr(binary.NativeEndian.Uint64(b))
}

func (e *engine) close() error {
	var err error
	if e.db != 0 {
		err = e.failure(sqlite3.Xsqlite3_close_v2(e.tls, e.db))
	}
	libc.Xfree(e.tls, e.out)
	e.tls.Close()
	e.db, e.out = 0, 0
	return err
}

// failure turns a result code into an error, with what SQLite says about it.
func (e *engine) failure(rc int32) error {
	if rc == sqlite3.SQLITE_OK {
		return nil
	}
	text := libc.GoString(sqlite3.Xsqlite3_errstr(e.tls, rc))
	if e.db != 0 {
		if more := libc.GoString(sqlite3.Xsqlite3_errmsg(e.tls, e.db)); more != text {
			text += ": " + more
		}
	}
	return &sqliteError{code: int(rc), text: fmt.Sprintf("%s (%d)", text, rc)}
}

// script runs several statements without arguments.
func (e *engine) script(sql string) error {
	text, err := libc.CString(sql)
	if err != nil {
		return err
	}
	defer libc.Xfree(e.tls, text)
	return e.failure(sqlite3.Xsqlite3_exec(e.tls, e.db, text, 0, 0, 0))
}

// prepare compiles one statement that will be used often.
func (e *engine) prepare(sql string) (*statement, error) {
	text, err := libc.CString(sql)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(e.tls, text)
	rc := sqlite3.Xsqlite3_prepare_v3(e.tls, e.db, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, e.out,
		e.out+wordSize)
	if err := e.failure(rc); err != nil {
		return nil, err
	}
	s := &statement{e: e, ptr: e.pointer(0), sql: sql}
	if s.ptr == 0 {
		return nil, errors.New("no statement")
	}
	if rest := sql[e.pointer(1)-text:]; strings.Trim(rest, "; \t\r\n") != "" {
		return nil, errors.Join(errors.New("more than one statement"), s.close())
	}
	s.params = int(sqlite3.Xsqlite3_bind_parameter_count(e.tls, s.ptr))
	s.cells = make([]cell, sqlite3.Xsqlite3_column_count(e.tls, s.ptr))
	return s, nil
}

// changes is how many rows the last statement changed that changes rows.
func (e *engine) changes() int64 { return int64(sqlite3.Xsqlite3_changes64(e.tls, e.db)) }

// framesWritten returns the pages that were written since the last call.
func (e *engine) framesWritten() int {
	const begin = 1
	rc := sqlite3.Xsqlite3_db_status(e.tls, e.db, sqlite3.SQLITE_DBSTATUS_CACHE_WRITE, e.out,
		e.out+wordSize, begin)
	if rc != sqlite3.SQLITE_OK {
		return 0
	}
	return int(binary.NativeEndian.Uint32(libc.GoBytes(e.out, wordSize)))
}

// interruptPause lies between attempts: SQLite forgets an interrupt that comes
// before the statement begins.
const interruptPause = 10 * time.Millisecond

// interruptAfter ends statements with an error once ctx has ended, until stop
// is called. Errors that it led to are ctx's.
func (e *engine) interruptAfter(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	stopped, over := make(chan struct{}), make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(over)
		for {
			sqlite3.Xsqlite3_interrupt(nil, e.db)
			select {
			case <-stopped:
				return
			case <-time.After(interruptPause):
			}
		}
	})
	return func() {
		close(stopped)
		if !cancel() {
			<-over
		}
	}
}

// serialize returns the bytes of the database, as a disk would hold them.
func (e *engine) serialize() ([]byte, error) {
	name, err := libc.CString(mainDatabase)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(e.tls, name)
	image := sqlite3.Xsqlite3_serialize(e.tls, e.db, name, e.out, 0)
	if image == 0 {
		return nil, errNoMemory
	}
	defer sqlite3.Xsqlite3_free(e.tls, image)
	size := binary.NativeEndian.Uint64(libc.GoBytes(e.out, wordSize))
	return bytes.Clone(libc.GoBytes(image, int(size))), nil
}

// deserialize makes the database what serialize returned.
func (e *engine) deserialize(image []byte) error {
	name, err := libc.CString(mainDatabase)
	if err != nil {
		return err
	}
	defer libc.Xfree(e.tls, name)
	n := int64(len(image))
	to := sqlite3.Xsqlite3_malloc64(e.tls, uint64(n))
	if to == 0 {
		return errNoMemory
	}
	copy(libc.GoBytes(to, len(image)), image)
	return e.failure(sqlite3.Xsqlite3_deserialize(e.tls, e.db, name, to, n, n,
		sqlite3.SQLITE_DESERIALIZE_RESIZEABLE|sqlite3.SQLITE_DESERIALIZE_FREEONCLOSE))
}
