package uplink

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock/journal"
)

// sending is the state of what goes up: records are read ahead of the head of
// the line, wait for company or for credit, and are in flight until acked.
type sending struct {
	next    uint64       // first record not read yet; zero until the session is open
	base    journal.Hash // of the record before the first pending one
	based   bool         // base is known
	reading bool
	from    uint64 // of the read that is under way
	pending []pending
	bytes   int // of pending

	flying      []flight
	flyingBytes uint64
	credit      uint64 // bytes that may be in flight
	flush       time.Duration
	asks        []Ask  // wait until the cloud has what came before them
	hurry       uint64 // records up to here go at once, for the asks
	nacks       int    // in a row, without an ack that moves
}

type pending struct {
	data   []byte
	hash   journal.Hash
	at     time.Time
	urgent bool
}

type flight struct {
	last  uint64
	bytes uint64
}

// resume sends the journal from a record on; what was in flight is forgotten.
func (u *sending) resume(from uint64) {
	u.next = max(from, 1)
	u.base, u.based = journal.Hash{}, u.next == 1
	u.reading = false
	u.pending, u.bytes = nil, 0
	u.flying, u.flyingBytes = nil, 0
}

// queueAsk keeps a till's ask until the cloud has applied all that was recorded
// before it, and sends that at once.
func (c *Core) queueAsk(in Ask) {
	if c.phase != open || len(c.up.asks) >= maxWants {
		return
	}
	c.head = max(c.head, in.Head)
	c.up.asks = append(c.up.asks, in)
	c.up.hurry = max(c.up.hurry, in.Head)
}

// sendAsks sends the asks whose time has come.
func (c *Core) sendAsks() {
	waiting := c.up.asks[:0]
	for _, a := range c.up.asks {
		if a.Head > c.acked {
			waiting = append(waiting, a)
			continue
		}
		c.send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_AskReturn{
			AskReturn: &uplinkv1.AskReturn{Wants: a.Wants}}})
	}
	c.up.asks = waiting
}

// pump reads ahead and sends what is due, as far as credit goes.
func (c *Core) pump(now time.Time) {
	u := &c.up
	for {
		n, size := u.batch()
		if n == 0 || !u.due(now, n) || !u.credited(size) {
			break
		}
		c.sendBatch(now, n, size)
	}
	if u.reading || u.next > c.head || len(u.pending) >= batchRecords || u.bytes >= batchBytes {
		return
	}
	u.reading, u.from = true, u.next
	if !u.based {
		u.from-- // for its hash
	}
	c.emit(Read{Attempt: c.attempt, From: u.from, MaxEntries: readRecords, MaxBytes: readBytes})
}

// batch returns how many pending records make the next batch, and their size.
func (u *sending) batch() (n, size int) {
	for _, p := range u.pending {
		if n == batchRecords || (n > 0 && size+len(p.data) > batchBytes) {
			break
		}
		n++
		size += len(p.data)
	}
	return n, size
}

// due tells whether a batch of the first n records should go now: it is full,
// an urgent record has waited, or the oldest has.
func (u *sending) due(now time.Time, n int) bool {
	at := u.dueAt(n)
	return !at.IsZero() && !now.Before(at)
}

func (u *sending) dueAt(n int) time.Time {
	first := u.pending[0].at
	hurried := u.next-uint64(len(u.pending)) <= u.hurry
	if n < len(u.pending) || n == batchRecords || hurried {
		return first
	}
	at := first.Add(u.flush)
	for _, p := range u.pending {
		if !p.urgent {
			continue
		}
		if len(u.flying) == 0 {
			return p.at
		}
		return earliest(at, p.at.Add(urgentLinger))
	}
	return at
}

// credited tells whether size more bytes may be in flight. One batch always
// may, unless the cloud asked for a pause.
func (u *sending) credited(size int) bool {
	if len(u.flying) == 0 {
		return u.credit > 0
	}
	return u.flyingBytes+uint64(size) <= u.credit
}

// flushAt is when pump has something to send; zero if only an ack or a new
// record can change that.
func (c *Core) flushAt() time.Time {
	n, size := c.up.batch()
	if n == 0 || !c.up.credited(size) {
		return time.Time{}
	}
	return c.up.dueAt(n)
}

func (c *Core) sendBatch(now time.Time, n, size int) {
	u := &c.up
	from := u.next - uint64(len(u.pending))
	records := make([][]byte, n)
	for i, p := range u.pending[:n] {
		records[i] = p.data
	}
	prev := u.base
	u.base = u.pending[n-1].hash
	u.pending = u.pending[n:]
	u.bytes -= size
	u.flying = append(u.flying, flight{last: from + uint64(n) - 1, bytes: uint64(size)})
	u.flyingBytes += uint64(size)
	c.send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Batch{Batch: &uplinkv1.Batch{
		From: from, PrevHash: prev[:], Records: records, SentMs: now.UnixMilli()}}})
}

func (c *Core) readBack(now time.Time, in ReadBack) {
	u := &c.up
	if !u.reading || in.From != u.from || c.phase != open {
		return // asked for before a rewind
	}
	u.reading = false
	if in.Err != nil {
		c.hangUp(now, fmt.Sprintf("read journal: %v", in.Err), 0)
		return
	}
	for i, e := range in.Entries {
		if e.Seq != u.from+uint64(i) {
			c.hangUp(now, fmt.Sprintf("read journal: record %d instead of %d", e.Seq, u.from+uint64(i)), 0)
			return
		}
		if !u.based {
			u.base, u.based = e.Hash, true
			continue
		}
		u.pending = append(u.pending,
			pending{data: e.Data, hash: e.Hash, at: now, urgent: urgent(e.Data)})
		u.bytes += len(e.Data)
		u.next++
	}
	if len(in.Entries) == 0 {
		c.hangUp(now, fmt.Sprintf("read journal: record %d is missing", u.from), 0)
		return
	}
	c.head = max(c.head, u.next-1)
}

func (c *Core) acknowledged(now time.Time, ack *uplinkv1.JournalAck) {
	u := &c.up
	u.credit = ack.GetCreditBytes()
	if ack.GetSeq() > c.head {
		c.hangUp(now, fmt.Sprintf("the cloud acknowledges record %d of %d", ack.GetSeq(), c.head), 0)
		return
	}
	if ack.GetSeq() <= c.acked {
		return
	}
	c.acked = ack.GetSeq()
	u.nacks = 0
	for len(u.flying) > 0 && u.flying[0].last <= c.acked {
		u.flyingBytes -= u.flying[0].bytes
		u.flying = u.flying[1:]
	}
	if c.acked >= c.target {
		c.caught = true
	}
}

// rewind sends again from where the cloud lost the thread.
func (c *Core) rewind(now time.Time, nack *uplinkv1.Nack) {
	c.up.nacks++
	if c.up.nacks > maxNacks || nack.GetResumeFrom() > c.head+1 || nack.GetResumeFrom() == 0 {
		c.hangUp(now, fmt.Sprintf("the cloud wants record %d of %d", nack.GetResumeFrom(), c.head), 0)
		return
	}
	c.up.resume(nack.GetResumeFrom())
}

// urgent tells whether somebody may be waiting for a record: rights given, a
// promise accepted or ended, units taken that the cloud may have promised.
func urgent(data []byte) bool {
	for len(data) > 0 {
		num, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return false
		}
		if num >= firstBody {
			return urgentBody(num, data[n:])
		}
		skip := protowire.ConsumeFieldValue(num, kind, data[n:])
		if skip < 0 {
			return false
		}
		data = data[n+skip:]
	}
	return false
}

// Field numbers of holdfast.record.v1.Record.
const (
	firstBody      = 20
	saleBody       = 21
	grantBody      = 25
	acceptBody     = 27
	collectBody    = 30
	tokenBody      = 31
	releaseBody    = 32
	shortageBody   = 33
	timelineBody   = 40
	saleModeField  = 3
	normalSaleMode = uint64(recordv1.SaleMode_SALE_MODE_NORMAL)
)

func urgentBody(num protowire.Number, field []byte) bool {
	switch num {
	case grantBody, acceptBody, collectBody, tokenBody, releaseBody, shortageBody, timelineBody:
		return true
	case saleBody:
		sale, n := protowire.ConsumeBytes(field)
		return n > 0 && unusual(sale)
	}
	return false
}

// unusual tells whether a sale is of another mode than normal.
func unusual(sale []byte) bool {
	for len(sale) > 0 {
		num, kind, n := protowire.ConsumeTag(sale)
		if n < 0 {
			return false
		}
		if num == saleModeField && kind == protowire.VarintType {
			mode, _ := protowire.ConsumeVarint(sale[n:])
			return mode != normalSaleMode
		}
		skip := protowire.ConsumeFieldValue(num, kind, sale[n:])
		if skip < 0 {
			return false
		}
		sale = sale[n+skip:]
	}
	return false
}
