package model

// wrong says what is wrong with where a move leads; empty: nothing.
func (w *walker) wrong(m move) string {
	s := &w.next
	for _, check := range []func(move, *state) string{w.changes, w.signs, w.cover, w.claims, w.shelf} {
		if no := check(m, s); no != "" {
			return no
		}
	}
	return ""
}

// sameBox tells whether the move left the store's history as it was.
func sameBox(m move) bool { return m.what != dies && m.what != restores }

// changes compares the state with the one before: counters only rise, an end is
// for ever, nothing is handed over twice with the store's knowledge, and a grant
// gives away nothing that the shelf does not have.
func (w *walker) changes(m move, s *state) string {
	b := w.base
	if m.what != restoresCloud &&
		(s.cloud.returned < b.cloud.returned || s.cloud.assigned < b.cloud.assigned) {
		return "a counter of the cloud fell"
	}
	for r := range w.sc.Quantities {
		p, was := &s.node.promises[r], &b.node.promises[r]
		if sameBox(m) && was.final() && p.at != was.at {
			return "a reservation that had ended changed"
		}
		again := s.hand[r] > b.hand[r] && b.hand[r] >= w.sc.Quantities[r]
		if again && b.node.hands == 1<<b.used.hands-1 {
			return "units were handed over again although the store knows of every hand-over"
		}
	}
	clean := s.used.shrunk == 0 && s.used.miscounts == 0 && s.used.counts == 0
	if (m.what == borrows || m.what == bumps) && s.node.usable() < 0 {
		return "a unit was sold that the books do not believe in"
	}
	if m.what == grants && clean && w.claimed(s) > s.shelf-s.node.at[shelving] {
		return "a grant gives away what the shelf does not have"
	}
	return ""
}

// signs checks that accounts are not below zero, and that a debt has a reason.
func (w *walker) signs(_ move, s *state) string {
	n := &s.node
	for t := range n.online {
		if n.online[t] < 0 || n.online[t] != n.granted[t]-n.returned[t]-n.assigned[t] {
			return "online does not add up"
		}
	}
	bare := false
	for r, q := range w.sc.Quantities {
		p, sum := &n.promises[r], int8(0)
		for _, units := range p.at {
			if units < 0 {
				return "units of a reservation are below zero"
			}
			sum += units
		}
		if p.known && sum != q {
			return "a reservation has other units than were promised"
		}
		bare = bare || p.bare > 0
	}
	switch {
	case s.pool(w.sc) < 0:
		return "the pool is below zero"
	case n.at[shelving] < 0:
		return "units to shelve are below zero"
	case bare && !s.bothLost():
		return "online did not cover a promise"
	case n.at[sellable] < 0 && s.used.borrowed+s.used.counts == 0 && s.lostLen == 0 && !bare:
		return "there is a debt that nobody made"
	}
	return ""
}

// cover checks the rights of the two sides: what the store has set aside is what
// the cloud may still promise, and what is on its way.
func (w *walker) cover(_ move, s *state) string {
	c, n, t := &s.cloud, &s.node, s.cloud.timeline
	if n.timeline != t {
		if w.sc.Rules.on(CoverInTimeline) {
			return ""
		}
		t = n.timeline
	}
	if n.granted[t] < s.mirror.granted[t] || c.returned < n.returned[t] ||
		c.assigned < n.assigned[t] {
		return "the store has more of a counter than its writer"
	}
	var coming int8 // promised, and the store has not taken the units
	for r, q := range w.sc.Quantities {
		if c.stages[r] == confirmed && c.tau[r] == t && !n.promises[r].taken {
			coming += q
		}
		if c.tau[r] == t {
			coming += n.promises[r].bare
		}
	}
	if c.assigned-n.assigned[t] != coming {
		return "promised less taken is not what is on its way"
	}
	inFlight := n.granted[t] - s.mirror.granted[t] + c.returned - n.returned[t] + coming
	if n.online[t] != s.pool(w.sc)+s.heldUnits(w.sc)+inFlight {
		return "online does not cover the cloud's rights"
	}
	return ""
}

// claimed counts the units that somebody may rightly ask for.
func (w *walker) claimed(s *state) (n int8) {
	if s.node.timeline == s.cloud.timeline {
		n = s.pool(w.sc) + s.heldUnits(w.sc)
	}
	for r, q := range w.sc.Quantities {
		n += s.node.promises[r].open()
		if s.tokens[r].held && !s.node.promises[r].taken && !s.bothLost() {
			n += q
		}
	}
	return n
}

// claims checks that nothing is oversold: who may ask for a unit finds one, but
// for the debt, and for units that are gone and that nobody has missed yet.
func (w *walker) claims(_ move, s *state) string {
	there := s.shelf - s.node.at[shelving] + max(0, -s.node.at[sellable]) +
		max(0, s.node.onHand()-s.shelf)
	if w.claimed(s) > there {
		return "oversold: more is promised than is there"
	}
	return ""
}

// bothLost tells whether nobody can know any more what was promised.
func (s *state) bothLost() bool { return s.restored && s.lostLen > 0 }

// shelf checks the books against the shelf, and the mirror against the store.
func (w *walker) shelf(_ move, s *state) string {
	if s.whole(true) && s.node.onHand()-s.shelf != s.off {
		return "the books differ from the shelf"
	}
	for r, q := range w.sc.Quantities {
		if s.lostLen == 0 && s.hand[r] > q {
			return "more was handed over than was promised"
		}
	}
	if s.head() == 0 && sameSide(s.node, s.mirror) != "" {
		return sameSide(s.node, s.mirror)
	}
	return ""
}

// sameSide compares the store with its mirror when the mirror has every record.
func sameSide(node, mirror books) string {
	mirror.directives = node.directives
	if node != mirror {
		return "the mirror says what the store has not said"
	}
	return ""
}
