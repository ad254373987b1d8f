package quorum

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"holdfast.dev/stock/journal"
)

const (
	testElection = 250 * time.Millisecond
	patienceTest = time.Minute // for what must happen; it takes a fraction of it
)

// cell is a cluster in one process.
type cell struct {
	t     *testing.T
	dir   string
	links *links
	boxes map[string]*box
	tune  func(name string, o *Options)
}

// box is where one member runs, and runs again after a crash.
type box struct {
	name    string
	dir     string
	machine *counters
	m       *Member // nil: does not run
}

// newCell founds a cluster and lets it grow to n members, all with a vote.
func newCell(t *testing.T, n int, tune func(name string, o *Options)) *cell {
	t.Helper()
	c := &cell{t: t, dir: t.TempDir(), links: newLinks(), boxes: map[string]*box{}, tune: tune}
	t.Cleanup(c.close)
	for i := range n {
		c.start(c.add(fmt.Sprintf("m%d", i+1)), c.anyAddress())
	}
	c.settle()
	return c
}

func (c *cell) add(name string) *box {
	b := &box{name: name, dir: filepath.Join(c.dir, name), machine: &counters{}}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	c.boxes[name] = b
	return b
}

func (c *cell) anyAddress() string {
	for _, name := range c.names() {
		if c.boxes[name].m != nil {
			return name
		}
	}
	return ""
}

func (c *cell) names() []string { return slices.Sorted(maps.Keys(c.boxes)) }

func (c *cell) start(b *box, join string) *Member {
	c.t.Helper()
	m, err := c.open(b, join)
	if err != nil {
		c.t.Fatalf("start %s: %v", b.name, err)
	}
	return m
}

func (c *cell) open(b *box, join string) (*Member, error) {
	p, err := c.links.listen(b.name)
	if err != nil {
		return nil, err
	}
	o := Options{Dir: b.dir, File: "books.db", Machine: b.machine, Net: p, Join: join,
		Logger: logTo(b.name),
		Timing: Timing{Election: testElection, Disk: 5 * time.Second, Settle: testElection}}
	if c.tune != nil {
		c.tune(b.name, &o)
	}
	m, err := Open(context.Background(), o)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	b.m = m
	return m, nil
}

// logTo shows what members say when HOLDFAST_QUORUM_LOG is set.
func logTo(name string) *slog.Logger {
	if os.Getenv("HOLDFAST_QUORUM_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	h := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(h).With("member", name)
}

// crash ends a member as a killed process ends: nothing is handed over.
func (c *cell) crash(b *box) {
	if b.m == nil {
		return
	}
	m := b.m
	b.m = nil
	m.hub.sever()
	m.queue.close()
	if err := m.release(); err != nil && m.Err() == nil {
		c.t.Errorf("crash %s: %v", b.name, err)
	}
}

func (c *cell) close() {
	for _, b := range c.boxes {
		if b.m == nil {
			continue
		}
		if err := b.m.Close(); err != nil {
			c.t.Errorf("close %s: %v", b.name, err)
		}
	}
}

// until waits for something that must come.
func (c *cell) until(what string, holds func() bool) {
	c.t.Helper()
	for end := time.Now().Add(patienceTest); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("not within %s: %s", patienceTest, what)
		}
	}
}

func (c *cell) running() (all []*Member) {
	for _, name := range c.names() {
		if b := c.boxes[name]; b.m != nil && b.m.Err() == nil {
			all = append(all, b.m)
		}
	}
	return all
}

// leader waits for a member that leads.
func (c *cell) leader() *box {
	c.t.Helper()
	var found *box
	c.until("a leader", func() bool {
		for _, b := range c.boxes {
			if b.m != nil && b.m.Err() == nil && b.m.Leads() {
				found = b
				return true
			}
		}
		return false
	})
	return found
}

// followers are those that run and do not lead.
func (c *cell) followers() (all []*box) {
	l := c.leader()
	for _, name := range c.names() {
		if b := c.boxes[name]; b != l && b.m != nil {
			all = append(all, b)
		}
	}
	return all
}

// settle waits until every member that runs has a vote.
func (c *cell) settle() {
	c.t.Helper()
	c.until("a vote for everybody", func() bool {
		for _, b := range c.boxes {
			if b.m == nil {
				continue
			}
			if self, listed := b.m.self(); !listed || self.Suffrage != 0 {
				return false
			}
		}
		return c.leader() != nil
	})
}

func (c *cell) propose(b *box, p Proposal) Outcome {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patienceTest)
	defer cancel()
	for {
		out, err := b.m.Propose(ctx, p)
		if err == nil {
			return out
		}
		if ctx.Err() != nil || p.UID == [16]byte{} || b.m.Err() != nil {
			c.t.Fatalf("propose at %s: %v", b.name, err)
		}
	}
}

func id(n uint64) (uid [16]byte) {
	binary.BigEndian.PutUint64(uid[8:], n)
	return uid
}

// fresh makes a request id.
func fresh() [16]byte { return uuid.New() }

// agree waits until all members that run have the same records, and compares
// what those built.
func (c *cell) agree() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patienceTest)
	defer cancel()
	members := c.running()
	for _, m := range members {
		if err := m.Sync(ctx); err != nil {
			c.t.Fatalf("sync: %v", err)
		}
	}
	// What nobody waits for any more may still come, and between two digests too.
	var diff string
	c.t.Cleanup(func() {
		if diff != "" {
			c.t.Errorf("copies differ: %s", diff)
		}
	})
	c.until("the same head and the same copy for all", func() bool {
		for _, m := range members {
			if m.Journal().Head() != members[0].Journal().Head() {
				return false
			}
		}
		diff = c.differ(ctx, members)
		return diff == ""
	})
}

// differ compares what the members keep.
func (c *cell) differ(ctx context.Context, members []*Member) (diff string) {
	var first map[string]journal.Hash
	for i, m := range members {
		digest, err := m.Journal().Digest(ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		if i == 0 {
			first = digest
		}
		diff += cmp.Diff(first, digest)
	}
	return diff
}

func read(t *testing.T, m *Member, counter uint64) (n int64) {
	t.Helper()
	err := m.View(context.Background(), func(tx *journal.Tx) (err error) {
		n, err = count(tx, counter)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
