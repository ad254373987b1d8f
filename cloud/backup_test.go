package cloud

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// backedUp is a running cloud with a store, and a backup of it.
func backedUp(t *testing.T) (p *place, file string) {
	t.Helper()
	p = newPlace(t, "")
	p.start(t)
	put := func() (string, error) {
		return PutStore(t.Context(), StoreOptions{AdminAt: p.admin(), ID: 7, Name: "Tjalk", Town: "Utrecht",
			Country: "NL", Timezone: "Europe/Amsterdam", Language: "nl", Currency: "EUR"})
	}
	until(t, "a store", put, func(s string) bool { return strings.Contains(s, "Tjalk") })
	file = filepath.Join(t.TempDir(), "backup.tar")
	var bar bytes.Buffer
	said, err := Backup(t.Context(), BackupOptions{AdminAt: p.admin(), Data: p.o.Data, File: file}, &bar)
	if err != nil || !strings.Contains(said, "is whole") || !strings.Contains(bar.String(), "100 %") {
		t.Fatalf("%q, %q, %v", said, bar.String(), err)
	}
	return p, file
}

// damaged is a copy of a backup with one byte changed, counted from its end.
func damaged(t *testing.T, file string, fromEnd int) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-fromEnd] ^= 1
	path := filepath.Join(t.TempDir(), "damaged.tar")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func restore(t *testing.T, file, dir string) (string, error) {
	t.Helper()
	return Restore(t.Context(), RestoreOptions{Data: dir, File: file}, io.Discard)
}

func TestABackupIsRestoredInANewTimeline(t *testing.T) {
	p, file := backedUp(t)
	if _, err := Backup(t.Context(), BackupOptions{AdminAt: p.admin(), Data: p.o.Data, File: file},
		io.Discard); err == nil || !strings.Contains(err.Error(), "overwrites nothing") {
		t.Errorf("a backup over a backup: %v", err)
	}
	if _, err := restore(t, file, p.o.Data); err == nil || !strings.Contains(err.Error(), "is running") {
		t.Errorf("restored under a running cloud: %v", err)
	}
	again := newPlace(t, "")
	said, err := restore(t, file, again.o.Data)
	if err != nil || !strings.Contains(said, "timeline has begun for 1 stores") {
		t.Fatalf("%q, %v", said, err)
	}
	if _, err := restore(t, file, again.o.Data); err == nil || !strings.Contains(err.Error(), "holds the data") {
		t.Errorf("restored twice: %v", err)
	}
	if was, is := timeline(t, p.o.Data), timeline(t, again.o.Data); is != was+1 {
		t.Errorf("timeline %d after %d", is, was)
	}
	again.start(t)
	third := newPlace(t, again.o.Members)
	for _, name := range sharedKeys {
		key, err := os.ReadFile(filepath.Join(again.o.Data, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(third.o.Data, name), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	third.start(t)
	until(t, "a process joins the restored cloud", func() (string, error) {
		return Members(t.Context(), again.admin())
	}, func(s string) bool {
		return strings.Contains(s, third.o.Members) && !strings.Contains(s, "not answer")
	})
}

// timeline is the store's, in a copy of a cloud's database.
func timeline(t *testing.T, dir string) (n stock.Timeline) {
	t.Helper()
	kept := t.TempDir()
	raw, err := os.ReadFile(filepath.Join(dir, engine.Database))
	if err == nil {
		err = os.WriteFile(filepath.Join(kept, engine.Database), raw, 0o600)
	}
	if wal, walErr := os.ReadFile(filepath.Join(dir, engine.Database+"-wal")); walErr == nil && err == nil {
		err = os.WriteFile(filepath.Join(kept, engine.Database+"-wal"), wal, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), engine.Options{Dir: kept, Adopt: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	err = e.View(t.Context(), func(tx *journal.Tx) error {
		s, err := headoffice.FindStore(tx, 7)
		if err == nil {
			n = s.Timeline
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatCannotBeRestoredIsRefusedAndLeavesNothing(t *testing.T) {
	_, file := backedUp(t)
	newer := rewritten(t, file, `"version": `, `"version": 9`)
	occupied := t.TempDir()
	if err := os.WriteFile(filepath.Join(occupied, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	half := t.TempDir()
	if err := os.WriteFile(filepath.Join(half, restoringFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, file, dir, want string }{
		{"a damaged database", damaged(t, file, 8<<10), t.TempDir(), "damaged"},
		{"a damaged heading", damaged(t, file, 0+len(read(t, file))-3), t.TempDir(), "no whole backup"},
		{"half a file", truncated(t, file), t.TempDir(), "unexpected EOF"},
		{"a newer program's", newer, t.TempDir(), "newer program"},
		{"not a backup", filepath.Join(occupied, "thesis.txt"), t.TempDir(), "no whole backup"},
		{"a folder with something", file, occupied, "thesis.txt"},
		{"half a restore", file, half, "cut short"},
	} {
		before := list(t, tt.dir)
		_, err := restore(t, tt.file, tt.dir)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if after := list(t, tt.dir); after != before {
			t.Errorf("%s: the folder had %q and has %q", tt.name, before, after)
		}
	}
	p := newPlace(t, "")
	p.o.Data = half
	err := Run(context.Background(), p.o, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("half a restore runs: %v", err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func truncated(t *testing.T, file string) string {
	t.Helper()
	raw := read(t, file)
	path := filepath.Join(t.TempDir(), "half.tar")
	if err := os.WriteFile(path, raw[:len(raw)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rewritten puts a text of the same length into the manifest, where another
// one begins.
func rewritten(t *testing.T, file, begins, with string) string {
	t.Helper()
	raw := read(t, file)
	copy(raw[bytes.Index(raw, []byte(begins)):], with)
	path := filepath.Join(t.TempDir(), "rewritten.tar")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func list(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	return strings.Join(names, " ")
}

func TestTheFolderOfTheLastProcessFoundsACloud(t *testing.T) {
	p, _ := backedUp(t)
	if _, err := restore(t, p.o.Data, t.TempDir()); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("restored from a running process: %v", err)
	}
	p.stop()
	p.ended <- <-p.ended
	to := t.TempDir()
	said, err := restore(t, p.o.Data, to)
	if err != nil || !strings.Contains(said, "timeline has begun for 1 stores") {
		t.Fatalf("%q, %v", said, err)
	}
	if was, is := timeline(t, p.o.Data), timeline(t, to); is != was+1 {
		t.Errorf("timeline %d after %d", is, was)
	}
	if left := list(t, to); strings.Contains(left, "tail") || strings.Contains(left, restoringFile) {
		t.Errorf("the folder has %s", left)
	}
	if _, err := restore(t, t.TempDir(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "no folder of a cloud") {
		t.Errorf("restored from an empty folder: %v", err)
	}
}
