package uplink

import (
	"time"

	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

const (
	maxBatchRecords = 1000 // of one frame
	mergeRecords    = 1000 // of one proposal
	mergeBytes      = 512 << 10

	startCredit = 1 << 20
	leastCredit = 64 << 10
	mostCredit  = 4 << 20
	creditStep  = 64 << 10
	slowApply   = 200 * time.Millisecond // above this the credit is halved
)

// intake is the state of the journal that comes in. One proposal at a time is
// under way, so that batches cannot overtake each other; what arrives
// meanwhile is merged and goes next, as in a group commit.
type intake struct {
	applied  uint64
	expected uint64 // the first record not seen yet
	nacked   bool   // a gap was reported; frames beyond expected are leftovers
	queue    []*recordv1.ApplyBatch
	bytes    int // of queue
	flying   bool
	flownAt  time.Time
	retryAt  time.Time // the office was busy; zero if not
	credit   uint64
}

func (q *intake) start(from uint64) {
	*q = intake{applied: from - 1, expected: from, credit: startCredit}
}

// take queues a batch. A gap asks for the missing records once; the batches
// that were under way meanwhile are left alone.
func (s *Session) take(b *uplinkv1.Batch) {
	q := &s.in
	n := len(b.GetRecords())
	if b.GetFrom() == 0 || n == 0 || n > maxBatchRecords {
		s.reject(stock.BadRequest, 0, "a batch without records or with too many")
		return
	}
	if b.GetFrom() > q.expected {
		if !q.nacked {
			q.nacked = true
			s.nack(q.expected)
		}
		return
	}
	size := 0
	for _, r := range b.GetRecords() {
		size += len(r)
	}
	if q.bytes+size > mostCredit+frameBytes {
		s.reject(stock.TooMany, 0, "more than the credit allows")
		return
	}
	q.nacked = false
	q.expected = max(q.expected, b.GetFrom()+uint64(n))
	q.bytes += size
	if !q.merge(b, size) {
		q.queue = append(q.queue, &recordv1.ApplyBatch{Store: uint32(s.cfg.Store),
			Session: s.opened.GetSession(), From: b.GetFrom(), PrevHash: b.GetPrevHash(),
			Records: b.GetRecords()})
	}
}

// merge appends b to the last batch that waits, if they are neighbours.
func (q *intake) merge(b *uplinkv1.Batch, size int) bool {
	if len(q.queue) == 0 || (len(q.queue) == 1 && q.flying) {
		return false
	}
	last := q.queue[len(q.queue)-1]
	if last.GetFrom()+uint64(len(last.GetRecords())) != b.GetFrom() ||
		len(last.GetRecords())+len(b.GetRecords()) > mergeRecords ||
		batchSize(last)+size > mergeBytes {
		return false
	}
	last.Records = append(last.Records, b.GetRecords()...)
	return true
}

func batchSize(b *recordv1.ApplyBatch) int {
	size := 0
	for _, r := range b.GetRecords() {
		size += len(r)
	}
	return size
}

// proposeBatch proposes the first batch that waits. It stays first in the queue
// until the office has answered.
func (s *Session) proposeBatch(now time.Time) {
	q := &s.in
	if q.flying || len(q.queue) == 0 || now.Before(q.retryAt) {
		return
	}
	q.flying, q.flownAt, q.retryAt = true, now, time.Time{}
	s.propose(forBatch, &recordv1.Command{Body: &recordv1.Command_ApplyBatch{ApplyBatch: q.queue[0]}})
}

// batched acks what is committed and applied.
func (s *Session) batched(now time.Time, in Proposed) {
	q := &s.in
	q.flying = false
	if s.phase != open {
		return
	}
	q.adjust(now.Sub(q.flownAt))
	if stock.Refused(in.Err, stock.Busy) {
		q.retryAt = now.Add(busyPause)
		q.credit = leastCredit
		return
	}
	if in.Err != nil {
		s.failed(in.Err)
		return
	}
	r := in.Result.GetBatch()
	if r.GetResumeFrom() > 0 {
		q.queue, q.bytes = nil, 0
		q.expected, q.nacked = r.GetResumeFrom(), true
		s.nack(q.expected)
		return
	}
	q.bytes -= batchSize(q.queue[0])
	q.queue = q.queue[1:]
	q.applied = max(q.applied, r.GetApplied())
	s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Ack{
		Ack: &uplinkv1.JournalAck{Seq: q.applied, CreditBytes: q.credit}}})
}

// adjust halves the credit when the office is slow and else lets it grow.
func (q *intake) adjust(took time.Duration) {
	if took > slowApply {
		q.credit = max(q.credit/2, leastCredit)
		return
	}
	q.credit = min(q.credit+creditStep, mostCredit)
}

func (s *Session) nack(from uint64) {
	s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Nack{
		Nack: &uplinkv1.Nack{ResumeFrom: from}}})
}
