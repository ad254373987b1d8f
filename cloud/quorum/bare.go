package quorum

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/cloud/quorum/logstore"
)

const (
	barePatience = time.Minute
	barePoll     = time.Millisecond
	barePooled   = 3 // connections kept to each member
	bareTimeout  = 10 * time.Second
)

// Bare is raft without us, all its members in this process: the same log,
// transport and settings, one entry for each proposal, and nothing is built from
// them. It is the limit that the speed of members is held against.
type Bare struct {
	all    []bareMember
	leader *raft.Raft
}

type bareMember struct {
	raft  *raft.Raft
	hub   *hub
	store *logstore.Store
}

// OpenBare founds a raft in an empty folder, with one member for each net, and
// waits until one of them leads.
func OpenBare(dir string, nets ...Net) (*Bare, error) {
	servers := make([]raft.Server, len(nets))
	for i, n := range nets {
		servers[i] = raft.Server{ID: raft.ServerID(n.Addr()), Address: raft.ServerAddress(n.Addr())}
	}
	b := new(Bare)
	for i, n := range nets {
		path := filepath.Join(dir, fmt.Sprintf("bare-%d", i))
		if err := b.add(path, n, servers); err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	for until := time.Now().Add(barePatience); time.Now().Before(until); time.Sleep(barePoll) {
		for _, m := range b.all {
			if m.raft.State() == raft.Leader {
				b.leader = m.raft
				return b, nil
			}
		}
	}
	return nil, errors.Join(errors.New("no member of a bare raft leads"), b.Close())
}

func (b *Bare) add(path string, n Net, servers []raft.Server) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	bolt, err := logstore.Bolt(filepath.Join(path, "log.db"))
	if err != nil {
		return err
	}
	quiet := raftLogger(slog.New(slog.DiscardHandler))
	m := bareMember{store: logstore.Guard(bolt, logstore.Options{Limit: barePatience}),
		hub: newHub(n, nil, func(error) {})}
	trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: raftLayer{m.hub},
		MaxPool: barePooled, Timeout: bareTimeout, Logger: quiet})
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.BatchApplyCh = raft.ServerID(n.Addr()), quiet, true
	snaps := raft.NewInmemSnapshotStore()
	err = raft.BootstrapCluster(c, m.store, m.store, snaps, trans, raft.Configuration{Servers: servers})
	if err == nil {
		m.raft, err = raft.NewRaft(c, forgetful{}, m.store, m.store, snaps, trans)
	}
	if err != nil {
		m.hub.close()
		return errors.Join(err, m.store.Close())
	}
	b.all = append(b.all, m)
	return nil
}

// Propose logs an entry and waits until it is committed.
func (b *Bare) Propose(data []byte) error { return b.leader.Apply(data, barePatience).Error() }

// Close ends all members.
func (b *Bare) Close() error {
	var errs []error
	for _, m := range b.all {
		m.hub.sever()
	}
	for _, m := range b.all {
		errs = append(errs, m.raft.Shutdown().Error())
		m.hub.close()
		errs = append(errs, m.store.Close())
	}
	return errors.Join(errs...)
}

// forgetful builds nothing.
type forgetful struct{}

// Apply does nothing.
func (forgetful) Apply(*raft.Log) any { return nil }

// ApplyBatch does nothing.
func (forgetful) ApplyBatch(logs []*raft.Log) []any { return make([]any, len(logs)) }

// Snapshot has nothing in it.
func (f forgetful) Snapshot() (raft.FSMSnapshot, error) { return f, nil }

// Restore reads nothing.
func (forgetful) Restore(from io.ReadCloser) error { return from.Close() }

// Persist writes nothing.
func (forgetful) Persist(sink raft.SnapshotSink) error { return sink.Close() }

// Release does nothing.
func (forgetful) Release() {}
