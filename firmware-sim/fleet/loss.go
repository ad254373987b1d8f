package fleet

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/firmware-sim/fleet/check"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/escrow"
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

// book takes a fact of the box that counts into account.
func (st *store) book(f *fact) {
	if old := st.facts[f.hash]; old != nil { // it is back as it was
		st.tally()
		return
	}
	st.facts[f.hash] = f
	if f.uid != (id{}) && st.byUID[f.uid] == nil {
		st.byUID[f.uid] = f
	}
	first := st.firstOf(f)
	if first == nil {
		if f.rec.GetSalvage() != nil {
			f.bookedTwice()
		}
		st.apply(f)
		return
	}
	f.first = first.first
	f.compare()
	st.w.logf("store %d: record %d brings back record %d", st.id, f.seq, first.seq)
	st.tally()
}

// apply adds what a fact did to the sums; see tally.
func (st *store) apply(f *fact) {
	for _, d := range f.changes {
		d.cell.slipShelf += d.slipShelf
		d.cell.slipBack += d.slipBack
	}
	f.count()
	if p := f.handed; p != nil {
		if p.handed++; p.handed > 1 {
			st.w.fail("INV-3", "store %d: order %x was handed over twice", st.id, p.id)
		}
	}
}

// firstOf finds the lost fact that a record tells again; nil if there is none.
func (st *store) firstOf(f *fact) *fact {
	inner := f.rec
	if sal := f.rec.GetSalvage(); sal != nil {
		var err error
		if inner, err = books.Fact(sal); err != nil {
			st.w.fail("FAULT", "store %d: decode a salvaged fact: %v", st.id, err)
			return nil
		}
	}
	for _, lost := range st.lost {
		if f.uid != (id{}) && lost.uid == f.uid {
			return lost
		}
		if f.rec.GetSalvage() != nil && inner.GetSeq() == lost.rec.GetSeq() && proto.Equal(inner, lost.rec) {
			return lost
		}
	}
	return nil
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

// missing takes a fact of another box into account: what it did in the shop is
// not in the books.
func (st *store) missing(f *fact) {
	if st.facts[f.hash] != nil {
		return // the cloud gave it back
	}
	st.facts[f.hash] = f
	switch other := st.byUID[f.uid]; {
	case f.uid == (id{}):
	case other == nil:
		st.byUID[f.uid] = f
	default:
		f.first = other
		f.compare()
	}
	st.tally()
}

// tally sums up anew what the facts did, by whether they are in the journal
// that counts.
func (st *store) tally() {
	for _, c := range st.cells {
		c.lost, c.excused = ledger.Balances{}, ledger.Balances{}
		c.counted, c.countedAt = stock.Epoch{}, 0
		c.slipShelf, c.slipBack, c.lostShelf, c.lostBack = c.stolen, 0, 0, 0
		c.touch()
	}
	for _, p := range st.w.office.promises {
		if p.st == st {
			p.handed = 0
		}
	}
	booked := make(map[*fact]bool)
	for _, f := range st.facts {
		if st.chain[f.seq] == f.hash && !booked[f.first] {
			booked[f.first], f.first.told = true, false
			f.sum()
		}
	}
	st.lost = st.lost[:0]
	for _, f := range st.facts {
		if f.first == f && !booked[f] && !f.refused && f.matters() {
			st.lost = append(st.lost, f)
			for i := range f.changes {
				f.changes[i].lose()
			}
		}
	}
	slices.SortFunc(st.lost, func(a, b *fact) int { return bytes.Compare(a.hash[:], b.hash[:]) })
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

// toldBy notes that a disk was read: what it has must come back.
func (st *store) toldBy(j *journal.Journal) {
	for _, f := range st.lost {
		if f.uid == (id{}) {
			continue
		}
		if _, known, err := j.Find(st.w.ctx, f.uid); err == nil && known {
			f.told = true
		}
	}
}

// reload takes the store's box for what it is now: a disk that was put back,
// or was filled from the cloud. What its journal does not have is lost.
func (st *store) reload(b *box) {
	hashes, err := hashesOf(b)
	if err != nil {
		st.w.fail("FAULT", "store %d: read the journal: %v", st.id, err)
		return
	}
	st.chain, st.head = hashes, b.journal.Head()
	st.loadBooks(b)
	st.tally()
	st.w.logf("store %d: box %d counts, at record %d; %d facts are lost", st.id, b.number, st.head.Seq,
		len(st.lost))
	st.listFacts()
}

// listFacts says what is known of what happened, for people.
func (st *store) listFacts() {
	if st.w.o.Log == nil {
		return
	}
	all := slices.Collect(maps.Values(st.facts))
	slices.SortFunc(all, func(a, b *fact) int { return cmp.Compare(a.seq, b.seq) })
	for _, f := range all {
		if f.matters() {
			st.w.logf("store %d: fact %s", st.id, f)
		}
	}
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

func hashesOf(b *box) (map[uint64]journal.Hash, error) {
	hashes := make(map[uint64]journal.Hash)
	err := b.journal.View(b.w.ctx, func(tx *journal.Tx) error {
		rows, err := tx.Query(`SELECT seq, hash FROM journal ORDER BY seq`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var seq uint64
			var h journal.Hash
			if err := rows.Scan(&seq, &h); err != nil {
				return err
			}
			hashes[seq] = h
		}
		return rows.Err()
	})
	return hashes, err
}

// loadBooks reads again what was observed of the books.
func (st *store) loadBooks(b *box) {
	w := st.w
	for _, c := range st.cells {
		c.book, c.legacy = books.Account{SKU: c.sku, Rights: escrow.Rights{Timeline: 1}}, 0
		c.touch()
	}
	err := b.journal.View(w.ctx, func(tx *journal.Tx) error {
		all, err := books.Accounts(tx, st.id, 0, assortment+1)
		if err != nil {
			return err
		}
		legacy, err := check.Legacies(tx, st.id)
		if err != nil {
			return err
		}
		for _, a := range all {
			c := st.cell(a.SKU)
			c.book, c.legacy = a, legacy[a.SKU]
		}
		cursor, err := books.CursorOf(tx, st.id)
		if err != nil {
			return err
		}
		st.applied, st.timeline = cursor.Directives, cursor.Timeline
		return st.loadPromises(tx)
	})
	if err != nil {
		w.fail("FAULT", "store %d: read the books: %v", st.id, err)
	}
}

// loadPromises reads again which promises the store knows, and how they are.
func (st *store) loadPromises(tx *journal.Tx) error {
	for _, p := range st.promises() {
		r, known, err := books.Open(tx, st.id).Reservation(p.id)
		if err != nil {
			return err
		}
		p.taken, p.ended, p.lines = known, false, nil
		if known {
			p.ended, p.lines = r.State().Final(), slices.Clone(r.Lines)
		}
	}
	st.countUntaken()
	return nil
}

// promises lists the store's promises in the order of their ids.
func (st *store) promises() []*promise {
	var all []*promise
	for _, p := range st.w.office.promises {
		if p.st == st {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *promise) int { return bytes.Compare(a.id[:], b.id[:]) })
	return all
}

// countUntaken sums up what was promised and the store does not know.
func (st *store) countUntaken() {
	for _, c := range st.cells {
		c.untaken, c.untakenOld, c.gone = 0, 0, 0
	}
	for _, p := range st.promises() {
		if !p.taken {
			p.count(+1)
		}
	}
}

// dealt notes what is left to do of an order, by a box that knows it: should it
// be forgotten, nobody has a claim to the rest.
func (p *promise) dealt(r *books.Reservation) {
	if !p.taken {
		p.count(-1)
	}
	if p.left == nil {
		p.left = make(map[uint32]stock.Units)
	}
	for _, l := range r.Lines {
		if left, seen := p.left[l.Line]; !seen || l.Open() < left {
			p.left[l.Line] = l.Open()
		}
	}
	if !p.taken {
		p.count(+1)
	}
}

// count adds a promise's units to those that the store does not know, or takes
// them away.
func (p *promise) count(sign stock.Units) {
	for _, l := range p.reserve.GetLines() {
		c := p.st.cell(stock.SKU(l.GetSku()))
		n := stock.Units(l.GetUnits())
		left, seen := p.left[l.GetLine()]
		if !seen {
			left = n
		}
		if stock.Timeline(p.reserve.GetTimeline()) == p.st.cloud.timeline {
			c.untaken += sign * n
			c.gone += sign * (n - left)
		} else {
			c.untakenOld += sign * left
		}
		c.touch()
	}
}
