package quorum

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// call is what a client asks of one counter: by zero only reads.
type call struct {
	counter uint64
	by      int64
}

// answered is what it hears. An unknown outcome may take effect at any later
// time, or never.
type answered struct {
	n       int64
	refused bool
	unknown bool
}

// counterModel is one counter that never falls below zero.
var counterModel = porcupine.NondeterministicModel{
	Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
		byCounter := map[uint64][]porcupine.Operation{}
		for _, op := range ops {
			counter := op.Input.(call).counter
			byCounter[counter] = append(byCounter[counter], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byCounter {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{int64(0)} },
	Step: func(state, input, output any) []any {
		n, c, a := state.(int64), input.(call), output.(answered)
		next := n + c.by
		switch {
		case a.unknown && next >= 0 && c.by != 0:
			return []any{n, next}
		case a.unknown:
			return []any{n}
		case a.refused && next < 0:
			return []any{n}
		case a.refused || a.n != next:
			return nil
		}
		return []any{next}
	},
	Equal: func(a, b any) bool { return a.(int64) == b.(int64) },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v -> %+v", input, output)
	},
}

// clients call random members, and note when and what.
type clients struct {
	c       *cell
	counter int
	mu      sync.Mutex
	ops     []porcupine.Operation // guarded by mu
	start   time.Time
}

const forever = int64(1) << 60

// run is one client. It reads, linearly, adds and takes, with and without
// request ids.
func (cs *clients) run(ctx context.Context, n int) {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for ctx.Err() == nil {
		names := cs.c.names()
		m := cs.c.boxes[names[r.IntN(len(names))]].m
		in := call{counter: uint64(r.IntN(cs.counter)), by: int64(r.IntN(7)) - 2}
		if r.IntN(3) == 0 {
			in.by = 0
		}
		began := time.Since(cs.start).Nanoseconds()
		out := cs.ask(ctx, m, in, r.IntN(2) == 0)
		ended := time.Since(cs.start).Nanoseconds()
		if out.unknown {
			ended = forever
			if in.by == 0 {
				continue // nothing was read
			}
		}
		cs.mu.Lock()
		cs.ops = append(cs.ops, porcupine.Operation{ClientId: n, Input: in, Output: out, Call: began,
			Return: ended})
		cs.mu.Unlock()
	}
}

func (cs *clients) ask(ctx context.Context, m *Member, in call, withID bool) answered {
	within, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if in.by == 0 && !withID {
		var n int64
		err := m.Sync(within)
		if err == nil {
			err = m.View(within, func(tx *journal.Tx) (err error) {
				n, err = count(tx, in.counter)
				return err
			})
		}
		return answered{n: n, unknown: err != nil}
	}
	p := Proposal{Data: add(in.counter, in.by), MayIdle: true}
	if withID {
		p.UID = fresh()
	}
	out, err := m.Propose(within, p)
	switch {
	case err == nil:
		return answered{n: value(out.Reply)}
	case stock.Refused(err, stock.Short):
		return answered{refused: true}
	case errors.Is(err, journal.ErrUnknown) || within.Err() != nil && !stock.Refused(err, stock.Busy):
		return answered{unknown: true}
	}
	// Nothing was recorded, and the answer says so.
	return answered{unknown: true}
}

// enoughOps is how many operations prove something.
const enoughOps = 100

func (cs *clients) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.ops)
}

// check lets clients run while the network is disturbed, and then holds what
// they heard against one counter after the other.
func (c *cell) check(length time.Duration, disturb func(r *rand.Rand)) {
	c.t.Helper()
	cs := &clients{c: c, counter: 5, start: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), patienceTest)
	defer cancel()
	var wait sync.WaitGroup
	for n := range 10 {
		wait.Go(func() { cs.run(ctx, n) })
	}
	r := rand.New(rand.NewPCG(3, 4))
	for ctx.Err() == nil && (time.Since(cs.start) < length || cs.count() < enoughOps) {
		disturb(r)
	}
	cancel()
	wait.Wait()
	c.links.set(false, c.allPairs()...)
	c.agree()
	result, info := porcupine.CheckOperationsVerbose(counterModel.ToModel(), cs.ops, 30*time.Second)
	known := 0
	for _, op := range cs.ops {
		if !op.Output.(answered).unknown {
			known++
		}
	}
	c.t.Logf("%d operations, %d answered: %s", len(cs.ops), known, result)
	if result != porcupine.Ok {
		path := c.t.ArtifactDir() + "/history.html"
		c.t.Errorf("the history is not linear: %s, %v", path, porcupine.VisualizePath(
			counterModel.ToModel(), info, path))
	}
	if known < len(cs.ops)/4 || known < enoughOps/2 {
		c.t.Errorf("%d of %d operations were answered: too few to prove anything", known, len(cs.ops))
	}
}

func (c *cell) allPairs() (pairs [][2]string) {
	for _, a := range c.names() {
		for _, b := range c.names() {
			if a != b {
				pairs = append(pairs, [2]string{a, b})
			}
		}
	}
	return pairs
}

func lengthOf(long time.Duration) time.Duration {
	if testing.Short() {
		return long / 3
	}
	return long
}

func TestHistoryIsLinearWhenNothingBreaks(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	c.check(lengthOf(time.Second), func(*rand.Rand) { time.Sleep(10 * time.Millisecond) })
}

func TestHistoryIsLinearUnderPartitions(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	c.check(lengthOf(6*time.Second), func(r *rand.Rand) {
		names := c.names()
		victim := names[r.IntN(len(names))]
		if l := c.anyLeader(); l != "" && r.IntN(2) == 0 {
			victim = l
		}
		pairs := isolate(victim, names...)
		switch r.IntN(3) {
		case 0: // one way only
			pairs = pairs[:1]
		case 1: // one line only
			pairs = pairs[:2]
		}
		c.links.set(true, pairs...)
		time.Sleep(time.Duration(r.Int64N(int64(3 * testElection))))
		c.links.set(false, pairs...)
		time.Sleep(time.Duration(r.Int64N(int64(2 * testElection))))
	})
}

func TestHistoryIsLinearWhenLinesFlap(t *testing.T) {
	t.Parallel()
	c := newCell(t, 5, nil)
	c.check(lengthOf(3*time.Second), func(r *rand.Rand) {
		pairs := c.allPairs()
		p := pairs[r.IntN(len(pairs))]
		c.links.set(true, p)
		time.Sleep(time.Duration(r.Int64N(int64(testElection / 5))))
		c.links.set(false, p)
	})
}

func (c *cell) anyLeader() string {
	for _, name := range c.names() {
		if m := c.boxes[name].m; m.Leads() {
			return name
		}
	}
	return ""
}

// A leader that was replaced, and does not know it, answers nothing: neither
// what is fresh, nor what would change nothing.
func TestALeaderThatWasReplacedAnswersNothing(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	old := c.leader()
	c.fill(old, 1)
	// The old leader is heard, but hears nobody: its messages keep it in office
	// with those who have not voted yet.
	c.links.set(true, isolate(old.name, c.names()...)...)
	ctx, cancel := context.WithTimeout(t.Context(), testElection/2)
	defer cancel()
	if err := old.m.Sync(ctx); err == nil {
		t.Error("a leader without a majority says that its copy is fresh")
	}
	if out, err := old.m.Propose(ctx, Proposal{Data: add(1, 0), MayIdle: true}); err == nil {
		t.Errorf("it answers %d to what would change nothing", value(out.Reply))
	}
	if age := old.m.Age(); age > testElection*2 {
		t.Errorf("its copy is %s old", age)
	}
	c.until("another leader", func() bool { return c.leader() != old && !old.m.Leads() })
	c.until("the copy ages", func() bool { return old.m.Age() > testElection })
	c.links.set(false, c.allPairs()...)
	c.agree()
	c.until("the copy is fresh", func() bool { return old.m.Age() < testElection })
}

func TestAReplacedLeadersHeartbeatsConfirmNothing(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	old := c.leader()
	t1 := old.m.lead.Load().number
	if err := old.m.confirm(t.Context(), t1); err != nil {
		t.Error(err)
	}
	for _, term := range []uint64{t1 - 1, t1 + 1} {
		if err := old.m.confirm(t.Context(), term); !notLeader(err) {
			t.Errorf("term %d is confirmed while it is %d: %v", term, t1, err)
		}
	}
}
