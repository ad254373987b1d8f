package quorum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/stock/journal"
)

const (
	// applyLimit is how long the database may take for one batch of entries. It is
	// generous: a disk that hangs is found out by the log.
	applyLimit = 5 * time.Minute

	installsAtMost = 3
	installsWithin = 10 * time.Minute
)

// fsm is the member as raft sees it. Raft calls its methods from one goroutine.
// After a fault that goroutine ends: nothing more is applied or answered.
type fsm Member

// appliedEntry is what becomes of an entry, for who proposed it.
type appliedEntry struct {
	index, term uint64
	results     []journal.LogResult // nil: the entry was applied before
}

// Apply is not used; raft calls ApplyBatch.
func (f *fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies committed entries in one transaction.
func (f *fsm) ApplyBatch(logs []*raft.Log) []any {
	m := (*Member)(f)
	entries := make([]journal.LogEntry, len(logs))
	for i, l := range logs {
		var err error
		if entries[i], err = decodeEntry(l); err == nil {
			err = m.knows(entries[i].Version, entries[i].Tables)
		}
		if err != nil {
			m.stop(err)
		}
	}
	j := m.books.current()
	before := j.Head().Seq
	var results [][]journal.LogResult
	m.within(applyLimit, func() (err error) {
		results, err = j.ApplyLog(context.Background(), entries)
		return err
	})
	if head := j.Head().Seq; head != before && m.o.Applied != nil {
		m.o.Applied(head, false)
	}
	m.applied.moved(j.Applied().Index)
	answers := make([]any, len(logs))
	for i, l := range logs {
		answers[i] = appliedEntry{index: l.Index, term: l.Term, results: results[i]}
	}
	return answers
}

// Snapshot makes what was applied safe from power cuts.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	m := (*Member)(f)
	var a journal.Applied
	m.within(applyLimit, func() (err error) {
		a, err = m.books.current().Harden(context.Background())
		return err
	})
	return durable(a.Durable), nil
}

// durable is a snapshot of the database: the index that it has for good.
type durable uint64

// Persist marks the snapshot; the database holds what it stands for.
func (d durable) Persist(sink raft.SnapshotSink) error {
	k, ok := sink.(*sinkFile)
	if !ok || k.meta.Index > uint64(d) {
		return errors.Join(fmt.Errorf("the database has entry %d for good, no more", d), sink.Cancel())
	}
	k.marked = true
	return sink.Close()
}

// Release does nothing.
func (durable) Release() {}

// Restore replaces the database by one that was received.
func (f *fsm) Restore(from io.ReadCloser) error {
	m := (*Member)(f)
	defer from.Close()
	if m.folder.memory() {
		return errors.New("a member in memory is alone")
	}
	kept := m.snaps.received()
	if kept == nil {
		return errors.New("no database was received")
	}
	diverged, err := m.logDiverged(*kept)
	if err == nil {
		m.diverged.Store(diverged)
		err = m.restore(m.ctx, *kept, from)
	}
	if err != nil {
		m.log.Error("a received database cannot be used", "err", err)
		return errors.Join(err, m.snaps.forget(kept.ID))
	}
	return nil
}

// restore checks what was received and puts it in the database's place. Up to
// there an error leaves everything as it was; after that it ends the member.
func (m *Member) restore(ctx context.Context, kept keptSnapshot, from io.Reader) error {
	incoming := journal.Incoming(m.folder.database)
	a, err := unpack(ctx, from, incoming)
	if err != nil {
		return errors.Join(fmt.Errorf("receive the database: %w", err), removeIfThere(incoming))
	}
	if a.Index < kept.Index {
		return errors.Join(fmt.Errorf("the received database has entry %d, not %d", a.Index, kept.Index),
			removeIfThere(incoming))
	}
	if j := m.books.current(); j != nil && a.Index < j.Applied().Index {
		return errors.Join(m.snaps.restored(kept), os.Remove(incoming)) // ours is newer
	}
	err = m.books.swap(func(old *journal.Journal) (*journal.Journal, error) {
		if old != nil {
			if err := old.Close(); err != nil {
				return nil, err
			}
		}
		if err := journal.Replace(m.folder.database); err != nil {
			return nil, err
		}
		if err := m.snaps.restored(kept); err != nil {
			return nil, err
		}
		return m.openJournal(ctx)
	})
	if err != nil {
		m.stop(fmt.Errorf("replace the database: %w", err))
	}
	j := m.books.current()
	m.log.Info("database received", "index", j.Applied().Index)
	if m.o.Applied != nil {
		m.o.Applied(j.Head().Seq, true)
	}
	m.applied.moved(j.Applied().Index)
	return nil
}

// finishRestore restores what was received before a crash.
func (m *Member) finishRestore(ctx context.Context) error {
	kept := m.snaps.received()
	if kept == nil {
		return nil
	}
	_, from, err := m.snaps.Open(kept.ID)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := m.restore(ctx, *kept, from); err != nil {
		return err
	}
	return m.books.release()
}

// stop ends the member and this goroutine with it.
func (m *Member) stop(cause error) {
	m.fail(cause)
	runtime.Goexit()
}

// within runs an access to the database; if it fails or takes too long, the
// member ends.
func (m *Member) within(limit time.Duration, f func() error) {
	dog := time.AfterFunc(limit, func() { m.fail(ErrHung) })
	err := f()
	dog.Stop()
	if err != nil {
		m.stop(err)
	}
}

// installs counts the databases that were received.
type installs struct {
	diverged atomic.Bool // the log does not lead to the database received last
	times    []time.Time // of the pump alone
}

// rebuild ends the raft that took a snapshot and makes another from what is on
// the disk: the one that took it goes on with a log that does not belong to the
// snapshot, and never finds out.
func (m *Member) rebuild() {
	now := time.Now()
	recent := m.times[:0]
	for _, t := range m.times {
		if now.Sub(t) < installsWithin {
			recent = append(recent, t)
		}
	}
	m.times = append(recent, now)
	if len(m.times) >= installsAtMost {
		m.fail(ErrInstallLoop)
		return
	}
	if err := m.raft.Load().Shutdown().Error(); err != nil {
		m.fail(fmt.Errorf("end raft after a snapshot: %w", err))
		return
	}
	var err error
	if m.diverged.Load() {
		err = m.dropLog()
	}
	if err == nil {
		err = m.startRaft()
	}
	if err != nil {
		m.fail(fmt.Errorf("start raft after a snapshot: %w", err))
	}
}

// logDiverged tells whether the log has another history than a received
// database. What comes after the snapshot's entry may be kept only if the log
// has that very entry, or a snapshot of its own that is as new: others may count
// on it. It is asked before raft cuts the log.
func (m *Member) logDiverged(kept keptSnapshot) (bool, error) {
	if newest := m.snaps.newest(); newest.ID != kept.ID {
		return false, nil
	}
	var entry raft.Log
	err := m.store.GetLog(kept.Index, &entry)
	if errors.Is(err, raft.ErrLogNotFound) {
		return true, nil
	}
	return entry.Term != kept.Term, err
}

// dropLog removes all entries.
func (m *Member) dropLog() error {
	first, err := m.store.FirstIndex()
	if err != nil {
		return err
	}
	last, err := m.store.LastIndex()
	if err != nil || last == 0 {
		return err
	}
	return m.store.DeleteRange(first, last)
}

// books holds the journal, which a restore replaces.
type books struct {
	mu      sync.Mutex
	j       *journal.Journal // guarded by mu
	swapped chan struct{}    // guarded by mu: closed when a swap ended; nil: none goes on
}

func (b *books) current() *journal.Journal {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.j
}

func (b *books) replace(j *journal.Journal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.j = j
}

// swap lets f close the old journal and open another.
func (b *books) swap(f func(old *journal.Journal) (*journal.Journal, error)) error {
	done := make(chan struct{})
	defer close(done)
	b.mu.Lock()
	old := b.j
	b.swapped = done
	b.mu.Unlock()
	j, err := f(old)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.swapped = nil
	if err == nil {
		b.j = j
	}
	return err
}

// release closes the journal.
func (b *books) release() error {
	j := b.current()
	b.replace(nil)
	return j.Close()
}

// view runs f on the journal of this moment.
func (b *books) view(ctx context.Context, f func(tx *journal.Tx) error) error {
	for {
		b.mu.Lock()
		j, swapped := b.j, b.swapped
		b.mu.Unlock()
		err := j.View(ctx, f)
		if !errors.Is(err, journal.ErrClosed) {
			return err
		}
		if swapped == nil {
			if b.current() == j {
				return err
			}
			continue // the swap ended meanwhile
		}
		select {
		case <-swapped:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
