package model

// hello decides what a box that presents its history may do. It returns what is
// wrong with the decision.
func (w *chronicler) hello(i int8) string {
	c, b := &w.next, &w.next.boxes[i]
	if !w.sc.Rules.on(EpochFirst) && b.tau < c.cloud.tau {
		c.session = i
		return w.beginTimeline(i)
	}
	if c.cloud.frozen && i != c.shop {
		return "" // a person has looked, and this is not the box
	}
	switch {
	case c.cloud.epoch.after(b.epoch, w.sc.Rules):
		c.cloud.salvage |= c.above(i)
		b.fenced = true
		return ""
	case b.epoch.after(c.cloud.epoch, w.sc.Rules):
		if !w.sc.Rules.on(EpochByTimeline) {
			return w.refuse(i)
		}
		c.cloud.epoch, c.cloud.box = b.epoch, i // its certificate is of the cloud that was lost
	case c.cloud.box != i:
		return w.refuse(i)
	}
	was := b.epoch
	if no := w.chain(i); no != "" {
		return no
	}
	c.session, c.cloud.frozen = i, false
	c.cloud.starts, c.cloud.start = b.starts, b.start
	b.unnoticed = b.unnoticed || b.blind && b.epoch == was
	b.safe, b.blind = false, false
	if b.tau < c.cloud.tau {
		return w.beginTimeline(i)
	}
	return ""
}

// refuse turns a box away; wrong if it is the one that stands in the shop.
func (w *chronicler) refuse(i int8) string {
	if i == w.next.shop {
		return "the shop's own box is refused for good"
	}
	return ""
}

// chain compares the two ends of the journal and brings the box to where it may
// go on.
func (w *chronicler) chain(i int8) string {
	c, b := &w.next, &w.next.boxes[i]
	a := &c.cloud.archive
	common := c.common(i)
	switch {
	case b.journal.first > a.last+1:
		if !w.sc.Rules.on(TailIsFetched) {
			return "nobody has the records that the cloud lacks"
		}
	case common < min(b.journal.last, a.last):
		if !w.sc.Rules.on(OnlyBoxIsRebuilt) {
			return w.refuse(i)
		}
		c.cloud.salvage |= c.above(i)
		w.incarnate(i)
	case b.journal.last < a.last, w.behind(b):
		w.incarnate(i)
	}
	return ""
}

// behind tells whether a journal that fits is an old one all the same.
func (w *chronicler) behind(b *box) bool {
	c := &w.next.cloud
	again := b.starts > c.starts || b.starts == c.starts && b.start == c.start
	return w.sc.Rules.on(HeadIsWitnessed) && (!again || b.safe)
}

// incarnate lets the box go on from the cloud's copy, as another epoch.
func (w *chronicler) incarnate(i int8) {
	c, b := &w.next, &w.next.boxes[i]
	c.cloud.epoch = w.nextEpoch()
	b.epoch = c.cloud.epoch
	if c.common(i) < c.cloud.archive.last {
		b.journal = c.cloud.archive
	}
	b.doubted, b.unnoticed = false, false
	b.tau = tauOf(&b.journal)
}

func (w *chronicler) nextEpoch() epoch {
	e := w.next.cloud.epoch
	if !w.sc.Rules.on(EpochByTimeline) || e.tau == w.next.cloud.tau {
		return epoch{e.tau, e.counter + 1}
	}
	return epoch{w.next.cloud.tau, 1}
}

// common is the number of the last record that a box and the archive share.
func (c *chapter) common(i int8) int8 {
	h, a := &c.boxes[i].journal, &c.cloud.archive
	n := max(h.first, 1) - 1
	for n < min(h.last, a.last) && h.at[n] == a.at[n] {
		n++
	}
	return n
}

// above lists the sales that a box has above the common record.
func (c *chapter) above(i int8) (ids uint8) {
	h := &c.boxes[i].journal
	for n := c.common(i) + 1; n <= h.last; n++ {
		if h.at[n-1].id < beginsTimeline {
			ids |= 1 << h.at[n-1].id
		}
	}
	return ids
}

func tauOf(h *history) (tau int8) {
	for n := max(1, h.first); n <= h.last; n++ {
		if id := h.at[n-1].id; id >= beginsTimeline {
			tau = int8(id - beginsTimeline)
		}
	}
	return tau
}

// beginTimeline writes the record that begins the cloud's timeline.
func (w *chronicler) beginTimeline(i int8) string {
	b := &w.next.boxes[i]
	b.tau = w.next.cloud.tau
	return w.writes(i, beginsTimeline+uint8(b.tau))
}

// writes appends to a box's journal.
func (w *chronicler) writes(i int8, id uint8) string {
	c, b := &w.next, &w.next.boxes[i]
	if b.journal.last == maxEntries {
		w.full = true
		return ""
	}
	e := entry{id, b.epoch}
	n, a := b.journal.last, &c.cloud.archive
	b.journal.append(e)
	switch {
	case b.blind, b.safe, b.unnoticed && w.sc.Rules.on(HeadIsWitnessed):
	case n < a.last && a.at[n].epoch == e.epoch && a.at[n] != e:
		return "a number of an epoch is used twice"
	case c.seen.seq == n+1 && c.seen.epoch == e.epoch && c.seen.id != id:
		return "a number of an epoch is used twice"
	}
	return ""
}
