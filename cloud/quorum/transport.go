package quorum

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// transport hands messages to raft one after the other.
//
// Heartbeats take no shorter way. Raft would handle them beside its main loop,
// where a newer term in one can turn a leader into a follower while it appends
// as a leader: then two leaders write in one term.
//
// A received snapshot ends the raft that took it, see Member.rebuild; until
// the next one runs, messages wait.
//
// There is no pipeline to a follower: one message is on its way at a time, with
// everything that waits in it. Raft's pipeline can lock up for good when the
// connection breaks while it is full.
//
// A member that waits to be taken in hears nothing: its address may be that of a
// member whose folder was wiped. What is meant for that one, which the others
// still count on, must not be answered by one that has forgotten its votes.
//
// The transport has no Close method, so raft's end does not close it.
type transport struct {
	raft.Transport
	raft.WithPreVote
	out       chan raft.RPC
	installed func() // is called after raft took a snapshot
	done      chan struct{}
	stop      func()
	wait      sync.WaitGroup
	telling   sync.Mutex  // held while raft is told something, or ends
	outside   atomic.Bool // nobody took this member in yet
}

var errOutside = errors.New("this member waits to be taken in: it answers for nobody else")

const noPipeline = 1

// preVoting is a transport of raft's own.
type preVoting interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
}

func newTransport(inner preVoting, outside bool, installed func()) *transport {
	t := &transport{Transport: inner, WithPreVote: inner, out: make(chan raft.RPC),
		installed: installed, done: make(chan struct{})}
	t.stop = sync.OnceFunc(func() {
		close(t.done)
		inner.Close()
	})
	t.outside.Store(outside)
	t.wait.Go(t.pump)
	return t
}

// Consumer returns where raft takes its messages from.
func (t *transport) Consumer() <-chan raft.RPC { return t.out }

// SetHeartbeatHandler does nothing, which sends heartbeats through Consumer.
func (t *transport) SetHeartbeatHandler(func(raft.RPC)) {}

// close ends the transport.
func (t *transport) close() {
	t.stop()
	t.wait.Wait()
}

func (t *transport) pump() {
	for {
		select {
		case rpc := <-t.Transport.Consumer():
			if t.outside.Load() {
				rpc.Respond(nil, errOutside)
			} else if _, snapshot := rpc.Command.(*raft.InstallSnapshotRequest); snapshot {
				t.install(rpc)
			} else {
				t.deliver(rpc)
			}
		case <-t.done:
			return
		}
	}
}

func (t *transport) deliver(rpc raft.RPC) bool {
	select {
	case t.out <- rpc:
		return true
	case <-t.done:
		return false
	}
}

// install delivers a snapshot, and nothing else before raft answered.
func (t *transport) install(rpc raft.RPC) {
	t.telling.Lock()
	defer t.telling.Unlock()
	answer, asker := make(chan raft.RPCResponse, 1), rpc.RespChan
	rpc.RespChan = answer
	if !t.deliver(rpc) {
		return
	}
	var resp raft.RPCResponse
	select {
	case resp = <-answer:
	case <-t.done:
		return
	}
	asker <- resp
	if r, ok := resp.Response.(*raft.InstallSnapshotResponse); ok && r.Success {
		t.installed()
	}
}

// committed tells raft what its leader has said beside raft: that it committed
// the entry with this index in this term. Raft would hear it with the leader's
// next message, which may take a while when nothing else is proposed. If the
// entry is not here yet, nothing happens.
func (t *transport) committed(leader raft.Server, index, term uint64) {
	if !t.telling.TryLock() {
		return // another one is being told, or raft is about to end
	}
	defer t.telling.Unlock()
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(leader.ID),
		Addr: []byte(leader.Address)}
	t.deliver(raft.RPC{Command: &raft.AppendEntriesRequest{RPCHeader: header, Term: term,
		Leader: []byte(leader.Address), PrevLogEntry: index, PrevLogTerm: term,
		LeaderCommitIndex: index}, RespChan: make(chan raft.RPCResponse, 1)})
}

// standNow makes this member a candidate without waiting for a leader that
// cannot be there.
func (t *transport) standNow(id raft.ServerID) {
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id),
		Addr: []byte(t.LocalAddr())}
	t.deliver(raft.RPC{Command: &raft.TimeoutNowRequest{RPCHeader: header},
		RespChan: make(chan raft.RPCResponse, 1)})
}
