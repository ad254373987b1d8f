package fleet

import (
	"bytes"
	"fmt"
	"slices"

	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
)

// promise is a reservation as the world knows it: what the cloud has committed,
// what the store has recorded, and what the shopper was given.
type promise struct {
	id      id
	st      *store
	reserve *recordv1.Reserve
	at      promiseTime
	taken   bool // the store knows it
	asked   bool // to be cancelled
	lines   []reservation.Line
	ended   bool
	why     recordv1.ReleaseReason
	byToken bool
	handed  int // times that goods went over the counter

	forgotten bool                   // by a cloud that was restored
	left      map[uint32]stock.Units // the least that was seen open of each line
}

// promiseTime says how the line was when a promise was made.
type promiseTime struct{ outage uint64 }

// hold is a cart's claim.
type hold struct {
	id       id
	st       *store
	lines    []*recordv1.WantedLine
	deadline int64
}

// saw takes in a record that is durable in the store's own box.
func (st *store) saw(s *seenRecord) {
	w := st.w
	w.records++
	if s.seq != st.head.Seq+1 {
		w.fail("INV-6", "store %d: record %d after %d", st.id, s.seq, st.head.Seq)
		return
	}
	st.head = journal.Position{Seq: s.seq, Hash: journal.Chain(st.head.Hash, s.seq, s.data)}
	st.chain[s.seq] = st.head.Hash
	w.mix64(uint64(st.head.Hash[0])<<8 | uint64(st.head.Hash[1]))
	if everyRow(s.rec) {
		st.special[s.seq] = true
	}
	st.sawDirective(s.rec)
	f := st.newFact(st.box, s, func(c *cell) ledger.Balances { return c.book.Balances })
	f.hash = st.head.Hash
	st.book(f)
	for _, r := range s.res {
		st.sawReservation(s.rec, r)
	}
	if w.o.Log != nil {
		w.logf("store %d: record %d %s", st.id, s.seq, describe(s))
	}
	for i, a := range s.rows {
		c := st.cell(a.SKU)
		c.owed(s.rec, c.at(ledger.Sellable), a.Balances[ledger.Sellable])
		c.book, c.legacy = a, s.old[i]
		c.touch()
	}
	st.markRecord(s)
}

// everyRow tells whether a record may change the rows of every SKU.
func everyRow(rec *recordv1.Record) bool {
	return rec.GetTimelineChange() != nil || rec.GetCheckpoint() != nil
}

// sawElsewhere takes in a record of a box that does not count: what it did in
// the shop is not in the store's books.
func (st *store) sawElsewhere(b *box, s *seenRecord) {
	f := st.newFact(b, s, func(c *cell) ledger.Balances { return b.rows[c.sku].Balances })
	at, err := b.journal.At(st.w.ctx, s.seq)
	if err != nil {
		st.w.fail("FAULT", "store %d: read record %d: %v", st.id, s.seq, err)
		return
	}
	f.hash = at.Hash
	if everyRow(s.rec) {
		st.special[s.seq] = true // this box may come to count
	}
	for _, a := range s.rows {
		b.rows[a.SKU] = a
	}
	for _, r := range s.res {
		if p := st.w.office.promises[r.ID]; p != nil && p.st == st {
			p.dealt(r)
		}
	}
	if st.w.o.Log != nil {
		st.w.logf("store %d: box %d record %d %s", st.id, b.number, s.seq, describe(s))
	}
	st.missing(f)
}

// sawDirective checks that the store's cursor follows the cloud's orders.
func (st *store) sawDirective(rec *recordv1.Record) {
	if t := rec.GetTimelineChange(); t != nil {
		st.applied, st.timeline = 0, stock.Timeline(t.GetTimeline())
	}
	if len(rec.GetDirectiveHash()) == 0 || rec.GetCheckpoint() != nil {
		return
	}
	n := rec.GetDirectivesApplied()
	if n != st.applied+1 {
		st.w.fail("INV-6", "store %d: directive %d applied after %d", st.id, n, st.applied)
	}
	st.applied = n
	if known, ok := st.orders[n]; ok && st.timeline == st.cloud.timeline && known != journal.Hash(rec.GetDirectiveHash()) {
		st.w.fail("INV-6", "store %d: directive %d has another hash than in the cloud", st.id, n)
	}
}

func epochOf(e *recordv1.Epoch) stock.Epoch {
	return stock.Epoch{Timeline: stock.Timeline(e.GetTimeline()), Counter: e.GetCounter()}
}

// sawReservation checks that a reservation goes one way only, and that the
// store takes none that was never promised.
func (st *store) sawReservation(rec *recordv1.Record, r *books.Reservation) {
	w := st.w
	p := w.office.promises[r.ID]
	if p == nil || p.st != st {
		w.fail("INV-3", "store %d knows reservation %x that it was never promised", st.id, r.ID)
		return
	}
	if !p.taken {
		p.taken = true
		p.byToken = rec.GetCollectByToken() != nil
		p.count(-1)
	} else if p.byToken && rec.GetAccept() != nil {
		w.marks.hit(markTokenFirst)
	}
	if p.ended && !slices.Equal(p.lines, r.Lines) {
		w.fail("INV-3", "store %d: reservation %x changed after its end: %v, now %v",
			st.id, r.ID, p.lines, r.Lines)
	}
	for _, l := range r.Lines {
		sum := l.Open() + l.At(reservation.Collected) + l.At(reservation.Released) + l.At(reservation.Short)
		if sum != l.Quantity {
			w.fail("INV-3", "store %d: reservation %x line %d has %d of %d units", st.id, r.ID, l.Line,
				sum, l.Quantity)
		}
	}
	p.dealt(r)
	p.lines, p.ended = slices.Clone(r.Lines), r.State().Final()
	if rel := rec.GetRelease(); rel != nil {
		p.why = rel.GetReason()
	}
}

// saw takes in a command that is committed.
func (o *office) saw(s *seenCommand) {
	w := o.w
	w.commands++
	o.now = max(o.now, s.c.GetNow())
	switch v := s.c.GetBody().(type) {
	case *recordv1.Command_Hold:
		o.sawHold(v.Hold, s.result.GetHold())
	case *recordv1.Command_Confirm:
		o.freed(id(v.Confirm.GetHold()))
		o.sawPromise(w.storeOf(v.Confirm.GetStore()), s.result.GetReservation())
	case *recordv1.Command_ReserveNow:
		o.sawPromise(w.storeOf(v.ReserveNow.GetStore()), s.result.GetReservation())
	case *recordv1.Command_ReleaseHold:
		o.freed(id(v.ReleaseHold.GetHold()))
	case *recordv1.Command_ExpireHolds:
		o.sawExpiry(s.result.GetCount().GetRows())
	case *recordv1.Command_RequestCancel:
		if p := o.promises[id(v.RequestCancel.GetReservation())]; p != nil {
			p.asked = true
		}
	case *recordv1.Command_ApplyBatch:
		o.sawBatch(w.storeOf(v.ApplyBatch.GetStore()), v.ApplyBatch.GetSession(), s.result.GetBatch())
	case *recordv1.Command_OpenSession:
		o.sawSession(v.OpenSession.GetHello(), s.result.GetSession())
	}
	for _, row := range s.rows {
		row.cell.setCloud(row)
	}
	for _, v := range s.stores {
		v.st.sawCloud(v.cloud)
	}
	o.markCommand(s)
	if w.o.Log != nil {
		w.logf("cloud: command %d %s", s.seq, describeCommand(s))
	}
}

func (o *office) sawHold(h *recordv1.Hold, r *recordv1.HoldResult) {
	key := id(h.GetHold())
	if o.carts[key] > 0 {
		return // the same cart again, perhaps after its end
	}
	o.carts[key] = r.GetDeadline()
	st := o.w.storeOf(h.GetStore())
	if until := o.now + o.w.mix.policy.GetHoldMs(); r.GetDeadline() != until {
		o.w.fail("INV-8", "store %d: hold %x ends at %d, it was to end at %d", st.id, key, r.GetDeadline(), until)
	}
	o.held[key] = &hold{id: key, st: st, lines: h.GetLines(), deadline: r.GetDeadline()}
	for _, l := range h.GetLines() {
		st.cell(stock.SKU(l.GetSku())).held += stock.Units(l.GetUnits())
	}
}

// freed forgets a hold.
func (o *office) freed(key id) {
	h := o.held[key]
	if h == nil {
		return
	}
	delete(o.held, key)
	for _, l := range h.lines {
		c := h.st.cell(stock.SKU(l.GetSku()))
		c.held -= stock.Units(l.GetUnits())
		c.touch()
	}
}

func (o *office) sawPromise(st *store, r *recordv1.ReservationResult) {
	key := id(r.GetReserve().GetReservation())
	if o.promises[key] != nil {
		return
	}
	p := &promise{id: key, st: st, reserve: r.GetReserve(), at: promiseTime{outage: st.line.outage}}
	o.promises[key] = p
	p.count(+1)
}

// sawExpiry checks that exactly the holds whose time has come were given up.
func (o *office) sawExpiry(n uint64) {
	var due []id
	for key, h := range o.held {
		if h.deadline <= o.now {
			due = append(due, key)
		}
	}
	slices.SortFunc(due, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	for _, key := range due {
		o.freed(key)
	}
	if uint64(len(due)) != n {
		o.w.fail("INV-8", "%d holds expired, %d were due", n, len(due))
	}
	if n > 0 {
		o.w.marks.hit(markHoldExpired)
	}
}

// sawBatch checks that records came by the open session, and that the cloud's
// copy is a prefix of the store's journal.
func (o *office) sawBatch(st *store, session uint64, r *recordv1.BatchResult) {
	c := &st.cloud
	if r.GetApplied() > c.applied.Seq && (session != c.session || !c.connected) {
		o.w.fail("INV-6", "store %d: records up to %d of session %d are taken, %d is the last, open %t",
			st.id, r.GetApplied(), session, c.session, c.connected)
	}
	if known, ok := st.chain[r.GetApplied()]; !st.torn() && (!ok || known != journal.Hash(r.GetHash())) {
		o.w.fail("INV-6", "store %d: the cloud's record %d is not the store's", st.id, r.GetApplied())
	}
}

func (o *office) sawSession(h *recordv1.Hello, r *recordv1.SessionResult) {
	st := o.w.storeOf(h.GetStore())
	present := bytes.Equal(h.GetNodeId(), st.box.node[:]) && h.GetJournalLast() >= st.cloud.applied.Seq
	if r.GetMode() != recordv1.SessionMode_SESSION_MODE_NORMAL {
		if o.w.o.Log != nil {
			o.w.logf("cloud: %s", o.newestAnomaly())
		}
		if !st.astray && r.GetMode() != recordv1.SessionMode_SESSION_MODE_SALVAGE && st.twin == nil {
			o.w.marks.hit(markLateHello)
		}
	} else if known := st.chain[h.GetJournalLast()]; present && bytes.Equal(known[:], h.GetJournalHash()) {
		st.astray = st.astray && !st.agrees()
	}
	if h.GetDirectivesApplied() > st.cloud.acked {
		o.w.marks.hit(markAckLost)
	}
	if h.GetJournalAcked() < st.cloud.applied.Seq {
		o.w.marks.hit(markRecordsUnheard)
	}
}

// bothLose tells whether stores and cloud may lose their newest past both: then
// a promise may be known to its shopper alone.
func (w *World) bothLose() bool {
	return w.mix.faults.has(faultCloudRestore) && w.mix.faults&(faultRestore|faultLoss|faultClone) != 0
}

// pastMayBeLost tells whether boxes or the cloud may forget what they knew.
func (w *World) pastMayBeLost() bool {
	return w.mix.faults&(faultRestore|faultLoss|faultClone|faultCloudRestore) != 0
}

// agrees tells whether the cloud's copy is a prefix of the store's journal.
func (st *store) agrees() bool {
	at := st.cloud.applied
	return at.Seq == 0 || st.chain[at.Seq] == at.Hash
}

// sawCloud takes in a store's row at head office.
func (st *store) sawCloud(v cloudView) {
	before := st.cloud
	st.cloud = v
	if v.directives.Seq > 0 {
		st.orders[v.directives.Seq] = v.directives.Hash
	}
	switch {
	case v.quarantined && !st.renewing:
		st.w.fail("QUARANTINE", "store %d is in quarantine", st.id)
	case v.timeline > before.timeline: // everything begins anew
	case v.applied.Seq < before.applied.Seq, v.session < before.session,
		v.directives.Seq < before.directives.Seq:
		st.w.fail("INV-6", "store %d: the cloud went back from %+v to %+v", st.id, before, v)
	case v.acked > st.applied && !st.torn() && st.timeline == v.timeline:
		st.w.fail("INV-6", "store %d: directive %d acked, %d applied", st.id, v.acked, st.applied)
	case v.anomalies > before.anomalies && st.w.bothLose():
		st.w.marks.hit(markBothLost)
	case v.anomalies > before.anomalies && !st.renewing: // else it says that it is renewed
		st.w.fail("INV-3", "the mirror cannot explain a record: %s", st.w.office.newestAnomaly())
	}
}

// observe takes in what became durable in this event, and checks what it
// touched.
func (w *World) observe() {
	for _, st := range w.stores {
		for _, b := range st.boxes {
			b.settleSeen()
		}
	}
	w.office.settleSeen()
	for i := 0; i < len(w.dirty) && w.violation == nil; i++ {
		w.dirty[i].dirty = false
		w.dirty[i].check()
	}
	w.dirty = w.dirty[:0]
}

// units of an account as the store's own books have them.
func (c *cell) at(a ledger.Account) stock.Units { return c.book.Balances[a] }

// newestAnomaly says what head office noticed last.
func (o *office) newestAnomaly() (what string) {
	err := o.View(o.w.ctx, func(tx *journal.Tx) error {
		all, err := headoffice.Anomalies(tx, headoffice.Anomaly{}, 1)
		for _, a := range all {
			what = fmt.Sprintf("store %d record %d: %s %s", a.Store, a.Seq, a.Code, a.What)
		}
		return err
	})
	if err != nil {
		return err.Error()
	}
	return what
}
