package journal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock"
)

// copyShelf is a shelf that a constraint can stop, after a first write.
type copyShelf struct{ shelf }

const nullSKU = 1 << 41

func (m *copyShelf) Apply(tx *Tx, seq uint64, data []byte) ([]byte, error) {
	if binary.BigEndian.Uint64(data) != nullSKU {
		return m.shelf.Apply(tx, seq, data)
	}
	if _, err := tx.Exec(upsertUnits, 7, 1); err != nil {
		return nil, err
	}
	_, err := tx.Exec(`INSERT INTO shelf (sku, units) VALUES (8, NULL)`)
	return nil, err
}

func openCopy(t *testing.T, path string, m *copyShelf) *Journal {
	t.Helper()
	m.lateNo = true
	return openWith(t, Options{Path: path, Machine: m, Replicated: true, Sync: "NORMAL"})
}

func entry(index uint64, cs ...Command) LogEntry {
	return LogEntry{Index: index, Term: 1, Commands: cs}
}

func mustApply(t *testing.T, j *Journal, entries ...LogEntry) [][]LogResult {
	t.Helper()
	results, err := j.ApplyLog(context.Background(), entries)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func TestAnEntryIsAppliedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	j := openCopy(t, path, &copyShelf{})
	one := entry(2, Command{UID: uid(1), Data: move(5, 3)})
	first := mustApply(t, j, one, entry(4, Command{Data: move(5, 1)}))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openCopy(t, path, &copyShelf{})
	again := mustApply(t, j, one, entry(4, Command{Data: move(5, 1)}), entry(5, one.Commands...))
	if first[0] == nil || again[0] != nil || again[1] != nil {
		t.Errorf("first %v, again %v", first, again)
	}
	want := []LogResult{{Outcome: Outcome{Seq: 1, Reply: first[0][0].Outcome.Reply, Repeated: true},
		Before: move(5, 3)}}
	if diff := cmp.Diff(want, again[2]); diff != "" {
		t.Error("the repeat: ", diff)
	}
	if units(t, j, 5) != 4 || j.Applied().Index != 5 || j.Head().Seq != 2 {
		t.Errorf("%d units, %+v, head %d", units(t, j, 5), j.Applied(), j.Head().Seq)
	}
	if r, err := j.Verify(t.Context(), nil); err != nil || !r.OK() {
		t.Error(err, r.Mismatches)
	}
}

func TestWhatEveryCopyRefusesIsAResult(t *testing.T) {
	j := openCopy(t, "", &copyShelf{})
	got := mustApply(t, j, entry(2, Command{UID: uid(1), Data: move(nullSKU, 1)},
		Command{UID: uid(2), Data: move(5, -1)}, Command{UID: uid(3), Data: move(5, 2)}))[0]
	if !errors.Is(got[0].Err, ErrConstraint) || !stock.Refused(got[1].Err, stock.Short) ||
		got[2].Err != nil || got[2].Outcome.Seq != 1 {
		t.Errorf("got %v", got)
	}
	if units(t, j, 7) != 0 || units(t, j, 5) != 2 {
		t.Errorf("a refused command left %d and %d units", units(t, j, 7), units(t, j, 5)-2)
	}
}

// Members of several versions compare it.
func TestTheDigestIsOverTheSameBytesInEveryVersion(t *testing.T) {
	j := openCopy(t, "", &copyShelf{})
	results := mustApply(t, j, entry(2, Command{Data: move(5, 3)}, Command{Data: move(nullSKU, 1)},
		Command{Data: move(5, -9)}))[0]
	all := append(make([]byte, 16), 0, 0, 0, 0, 0, 0, 0, 2, 's', 0, 0, 0, 0, 0, 0, 0, 1, 8)
	all = append(append(all, results[0].Outcome.Reply...), 'c', 'r', 0, byte(stock.Short))
	if sum := sha256.Sum256(all); j.Applied().Digest != Hash(sum[:16]) {
		t.Error("another digest")
	}
}

// A copy that applies many entries at once has what one has that was there all
// the time, also where a command must be undone.
func TestEntriesTogetherDoWhatTheyDoOneByOne(t *testing.T) {
	entries := []LogEntry{
		entry(2, Command{UID: uid(1), Data: move(5, 3)}, Command{Data: move(6, 1)}),
		entry(3, Command{Data: move(5, -9)}, Command{Data: move(5, -1)}),
		entry(4, Command{UID: uid(2), Data: move(nullSKU, 1)}, Command{UID: uid(1), Data: move(5, 3)}),
		entry(5, Command{UID: uid(2), Data: move(6, 4)}),
	}
	together, apart := openCopy(t, "", &copyShelf{}), openCopy(t, "", &copyShelf{})
	byText := cmp.Transformer("text", func(err error) string { return fmt.Sprint(err) })
	got := mustApply(t, together, entries...)
	for i, e := range entries {
		want := mustApply(t, apart, e)[0]
		if diff := cmp.Diff(want, got[i], byText); diff != "" {
			t.Errorf("entry %d (-apart +together):\n%s", e.Index, diff)
		}
	}
	if diff := cmp.Diff(apart.Applied(), together.Applied()); diff != "" {
		t.Errorf("applied (-apart +together):\n%s", diff)
	}
	if together.Head() != apart.Head() || units(t, together, 7) != 0 {
		t.Errorf("head %v and %v, %d units left behind", together.Head(), apart.Head(), units(t, together, 7))
	}
}

func TestWhatMayBeThisCopysFaultStopsIt(t *testing.T) {
	m := &copyShelf{}
	m.broken = errBroken
	j := openCopy(t, "", m)
	_, err := j.ApplyLog(t.Context(), []LogEntry{entry(2, Command{Data: move(5, 1)}),
		entry(3, Command{Data: move(trapSKU, 1)})})
	if !errors.Is(err, errBroken) || !stopped(j) || j.Applied().Index != 0 {
		t.Errorf("got %v, stopped %t, %+v", err, stopped(j), j.Applied())
	}
}

func TestRecordsOfACopyComeFromItsLog(t *testing.T) {
	j := openCopy(t, "", &copyShelf{})
	if _, err := j.Append(t.Context(), say(uid(1), move(5, 1))); err == nil || stopped(j) {
		t.Errorf("got %v", err)
	}
	if _, errs := j.AppendAll(t.Context(), []Proposal{say(uid(1), move(5, 1))}); errs[0] == nil {
		t.Error("AppendAll was taken")
	}
	if _, err := openAt(t, "").ApplyLog(t.Context(), nil); err == nil {
		t.Error("an ordinary journal took entries")
	}
}

func TestACopyThatDiffersStops(t *testing.T) {
	left, right := openCopy(t, "", &copyShelf{}), openCopy(t, "", &copyShelf{})
	check := func(index uint64, from *Journal) LogEntry {
		a := from.Applied()
		return LogEntry{Index: index, Term: 1, Check: &a.Marked}
	}
	for _, j := range []*Journal{left, right} {
		mustApply(t, j, entry(2, Command{Data: move(5, 9)}, Command{Data: move(6, -1)}), check(3, j))
	}
	mustApply(t, right, check(4, left))
	mustApply(t, left, check(4, left))
	mustApply(t, left, entry(5, Command{Data: move(5, -5)}), check(6, left))
	mustApply(t, right, entry(5, Command{Data: move(5, -4)}), check(6, right))
	_, err := right.ApplyLog(t.Context(), []LogEntry{check(7, left)})
	if !errors.Is(err, ErrDiverged) || !stopped(right) {
		t.Errorf("got %v", err)
	}
	mustApply(t, left, check(7, left))
}

func TestTablesOfACopyChangeWithItsLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	j := openCopy(t, path, &copyShelf{})
	if err := j.Found(t.Context(), 9, 1, 1); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	newer := &copyShelf{}
	newer.migrations = []string{`CREATE TABLE added (id INTEGER PRIMARY KEY) STRICT;`}
	j = openCopy(t, path, newer)
	if j.Tables() != 1 || j.Applied().Index != 9 {
		t.Fatalf("Open brought the tables to version %d, %+v", j.Tables(), j.Applied())
	}
	mustApply(t, j, LogEntry{Index: 10, Term: 1, Tables: 2, Version: 3})
	mustApply(t, j, LogEntry{Index: 11, Term: 1, Tables: 2, Version: 2})
	d, err := j.Digest(t.Context())
	if _, ok := d["added"]; err != nil || !ok || j.Tables() != 2 || j.Applied().Version != 3 {
		t.Errorf("%v %v, tables %d, %+v", d, err, j.Tables(), j.Applied())
	}
	if _, err := j.ApplyLog(t.Context(), []LogEntry{{Index: 12, Tables: 3}}); err == nil {
		t.Error("tables that this program does not know were made")
	}
}

func TestHardenedEntriesAreMarkedDurable(t *testing.T) {
	j := openCopy(t, filepath.Join(t.TempDir(), "books.db"), &copyShelf{})
	mustApply(t, j, entry(7, Command{Data: move(5, 1)}))
	if a, err := j.Harden(t.Context()); err != nil || a.Durable != 7 {
		t.Errorf("%+v, %v", a, err)
	}
	var level int64
	err := j.replay(t.Context(), false, func(tx *Tx, p Position) (Applied, Position, error) {
		return j.Applied(), p, tx.QueryRow("PRAGMA synchronous").Scan(&level)
	})
	if err != nil || level != 1 {
		t.Errorf("afterwards commits are made with level %d, %v", level, err)
	}
}

func TestAReplacementIsFinishedFromAnyPoint(t *testing.T) {
	dir := t.TempDir()
	source := openCopy(t, filepath.Join(dir, "source.db"), &copyShelf{})
	mustApply(t, source, entry(7, Command{Data: move(5, 70)}))
	for _, cut := range []string{"nothing", "before the swap file", "before the rename", "after the rename"} {
		path := filepath.Join(dir, strings.ReplaceAll(cut, " ", "-")+".db")
		j := openCopy(t, path, &copyShelf{})
		mustApply(t, j, entry(3, Command{Data: move(5, 1)}))
		if err := source.Backup(t.Context(), Incoming(path)); err != nil {
			t.Fatal(err)
		}
		if a, err := Inspect(t.Context(), Incoming(path)); err != nil || a.Index != 7 {
			t.Fatalf("%+v, %v", a, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		want := int64(70)
		switch cut {
		case "nothing":
			if err := Replace(path); err != nil {
				t.Fatal(err)
			}
		case "before the swap file":
			want = 1
		case "before the rename":
			writeFiles(t, path+swapSuffix, path+"-wal", path+"-shm")
		case "after the rename":
			writeFiles(t, path+swapSuffix)
			if err := os.Rename(Incoming(path), path); err != nil {
				t.Fatal(err)
			}
		}
		j = openCopy(t, path, &copyShelf{})
		if got := units(t, j, 5); got != want {
			t.Errorf("cut %s: %d units, want %d", cut, got, want)
		}
		if left, _ := filepath.Glob(path + swapSuffix); left != nil {
			t.Errorf("cut %s: %v is left", cut, left)
		}
	}
	if _, err := Inspect(t.Context(), filepath.Join(dir, "none.db")); err == nil {
		t.Error("a missing file passed")
	}
}

func TestABackupHasTheTablesOfItsJournal(t *testing.T) {
	j := openCopy(t, filepath.Join(t.TempDir(), "books.db"), &copyShelf{})
	var digests []map[string]Hash
	for i := range 2 {
		mustApply(t, j, entry(uint64(7+i), Command{Data: move(5, 70)}))
		want, err := j.Digest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "backup.db")
		if err := j.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		got, err := InspectTables(t.Context(), path)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v, the file's tables differ (-want +got):\n%s", err, diff)
		}
		digests = append(digests, got)
	}
	if cmp.Equal(digests[0], digests[1]) {
		t.Error("a movement changed no digest")
	}
	if _, err := InspectTables(t.Context(), filepath.Join(t.TempDir(), "none.db")); err == nil {
		t.Error("a missing file has tables")
	}
}

func writeFiles(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := os.WriteFile(p, []byte("left behind"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
