// Package uplink is the node's end of the session with the cloud: it carries
// the journal up, directives down, and finds its way back when the line is cut.
package uplink

import (
	"fmt"
	"time"

	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

const (
	batchRecords = 500       // records a batch at most
	batchBytes   = 256 << 10 // bytes a batch at most, unless one record is larger
	readRecords  = 2 * batchRecords
	readBytes    = 2 * batchBytes

	urgentLinger  = 20 * time.Millisecond // an urgent record waits no longer for company
	acknowledging = 200 * time.Millisecond
	defaultFlush  = 200 * time.Millisecond
	defaultCredit = 256 << 10

	dialPatience  = 10 * time.Second // from dialing to Welcome
	healthyAfter  = 5 * time.Second  // a session this long lets the back-off start over
	maxDirectives = 64               // frames that wait to be applied
	maxWants      = 1024             // wants that wait; more are forgotten, they are hints
	maxNacks      = 8                // in a row, without progress
	recoveryLook  = time.Hour        // between looks while the store comes back
)

// Backoff says how soon a lost session is tried again: after a random time
// below Base, and each time up to twice as long, but never above Cap.
type Backoff struct {
	Base time.Duration
	Cap  time.Duration
}

// Config is what a Core needs to know. Random gives a number from 0 up to but
// not including n; it is the only source of chance.
type Config struct {
	Address   string
	Backoff   Backoff
	DeadAfter time.Duration // silence after which the peer counts as dead; default 13 s
	Random    func(n int64) int64
}

type phase uint8

const (
	waiting    phase = 1 + iota // until retryAt
	dialing                     // until the stream is open
	greeting                    // Hello is sent
	settling                    // the store takes the Welcome in
	recovering                  // the store comes back from a loss; there is no stream
	open
)

// Core is the session as a state machine: it has no clock, no goroutine and no
// connection. One goroutine feeds it inputs and carries its effects out, in
// order. Its zero value is not usable; see NewCore.
type Core struct {
	cfg   Config
	phase phase

	attempt   uint64 // numbers the streams; what belongs to an older one is ignored
	tries     int    // failed in a row
	retryAt   time.Time
	since     time.Time // when the phase that people see last changed
	address   string    // where a Redirect sent us; "" is home
	refused   string
	lastRead  time.Time // when the peer was last heard, or dialing began
	openedAt  time.Time
	pingAt    time.Time
	hangUpAt  time.Time // a Drain's moment; zero if none
	catalogue uint64    // newest version announced by this session

	head    uint64 // of the own journal, as far as known
	acked   uint64 // applied by the cloud
	told    uint64 // acked as the store was last told
	telling bool
	tellAt  time.Time

	hello   *recordv1.Hello
	welcome *uplinkv1.Welcome
	target  uint64 // journal's head when the session opened
	caught  bool   // acked reached target

	up   sending
	down receiving

	out []Effect
}

// receiving is the state of what comes down.
type receiving struct {
	queue    []*uplinkv1.Directives
	applying bool
	applied  uint64
	blocked  uint64 // the directive last reported as blocked
	wants    []*uplinkv1.Want
	granting bool
}

// NewCore returns a core that dials at its first step.
func NewCore(cfg Config) *Core {
	if cfg.Backoff.Base <= 0 {
		cfg.Backoff.Base = 500 * time.Millisecond
	}
	if cfg.Backoff.Cap <= 0 {
		cfg.Backoff.Cap = 60 * time.Second
	}
	if cfg.DeadAfter <= 0 {
		cfg.DeadAfter = 13 * time.Second
	}
	return &Core{cfg: cfg, phase: waiting}
}

// Step takes one input and returns what is to be done now, in order. Inputs of
// a stream that was given up change nothing.
func (c *Core) Step(now time.Time, in Input) []Effect {
	c.out = nil
	before := c.visible()
	if c.since.IsZero() {
		c.since = now
	}
	switch in := in.(type) {
	case Tick:
	case Grew:
		c.head = max(c.head, in.Head)
	case Acknowledged:
		c.telling = false
	case Ask:
		c.queueAsk(in)
	case Again:
		if c.phase == open || c.phase == settling || c.phase == greeting {
			c.tries = 0
			c.hangUp(now, "the store has something new to say of itself", 0)
		}
	case Recovered:
		if in.Attempt == c.attempt && c.phase == recovering {
			c.recovered(now, in)
		}
	case Dialed, Lost, Received, Greeted, ReadBack, Applied, Granted:
		if in.(ofAttempt).number() == c.attempt && c.phase != waiting && c.phase != recovering {
			c.stepAttempt(now, in)
		}
	default:
		panic(fmt.Sprintf("uplink: unknown input %T", in))
	}
	c.elapse(now)
	if c.visible() != before {
		c.since = now
	}
	return c.out
}

// stepAttempt takes an input of the stream that is current.
func (c *Core) stepAttempt(now time.Time, in Input) {
	switch in := in.(type) {
	case Dialed:
		c.greet(now, in)
	case Lost:
		c.lose(now, in)
	case Received:
		c.lastRead = now
		c.receive(now, in.Frame)
	case Greeted:
		c.settled(now, in)
	case ReadBack:
		c.readBack(now, in)
	case Applied:
		c.applied(now, in)
	case Granted:
		c.granted(in)
	}
}

// elapse does what the time has come for.
func (c *Core) elapse(now time.Time) {
	switch {
	case c.phase == waiting:
		if !now.Before(c.retryAt) {
			c.dial(now)
		}
	case c.phase == recovering:
	case c.phase != open && now.Sub(c.lastRead) >= dialPatience:
		c.hangUp(now, "no welcome", 0)
	case now.Sub(c.lastRead) >= c.cfg.DeadAfter:
		c.hangUp(now, "no traffic", 0)
	case !c.hangUpAt.IsZero() && !now.Before(c.hangUpAt):
		c.tries = 0
		c.hangUp(now, "drained", 0)
	case c.phase == open:
		c.ping(now)
		c.pump(now)
		c.sendAsks()
		c.tell(now)
	}
}

// Wake returns when Step wants a Tick if nothing else happens before.
func (c *Core) Wake() time.Time {
	switch c.phase {
	case waiting:
		return c.retryAt
	case recovering:
		return c.lastRead.Add(recoveryLook)
	case open:
	default:
		return c.lastRead.Add(dialPatience)
	}
	at := earliest(c.lastRead.Add(c.cfg.DeadAfter), c.pingAt)
	at = earliest(at, c.hangUpAt)
	at = earliest(at, c.flushAt())
	if c.acked > c.told && !c.telling {
		at = earliest(at, c.tellAt)
	}
	return at
}

// earliest treats the zero time as never.
func earliest(a, b time.Time) time.Time {
	if b.IsZero() || (!a.IsZero() && a.Before(b)) {
		return a
	}
	return b
}

func (c *Core) dial(now time.Time) {
	c.attempt++
	c.phase = dialing
	c.lastRead = now
	c.hangUpAt = time.Time{}
	c.hello, c.welcome, c.catalogue = nil, nil, 0
	c.up, c.down = sending{}, receiving{}
	address := c.cfg.Address
	if c.address != "" {
		address, c.address = c.address, ""
	}
	c.emit(Dial{Attempt: c.attempt, Address: address})
}

func (c *Core) greet(now time.Time, in Dialed) {
	c.phase = greeting
	c.lastRead = now
	c.hello = in.Hello
	c.head = max(c.head, in.Hello.GetJournalLast())
	c.down.applied = in.Hello.GetDirectivesApplied()
	c.send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Hello{Hello: in.Hello}})
}

// lose is the end of a stream that somebody else ended.
func (c *Core) lose(now time.Time, in Lost) {
	if r, ok := stock.AsRefusal(in.Err); ok {
		c.refused = r.Code.String()
	}
	c.wait(now, 0)
}

// hangUp ends the stream; the next attempt starts no sooner than after.
func (c *Core) hangUp(now time.Time, reason string, after time.Duration) {
	c.emit(Hangup{Attempt: c.attempt, Reason: reason})
	c.wait(now, after)
}

// wait is full jitter over an exponential back-off, plus a time that the cloud
// or a refusal asked for.
func (c *Core) wait(now time.Time, after time.Duration) {
	if c.phase == open && now.Sub(c.openedAt) >= healthyAfter {
		c.tries = 0
	}
	limit := c.cfg.Backoff.Base << min(c.tries, 16)
	limit = min(limit, c.cfg.Backoff.Cap)
	c.tries++
	c.phase = waiting
	c.retryAt = now.Add(after + time.Duration(c.cfg.Random(int64(limit)+1)))
	c.up, c.down = sending{}, receiving{}
}

// refuse ends the stream because one side said no. Trying again at once would
// not change that, so it is tried again at the slowest rate.
func (c *Core) refuse(now time.Time, code string, after time.Duration) {
	c.refused = code
	if after == 0 {
		after = c.cfg.Backoff.Cap / 2
	}
	c.hangUp(now, code, after)
}

func (c *Core) ping(now time.Time) {
	if now.Before(c.pingAt) {
		return
	}
	c.pingAt = now.Add(c.heartbeat())
	c.send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Ping{Ping: &uplinkv1.Ping{
		WallMs: now.UnixMilli(), JournalLast: c.head, DirectivesApplied: c.down.applied}}})
}

// heartbeat leaves room for two answers to come late before the peer counts as
// dead, whatever the cloud asks for.
func (c *Core) heartbeat() time.Duration {
	most := c.cfg.DeadAfter * 5 / 13
	asked := time.Duration(c.welcome.GetHeartbeatMs()) * time.Millisecond
	if asked <= 0 || asked > most {
		return most
	}
	return asked
}

// tell lets the store know how far the cloud is; not at every ack, because the
// store writes it down.
func (c *Core) tell(now time.Time) {
	if c.telling || c.acked <= c.told || now.Before(c.tellAt) {
		return
	}
	c.telling, c.told = true, c.acked
	c.tellAt = now.Add(acknowledging)
	c.emit(Acknowledge{Seq: c.acked})
}

func (c *Core) emit(e Effect) { c.out = append(c.out, e) }

func (c *Core) send(f *uplinkv1.NodeFrame) { c.emit(Send{Attempt: c.attempt, Frame: f}) }
