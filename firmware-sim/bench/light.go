package bench

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/internal/identity"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	uplinkv1 "holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// lightNode is a node whose store is made of paper: the line and its protocol
// are real, the journal is in memory and the shop floor does nothing.
type lightNode struct {
	*paper
	id   *identity.NodeIdentity
	link *uplink.Link

	sessions atomic.Int64 // that the cloud has opened

	mu         sync.Mutex
	entries    []journal.Entry  // guarded by mu: that the cloud may not have yet
	head       journal.Position // guarded by mu: what the node shows of its journal
	directives journal.Position // guarded by mu: applied
	acked      uint64           // guarded by mu
	changed    chan struct{}    // guarded by mu: closed when head or acked moves
}

// newLightNode makes a key for a store's node. Its folder may be in memory.
func newLightNode(dir string, store int) (*lightNode, error) {
	id, err := identity.OpenNodeKey(filepath.Join(dir, fmt.Sprintf("node-%d", store)))
	return &lightNode{id: id, changed: make(chan struct{})}, err
}

// nodeID is the node's id as the cloud keeps it.
func (n *lightNode) nodeID() ([]byte, error) { return hex.DecodeString(string(n.id.ID())) }

// certify gives the node a certificate for its store.
func (n *lightNode) certify(ca *identity.CA, addr string) error {
	epoch := stock.Epoch{Timeline: stock.Timeline(n.epoch.GetTimeline()), Counter: n.epoch.GetCounter()}
	cert, err := ca.SignNode(n.id.CSR(), n.id.ID(), n.store, epoch, identity.NodeCertTTL)
	if err != nil {
		return err
	}
	n.head, n.acked = n.last, n.last.Seq
	if n.last.Seq > 0 { // a line that goes on asks for the hash before
		n.entries = []journal.Entry{{Seq: n.last.Seq, Hash: n.last.Hash}}
	}
	return n.id.Enrol(identity.NewJoin(ca.Pin(), addr, n.store), ca.Certificate(), cert)
}

// plug makes the node's end of the line; Run of it connects.
func (n *lightNode) plug() *uplink.Link {
	n.link = uplink.New(uplink.Options{Identity: n.id, Floor: n, Logger: slog.New(slog.DiscardHandler)})
	return n.link
}

// online waits until so many sessions have been opened, and the last one is.
func (n *lightNode) online(ctx context.Context, sessions int64) error {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	for {
		changed := n.link.Watch()
		s := n.link.State()
		if s.Phase == uplink.Online && n.sessions.Load() >= sessions {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("store %s is %v, refused %q: %w", n.store, s.Phase, s.Refused, context.Cause(ctx))
		}
	}
}

// prepare writes records that the node does not show yet.
func (n *lightNode) prepare(records ...*recordv1.Record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range records {
		n.last.Seq++
		r.Seq = n.last.Seq
		raw, err := proto.Marshal(r)
		if err != nil {
			return err
		}
		n.last.Hash = journal.Chain(n.last.Hash, n.last.Seq, raw)
		n.entries = append(n.entries, journal.Entry{Seq: n.last.Seq, Data: raw, Hash: n.last.Hash})
	}
	return nil
}

// show lets the line have everything that was prepared.
func (n *lightNode) show() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.head = n.last
	n.announce()
}

// announce needs mu.
func (n *lightNode) announce() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// newest is how many bytes the newest record has.
func (n *lightNode) newest() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.entries[len(n.entries)-1].Data)
}

// taken waits until the cloud has acknowledged everything that was shown.
func (n *lightNode) taken(ctx context.Context) error {
	for {
		n.mu.Lock()
		done, changed, acked := n.acked >= n.head.Seq, n.changed, n.acked
		n.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the cloud has %d records of store %s: %w", acked, n.store, context.Cause(ctx))
		}
	}
}

// Hello presents the journal.
func (n *lightNode) Hello(context.Context) (*recordv1.Hello, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hello()
	h.JournalLast, h.JournalHash = n.head.Seq, append([]byte{}, n.head.Hash[:]...)
	h.DirectivesApplied = n.directives.Seq
	h.DirectivesHash = append([]byte{}, n.directives.Hash[:]...)
	h.WallMs = time.Now().UnixMilli()
	return h, nil
}

// Welcome counts.
func (n *lightNode) Welcome(context.Context, *uplinkv1.Welcome) error {
	n.sessions.Add(1)
	return nil
}

// Recover is not what is measured.
func (n *lightNode) Recover(context.Context, *uplinkv1.Welcome, *uplink.Remote) error {
	return errors.New("a store of paper has to recover")
}

// SampleClock has no clock to set.
func (n *lightNode) SampleClock(int64) {}

// Entries reads what was shown.
func (n *lightNode) Entries(_ context.Context, from uint64, maxEntries, maxBytes int) ([]journal.Entry, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.entries) == 0 || from < n.entries[0].Seq || from > n.head.Seq {
		return nil, fmt.Errorf("store %s has no record %d", n.store, from)
	}
	first := int(from - n.entries[0].Seq)
	last, size := first, 0
	for last < len(n.entries) && last-first < maxEntries && n.entries[last].Seq <= n.head.Seq {
		if size += len(n.entries[last].Data); last > first && size > maxBytes {
			break
		}
		last++
	}
	return n.entries[first:last:last], nil
}

// Head is the end of what was shown.
func (n *lightNode) Head() journal.Position {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.head
}

// Changed is closed once more is shown.
func (n *lightNode) Changed(seq uint64) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.head.Seq > seq {
		now := make(chan struct{})
		close(now)
		return now
	}
	return n.changed
}

// ApplyDirectives remembers how far the chain goes.
func (n *lightNode) ApplyDirectives(_ context.Context, from uint64, _ []byte, all [][]byte) (uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, raw := range all {
		if seq := from + uint64(i); seq == n.directives.Seq+1 {
			n.directives = journal.Position{Seq: seq, Hash: journal.Chain(n.directives.Hash, seq, raw)}
		}
	}
	return n.directives.Seq, nil
}

// GrantUpTo gives nothing.
func (n *lightNode) GrantUpTo(context.Context, []*uplinkv1.Want) ([]*uplinkv1.Got, error) {
	return nil, nil
}

// Acked forgets what the cloud has.
func (n *lightNode) Acked(_ context.Context, seq uint64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.acked = max(n.acked, seq)
	for len(n.entries) > 0 && n.entries[0].Seq < n.acked {
		n.entries = n.entries[1:]
	}
	n.announce()
	return nil
}
