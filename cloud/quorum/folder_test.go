package quorum

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast.dev/stock/journal"
)

// keptData is what an ordinary journal left: three records.
func keptData(t *testing.T, dir string) journal.Position {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Path: filepath.Join(dir, "books.db"),
		Machine: &counters{}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(3) {
		data, err := (&counters{}).Seal(add(7, 2), 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Append(t.Context(), journal.Proposal{UID: id(i + 1),
			Decide: func(*journal.Tx, uint64) ([]byte, error) { return data, nil }}); err != nil {
			t.Fatal(err)
		}
	}
	head := j.Head()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return head
}

func openAlone(dir string, change func(*Options)) (*Member, error) {
	o := Options{Dir: dir, File: "books.db", Machine: &counters{}, Logger: logTo("alone")}
	if change != nil {
		change(&o)
	}
	return Open(context.Background(), o)
}

var errCrash = errors.New("crash")

func TestKeptDataAreTakenOverWhateverInterruptsIt(t *testing.T) {
	t.Parallel()
	for _, cut := range []string{"mark", "id", "state", "snapshot", "term", "unmark", ""} {
		dir := t.TempDir()
		head := keptData(t, dir)
		if cut != "" {
			_, err := openAlone(dir, func(o *Options) {
				o.halt = func(step string) error {
					if step == cut {
						return errCrash
					}
					return nil
				}
			})
			if !errors.Is(err, errCrash) {
				t.Fatalf("cut before %s: %v", cut, err)
			}
		}
		m, err := openAlone(dir, nil)
		if err != nil {
			t.Fatalf("after a cut before %q: %v", cut, err)
		}
		if m.Journal().Head() != head || m.Journal().Applied().Index < head.Seq {
			t.Errorf("cut before %q: head %v, want %v; %+v", cut, m.Journal().Head(), head,
				m.Journal().Applied())
		}
		out, err := m.Propose(t.Context(), Proposal{UID: id(2), Data: add(7, 2)})
		if err != nil || !out.Repeated || value(out.Reply) != 4 {
			t.Errorf("cut before %q: the id of a kept record gives %+v, %v", cut, out, err)
		}
		out, err = m.Propose(t.Context(), Proposal{Data: add(7, 2)})
		if err != nil || value(out.Reply) != 8 {
			t.Errorf("cut before %q: the next proposal gives %v, %v", cut, out, err)
		}
		if r, err := m.Journal().Verify(t.Context(), nil); err != nil || !r.OK() {
			t.Errorf("cut before %q: %v %v", cut, err, r.Mismatches)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNewMembersGetWhatWasTakenOver(t *testing.T) {
	t.Parallel()
	c := &cell{t: t, dir: t.TempDir(), links: newLinks(), boxes: map[string]*box{}}
	t.Cleanup(c.close)
	first := c.add("m1")
	keptData(t, first.dir)
	c.start(first, "")
	c.start(c.add("m2"), "m1")
	c.settle()
	c.agree()
	if n := read(t, c.boxes["m2"].m, 7); n != 6 {
		t.Errorf("the new member has %d, want 6", n)
	}
}

func TestAFolderThatLostSomethingIsRefused(t *testing.T) {
	t.Parallel()
	lose := map[string]func(dir string) error{
		"its log": func(dir string) error { return os.Remove(filepath.Join(dir, ownFolder, logFile)) },
		"its snapshots": func(dir string) error {
			return os.RemoveAll(filepath.Join(dir, ownFolder, snapshotFolder))
		},
		"its database": func(dir string) error { return os.Remove(filepath.Join(dir, "books.db")) },
		"newer entries of its database": func(dir string) error {
			return os.Rename(filepath.Join(dir, "old.db"), filepath.Join(dir, "books.db"))
		},
	}
	for what, do := range lose {
		dir := t.TempDir()
		m, err := openAlone(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Journal().Backup(t.Context(), filepath.Join(dir, "old.db")); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, err := m.Propose(t.Context(), Proposal{Data: add(1, 1)}); err != nil {
				t.Fatal(err)
			}
		}
		snapshotNow(t, m)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if err := do(dir); err != nil {
			t.Fatal(err)
		}
		if m, err := openAlone(dir, nil); err == nil {
			m.Close()
			t.Errorf("a member went on without %s", what)
		}
	}
}

func TestOnlyAnEmptyFolderJoins(t *testing.T) {
	t.Parallel()
	c := newCell(t, 1, nil)
	full := c.add("m2")
	keptData(t, full.dir)
	if _, err := c.open(full, "m1"); err == nil {
		t.Error("a folder with a database joined a cluster")
	}
	lost := c.add("m3")
	c.start(lost, "m9") // nobody is there
	c.crash(lost)
	if _, err := c.open(lost, ""); err == nil {
		t.Error("a member that nobody took in went on alone")
	}
	c.start(lost, "m1")
	c.until("it is taken in at last", func() bool { return len(c.leader().m.servers()) == 2 })
}

func TestABackupFoundsANewCluster(t *testing.T) {
	t.Parallel()
	dir, restored := t.TempDir(), t.TempDir()
	m, err := openAlone(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 3 {
		if _, err := m.Propose(t.Context(), Proposal{Data: add(1, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Journal().Backup(t.Context(), filepath.Join(restored, "books.db")); err != nil {
		t.Fatal(err)
	}
	if m, err := openAlone(restored, nil); err == nil {
		m.Close()
		t.Error("a copy went on as if it were the member itself")
	}
	again, err := openAlone(restored, func(o *Options) { o.Adopt = true })
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	out, err := again.Propose(t.Context(), Proposal{Data: add(1, 1)})
	if err != nil || value(out.Reply) != 4 || again.ID() == m.ID() {
		t.Errorf("the new cluster answers %v, %v", out, err)
	}
}

func TestTheLastMembersLogComesOnTopOfItsDatabase(t *testing.T) {
	t.Parallel()
	dir, restored := t.TempDir(), t.TempDir()
	m, err := openAlone(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if i == 3 {
			if err := m.Journal().Backup(t.Context(), filepath.Join(restored, "books.db")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.Propose(t.Context(), Proposal{Data: add(1, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := openAlone(restored, func(o *Options) {
		o.Adopt, o.Tail = true, filepath.Join(dir, ownFolder, logFile)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	out, err := again.Propose(t.Context(), Proposal{Data: add(1, 1)})
	if err != nil || value(out.Reply) != 6 {
		t.Errorf("the new cluster answers %v, %v", out, err)
	}
}

func TestTwoProcessesDoNotShareAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, err := openAlone(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if second, err := openAlone(dir, nil); err == nil {
		second.Close()
		t.Error("the folder was opened twice")
	}
}
