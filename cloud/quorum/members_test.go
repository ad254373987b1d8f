package quorum

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

func TestAWipedMemberComesBackAsAnother(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	wiped := c.followers()[0]
	old := wiped.m.ID()
	c.fill(c.leader(), 3)
	c.crash(wiped)
	if err := os.RemoveAll(wiped.dir); err != nil {
		t.Fatal(err)
	}
	c.leader()
	if err := c.leader().m.Remove(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(wiped.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	m := c.start(wiped, c.leader().name)
	c.settle()
	if m.ID() == old {
		t.Error("the id was used again")
	}
	c.fill(wiped, 2)
	c.agree()
	if n := len(c.leader().m.servers()); n != 3 {
		t.Errorf("there are %d members", n)
	}
}

func TestAWipedMemberDoesNotActForTheOneThatItWas(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	leader, wiped := c.leader(), c.followers()[0]
	old := wiped.m.ID()
	c.fill(leader, 3)
	c.crash(wiped)
	if err := os.RemoveAll(wiped.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(wiped.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c.start(wiped, leader.name)

	ask := &raft.RequestVoteRequest{Term: leader.m.raft.Load().CurrentTerm() + 1,
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(leader.m.ID()),
			Addr: []byte(leader.name)}}
	var vote raft.RequestVoteResponse
	err := leader.m.trans.RequestVote(raft.ServerID(old), raft.ServerAddress(wiped.name), ask, &vote)
	if err == nil {
		t.Errorf("asked for the vote of the one before, it says %t", vote.Granted)
	}
	c.fill(leader, 2)
	if n := len(wiped.m.servers()); n > 0 || wiped.m.Err() != nil {
		t.Errorf("it knows %d members before it is one, and stopped for %v", n, wiped.m.Err())
	}
	if err := c.leader().m.Remove(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	c.settle()
	c.fill(wiped, 2)
	c.agree()
}

func TestARemovedMemberEnds(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	out := c.followers()[0]
	if err := c.followers()[1].m.Remove(t.Context(), out.m.ID()); err != nil {
		t.Fatal(err)
	}
	<-out.m.Fault()
	if !errors.Is(out.m.Err(), ErrRemoved) {
		t.Errorf("it ended for %v", out.m.Err())
	}
	c.crash(out)
	c.fill(c.leader(), 2)
	if err := c.leader().m.Remove(t.Context(), "nobody"); !stock.Refused(err, stock.BadRequest) {
		t.Errorf("removing nobody gives %v", err)
	}
}

func TestALeaderThatIsRemovedHandsOverFirst(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	old := c.leader()
	if err := old.m.Remove(t.Context(), old.m.ID()); err != nil {
		t.Fatal(err)
	}
	<-old.m.Fault()
	c.crash(old)
	c.fill(c.leader(), 2)
	c.agree()
}

func TestTheLeaderIsWhoWeWant(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	next := c.followers()[1]
	if err := c.followers()[0].m.TransferLeader(t.Context(), next.m.ID()); err != nil {
		t.Fatal(err)
	}
	c.until("the wanted leader", func() bool { return next.m.Leads() })
	if err := next.m.TransferLeader(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	c.until("another leader", func() bool { return c.leader() != next })
	infos := c.boxes["m1"].m.Members(t.Context())
	leaders := 0
	for _, i := range infos {
		if i.Leader {
			leaders++
		}
		if i.Problem != "" || !i.Voter || i.Version != 1 || i.Tables != 1 {
			t.Errorf("a member stands as %+v", i)
		}
	}
	if len(infos) != 3 || leaders != 1 {
		t.Errorf("%d members, %d lead", len(infos), leaders)
	}
}

func TestAMemberThatMovedIsFound(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	moved, leads := c.followers()[0], c.leader()
	for _, b := range []*box{moved, leads} {
		c.crash(b)
		delete(c.boxes, b.name)
		b.name += "b"
		c.boxes[b.name] = b
		c.start(b, "")
		c.until("the new address is known", func() bool {
			for _, m := range c.running() {
				if self, _ := b.m.self(); string(self.Address) != b.name {
					return false
				}
				for _, s := range m.servers() {
					if s.ID == b.m.id && string(s.Address) != b.name {
						return false
					}
				}
			}
			return true
		})
	}
	c.fill(c.leader(), 2)
	c.agree()
}

func TestNewCommandsWaitForTheLastMember(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	last := c.followers()[0]
	newer := func(b *box) {
		c.crash(b)
		b.machine = &counters{version: 2, newer: []string{
			`CREATE TABLE added (id INTEGER PRIMARY KEY) STRICT;`}}
		c.start(b, "")
		c.settle()
	}
	sealed := func() byte {
		reply := c.propose(c.leader(), Proposal{UID: fresh(), Data: add(1, 1)}).Reply
		return reply[len(reply)-1]
	}
	for _, name := range c.names() {
		if b := c.boxes[name]; b != last {
			newer(b)
			if v := sealed(); v != 1 || c.leader().m.Journal().Tables() != 1 {
				t.Errorf("commands have version %d while one member does not know it", v)
			}
		}
	}
	newer(last)
	c.until("the new version is used", func() bool { return sealed() == 2 })
	c.agree()
	for _, m := range c.running() {
		if m.Journal().Tables() != 2 {
			t.Errorf("a copy has tables of version %d", m.Journal().Tables())
		}
	}
	for what, machine := range map[string]*counters{
		"commands": {version: 1, newer: last.machine.newer}, "tables": {version: 2},
	} {
		c.crash(last)
		last.machine = machine
		if _, err := c.open(last, ""); !errors.Is(err, ErrTooOld) {
			t.Errorf("a member goes on with a program of older %s: %v", what, err)
		}
	}
	old := c.add("m4")
	c.start(old, c.leader().name)
	err := old.m.askSomebody(askJoin, wish{ID: old.m.ID(), Address: old.name, Version: 1, Tables: 1})
	if !stock.Refused(err, stock.TooOld) {
		t.Errorf("an old program joins with %v", err)
	}
}

func TestANewcomerEndsWhenTheOthersGoOnWithoutItsProgram(t *testing.T) {
	t.Parallel()
	c := newCell(t, 1, func(_ string, o *Options) { o.Timing.Settle = time.Hour })
	first, newcomer := c.leader(), c.add("m2")
	m := c.start(newcomer, first.name)
	c.until("it follows", func() bool { return m.applied.index() >= first.m.applied.index() })
	c.crash(first)
	first.machine = &counters{version: 2}
	c.start(first, "")
	c.until("it ends", func() bool { return m.Err() != nil })
	if !errors.Is(m.Err(), ErrTooOld) || m.Journal().Applied().Version != 1 {
		t.Errorf("version %d, and then %v", m.Journal().Applied().Version, m.Err())
	}
	c.crash(newcomer)
	newcomer.machine = &counters{version: 2}
	m = c.start(newcomer, "")
	c.until("the newer program goes on", func() bool { return m.Journal().Applied().Version == 2 })
}

func TestALeaderWithoutRoomLetsAnotherOneLead(t *testing.T) {
	t.Parallel()
	var full sync.Map // by name
	c := newCell(t, 3, func(name string, o *Options) {
		o.Scarce = func() bool { _, is := full.Load(name); return is }
	})
	first := c.leader()
	full.Store(first.name, true)
	c.until("another one leads", func() bool { return c.leader() != first })
}

func TestTheOfficeGoesOnlyToWhoHasRoom(t *testing.T) {
	self, full := Info{ID: "a", Voter: true, Scarce: true, Self: true}, Info{ID: "b", Voter: true, Scarce: true}
	for name, tt := range map[string]struct {
		others []Info
		want   string
	}{
		"somebody has room":             {[]Info{full, {ID: "c", Voter: true}}, "c"},
		"nobody has":                    {[]Info{full}, ""},
		"who has room does not answer":  {[]Info{full, {ID: "c", Voter: true, Problem: "no answer"}}, ""},
		"who has room has no vote":      {[]Info{full, {ID: "c"}}, ""},
		"the leader has room meanwhile": {[]Info{{ID: "d", Voter: true, Self: true}}, ""},
	} {
		if got, found := roomy(append([]Info{self}, tt.others...)); got != tt.want || found != (tt.want != "") {
			t.Errorf("%s: %q leads, want %q", name, got, tt.want)
		}
	}
}

func TestACopyThatComputesOtherwiseStops(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, func(_ string, o *Options) { o.Timing.Check = 4 })
	c.fill(c.leader(), 20)
	for _, m := range c.running() {
		if m.Journal().Applied().Marked.Index == 0 {
			t.Error("nothing was compared")
		}
	}
	bad := c.followers()[0]
	c.crash(bad)
	bad.machine = &counters{stray: new(atomic.Int64)}
	bad.machine.stray.Store(1)
	c.start(bad, "")
	c.until("the members compare", func() bool {
		c.fill(c.leader(), 2)
		return bad.m.Err() != nil
	})
	if !errors.Is(bad.m.Err(), journal.ErrDiverged) {
		t.Errorf("it stopped for %v", bad.m.Err())
	}
	c.crash(bad)
	c.fill(c.leader(), 2)
	c.agree()
}
