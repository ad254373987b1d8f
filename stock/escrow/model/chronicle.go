package model

// chronicler makes the moves out of a chapter.
type chronicler struct {
	sc    *History
	base  *chapter
	next  chapter
	full  bool // the move ran out of room: it is cut
	found func(m move, to *chapter, wrong string)
}

func (w *chronicler) moves(c *chapter, found func(m move, to *chapter, wrong string)) {
	w.base, w.found = c, found
	w.selling()
	for i := range c.enrolled {
		if !c.boxes[i].fenced && c.session != i {
			w.try()
			w.done(move{what: says, r: i}, w.hello(i))
		}
	}
	w.sending()
	w.losing()
	if w.sc.Bumps {
		w.bumping()
	}
}

func (w *chronicler) try() *chapter {
	w.next, w.full = *w.base, false
	return &w.next
}

func (w *chronicler) done(m move, wrong string) {
	if w.full {
		return
	}
	if wrong == "" {
		wrong = w.wrong()
	}
	w.found(m, &w.next, wrong)
}

// selling is a till that asks the box in the shop. It shows what it has seen of
// the box's journal, and the box doubts itself if it has less.
func (w *chronicler) selling() {
	c := w.base
	i := c.shop
	if c.sold < w.sc.Sales {
		t := w.try()
		no := w.doubt()
		if t.boxes[i].safe && t.session == i { // the cloud must hear of it before a record is written
			t.session = -1
			w.done(move{what: waits, r: i}, no)
			return
		}
		t.sold++
		if no == "" {
			no = w.sell(uint8(t.sold - 1))
		}
		w.done(move{what: serves, r: i}, no)
	}
	for id := range c.sold {
		lost := c.kept[id].kept && !c.boxes[i].journal.has(uint8(id))
		news := c.kept[id].epoch != c.boxes[i].epoch || c.boxes[i].safe
		if lost && news {
			w.try()
			w.done(move{what: repeats, r: i, n: id}, w.sell(uint8(id)))
		}
	}
}

func (w *chronicler) sell(id uint8) string {
	c := &w.next
	b := &c.boxes[c.shop]
	no := w.writes(c.shop, id)
	c.acked |= 1 << id
	c.kept[id] = request{kept: true, seq: b.journal.last, epoch: b.epoch}
	c.seen = witness{b.epoch, b.journal.last, id}
	return no
}

// doubt is the box's answer to what a till has seen. A till that has seen an
// older epoch has missed a change; one that has seen more of this epoch, or
// something else, has seen what the box has lost.
func (w *chronicler) doubt() string {
	c := &w.next
	b, s := &c.boxes[c.shop], c.seen
	if s.seq == 0 {
		return ""
	}
	less := b.journal.last < s.seq || s.seq >= b.journal.first && b.journal.at[s.seq-1].id != s.id
	older := b.epoch.after(s.epoch, w.sc.Rules)
	if older && w.sc.Rules.on(WitnessByEpoch) || !less {
		return ""
	}
	again := b.doubted && !b.safe
	b.safe, b.doubted = true, true
	switch {
	case older:
		return "a box that the cloud has just rebuilt doubts itself, and nothing ends that"
	case again:
		return "a box doubts itself again, although the cloud has looked at it"
	}
	return ""
}

// sending moves one record to the cloud, or its answer to the till.
func (w *chronicler) sending() {
	c := w.base
	i := c.session
	if i < 0 {
		return
	}
	b, a := &c.boxes[i], &c.cloud.archive
	if b.journal.last > a.last {
		t := w.try()
		if b.journal.first > a.last+1 { // the mirror was made anew from the box
			t.cloud.archive.first, t.cloud.archive.last = b.journal.first, b.journal.first-1
		}
		to := &t.cloud.archive
		to.append(b.journal.at[to.last])
		w.done(move{what: sends, r: i}, "")
	}
	t := w.try()
	changed := false
	for id := range c.kept {
		k := &t.kept[id]
		here := k.seq >= b.journal.first && k.seq <= a.last && k.epoch == b.epoch
		if k.kept && i == c.shop && here && b.journal.at[k.seq-1].id == uint8(id) {
			k.kept, changed = false, true
		}
	}
	if changed {
		w.done(move{what: hears}, "")
	}
}

// losing is what happens to boxes.
func (w *chronicler) losing() {
	c := w.base
	i := c.shop
	if w.sc.Restores && !c.diskUsed {
		if c.disk == nil {
			t := w.try()
			save := t.boxes[i]
			t.disk = &save
			w.done(move{what: backsUp, r: i}, "")
		} else {
			w.restore(i)
		}
	}
	if w.sc.Restores && c.starts < 4 {
		w.start(w.try(), i)
		w.done(move{what: startsAgain, r: i}, "")
	}
	// A new box is built from the cloud's copy, so there must be one to trust.
	if w.sc.Replaces && c.enrolled < maxBoxes && !c.cloud.frozen {
		w.enrol()
	}
}

func (w *chronicler) start(t *chapter, i int8) {
	t.starts++
	t.boxes[i].starts++
	t.boxes[i].start = t.starts
	if t.session == i {
		t.session = -1
	}
}

func (w *chronicler) restore(i int8) {
	t := w.try()
	t.boxes[i] = *t.disk
	t.boxes[i].blind = true
	t.disk, t.diskUsed = nil, true
	w.start(t, i)
	w.done(move{what: puts, r: i}, "")
}

func (w *chronicler) enrol() {
	t := w.try()
	i := t.enrolled
	t.enrolled++
	t.cloud.epoch, t.cloud.box = w.nextEpoch(), i
	t.cloud.starts, t.cloud.start = 0, 0
	t.boxes[i] = box{epoch: t.cloud.epoch, journal: t.cloud.archive}
	b := &t.boxes[i]
	b.tau = tauOf(&b.journal)
	if !w.sc.Rules.on(TailIsFetched) {
		b.journal.first = b.journal.last + 1
	}
	wrong := ""
	for n := range i {
		if t.boxes[n].epoch == b.epoch {
			wrong = "an epoch was given twice"
		}
	}
	t.shop, t.disk = i, nil
	w.start(t, i)
	t.session = -1
	w.done(move{what: enrols, r: i - 1}, wrong)
}

// bumping restores the cloud from a backup.
func (w *chronicler) bumping() {
	c := w.base
	if c.vault == nil && !c.vaultUsed {
		t := w.try()
		save := t.cloud
		t.vault = &save
		w.done(move{what: backsUpCloud}, "")
	}
	if c.vault == nil {
		return
	}
	t := w.try()
	salvage := t.cloud.salvage // what was sent on is with the store
	t.cloud = *t.vault
	t.cloud.tau++
	t.cloud.salvage |= salvage
	t.cloud.frozen = w.sc.Rules.on(EpochByTimeline)
	t.vault, t.vaultUsed, t.session = nil, true, -1
	w.done(move{what: putsCloud}, "")
}

// wrong says what is wrong with a chapter.
func (w *chronicler) wrong() string {
	c := &w.next
	if c.session >= 0 && c.session != c.shop {
		return "a box that was replaced may write"
	}
	for id := range uint8(c.sold) {
		if c.acked&(1<<id) != 0 && !c.somewhere(id) {
			return "a sale that was answered is nowhere any more"
		}
	}
	return ""
}

// somewhere tells whether a sale can still be found.
func (c *chapter) somewhere(id uint8) bool {
	if c.kept[id].kept || c.cloud.salvage&(1<<id) != 0 || c.cloud.archive.has(id) {
		return true
	}
	for i := range c.enrolled {
		if c.boxes[i].journal.has(id) {
			return true
		}
	}
	// Both the box's and the cloud's newest were lost.
	return c.vaultUsed && (c.diskUsed || c.enrolled > 1)
}
