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

func requests(t *testing.T, e *engine.Engine) (n int) {
	t.Helper()
	err := e.View(t.Context(), func(tx *journal.Tx) error {
		return tx.QueryRow(`SELECT count(*) FROM promise_request`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// handedOver are a store's records of an order that it heard of and handed over.
func handedOver(t *testing.T, e *engine.Engine, of *recordv1.Result) []*recordv1.Record {
	t.Helper()
	r := of.GetReservation().GetReserve()
	var hash []byte
	err := e.View(t.Context(), func(tx *journal.Tx) error {
		return tx.QueryRow(`SELECT hash FROM directive WHERE directive = ?`, r.GetDirective()).Scan(&hash)
	})
	if err != nil {
		t.Fatal(err)
	}
	return []*recordv1.Record{
		{Hlc: startMS << 16, DirectivesApplied: r.GetDirective(), DirectiveHash: hash,
			Body: &recordv1.Record_Accept{Accept: &recordv1.Accept{Reserve: r, Directive: r.GetDirective()}}},
		{Hlc: startMS << 16, Body: &recordv1.Record_Collect{Collect: &recordv1.Collect{
			Reservation: r.GetReservation(), Lines: []*recordv1.OutcomeLine{{Line: 1, Units: 1}}}}}}
}

func TestARequestIsForgottenWithItsPromise(t *testing.T) {
	a, f := openAged(t), &feed{}
	propose(t, a.Engine, f.batch(t, receipt(1, 10), grant(1, 5, 5)))
	var made []*recordv1.Result
	for n := range 3 {
		made = append(made, propose(t, a.Engine, reserve(n, 1)))
	}
	forget := &recordv1.Record{Hlc: startMS << 16, Body: &recordv1.Record_Forget{
		Forget: &recordv1.Forget{Before: startMS + 1, Through: 1}}}
	for _, step := range []struct {
		what string
		do   *recordv1.Command
		left int
	}{
		{"an order is handed over", f.batch(t, handedOver(t, a.Engine, made[0])...), 3},
		{"its store forgets it", f.batch(t, forget), 2},
		{"another is handed over", f.batch(t, handedOver(t, a.Engine, made[1])...), 2},
		{"time goes by", &recordv1.Command{Body: &recordv1.Command_ExpireData{
			ExpireData: &recordv1.ExpireData{}}}, 1},
	} {
		if step.left == 1 {
			a.now = a.now.Add(engine.KeptCommands + time.Hour)
		}
		propose(t, a.Engine, step.do)
		if n := requests(t, a.Engine); n != step.left {
			t.Errorf("%s: %d requests are known, want %d", step.what, n, step.left)
		}
	}
	if r, err := a.Journal().Verify(t.Context(), nil); err != nil || !r.OK() {
		t.Errorf("%v %v", err, r.Mismatches)
	}
}
