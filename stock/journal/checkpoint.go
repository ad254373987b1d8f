package journal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// SQLite keeps new pages in a write-ahead log and copies them into the file
// at a checkpoint. That costs an fsync of the file, so a goroutine of its own
// does it, beside the writer. While the writer never pauses the log cannot
// start over; when it has grown to maxFrames, the leader does one itself.
const (
	checkpointFrames = 1000 // pages of 4 KiB
	maxFrames        = 8192 // 32 MiB
	idleCheckpoint   = 30 * time.Second
	checkpointSQL    = `PRAGMA wal_checkpoint(PASSIVE)`
)

// walKeeper counts the pages in the write-ahead log, about: it is a trigger,
// not a fact.
type walKeeper struct {
	frames  atomic.Int64  // since the log last started over
	pending int           // since the last kick; the leader's
	kick    chan struct{} // capacity 1
}

func (w *walKeeper) init() { w.kick = make(chan struct{}, 1) }

// afterCommit is called by the leader.
func (j *Journal) afterCommit() {
	if j.path == "" {
		return
	}
	w := &j.wal
	n := j.writer.framesWritten()
	w.pending += n
	if w.frames.Add(int64(n)) >= maxFrames && w.pending >= checkpointFrames {
		w.pending = 0
		if err := j.checkpoint(context.Background(), j.writer); err != nil {
			j.poison(err)
		}
		return
	}
	if w.pending >= checkpointFrames {
		w.pending = 0
		select {
		case w.kick <- struct{}{}:
		default:
		}
	}
}

// checkpointer runs until ctx ends.
func (j *Journal) checkpointer(ctx context.Context) {
	if err := j.keepLogShort(ctx); err != nil && ctx.Err() == nil {
		j.poison(err)
	}
}

func (j *Journal) keepLogShort(ctx context.Context) (err error) {
	c, err := connect(ctx, fileURI(j.path)+"?_busy_timeout=5000&_defensive=1&_dqs=0&_synchronous=FULL",
		readerCacheKiB)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	idle := time.NewTicker(idleCheckpoint)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-j.fault:
			return nil
		case <-j.wal.kick:
		case <-idle.C:
			if j.wal.frames.Load() == 0 {
				continue
			}
		}
		if err := j.checkpoint(ctx, c); err != nil {
			return err
		}
	}
}

func (j *Journal) checkpoint(ctx context.Context, c *conn) error {
	before := j.wal.frames.Load()
	tx := newTx(ctx, c, reading)
	defer tx.end()
	var busy, inLog, copied int64
	if err := tx.QueryRow(checkpointSQL).Scan(&busy, &inLog, &copied); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if inLog == copied {
		inLog = 0 // the next commit starts the log over
	}
	// What the writer added meanwhile stays counted.
	j.wal.frames.Add(inLog - before)
	if inLog > maxFrames {
		j.log.Warn("write-ahead log is long; a view is held open", "frames", inLog)
	}
	return nil
}

// quickCheck reads the whole file once and stops the journal if its structure
// is broken. Trading goes on meanwhile.
func (j *Journal) quickCheck(ctx context.Context) {
	err := j.checkFile(ctx)
	if err != nil && ctx.Err() == nil {
		j.poison(fmt.Errorf("check file: %w", err))
	}
}

func (j *Journal) checkFile(ctx context.Context) (err error) {
	c, err := openReader(ctx, j.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
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
