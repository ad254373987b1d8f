package fleet

import (
	"bytes"
	"slices"

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
	st.sawDirective(s.rec)
	st.sawSlip(s)
	for _, r := range s.res {
		st.sawReservation(s.rec, r)
	}
	if w.o.Log != nil {
		w.logf("store %d: record %d %s", st.id, s.seq, describe(s))
	}
	for _, a := range s.rows {
		c := st.cell(a.SKU)
		c.book = a
		c.touch()
	}
	st.markRecord(s)
}

// sawDirective checks that the store's cursor follows the cloud's orders.
func (st *store) sawDirective(rec *recordv1.Record) {
	if len(rec.GetDirectiveHash()) == 0 {
		return
	}
	n := rec.GetDirectivesApplied()
	if n != st.applied+1 {
		st.w.fail("INV-6", "store %d: directive %d applied after %d", st.id, n, st.applied)
	}
	st.applied = n
	if known, ok := st.orders[n]; ok && known != journal.Hash(rec.GetDirectiveHash()) {
		st.w.fail("INV-6", "store %d: directive %d has another hash than in the cloud", st.id, n)
	}
}

// sawSlip follows what a record changes in the books alone, without anything
// moving in the shop: counts, units found, units missing.
func (st *store) sawSlip(s *seenRecord) {
	booked := s.rec.GetCount() != nil || s.rec.GetReplace() != nil ||
		s.rec.GetShortage().GetReason() == recordv1.ShortReason_SHORT_REASON_MISSING
	for _, f := range s.rec.GetSale().GetFound() {
		st.cell(stock.SKU(f.GetSku())).slipShelf += stock.Units(f.GetUnits())
	}
	if s.rec.GetUnclassified() != nil {
		st.poisons++
	}
	if s.rec.GetMark().GetKind() == recordv1.MarkKind_MARK_KIND_ALARM {
		st.alarms++
	}
	if !booked {
		return
	}
	for _, a := range s.rows {
		c := st.cell(a.SKU)
		shelf, back := believed(a.Balances)
		wasShelf, wasBack := believed(c.book.Balances)
		c.slipShelf += shelf - wasShelf
		c.slipBack += back - wasBack
	}
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
		for _, l := range p.reserve.GetLines() {
			st.cell(stock.SKU(l.GetSku())).untaken -= stock.Units(l.GetUnits())
		}
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
		o.sawBatch(w.storeOf(v.ApplyBatch.GetStore()), s.result.GetBatch())
	case *recordv1.Command_OpenSession:
		o.sawSession(v.OpenSession.GetHello())
	}
	for _, row := range s.rows {
		row.cell.quota, row.cell.mirror = row.quota, row.mirror
		row.cell.touch()
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
	if o.held[key] != nil {
		return // the same cart again
	}
	st := o.w.storeOf(h.GetStore())
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
	o.promises[key] = &promise{id: key, st: st, reserve: r.GetReserve(),
		at: promiseTime{outage: st.line.outage}}
	for _, l := range r.GetReserve().GetLines() {
		c := st.cell(stock.SKU(l.GetSku()))
		c.untaken += stock.Units(l.GetUnits())
	}
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

// sawBatch checks that the cloud's copy is a prefix of the store's journal.
func (o *office) sawBatch(st *store, r *recordv1.BatchResult) {
	if known, ok := st.chain[r.GetApplied()]; !ok || known != journal.Hash(r.GetHash()) {
		o.w.fail("INV-6", "store %d: the cloud's record %d is not the store's", st.id, r.GetApplied())
	}
}

func (o *office) sawSession(h *recordv1.Hello) {
	st := o.w.storeOf(h.GetStore())
	if h.GetDirectivesApplied() > st.cloud.acked {
		o.w.marks.hit(markAckLost)
	}
	if h.GetJournalAcked() < st.cloud.applied.Seq {
		o.w.marks.hit(markRecordsUnheard)
	}
}

// sawCloud takes in a store's row at head office.
func (st *store) sawCloud(v cloudView) {
	before := st.cloud
	st.cloud = v
	if v.directives.Seq > 0 {
		st.orders[v.directives.Seq] = v.directives.Hash
	}
	switch {
	case v.quarantined:
		st.w.fail("QUARANTINE", "store %d is in quarantine", st.id)
	case v.applied.Seq < before.applied.Seq, v.session < before.session, v.acked < before.acked,
		v.directives.Seq < before.directives.Seq:
		st.w.fail("INV-6", "store %d: the cloud went back from %+v to %+v", st.id, before, v)
	case v.acked > st.applied:
		st.w.fail("INV-6", "store %d: directive %d acked, %d applied", st.id, v.acked, st.applied)
	case v.anomalies > st.poisons+st.alarms:
		st.w.fail("INV-3", "store %d: %d anomalies, the store caused %d", st.id, v.anomalies,
			st.poisons+st.alarms)
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
