package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxSpare bounds the connections that a Spare keeps.
const maxSpare = 32

// Spare keeps what closed journals in memory leave behind for those that are
// opened next: to make tables and to prepare statements takes longer than what
// is then done with most of them. All must be of machines with the same
// migrations. It may be used from any goroutine.
type Spare struct {
	mu    sync.Mutex
	blank []byte  // guarded by mu: a database with the tables alone
	idle  []*conn // guarded by mu
}

// Close closes the connections that nobody uses.
func (s *Spare) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, c := range s.idle {
		errs = append(errs, c.close())
	}
	s.idle = nil
	return errors.Join(errs...)
}

// open gives a connection to a database that begins with an image, or with the
// tables alone once they are known; nil if it has none.
func (s *Spare) open(image []byte) (c *conn, begin []byte, err error) {
	s.mu.Lock()
	if begin = image; len(begin) == 0 {
		begin = s.blank
	}
	if n := len(s.idle); n > 0 && len(begin) > 0 {
		c, s.idle = s.idle[n-1], s.idle[:n-1]
	}
	s.mu.Unlock()
	if c == nil {
		return nil, begin, nil
	}
	if err := c.overwrite(begin); err != nil {
		return nil, nil, errors.Join(err, c.close())
	}
	return c, begin, nil
}

// learn keeps what a new database is like before its first record.
func (s *Spare) learn(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blank != nil {
		return nil
	}
	blank, err := c.serialize()
	s.blank = blank
	return err
}

// keep takes back a connection whose journal is closed, or closes it.
func (s *Spare) keep(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	settled := sqlite3.Xsqlite3_get_autocommit(c.tls, c.db) != 0
	if !c.imaged || !settled || len(s.idle) >= maxSpare || c.script(anySize) != nil {
		return c.close()
	}
	s.idle = append(s.idle, c)
	return nil
}

// anySize undoes a bound of the database's size.
const anySize = "PRAGMA max_page_count = 4294967294"

const (
	changeCounter = 24 // offset in a database, big-endian like all its numbers
	validFor      = 92 // the change counter to which the number of pages belongs
	headerBytes   = 100
	pointerBytes  = unsafe.Sizeof(uintptr(0))
)

// Places of methods in sqlite3_io_methods, in pointers.
const (
	readMethod     = 2
	writeMethod    = 3
	truncateMethod = 4
)

var errNotDatabase = errors.New("an image is shorter than the header of a database")

// overwrite makes another database of one that was made by deserialize, by the
// methods of its file, as if another process had written it: statements stay
// prepared if the tables are the same ones.
func (e *engine) overwrite(image []byte) error {
	if len(image) < headerBytes {
		return errNotDatabase
	}
	f, err := e.memoryFile()
	if err != nil {
		return err
	}
	n := len(image)
	room := libc.Xmalloc(e.tls, uint64(n))
	if room == 0 {
		return errNoMemory
	}
	defer libc.Xfree(e.tls, room)
	b := libc.GoBytes(room, n)
	if err := e.failure(f.transfer(readMethod, room, 4, changeCounter)); err != nil {
		return err
	}
	changed := binary.BigEndian.Uint32(b) + 1 // or SQLite would trust the pages that it knows
	copy(b, image)
	binary.BigEndian.PutUint32(b[changeCounter:], changed)
	binary.BigEndian.PutUint32(b[validFor:], changed)
	if err := e.failure(f.transfer(writeMethod, room, n, 0)); err != nil {
		return err
	}
	return e.failure(f.truncate(n))
}

// memoryFile is a database in memory, called as SQLite calls a file.
type memoryFile struct {
	tls     *libc.TLS
	file    uintptr
	methods []byte
}

func (e *engine) memoryFile() (memoryFile, error) {
	name, err := libc.CString(mainDatabase)
	if err != nil {
		return memoryFile{}, err
	}
	defer libc.Xfree(e.tls, name)
	err = e.failure(sqlite3.Xsqlite3_file_control(e.tls, e.db, name, sqlite3.SQLITE_FCNTL_FILE_POINTER, e.out))
	if err != nil {
		return memoryFile{}, err
	}
	f := memoryFile{tls: e.tls, file: e.pointer(0)}
	table := native(bytes.Clone(libc.GoBytes(f.file, int(pointerBytes))))
	f.methods = libc.GoBytes(table, (truncateMethod+1)*int(pointerBytes))
	return f, nil
}

// native reads a pointer.
func native(b []byte) uintptr {
	if pointerBytes == 4 {
		return uintptr(binary.NativeEndian.Uint32(b))
	}
	return uintptr(binary.NativeEndian.Uint64(b))
}

// method returns a function of the file, in a variable to be read as one.
func (f memoryFile) method(n int) *struct{ uintptr } {
	return &struct{ uintptr }{native(f.methods[n*int(pointerBytes):])}
}

// transfer reads or writes.
func (f memoryFile) transfer(method int, room uintptr, n int, at int64) int32 {
	call := *(*func(*libc.TLS, uintptr, uintptr, int32, int64) int32)(unsafe.Pointer(f.method(method)))
	return call(f.tls, f.file, room, int32(n), at)
}

func (f memoryFile) truncate(size int) int32 {
	call := *(*func(*libc.TLS, uintptr, int64) int32)(unsafe.Pointer(f.method(truncateMethod)))
	return call(f.tls, f.file, int64(size))
}
