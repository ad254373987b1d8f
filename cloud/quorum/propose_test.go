package quorum

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/raft"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

func TestNoOutcomeDependsOnWhoIsAsked(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	for _, b := range []*box{c.leader(), c.followers()[0]} {
		ctx, again := t.Context(), fresh()
		if _, err := b.m.Propose(ctx, Proposal{Data: add(3, -1)}); !stock.Refused(err, stock.Short) {
			t.Errorf("%s: below zero gives %v", b.name, err)
		}
		if _, err := b.m.Propose(ctx, Proposal{Data: []byte("?")}); !stock.Refused(err, stock.BadRequest) {
			t.Errorf("%s: what cannot be sealed gives %v", b.name, err)
		}
		_, err := b.m.Propose(ctx, Proposal{Data: add(3, 1_000_000)})
		if !errors.Is(err, journal.ErrConstraint) {
			t.Errorf("%s: what the tables refuse gives %v", b.name, err)
		}
		first := c.propose(b, Proposal{UID: again, Data: add(4, 2)})
		repeat := c.propose(b, Proposal{UID: again, Data: add(4, 9)})
		want := Outcome{Seq: first.Seq, Reply: first.Reply, Repeated: true}
		if diff := cmp.Diff(want, repeat, cmpopts.IgnoreFields(Outcome{}, "Before")); diff != "" {
			t.Errorf("%s: a repeat differs: %s", b.name, diff)
		}
		if by := value(repeat.Before[8:]); by != 2 {
			t.Errorf("%s: the repeat stood for adding %d", b.name, by)
		}
		head := b.m.Journal().Head()
		idle, err := b.m.Propose(ctx, Proposal{Data: add(4, 0), MayIdle: true})
		if err != nil || idle.Seq != 0 || value(idle.Reply) < 2 || b.m.Journal().Head() != head {
			t.Errorf("%s: what changes nothing gives %+v, %v", b.name, idle, err)
		}
	}
	c.agree()
}

// Killing the leader again and again loses no answer and counts none twice.
func TestARequestCountsOnceWhoeverLeads(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	const each = 15
	ctx, cancel := context.WithTimeout(context.Background(), patienceTest)
	defer cancel()
	var wait sync.WaitGroup
	var mu sync.Mutex // of c.boxes' members
	member := func(name string) *Member {
		mu.Lock()
		defer mu.Unlock()
		return c.boxes[name].m
	}
	for n := range 6 {
		name := c.names()[n%3]
		wait.Go(func() {
			for range each {
				p := Proposal{UID: fresh(), Data: add(9, 1)}
				for ctx.Err() == nil {
					if m := member(name); m != nil {
						if _, err := m.Propose(ctx, p); err == nil {
							break
						}
					}
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	for range 2 {
		l := c.leader()
		mu.Lock()
		c.crash(l)
		mu.Unlock()
		time.Sleep(2 * testElection)
		mu.Lock()
		c.start(l, "")
		mu.Unlock()
	}
	wait.Wait()
	c.agree()
	if n := read(t, c.leader().m, 9); n != 6*each {
		t.Errorf("%d requests were counted %d times", 6*each, n)
	}
}

func TestWhatWasAnsweredSurvivesTheEndOfAll(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	c.fill(c.leader(), 10)
	for _, name := range c.names() {
		c.crash(c.boxes[name])
	}
	for _, name := range c.names() {
		c.start(c.boxes[name], "")
	}
	c.agree()
	if n := read(t, c.leader().m, 1); n != 10 {
		t.Errorf("%d of 10 answered proposals are there", n)
	}
}

func TestALoneProposalDoesNotWaitForCompany(t *testing.T) {
	t.Parallel()
	var q queue
	q.init()
	one := func() *item { return &item{p: Proposal{Data: make([]byte, 10)}} }
	if err := q.put(one()); err != nil {
		t.Fatal(err)
	}
	if batch, _ := q.take(); len(batch) != 1 {
		t.Fatalf("a lone proposal waits: %d taken", len(batch))
	}
	q.put(one(), one())
	if batch, wait := q.take(); batch != nil || wait > linger {
		t.Errorf("beside a batch on its way, %d were taken, or wait %s", len(batch), wait)
	}
	q.landed()
	if batch, _ := q.take(); len(batch) != 2 {
		t.Errorf("%d of 2 were taken when the way was free", len(batch))
	}
	q.put(&item{p: Proposal{Data: make([]byte, maxBytes)}}, one())
	if batch, _ := q.take(); len(batch) != 1 {
		t.Errorf("a full batch has %d proposals", len(batch))
	}
	for range maxWaiting - 1 {
		if err := q.put(one()); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.put(one()); !stock.Refused(err, stock.Busy) {
		t.Errorf("a full queue answers %v", err)
	}
	q.close()
	if err := q.put(one()); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("a closed queue answers %v", err)
	}
}

func TestWithoutAMajorityNothingIsRecorded(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, func(_ string, o *Options) { o.Timing.Patience = testElection })
	last := c.leader()
	for _, b := range c.followers() {
		c.crash(b)
	}
	c.until("the leader gives up", func() bool { return !last.m.Leads() })
	_, err := last.m.Propose(t.Context(), Proposal{Data: add(1, 1)})
	if !stock.Refused(err, stock.Busy) {
		t.Errorf("got %v", err)
	}
	if err := last.m.Sync(t.Context()); !stock.Refused(err, stock.Busy) {
		t.Errorf("reading gives %v", err)
	}
}

func TestMembersAskEachOther(t *testing.T) {
	t.Parallel()
	c := newCell(t, 2, func(name string, o *Options) {
		o.Serve = func(_ context.Context, q []byte) ([]byte, error) {
			if string(q) == "no" {
				return nil, stock.Refuse(stock.Offline, "not here").With("since", "noon")
			}
			return append([]byte(name+" heard "), q...), nil
		}
	})
	m1, m2 := c.boxes["m1"].m, c.boxes["m2"].m
	for to, want := range map[string]string{m1.ID(): "m1 heard hello", m2.ID(): "m2 heard hello"} {
		if got, err := m1.Ask(t.Context(), to, []byte("hello")); err != nil || string(got) != want {
			t.Errorf("got %q, %v", got, err)
		}
	}
	_, err := m1.Ask(t.Context(), m2.ID(), []byte("no"))
	if r, ok := stock.AsRefusal(err); !ok || r.Code != stock.Offline || r.Args["since"] != "noon" {
		t.Errorf("a refusal comes as %v", err)
	}
	if _, err := m1.Ask(t.Context(), "nobody", nil); !stock.Refused(err, stock.BadRequest) {
		t.Errorf("asking nobody gives %v", err)
	}
}

func TestEntriesAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	want := journal.LogEntry{Index: 4, Term: 2, Commands: []journal.Command{
		{UID: id(1), Data: []byte("one")}, {Data: []byte{}}}}
	got, err := decodeEntry(&raft.Log{Index: 4, Term: 2, Data: encodeCommands(want.Commands)})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	check := journal.Check{Index: 7, Digest: journal.Hash{1, 2}}
	got, err = decodeEntry(&raft.Log{Data: encodeCheck(check)})
	if diff := cmp.Diff(journal.LogEntry{Check: &check}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	got, err = decodeEntry(&raft.Log{Data: encodeUpgrade(upgrade{Version: 3, Tables: 4})})
	if diff := cmp.Diff(journal.LogEntry{Version: 3, Tables: 4}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, bad := range [][]byte{nil, {9}, {entryCommands}, {entryOpen, 0}, {entryCommands, 200, 1}} {
		if _, err := decodeEntry(&raft.Log{Data: bad}); !errors.Is(err, errEntry) {
			t.Errorf("%v is read as an entry", bad)
		}
	}
}

func FuzzWhatMembersSendIsReadOrRefused(f *testing.F) {
	f.Add(encodeCommands([]journal.Command{{UID: id(1), Data: []byte("one")}}))
	f.Add(encodeBatch([]*item{{p: Proposal{UID: id(1), Data: []byte("one"), MayIdle: true}}}))
	f.Add(encodeResults([]result{{out: Outcome{Seq: 1, Reply: []byte("r"), Repeated: true}, index: 3},
		{err: errNotLeader}, {err: journal.ErrConstraint}, {err: stock.Refuse(stock.Short, "no")}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := decodeEntry(&raft.Log{Data: b}); err == nil && len(e.Commands) > 0 {
			again, err := decodeEntry(&raft.Log{Data: encodeCommands(e.Commands)})
			if diff := cmp.Diff(e.Commands, again.Commands); err != nil || diff != "" {
				t.Error(err, diff)
			}
		}
		decodeBatch(b)      // must not panic
		decodeResults(b, 1) // must not panic
	})
}
