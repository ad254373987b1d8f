package quorum

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// What travels between a member and its leader: a batch of proposals one way,
// their results in the same order the other way.
const (
	flagMayIdle  = 1
	flagRepeated = 1

	// leastProposal and leastResult are the fewest bytes of one.
	leastProposal = 16 + 1 + 1
	leastResult   = 3

	// tellAgain is how long a copy may take for what was committed.
	tellAgain = 2 * time.Millisecond
)

// forward lets the leader answer a batch.
func (m *Member) forward(leader raft.Server, batch []*item) {
	ctx, cancel := context.WithTimeout(m.ctx, m.o.Timing.Patience)
	defer cancel()
	reply, err := m.peers.ask(ctx, string(leader.Address), askPropose, encodeBatch(batch))
	var results []result
	if err == nil {
		results, err = decodeResults(reply, len(batch))
	} else if !errors.Is(err, journal.ErrUnknown) {
		err = errNotLeader // it was not served, so another try is safe
	}
	if err != nil {
		answerAll(batch, result{err: err}, everyone)
		return
	}
	m.follow(leader, results)
	for i, it := range batch {
		it.done <- results[i]
	}
}

// follow waits until this copy has what the leader has applied: whoever asked
// will look at it next. If it does not catch up, the results are true all the
// same.
func (m *Member) follow(leader raft.Server, results []result) {
	var newest result
	for _, r := range results {
		if r.index > newest.index {
			newest = r
		}
	}
	until := time.Now().Add(catchUp)
	for m.applied.index() < newest.index && time.Now().Before(until) && m.ctx.Err() == nil {
		// Before the entry is here it must not be told: raft would take it for a
		// word of its leader, and a member that was removed would never miss one.
		if m.raft.Load().LastIndex() >= newest.index {
			m.trans.committed(leader, newest.index, newest.term)
		}
		wait, stop := context.WithTimeout(m.ctx, tellAgain)
		_ = m.applied.reach(wait, newest.index) // or it is told again
		stop()
	}
}

// serveBatch answers a batch of another member, if this one leads.
func (m *Member) serveBatch(ctx context.Context, payload []byte) ([]byte, error) {
	items, err := decodeBatch(payload)
	if err != nil {
		return nil, err
	}
	if !m.Leads() {
		return nil, m.whoLeads()
	}
	results := make([]result, len(items))
	var wait sync.WaitGroup
	together := make([]*item, 0, len(items))
	for i, it := range items {
		if it.p.MayIdle {
			wait.Go(func() { results[i] = m.try(ctx, it) })
		} else {
			together = append(together, it)
		}
	}
	err = m.queue.put(together...)
	for i, it := range items {
		switch {
		case it.p.MayIdle:
		case err != nil:
			results[i] = result{err: err}
		default:
			results[i] = m.await(ctx, it)
		}
	}
	wait.Wait()
	return encodeResults(results), nil
}

// whoLeads is the answer of a member that does not.
func (m *Member) whoLeads() error {
	leader, id := m.raft.Load().LeaderWithID()
	if id == m.id {
		leader = "" // is about to lead
	}
	return &notLeaderError{leader: string(leader)}
}

func encodeBatch(batch []*item) []byte {
	b := binary.AppendUvarint(nil, uint64(len(batch)))
	for _, it := range batch {
		flags := byte(0)
		if it.p.MayIdle {
			flags |= flagMayIdle
		}
		b = append(append(b, it.p.UID[:]...), flags)
		b = appendBytes(b, it.p.Data)
	}
	return b
}

func decodeBatch(payload []byte) ([]*item, error) {
	r := reader{b: payload}
	items := make([]*item, r.count(leastProposal))
	for i := range items {
		it := &item{done: make(chan result, 1)}
		it.p.UID = [16]byte(r.take(16))
		it.p.MayIdle = r.take(1)[0]&flagMayIdle != 0
		it.p.Data = r.bytes()
		items[i] = it
	}
	if r.bad || len(items) == 0 || len(items) > maxBatch {
		return nil, fmt.Errorf("a batch of %d bytes cannot be read", len(payload))
	}
	return items, nil
}

func encodeResults(results []result) []byte {
	b := binary.AppendUvarint(nil, uint64(len(results)))
	for _, res := range results {
		if errors.Is(res.err, journal.ErrConstraint) {
			b = append(b, answerConstraint)
			b = binary.AppendUvarint(binary.AppendUvarint(b, res.index), res.term)
			b = appendBytes(b, []byte(res.err.Error()))
			continue
		}
		status, text := answerWith(nil, res.err)
		b = append(b, status)
		b = binary.AppendUvarint(binary.AppendUvarint(b, res.index), res.term)
		if status != answerOK {
			b = appendBytes(b, text)
			continue
		}
		flags := byte(0)
		if res.out.Repeated {
			flags |= flagRepeated
		}
		b = binary.AppendUvarint(append(b, flags), res.out.Seq)
		b = appendBytes(appendBytes(b, res.out.Reply), res.out.Before)
	}
	return b
}

// answerConstraint ends a proposal that the tables refused.
const answerConstraint = 100

func decodeResults(payload []byte, want int) ([]result, error) {
	r := reader{b: payload}
	results := make([]result, r.count(leastResult))
	for i := range results {
		results[i] = decodeResult(&r)
	}
	if r.bad || len(results) != want {
		return nil, fmt.Errorf("%w: the leader's answer cannot be read", journal.ErrUnknown)
	}
	return results, nil
}

func decodeResult(r *reader) (res result) {
	status := r.take(1)[0]
	res.index, res.term = r.uvarint(), r.uvarint()
	switch status {
	case answerOK:
		res.out.Repeated = r.take(1)[0]&flagRepeated != 0
		res.out.Seq = r.uvarint()
		res.out.Reply, res.out.Before = r.bytes(), r.bytes()
	case answerConstraint:
		res.err = fmt.Errorf("%w: %s", journal.ErrConstraint, r.bytes())
	default:
		_, res.err = answer{status: status, payload: r.bytes()}.open("that leads")
	}
	return res
}

// answer serves one question of another member.
func (m *Member) answer(ctx context.Context, kind byte, payload []byte) ([]byte, error) {
	switch kind {
	case askPropose:
		return m.serveBatch(ctx, payload)
	case askIndex:
		index, err := m.freshIndex(ctx)
		return binary.BigEndian.AppendUint64(nil, index), err
	case askTerm:
		return binary.BigEndian.AppendUint64(nil, m.raft.Load().CurrentTerm()), nil
	case askStatus:
		return json.Marshal(m.status())
	case askJoin, askRemove, askTransfer, askListed:
		return nil, m.manage(ctx, kind, payload)
	case askService:
		if m.o.Serve != nil {
			return m.o.Serve(ctx, payload)
		}
	}
	return nil, stock.Refuse(stock.FeatureRefused, "question of kind %d", kind)
}

func number(b []byte, err error) (uint64, error) {
	if err == nil && len(b) != 8 {
		err = fmt.Errorf("a number of %d bytes", len(b))
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b), nil
}
