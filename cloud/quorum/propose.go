package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const (
	// retryAfter bounds how long a try waits for news of a leader.
	retryAfter = 50 * time.Millisecond
	// catchUp is how long a proposer waits until its own copy has what the
	// leader has applied already.
	catchUp = 2 * time.Second

	maxWaiting  = 4096 // proposals of one member that nobody took yet
	maxBatch    = 512  // proposals in one entry
	maxBytes    = 256 << 10
	maxInFlight = 4 // batches of one member on their way
	linger      = time.Millisecond
	enqueue     = time.Second
)

// Proposal asks for one record.
type Proposal struct {
	UID     [16]byte // zero: no idempotency, and no second try
	Data    []byte
	MayIdle bool // ask Machine.Idle first
}

// Outcome is what became of a proposal. Seq is zero if there was nothing to
// record. Repeated tells that the UID was known: the rest is what it led to, and
// Before is what it stood for.
type Outcome struct {
	Seq      uint64
	Reply    []byte
	Repeated bool
	Before   []byte
}

// item is a proposal on its way.
type item struct {
	p     Proposal
	local bool // proposed here: may be sent on to the leader
	done  chan result
}

type result struct {
	out   Outcome
	index uint64 // of the entry; zero: nothing was logged
	term  uint64 // in which it was committed
	err   error
}

// queue holds proposals until a batch takes them.
type queue struct {
	mu      sync.Mutex
	waiting []*item   // guarded by mu, oldest first
	bytes   int       // guarded by mu: of waiting
	since   time.Time // guarded by mu: when the oldest came
	flying  int       // guarded by mu: batches on their way
	closed  bool      // guarded by mu
	moved   chan struct{}
}

func (q *queue) init() { q.moved = make(chan struct{}, 1) }

func (q *queue) kick() {
	select {
	case q.moved <- struct{}{}:
	default:
	}
}

// put lets the proposals wait, all or none.
func (q *queue) put(items ...*item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return journal.ErrClosed
	}
	if len(q.waiting)+len(items) > maxWaiting {
		return busy(100*time.Millisecond, "%d proposals wait already", len(q.waiting))
	}
	if len(q.waiting) == 0 {
		q.since = time.Now()
	}
	for _, it := range items {
		q.bytes += len(it.p.Data)
	}
	q.waiting = append(q.waiting, items...)
	q.kick()
	return nil
}

func busy(after time.Duration, format string, args ...any) error {
	return stock.Refuse(stock.Busy, format, args...).
		With("after_ms", strconv.FormatInt(after.Milliseconds(), 10))
}

// take returns the next batch, or how long to wait for more company: none when
// nothing is on its way, or enough is there.
func (q *queue) take() (batch []*item, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 || q.flying >= maxInFlight {
		return nil, time.Hour // kicked before
	}
	full := q.bytes >= maxBytes || len(q.waiting) >= maxBatch
	if waited := time.Since(q.since); q.flying > 0 && !full && waited < linger {
		return nil, linger - waited
	}
	n, size := 0, 0
	for n < min(len(q.waiting), maxBatch) {
		if size += len(q.waiting[n].p.Data); n > 0 && size > maxBytes {
			size -= len(q.waiting[n].p.Data)
			break
		}
		n++
	}
	batch = slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.bytes -= size
	q.since = time.Now()
	q.flying++
	return batch, 0
}

// landed says that a batch was answered.
func (q *queue) landed() {
	q.mu.Lock()
	q.flying--
	q.mu.Unlock()
	q.kick()
}

// withdraw removes a proposal; it is false if a batch has it.
func (q *queue) withdraw(it *item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, it)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	q.bytes -= len(it.p.Data)
	return true
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0 && q.flying == 0
}

// Propose returns once a majority has the proposal's record and this copy has
// applied it. The same UID again gives the stored outcome. After a refusal
// nothing is recorded. journal.ErrUnknown means that the record may be there or
// not: propose the same UID again. Without a UID nothing is tried twice.
func (m *Member) Propose(ctx context.Context, p Proposal) (Outcome, error) {
	until := time.Now().Add(m.o.Timing.Patience)
	for {
		news := m.news.wait()
		res := m.try(ctx, &item{p: p, local: true, done: make(chan result, 1)})
		unknown := errors.Is(res.err, journal.ErrUnknown)
		again := notLeader(res.err) || unknown && p.UID != [16]byte{}
		if !again || m.Err() != nil || ctx.Err() != nil {
			return res.out, m.sayOnce(res.err)
		}
		if time.Now().After(until) {
			if unknown {
				return Outcome{}, res.err
			}
			return Outcome{}, busy(time.Second, "no leader: nothing was recorded")
		}
		select {
		case <-news:
		case <-time.After(retryAfter):
		case <-ctx.Done():
		case <-m.fault:
		}
	}
}

// sayOnce turns what only members tell each other into an answer.
func (m *Member) sayOnce(err error) error {
	if notLeader(err) {
		return busy(time.Second, "no leader: nothing was recorded")
	}
	return err
}

// try lets one proposal run once.
func (m *Member) try(ctx context.Context, it *item) result {
	if err := ctx.Err(); err != nil {
		return result{err: err}
	}
	if it.p.MayIdle && m.Leads() {
		out, idle, err := m.idle(ctx, it.p)
		if idle || err != nil {
			return result{out: out, err: err}
		}
	}
	if err := m.queue.put(it); err != nil {
		return result{err: err}
	}
	return m.await(ctx, it)
}

func (m *Member) await(ctx context.Context, it *item) result {
	select {
	case res := <-it.done:
		return res
	case <-m.fault:
		return result{err: fmt.Errorf("%w: member stopped: %w", journal.ErrUnknown, m.Err())}
	case <-m.ctx.Done():
		return result{err: fmt.Errorf("%w: member was closed", journal.ErrUnknown)}
	case <-ctx.Done():
		if m.queue.withdraw(it) {
			return result{err: ctx.Err()}
		}
		return result{err: fmt.Errorf("%w: %w", journal.ErrUnknown, ctx.Err())}
	}
}

// idle answers a proposal that would change nothing, or that was made before.
func (m *Member) idle(ctx context.Context, p Proposal) (out Outcome, idle bool, err error) {
	if p.UID != [16]byte{} {
		if _, known, err := m.Journal().Find(ctx, p.UID); known || err != nil {
			return Outcome{}, false, nil // the log knows the answer
		}
	}
	look := func(tx *journal.Tx) error {
		out.Reply, idle, err = m.o.Machine.Idle(tx, p.Data)
		return err
	}
	if err := m.View(ctx, look); err != nil || !idle {
		return Outcome{}, false, nil // the log decides
	}
	// This copy may have been too old to say so.
	if err := m.Sync(ctx); err != nil {
		return Outcome{}, false, err
	}
	if err := m.View(ctx, look); err != nil || !idle {
		return Outcome{}, false, nil
	}
	return out, true, nil
}

// pack makes batches until the member ends.
func (m *Member) pack() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		batch, wait := m.queue.take()
		if batch != nil {
			m.wait.Go(func() {
				m.send(batch)
				m.queue.landed()
			})
			continue
		}
		timer.Reset(wait)
		select {
		case <-m.queue.moved:
		case <-timer.C:
		case <-m.ctx.Done():
			return
		}
	}
}

// send brings a batch to the leader, which may be here.
func (m *Member) send(batch []*item) {
	t := m.lead.Load()
	if t != nil {
		m.commit(batch)
		return
	}
	batch = answerAll(batch, result{err: errNotLeader}, func(it *item) bool { return !it.local })
	if len(batch) == 0 {
		return
	}
	leader, id := m.raft.Load().LeaderWithID()
	if leader == "" || id == m.id {
		answerAll(batch, result{err: errNotLeader}, everyone)
		return
	}
	m.forward(raft.Server{ID: id, Address: leader}, batch)
}

func everyone(*item) bool { return true }

// answerAll answers those that fit and returns the others.
func answerAll(batch []*item, res result, fits func(*item) bool) (others []*item) {
	for _, it := range batch {
		if fits(it) {
			it.done <- res
		} else {
			others = append(others, it)
		}
	}
	return others
}

// commit logs a batch as one entry and answers when it was applied.
func (m *Member) commit(batch []*item) {
	sealed := make([]journal.Command, 0, len(batch))
	taken := make([]*item, 0, len(batch))
	version := m.Journal().Applied().Version
	for _, it := range batch {
		data, err := m.o.Machine.Seal(it.p.Data, version)
		if err != nil {
			it.done <- result{err: err}
			continue
		}
		sealed = append(sealed, journal.Command{UID: it.p.UID, Data: data})
		taken = append(taken, it)
	}
	if len(taken) == 0 {
		return
	}
	applied, err := m.logEntry(encodeCommands(sealed))
	if err == nil && applied.results == nil {
		err = fmt.Errorf("%w: the entry was applied before", journal.ErrUnknown)
	}
	if err != nil {
		answerAll(taken, result{err: err}, everyone)
		return
	}
	for i, it := range taken {
		r := &applied.results[i]
		it.done <- result{index: applied.index, term: applied.term, err: r.Err, out: Outcome{Seq: r.Outcome.Seq,
			Reply: r.Outcome.Reply, Repeated: r.Outcome.Repeated, Before: r.Before}}
	}
}

// logEntry appends an entry, as the leader, and waits until it was applied. An
// error that is not journal.ErrUnknown means that nothing was logged.
func (m *Member) logEntry(data []byte) (appliedEntry, error) {
	r := m.raft.Load()
	future := r.Apply(data, enqueue)
	err := m.hear(r, future)
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress),
		errors.Is(err, raft.ErrEnqueueTimeout):
		return appliedEntry{}, errNotLeader
	case err != nil:
		return appliedEntry{}, fmt.Errorf("%w: %w", journal.ErrUnknown, err)
	}
	applied, ok := future.Response().(appliedEntry)
	if !ok {
		return appliedEntry{}, fmt.Errorf("%w: no answer", journal.ErrUnknown)
	}
	return applied, nil
}

// hear waits for a future of a raft's, which may end without answering it.
func (m *Member) hear(r *raft.Raft, future raft.Future) error {
	heard := make(chan error, 1)
	go func() { heard <- future.Error() }() // is left behind only when raft ends
	for {
		news := m.news.wait()
		if m.raft.Load() != r {
			return errors.New("another raft has taken over")
		}
		select {
		case err := <-heard:
			return err
		case <-news:
		case <-m.ctx.Done():
			return errors.New("the member ended")
		}
	}
}

// drain gives what was taken a moment to be answered.
func (m *Member) drain() {
	const moment = 2 * time.Second
	until := time.After(moment)
	for !m.queue.empty() {
		select {
		case <-time.After(time.Millisecond):
		case <-until:
			return
		case <-m.fault:
			return
		}
	}
}
