package fleet

import (
	"fmt"
	"slices"
	"strings"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// fact is what one record did. What happened in the shop may be told by
// several: by the record that first said so, and, when that was lost with a
// disk, by a till that asks again or by the disk once it is read.
type fact struct {
	seq     uint64
	hash    journal.Hash
	uid     id
	rec     *recordv1.Record
	box     int // that wrote it
	changes []change
	first   *fact    // that told the same; itself if none did before
	handed  *promise // that it handed over
	kept    bool     // a till keeps the request
	told    bool     // the disk that has it was read
	apart   bool     // a person has to say what to do with it
	refused bool     // nobody heard that it was booked, and who asked again was told no
}

// change is what a record did to the books of one SKU. slips are the part of
// it that moved nothing in the shop.
type change struct {
	cell      *cell
	delta     ledger.Balances
	slipShelf stock.Units
	slipBack  stock.Units
}

// regions are how much more the books have on the shelf and behind it.
func (d *change) regions() (shelf, back stock.Units) { return believed(d.delta) }

// of returns what a fact did to a SKU.
func (f *fact) of(c *cell) change {
	for _, d := range f.changes {
		if d.cell == c {
			return d
		}
	}
	return change{cell: c}
}

// newFact compares the rows after a record with those before it.
func (st *store) newFact(b *box, s *seenRecord, before func(*cell) ledger.Balances) *fact {
	f := &fact{seq: s.seq, rec: s.rec, box: b.number}
	f.first = f
	copy(f.uid[:], s.rec.GetUid())
	if s.rec.GetCollect() != nil || s.rec.GetCollectByToken() != nil {
		f.handed = st.w.office.promises[id(books.ReservationIn(s.rec))]
	}
	for _, a := range s.rows {
		d := change{cell: st.cell(a.SKU)}
		was := before(d.cell)
		for i := range a.Balances {
			d.delta[i] = a.Balances[i] - was[i]
		}
		f.changes = append(f.changes, d)
	}
	f.slip()
	return f
}

// slip sets what of a record's changes is in the books alone, without anything
// moving in the shop: counts, units found, units missing.
func (f *fact) slip() {
	booked := f.rec.GetCount() != nil || f.rec.GetReplace() != nil ||
		f.rec.GetShortage().GetReason() == recordv1.ShortReason_SHORT_REASON_MISSING
	for i := range f.changes {
		d := &f.changes[i]
		if booked {
			d.slipShelf, d.slipBack = d.regions()
		}
		for _, l := range f.rec.GetSale().GetFound() {
			if stock.SKU(l.GetSku()) == d.cell.sku {
				d.slipShelf += stock.Units(l.GetUnits())
			}
		}
	}
}

// compare checks that a fact which was lost is booked with the same units, and
// settles what the books say of where they were.
func (f *fact) compare() {
	cells := make([]*cell, 0, len(f.changes)+len(f.first.changes))
	for _, d := range slices.Concat(f.changes, f.first.changes) {
		if !slices.Contains(cells, d.cell) {
			cells = append(cells, d.cell)
		}
	}
	all := make([]change, 0, len(cells))
	for _, c := range cells {
		now, was := f.of(c), f.first.of(c)
		shelf, back := now.regions()
		wasShelf, wasBack := was.regions()
		late := c.counted.Compare(epochOf(f.first.rec.GetEpoch())) > 0
		a, b := now.delta.OnHand(), was.delta.OnHand()
		left := b - was.slipShelf - was.slipBack // that left the shop, whatever was found
		switch {
		case late && shelf != 0:
			c.fail("INV-0", "record %d changes the shelf by %d, it was counted since", f.seq, shelf)
		case !late && a != b && a != left && a-now.slipShelf-now.slipBack != left && a-f.foundAgain(c) != left:
			c.fail("INV-4", "record %d booked %d units again, they were %d", f.seq, a, b)
		}
		now.slipShelf = shelf - (wasShelf - was.slipShelf)
		now.slipBack = back - (wasBack - was.slipBack)
		all = append(all, now)
	}
	f.changes = all
}

// bookedTwice checks that a salvaged fact which nobody misses changes nothing.
func (f *fact) bookedTwice() {
	for _, d := range f.changes {
		if n := d.delta.OnHand(); n != 0 {
			d.cell.fail("INV-4", "record %d books %d units of a fact that is in the books already", f.seq, n)
		}
	}
}

// lose adds what the shop has and the books do not.
func (d *change) lose() {
	for i := range d.delta {
		d.cell.lost[i] += d.delta[i]
	}
	shelf, back := d.regions()
	d.cell.lostShelf += shelf - d.slipShelf
	d.cell.lostBack += back - d.slipBack
}

// sum adds what a booked fact did beyond moving units as they moved.
func (f *fact) sum() {
	for _, d := range f.changes {
		d.cell.slipShelf += d.slipShelf
		d.cell.slipBack += d.slipBack
		if f.first == f {
			continue
		}
		was := f.first.of(d.cell)
		for a := ledger.Supplier; a <= ledger.Writeoff; a++ {
			d.cell.excused[a] += d.delta[a] - was.delta[a]
		}
		d.cell.excused[ledger.Damaged] += d.delta[ledger.Damaged] - was.delta[ledger.Damaged]
	}
	f.count()
	if f.first.handed != nil {
		f.first.handed.handed++
	}
}

// count notes the newest absolute count of a SKU: what was recorded in an older
// epoch is in it already.
func (f *fact) count() {
	n := f.rec.GetCount()
	if n == nil {
		return
	}
	for _, d := range f.changes {
		if f.seq >= d.cell.countedAt {
			d.cell.counted, d.cell.countedAt = epochOf(f.rec.GetEpoch()), f.seq
		}
	}
}

// matters tells whether a fact did anything that somebody could miss.
func (f *fact) matters() bool {
	for i := range f.changes {
		d := &f.changes[i]
		if shelf, back := d.regions(); shelf != 0 || back != 0 || d.delta[ledger.Damaged] != 0 {
			return true
		}
		for a := ledger.Supplier; a <= ledger.Writeoff; a++ {
			if d.delta[a] != 0 {
				return true
			}
		}
	}
	return false
}

// String says what a fact is.
func (f *fact) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "record %d of box %d: %s", f.seq, f.box, bodyName(fmt.Sprintf("%T", f.rec.GetBody())))
	if f.first != f {
		fmt.Fprintf(&b, ", as record %d", f.first.seq)
	}
	for i := range f.changes {
		d := &f.changes[i]
		shelf, back := d.regions()
		fmt.Fprintf(&b, "; sku %d: shelf %+d behind %+d, slips %+d %+d", d.cell.sku, shelf, back,
			d.slipShelf, d.slipBack)
		if d.cell.st.chain[f.seq] != f.hash {
			b.WriteString(" (not booked)")
		}
	}
	return b.String()
}

// foundAgain is how many units a salvaged sale was booked with that the books of
// its box did not know: a count had missed them before it was sent again.
func (f *fact) foundAgain(c *cell) (n stock.Units) {
	sal := f.rec.GetSalvage()
	if sal == nil {
		return 0
	}
	inner, err := books.Fact(sal)
	if err != nil {
		return 0 // firstOf has reported it
	}
	for _, l := range inner.GetSale().GetFound() {
		if stock.SKU(l.GetSku()) == c.sku {
			n += stock.Units(l.GetUnits())
		}
	}
	return n
}
