package journal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// SQLite keeps new pages in a write-ahead log and copies them into the file at
// a checkpoint. The log starts over only after a checkpoint that copied
// everything, and a log that grows makes each fsync about twice as slow as one
// that is written over. So a checkpoint shuts the writer out, soon and briefly,
// rather than running beside it: a goroutine of its own leads the queue for
// that time, so that no caller's answer waits for it.
//
// Where a commit does not wait for the disk, the log may grow for longer, so that
// pages which are written often are copied once. Most is then copied beside the
// writer, and only what came meanwhile while it is shut out.
const (
	checkpointFrames = 1000  // pages of 4 KiB
	relaxedFrames    = 8000  // the same, of a journal with NORMAL
	alarmFrames      = 16384 // 64 MiB
	idleCheckpoint   = 30 * time.Second
	checkpointSQL    = `PRAGMA wal_checkpoint(PASSIVE)`
)

// walKeeper counts the pages in the write-ahead log.
type walKeeper struct {
	frames int           // since the last checkpoint; the leader's
	dirty  atomic.Bool   // frames is not zero
	kick   chan struct{} // capacity 1; whoever receives leads the queue
	early  chan struct{} // capacity 1; whoever receives copies beside the writer
	copied atomic.Int32  // copyNone, copyRuns or copyDone
}

// How far the copying beside the writer is, before a checkpoint.
const (
	copyNone = iota
	copyRuns
	copyDone
)

func (w *walKeeper) init() {
	w.kick, w.early = make(chan struct{}, 1), make(chan struct{}, 1)
}

// checkpointDue counts what the leader just committed.
func (j *Journal) checkpointDue() bool {
	if j.path == "" || j.Err() != nil {
		return false
	}
	j.wal.frames += j.writer.framesWritten()
	j.wal.dirty.Store(j.wal.frames > 0)
	if j.sync == "FULL" || j.wal.frames >= alarmFrames {
		return j.wal.frames >= checkpointFrames
	}
	if j.wal.frames >= relaxedFrames && j.wal.copied.CompareAndSwap(copyNone, copyRuns) {
		j.wal.early <- struct{}{}
	}
	return j.wal.copied.Load() == copyDone
}

// checkpointer runs until ctx ends, which Close sees to once nobody leads.
func (j *Journal) checkpointer(ctx context.Context) {
	idle := time.NewTicker(idleCheckpoint)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.wal.early:
			if err := j.copyBeside(ctx); err != nil {
				j.poison(err)
			}
			j.wal.copied.Store(copyDone)
			continue
		case <-j.wal.kick:
		case <-idle.C:
			if !j.wal.dirty.Load() || !j.queue.claim() {
				continue
			}
		}
		if err := j.checkpoint(); err != nil {
			j.poison(err)
		}
		j.queue.next()
	}
}

// copyBeside copies what is in the log while the writer adds to it.
func (j *Journal) copyBeside(ctx context.Context) (err error) {
	c, err := connect(fileURI(j.path)+"?mode=rw", readerCacheKiB)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	tx := newTx(context.WithoutCancel(ctx), c, reading)
	defer tx.end()
	var busy, inLog, copied int64
	if err := tx.QueryRow(checkpointSQL).Scan(&busy, &inLog, &copied); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// checkpoint is called by whoever leads the queue. What a view holds back
// stays in the log and is tried again with the next pages.
func (j *Journal) checkpoint() error {
	if j.Err() != nil {
		return nil
	}
	tx := newTx(context.Background(), j.writer, reading)
	defer tx.end()
	var busy, inLog, copied int64
	if err := tx.QueryRow(checkpointSQL).Scan(&busy, &inLog, &copied); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	j.wal.frames = 0
	j.wal.copied.CompareAndSwap(copyDone, copyNone)
	j.wal.dirty.Store(copied < inLog)
	if copied < inLog && inLog >= alarmFrames {
		j.log.Warn("write-ahead log is long because a view is held open", "frames", inLog)
	}
	return nil
}

// quickCheck reads the whole file once and stops the journal if its structure
// is broken. Trading goes on meanwhile.
func (j *Journal) quickCheck(ctx context.Context) {
	defer close(j.checked)
	err := j.checkFile(ctx)
	if err != nil && ctx.Err() == nil {
		j.poison(fmt.Errorf("check file: %w", err))
	}
}

func (j *Journal) checkFile(ctx context.Context) (err error) {
	c, err := openReader(j.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	defer c.interruptAfter(ctx)()
	tx := newTx(ctx, c, reading)
	defer tx.end()
	var verdict string
	if err := tx.QueryRow(`PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New(verdict)
	}
	return nil
}
