package model

// rightsOfCloud counts the units whose right lies with the cloud.
func (b *books) rightsOfCloud() (n int8) {
	for _, units := range b.online {
		n += units
	}
	return n
}

func (b *books) onOrder() (n int8) {
	for r := range b.promises {
		n += b.promises[r].at[reserved]
	}
	return n
}

// atTill lets a customer bring one unit to the till: who stands there with a
// unit in the hand is served from the store's own, then from what the cloud may
// promise, then from what is reserved; if nothing is left, the unit was unbooked.
func (w *walker) atTill() {
	s, sc := w.base, w.sc
	if s.used.sales >= sc.Sales || s.shelf <= s.setAside() {
		return
	}
	own, lent, bound := s.node.at[sellable], s.node.rightsOfCloud(), s.node.onOrder()
	x := record{kind: sale, n: 1, uid: s.used.sales}
	mayBorrow, mayBump := own+lent >= 1, own+lent+bound >= 1
	if !sc.Rules.on(BorrowByAll) {
		mayBorrow, mayBump = lent >= 1, bound >= 1
	}
	switch {
	case own >= 1:
		w.sell(move{what: sells}, x)
	case mayBorrow:
		if sc.can(Borrowing) {
			x.debt = true
			w.sell(move{what: borrows}, x)
		}
	case mayBump:
		x.bump, x.debt = 1, own < 0
		for r := range int8(len(sc.Quantities)) {
			if x.r = r; sc.can(Bumping) && s.node.promises[r].at[reserved] > 0 {
				w.sell(move{what: bumps, r: r}, x)
			}
		}
	case sc.can(Surplus):
		x.k, x.debt = 1-own-lent-bound, own < 0
		w.sell(move{what: sellsFound}, x)
	}
}

// setAside counts the units that no customer finds on the shelf.
func (s *state) setAside() (n int8) {
	for r := range s.node.promises {
		n += s.node.promises[r].at[picked] + s.node.promises[r].at[staged]
	}
	return n + s.node.at[shelving]
}

func (w *walker) sell(m move, x record) {
	s := w.try()
	s.used.sales++
	s.shelf--
	s.off += x.k
	if m.what == borrows || x.debt {
		s.used.borrowed++
	}
	w.write(m, x)
}

// onShelf is what happens to goods that nobody has ordered.
func (w *walker) onShelf() {
	s, sc := w.base, w.sc
	trusted := s.whole(false) || !sc.Rules.on(SuspectGrantsNot)
	for n := int8(1); n <= 2; n++ {
		if s.used.grants+n <= sc.Grants && s.node.at[sellable] >= n && trusted {
			w.try().used.grants += n
			w.write(move{what: grants, n: n}, record{kind: grant, n: n})
		}
	}
	if sc.can(Receiving) && s.used.receipts == 0 {
		t := w.try()
		t.used.receipts++
		t.shelf++
		w.write(move{what: receives}, record{kind: receipt, n: 1})
	}
	if s.node.at[shelving] > 0 {
		w.try()
		w.write(move{what: reshelves}, record{kind: reshelve, n: 1})
	}
	if sc.can(Surplus) && s.used.surplus == 0 {
		t := w.try()
		t.used.surplus++
		t.shelf++
		t.off--
		w.done(move{what: surplusAppears})
	}
	w.counting()
}

func (w *walker) counting() {
	s, sc := w.base, w.sc
	if sc.can(Shrinking) && s.used.shrunk == 0 && s.shelf > s.setAside() {
		t := w.try()
		t.used.shrunk++
		t.shelf--
		t.off++
		w.done(move{what: shrinks})
	}
	if s.used.counts > 0 || !sc.can(Counting) {
		return
	}
	if d := s.shelf - s.node.onHand(); d != 0 {
		w.count(move{what: counts}, d)
	}
	if sc.can(Shrinking) && s.shelf > 0 {
		w.count(move{what: miscounts}, s.shelf-1-s.node.onHand())
	}
}

// count books a difference; the books then differ from the shelf by what the
// person missed.
func (w *walker) count(m move, d int8) {
	s := w.try()
	s.used.counts++
	if m.what == miscounts {
		s.used.miscounts++
	}
	s.off = s.node.onHand() + d - s.shelf
	w.write(m, record{kind: count, n: d})
}

// atCounter is what the store does for one reservation.
func (w *walker) atCounter(r int8) {
	s := w.base
	p := &s.node.promises[r]
	if s.tokens[r].held && s.used.hands < w.sc.Hands {
		w.handOver(r)
	}
	if !p.known || p.final() {
		return
	}
	if w.sc.can(Picking) {
		if n := p.at[reserved]; n > 0 {
			w.try()
			w.write(move{what: picks, r: r}, record{kind: pick, r: r, n: n})
		}
		if n := p.at[picked]; n > 0 {
			w.try()
			w.write(move{what: stages, r: r}, record{kind: stage, r: r, n: n})
		}
	}
	w.try()
	w.write(move{what: releases, r: r}, record{kind: release, r: r, n: p.open()})
	if s.node.onHand() > s.shelf && w.sc.can(Shrinking) {
		w.missing(r)
	}
}

// missing is a unit of a reservation that the picker cannot find.
func (w *walker) missing(r int8) {
	w.try().off--
	w.write(move{what: findsMissing, r: r}, record{kind: runShort, r: r, n: 1})
	if w.base.node.at[sellable] >= 1 {
		w.try().off--
		w.write(move{what: replaces, r: r}, record{kind: replace, r: r, n: 1})
	}
}

func (w *walker) handOver(r int8) {
	s, sc := w.base, w.sc
	p, tok := &s.node.promises[r], s.tokens[r]
	x := record{kind: collect, r: r, uid: s.used.hands}
	m := move{what: hands, r: r}
	most := p.open()
	if !p.known {
		finished := tok.number <= s.node.directives[tok.tau] && sc.Rules.on(FinishedByNumber)
		legacy := tok.tau != s.node.timeline
		if finished || legacy && s.node.drained && sc.Rules.on(LegacyByWindow) {
			return
		}
		most, m.what = sc.Quantities[r], handsByToken
		x.kind, x.q, x.tau, x.number = collectByToken, most, tok.tau, tok.number
		x.k = x.q - min(x.q, max(0, s.node.online[tok.tau]))
	}
	for n := int8(1); n <= min(most, s.shelf); n++ {
		t := w.try()
		t.shelf -= n
		t.hand[r] += n
		t.used.hands++
		x.n, m.n = n, n
		w.write(m, x)
	}
}
