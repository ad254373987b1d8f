package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Report says what Verify compared and what did not match.
type Report struct {
	Records    uint64
	Tables     int
	Rows       uint64
	ChainOnly  bool     // the first records are gone, so the books were not built again: see VerifyFrom
	Mismatches []string // sentences; at most maxMismatches
}

const (
	maxMismatches = 100
	verifyBatch   = 1000
	verifyBytes   = 4 << 20
	scratchSuffix = ".verify-" // of folders beside the journal
	replayFile    = "replay.db"
)

// OK tells whether everything matched.
func (r *Report) OK() bool { return len(r.Mismatches) == 0 }

// mismatch notes a difference; it is false when no more are wanted.
func (r *Report) mismatch(format string, args ...any) bool {
	if len(r.Mismatches) < maxMismatches {
		r.Mismatches = append(r.Mismatches, fmt.Sprintf(format, args...))
	}
	return len(r.Mismatches) < maxMismatches
}

// Verify checks the chain of hashes and builds the books again, from the first
// record that was applied here with the same machine in a database of its own, and
// compares replies and tables row for row. Where the first records are gone, it
// checks the chain of the others. Local tables are not compared. Writers go on meanwhile;
// only the comparison of the tables, at the end, holds a snapshot. The error
// tells that the work could not be done, not that something did not match.
func (j *Journal) Verify(ctx context.Context, progress func(done, total uint64)) (Report, error) {
	var r Report
	scratch, remove, err := j.openScratch(ctx, "")
	if err != nil {
		return r, fmt.Errorf("verify: %w", err)
	}
	v := &verifier{machine: j.machine, c: scratch, report: &r, progress: progress, shared: j.replicated}
	err = j.View(ctx, v.begin)
	if err == nil {
		err = v.verify(ctx, j)
	}
	r.Records = v.at.Seq
	if err = errors.Join(err, j.letGo(scratch), remove()); err != nil {
		return r, fmt.Errorf("verify: %w", err)
	}
	return r, nil
}

// openScratch makes the database that the replay fills: beside the journal,
// because it grows as large, or in memory if the journal is. It begins with what
// base has, if that is named.
func (j *Journal) openScratch(ctx context.Context, base string) (*conn, func() error, error) {
	if j.path == "" && j.spare != nil {
		c, _, err := j.spare.open(nil)
		if c != nil || err != nil {
			return c, func() error { return nil }, err
		}
	}
	dsn, remove := "file::memory:", func() error { return nil }
	if j.path != "" {
		dir, err := os.MkdirTemp(filepath.Dir(j.path), filepath.Base(j.path)+scratchSuffix)
		if err != nil {
			return nil, nil, err
		}
		dsn, remove = fileURI(filepath.Join(dir, replayFile)), func() error { return os.RemoveAll(dir) }
		if base != "" {
			if err := j.openBase(dir, base); err != nil {
				return nil, nil, errors.Join(err, remove())
			}
		}
	}
	c, err := connect(dsn, writerCacheKiB)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	err = c.script("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")
	if err == nil {
		err = c.prepareBounds("BEGIN")
	}
	if err == nil {
		err = migrate(c, j.machine.Migrations()[:j.Tables()])
	}
	if err != nil {
		return nil, nil, errors.Join(err, c.close(), remove())
	}
	return c, remove, nil
}

// removeScratch removes what a replay left that a crash cut short.
func removeScratch(path string) error {
	dir := filepath.Dir(path)
	beside, err := os.ReadDir(dir)
	for _, f := range beside {
		if strings.HasPrefix(f.Name(), filepath.Base(path)+scratchSuffix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, f.Name())))
		}
	}
	return err
}

// verifier replays a journal.
type verifier struct {
	machine  Machine
	c        *conn
	at       Position // replayed so far
	report   *Report
	progress func(done, total uint64)
	broken   bool // what follows a broken record proves nothing
	origin   Position
	unproven bool // the next record's forerunner is not here
	shared   bool // the journal is replicated
}

// begin finds where the chain begins here, and from where on records are
// applied.
func (v *verifier) begin(tx *Tx) (err error) {
	if v.shared {
		return nil // replay finds out
	}
	if v.origin, err = readOrigin(tx); err != nil || v.origin.Seq == 0 {
		return err
	}
	var first Entry
	if err := first.scan(tx.QueryRow(selectOldest)); err != nil {
		return err
	}
	v.at.Seq = first.Seq - 1
	v.unproven = first.Seq > 1
	return nil
}

// verify replays in short views up to the head, then the rest and the
// comparison in one view.
func (v *verifier) verify(ctx context.Context, j *Journal) error {
	for head := j.Head(); v.at.Seq < head.Seq && !v.broken; {
		err := j.View(ctx, func(tx *Tx) error { return v.replay(tx, head.Seq) })
		if err != nil {
			return err
		}
	}
	if v.broken {
		return nil
	}
	return j.View(ctx, func(tx *Tx) error {
		var head Position
		if err := tx.QueryRow(`SELECT ifnull(max(seq), 0) FROM journal`).Scan(&head.Seq); err != nil {
			return err
		}
		for v.at.Seq < head.Seq && !v.broken {
			if err := v.replay(tx, head.Seq); err != nil {
				return err
			}
		}
		if v.broken || v.report.ChainOnly {
			return nil
		}
		replayed := newTx(ctx, v.c, reading)
		defer replayed.end()
		return v.compare(tx, replayed)
	})
}

// replay applies the next records.
func (v *verifier) replay(from *Tx, total uint64) error {
	if err := v.skipDropped(from); err != nil {
		return err
	}
	entries, err := entriesFrom(from, v.at.Seq+1, verifyBatch, verifyBytes)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		v.broken = true
		v.report.mismatch("record %d is missing", v.at.Seq+1)
		return nil
	}
	if err := v.c.begin.run(); err != nil {
		return err
	}
	tx := newTx(from.ctx, v.c, writing)
	for i := range entries {
		if v.broken = !v.apply(tx, &entries[i]); v.broken {
			break
		}
	}
	tx.end()
	if v.progress != nil {
		v.progress(v.at.Seq, max(total, v.at.Seq))
	}
	return v.c.commit.run()
}

// apply checks one record and applies it; it is false if the replay must end.
func (v *verifier) apply(tx *Tx, e *Entry) bool {
	if err := e.follows(v.at); err != nil && !v.unproven {
		v.report.mismatch("%s", err)
		return false
	}
	v.unproven = false
	if v.report.ChainOnly {
		v.at = Position{Seq: e.Seq, Hash: e.Hash}
		return true
	}
	if e.Seq <= v.origin.Seq {
		v.at = Position{Seq: e.Seq, Hash: e.Hash}
		if v.at.Seq == v.origin.Seq && v.at != v.origin {
			v.report.mismatch("record %d is not the one that the books begin after", e.Seq)
			return false
		}
		return true
	}
	reply, err := v.machine.Apply(tx, e.Seq, e.Data)
	tx.closeRows()
	if err != nil {
		v.report.mismatch("record %d cannot be applied again: %s", e.Seq, err)
		return false
	}
	v.at = Position{Seq: e.Seq, Hash: e.Hash}
	if !bytes.Equal(reply, e.Reply) {
		return v.report.mismatch("record %d: reply is %x, replay says %x", e.Seq, e.Reply, reply)
	}
	return true
}

// compare holds the kept tables against the replayed ones.
func (v *verifier) compare(kept, replayed *Tx) error {
	names, err := machineTables(kept)
	if err != nil {
		return err
	}
	built, err := machineTables(replayed)
	if err != nil {
		return err
	}
	if !slices.Equal(names, built) {
		v.report.mismatch("tables are %v, replay says %v", names, built)
		return nil
	}
	for _, name := range names {
		if err := v.compareTable(name, kept, replayed); err != nil {
			return fmt.Errorf("compare %s: %w", name, err)
		}
	}
	v.report.Tables = len(names)
	return nil
}

// compareTable walks both tables in the order of their key.
func (v *verifier) compareTable(name string, kept, replayed *Tx) error {
	a, err := openTable(kept, name)
	if err != nil {
		return err
	}
	defer a.rows.Close()
	b, err := openTable(replayed, name)
	if err != nil {
		return err
	}
	defer b.rows.Close()
	if !slices.Equal(a.rows.s.columns(), b.rows.s.columns()) {
		v.report.mismatch("%s has columns %v, replay has %v", name,
			a.rows.s.columns(), b.rows.s.columns())
		return nil
	}
	a.rows.Next()
	b.rows.Next()
	for more := true; more && (a.rows.ready || b.rows.ready); {
		order := v.orderOf(a, b)
		switch {
		case order < 0:
			more = v.report.mismatch("%s is not in the replay", a.label(name))
		case order > 0:
			more = v.report.mismatch("%s is only in the replay", b.label(name))
		default:
			more = v.compareRow(name, a, b)
		}
		if order <= 0 {
			a.rows.Next()
		}
		if order >= 0 {
			b.rows.Next()
		}
	}
	return errors.Join(a.rows.Err(), b.rows.Err())
}

// orderOf tells which table is behind; one that ended is last.
func (v *verifier) orderOf(a, b *table) int {
	switch {
	case !b.rows.ready:
		return -1
	case !a.rows.ready:
		return 1
	}
	return a.compareKeys(b)
}

func (v *verifier) compareRow(name string, a, b *table) bool {
	v.report.Rows++
	for i, kept := range a.rows.values {
		if replayed := b.rows.values[i]; compareValues(kept, replayed) != 0 {
			return v.report.mismatch("%s: %s is %s, replay says %s", a.label(name),
				a.rows.s.columns()[i], show(kept), show(replayed))
		}
	}
	return true
}
