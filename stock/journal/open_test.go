package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecondOpenIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	j := openAt(t, path)
	if _, err := Open(context.Background(), Options{Path: path, Machine: &shelf{}}); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
}

func TestReopenedJournalContinues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder with ? and # and %41", "books.db")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	j := openAt(t, path)
	mustAppend(t, j, say(uid(1), move(5, 1)))
	mustAppend(t, j, say(uid(2), move(5, 1)))
	head := j.Head()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	j = openAt(t, path)
	if j.Head() != head || head.Seq != 2 {
		t.Errorf("head %v, was %v", j.Head(), head)
	}
	if out := mustAppend(t, j, say(uid(1), move(5, 1))); !out.Repeated {
		t.Error("the id was forgotten")
	}
	if out := mustAppend(t, j, say(uid(3), move(5, 1))); out.Seq != 3 {
		t.Errorf("next record is %d", out.Seq)
	}
}

func TestMigrationsAreAppliedOnceAndNeverEdited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	second := `ALTER TABLE shelf ADD COLUMN place TEXT NOT NULL DEFAULT ''; CREATE INDEX shelf_place ON shelf (place);`
	for _, step := range []struct {
		name       string
		migrations []string
		want       string
	}{
		{"first version", nil, ""},
		{"second version", []string{second}, ""},
		{"second version again", []string{second}, ""},
		{"older program", nil, "version 2, this program knows 1"},
		{"edited", []string{second + " "}, "migration 2 was edited"},
		{"broken third", []string{second, "CREATE TABLE extra (x) STRICT"}, "version 3"},
		{"third", []string{second, "CREATE TABLE extra (x INTEGER) STRICT"}, ""},
	} {
		j, err := Open(context.Background(), Options{Path: path, Machine: &shelf{migrations: step.migrations}})
		if step.want != "" {
			if err == nil || !strings.Contains(err.Error(), step.want) {
				t.Fatalf("%s: got %v, want %q", step.name, err, step.want)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		mustAppend(t, j, say([16]byte{}, move(5, 1)))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenRefusesWhatItCannotKeep(t *testing.T) {
	for _, test := range []struct {
		name string
		o    Options
	}{
		{"no machine", Options{}},
		{"unknown sync", Options{Machine: &shelf{}, Sync: "OFF"}},
		{"no such folder", Options{Machine: &shelf{}, Path: filepath.Join(t.TempDir(), "no", "books.db")}},
	} {
		if j, err := Open(context.Background(), test.o); err == nil {
			t.Errorf("%s: opened", test.name)
			j.Close()
		}
	}
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, bytes.Repeat([]byte("text"), 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), Options{Path: path, Machine: &shelf{}}); err == nil {
		t.Error("a text file was opened as a journal")
	}
}

func TestSyncIsWhatWasAskedFor(t *testing.T) {
	for sync, want := range map[string]int{"": 2, "FULL": 2, "NORMAL": 1} {
		j := openWith(t, Options{Path: filepath.Join(t.TempDir(), "books.db"), Machine: &shelf{}, Sync: sync})
		var level int
		if err := j.Local(context.Background(), func(tx *Tx) error {
			return tx.QueryRow(`PRAGMA synchronous`).Scan(&level)
		}); err != nil || level != want {
			t.Errorf("sync %q is level %d, want %d, %v", sync, level, want, err)
		}
	}
}

// A file for what a savepoint would restore made every command a third slower.
func TestSavepointsNeedNoFile(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "books.db"))
	const memory = 2
	var store int
	if err := j.Local(context.Background(), func(tx *Tx) error {
		return tx.QueryRow(`PRAGMA temp_store`).Scan(&store)
	}); err != nil || store != memory {
		t.Errorf("temp_store is %d, want %d, %v", store, memory, err)
	}
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	mustAppend(t, openAt(t, filepath.Join(dir, "books.db")), say(uid(1), move(5, 1)))
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestEntriesComeInPages(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		ctx := context.Background()
		for i := range uint64(10) {
			mustAppend(t, j, say(uid(i+1), move(i, 1)))
		}
		for _, test := range []struct {
			from              uint64
			entries, bytes, n int
			first             uint64
		}{
			{1, 100, 1 << 20, 10, 1}, {4, 3, 1 << 20, 3, 4}, {4, 100, 40, 2, 4},
			{4, 100, 1, 1, 4}, {10, 5, 1 << 20, 1, 10}, {11, 5, 1 << 20, 0, 0},
		} {
			es, err := j.Entries(ctx, test.from, test.entries, test.bytes)
			if err != nil || len(es) != test.n || test.n > 0 && es[0].Seq != test.first {
				t.Errorf("%+v: got %d entries, %v", test, len(es), err)
			}
		}
		es, err := j.Entries(ctx, 1, 100, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		at := Position{}
		for _, e := range es {
			if err := e.follows(at); err != nil {
				t.Error(err)
			}
			at = Position{e.Seq, e.Hash}
			if got, err := j.At(ctx, e.Seq); err != nil || got != at {
				t.Errorf("at %d: %v, %v", e.Seq, got, err)
			}
		}
		if at != j.Head() {
			t.Errorf("chain ends at %v, head is %v", at, j.Head())
		}
		if _, err := j.At(ctx, 11); !errors.Is(err, ErrNoRecord) {
			t.Errorf("record 11: %v", err)
		}
		e, found, err := j.Find(ctx, uid(3))
		if diff := cmp.Diff(es[2], e); err != nil || !found || diff != "" {
			t.Errorf("find: %t, %v, %s", found, err, diff)
		}
	})
}

func TestBackupOpensAsTheSameJournal(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	j := openAt(t, filepath.Join(dir, "books.db"))
	for i := range uint64(10) {
		mustAppend(t, j, say(uid(i+1), move(i, 1)))
	}
	to := filepath.Join(dir, "copy.db")
	if err := j.Backup(ctx, to); err != nil {
		t.Fatal(err)
	}
	if err := j.Backup(ctx, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("second backup to the same name: %v", err)
	}
	head := j.Head()
	mustAppend(t, j, say(uid(99), move(1, 1)))
	twin := openAt(t, to)
	report, err := twin.Verify(ctx, nil)
	if err != nil || !report.OK() || twin.Head() != head {
		t.Errorf("%+v, %v, head %v, want %v", report, err, twin.Head(), head)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.partial"))
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestWriteAheadLogStartsOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	j := openAt(t, path)
	data := append(move(5, 1), make([]byte, 40_000)...)
	for range 500 { // 5000 pages
		mustAppend(t, j, say([16]byte{}, data))
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	const limit = 2 * checkpointFrames * 4096
	if info.Size() > limit {
		t.Errorf("the log has %d bytes, want at most %d", info.Size(), limit)
	}
}

func TestViewSeesOneMoment(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "books.db"))
	mustAppend(t, j, say(uid(1), move(5, 1)))
	err := j.View(context.Background(), func(tx *Tx) error {
		var before, after int
		if err := tx.QueryRow(selectUnits, 5).Scan(&before); err != nil {
			return err
		}
		mustAppend(t, j, say(uid(2), move(5, 1))) // another connection
		if err := tx.QueryRow(selectUnits, 5).Scan(&after); err != nil {
			return err
		}
		if before != after {
			return fmt.Errorf("saw %d, then %d", before, after)
		}
		return nil
	})
	if err != nil || units(t, j, 5) != 2 {
		t.Errorf("%v, %d units", err, units(t, j, 5))
	}
}
