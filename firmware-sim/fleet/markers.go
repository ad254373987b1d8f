package fleet

import (
	"strings"
	"time"

	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/reservation"
)

// together is how close two things are that happen at the same time.
const together = 10 * time.Minute

// markRecord notes what a record shows. The cells hold the rows after it.
func (st *store) markRecord(s *seenRecord) {
	m := &st.w.marks
	switch v := s.rec.GetBody().(type) {
	case *recordv1.Record_Sale:
		st.markSold(v.Sale)
	case *recordv1.Record_Grant:
		c := st.cell(stock.SKU(v.Grant.GetSku()))
		if c.quota.Returned > c.book.Rights.Returned {
			m.hit(markCrossing)
		}
	case *recordv1.Record_Accept:
		for _, l := range v.Accept.GetReserve().GetLines() {
			if st.cell(stock.SKU(l.GetSku())).label(st.box) == nil {
				m.hit(markUnknownSKU)
			}
		}
	case *recordv1.Record_ApplyDirective:
		if strings.HasPrefix(v.ApplyDirective.GetOutcome(), "ended before: collected") {
			m.hit(markCancelLost)
		}
	case *recordv1.Record_Count:
		c := st.cell(stock.SKU(v.Count.GetSku()))
		if v.Count.GetDelta() < 0 && c.free() < 0 {
			m.hit(markShrink)
		}
	case *recordv1.Record_Shortage:
		if v.Shortage.GetReason() == recordv1.ShortReason_SHORT_REASON_MISSING {
			m.hit(markPickShort)
		}
	case *recordv1.Record_Replace:
		m.hit(markReplaced)
	}
	for _, r := range s.res {
		st.markReservation(r)
	}
}

func (st *store) markSold(sale *recordv1.Sale) {
	m := &st.w.marks
	switch sale.GetMode() {
	case recordv1.SaleMode_SALE_MODE_BORROW:
		m.hit(markLent)
	case recordv1.SaleMode_SALE_MODE_BUMP:
		m.hit(markBumped)
	case recordv1.SaleMode_SALE_MODE_FOUND:
		m.hit(markFound)
	}
	for _, l := range sale.GetLines() {
		c := st.cell(stock.SKU(l.GetSku()))
		if c.free() == 0 {
			c.lastSale = st.w.now
			c.lastUnits()
		}
		if c.free() < 0 && c.quota.Free()+c.quota.Held+c.untaken > 0 {
			m.hit(markExtendedDebt)
		}
	}
}

// lastUnits notes that both sides have just given away their last unit.
func (c *cell) lastUnits() {
	w := c.st.w
	if c.free() == 0 && c.quota.Free() == 0 && c.quota.Granted > 0 && w.now-c.lastSale < together &&
		w.now-c.lastPromise < together && c.lastSale > 0 && c.lastPromise > 0 {
		w.marks.hit(markLastUnits)
	}
}

func (st *store) markReservation(r *books.Reservation) {
	if r.State() != reservation.Mixed {
		return
	}
	for _, l := range r.Lines {
		if l.At(reservation.Collected) > 0 {
			st.w.marks.hit(markPartly)
			return
		}
	}
}

// markCommand notes what a command shows.
func (o *office) markCommand(s *seenCommand) {
	if s.result.GetReservation() == nil {
		return
	}
	for _, row := range s.rows {
		if row.quota.Free() == 0 {
			row.cell.lastPromise = o.w.now
			row.cell.lastUnits()
		}
	}
}

// markRefused notes what the refusal of a command shows.
func (o *office) markRefused(c *recordv1.Command, err error) {
	if c.GetApplyBatch() != nil && stock.Refused(err, stock.Fenced) {
		o.w.marks.hit(markLateBatch)
	}
}

// markPromised notes that a customer cannot have what is in the basket.
func (w *World) markPromised(st *store, basket []wish) {
	w.marks.hit(markPromisedRefused)
	if st.box.up && st.box.core.State().Phase == uplink.Offline {
		w.marks.hit(markPromisedOffline)
	}
	for _, b := range basket {
		if b.cell.lastSale > 0 && w.now-b.cell.lastSale < together {
			w.marks.hit(markTwoTills)
		}
	}
}

// markUnheard notes an order that was collected by its code alone.
func (w *World) markUnheard(t *ticket) {
	st := t.p.st
	if st.line.outage > t.p.at.outage || st.box.core.State().Phase == uplink.Offline {
		w.marks.hit(markTokenOffline)
	}
}

// markEnded notes why a code was refused.
func (w *World) markEnded(t *ticket, code stock.Code) {
	switch {
	case code == stock.AlreadyCollected:
		w.marks.hit(markTwice)
	case t.p.why == recordv1.ReleaseReason_RELEASE_REASON_CANCEL:
		w.marks.hit(markCancelWon)
	case t.p.why == recordv1.ReleaseReason_RELEASE_REASON_EXPIRE:
		w.marks.hit(markExpiredWon)
	}
}

// anyDue tells whether an order would be given up by the box's clock.
func (b *box) anyDue() bool {
	for _, r := range b.st.openOrders() {
		if r.PickupUntil <= b.clock.now()-b.floor.Policy().GetGraceMs() {
			return true
		}
	}
	return false
}
