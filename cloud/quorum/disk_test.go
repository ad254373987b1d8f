package quorum

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/cloud/quorum/logstore"
	"holdfast.dev/stock/journal"
)

// disk is a log that hangs or fails when a test says so.
type disk struct {
	logstore.Backend
	mu   sync.Mutex
	gate chan struct{} // guarded by mu: appending waits for it
	err  error         // guarded by mu: of appending
	held chan struct{} // gets a value when an append begins to wait
}

func newDisk() *disk { return &disk{held: make(chan struct{}, 1)} }

func (d *disk) wrap(b logstore.Backend) logstore.Backend {
	d.Backend = b
	return d
}

func (d *disk) hang() (mend func()) {
	gate := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate = gate
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gate = nil
		close(gate)
	}
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

func (d *disk) StoreLogs(es []*raft.Log) error {
	d.mu.Lock()
	gate, err := d.gate, d.err
	d.mu.Unlock()
	if gate != nil {
		select {
		case d.held <- struct{}{}:
		default:
		}
		<-gate
	}
	if err != nil {
		return err
	}
	return d.Backend.StoreLogs(es)
}

// withDisks gives each member a disk that can fail.
func withDisks(limit time.Duration) (map[string]*disk, func(string, *Options)) {
	disks := map[string]*disk{}
	return disks, func(name string, o *Options) {
		disks[name] = newDisk()
		o.wrapLog = disks[name].wrap
		o.Timing.Disk = limit
	}
}

func TestNothingIsAcknowledgedBeforeItIsInTheLog(t *testing.T) {
	t.Parallel()
	disks, tune := withDisks(time.Minute)
	c := newCell(t, 1, tune)
	b := c.boxes["m1"]
	c.propose(b, Proposal{Data: add(1, 1)})
	mend := disks["m1"].hang()
	answered := make(chan error, 1)
	go func() {
		_, err := b.m.Propose(context.Background(), Proposal{Data: add(1, 1)})
		answered <- err
	}()
	<-disks["m1"].held
	select {
	case err := <-answered:
		t.Errorf("answered %v before the log had it", err)
	case <-time.After(50 * time.Millisecond):
	}
	if n := read(t, b.m, 1); n != 1 {
		t.Errorf("the copy has %d before the log has", n)
	}
	mend()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// A heartbeat of a newer leader must wait until the old one has finished what
// it appends.
func TestAHeartbeatWaitsItsTurn(t *testing.T) {
	t.Parallel()
	disks, tune := withDisks(time.Minute)
	c := newCell(t, 1, tune)
	m := c.boxes["m1"].m
	c.propose(c.boxes["m1"], Proposal{Data: add(1, 1)})
	p, err := c.links.listen("rival")
	if err != nil {
		t.Fatal(err)
	}
	h := newHub(p, nil, func(error) {})
	defer h.close()
	rival := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: raftLayer{h},
		Timeout: time.Minute, Logger: raftLogger(logTo("rival"))})
	defer rival.Close()
	term := m.raft.Load().CurrentTerm()
	mend := disks["m1"].hang()
	go m.Propose(context.Background(), Proposal{Data: add(1, 1)}) // its end does not matter
	<-disks["m1"].held
	heard := make(chan error, 1)
	go func() {
		header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("rival"),
			Addr: []byte("rival")}
		heard <- rival.AppendEntries(m.id, "m1", &raft.AppendEntriesRequest{RPCHeader: header,
			Term: term + 5, Leader: []byte("rival")}, &raft.AppendEntriesResponse{})
	}()
	select {
	case err := <-heard:
		t.Errorf("the heartbeat overtook an append: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if now := m.raft.Load().CurrentTerm(); now != term {
		t.Errorf("the term went from %d to %d while the leader appended", term, now)
	}
	mend()
	if err := <-heard; err != nil {
		t.Error(err)
	}
}

func TestALeaderWithAHungDiskLosesItsOffice(t *testing.T) {
	t.Parallel()
	disks, tune := withDisks(time.Minute)
	c := newCell(t, 3, func(name string, o *Options) {
		tune(name, o)
		o.Timing.Disk = 4 * testElection
	})
	old := c.leader()
	c.propose(old, Proposal{Data: add(1, 1)})
	mend := disks[old.name].hang()
	defer mend()
	_, err := old.m.Propose(t.Context(), Proposal{Data: add(1, 1)})
	if !errors.Is(err, journal.ErrUnknown) {
		t.Errorf("the hung leader answers %v", err)
	}
	<-old.m.Fault()
	if !errors.Is(old.m.Err(), logstore.ErrHung) {
		t.Errorf("it stopped for %v", old.m.Err())
	}
	c.until("another leader", func() bool { l := c.leader(); return l != old })
	c.propose(c.leader(), Proposal{UID: fresh(), Data: add(2, 1)})
	start := time.Now()
	if err := old.m.Close(); err != nil || time.Since(start) > patienceTest {
		t.Errorf("closing took %s: %v", time.Since(start), err)
	}
	old.m = nil
}

func TestAFailedWriteIsTheLast(t *testing.T) {
	t.Parallel()
	disks, tune := withDisks(time.Minute)
	c := newCell(t, 3, tune)
	bad := c.followers()[0]
	disks[bad.name].fail(errors.New("input/output error"))
	c.propose(c.leader(), Proposal{UID: fresh(), Data: add(1, 1)})
	<-bad.m.Fault()
	disks[bad.name].fail(nil)
	if _, err := bad.m.Propose(t.Context(), Proposal{Data: add(1, 1)}); err == nil {
		t.Error("a member with a failed disk took a proposal")
	}
	c.propose(c.leader(), Proposal{UID: fresh(), Data: add(1, 1)})
	if err := bad.m.Close(); err != nil {
		t.Error(err)
	}
	bad.m = nil
	c.start(bad, "")
	c.agree()
}
