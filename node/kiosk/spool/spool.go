// Package spool keeps print jobs until they are on paper, and says of each how
// certain that is: no job is lost, and none that may be on paper is repeated
// by itself.
package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/node/devices"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// Migration is the SQL of the table of jobs. A job that is not settled is the
// printer's next work, or was under way when the process ended.
const Migration = `
CREATE TABLE local_print_job (
  job INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, device TEXT NOT NULL,
  title TEXT NOT NULL, state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
  settled INTEGER NOT NULL CHECK (settled IN (0, 1)), tries INTEGER NOT NULL,
  copy_of INTEGER NOT NULL, error TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL,
  source BLOB NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE INDEX local_print_job_queue ON local_print_job (device, job) WHERE settled = 0;
`

// A row without a device is a promise: a paper that is owed if something else
// happens, and is no job before.
const (
	columns   = `job, key, kind, device, title, state, copy_of, error, at, text, source`
	selectJob = `SELECT ` + columns + ` FROM local_print_job WHERE job = ? AND device <> ''`
	selectKey = `SELECT ` + columns + ` FROM local_print_job WHERE key = ? AND device <> ''`
	selectAll = `SELECT ` + columns + ` FROM local_print_job WHERE device <> '' ORDER BY job DESC LIMIT ?`
	insertJob = `INSERT INTO local_print_job
  (key, kind, device, title, state, settled, tries, copy_of, error, at, text, source, data)
  VALUES (?,?,?,?,1,0,0,?,'',?,?,?,?) ON CONFLICT (key) DO UPDATE SET device = excluded.device,
  title = excluded.title, at = excluded.at, text = excluded.text, source = excluded.source,
  data = excluded.data WHERE device = ''`
	insertPromise = `INSERT INTO local_print_job
  (key, kind, device, title, state, settled, tries, copy_of, error, at, text, source, data)
  VALUES (?,?,'','',1,0,0,0,'',?,'',?,x'') ON CONFLICT (key) DO NOTHING`
	selectPromised = `SELECT ` + columns + ` FROM local_print_job WHERE device = '' AND settled = 0 ORDER BY job`
	deletePromise  = `DELETE FROM local_print_job WHERE key = ? AND device = ''`
	selectNext     = `SELECT job, data, tries FROM local_print_job
  WHERE device = ? AND settled = 0 AND state = 1 ORDER BY job LIMIT 1`
	updateState = `UPDATE local_print_job SET state = ?, settled = ?, error = ?, tries = ? WHERE job = ?`
	orphans     = `UPDATE local_print_job SET state = 5, settled = 1, error = ? WHERE state = 2 AND settled = 0`
	countQueue  = `SELECT count(*) FROM local_print_job WHERE device = ? AND settled = 0`
	deleteOld   = `DELETE FROM local_print_job WHERE settled = 1 AND at < ?`
)

const (
	keep     = 60 * 24 * time.Hour // how long settled jobs are kept
	maxTries = 5                   // attempts of which the printer said that nothing was printed
	pause    = 2 * time.Second     // between attempts at a printer that says it is ready
)

// Job is one piece of paper.
type Job struct {
	ID     int64
	Key    string // makes it happen once
	Kind   string
	Device string
	Title  string
	State  hardware.PrintState
	CopyOf int64
	Error  string
	At     int64 // Unix ms
	Text   string
	Source []byte // what the paper was made from, for a copy
	Data   []byte // what the printer gets; only for Add
}

// Printers is what the spool needs of the devices.
type Printers interface {
	Print(ctx context.Context, name string, job []byte) (hardware.PrintState, error)
	States() []devices.State
	Watch(ctx context.Context) <-chan struct{}
}

// Options say what a Spool stands on.
type Options struct {
	Journal *journal.Journal
	Devices Printers
	Logger  *slog.Logger
	Changed func(job int64) // called after a job has changed; it must not wait
}

// Spool is the jobs of one store's printers.
type Spool struct {
	o Options

	mu    sync.Mutex
	wakes map[string]chan struct{} // guarded by mu; one for each printer
}

// New makes a spool; Run prints.
func New(o Options) *Spool { return &Spool{o: o, wakes: make(map[string]chan struct{})} }

// Add queues a job, once for each key: the same key again returns the first
// job. A job for no printer is refused.
func (s *Spool) Add(ctx context.Context, j Job) (Job, error) {
	if j.Device == "" {
		return Job{}, stock.Refuse(stock.PrinterDown, "no printer is set up").With("state",
			"offline")
	}
	added := false
	err := s.o.Journal.Local(context.WithoutCancel(ctx), func(tx *journal.Tx) error {
		n, err := tx.Exec(insertJob, j.Key, j.Kind, j.Device, j.Title, j.CopyOf,
			time.Now().UnixMilli(),
			j.Text, j.Source, j.Data)
		if err != nil {
			return fmt.Errorf("queue print job: %w", err)
		}
		added = n > 0
		j, err = scan(tx.QueryRow(selectKey, j.Key))
		return err
	})
	if err == nil && added {
		s.changed(j.ID)
		s.wake(j.Device)
	}
	return j, err
}

// Promise writes down that a paper is owed if what comes next happens. Add with
// its key makes a job of it; Forget takes it back. It is on the disk when
// Promise returns.
func (s *Spool) Promise(ctx context.Context, j Job) error {
	err := s.o.Journal.Local(context.WithoutCancel(ctx), func(tx *journal.Tx) error {
		_, err := tx.Exec(insertPromise, j.Key, j.Kind, time.Now().UnixMilli(),
			append([]byte{}, j.Source...))
		return err
	})
	if err != nil {
		return fmt.Errorf("promise a paper: %w", err)
	}
	return nil
}

// Promised lists the papers that may be owed, oldest first.
func (s *Spool) Promised(ctx context.Context) ([]Job, error) { return s.list(ctx, selectPromised) }

// Forget takes a promise back.
func (s *Spool) Forget(ctx context.Context, key string) error {
	err := s.o.Journal.Local(context.WithoutCancel(ctx), func(tx *journal.Tx) error {
		_, err := tx.Exec(deletePromise, key)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget a paper: %w", err)
	}
	return nil
}

// Find returns the job with this key; its ID is zero if there is none.
func (s *Spool) Find(ctx context.Context, key string) (j Job, err error) {
	err = s.view(ctx, func(tx *journal.Tx) error {
		j, err = scan(tx.QueryRow(selectKey, key))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return j, err
}

// Job returns one job.
func (s *Spool) Job(ctx context.Context, id int64) (j Job, err error) {
	err = s.view(ctx, func(tx *journal.Tx) error {
		j, err = scan(tx.QueryRow(selectJob, id))
		if errors.Is(err, sql.ErrNoRows) {
			return stock.Refuse(stock.BadRequest, "no print job %d", id).With("what", "print job")
		}
		return err
	})
	return j, err
}

// List returns the newest jobs first.
func (s *Spool) List(ctx context.Context, limit int) ([]Job, error) {
	return s.list(ctx, selectAll, limit)
}

func (s *Spool) list(ctx context.Context, query string, args ...any) (all []Job, err error) {
	err = s.view(ctx, func(tx *journal.Tx) error {
		rows, err := tx.Query(query, args...)
		if err != nil {
			return fmt.Errorf("list print jobs: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			j, err := scan(rows)
			if err != nil {
				return fmt.Errorf("read print job: %w", err)
			}
			all = append(all, j)
		}
		return rows.Err()
	})
	return all, err
}

// Waiting counts the jobs that a printer has not settled.
func (s *Spool) Waiting(ctx context.Context, device string) (n int, err error) {
	err = s.view(ctx, func(tx *journal.Tx) error {
		return tx.QueryRow(countQueue, device).Scan(&n)
	})
	return n, err
}

// view reads the jobs. It does not give up half way: what a read fills in is
// the caller's, and reads are short.
func (s *Spool) view(ctx context.Context, read func(tx *journal.Tx) error) error {
	return s.o.Journal.View(context.WithoutCancel(ctx), read)
}

func scan(row interface{ Scan(dest ...any) error }) (j Job, err error) {
	err = row.Scan(&j.ID, &j.Key, &j.Kind, &j.Device, &j.Title, &j.State, &j.CopyOf, &j.Error,
		&j.At,
		&j.Text, &j.Source)
	return j, err
}

func (s *Spool) changed(job int64) {
	if s.o.Changed != nil {
		s.o.Changed(job)
	}
}

// wakeOf is the channel that tells a printer's worker to look.
func (s *Spool) wakeOf(device string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.wakes[device]
	if !ok {
		c = make(chan struct{}, 1)
		s.wakes[device] = c
	}
	return c
}

func (s *Spool) wake(device string) {
	select {
	case s.wakeOf(device) <- struct{}{}:
	default: // it will look anyway
	}
}
