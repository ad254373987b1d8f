package model

// atOffice is what the cloud does for one reservation.
func (w *walker) atOffice(r int8) {
	s, sc := w.base, w.sc
	c := &s.cloud
	if c.fenced {
		return
	}
	q := sc.Quantities[r]
	switch c.stages[r] {
	case unheard:
		if s.tokens[r].number == 0 && s.pool(sc) >= q && w.turn(r) {
			t := w.try()
			t.cloud.stages[r], t.cloud.tau[r] = held, c.timeline
			w.done(move{what: holds, r: r})
		}
	case held:
		w.try().cloud.stages[r] = freed
		w.done(move{what: drops, r: r})
		if c.tau[r] == c.timeline || !sc.Rules.on(HoldsEndAtBump) {
			w.confirm(r)
		}
	case confirmed:
		w.wishes(r)
	}
}

// turn keeps walks apart that differ in the names of reservations only.
func (w *walker) turn(r int8) bool {
	return r == 0 || w.sc.Quantities[r] != w.sc.Quantities[r-1] ||
		w.base.cloud.stages[r-1] != unheard || w.base.tokens[r-1].number > 0
}

// order appends a directive, if there is room.
func (s *state) order(d directive) bool {
	c := &s.cloud
	c.chain[min(c.length, maxChain-1)] = d
	c.length++
	return c.length <= maxChain
}

func (w *walker) room() bool { return w.base.cloud.length < w.sc.Directives }

func (w *walker) confirm(r int8) {
	if !w.room() {
		return
	}
	s := w.try()
	s.cloud.stages[r] = confirmed
	if s.cloud.tau[r] == s.cloud.timeline {
		s.cloud.assigned += w.sc.Quantities[r]
	}
	s.order(directive{order: toReserve, r: r})
	s.tokens[r] = token{held: true, number: s.cloud.length, tau: s.cloud.tau[r]}
	w.done(move{what: confirms, r: r})
}

// wishes are what the cloud can only ask for once it has promised.
func (w *walker) wishes(r int8) {
	c := &w.base.cloud
	current := c.tau[r] == c.timeline || c.again[r]
	if !current || !w.room() {
		return
	}
	if w.sc.can(Cancelling) && !c.asked[r] && !w.base.mirror.promises[r].final() {
		s := w.try()
		s.cloud.asked[r] = true
		s.order(directive{order: toCancel, r: r})
		w.done(move{what: cancels, r: r})
	}
	if w.sc.can(Voiding) && w.base.used.voids == 0 {
		s := w.try()
		s.used.voids++
		s.order(directive{order: toVoid, r: r})
		w.done(move{what: voids, r: r})
	}
}

// rightsOfCloud is what the cloud does with the pool.
func (w *walker) rightsOfCloud() {
	s, sc := w.base, w.sc
	if s.cloud.fenced || !w.room() {
		return
	}
	pool := s.pool(sc)
	if sc.can(Returning) && s.used.returns < sc.Returns && pool >= 1 {
		w.try().used.returns++
		w.giveBack(move{what: returns, n: 1}, 1)
	}
	if !sc.can(LateTargets) {
		return
	}
	for target := range s.cloud.returned {
		n := min(pool, target-s.cloud.returned)
		if sc.Rules.on(TargetsOnlyRise) {
			n = max(0, n)
		}
		if n != 0 {
			w.try()
			w.giveBack(move{what: targetsAgain, n: target}, n)
		}
	}
}

func (w *walker) giveBack(m move, n int8) {
	s := &w.next
	s.cloud.returned += n
	s.order(directive{order: toReturn, n: n, total: s.cloud.returned})
	w.done(m)
}

// onLine moves the two logs on by one.
func (w *walker) onLine() {
	s := w.base
	if !s.connected() {
		return
	}
	if s.head() > 0 {
		w.upload()
	}
	next := s.node.directives[s.node.timeline]
	if next < s.cloud.length {
		w.deliver(s.cloud.chain[next])
	}
}

// upload applies the next record to the mirror.
func (w *walker) upload() {
	s := w.try()
	x := s.log[s.up]
	m := move{what: uploads, n: int8(x.kind)}
	no := s.mirror.apply(x, law{w.sc.Rules, s.lost[:s.lostLen]})
	s.up++
	if s.cloudSave == nil { // nobody needs it any more
		copy(s.log[:], s.log[s.up:s.written])
		s.written -= s.up
		clear(s.log[s.written:])
		s.up = 0
	}
	if no != "" {
		w.found(m, s, "the mirror cannot book it ("+x.kind.String()+"): "+no)
		return
	}
	w.done(m)
}

// deliver lets the store obey one directive.
func (w *walker) deliver(d directive) {
	s := w.try()
	m := move{what: delivers, r: d.r, n: int8(d.order)}
	x := record{kind: noted, r: d.r, dir: true}
	switch d.order {
	case toReserve:
		if s.oldBox {
			w.blocked(m, d)
			return
		}
		x = w.reserve(d.r)
	case toReturn:
		x.kind, x.n = applyReturn, d.n
		x.k = d.total - s.node.returned[s.node.timeline] - d.n
	case toCancel:
		x = w.cancel(d.r)
	case toSalvage:
		x.kind, x.k = salvage, d.n
		if d.total == 1 { // the last one
			s.box = booked
		}
	case toVoid:
		// What it is about came before, so an unknown reservation has ended.
		if s.node.promises[d.r].known || !w.sc.Rules.on(VoidEndsOnce) {
			x = record{kind: void, r: d.r, q: w.sc.Quantities[d.r], tau: s.cloud.tau[d.r],
				number: s.tokens[d.r].number, dir: true}
		}
	}
	w.write(m, x)
}

func (w *walker) reserve(r int8) record {
	s := &w.next
	tok, tau := s.tokens[r], s.cloud.tau[r]
	x := record{kind: accept, r: r, q: w.sc.Quantities[r], tau: tau, number: tok.number, dir: true}
	ended := tok.number <= s.node.directives[tok.tau] && w.sc.Rules.on(FinishedByNumber)
	if s.cloud.again[r] && !s.node.promises[r].known && ended {
		return record{kind: noted, r: r, dir: true}
	}
	return x
}

func (w *walker) cancel(r int8) record {
	if p := &w.next.node.promises[r]; p.open() > 0 {
		return record{kind: release, r: r, n: p.open(), dir: true}
	}
	return record{kind: noted, r: r, dir: true}
}

// blocked is a box that does not know what it is told. It looks ahead for a
// directive that takes this one back; then it binds the units as if it knew, and
// sets them free when that one's turn comes.
func (w *walker) blocked(m move, d directive) {
	s := &w.next
	for _, later := range s.cloud.chain[s.node.directives[s.node.timeline]+1 : s.cloud.length] {
		if later.order != toVoid || later.r != d.r {
			continue
		}
		if !w.sc.Rules.on(VoidLooksAhead) {
			w.found(m, s, "the store stands still: what would help stands behind what stops it")
			return
		}
		w.write(m, w.reserve(d.r))
		return
	}
}
