package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	sqlite3 "modernc.org/sqlite/lib"

	"holdfast.dev/stock"
)

// A replicated journal takes its records from a log that is kept elsewhere, by
// several members. Each applies the log's entries in order; how far it came
// stands in the same transaction as what the entries did, so an entry that is
// seen again changes nothing.

// Errors of replicated journals.
var (
	// ErrDiverged means that the log's entries led to something else here than
	// where the check comes from.
	ErrDiverged = errors.New("this copy differs from the others")
	// ErrConstraint means that a constraint of the tables refused what the
	// machine wrote. The command changed nothing, here and everywhere.
	ErrConstraint = errors.New("the tables refused the command")

	errReplicated = errors.New("records of a replicated journal come from its log")
)

// Command is one proposal in an entry of a replicated log.
type Command struct {
	UID  [16]byte // zero: no idempotency
	Data []byte
}

// LogEntry is one committed entry of a replicated log.
type LogEntry struct {
	Index, Term uint64
	Commands    []Command
	Version     uint32 // not zero: commands of this version are allowed from here on
	Tables      int    // not zero: bring the tables to this version first
	Check       *Check // compare, then mark
	Drop        uint64 // not zero: forget the records before this number
}

// Check is what another copy had after the entry with this index.
type Check struct {
	Index  uint64
	Digest Hash
}

// LogResult is what became of a command: an outcome or an error, which is a
// refusal or ErrConstraint. Before is the data of the record that had the UID.
type LogResult struct {
	Outcome Outcome
	Before  []byte
	Err     error
}

// Applied says how far a replicated journal came in its log.
type Applied struct {
	Index, Term uint64
	Digest      Hash   // over all entries and what came of them
	Durable     uint64 // index that a power cut cannot take back
	Version     uint32 // of commands that are allowed
	Marked      Check  // index and digest at the newest check
}

const (
	appliedTable = `
CREATE TABLE IF NOT EXISTS journal_applied (
	id            INTEGER PRIMARY KEY CHECK (id = 1),
	log_index     INTEGER NOT NULL,
	term          INTEGER NOT NULL,
	digest        BLOB NOT NULL CHECK (length(digest) = 16),
	durable       INTEGER NOT NULL,
	version       INTEGER NOT NULL,
	marked_index  INTEGER NOT NULL,
	marked_digest BLOB NOT NULL CHECK (length(marked_digest) = 16)
) STRICT;`
	selectApplied = `SELECT log_index, term, digest, durable, version, marked_index, marked_digest
		FROM journal_applied WHERE id = 1`
	upsertApplied = `INSERT INTO journal_applied (id, log_index, term, digest, durable, version,
			marked_index, marked_digest) VALUES (1, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET log_index = excluded.log_index, term = excluded.term,
			digest = excluded.digest, durable = excluded.durable, version = excluded.version,
			marked_index = excluded.marked_index, marked_digest = excluded.marked_digest`
	beginEntries = `SAVEPOINT entries`
	undoEntries  = `ROLLBACK TO entries`
	endEntries   = `RELEASE entries`
	beginCommand = `SAVEPOINT command`
	undoCommand  = `ROLLBACK TO command`
	endCommand   = `RELEASE command`
)

// Applied returns how far the journal came in its log, from memory.
func (j *Journal) Applied() Applied { return *j.applied.Load() }

// Tables returns the version of the machine's tables.
func (j *Journal) Tables() int { return int(j.tables.Load()) }

// Found makes what the journal holds the state after the entry with this
// index; the log goes on from there. It is durable when Found returns.
func (j *Journal) Found(ctx context.Context, index, term uint64, version uint32) error {
	return j.replay(ctx, true, func(_ *Tx, head Position) (Applied, Position, error) {
		return Applied{Index: index, Term: term, Durable: index, Version: version}, head, nil
	})
}

// Harden makes everything that was applied durable, whatever Options.Sync is,
// and returns how far that is.
func (j *Journal) Harden(ctx context.Context) (Applied, error) {
	err := j.replay(ctx, true, func(_ *Tx, head Position) (Applied, Position, error) {
		a := j.Applied()
		a.Durable = a.Index
		return a, head, nil
	})
	return j.Applied(), err
}

// ApplyLog applies committed entries of the log, in order and in one
// transaction, and returns the results of their commands. Entries that were
// applied before are skipped; their results are nil. What a command is refused
// for is a result; any error of ApplyLog stops the journal for good.
func (j *Journal) ApplyLog(ctx context.Context, entries []LogEntry) ([][]LogResult, error) {
	var results [][]LogResult
	err := j.replay(ctx, false, func(tx *Tx, head Position) (a Applied, next Position, err error) {
		if err := tx.mark(); err != nil {
			return a, head, err
		}
		run := entryRun{j: j, tx: tx}
		results, a, next, err = run.all(entries, head)
		if errors.Is(err, errMustUndo) {
			if err := tx.backToMark(); err != nil {
				return a, head, err
			}
			run.careful = true
			results, a, next, err = run.all(entries, head)
		}
		if err == nil {
			err = tx.unmark()
		}
		return a, next, err
	})
	return results, err
}

// errMustUndo says that a command wrote something before it was refused.
var errMustUndo = errors.New("a refused command has written something")

// entryRun applies entries in one transaction. Commands are refused before they
// write, as a rule, so there is nothing to undo, and being ready to undo each of
// them costs a copy of every page that it touches. When one breaks the rule, all
// entries are applied once more, and carefully.
type entryRun struct {
	j       *Journal
	tx      *Tx
	careful bool // be ready to undo each command
}

func (r *entryRun) all(entries []LogEntry, head Position) ([][]LogResult, Applied, Position, error) {
	results := make([][]LogResult, len(entries))
	a := r.j.Applied()
	for i := range entries {
		e := &entries[i]
		if e.Index <= a.Index {
			continue
		}
		var err error
		if results[i], head, err = r.entry(&a, head, e); err != nil {
			return nil, a, head, fmt.Errorf("apply entry %d: %w", e.Index, err)
		}
		a.Index, a.Term = e.Index, e.Term
	}
	return results, a, head, nil
}

// replay runs f in the writer and keeps the place that it returns. Any error
// is a fault.
func (j *Journal) replay(
	ctx context.Context, full bool, f func(*Tx, Position) (Applied, Position, error),
) error {
	if !j.replicated {
		return errors.New("the journal is not replicated")
	}
	r := j.queue.newRequest()
	var applied Applied
	var tables int
	r.full = full
	r.replay = func(tx *Tx, head Position) (Position, error) {
		a, next, err := f(tx, head)
		if err != nil {
			return head, err
		}
		applied = a
		if err := tx.QueryRow("PRAGMA user_version").Scan(&tables); err != nil {
			return head, err
		}
		_, err = tx.Exec(upsertApplied, a.Index, a.Term, a.Digest[:], a.Durable, a.Version,
			a.Marked.Index, a.Marked.Digest[:])
		return next, err
	}
	r.committed = func() {
		j.applied.Store(&applied)
		j.tables.Store(int64(tables))
	}
	_, err := j.submit(ctx, r)
	return err
}

// entry applies one entry on top of head and adds it to the digest.
func (r *entryRun) entry(a *Applied, head Position, e *LogEntry) ([]LogResult, Position, error) {
	if c := e.Check; c != nil && c.Index == a.Marked.Index && c.Digest != a.Marked.Digest {
		return nil, head, fmt.Errorf("%w: after entry %d the digest is %s, not %s", ErrDiverged,
			c.Index, a.Marked.Digest, c.Digest)
	}
	if e.Tables > 0 {
		if err := r.j.migrateTo(r.tx, e.Tables); err != nil {
			return nil, head, err
		}
	}
	a.Version = max(a.Version, e.Version)
	sum := digestOf(a.Digest, e.Index)
	if e.Drop > 0 {
		n, err := r.drop(head, e.Drop)
		if err != nil {
			return nil, head, err
		}
		sum.number('d', uint64(n))
	}
	results := make([]LogResult, len(e.Commands))
	for i := range e.Commands {
		var err error
		if head, err = r.command(head, &e.Commands[i], &results[i]); err != nil {
			return nil, head, err
		}
		results[i].addTo(&sum)
	}
	a.Digest = sum.hash()
	if e.Check != nil {
		a.Marked = Check{Index: e.Index, Digest: a.Digest}
	}
	return results, head, nil
}

func (j *Journal) migrateTo(tx *Tx, version int) error {
	known := j.machine.Migrations()
	if version > len(known) {
		return fmt.Errorf("tables of version %d are wanted, this program knows %d", version, len(known))
	}
	if version <= j.Tables() {
		return nil
	}
	return migrateIn(tx, known[:version])
}

// command applies one command. Its error is a fault, or errMustUndo.
func (r *entryRun) command(head Position, c *Command, res *LogResult) (Position, error) {
	tx := r.tx
	known, err := findBefore(tx, c, res)
	if known || err != nil {
		return head, err
	}
	if r.careful {
		if _, err := tx.Exec(beginCommand); err != nil {
			return head, err
		}
	}
	seq := head.Seq + 1
	tx.wrote = false
	reply, err := r.j.machine.Apply(tx, seq, c.Data)
	tx.closeRows()
	if err != nil {
		if res.Err = deterministic(err); res.Err == nil {
			return head, err
		}
		return head, r.undo()
	}
	next := Position{Seq: seq, Hash: Chain(head.Hash, seq, c.Data)}
	kept := &Entry{Seq: seq, UID: c.UID, Data: c.Data, Hash: next.Hash}
	if err := keep(tx, kept, reply); err != nil {
		return head, err
	}
	res.Outcome = Outcome{Seq: seq, Reply: reply}
	if r.careful {
		_, err = tx.Exec(endCommand)
	}
	return next, err
}

// undo takes back what a refused command has written.
func (r *entryRun) undo() error {
	switch {
	case !r.careful && r.tx.wrote:
		return errMustUndo
	case !r.careful:
		return nil
	}
	if _, err := r.tx.Exec(undoCommand); err != nil {
		return err
	}
	_, err := r.tx.Exec(endCommand)
	return err
}

// findBefore fills in what a command with the same UID led to.
func findBefore(tx *Tx, c *Command, res *LogResult) (bool, error) {
	if c.UID == ([16]byte{}) {
		return false, nil
	}
	var e Entry
	err := e.scan(tx.QueryRow(selectEntry, c.UID[:]))
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find an earlier outcome: %w", err)
	}
	res.Outcome = Outcome{Seq: e.Seq, Reply: e.Reply, Repeated: true}
	res.Before = e.Data
	return true, nil
}

// deterministic returns the error that every copy answers with, or nil if err
// may be of this one's disk, memory or program.
func deterministic(err error) error {
	if _, refused := stock.AsRefusal(err); refused {
		return err
	}
	switch code, _ := primaryCode(err); code {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return fmt.Errorf("%w: %w", ErrConstraint, err)
	}
	return nil
}

// runningDigest is a hash over all entries so far and what came of them.
type runningDigest struct {
	sum   hash.Hash
	space [32]byte
}

func digestOf(before Hash, index uint64) runningDigest {
	d := runningDigest{sum: sha256.New()}
	d.sum.Write(binary.BigEndian.AppendUint64(append(d.space[:0], before[:]...), index)) // never fails
	return d
}

// number adds one number, after a letter that says what it is.
func (d *runningDigest) number(what byte, n uint64) {
	d.sum.Write(binary.BigEndian.AppendUint64(append(d.space[:0], what), n))
}

func (d *runningDigest) hash() Hash { return Hash(d.sum.Sum(nil)[:16]) }

// addTo adds what decides whether two copies had the same result.
func (r *LogResult) addTo(d *runningDigest) {
	if r.Err != nil {
		b := append(d.space[:0], 'c')
		if refusal, refused := stock.AsRefusal(r.Err); refused {
			b = binary.BigEndian.AppendUint16(append(d.space[:0], 'r'), uint16(refusal.Code))
		}
		d.sum.Write(b)
		return
	}
	b := binary.BigEndian.AppendUint64(append(d.space[:0], 's'), r.Outcome.Seq)
	d.sum.Write(binary.AppendUvarint(b, uint64(len(r.Outcome.Reply))))
	d.sum.Write(r.Outcome.Reply)
}

// readApplied makes the table if need be and reads how far the journal came.
func readApplied(c *conn) (Applied, error) {
	if err := c.script(appliedTable); err != nil {
		return Applied{}, err
	}
	tx := newTx(context.Background(), c, reading)
	defer tx.end()
	return appliedIn(tx)
}

func appliedIn(tx *Tx) (a Applied, err error) {
	err = tx.QueryRow(selectApplied).Scan(&a.Index, &a.Term, &a.Digest, &a.Durable, &a.Version,
		&a.Marked.Index, &a.Marked.Digest)
	if errors.Is(err, sql.ErrNoRows) {
		return Applied{}, nil
	}
	return a, err
}

// migrations returns those that Open applies: a replicated journal that began
// gets new ones from its log, so that all copies get them at the same entry.
func (j *Journal) migrations(c *conn) ([]string, error) {
	all := j.machine.Migrations()
	if !j.replicated {
		return all, nil
	}
	a, err := readApplied(c)
	if err != nil {
		return nil, err
	}
	j.applied.Store(&a)
	if a.Index == 0 {
		return all, nil
	}
	tx := newTx(context.Background(), c, reading)
	defer tx.end()
	var version int
	err = tx.QueryRow("PRAGMA user_version").Scan(&version)
	return all[:min(version, len(all))], err
}
