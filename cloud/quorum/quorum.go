// Package quorum keeps one journal on several members: a log that a majority
// of them must hold before anybody hears of an entry, around the SQLite that
// the entries build. One member alone is a quorum too.
package quorum

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/cloud/quorum/logstore"
	"holdfast.dev/stock/journal"
)

// Errors that end a member for good; see Member.Fault.
var (
	// ErrInstallLoop means that this member was sent the whole database again
	// and again. Starting it anew right away would not help.
	ErrInstallLoop = errors.New("the whole database was installed too often")
	// ErrRemoved means that the other members took this one out. Its folder is
	// of no more use; a new member needs a new one.
	ErrRemoved = errors.New("this member was removed")
	// ErrTooOld means that the cluster uses commands or tables that this member's
	// program does not know. Nothing is lost; it takes a newer program.
	ErrTooOld = errors.New("this member's program is too old: start one that is at least as new as the " +
		"other members'; its data stays as it is")
	// ErrHung means that the database did not answer in time.
	ErrHung = errors.New("database does not answer")
)

// Machine is what the log builds, and how its commands are prepared.
type Machine interface {
	journal.Machine
	// Version is the newest version of commands that Apply understands.
	Version() uint32
	// Seal completes a command right before it is logged, on the leader: its
	// time, and a version that all members understand. An error, a refusal for
	// one, goes to the caller; nothing is recorded.
	Seal(data []byte, version uint32) ([]byte, error)
	// Idle answers a command that would change nothing as things are, and says
	// so. It is asked for proposals that may be idle.
	Idle(tx *journal.Tx, data []byte) (reply []byte, idle bool, err error)
}

// Timing says how patient a member is. Zero fields get their defaults. All
// members should have the same.
type Timing struct {
	// Election is how long a leader may be silent; default 1 s. It must exceed
	// a slow fsync, because heartbeats wait behind one.
	Election time.Duration
	// Disk is how long an access to the log may take; default 2 s.
	Disk time.Duration
	// Patience is how long a proposal or a read waits for a leader; default 5 s.
	Patience time.Duration
	// Settle is how long a new member must keep up before it gets a vote;
	// default 30 s.
	Settle time.Duration
	// Snapshot is after how many entries the log may be cut; default 4096.
	Snapshot uint64
	// Trailing is how many entries are kept at least; default: by time.
	Trailing uint64
	// Check is after how many entries the members compare themselves; default
	// 4096.
	Check uint64
}

func (t *Timing) setDefaults() {
	t.Election = cmp.Or(t.Election, time.Second)
	t.Disk = cmp.Or(t.Disk, logstore.Limit)
	t.Patience = cmp.Or(t.Patience, 5*time.Second)
	t.Settle = cmp.Or(t.Settle, 30*time.Second)
	t.Snapshot = cmp.Or(t.Snapshot, 4096)
	t.Check = cmp.Or(t.Check, 4096)
}

// Options say where a member keeps its data and what it builds.
type Options struct {
	Dir     string // of the database and the member's own files; "": in memory, alone
	File    string // name of the database in Dir
	Machine Machine
	Net     Net    // to the other members; nil: there are none
	Join    string // address of a member that takes a new one in; "": found a cluster
	// Adopt founds a cluster with a database whose log is gone, such as one from
	// a backup. Whoever sets it knows that no member is left that has more.
	Adopt bool
	// Tail, with Adopt, is the log file of the member that the database was of, or
	// "": entries that the database does not have yet come on top of it. Some may
	// never have been agreed on; nobody was told that they were not.
	Tail   string
	Logger *slog.Logger
	Timing Timing

	// Applied, when set, is told the number of the newest record after each
	// commit, before proposers hear of theirs. Restored tells that the whole
	// database was replaced.
	Applied func(seq uint64, restored bool)
	// Scarce, when set, tells that this member's disk is all but full: another
	// one should lead.
	Scarce func() bool
	// Serve, when set, answers what other members ask by Ask.
	Serve func(ctx context.Context, question []byte) ([]byte, error)

	wrapLog func(logstore.Backend) logstore.Backend // of tests: a disk that fails
	halt    func(step string) error                 // of tests: a crash while founding
}

// Member is one copy of the journal with its part in the log. Its methods may
// be called from any goroutine.
type Member struct {
	o       Options
	log     *slog.Logger
	folder  folder
	id      raft.ServerID
	outside bool // was no member yet when it was opened
	store   *logstore.Store
	snaps   *snapshots
	books   books
	hub     *hub // nil: alone
	trans   *transport
	peers   peers
	raft    atomic.Pointer[raft.Raft]
	lead    atomic.Pointer[term] // nil: does not lead, or may not serve yet
	office  sync.Mutex           // held while lead changes

	queue   queue
	reads   reads
	applied progress
	news    bell // rings when who leads may have changed
	notify  chan bool
	installs
	age

	ctx     context.Context // ends with Close or a fault
	cancel  context.CancelFunc
	wait    sync.WaitGroup
	started chan struct{} // closed when raft runs
	closing atomic.Bool
	once    sync.Once
	fault   chan struct{}
	cause   atomic.Pointer[error]
}

// Open opens or creates a member. It returns once the member runs; whether
// there is a leader, Ready tells.
func Open(ctx context.Context, o Options) (*Member, error) {
	o.Timing.setDefaults()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Member{o: o, log: o.Logger, fault: make(chan struct{}), notify: make(chan bool, 16),
		started: make(chan struct{})}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.queue.init()
	m.news.init()
	m.applied.init()
	if err := m.survive(func() error { return m.open(ctx) }); err != nil {
		return nil, errors.Join(fmt.Errorf("open member: %w", err), m.release())
	}
	return m, nil
}

// survive runs f where a disk's fault may end the goroutine.
func (m *Member) survive(f func() error) error {
	ended := make(chan error, 1)
	go func() {
		err := errors.New("the disk failed")
		defer func() { ended <- err }()
		err = f()
	}()
	return errors.Join(<-ended, m.Err())
}

func (m *Member) open(ctx context.Context) error {
	if err := m.openFolder(ctx); err != nil {
		return err
	}
	m.openTransport()
	if err := m.startRaft(); err != nil {
		return err
	}
	close(m.started)
	if m.hub == nil && m.HasOthers() {
		return errors.New("this member has others: it needs an address for them")
	}
	m.wait.Go(m.followLeadership)
	m.wait.Go(m.pack)
	m.wait.Go(m.sizeLog)
	if m.hub != nil {
		m.wait.Go(m.announce)
		m.wait.Go(m.missRemoval)
	}
	if m.alone() {
		m.wait.Go(m.standNow)
	}
	return nil
}

// standNow makes this member a candidate: there is nobody to wait for.
func (m *Member) standNow() {
	if m.raft.Load().State() == raft.Follower {
		m.trans.standNow(m.id)
	}
}

func (m *Member) openTransport() {
	m.peers.open = make(map[string]*peer)
	if m.o.Net == nil {
		_, inner := raft.NewInmemTransport(localAddress)
		m.trans = newTransport(inner, m.outside, m.rebuild)
		return
	}
	m.hub = newHub(m.o.Net, m.servePeer, func(err error) {
		m.log.Debug("connection refused", "err", err)
	})
	m.peers.hub = m.hub
	const pooled = 3 // connections kept to each member
	inner := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: raftLayer{m.hub},
		MaxPool: pooled, MaxRPCsInFlight: noPipeline, Logger: raftLogger(m.log),
		Timeout: max(10*m.o.Timing.Election, dialWithin)})
	m.trans = newTransport(inner, m.outside, m.rebuild)
}

// startRaft makes raft from what the folder holds.
func (m *Member) startRaft() error {
	c, t := raft.DefaultConfig(), m.o.Timing
	c.LocalID, c.Logger = m.id, raftLogger(m.log)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = t.Election, t.Election, t.Election
	c.CommitTimeout = min(c.CommitTimeout, t.Election/4)
	c.BatchApplyCh = true
	c.ShutdownOnRemove = false
	c.NoSnapshotRestoreOnStart = true // the database is the snapshot
	c.NoLegacyTelemetry = true
	c.SnapshotThreshold, c.SnapshotInterval = t.Snapshot, snapshotInterval
	if t.Trailing > 0 {
		c.SnapshotInterval = t.Election / 4
	}
	c.TrailingLogs = m.trailing()
	c.NotifyCh = m.notify
	r, err := raft.NewRaft(c, (*fsm)(m), m.store.ForRaft(), m.store, m.snaps, m.trans)
	if err != nil {
		return err
	}
	watched := make(chan raft.Observation, 16)
	r.RegisterObserver(raft.NewObserver(watched, false, func(o *raft.Observation) bool {
		m.news.ring()
		return false
	}))
	m.raft.Store(r)
	m.news.ring()
	return nil
}

// ID returns the member's id: made with its folder, and never used again.
func (m *Member) ID() string { return string(m.id) }

// Journal is this member's copy, for backups and for verifying. A restore
// replaces it, so ask each time.
func (m *Member) Journal() *journal.Journal { return m.books.current() }

// Fault returns a channel that is closed when the member stopped for good: the
// process must end. Err tells why.
func (m *Member) Fault() <-chan struct{} { return m.fault }

// Err returns why the member stopped, or nil while it works.
func (m *Member) Err() error {
	if p := m.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// Leads tells whether this member leads and serves.
func (m *Member) Leads() bool { return m.lead.Load() != nil }

// Ready waits until this copy is fresh, which takes a leader.
func (m *Member) Ready(ctx context.Context) error { return m.Sync(ctx) }

// fail ends the member: it is gone for the others at once, and nothing is
// acknowledged any more. Only the first cause is kept.
func (m *Member) fail(cause error) {
	if m.closing.Load() {
		return
	}
	m.once.Do(func() {
		m.cause.Store(&cause)
		m.log.Error("member stopped", "err", cause)
		close(m.fault)
		if m.hub != nil {
			m.hub.sever()
		}
		m.cancel()
	})
}

// Close stops the member. One that leads hands over first. After a fault it
// leaves behind what does not end: a hung disk must not keep the process.
func (m *Member) Close() error {
	if m.closing.Swap(true) {
		return nil
	}
	if m.Err() != nil {
		m.closing.Store(true)
		return m.abandon()
	}
	m.queue.close()
	m.drain()
	m.handOver()
	return m.release()
}

// abandon gives what still runs a moment.
func (m *Member) abandon() error {
	const moment = time.Second
	ended := make(chan struct{})
	go func() { // is left behind when the disk hangs
		defer close(ended)
		_ = m.release() // the fault is what counts
	}()
	select {
	case <-ended:
	case <-time.After(moment):
	}
	return nil
}

// release frees what open got hold of, however far it came.
func (m *Member) release() error {
	m.closing.Store(true)
	m.cancel()
	var errs []error
	if m.hub != nil {
		m.hub.sever() // whoever reads from another member hears it
	}
	if m.trans != nil {
		m.trans.close()
	}
	if r := m.raft.Load(); r != nil {
		errs = append(errs, r.Shutdown().Error())
	}
	if m.hub != nil {
		m.hub.close()
	} else if m.o.Net != nil {
		errs = append(errs, m.o.Net.Close())
	}
	m.wait.Wait()
	if j := m.books.current(); j != nil {
		errs = append(errs, j.Close())
	}
	if m.store != nil {
		errs = append(errs, m.store.Close())
	}
	return errors.Join(errs...)
}
