// Package logstore keeps one member's part of a replicated log on its disk,
// and ends the member when the disk fails or hangs: what a disk says after a
// failed fsync proves nothing, and a leader whose disk hangs would lead for
// ever.
package logstore

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

const (
	// Limit is how long one access may take before the disk counts as hung.
	Limit = 2 * time.Second

	cached   = 256 // newest entries in memory, for followers and for applying
	lockWait = time.Second
)

// ErrHung means that the disk did not answer in time.
var ErrHung = errors.New("disk does not answer")

// Backend keeps entries, and the few values that must outlive a member's
// restart, such as its vote.
type Backend interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// Bolt opens or creates a log in a file. One process can have it open.
func Bolt(path string) (Backend, error) {
	b, err := raftboltdb.New(raftboltdb.Options{Path: path,
		BoltOptions: &bbolt.Options{Timeout: lockWait}})
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", filepath.Base(path), err)
	}
	return b, nil
}

// Memory returns a log that ends with the process.
func Memory() Backend { return memory{raft.NewInmemStore()} }

type memory struct{ *raft.InmemStore }

// Close does nothing.
func (memory) Close() error { return nil }

// Options say when a disk counts as broken, and who is told.
type Options struct {
	Limit time.Duration // default Limit
	// Fatal is told the first fault. It must not return to a process that goes
	// on: nothing is written after it.
	Fatal func(error)
}

// ForRaft returns the log as raft needs it: raft would panic when it cannot
// read an entry. Reading then ends the goroutine.
func (s *Store) ForRaft() raft.LogStore { return unpanicking{s} }

type unpanicking struct{ *Store }

// GetLog reads one entry.
func (u unpanicking) GetLog(index uint64, entry *raft.Log) error {
	err := u.Store.GetLog(index, entry)
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		runtime.Goexit()
	}
	return err
}

// Store is a log under guard. The first fault latches: every later write gets
// it as its answer, without another try.
type Store struct {
	*raft.LogCache
	guard *guard
}

// Guard puts a backend under guard.
func Guard(b Backend, o Options) *Store {
	if o.Limit <= 0 {
		o.Limit = Limit
	}
	g := &guard{b: b, o: o}
	cache, err := raft.NewLogCache(cached, g)
	if err != nil {
		panic(err) // only for a capacity of none
	}
	return &Store{LogCache: cache, guard: g}
}

// Close closes the backend. What still goes on may fail after it.
func (s *Store) Close() error {
	s.guard.closed.Store(true)
	return s.guard.b.Close()
}

// Appended returns how many entries and bytes were stored since it was opened.
func (s *Store) Appended() (entries, bytes uint64) {
	return s.guard.entries.Load(), s.guard.bytes.Load()
}

// Set keeps a value. If it cannot, it never returns: its callers would panic.
func (s *Store) Set(key, value []byte) error {
	return s.guard.mustDo("keep a value", func() error { return s.guard.b.Set(key, value) })
}

// SetUint64 keeps a number. If it cannot, it never returns.
func (s *Store) SetUint64(key []byte, value uint64) error {
	return s.guard.mustDo("keep a value", func() error { return s.guard.b.SetUint64(key, value) })
}

// Get returns a value; the error for an unknown one is "not found".
func (s *Store) Get(key []byte) ([]byte, error) { return s.guard.b.Get(key) }

// GetUint64 returns a number; the error for an unknown one is "not found".
func (s *Store) GetUint64(key []byte) (uint64, error) { return s.guard.b.GetUint64(key) }

// guard stands between the cache and the backend.
type guard struct {
	b       Backend
	o       Options
	fault   atomic.Pointer[error]
	closed  atomic.Bool
	entries atomic.Uint64
	bytes   atomic.Uint64
}

// do runs one access under the watchdog and behind the latch.
func (g *guard) do(what string, f func() error) error {
	if fault := g.fault.Load(); fault != nil {
		return *fault
	}
	dog := time.AfterFunc(g.o.Limit, func() {
		g.trip(fmt.Errorf("%s: %w within %s", what, ErrHung, g.o.Limit))
	})
	err := f()
	dog.Stop()
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		err = fmt.Errorf("%s: %w", what, err)
		g.trip(err)
	}
	if fault := g.fault.Load(); fault != nil {
		return *fault // an answer that came too late is none
	}
	return err
}

// trip latches the first fault and tells of it. A store that was closed under
// its users is no fault.
func (g *guard) trip(fault error) {
	if !g.closed.Load() && g.fault.CompareAndSwap(nil, &fault) && g.o.Fatal != nil {
		g.o.Fatal(fault)
	}
}

// mustDo ends the goroutine after a fault. What it was asked for is answered
// by its deferred calls, which say no.
func (g *guard) mustDo(what string, f func() error) error {
	if g.do(what, f) != nil {
		runtime.Goexit()
	}
	return nil
}

// FirstIndex returns the oldest entry's index.
func (g *guard) FirstIndex() (n uint64, err error) {
	err = g.do("read the log", func() error { n, err = g.b.FirstIndex(); return err })
	return n, err
}

// LastIndex returns the newest entry's index.
func (g *guard) LastIndex() (n uint64, err error) {
	err = g.do("read the log", func() error { n, err = g.b.LastIndex(); return err })
	return n, err
}

// GetLog reads one entry.
func (g *guard) GetLog(index uint64, entry *raft.Log) error {
	return g.do("read the log", func() error { return g.b.GetLog(index, entry) })
}

// StoreLog appends one entry.
func (g *guard) StoreLog(entry *raft.Log) error { return g.StoreLogs([]*raft.Log{entry}) }

// StoreLogs appends entries.
func (g *guard) StoreLogs(entries []*raft.Log) error {
	if err := g.do("append to the log", func() error { return g.b.StoreLogs(entries) }); err != nil {
		return err
	}
	size := 0
	for _, e := range entries {
		size += len(e.Data)
	}
	g.entries.Add(uint64(len(entries)))
	g.bytes.Add(uint64(size))
	return nil
}

// DeleteRange removes entries.
func (g *guard) DeleteRange(from, to uint64) error {
	return g.do("cut the log", func() error { return g.b.DeleteRange(from, to) })
}
