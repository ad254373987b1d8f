package logstore_test

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/cloud/quorum/logstore"
)

// faulty is a disk that fails or hangs on demand.
type faulty struct {
	logstore.Backend
	mu     sync.Mutex
	err    error         // guarded by mu: of writes
	gate   chan struct{} // guarded by mu: writes wait for it
	writes int           // guarded by mu
}

func (f *faulty) write(do func() error) error {
	f.mu.Lock()
	f.writes++
	err, gate := f.err, f.gate
	f.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if err != nil {
		return err
	}
	return do()
}

func (f *faulty) StoreLogs(es []*raft.Log) error {
	return f.write(func() error { return f.Backend.StoreLogs(es) })
}

func (f *faulty) SetUint64(k []byte, v uint64) error {
	return f.write(func() error { return f.Backend.SetUint64(k, v) })
}

func (f *faulty) set(err error, gate chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.gate = err, gate
}

func (f *faulty) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

var errIO = errors.New("input/output error")

func guarded(limit time.Duration) (*faulty, *logstore.Store, chan error) {
	disk, told := &faulty{Backend: logstore.Memory()}, make(chan error, 2)
	return disk, logstore.Guard(disk, logstore.Options{Limit: limit,
		Fatal: func(err error) { told <- err }}), told
}

func entries(from, to uint64) (es []*raft.Log) {
	for i := from; i <= to; i++ {
		es = append(es, &raft.Log{Index: i, Term: 1, Data: []byte("data")})
	}
	return es
}

func TestTheFirstFaultIsTheLastWrite(t *testing.T) {
	disk, store, told := guarded(time.Minute)
	if err := store.StoreLogs(entries(1, 3)); err != nil {
		t.Fatal(err)
	}
	disk.set(errIO, nil)
	if err := store.StoreLogs(entries(4, 4)); err == nil {
		t.Fatal("a failed append was reported as done")
	}
	if err := <-told; !errors.Is(err, errIO) {
		t.Errorf("told %v", err)
	}
	disk.set(nil, nil)
	for range 3 {
		if err := store.StoreLogs(entries(4, 4)); err == nil {
			t.Fatal("a second fsync was believed")
		}
	}
	if n := disk.count(); n != 2 {
		t.Errorf("%d writes reached the disk, want 2", n)
	}
	if len(told) != 0 {
		t.Errorf("told twice: %v", <-told)
	}
	if n, size := store.Appended(); n != 3 || size != 12 {
		t.Errorf("%d entries of %d bytes", n, size)
	}
}

func TestAHungDiskIsToldWhileItHangs(t *testing.T) {
	disk, store, told := guarded(20 * time.Millisecond)
	gate := make(chan struct{})
	disk.set(nil, gate)
	answered := make(chan error, 1)
	go func() { answered <- store.StoreLogs(entries(1, 1)) }()
	if err := <-told; !errors.Is(err, logstore.ErrHung) {
		t.Errorf("told %v", err)
	}
	close(gate)
	if err := <-answered; err == nil {
		t.Error("an answer that came too late was believed")
	}
}

func TestAVoteThatCannotBeKeptIsNeverGiven(t *testing.T) {
	disk, store, told := guarded(time.Minute)
	disk.set(errIO, nil)
	vote, ended := false, make(chan struct{})
	go func() {
		defer close(ended)
		if err := store.SetUint64([]byte("LastVoteTerm"), 7); err != nil {
			panic(err)
		}
		vote = true
	}()
	<-ended
	if vote {
		t.Error("SetUint64 returned")
	}
	if err := <-told; !errors.Is(err, errIO) {
		t.Errorf("told %v", err)
	}
}

func TestAMissingEntryIsNoFault(t *testing.T) {
	b, err := logstore.Bolt(filepath.Join(t.TempDir(), "raft.db"))
	if err != nil {
		t.Fatal(err)
	}
	store := logstore.Guard(b, logstore.Options{Fatal: func(err error) { t.Error(err) }})
	if err := store.StoreLogs(entries(1, 2)); err != nil {
		t.Fatal(err)
	}
	var got raft.Log
	if err := store.GetLog(9, &got); err != raft.ErrLogNotFound { //nolint:errorlint // as raft asks
		t.Errorf("got %v, want the very error that raft compares with", err)
	}
	if _, err := store.Get([]byte("none")); err == nil || err.Error() != "not found" {
		t.Errorf("got %v, want the very text that raft compares with", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.StoreLogs(entries(3, 3)); err == nil {
		t.Error("a closed log took an entry")
	}
}

func TestOneProcessHasTheLogOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	b, err := logstore.Bolt(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := logstore.Bolt(path); err == nil {
		t.Error("the log was opened twice")
	}
}
