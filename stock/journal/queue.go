package journal

import (
	"slices"
	"strconv"
	"sync"

	"holdfast.dev/stock"
)

// queue holds what waits for the next commit. There is no writer goroutine:
// the caller who finds nobody writing becomes the leader and commits a batch
// for everyone who waits; then the owner of the oldest waiting request leads.
// A lone caller thus pays for no switch between goroutines.
type queue struct {
	mu       sync.Mutex
	idle     sync.Cond  // on mu: busy became false
	waiting  []*request // guarded by mu, oldest first
	busy     bool       // guarded by mu: somebody leads or was asked to
	closed   bool       // guarded by mu
	spare    sync.Pool  // of *request
	limit    int
	maxBatch int
}

// request is one function that waits for the writer. Exactly one of decide,
// local, view, splice and replay is set.
type request struct {
	uid    [16]byte
	decide func(tx *Tx, seq uint64) ([]byte, error)
	local  func(tx *Tx) error
	view   func(tx *Tx) error
	splice func(tx *Tx, head Position) (Position, error)
	replay func(tx *Tx, head Position) (Position, error) // its error is a fault

	full      bool   // the commit must be durable whatever the journal's mode is
	committed func() // is called after the commit

	out  Outcome
	err  error
	wake chan turn // capacity 1: at most one signal is outstanding

	taken bool // guarded by queue.mu: in a batch, no longer waiting
	asked bool // guarded by queue.mu: its owner was asked to lead
}

type turn uint8

const (
	lead turn = 1 + iota
	done
)

func (q *queue) newRequest() *request {
	if r, ok := q.spare.Get().(*request); ok {
		return r
	}
	return &request{wake: make(chan turn, 1)}
}

// recycle must not be called while a signal may still come.
func (q *queue) recycle(r *request) {
	*r = request{wake: r.wake}
	q.spare.Put(r)
}

func (q *queue) init(limit, maxBatch int) {
	q.limit, q.maxBatch = limit, maxBatch
	q.idle.L = &q.mu
}

// put lets the requests wait, all or none, in order. If nobody leads, the
// first is asked to.
func (q *queue) put(rs ...*request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	if len(rs) > q.limit {
		return stock.Refuse(stock.TooMany, "%d proposals at once, limit %d", len(rs), q.limit).
			With("limit", q.limit).With("what", "proposals")
	}
	if len(q.waiting)+len(rs) > q.limit {
		const afterMS = 100 // far longer than a batch takes
		return stock.Refuse(stock.Busy, "%d proposals wait already", len(q.waiting)).
			With("after_ms", strconv.Itoa(afterMS))
	}
	q.waiting = append(q.waiting, rs...)
	if !q.busy {
		q.busy = true
		q.handOver()
	}
	return nil
}

// take removes the next batch. Only the leader calls it.
func (q *queue) take(batch []*request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), q.maxBatch)
	batch = append(batch, q.waiting[:n]...)
	for _, r := range batch {
		r.taken = true
	}
	q.waiting = slices.Delete(q.waiting, 0, n)
	return batch
}

// next ends the leader's term.
func (q *queue) next() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.handOver()
}

// claim makes the caller the leader if nobody leads.
func (q *queue) claim() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy || q.closed {
		return false
	}
	q.busy = true
	return true
}

// handOver asks the owner of the oldest request to lead. Called with mu held
// and busy set.
func (q *queue) handOver() {
	if len(q.waiting) == 0 {
		q.busy = false
		q.idle.Broadcast()
		return
	}
	r := q.waiting[0]
	r.asked = true
	r.wake <- lead
}

// withdraw removes a request whose caller gave up. It is false if the request
// was taken already.
func (q *queue) withdraw(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.taken {
		return false
	}
	i := slices.Index(q.waiting, r)
	q.waiting = slices.Delete(q.waiting, i, i+1)
	if r.asked {
		q.handOver()
	}
	return true
}

// close refuses new requests and waits until the last one was served. It is
// false if the queue was closed before.
func (q *queue) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := !q.closed
	q.closed = true
	for q.busy {
		q.idle.Wait()
	}
	return first
}
