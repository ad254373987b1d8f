package quorum

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// term is a leader's time in office, once everything that was committed before
// it is applied here.
type term struct{ number uint64 }

// changeWithin bounds a change of the members.
const changeWithin = 5 * time.Second

// followLeadership does a leader's work while this member leads.
func (m *Member) followLeadership() {
	var stop context.CancelFunc = func() {}
	for {
		var leads bool
		select {
		case leads = <-m.notify:
		case <-m.ctx.Done():
		}
		m.office.Lock()
		stop()
		m.lead.Store(nil)
		m.office.Unlock()
		m.news.ring()
		if m.ctx.Err() != nil {
			return
		}
		if leads {
			var ctx context.Context
			ctx, stop = context.WithCancel(m.ctx)
			m.wait.Go(func() { m.serveTerm(ctx) })
		}
	}
}

// takeOffice begins the time in office, unless it is over.
func (m *Member) takeOffice(ctx context.Context, t *term) bool {
	m.office.Lock()
	defer m.office.Unlock()
	if ctx.Err() != nil {
		return false
	}
	m.lead.Store(t)
	return true
}

// serveTerm opens the term with an entry of its own: when that is applied, so
// is everything before it. Then it does what only leaders do.
func (m *Member) serveTerm(ctx context.Context) {
	applied, err := m.logEntry([]byte{entryOpen})
	for err != nil {
		select {
		case <-ctx.Done(): // leads no more
			return
		case <-time.After(retryAfter):
			applied, err = m.logEntry([]byte{entryOpen})
		}
	}
	if !m.takeOffice(ctx, &term{number: applied.term}) {
		return
	}
	m.news.ring()
	m.log.Info("this member leads", "term", applied.term)
	defer m.log.Info("this member leads no more", "term", applied.term)
	newcomers := make(map[raft.ServerID]*newcomer)
	tick := time.NewTicker(m.o.Timing.Election / 4)
	defer tick.Stop()
	for {
		m.keepHouse(ctx, newcomers)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// keepHouse looks after the members. What fails is tried again at the next
// tick.
func (m *Member) keepHouse(ctx context.Context, newcomers map[raft.ServerID]*newcomer) {
	ctx, cancel := context.WithTimeout(ctx, changeWithin)
	defer cancel()
	infos := m.askAll(ctx)
	steps := []func() error{
		func() error { return m.correctOwnAddress() },
		func() error { return m.upgrade(infos) },
		func() error { return m.check() },
		func() error { return m.promote(infos, newcomers) },
		func() error { return m.yield(infos) },
	}
	for _, step := range steps {
		if err := step(); err != nil && ctx.Err() == nil && !notLeader(err) {
			m.log.Info("leader's work", "err", err)
		}
	}
}

// correctOwnAddress tells the others when this member has moved.
func (m *Member) correctOwnAddress() error {
	for _, s := range m.servers() {
		if s.ID == m.id && s.Address != m.address() {
			return m.change(func(r *raft.Raft) raft.Future {
				return r.AddVoter(m.id, m.address(), 0, changeWithin)
			})
		}
	}
	return nil
}

// upgrade allows newer commands and makes newer tables once every member with
// a vote runs a program that knows them.
func (m *Member) upgrade(infos []Info) error {
	known := upgrade{Version: m.o.Machine.Version(), Tables: len(m.o.Machine.Migrations())}
	for _, i := range infos {
		if i.Voter && i.Problem != "" {
			return nil // its program may be older
		}
		if i.Voter {
			known.Version = min(known.Version, i.Version)
			known.Tables = min(known.Tables, i.Tables)
		}
	}
	j := m.Journal()
	if known.Version <= j.Applied().Version && known.Tables <= j.Tables() {
		return nil
	}
	_, err := m.logEntry(encodeUpgrade(known))
	return err
}

// knows refuses to go on in a cluster that uses what this program does not know.
func (m *Member) knows(version uint32, tables int) error {
	mine, own := m.o.Machine.Version(), len(m.o.Machine.Migrations())
	if version <= mine && tables <= own {
		return nil
	}
	return fmt.Errorf("the cluster uses commands of version %d and tables of version %d, this program knows "+
		"%d and %d: %w", version, tables, mine, own, ErrTooOld)
}

// check lets the members compare their copies every so many entries: each entry
// of this kind says what the leader had at the one before.
func (m *Member) check() error {
	a := m.Journal().Applied()
	if a.Index-a.Marked.Index < m.o.Timing.Check {
		return nil
	}
	_, err := m.logEntry(encodeCheck(a.Marked))
	return err
}

// Forget lets all members drop the records before a number, at the same place of
// the log: the ids of records decide what a proposal leads to. It does nothing where
// this member does not lead, or while commands of a version are not allowed: a
// program that does not know that version stops at an entry of this kind.
func (m *Member) Forget(before uint64, version uint32) error {
	if !m.Leads() || m.Journal().Applied().Version < version {
		return nil
	}
	if _, err := m.logEntry(encodeForget(before)); !notLeader(err) {
		return err
	}
	return nil
}

// newcomer is a member without a vote.
type newcomer struct {
	last  uint64    // the leader's index at the tick before
	since time.Time // keeps up since then; zero: does not
}

// promote gives members a vote that have kept up for a while.
func (m *Member) promote(infos []Info, newcomers map[raft.ServerID]*newcomer) error {
	now, index := time.Now(), m.applied.index()
	var errs []error
	for _, i := range infos {
		id := raft.ServerID(i.ID)
		if i.Voter {
			delete(newcomers, id)
			continue
		}
		n := newcomers[id]
		if n == nil {
			n = &newcomer{last: index}
			newcomers[id] = n
		}
		if i.Problem != "" || i.Applied < n.last {
			n.since = time.Time{}
		} else if n.since.IsZero() {
			n.since = now
		}
		n.last = index
		if n.since.IsZero() || now.Sub(n.since) < m.o.Timing.Settle {
			continue
		}
		m.log.Info("member gets a vote", "member", i.ID)
		errs = append(errs, m.change(func(r *raft.Raft) raft.Future {
			return r.AddVoter(id, raft.ServerAddress(i.Address), 0, changeWithin)
		}))
	}
	return errors.Join(errs...)
}

// yield lets a member lead that has room on its disk, when this one has none.
func (m *Member) yield(infos []Info) error {
	if !m.scarce() {
		return nil
	}
	heir, found := roomy(infos)
	if !found {
		return nil
	}
	m.log.Warn("this member's disk is all but full: another one leads", "member", heir)
	return m.transfer(heir)
}

// roomy finds another member that can lead and has room; the office stays where
// it is when nobody has.
func roomy(infos []Info) (id string, found bool) {
	for _, i := range infos {
		if i.Voter && i.Problem == "" && !i.Scarce && !i.Self {
			return i.ID, true
		}
	}
	return "", false
}

// change runs a change of the members, on the leader.
func (m *Member) change(f func(r *raft.Raft) raft.Future) error {
	r := m.raft.Load()
	err := m.hear(r, f(r))
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipLost) {
		return errNotLeader
	}
	return err
}

// handOver lets another member lead before this one stops.
func (m *Member) handOver() {
	if r := m.raft.Load(); m.Leads() && len(m.voters()) > 1 {
		_ = m.hear(r, r.LeadershipTransfer()) // if nobody can, there will be an election
	}
}

const (
	trailingTime  = 15 * time.Minute
	leastTrailing = 8192
	mostTrailing  = 200_000
	trailingBytes = 300 << 20
	sizeEvery     = time.Minute
)

// sizeLog keeps the log so long that a member that was away for a while need
// not be sent the whole database.
func (m *Member) sizeLog() {
	tick := time.NewTicker(sizeEvery)
	defer tick.Stop()
	entries, bytes := m.store.Appended()
	peak := uint64(0)
	for {
		select {
		case <-tick.C:
		case <-m.ctx.Done():
			return
		}
		n, size := m.store.Appended()
		peak = max(peak, n-entries)
		keep := trailingFor(peak, n-entries, size-bytes)
		entries, bytes = n, size
		r := m.raft.Load()
		c := r.ReloadableConfig()
		if m.o.Timing.Trailing > 0 || keep <= c.TrailingLogs {
			continue
		}
		c.TrailingLogs = keep
		if err := r.ReloadConfig(c); err != nil {
			m.log.Info("size the log", "err", err)
		}
	}
}

// trailingFor returns how many entries to keep: 15 minutes of the busiest
// minute, in bounds.
func trailingFor(peak, entries, bytes uint64) uint64 {
	keep := peak * uint64(trailingTime/sizeEvery)
	if entries > 0 && bytes > 0 {
		keep = min(keep, trailingBytes/max(bytes/entries, 1))
	}
	return min(max(keep, leastTrailing), mostTrailing)
}

// trailing is how many entries raft keeps at first: what is there.
func (m *Member) trailing() uint64 {
	if m.o.Timing.Trailing > 0 {
		return m.o.Timing.Trailing
	}
	first, err := m.store.FirstIndex()
	last, lastErr := m.store.LastIndex()
	if err != nil || lastErr != nil {
		return leastTrailing
	}
	return min(max(last-first, leastTrailing), mostTrailing)
}
