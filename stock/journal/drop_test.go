package journal

import (
	"path/filepath"
	"strings"
	"testing"
)

// moved are entries of one command each, with ids as their numbers.
func moved(from, to uint64) (entries []LogEntry) {
	for n := from; n <= to; n++ {
		entries = append(entries, entry(n+1, Command{UID: uid(n), Data: move(n%3, 1)}))
	}
	return entries
}

func TestADroppedBeginningIsGoneOnEveryCopyAndTheRestIsProven(t *testing.T) {
	dir := t.TempDir()
	path, base := filepath.Join(dir, "books.db"), filepath.Join(dir, "monday.db")
	j, other := openCopy(t, path, &copyShelf{}), openCopy(t, "", &copyShelf{})
	mustApply(t, j, moved(1, 6)...)
	if err := j.Backup(t.Context(), base); err != nil {
		t.Fatal(err)
	}
	rest := append(moved(7, 10), LogEntry{Index: 12, Term: 1, Drop: 5},
		LogEntry{Index: 13, Term: 1, Drop: 3}, LogEntry{Index: 14, Term: 1, Drop: 10})
	mustApply(t, j, rest...)
	mustApply(t, other, append(moved(1, 6), rest...)...)
	if j.Applied().Digest != other.Applied().Digest {
		t.Error("two copies differ")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openCopy(t, path, &copyShelf{})
	if first, err := j.First(t.Context()); err != nil || first != 5 {
		t.Errorf("the first record is %d, %v; the last two must stay", first, err)
	}
	if _, known, err := j.Find(t.Context(), uid(4)); known || err != nil {
		t.Errorf("the id of a dropped record: %t %v", known, err)
	}
	again := mustApply(t, j, entry(15, Command{UID: uid(5), Data: move(2, 1)}))[0][0]
	if !again.Outcome.Repeated || again.Outcome.Seq != 5 {
		t.Errorf("the id of a kept record: %+v", again)
	}
	if r, err := j.Verify(t.Context(), nil); err != nil || !r.OK() || !r.ChainOnly || r.Records != 10 {
		t.Errorf("%+v, %v", r, err)
	}
	r, err := j.VerifyFrom(t.Context(), base, nil)
	if err != nil || !r.OK() || r.ChainOnly || r.Tables != 1 || r.Rows != 3 {
		t.Errorf("from a backup: %+v, %v", r, err)
	}
}

func TestVerifyingFromABackupFindsWhatDiffers(t *testing.T) {
	dir := t.TempDir()
	j := openCopy(t, filepath.Join(dir, "books.db"), &copyShelf{})
	stranger := openCopy(t, filepath.Join(dir, "others.db"), &copyShelf{})
	mustApply(t, j, moved(1, 3)...)
	mustApply(t, stranger, entry(2, Command{Data: move(9, 9)}))
	early, late, others := filepath.Join(dir, "early"), filepath.Join(dir, "late"), filepath.Join(dir, "x")
	backUp(t, j, early)
	mustApply(t, j, moved(4, 9)...)
	backUp(t, j, late)
	backUp(t, stranger, others)
	mustApply(t, j, LogEntry{Index: 11, Term: 1, Drop: 8})
	if _, err := j.VerifyFrom(t.Context(), others, nil); err == nil {
		t.Error("verified from a copy of another journal")
	}
	if r, err := j.VerifyFrom(t.Context(), early, nil); err == nil && r.OK() && !r.ChainOnly {
		t.Errorf("verified although records are gone: %+v", r)
	}
	edit(t, j, `UPDATE shelf SET units = 99 WHERE sku = 1`)
	r, err := j.VerifyFrom(t.Context(), late, nil)
	if err != nil || len(r.Mismatches) != 1 || !strings.Contains(r.Mismatches[0], "99") {
		t.Errorf("an edited row: %+v, %v", r, err)
	}
	edit(t, j, `UPDATE journal SET data = x'00' WHERE seq = 9`)
	if r, err := j.Verify(t.Context(), nil); err != nil || r.OK() {
		t.Errorf("an edited record: %+v, %v", r, err)
	}
}

func backUp(t *testing.T, j *Journal, path string) {
	t.Helper()
	if err := j.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
}

// edit changes the database behind everybody's back.
func edit(t *testing.T, j *Journal, sql string) {
	t.Helper()
	if err := j.Local(t.Context(), func(tx *Tx) error { _, err := tx.Exec(sql); return err }); err != nil {
		t.Fatal(err)
	}
}
