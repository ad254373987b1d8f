package fleet

import (
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/ledger"
)

// check holds what is known of one SKU in one store against itself. While box
// and cloud have not agreed since one of them lost its past, nothing is said of
// what holds between them.
func (c *cell) check() {
	c.signs()
	c.physical()
	if c.st.torn() {
		return
	}
	c.cover()
	c.copied()
	c.kept()
}

// signs: nothing but sellable is below zero, and units balance.
func (c *cell) signs() {
	for a := ledger.Online; a <= ledger.InTransfer; a++ {
		if c.at(a) < 0 || c.mirror.Balances[a] < 0 {
			c.fail("INV-1", "%s is %d, in the cloud's copy %d", a, c.at(a), c.mirror.Balances[a])
		}
	}
	if c.book.Balances.Sum() != 0 || c.mirror.Balances.Sum() != 0 {
		c.fail("INV-1", "units came from nowhere: %v, copy %v", c.book.Balances, c.mirror.Balances)
	}
	if c.at(ledger.Suspense) != 0 || c.mirror.Balances[ledger.Suspense] != 0 {
		c.fail("INV-1", "suspense is %d, in the copy %d", c.at(ledger.Suspense),
			c.mirror.Balances[ledger.Suspense])
	}
	if q := c.quota; q.Free() < 0 || q.Held < 0 || q.Held != c.held {
		c.fail("INV-1", "pool %d, held %d, in carts %d", q.Free(), q.Held, c.held)
	}
}

// cover: what the store has set aside is what the cloud may promise, has
// promised unheard, or what is on its way.
func (c *cell) cover() {
	r, q := c.book.Rights, c.quota
	if c.at(ledger.Online) != r.Online()+c.legacy {
		c.fail("INV-2", "online is %d, by its counters %d and %d of older timelines", c.at(ledger.Online),
			r.Online(), c.legacy)
	}
	if c.st.timeline != c.st.cloud.timeline {
		return // the store has not heard of it
	}
	if r.Granted < q.Granted || q.Returned < r.Returned {
		c.fail("INV-2", "counters ran ahead: store %+v, cloud %+v", r, q)
	}
	if q.Assigned-r.Assigned != c.untaken {
		c.fail("INV-2b", "%d promised, %d taken, %d on their way", q.Assigned, r.Assigned, c.untaken)
	}
	moving := (r.Granted - q.Granted) + (q.Returned - r.Returned) + (q.Assigned - r.Assigned)
	if r.Online() != q.Free()+q.Held+moving {
		c.fail("INV-2", "online %d, pool %d, held %d, moving %d", r.Online(), q.Free(), q.Held, moving)
	}
}

// copied: when the cloud has every record, its copy is the store's book.
func (c *cell) copied() {
	if m := c.mirror; c.st.cloud.applied.Seq == c.st.head.Seq &&
		(m.Balances != c.book.Balances || !sameRights(m.Rights, c.book.Rights) || c.legacy != c.mirrorLegacy) {
		c.fail("INV-3", "the cloud's copy is %v %+v, the store has %v %+v", m.Balances, m.Rights,
			c.book.Balances, c.book.Rights)
	}
	if c.mirror.Rights.Timeline == c.st.cloud.timeline && c.mirror.Rights.Granted != c.quota.Granted {
		c.fail("INV-2", "granted %d, by the copy %d", c.quota.Granted, c.mirror.Rights.Granted)
	}
}

// sameRights is also true for two that are empty, whatever their timelines.
func sameRights(a, b escrow.Rights) bool {
	empty := escrow.Rights{Timeline: b.Timeline}
	return a == b || a == (escrow.Rights{Timeline: a.Timeline}) && b == empty
}

// physical: the books say what is in the shop, but for what the simulator took
// or put there unseen. While a step's outcome is not known, nothing is said.
func (c *cell) physical() {
	if c.doubt > 0 {
		return
	}
	b := c.book.Balances
	for _, flow := range []struct {
		account ledger.Account
		real    stock.Units
	}{
		{ledger.Supplier, -c.delivered}, {ledger.Sold, c.soldN}, {ledger.Collected, c.collected},
		{ledger.Returned, -c.returned}, {ledger.Writeoff, c.thrown}, {ledger.Damaged, c.damaged},
	} {
		if a := flow.account; b[a]+c.lost[a]-c.excused[a] != flow.real {
			c.fail("INV-0", "%s is booked as %d, lost are %d, excused %d, was %d", a, b[a], c.lost[a],
				c.excused[a], flow.real)
		}
	}
	shelf, back := believed(b)
	shelf, back = shelf+c.lostShelf, back+c.lostBack
	if shelf-c.slipShelf != c.shelf+c.hands || back-c.slipBack != c.back {
		c.fail("INV-0", "books say %d on the shelf and %d behind, slips %d and %d; there are %d+%d and %d",
			shelf, back, c.slipShelf, c.slipBack, c.shelf, c.hands, c.back)
	}
}

// kept: every promise has a unit, unless somebody took one unseen or a person
// decided otherwise, which is what a negative sellable says. What was granted
// and promised, and is known to neither side any more, cannot be kept.
func (c *cell) kept() {
	if c.doubt > 0 {
		return
	}
	bound := c.at(ledger.Reserved) + c.at(ledger.Picked) + c.at(ledger.Staged)
	old := c.untakenOld
	if c.st.bereft {
		old = min(old, c.legacy)
	}
	claims := c.quota.Free() + c.quota.Held + c.untaken - c.gone + old + bound
	usable := c.shelf + c.hands + c.back - c.at(ledger.ToShelve)
	debt := max(0, -c.at(ledger.Sellable))
	slip := max(0, c.unaccounted())
	if claims > usable+debt+slip {
		c.fail("INV-5", "%d units are promised or promisable; there are %d, %d lent, %d unaccounted",
			claims, usable, debt, slip)
	}
}

// owed: sellable sinks below zero only when a person decided so, when a shelf
// was counted, or when a part of the past is lost.
func (c *cell) owed(rec *recordv1.Record, before, after stock.Units) {
	if after < 0 && after < before && !mayOwe(rec) && (!unheard(rec) || !c.st.w.pastMayBeLost()) {
		c.fail("INV-5", "record %d, %s, leaves %d of the store's own units, they were %d", rec.GetSeq(),
			bodyName(fmt.Sprintf("%T", rec.GetBody())), after, before)
	}
}

// mayOwe tells whether a record may give away what the store does not have.
func mayOwe(rec *recordv1.Record) bool {
	switch v := rec.GetBody().(type) {
	case *recordv1.Record_Sale:
		m := v.Sale.GetMode()
		return m == recordv1.SaleMode_SALE_MODE_BORROW || m == recordv1.SaleMode_SALE_MODE_SAFE
	case *recordv1.Record_Count, *recordv1.Record_Salvage, *recordv1.Record_Checkpoint:
		return true
	}
	return false
}

// unheard tells whether a record is about an order that the store has to
// honour, whatever it has.
func unheard(rec *recordv1.Record) bool {
	return rec.GetAccept() != nil || rec.GetCollectByToken() != nil
}

// unaccounted is how many more units the books believe in than there are.
func (c *cell) unaccounted() stock.Units {
	shelf, back := believed(c.book.Balances)
	return shelf + back - c.shelf - c.hands - c.back
}

func (c *cell) fail(invariant, format string, args ...any) {
	c.st.w.fail(invariant, "store %d sku %d: "+format, append([]any{c.st.id, c.sku}, args...)...)
}
