package fleet

import (
	"errors"
	"time"

	"holdfast.dev/node/shopfloor"
)

var (
	errNoLine = errors.New("no line")
	errCut    = errors.New("connection reset")
)

// outage is how long something stays broken: mostly short, at times for hours.
func (w *World) outage(c chance) time.Duration {
	switch c.IntN(4) {
	case 0:
		return c.span(w.mix.day/200, w.mix.day/20)
	case 1:
		return c.span(w.mix.day/20, w.mix.day/2)
	}
	return c.span(100*time.Millisecond, w.mix.day/100)
}

// cut cuts the cable; both ends notice.
func (w *World) cut(st *store, c chance) {
	d := w.outage(c)
	w.logf("store %d: line is cut for %s", st.id, d)
	st.line.broken(d, func() {
		st.line.up, st.line.dumb = false, c.of(300)
		st.line.reset(true, true)
	})
}

// halfOpen ends connections so that only one end, or none, notices. What the
// other end has sent may still arrive, late.
func (w *World) halfOpen(st *store, c chance) {
	node := c.of(600)
	cloud := !node && c.of(700)
	w.logf("store %d: half open, noticed by node %t, cloud %t", st.id, node, cloud)
	switch {
	case node && w.has(faultLate):
		w.delayed(st, c)
	case node || cloud:
		st.line.reset(node, cloud)
	default:
		for _, old := range st.line.conns { // a router that forgot the connection
			old.pipes[toCloud].held, old.pipes[toNode].held = true, true
		}
	}
}

// delayed lets frames to the cloud pile up in connections that the node gives
// up, and arrive when it has made another.
func (w *World) delayed(st *store, c chance) {
	pile := c.span(0, w.mix.dead/3)
	late := pile + c.span(w.mix.latency, w.mix.dead/2)
	w.logf("store %d: frames pile up for %s, and arrive after %s", st.id, pile, late)
	for _, old := range st.line.conns {
		old.pipes[toCloud].held = true
		w.after(late, "late frames", func() {
			old.pipes[toCloud].held = false
			old.flush(toCloud)
		})
		w.after(pile, "node notices", func() { old.notice(toNode) })
	}
}

// stall swallows frames in one direction or both, unseen.
func (w *World) stall(st *store, c chance) {
	up, down := c.of(600), c.of(600)
	if !up && !down {
		up = true
	}
	d := w.outage(c)
	w.logf("store %d: line stalls for %s, up %t, down %t", st.id, d, up, down)
	st.line.broken(d, func() {
		st.line.swallow = [2]bool{up, down}
		st.line.up, st.line.dumb = false, true
	})
}

// flap cuts and mends the line several times.
func (w *World) flap(st *store, c chance) {
	at := time.Duration(0)
	for range c.between(3, 8) {
		sub := newChance(c.Uint64(), 1)
		w.after(at, "flap", func() {
			if !w.healed {
				st.line.broken(sub.span(time.Millisecond, 3*time.Second), func() {
					st.line.up = false
					st.line.reset(true, true)
				})
			}
		})
		at += c.span(10*time.Millisecond, 20*time.Second)
	}
}

// slow makes the line a bad modem.
func (w *World) slow(st *store, c chance) {
	d, per := w.outage(c), oneOf(c, 200, 2_000, 20_000)
	w.logf("store %d: line is slow for %s, %d bytes a second", st.id, d, per)
	st.line.broken(d, func() { st.line.perSec = per })
}

// crash ends the box's process, or its power.
func (w *World) crash(st *store, c chance) {
	power, down := c.of(500), oneOf(c, c.span(10*time.Millisecond, 5*time.Second), w.outage(c))
	if c.of(500) {
		w.logf("store %d: the box will crash in a commit, power %t, for %s", st.id, power, down)
		st.box.doomed = &doom{power: power, down: down, before: c.of(500), skip: c.IntN(4)}
		return
	}
	w.logf("store %d: the box crashes, power %t, for %s", st.id, power, down)
	st.box.crash(power, down)
}

// fullDisk leaves no page on the box's disk, and room for a few records.
func (w *World) fullDisk(st *store, c chance) {
	b, d := st.box, c.span(w.mix.day/40, w.mix.day/4)
	if b.full {
		return
	}
	b.full, b.spare = true, c.between(0, spareRecords)
	w.logf("store %d: disk is full for %s but for %d records", st.id, d, b.spare)
	b.limitDisk()
	w.after(d, "disk has room", func() { b.roomOnDisk() })
}

// clockJump sets the box's clock wrong.
func (w *World) clockJump(st *store, c chance) {
	by := oneOf(c, time.Hour, 36*time.Hour, 400*24*time.Hour, 10*time.Second)
	if c.of(500) {
		by = -by
	}
	w.logf("store %d: clock jumps by %s", st.id, by)
	st.box.clock.offset += by
	w.after(w.outage(c), "clock set", func() { st.box.clock.offset = 0 })
}

// clockStop freezes the box's clock.
func (w *World) clockStop(st *store, c chance) {
	w.logf("store %d: clock stops", st.id)
	st.box.clock.stop()
	w.after(w.outage(c), "clock runs", func() { st.box.clock.stopped = false })
}

// leader begins a change of the cloud's leader.
func (w *World) leader(_ *store, c chance) {
	d := c.span(200*time.Millisecond, 10*time.Second)
	w.logf("cloud: leader changes for %s", d)
	w.office.unsettled(d)
}

// minority cuts the cloud off from its quorum.
func (w *World) minority(_ *store, c chance) {
	d := min(w.outage(c), w.mix.day/4)
	w.logf("cloud: no quorum for %s", d)
	w.office.cutOff(d)
}

// cloudRestart ends one of the cloud's processes.
func (w *World) cloudRestart(_ *store, c chance) {
	d := c.span(100*time.Millisecond, 30*time.Second)
	w.logf("cloud: a member restarts for %s", d)
	w.office.restart(c.IntN(w.mix.members), d)
}

// cloudClock sets the leader's clock wrong.
func (w *World) cloudClock(_ *store, c chance) {
	by := c.span(-3*w.mix.day/100, 3*w.mix.day/100)
	w.logf("cloud: clock jumps by %s", by)
	w.office.clock.offset = by
}

// theft takes units from a shelf that nobody books.
func (w *World) theft(st *store, c chance) {
	cell := w.anyCell(st, c)
	n := min(cell.shelf, 1+cell.natural(c))
	w.logf("store %d: %d of sku %d are stolen", st.id, n, cell.sku)
	cell.shelf -= n
	cell.slipShelf += n
	cell.stolen += n
	cell.touch()
}

// appear puts units on a shelf that the books do not know.
func (w *World) appear(st *store, c chance) {
	cell := w.anyCell(st, c)
	n := 1 + cell.natural(c)
	w.logf("store %d: %d of sku %d appear", st.id, n, cell.sku)
	cell.shelf += n
	cell.slipShelf -= n
	cell.stolen -= n
	cell.touch()
}

// poison lets the box record what the cloud cannot understand.
func (w *World) poison(st *store, _ chance) {
	w.logf("store %d: poison", st.id)
	st.box.poison()
}

// skew makes the box too new for the cloud.
func (w *World) skew(st *store, c chance) {
	b, d := st.box, w.outage(c)
	w.logf("store %d: box is too new for %s", st.id, d)
	b.tooNew = true
	st.line.reset(true, true)
	w.after(d, "cloud upgraded", func() { b.tooNew = false })
}

// tillRestart lets a till forget what it has seen and what it keeps.
func (w *World) tillRestart(st *store, c chance) {
	t := oneOf(c, st.tills...)
	w.logf("store %d: %s starts anew, and forgets %d requests", st.id, t.name, len(t.kept))
	for _, k := range t.kept {
		t.note(k.uid, false)
	}
	t.kept, t.seen = nil, shopfloor.Seen{}
}
