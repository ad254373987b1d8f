package cloud

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/internal/identity"
	"holdfast.dev/internal/process"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/journal"
)

func verify(t *testing.T, o VerifyOptions) (said, bars string, err error) {
	t.Helper()
	var bar bytes.Buffer
	said, err = Verify(t.Context(), o, &bar)
	return said, bar.String(), err
}

func TestABackupAndAStoppedProcessAreProven(t *testing.T) {
	p, file := backedUp(t)
	if _, _, err := verify(t, VerifyOptions{Data: p.o.Data}); err == nil ||
		!strings.Contains(err.Error(), "stop it first") {
		t.Errorf("a running process: %v", err)
	}
	p.stop()
	p.ended <- <-p.ended
	beside, before := list(t, filepath.Dir(file)), list(t, p.o.Data)
	for name, o := range map[string]VerifyOptions{
		"a backup":                      {File: file},
		"a folder":                      {Data: p.o.Data},
		"a folder, copied elsewhere":    {File: p.o.Data, Work: t.TempDir()},
		"a folder, from a backup of it": {File: p.o.Data, From: file},
	} {
		said, bars, err := verify(t, o)
		if err != nil || !strings.Contains(said, "are as they say") || !strings.Contains(bars, "replay: ") {
			t.Errorf("%s: %q, %q, %v", name, said, bars, err)
		}
	}
	for name, tt := range map[string]struct {
		o    VerifyOptions
		want string
	}{
		"a folder to begin with":   {VerifyOptions{File: file, From: p.o.Data}, "names a backup"},
		"a damaged backup":         {VerifyOptions{File: damaged(t, file, 8<<10)}, "damaged"},
		"a newer program's backup": {VerifyOptions{File: rewritten(t, file, `"version": `, `"version": 9`)}, "newer"},
		"nothing":                  {VerifyOptions{File: t.TempDir()}, "no folder of a cloud"},
		"nowhere to work": {VerifyOptions{File: file, Work: filepath.Join(t.TempDir(), "no")},
			"--work"},
	} {
		if said, _, err := verify(t, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, %v", name, said, err)
		}
	}
	if list(t, filepath.Dir(file)) != beside || list(t, p.o.Data) != before {
		t.Errorf("left behind: %s, %s", list(t, filepath.Dir(file)), list(t, p.o.Data))
	}
}

func TestAChangedRowIsFound(t *testing.T) {
	p, _ := backedUp(t)
	p.stop()
	p.ended <- <-p.ended
	path := filepath.Join(p.o.Data, engine.Database)
	whole := read(t, path)
	places, differs := 0, 0
	for at := 0; ; places++ {
		next := bytes.Index(whole[at:], []byte("Tjalk"))
		if next < 0 {
			break
		}
		at += next + 1
		changed := bytes.Clone(whole)
		changed[at] ^= 1
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		said, _, err := verify(t, VerifyOptions{File: p.o.Data})
		if err == nil {
			t.Errorf("a letter at %d: %q", at, said)
		}
		if ExitCode(err) == exitDiffers { // the log's newest records are looked at before
			differs++
		}
	}
	if places < 2 || differs < 1 {
		t.Errorf("the name is in %d places, and %d differ; want one in the log and one in a table", places, differs)
	}
}

// aging is a cloud's folder whose clock the test moves.
type aging struct {
	*engine.Engine
	t   *testing.T
	dir string
	now time.Time
	n   int
}

func newAging(t *testing.T) *aging {
	a := &aging{t: t, dir: t.TempDir(), now: time.UnixMilli(1_700_000_000_000)}
	if _, err := identity.OpenCA(a.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.OpenSigningKeys(a.dir); err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), engine.Options{Dir: a.dir, Now: func() time.Time { return a.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	a.Engine = e
	return a
}

// commands lets so many be recorded.
func (a *aging) commands(n int) {
	a.t.Helper()
	all := make(chan error)
	for range n {
		a.n++
		c := &recordv1.Command{Body: &recordv1.Command_PutStore{PutStore: &recordv1.PutStore{
			Store: &recordv1.StoreInfo{Store: 1, Name: fmt.Sprintf("Nord %d", a.n), Town: "Aarhus", Country: "DK",
				Timezone: "Europe/Copenhagen", Language: "da", Currency: "DKK"}}}}
		go func() { _, err := a.Propose(a.t.Context(), c); all <- err }()
	}
	for range n {
		if err := <-all; err != nil {
			a.t.Fatal(err)
		}
	}
}

// backup makes a backup as the command does.
func (a *aging) backup(name string) string {
	a.t.Helper()
	dir := a.t.TempDir()
	database, file := filepath.Join(dir, engine.Database), filepath.Join(dir, name)
	if err := a.Journal().Backup(a.t.Context(), database); err != nil {
		a.t.Fatal(err)
	}
	state, err := journal.Inspect(context.Background(), database)
	if err != nil {
		a.t.Fatal(err)
	}
	f, err := os.Open(database)
	if err != nil {
		a.t.Fatal(err)
	}
	defer f.Close()
	sum, err := copyTo(filepath.Join(dir, "again"), f, process.NewProgress(io.Discard, "copy", 0))
	if err != nil {
		a.t.Fatal(err)
	}
	m := &manifest{Format: backupFormat, Index: state.Index, Digest: fmt.Sprintf("%x", state.Digest[:]),
		Records: a.Journal().Head().Seq, Version: state.Version, Tables: a.Journal().Tables(), Size: sum.size, SHA256: sum.hash}
	if err := writeBackup(file, m, a.dir, database); err != nil {
		a.t.Fatal(err)
	}
	return file
}

func TestAShortenedLogIsProvenFromABackup(t *testing.T) {
	a := newAging(t)
	a.commands(100)
	early := a.backup("early.tar")
	a.commands(engine.LeastCommands + 500)
	monday := a.backup("monday.tar")
	a.now = a.now.Add(engine.KeptCommands + time.Hour)
	a.commands(100)
	young := a.backup("young.tar")
	if err := a.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"nothing": "", "a backup that is too old": early} {
		if said, _, err := verify(t, VerifyOptions{File: a.dir, From: from}); ExitCode(err) != exitUnproven {
			t.Errorf("from %s: %q, %v", name, said, err)
		}
	}
	said, bars, err := verify(t, VerifyOptions{File: a.dir, From: monday})
	if err != nil || !strings.Contains(said, monday) || !strings.Contains(bars, "replay: 100 of 100") {
		t.Errorf("from monday's: %q, %q, %v", said, bars, err)
	}
	if _, err := Verify(t.Context(), VerifyOptions{File: monday, From: young}, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "earlier backup") {
		t.Errorf("from a later one: %v", err)
	}
	other := newAging(t)
	other.commands(200)
	said, _, err = verify(t, VerifyOptions{File: a.dir, From: other.backup("other.tar")})
	if err == nil || !strings.Contains(err.Error(), "another cloud") {
		t.Errorf("from another cloud's: %q, %v", said, err)
	}
}
