package model

// faults are what happens to the store's box.
func (w *walker) faults() {
	s, sc := w.base, w.sc
	if s.oldBox {
		w.try().oldBox = false
		w.done(move{what: upgrades})
	}
	if sc.can(Abandoning) && !s.cloud.fenced && s.box == none {
		w.abandon()
	}
	lineUp := s.node.timeline == s.cloud.timeline
	if sc.can(Dying) && lineUp && s.box == none && (!s.restored || sc.can(BothTails)) {
		w.die()
	}
	if sc.can(Salvaging) && s.box == gone && s.connected() {
		w.comeBack()
	}
	if sc.can(Resubmitting) {
		w.resubmissions()
	}
}

// comeBack reads the lost box: each record that says something becomes a
// directive of its own.
func (w *walker) comeBack() {
	s := w.try()
	s.box = booked
	for i, x := range s.lost[:s.lostLen] {
		if !x.salvageable() {
			continue
		}
		if !s.order(directive{order: toSalvage, r: x.r, n: int8(i)}) {
			return // no room: it comes back another time
		}
		s.box = queued
	}
	if s.box == queued {
		s.cloud.chain[s.cloud.length-1].total = 1
	}
	w.done(move{what: comesBack})
}

// die loses the box, and all that the cloud does not have of it. A new box is
// built from the mirror.
func (w *walker) die() {
	s := w.try()
	s.lose(s.head())
	s.node = s.mirror
	if s.cloudSave != nil && !w.sc.Rules.on(TailIsFetched) {
		s.hole = s.up
	}
	s.nodeSave, s.since, s.cloud.fenced = nil, 0, false
	w.begin(move{what: dies})
}

// begin starts a new incarnation. It is a record, so that the mirror follows.
func (w *walker) begin(m move) {
	s := &w.next
	if s.head() >= w.sc.Tail || s.written == maxLog {
		return
	}
	s.append(record{kind: begin}, w.sc.Rules)
	w.done(m)
}

// lose takes the newest n records out of the log.
func (s *state) lose(n int8) {
	s.lostLen = copy8(s.lost[:], s.log[s.written-n:s.written])
	s.written -= n
	clear(s.log[s.written:])
	s.box = gone
}

func copy8(to, from []record) int8 { return int8(copy(to, from)) }

// resubmissions are requests that tills keep: sales, and what they handed over.
func (w *walker) resubmissions() {
	s := w.base
	if s.box == none {
		return
	}
	for i, x := range s.lost[:s.lostLen] {
		var due bool
		switch x.kind {
		case sale:
			due = s.node.sales&(1<<x.uid) == 0
		case collect:
			// The store must know the reservation first, or it is handed over again.
			due = s.node.hands&(1<<x.uid) == 0 &&
				(s.node.promises[x.r].known || !w.sc.Rules.on(HandsWaitForOrder))
		case collectByToken:
			due = s.node.hands&(1<<x.uid) == 0
		}
		if due {
			w.try()
			w.write(move{what: resubmits, r: int8(i)}, record{kind: resubmit, k: int8(i)})
		}
	}
	for uid := range s.used.sales { // booked long ago, and the till does not know
		if s.node.sales&(1<<uid) == 0 && !s.isLost(uid) {
			w.try()
			w.write(move{what: resubmits, r: uid}, record{kind: sale, n: 1, uid: uid, debt: true})
		}
	}
}

func (s *state) isLost(uid int8) bool {
	for _, x := range s.lost[:s.lostLen] {
		if x.kind == sale && x.uid == uid {
			return true
		}
	}
	return false
}

// abandon gives a silent store up: its box is fenced, what nobody has promised
// is returned, and it is asked for an end of the rest. The older form wrote the
// ends itself.
func (w *walker) abandon() {
	s := w.try()
	c := &s.cloud
	for r := range w.sc.Quantities {
		if c.stages[r] == held {
			c.stages[r] = freed
		}
	}
	if n := s.pool(w.sc); n > 0 && c.length < w.sc.Directives {
		c.returned += n
		s.order(directive{order: toReturn, n: n, total: c.returned})
	}
	for r := range w.sc.Quantities {
		if !w.sc.Rules.on(AbandonDecidesNot) {
			if p := &s.mirror.promises[r]; p.open() > 0 {
				p.along(stepsOf[release], p.open(), &s.mirror)
			}
		} else if c.stages[r] == confirmed && !c.asked[r] && c.length < w.sc.Directives {
			c.asked[r] = true
			s.order(directive{order: toCancel, r: int8(r)})
		}
	}
	c.fenced = true
	w.done(move{what: abandons})
}

// backups are made and restored, of the box and of the cloud.
func (w *walker) backups() {
	s, sc := w.base, w.sc
	if sc.can(Restoring) && !s.nodeRestored {
		if s.nodeSave == nil && s.box == none {
			t := w.try()
			save := t.node
			t.nodeSave, t.since = &save, 0
			w.done(move{what: saves})
		}
		if s.nodeSave != nil && s.since > 0 && s.connected() && s.box == none {
			w.restore()
		}
	}
	if sc.can(NewTimeline) && s.cloudSave == nil && !s.restored && s.head() == s.written {
		t := w.try()
		t.cloudSave = &saved{t.mirror, t.cloud.stages, t.cloud.asked, t.cloud.tau}
		w.done(move{what: savesCloud})
	}
	if s.cloudSave != nil && !s.cloud.fenced {
		w.restoreCloud()
	}
}

// restore puts the box's backup back. If the cloud has more, the box takes its
// own records from there.
func (w *walker) restore() {
	s := w.try()
	s.nodeRestored = true
	if s.since <= s.head() {
		s.lose(s.since)
		s.node = *s.nodeSave
	} else {
		s.lose(s.head())
		s.node = s.mirror
		if !w.sc.Rules.on(ResumeAtOwnCursor) {
			s.node.directives = s.nodeSave.directives
		}
	}
	s.nodeSave, s.since = nil, 0
	w.begin(move{what: restores})
}

// restoreCloud puts the cloud's backup back: the log goes back to where the
// backup was made, and pools, holds and directives since then are gone.
func (w *walker) restoreCloud() {
	s := w.try()
	save := s.cloudSave
	was := s.cloud
	s.mirror, s.up, s.cloudSave, s.restored = save.mirror, 0, nil, true
	s.cloud = cloud{stages: save.stages, asked: save.asked, tau: save.tau,
		timeline: was.timeline + 1}
	for r, st := range s.cloud.stages {
		if st == held && w.sc.Rules.on(HoldsEndAtBump) {
			s.cloud.stages[r] = freed
		}
	}
	if s.box == queued {
		s.box = gone
	}
	m := move{what: restoresCloud}
	if s.hole > 0 {
		w.found(m, s, "the cloud needs records that no box has")
		return
	}
	w.done(m)
}

// timelines are what follows when the cloud was restored.
func (w *walker) timelines() {
	s := w.base
	if s.cloud.timeline > s.node.timeline {
		w.try()
		w.write(move{what: changesTimeline}, record{kind: changeTimeline})
		return
	}
	if s.node.timeline == 0 {
		return
	}
	open := false // an old promise may still be asked for
	for r := range w.sc.Quantities {
		open = open || w.oldPromise(int8(r))
	}
	if !open && s.node.online[0] > 0 && !s.node.drained {
		w.try()
		w.write(move{what: drains}, record{kind: drain})
	}
}

// oldPromise lets the cloud order a promise of the old timeline again, and says
// whether its units must stay set aside.
func (w *walker) oldPromise(r int8) (open bool) {
	s, sc := w.base, w.sc
	c, tok := &s.cloud, s.tokens[r]
	if !tok.held || tok.tau != 0 || c.tau[r] != 0 {
		return false
	}
	if !s.node.promises[r].known && !s.node.promises[r].taken {
		open = sc.Rules.on(LegacyByWindow) || c.stages[r] == confirmed
	}
	if open {
		w.try().tokens[r].held = false
		w.done(move{what: windowEnds, r: r})
	}
	// The cloud waits until the mirror has reached the new timeline.
	if s.mirror.timeline == 0 || c.again[r] || !w.room() || s.mirror.promises[r].final() {
		return open
	}
	t := w.try()
	t.cloud.stages[r], t.cloud.again[r] = confirmed, true
	if sc.Rules.on(ReimportKeepsRight) {
		t.order(directive{order: toReserve, r: r})
		w.done(move{what: issuesAgain, r: r})
	} else if s.pool(sc) >= sc.Quantities[r] {
		t.cloud.tau[r], t.cloud.assigned = 1, t.cloud.assigned+sc.Quantities[r]
		t.order(directive{order: toReserve, r: r})
		w.done(move{what: reinjects, r: r})
	}
	return open
}
