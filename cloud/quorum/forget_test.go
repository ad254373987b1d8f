package quorum

import (
	"testing"
)

// forgets is the version of commands from which on these members may forget.
const forgets = 2

func (c *cell) firsts() map[uint64]int {
	c.t.Helper()
	all := make(map[uint64]int)
	for _, m := range c.running() {
		first, err := m.Journal().First(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		all[first]++
	}
	return all
}

func TestOldRecordsGoEverywhereOnceEverybodyKnowsHow(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	for n := range uint64(20) {
		c.propose(c.leader(), Proposal{UID: id(n + 1), Data: add(1, 1)})
	}
	if err := c.leader().m.Forget(11, forgets); err != nil {
		t.Fatal(err)
	}
	c.agree()
	if all := c.firsts(); all[1] != 3 {
		t.Fatalf("members that know version 1 forgot: %v", all)
	}
	for _, b := range c.boxes { // one after the other gets a newer program
		c.crash(b)
		b.machine.version = forgets
		c.start(b, "")
		c.settle()
	}
	c.until("the newer version", func() bool {
		return c.leader().m.Journal().Applied().Version == forgets
	})
	if err := c.followers()[0].m.Forget(11, forgets); err != nil {
		t.Fatal(err)
	}
	c.agree()
	if all := c.firsts(); all[1] != 3 {
		t.Fatalf("a member that does not lead decided: %v", all)
	}
	if err := c.leader().m.Forget(11, forgets); err != nil {
		t.Fatal(err)
	}
	c.start(c.addNewer("m4"), c.leader().name)
	c.settle()
	c.agree()
	if all := c.firsts(); all[11] != 4 {
		t.Errorf("first records, by members: %v", all)
	}
	for _, b := range c.boxes {
		if out := c.propose(b, Proposal{UID: id(12), Data: add(1, 1)}); !out.Repeated || out.Seq != 12 {
			t.Errorf("a kept id at %s: %+v", b.name, out)
		}
	}
	if out := c.propose(c.leader(), Proposal{UID: id(3), Data: add(1, 1)}); out.Repeated || out.Seq != 21 {
		t.Errorf("a forgotten id: %+v", out)
	}
	c.agree()
	for _, m := range c.running() {
		if r, err := m.Journal().Verify(t.Context(), nil); err != nil || !r.OK() || r.Records != 21 {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

func (c *cell) addNewer(name string) *box {
	b := c.add(name)
	b.machine.version = forgets
	return b
}
