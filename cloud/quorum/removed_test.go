package quorum

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// A member that was removed, and did not hear of it, is asked by callers all the
// time. What it tells its raft about the leader's answers must not look like
// the leader: it would never find out.
func TestAnswersOfALeaderAreNotTheLeader(t *testing.T) {
	t.Parallel()
	c := newCell(t, 3, nil)
	lead, out := c.leader(), c.followers()[0]
	c.fill(lead, 2)
	c.links.set(true, isolate(out.name, c.names()...)...)
	alone := func() bool {
		leader, _ := out.m.raft.Load().LeaderWithID()
		return leader == ""
	}
	c.until("nobody leads it", alone)
	answer := result{index: out.m.raft.Load().LastIndex() + 10, term: out.m.raft.Load().CurrentTerm()}
	told := make(chan struct{})
	go func() {
		defer close(told)
		out.m.follow(raft.Server{ID: lead.m.id, Address: raft.ServerAddress(lead.name)}, []result{answer})
	}()
	for ended := false; !ended; time.Sleep(time.Millisecond) {
		if !alone() {
			t.Fatal("an answer passes for a leader")
		}
		select {
		case <-told:
			ended = true
		default:
		}
	}
	c.links.set(false, isolate(out.name, c.names()...)...)
	c.fill(out, 2)
	c.agree()
}
