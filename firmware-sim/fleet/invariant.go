package fleet

import (
	"holdfast.dev/stock"
	"holdfast.dev/stock/ledger"
)

// check holds what is known of one SKU in one store against itself.
func (c *cell) check() {
	for _, invariant := range []func(*cell){(*cell).signs, (*cell).cover, (*cell).copied,
		(*cell).physical, (*cell).kept} {
		invariant(c)
	}
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
	if c.at(ledger.Online) != r.Online() {
		c.fail("INV-2", "online is %d, by its counters %d", c.at(ledger.Online), r.Online())
	}
	if r.Granted < q.Granted || q.Returned < r.Returned {
		c.fail("INV-2", "counters ran ahead: store %+v, cloud %+v", r, q)
	}
	if q.Assigned-r.Assigned != c.untaken {
		c.fail("INV-2b", "%d promised, %d taken, %d on their way", q.Assigned, r.Assigned, c.untaken)
	}
	moving := (r.Granted - q.Granted) + (q.Returned - r.Returned) + (q.Assigned - r.Assigned)
	if c.at(ledger.Online) != q.Free()+q.Held+moving {
		c.fail("INV-2", "online %d, pool %d, held %d, moving %d", c.at(ledger.Online), q.Free(), q.Held,
			moving)
	}
}

// copied: when the cloud has every record, its copy is the store's book.
func (c *cell) copied() {
	if m := c.mirror; c.st.cloud.applied.Seq == c.st.head.Seq &&
		(m.Balances != c.book.Balances || m.Rights != c.book.Rights) {
		c.fail("INV-3", "the cloud's copy is %v %+v, the store has %v %+v", m.Balances, m.Rights,
			c.book.Balances, c.book.Rights)
	}
	if c.mirror.Rights.Granted != c.quota.Granted {
		c.fail("INV-2", "granted %d, by the copy %d", c.quota.Granted, c.mirror.Rights.Granted)
	}
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
		if b[flow.account] != flow.real {
			c.fail("INV-0", "%s is booked as %d, was %d", flow.account, b[flow.account], flow.real)
		}
	}
	shelf, back := believed(b)
	if shelf-c.slipShelf != c.shelf+c.hands || back-c.slipBack != c.back {
		c.fail("INV-0", "books say %d on the shelf and %d behind, slips %d and %d; there are %d+%d and %d",
			shelf, back, c.slipShelf, c.slipBack, c.shelf, c.hands, c.back)
	}
}

// kept: every promise has a unit, unless somebody took one unseen or a person
// decided otherwise, which is what a negative sellable says.
func (c *cell) kept() {
	if c.doubt > 0 {
		return
	}
	bound := c.at(ledger.Reserved) + c.at(ledger.Picked) + c.at(ledger.Staged)
	claims := c.quota.Free() + c.quota.Held + c.untaken + bound
	usable := c.shelf + c.hands + c.back - c.at(ledger.ToShelve)
	debt := max(0, -c.at(ledger.Sellable))
	slip := max(0, c.slipShelf+c.slipBack)
	if claims > usable+debt+slip {
		c.fail("INV-5", "%d units are promised or promisable; there are %d, %d lent, %d unaccounted",
			claims, usable, debt, slip)
	}
}

func (c *cell) fail(invariant, format string, args ...any) {
	c.st.w.fail(invariant, "store %d sku %d: "+format, append([]any{c.st.id, c.sku}, args...)...)
}
