package uplink

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

// receive takes a frame of the cloud.
func (c *Core) receive(now time.Time, frame *uplinkv1.CloudFrame) {
	switch f := frame.GetFrame().(type) {
	case *uplinkv1.CloudFrame_Welcome:
		c.welcomed(now, f.Welcome)
		return
	case *uplinkv1.CloudFrame_Reject:
		c.rejected(now, f.Reject)
		return
	case *uplinkv1.CloudFrame_Redirect:
		c.address, c.tries = f.Redirect.GetAddress(), 0
		c.hangUp(now, "redirected", 0)
		return
	case *uplinkv1.CloudFrame_Drain:
		spread := int64(f.Drain.GetAfterMs()) * int64(time.Millisecond)
		c.hangUpAt = now.Add(time.Duration(c.cfg.Random(spread + 1)))
		return
	case *uplinkv1.CloudFrame_Directives:
		c.directed(now, f.Directives)
		return
	}
	if c.phase != open {
		c.hangUp(now, fmt.Sprintf("%T before the welcome", frame.GetFrame()), 0)
		return
	}
	switch f := frame.GetFrame().(type) {
	case *uplinkv1.CloudFrame_Ack:
		c.acknowledged(now, f.Ack)
	case *uplinkv1.CloudFrame_Nack:
		c.rewind(now, f.Nack)
	case *uplinkv1.CloudFrame_AskGrant:
		c.wanted(f.AskGrant.GetWants())
	case *uplinkv1.CloudFrame_ReturnAnswer:
		c.emit(Answer{Got: f.ReturnAnswer.GetGot()})
	case *uplinkv1.CloudFrame_Pong:
		if at := f.Pong.GetServerMs(); at > 0 {
			c.emit(Sample{CloudMS: at})
		}
		c.announce(f.Pong.GetCatalogueVersion())
	default:
		// A frame of a newer cloud; it may only send hints that we do not know.
	}
}

func (c *Core) rejected(now time.Time, r *uplinkv1.Reject) {
	after := time.Duration(r.GetRetryAfterMs()) * time.Millisecond
	code, ok := stock.ParseCode(r.GetCode())
	if ok && (code == stock.Busy || code == stock.RateLimited || code == stock.Offline) {
		c.refused = r.GetCode()
		c.hangUp(now, r.GetCode(), after)
		return
	}
	c.refuse(now, r.GetCode(), after)
}

func (c *Core) welcomed(now time.Time, w *uplinkv1.Welcome) {
	if c.phase != greeting {
		c.hangUp(now, "a second welcome", 0)
		return
	}
	if w.GetTimeline() < c.hello.GetTimeline() {
		c.refuse(now, stock.RolledBack.String(), 0)
		return
	}
	c.welcome = w
	if w.GetMode() > recordv1.SessionMode_SESSION_MODE_NORMAL {
		c.emit(Hangup{Attempt: c.attempt, Reason: "recovery: " + w.GetMode().String()})
		c.phase = recovering
		c.emit(Recover{Attempt: c.attempt, Welcome: w})
		return
	}
	c.phase = settling
	c.emit(Greet{Attempt: c.attempt, Welcome: w})
}

// recovered tries again at once with what the store is now.
func (c *Core) recovered(now time.Time, in Recovered) {
	if r, ok := stock.AsRefusal(in.Err); ok {
		c.refused = r.Code.String()
		c.wait(now, c.cfg.Backoff.Cap/2)
		return
	}
	c.wait(now, 0)
	if in.Err == nil {
		c.tries, c.retryAt = 0, now
	}
}

// settled opens the session once the store has taken the Welcome in.
func (c *Core) settled(now time.Time, in Greeted) {
	if c.phase != settling {
		return
	}
	if r, ok := stock.AsRefusal(in.Err); ok {
		c.refuse(now, r.Code.String(), 0)
		return
	}
	if in.Err != nil {
		c.hangUp(now, fmt.Sprintf("take welcome in: %v", in.Err), 0)
		return
	}
	w := c.welcome
	if w.GetResumeFrom() == 0 || w.GetResumeFrom() > c.head+1 {
		c.hangUp(now, fmt.Sprintf("the cloud resumes at record %d of %d", w.GetResumeFrom(), c.head), 0)
		return
	}
	c.phase, c.openedAt, c.lastRead = open, now, now
	c.refused = ""
	c.pingAt = now
	c.acked, c.told = w.GetResumeFrom()-1, 0
	c.target = c.head
	c.caught = c.acked >= c.target
	c.up.credit = w.GetCreditBytes()
	if c.up.credit == 0 {
		c.up.credit = defaultCredit
	}
	c.up.flush = time.Duration(w.GetFlushNormalMs()) * time.Millisecond
	if c.up.flush == 0 {
		c.up.flush = defaultFlush
	}
	if w.GetTimeline() > c.hello.GetTimeline() && w.GetDirectivesFrom() > 0 {
		c.down.applied = w.GetDirectivesFrom() - 1 // of a chain that has just begun
	}
	c.up.resume(w.GetResumeFrom())
	c.up.asks, c.up.hurry = nil, 0 // of the session before
	c.announce(w.GetCatalogueVersion())
	c.apply()
}

func (c *Core) announce(version uint64) {
	if version > c.catalogue {
		c.catalogue = version
		c.emit(Fetch{Version: version})
	}
}

// directed queues directives: they are applied one frame after the other, and
// not before the store has taken the Welcome in.
func (c *Core) directed(now time.Time, d *uplinkv1.Directives) {
	if c.phase != open && c.phase != settling {
		c.hangUp(now, "directives before the welcome", 0)
		return
	}
	if len(c.down.queue) == maxDirectives {
		c.hangUp(now, "too many directives at once", 0)
		return
	}
	c.down.queue = append(c.down.queue, d)
	c.apply()
}

func (c *Core) apply() {
	if c.phase != open || c.down.applying || len(c.down.queue) == 0 {
		return
	}
	c.down.applying = true
	c.emit(Apply{Attempt: c.attempt, Directives: c.down.queue[0]})
}

// applied acks what is durable. A directive that this node does not know stops
// the directives, not the session: the cloud takes it back.
func (c *Core) applied(now time.Time, in Applied) {
	d := &c.down
	if !d.applying {
		return
	}
	frame := d.queue[0]
	d.applying, d.queue = false, d.queue[1:]
	if in.Directive > d.applied {
		d.applied = in.Directive
	}
	if in.Directive > 0 {
		c.send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Ack{
			Ack: &uplinkv1.DirectiveAck{Directive: d.applied}}})
	}
	switch {
	case stock.Refused(in.Err, stock.FeatureRefused):
		c.block(frame)
	case in.Err != nil:
		if r, ok := stock.AsRefusal(in.Err); ok {
			c.refuse(now, r.Code.String(), 0)
			return
		}
		c.hangUp(now, fmt.Sprintf("apply directives: %v", in.Err), 0)
		return
	}
	c.apply()
}

// block reports the directive after the last one applied, once.
func (c *Core) block(frame *uplinkv1.Directives) {
	number := c.down.applied + 1
	if c.down.blocked == number {
		return
	}
	c.down.blocked = number
	kind := uint32(0)
	first, raw := frame.GetFrom(), frame.GetDirectives()
	if number >= first && number-first < uint64(len(raw)) {
		kind = bodyNumber(raw[number-first])
	}
	c.send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Blocked{
		Blocked: &uplinkv1.Blocked{Directive: number, Type: kind}}})
}

// bodyNumber is the field number of a directive's body, also of one that this
// build does not know.
func bodyNumber(directive []byte) uint32 {
	for len(directive) > 0 {
		num, kind, n := protowire.ConsumeTag(directive)
		if n < 0 {
			return 0
		}
		if num >= firstBody {
			return uint32(num)
		}
		skip := protowire.ConsumeFieldValue(num, kind, directive[n:])
		if skip < 0 {
			return 0
		}
		directive = directive[n+skip:]
	}
	return 0
}

// wanted grants what shoppers wait for. Wants of another timeline are void.
func (c *Core) wanted(wants []*uplinkv1.Want) {
	for _, w := range wants {
		if w.GetTimeline() == c.welcome.GetTimeline() && len(c.down.wants) < maxWants {
			c.down.wants = append(c.down.wants, w)
		}
	}
	c.grant()
}

func (c *Core) grant() {
	if c.down.granting || len(c.down.wants) == 0 {
		return
	}
	wants := c.down.wants
	c.down.granting, c.down.wants = true, nil
	c.emit(Grant{Attempt: c.attempt, Wants: wants})
}

// granted answers. A store that could not answer stays silent: it is a hint.
func (c *Core) granted(in Granted) {
	if !c.down.granting {
		return
	}
	c.down.granting = false
	if in.Err == nil && len(in.Got) > 0 {
		c.send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_GrantAnswer{
			GrantAnswer: &uplinkv1.GrantAnswer{Got: in.Got}}})
	}
	c.grant()
}
