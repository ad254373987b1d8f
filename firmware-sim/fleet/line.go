package fleet

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/uplink"
	uplinkv1 "holdfast.dev/proto/uplink/v1"

	clouduplink "holdfast.dev/cloud/uplink"
)

// Directions of a line, named by where frames go.
const (
	toCloud = iota
	toNode
)

// line is what lies between a store and the cloud.
type line struct {
	w        *World
	up       bool    // a connection can be made
	dumb     bool    // while down: nobody says so, calls just hang
	swallow  [2]bool // frames wait, as if the cable had been cut unseen
	perSec   int     // bytes; 0: more than enough
	conns    []*conn
	outage   uint64 // numbers the outages, so that an older one's end ends no newer
	lastDown time.Duration
}

func newLine(w *World) *line { return &line{w: w, up: true} }

// conn is one connection. Each end learns of its end by itself, or never.
type conn struct {
	line    *line
	box     *box
	life    uint64
	attempt uint64
	session *session
	alive   [2]bool // the end that this direction leads to still listens
	pipes   [2]pipe
}

// pipe is one direction of a connection: frames arrive in order.
type pipe struct {
	free  time.Duration // when the last frame arrives
	held  bool          // frames of this connection wait
	stuck []func()
}

// latency is how long something small takes.
func (l *line) latency() time.Duration {
	return l.w.mix.latency/2 + l.w.chance.span(0, l.w.mix.latency)
}

// dial makes a connection, or finds out that there is none to be had.
func (l *line) dial(b *box, attempt uint64) {
	life := b.life
	lost := func() {
		if b.life == life {
			b.feed(uplink.Lost{Attempt: attempt, Err: errNoLine})
		}
	}
	if !l.up && l.dumb {
		return // the core's own patience ends this
	}
	member := l.w.office.anyMember()
	if !l.up || member < 0 {
		l.w.after(l.latency(), "no line", lost)
		return
	}
	l.w.after(3*l.latency(), "dialed", func() {
		if b.life != life {
			return
		}
		if !l.up || !l.w.office.memberUp(member) {
			lost()
			return
		}
		c := &conn{line: l, box: b, life: life, attempt: attempt, alive: [2]bool{true, true}}
		l.conns = append(l.conns, c)
		c.session = newSession(l.w, c, member)
		b.dialed(c)
	})
}

// carry takes something to the other end, in order.
func (c *conn) carry(dir int, size func() int, name string, deliver func()) {
	p := &c.pipes[dir]
	at := max(p.free, c.line.w.now+c.line.latency())
	if per := c.line.perSec; per > 0 {
		at += time.Duration(size()) * time.Second / time.Duration(per)
	}
	p.free = at
	c.line.w.agenda.add(at, name, func() {
		switch {
		case !c.alive[dir]:
		case c.line.swallow[dir] || p.held || len(p.stuck) > 0:
			p.stuck = append(p.stuck, deliver)
		default:
			deliver()
		}
	})
}

// up and down carry frames.
func (c *conn) up(f *uplinkv1.NodeFrame) {
	c.carry(toCloud, func() int { return proto.Size(f) }, "frame up", func() {
		c.session.feed(clouduplink.Received{Frame: f})
	})
}

func (c *conn) down(f *uplinkv1.CloudFrame) {
	c.carry(toNode, func() int { return proto.Size(f) }, "frame down", func() {
		c.toBox(uplink.Received{Attempt: c.attempt, Frame: f})
	})
}

func (c *conn) toBox(in uplink.Input) {
	if c.box.life == c.life {
		c.box.feed(in)
	}
}

func nothing() int { return 0 }

// hangUp ends the connection from one side; the other side hears of it if the
// line still carries that.
func (c *conn) hangUp(by int) {
	listener, other := toNode, toCloud
	if by == toCloud {
		listener, other = toCloud, toNode
	}
	if !c.alive[listener] {
		return
	}
	c.alive[listener] = false
	c.carry(other, nothing, "hung up", func() { c.notice(other) })
	c.line.forget(c)
}

// notice lets one end know that the connection is over.
func (c *conn) notice(end int) {
	if !c.alive[end] {
		return
	}
	c.alive[end] = false
	c.pipes[end].stuck = nil
	if end == toCloud {
		c.session.feed(clouduplink.Gone{})
	} else {
		c.toBox(uplink.Lost{Attempt: c.attempt, Err: errCut})
	}
	c.line.forget(c)
}

// forget drops a connection that neither end knows any more.
func (l *line) forget(c *conn) {
	if c.alive[toCloud] || c.alive[toNode] {
		return
	}
	if i := slices.Index(l.conns, c); i >= 0 {
		l.conns = slices.Delete(l.conns, i, i+1)
	}
}

// flush delivers what has waited in a direction.
func (c *conn) flush(dir int) {
	p := &c.pipes[dir]
	if c.line.swallow[dir] || p.held {
		return
	}
	stuck := p.stuck
	p.stuck = nil
	for _, deliver := range stuck {
		if c.alive[dir] {
			deliver()
		}
	}
}

// reset ends every connection at once, as far as an end notices.
func (l *line) reset(nodeNotices, cloudNotices bool) {
	for _, c := range slices.Clone(l.conns) {
		if nodeNotices {
			c.notice(toNode)
		}
		if cloudNotices {
			c.notice(toCloud)
		}
	}
}

// mend ends what is wrong with the line.
func (l *line) mend() {
	l.up, l.dumb, l.perSec = true, false, 0
	l.swallow = [2]bool{}
	for _, c := range slices.Clone(l.conns) {
		c.pipes[toCloud].held, c.pipes[toNode].held = false, false
		c.flush(toCloud)
		c.flush(toNode)
	}
}

// break_ begins an outage that ends by itself.
func (l *line) broken(length time.Duration, begin func()) {
	l.outage++
	l.lastDown = l.w.now
	n := l.outage
	begin()
	l.w.after(length, "line mended", func() {
		if l.outage == n {
			l.mend()
		}
	})
}
