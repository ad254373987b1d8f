package quorum

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/stock/journal"
)

// View runs f on a snapshot of this copy. It has what was proposed through this
// member; what others proposed may be missing, see Sync and Age.
func (m *Member) View(ctx context.Context, f func(tx *journal.Tx) error) error {
	return m.books.view(ctx, f)
}

// Sync waits until this copy has everything that anybody was told of before
// Sync was called. A View after it sees it.
func (m *Member) Sync(ctx context.Context) error {
	until := time.Now().Add(m.o.Timing.Patience)
	for {
		news := m.news.wait()
		index, err := m.askFreshIndex(ctx)
		if err == nil {
			return m.applied.reach(ctx, index)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if m.Err() != nil {
			return m.Err()
		}
		if time.Now().After(until) {
			return busy(time.Second, "no leader can say how fresh this copy is")
		}
		select {
		case <-news:
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return ctx.Err()
		case <-m.ctx.Done():
			return journal.ErrClosed
		}
	}
}

func (m *Member) askFreshIndex(ctx context.Context) (uint64, error) {
	if m.Leads() {
		return m.freshIndex(ctx)
	}
	leader, id := m.raft.Load().LeaderWithID()
	if leader == "" || id == m.id {
		return 0, errNotLeader
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timing.Election)
	defer cancel()
	return number(m.peers.ask(ctx, string(leader), askIndex, nil))
}

// reads collects those who wait for a fresh index: one round of questions to
// the other members serves all that came before it began.
type reads struct {
	mu      sync.Mutex
	next    *round // guarded by mu: has not begun
	running bool   // guarded by mu
}

type round struct {
	done  chan struct{}
	index uint64 // valid once done is closed
	err   error
}

// freshIndex returns the index that a copy must have applied to be fresh. Only
// a leader knows.
func (m *Member) freshIndex(ctx context.Context) (uint64, error) {
	m.reads.mu.Lock()
	r := m.reads.next
	if r == nil {
		r = &round{done: make(chan struct{})}
		m.reads.next = r
	}
	if !m.reads.running {
		m.reads.running = true
		go m.runRounds() // ends with the member at the latest
	}
	m.reads.mu.Unlock()
	select {
	case <-r.done:
		return r.index, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (m *Member) runRounds() {
	for {
		m.reads.mu.Lock()
		r := m.reads.next
		m.reads.next = nil
		if r == nil {
			m.reads.running = false
			m.reads.mu.Unlock()
			return
		}
		m.reads.mu.Unlock()
		r.index, r.err = m.confirmedIndex()
		close(r.done)
	}
}

// confirmedIndex takes the index of the newest committed entry that changes
// something, and then makes sure that there was no newer leader when it did.
//
// Raft's own VerifyLeader would not do: it counts answers to heartbeats that
// were sent before it was called, from members that have voted for another
// leader since.
func (m *Member) confirmedIndex() (uint64, error) {
	t := m.lead.Load()
	if t == nil {
		return 0, errNotLeader
	}
	index := m.lastChange(m.raft.Load().CommitIndex())
	ctx, cancel := context.WithTimeout(m.ctx, m.o.Timing.Election)
	defer cancel()
	if err := m.confirm(ctx, t.number); err != nil {
		return 0, err
	}
	if m.lead.Load() != t {
		return 0, errNotLeader
	}
	return index, nil
}

// confirm asks the others for their term. A leader of a newer one would have
// got it into a majority first.
func (m *Member) confirm(ctx context.Context, term uint64) error {
	voters := m.voters()
	missing := len(voters)/2 + 1
	answers := make(chan bool, len(voters))
	for _, v := range voters {
		if v.ID == m.id {
			answers <- m.raft.Load().CurrentTerm() == term
			continue
		}
		go func() { // ends with ctx at the latest
			theirs, err := number(m.peers.ask(ctx, string(v.Address), askTerm, nil))
			answers <- err == nil && theirs == term
		}()
	}
	for range voters {
		if <-answers {
			missing--
		}
		if missing == 0 {
			return nil
		}
	}
	return fmt.Errorf("%d more members would have to agree: %w", missing, errNotLeader)
}

// lastChange returns the index of the last entry up to commit that the database
// takes part in. Raft's own entries never reach it.
func (m *Member) lastChange(commit uint64) uint64 {
	applied := m.applied.index()
	var entry raft.Log
	for i := commit; i > applied; i-- {
		if m.store.GetLog(i, &entry) != nil {
			continue
		}
		if entry.Type == raft.LogCommand || entry.Type == raft.LogConfiguration {
			return i
		}
	}
	return applied
}

// age is when this copy was last known to be fresh.
type age struct {
	freshMu sync.Mutex
	fresh   time.Time // guarded by freshMu
}

// Age tells how old this copy may be: since when the leader, as far as this
// member heard of it, may have had more. A leader's copy has no age.
func (m *Member) Age() time.Duration {
	if m.Leads() {
		return 0
	}
	r := m.raft.Load()
	heard, commit := r.LastContact(), r.CommitIndex()
	m.freshMu.Lock()
	defer m.freshMu.Unlock()
	if m.lastChange(commit) <= m.applied.index() && heard.After(m.fresh) {
		m.fresh = heard
	}
	return time.Since(m.fresh)
}
