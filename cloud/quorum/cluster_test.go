package quorum

import (
	"sync"
	"testing"
)

func TestEveryMemberTakesProposals(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	var wait sync.WaitGroup
	for _, name := range c.names() {
		b := c.boxes[name]
		for range 8 {
			wait.Go(func() {
				for range 5 {
					out := c.propose(b, Proposal{UID: fresh(), Data: add(1, 1)})
					if n := read(t, b.m, 1); n < value(out.Reply) {
						t.Errorf("%s does not see its own proposal: %d after %d", name, n, value(out.Reply))
					}
				}
			})
		}
	}
	wait.Wait()
	c.agree()
	if n := read(t, c.leader().m, 1); n != 120 {
		t.Errorf("%d of 120 proposals were counted", n)
	}
}
