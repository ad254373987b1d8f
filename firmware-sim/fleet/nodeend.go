package fleet

import (
	"context"
	"fmt"
	"time"

	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	uplinkv1 "holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
)

const (
	capVersion = 1 // of the session's frames
	maxTicks   = 10_000
	recallWait = 1500 * time.Millisecond // as the shop floor waits
)

// feed gives the uplink's core an input and carries out what it wants.
func (b *box) feed(in uplink.Input) {
	if !b.up {
		return
	}
	was := b.core.State().Phase
	for _, e := range b.core.Step(b.w.time(), in) {
		b.do(e)
	}
	if was == uplink.Offline && b.core.State().Phase != was {
		b.balance()
		if st := b.st; st.box == b && st.agrees() && st.cloud.acked <= st.applied {
			st.astray = false // a copy may have greeted before it came to count
		}
	}
	b.arm()
}

// arm plans the core's next tick.
func (b *box) arm() {
	at := max(b.core.Wake().Sub(birth), b.w.now+time.Microsecond)
	if b.tickAt >= 0 && b.tickAt <= at && b.tickAt > b.w.now {
		return // a tick comes before; it plans the next one
	}
	b.tickAt = at
	life := b.life
	b.w.agenda.add(at, "tick", func() {
		if b.life == life && b.tickAt == at {
			b.tickAt = -1
			b.feed(uplink.Tick{})
		}
	})
}

// soon does something of this life a little later, as a goroutine would.
func (b *box) soon(name string, do func()) {
	life := b.life
	b.w.after(b.w.chance.span(0, 2*time.Millisecond), name, func() {
		if b.life == life && b.up {
			do()
		}
	})
}

// do carries out an effect of the core.
func (b *box) do(e uplink.Effect) {
	switch e := e.(type) {
	case uplink.Dial:
		b.drop()
		b.st.line.dial(b, e.Attempt)
	case uplink.Send:
		if c := b.conn; c != nil && c.attempt == e.Attempt {
			c.up(e.Frame)
		}
	case uplink.Hangup:
		b.w.logf("store %d: node hangs up: %s", b.st.id, e.Reason)
		if e.Reason == stock.TooOld.String() {
			b.w.marks.hit(markTooNew)
		}
		b.drop()
	case uplink.Fetch:
		b.fetch(e.Version)
	case uplink.Sample:
		b.floor.SampleClock(e.CloudMS)
	case uplink.Answer:
		b.answered(e.Got)
	default:
		b.ask(e)
	}
}

func (b *box) drop() {
	if c := b.conn; c != nil {
		b.conn = nil
		c.hangUp(toNode)
	}
}

// dialed says hello on a new connection.
func (b *box) dialed(c *conn) {
	b.conn = c
	var hello *recordv1.Hello
	_, answered := b.call(func() (err error) {
		hello, err = b.floor.Hello(b.w.ctx)
		return b.unexpected(err)
	})
	if !answered || hello == nil {
		return
	}
	hello.CapVersion, hello.CapMin, hello.CatalogueVersion = capVersion, capVersion, b.catalogue
	if b.tooNew {
		hello.CapVersion, hello.CapMin = capVersion+1, capVersion+1
	}
	b.feed(uplink.Dialed{Attempt: c.attempt, Hello: hello})
}

// ask carries out what the floor is asked.
func (b *box) ask(e uplink.Effect) {
	switch e := e.(type) {
	case uplink.Greet:
		b.soon("greet", func() { b.welcome(e) })
	case uplink.Read:
		b.soon("read journal", func() {
			entries, err := b.floor.Entries(b.w.ctx, e.From, e.MaxEntries, e.MaxBytes)
			b.feed(uplink.ReadBack{Attempt: e.Attempt, From: e.From, Entries: entries, Err: err})
		})
	case uplink.Recover:
		b.recover(e)
	case uplink.Apply:
		b.soon("apply", func() { b.apply(e) })
	case uplink.Grant:
		b.soon("grant", func() { b.grant(e) })
	case uplink.Acknowledge:
		b.soon("acknowledge", func() {
			b.floor.Acked(b.w.ctx, e.Seq)
			b.feed(uplink.Acknowledged{})
		})
	default:
		panic(fmt.Sprintf("fleet: unknown effect %T", e))
	}
}

// welcome takes in the cloud's clock and its timeline, as the node's program
// does.
func (b *box) welcome(e uplink.Greet) {
	err, answered := b.call(func() error {
		b.floor.SampleClock(e.Welcome.GetServerMs())
		b.floor.Meet(e.Welcome.GetResumeFrom() - 1)
		return b.floor.BeginTimeline(b.w.ctx, stock.Timeline(e.Welcome.GetTimeline()), e.Welcome.GetResumeFrom()-1)
	})
	if answered {
		b.unexpected(err)
		b.feed(uplink.Greeted{Attempt: e.Attempt, Err: err})
		b.changed()
	}
}

func (b *box) apply(e uplink.Apply) {
	d := e.Directives
	var applied uint64
	err, answered := b.call(func() (err error) {
		applied, err = b.floor.ApplyDirectives(b.w.ctx, d.GetFrom(), d.GetPrevHash(), d.GetDirectives())
		return err
	})
	if !answered {
		return
	}
	if _, refused := stock.AsRefusal(err); err != nil && !refused {
		b.unexpected(err)
	}
	b.soon("applied", func() {
		b.feed(uplink.Applied{Attempt: e.Attempt, Directive: applied, Err: err})
	})
	b.changed()
}

func (b *box) grant(e uplink.Grant) {
	wants := make([]shopfloor.Want, len(e.Wants))
	for i, w := range e.Wants {
		wants[i] = shopfloor.Want{SKU: stock.SKU(w.GetSku()), Target: stock.Units(w.GetTarget()),
			Timeline: stock.Timeline(w.GetTimeline())}
		if b.st.cell(wants[i].SKU).book.Rights.Granted >= wants[i].Target {
			b.w.marks.hit(markAskRepeated)
		}
	}
	var got []shopfloor.Got
	err, answered := b.call(func() (err error) {
		got, err = b.floor.GrantUpTo(b.w.ctx, wants)
		return b.unexpected(err)
	})
	if !answered {
		return
	}
	out := make([]*uplinkv1.Got, len(got))
	for i, g := range got {
		out[i] = &uplinkv1.Got{Request: e.Wants[i].GetRequest(), Sku: uint32(g.SKU), Total: int64(g.Total)}
	}
	b.feed(uplink.Granted{Attempt: e.Attempt, Got: out, Err: err})
}

// fetch brings the store's copy of the catalogue up to date, sooner or later.
func (b *box) fetch(version uint64) {
	wait := b.w.mix.latency
	if b.w.has(faultCatalogueLag) {
		wait = b.w.mix.day / 3
	}
	b.w.after(wait, "catalogue", func() { b.catalogue = max(b.catalogue, version) })
}

// question is a till's ask for units back.
type question struct {
	box    *box
	totals map[id]int64 // target by request, until it was answered
	short  bool
	wake   func()
}

func (b *box) answered(got []*uplinkv1.Got) {
	for _, g := range got {
		if len(g.GetRequest()) != 16 {
			continue
		}
		request := id(g.GetRequest())
		q, ok := b.asking[request]
		if !ok {
			continue
		}
		delete(b.asking, request)
		q.short = q.short || g.GetTotal() < q.totals[request]
		delete(q.totals, request)
		if len(q.totals) == 0 || q.short {
			q.wake()
		}
	}
}

// tillLine is the uplink in the words of the shop floor.
type tillLine struct{ b *box }

// Connected tells whether the cloud can be asked now.
func (l tillLine) Connected() bool { return l.b.core.State().Phase != uplink.Offline }

// Watch is not needed: feed sees the line change.
func (tillLine) Watch() <-chan struct{} { return nil }

// Wish asks for units that the cloud can do without.
func (l tillLine) Wish(wants []shopfloor.Want) {
	l.b.soon("wish", func() {
		out := make([]*uplinkv1.Want, len(wants))
		for i, w := range wants {
			out[i] = &uplinkv1.Want{Sku: uint32(w.SKU), Target: int64(w.Target), Timeline: uint32(w.Timeline)}
		}
		l.b.feed(uplink.Ask{Head: l.b.journal.Head().Seq, Wants: out})
	})
}

// Again lets the store greet the cloud anew.
func (l tillLine) Again() {
	l.b.soon("greet again", func() { l.b.feed(uplink.Again{}) })
}

// AskReturn asks for units back, and waits in virtual time until they are
// here: the floor's own waiting then finds nothing to wait for.
func (l tillLine) AskReturn(_ context.Context, wants []shopfloor.Want) error {
	b := l.b
	r := b.w.running
	if r == nil {
		panic("fleet: a till that cannot wait")
	}
	life, deadline := b.life, b.w.now+recallWait
	q := &question{box: b, totals: make(map[id]int64), wake: func() {}}
	out := make([]*uplinkv1.Want, len(wants))
	for i, w := range wants {
		request := b.ids.id()
		q.totals[request] = int64(w.Target)
		b.asking[request] = q
		out[i] = &uplinkv1.Want{Sku: uint32(w.SKU), Target: int64(w.Target),
			Timeline: uint32(w.Timeline), Request: request[:]}
	}
	b.feed(uplink.Ask{Head: b.journal.Head().Seq, Wants: out})
	for b.life == life && len(q.totals) > 0 && !q.short && b.w.now < deadline {
		r.wait(deadline-b.w.now, func(wake func()) { q.wake = wake })
	}
	for b.life == life && !q.short && len(q.totals) == 0 && !b.returned(wants) && b.w.now < deadline {
		r.sleep(10 * time.Millisecond)
	}
	if b.life != life {
		panic(lifeEnded{})
	}
	if q.short {
		b.w.marks.hit(markRecallRefused)
	}
	if !b.returned(wants) {
		b.w.marks.hit(markRecallTooLate)
		return stock.Refuse(stock.Short, "the cloud did not return enough")
	}
	b.w.marks.hit(markRecalled)
	return nil
}

// account is a product's book in this box.
func (b *box) account(sku stock.SKU) books.Account {
	if b.st.box == b {
		return b.st.cell(sku).book
	}
	return b.rows[sku]
}

// returned tells whether what was asked for is here.
func (b *box) returned(wants []shopfloor.Want) bool {
	for _, w := range wants {
		if b.account(w.SKU).Rights.Returned < w.Target {
			return false
		}
	}
	return true
}
