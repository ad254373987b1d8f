// Package journal keeps numbered records that are applied once to SQLite: one
// file holds the records, the state they build and the number of the last one,
// and every change of it is durable before the caller hears of it.
//
// A caller proposes. The proposal's Decide sees the books as they are at the
// number the record would get and returns the record's data; the Machine
// applies the data; both, and the hash that chains the record to all earlier
// ones, are committed together. Proposals that arrive while a commit is on its
// way to the disk share the next commit; none waits for company.
//
// The functions that callers hand in (Decide, Apply, Local, View) run inside a
// transaction and must not call the journal again: that would wait for itself.
//
// A commit that failed may still be on the disk. So any error of the disk or
// of the machine stops the journal for good: whoever waits is told ErrUnknown,
// and learns the outcome by proposing the same UID after a restart.
package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Errors that callers tell apart. A refusal is a *stock.Refusal instead.
var (
	// ErrUnknown means that the outcome is not known: the record may have
	// been kept or not. Propose the same UID again, after a restart if
	// Fault is closed.
	ErrUnknown = errors.New("outcome unknown")
	// ErrClosed means that the journal was closed; nothing was recorded.
	ErrClosed = errors.New("journal is closed")
	// ErrLocked means that another process has the journal open.
	ErrLocked = errors.New("journal is open in another process")
	// ErrNoRecord means that the journal has no record of this number.
	ErrNoRecord = errors.New("no such record")
)

// Machine is the state that the records build.
type Machine interface {
	// Migrations returns the SQL of each version of the tables, oldest
	// first. A string is never edited once it was applied anywhere; Open
	// applies the new ones in one transaction. Tables that are not built by
	// the records have names that begin with "local_".
	Migrations() []string
	// Apply changes the books by one record and returns the reply kept for
	// repeats. It is deterministic: only tx and data. A *stock.Refusal must
	// be returned before the record's first write; any other error is a
	// fault and stops the journal.
	Apply(tx *Tx, seq uint64, data []byte) (reply []byte, err error)
}

// Options say where the journal is and what it builds.
type Options struct {
	Path       string  // of the database file; "" keeps everything in memory
	Machine    Machine // required
	Logger     *slog.Logger
	Sync       string // "FULL" (default) is durable; "NORMAL" may lose the last commits in a power cut
	QueueLimit int    // proposals that may wait before callers are refused as busy; default 4096
	MaxBatch   int    // proposals that share a commit at most; default 256
	Image      []byte // what a journal in memory begins with, see Journal.Image
	Spare      *Spare // what journals in memory leave to each other; nil: nothing
	Replicated bool   // records come from a log that is kept elsewhere, see ApplyLog
}

const (
	defaultQueueLimit = 4096
	defaultMaxBatch   = 256
	readerCount       = 4
)

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	machine Machine
	log     *slog.Logger
	path    string
	unlock  func() error
	writer  *conn // used by the leader only
	readers *readers
	head    atomic.Pointer[Position]
	queue   queue
	watch   watch
	wal     walKeeper

	spare      *Spare
	sync       string // as in Options
	replicated bool
	applied    atomic.Pointer[Applied] // of a replicated journal
	tables     atomic.Int64            // version of the machine's tables

	fault     chan struct{}
	faultErr  atomic.Pointer[error]
	faultOnce sync.Once

	stop       context.CancelFunc // ends the background work
	checked    chan struct{}      // closed when the check of the file ended
	background sync.WaitGroup
}

// Open opens or creates the journal and applies the machine's new migrations.
// It refuses a file system on which SQLite cannot keep its promises. A check
// of the file's structure goes on in the background; Fault tells if it fails.
func Open(ctx context.Context, o Options) (*Journal, error) {
	if o.Machine == nil {
		return nil, errors.New("open journal: no machine")
	}
	j := &Journal{machine: o.Machine, log: o.Logger, path: o.Path, fault: make(chan struct{}), spare: o.Spare,
		replicated: o.Replicated, sync: cmp.Or(o.Sync, "FULL")}
	if j.log == nil {
		j.log = slog.New(slog.DiscardHandler)
	}
	j.queue.init(orDefault(o.QueueLimit, defaultQueueLimit), orDefault(o.MaxBatch, defaultMaxBatch))
	if err := j.open(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %q: %w", o.Path, err), j.release())
	}
	return j, nil
}

func orDefault(n, standard int) int {
	if n <= 0 {
		return standard
	}
	return n
}

func (j *Journal) open(ctx context.Context, o Options) error {
	if j.path != "" {
		unlock, err := Lock(j.path)
		if err != nil {
			return err
		}
		j.unlock = unlock
		if err := errors.Join(removeScratch(j.path), finishReplace(j.path),
			createPrivate(j.path)); err != nil {
			return err
		}
	}
	w, err := openWriter(o)
	if err != nil {
		return err
	}
	j.writer = w
	migrations, err := j.migrations(w)
	if err != nil {
		return err
	}
	if err := migrate(w, migrations); err != nil {
		return err
	}
	j.tables.Store(int64(len(migrations)))
	if j.spare != nil && j.path == "" && len(o.Image) == 0 {
		if err := j.spare.learn(w); err != nil {
			return err
		}
	}
	head, err := readHead(w)
	if err != nil {
		return err
	}
	j.head.Store(&head)
	j.startBackground()
	return nil
}

// startBackground starts the checkpointer and the check of the file.
func (j *Journal) startBackground() {
	ctx, stop := context.WithCancel(context.Background())
	j.stop = stop
	j.wal.init()
	j.checked = make(chan struct{})
	if j.path == "" {
		return
	}
	j.readers = newReaders(j.path)
	j.background.Go(func() { j.checkpointer(ctx) })
	j.background.Go(func() { j.quickCheck(ctx) })
}

// Close waits for what was taken or queued, then closes the file. Views that
// are still running are waited for.
func (j *Journal) Close() error {
	if !j.queue.close() {
		return nil
	}
	return j.release()
}

// release frees what open got hold of, however far it came.
func (j *Journal) release() error {
	var errs []error
	if j.stop != nil {
		j.stop()
		j.background.Wait()
	}
	if j.readers != nil {
		errs = append(errs, j.readers.close())
	}
	if j.writer != nil {
		errs = append(errs, j.letGo(j.writer))
	}
	if j.unlock != nil {
		errs = append(errs, j.unlock())
	}
	return errors.Join(errs...)
}

// letGo gives up a connection that writes.
func (j *Journal) letGo(c *conn) error {
	if j.spare != nil && j.path == "" {
		return j.spare.keep(c)
	}
	return c.close()
}

// Head returns the last durable record, from memory.
func (j *Journal) Head() Position { return *j.head.Load() }

// Changed returns a channel that is closed once Head().Seq > seq.
func (j *Journal) Changed(seq uint64) <-chan struct{} { return j.watch.after(seq, j.Head) }

// Fault returns a channel that is closed when the journal stopped for good.
func (j *Journal) Fault() <-chan struct{} { return j.fault }

// Err returns why the journal stopped, or nil while it works.
func (j *Journal) Err() error {
	if p := j.faultErr.Load(); p != nil {
		return *p
	}
	return nil
}

// poison stops the journal for good. Only the first cause is kept.
func (j *Journal) poison(cause error) {
	j.faultOnce.Do(func() {
		j.faultErr.Store(&cause)
		close(j.fault)
		j.log.Error("journal stopped", "err", cause)
	})
}

// watch tells waiters that the head moved. Waiters for one number share a
// channel.
type watch struct {
	mu      sync.Mutex
	waiters map[uint64]chan struct{} // guarded by mu
}

func (w *watch) after(seq uint64, head func() Position) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if head().Seq > seq { // under mu: moved cannot be missed in between
		c := make(chan struct{})
		close(c)
		return c
	}
	c, ok := w.waiters[seq]
	if !ok {
		if w.waiters == nil {
			w.waiters = make(map[uint64]chan struct{})
		}
		c = make(chan struct{})
		w.waiters[seq] = c
	}
	return c
}

// moved is called after the head became seq.
func (w *watch) moved(seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for waiting, c := range w.waiters {
		if waiting < seq {
			close(c)
			delete(w.waiters, waiting)
		}
	}
}
