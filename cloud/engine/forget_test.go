package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/engine"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/journal"
)

// aged is a cloud whose clock the test moves.
type aged struct {
	*engine.Engine
	t   *testing.T
	dir string
	now time.Time
	n   int
}

func openAged(t *testing.T) *aged {
	a := &aged{t: t, dir: t.TempDir(), now: time.UnixMilli(startMS)}
	e, err := engine.Open(t.Context(), engine.Options{Dir: a.dir, Now: func() time.Time { return a.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	a.Engine = e
	shop(t, e)
	return a
}

// days lets time go by, with so many commands on each day.
func (a *aged) days(n, commands int) {
	a.t.Helper()
	for range n {
		a.now = a.now.Add(24 * time.Hour)
		for range commands / 100 {
			all := make(chan error)
			for range 100 {
				a.n++
				c := putStore(2, fmt.Sprintf("Nord %d", a.n))
				c.Request = id("p", a.n)
				go func() { _, err := a.Propose(a.t.Context(), c); all <- err }()
			}
			for range 100 {
				if err := <-all; err != nil {
					a.t.Fatal(err)
				}
			}
		}
		if err := a.Forget(a.t.Context()); err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a *aged) kept() uint64 {
	a.t.Helper()
	first, err := a.Journal().First(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	return a.Journal().Head().Seq - first + 1
}

// size is what a compact copy of the database takes.
func (a *aged) size(name string) int64 {
	a.t.Helper()
	path := filepath.Join(a.t.TempDir(), name)
	if err := a.Journal().Backup(a.t.Context(), path); err != nil {
		a.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		a.t.Fatal(err)
	}
	return info.Size()
}

func TestTheLogStaysAsLongAsItsCommandsMatter(t *testing.T) {
	const perDay = 100
	retained := uint64(engine.KeptCommands/(24*time.Hour)) * perDay
	a := openAged(t)
	a.days(45, perDay)
	first, before := a.kept(), a.size("first")
	a.days(60, perDay)
	if kept := a.kept(); kept < retained || kept > retained+1000 || first > kept+1000 {
		t.Errorf("%d commands are kept after 45 days, %d after 105; %d are young", first, kept, retained)
	}
	if after := a.size("second"); after > before+before/5 {
		t.Errorf("%d bytes became %d", before, after)
	}
	if r, err := a.Journal().Verify(t.Context(), nil); err != nil || !r.OK() || !r.ChainOnly {
		t.Errorf("%+v, %v", r, err)
	}
	t.Logf("%d of %d commands, %d bytes", a.kept(), a.Journal().Head().Seq, a.size("third"))
}

func TestFewCommandsStayHoweverOldTheyAre(t *testing.T) {
	a := openAged(t)
	a.days(2, 500)
	a.now = a.now.Add(10 * engine.KeptCommands)
	if err := a.Forget(t.Context()); err != nil || a.kept() != a.Journal().Head().Seq {
		t.Errorf("%d of %d commands are kept, %v", a.kept(), a.Journal().Head().Seq, err)
	}
}

func TestABackupOfAShortenedLogIsACloud(t *testing.T) {
	a, f := openAged(t), &feed{}
	propose(t, a.Engine, f.batch(t, receipt(1, 10), grant(1, 5, 5)))
	old := propose(t, a.Engine, reserve(1, 2))
	monday := filepath.Join(t.TempDir(), "monday.db")
	a.days(30, 100)
	if err := a.Journal().Backup(t.Context(), monday); err != nil {
		t.Fatal(err)
	}
	a.days(30, 100)
	young := propose(t, a.Engine, reserve(2, 1))
	kept := t.TempDir()
	if err := a.Journal().Backup(t.Context(), filepath.Join(kept, engine.Database)); err != nil {
		t.Fatal(err)
	}
	again, err := engine.Open(t.Context(), engine.Options{Dir: kept, Adopt: true,
		Now: func() time.Time { return a.now }})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n, err := again.Journal().First(t.Context()); err != nil || n < 1000 {
		t.Fatalf("the log begins at %d, %v: nothing was dropped", n, err)
	}
	for n, want := range map[int]*recordv1.Result{1: old, 2: young} {
		c := reserve(n, int64(3-n))
		if got := propose(t, again, c); !proto.Equal(want.GetReservation().GetReserve(),
			got.GetReservation().GetReserve()) {
			t.Errorf("request %d led to %v, now to %v", n, want, got)
		}
	}
	for name, j := range map[string]*journal.Journal{"the cloud": a.Journal(), "its copy": again.Journal()} {
		r, err := j.VerifyFrom(t.Context(), monday, nil)
		if err != nil || !r.OK() || r.ChainOnly || r.Rows == 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}
