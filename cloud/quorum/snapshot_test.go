package quorum

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/stock/journal"
)

// cutLog makes members cut their logs at once, so that whoever was away is sent
// the whole database.
func cutLog(_ string, o *Options) { o.Timing.Snapshot, o.Timing.Trailing = 4, 2 }

func (c *cell) fill(b *box, n int) {
	c.t.Helper()
	for range n {
		c.propose(b, Proposal{UID: fresh(), Data: add(1, 1)})
	}
}

// snapshotNow makes a member mark a snapshot and cut its log.
func snapshotNow(t *testing.T, m *Member) {
	t.Helper()
	err := m.raft.Load().Snapshot().Error()
	if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		t.Fatal(err)
	}
}

func TestAFollowerThatWasAwayIsSentTheDatabase(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, cutLog)
	away := c.followers()[0]
	c.crash(away)
	c.fill(c.leader(), 20)
	for _, m := range c.running() {
		snapshotNow(t, m)
	}
	m := c.start(away, "")
	before := m.Journal()
	c.agree()
	if m.Journal() == before {
		t.Error("the log was not cut: nothing was sent")
	}
	c.fill(away, 3)
	c.agree()
	c.crash(away) // what was received must last
	c.start(away, "")
	c.agree()
}

// A leader that was cut off keeps entries that nobody has. They end with the
// snapshot that it is sent, although there are more of them.
func TestADivergedLogEndsWithTheSnapshot(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, func(_ string, o *Options) { o.Timing.Snapshot, o.Timing.Trailing = 1<<20, 2 })
	old := c.leader()
	c.fill(old, 3)
	before := len(old.m.times)
	c.links.set(true, isolate(old.name, c.names()...)...)
	var wait sync.WaitGroup
	for range 60 {
		wait.Go(func() {
			_, err := old.m.logEntry(encodeCommands([]journal.Command{{Data: make([]byte, 20)}}))
			if err == nil {
				t.Error("a leader without a majority logged an entry")
			}
		})
	}
	wait.Wait()
	stale, err := old.m.store.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	c.until("another leader", func() bool { return c.leader() != old })
	c.fill(c.leader(), 8)
	for _, m := range c.running() {
		if m != old.m {
			snapshotNow(t, m)
		}
	}
	if newest := c.leader().m.snaps.newest(); newest.Index >= stale {
		t.Fatalf("the snapshot's index %d is not below the old entries', %d", newest.Index, stale)
	}
	c.links.set(false, isolate(old.name, c.names()...)...)
	c.agree()
	c.fill(old, 3)
	c.agree()
	if n := len(old.m.times) - before; n != 1 {
		t.Errorf("the database was installed %d times", n)
	}
}

func TestTooManyInstallsEndTheMember(t *testing.T) {
	t.Parallel()
	c := newCell(t, 2, nil)
	m := c.followers()[0].m
	m.times = nil
	for range installsAtMost {
		m.rebuild()
	}
	<-m.Fault()
	if !errors.Is(m.Err(), ErrInstallLoop) {
		t.Errorf("it stopped for %v", m.Err())
	}
}

func TestASlowFollowerCatchesUpUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, func(_ string, o *Options) { o.Timing.Snapshot, o.Timing.Trailing = 50, 20 })
	slow := c.followers()[0]
	c.crash(slow)
	slow.machine.slow = func() { time.Sleep(200 * time.Microsecond) }
	c.fill(c.leader(), 30)
	for _, m := range c.running() {
		snapshotNow(t, m)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	leader := c.leader().m
	for range 4 {
		wait.Go(func() {
			for ctx.Err() == nil {
				leader.Propose(ctx, Proposal{UID: fresh(), Data: add(1, 1)}) // may be cut short
			}
		})
	}
	time.Sleep(testElection)
	m := c.start(slow, "")
	c.until("the follower keeps up", func() bool {
		return m.applied.index()+50 > c.leader().m.applied.index()
	})
	stop()
	wait.Wait()
	c.agree()
}

// A database that is received survives a crash at any moment: before it
// replaced the old one, or after.
func TestARestoreIsFinishedAfterACrash(t *testing.T) {
	t.Parallel()
	c := newCell(t, 2, cutLog)
	l, f := c.leader(), c.followers()[0]
	c.fill(l, 10)
	snapshotNow(t, l.m)
	meta, from, err := l.m.snaps.Open(l.m.snaps.newest().ID)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	c.fill(l, 1)
	c.agree()
	c.crash(f)
	s := filepath.Join(f.dir, ownFolder, snapshotFolder)
	kept := keptSnapshot{SnapshotMeta: *meta, Received: true}
	kept.ID = "crashed"
	received := &snapshots{m: l.m, dir: s}
	sink := &sinkFile{s: received, meta: kept.SnapshotMeta}
	packed := make([]byte, meta.Size)
	if _, err := from.Read(packed); err != nil {
		t.Fatal(err)
	}
	sink.meta.Size = 0
	if _, err := sink.Write(packed); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		removeIfThere(filepath.Join(f.dir, "books.db"+suffix))
	}
	m := c.start(f, "")
	if m.snaps.received() != nil {
		t.Error("the received database was not taken")
	}
	c.agree()
	left, err := filepath.Glob(filepath.Join(s, "*"+dataSuffix))
	if err != nil || left != nil {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestADamagedDatabaseIsNotTaken(t *testing.T) {
	t.Parallel()
	c := newCell(t, 2, nil)
	f := c.followers()[0]
	c.fill(c.leader(), 3)
	before := read(t, f.m, 1)
	sink := f.m.snaps.newSink(raft.SnapshotMeta{Index: 1 << 40, Term: 9})
	if _, err := sink.Write([]byte("no database")); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	_, from, err := f.m.snaps.Open(sink.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := (*fsm)(f.m).Restore(from); err == nil {
		t.Error("it was taken")
	}
	if f.m.Err() != nil || read(t, f.m, 1) < before || f.m.snaps.received() != nil {
		t.Errorf("the member has %v", f.m.Err())
	}
	if _, err := os.Lstat(journal.Incoming(f.m.folder.database)); err == nil {
		t.Error("the damaged file is left")
	}
	c.fill(f, 1)
	c.agree()
}
