package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const dropRecords = `DELETE FROM journal WHERE seq < ?`

// drop forgets the records before a number. All copies do so at the same entry,
// because what a command leads to may hang on the id of an old one. The last two
// records stay: Open checks one by the other. In a replicated journal the origin
// is the last record that is gone.
func (r *entryRun) drop(head Position, before uint64) (int64, error) {
	gone, err := readOrigin(r.tx)
	if err != nil || before <= gone.Seq+1 || before >= head.Seq {
		return 0, err
	}
	at, err := positionAt(r.tx, before-1)
	if err != nil {
		return 0, err
	}
	if _, err := r.tx.Exec(upsertOrigin, at.Seq, at.Hash[:]); err != nil {
		return 0, err
	}
	return r.tx.Exec(dropRecords, before)
}

// VerifyFrom is Verify for a journal whose first records are gone: the books are
// built from those in an older copy of this journal, such as a backup, which
// nobody has open. The records since then must all be here.
func (j *Journal) VerifyFrom(ctx context.Context, base string, progress func(done, total uint64),
) (r Report, err error) {
	if j.path == "" {
		return r, errors.New("verify: a journal in memory has no older copies")
	}
	scratch, remove, err := j.openScratch(ctx, base)
	if err != nil {
		return r, fmt.Errorf("verify from %s: %w", base, err)
	}
	v := &verifier{machine: j.machine, c: scratch, report: &r, progress: progress, shared: true}
	if v.at, err = readHead(scratch); err == nil {
		err = j.View(ctx, v.continues)
	}
	if err == nil {
		err = v.verify(ctx, j)
	}
	r.Records = v.at.Seq
	if err = errors.Join(err, scratch.close(), remove()); err != nil {
		return r, fmt.Errorf("verify from %s: %w", base, err)
	}
	return r, nil
}

// continues refuses a base whose last record is not one of this history.
func (v *verifier) continues(tx *Tx) error {
	gone, err := readOrigin(tx)
	if err != nil || v.at == gone {
		return err
	}
	at, err := positionAt(tx, v.at.Seq)
	if err == nil && at != v.at {
		err = fmt.Errorf("record %d is another one there", at.Seq)
	}
	return err
}

// skipDropped goes on after the records that are gone, now or since the last look.
// Without them the books cannot be built, only the chain checked.
func (v *verifier) skipDropped(tx *Tx) error {
	if !v.shared {
		return nil
	}
	gone, err := readOrigin(tx)
	if err == nil && gone.Seq > v.at.Seq {
		v.at, v.report.ChainOnly = gone, true
	}
	return err
}

// copyBase puts a copy of a database into a new file.
func copyBase(to, base string) (err error) {
	from, err := os.Open(base)
	if err != nil {
		return err
	}
	defer from.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// openBase opens the copy that the replay goes on from. Tables of another version
// would be brought to this one at the wrong record.
func (j *Journal) openBase(dir, base string) error {
	path := filepath.Join(dir, replayFile)
	if err := copyBase(path, base); err != nil {
		return err
	}
	c, err := openReader(path)
	if err != nil {
		return err
	}
	tx := newTx(context.Background(), c, reading)
	var version int
	err = tx.QueryRow("PRAGMA user_version").Scan(&version)
	tx.end()
	if err == nil && version != j.Tables() {
		err = fmt.Errorf("it has tables of version %d, the journal's have version %d", version, j.Tables())
	}
	return errors.Join(err, c.close())
}
