package fleet

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/firmware-sim/fleet/check"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

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
	if f.rec.GetUnclassified() != nil {
		st.setApart(f, first)
		return
	}
	f.first = first.first
	f.compare()
	st.w.logf("store %d: record %d brings back record %d", st.id, f.seq, first.seq)
	st.tally()
}

// keptIDs is how long the ids of requests are kept: by the box's clock.
const keptIDs = 35 * 24 * time.Hour

// setApart notes that a lost fact is left to a person: it looks so old that
// nobody can tell whether it was booked.
func (st *store) setApart(f, lost *fact) {
	age := time.Duration(st.box.clock.now()-books.Time(lost.rec)) * time.Millisecond
	if age <= keptIDs {
		st.w.fail("INV-4", "store %d: record %d sets a fact apart that is %s old", st.id, f.seq, age)
	}
	lost.apart = true
	st.w.logf("store %d: record %d leaves record %d to a person", st.id, f.seq, lost.seq)
	st.apply(f)
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
		// A count that changed nothing was not missed when it was asked again at
		// a copy of the box: there it is a fact of its own.
		same := st.byUID[f.uid]
		if f.first == f && !booked[f] && (same == nil || !booked[same.first]) && !f.refused && f.matters() {
			st.lost = append(st.lost, f)
			for i := range f.changes {
				f.changes[i].lose()
			}
		}
	}
	slices.SortFunc(st.lost, func(a, b *fact) int { return bytes.Compare(a.hash[:], b.hash[:]) })
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
