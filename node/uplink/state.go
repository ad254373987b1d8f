package uplink

import "time"

// Phase is how a store stands with the cloud.
type Phase uint8

// Phases of a link.
const (
	Offline    Phase = 1 + iota // no session
	CatchingUp                  // a session, but the cloud lacks records from before it
	Online                      // the cloud has all that was there when the session opened
)

// String gives the name that pages and logs use.
func (p Phase) String() string {
	switch p {
	case Online:
		return "online"
	case CatchingUp:
		return "catching up"
	case Offline:
		return "offline"
	}
	return "unknown"
}

// State is what people may know of the link.
type State struct {
	Phase   Phase
	Since   time.Time // when Phase, Session or Refused last changed
	Backlog uint64    // records that the cloud has not applied
	Acked   uint64    // the last record that it has
	Session uint64    // zero without one
	Refused string    // the code with which the last attempt was refused, if it was
}

// visible is what makes Since start over when it changes.
type visible struct {
	phase   Phase
	session uint64
	refused string
}

func (c *Core) visible() visible {
	v := visible{phase: Offline, refused: c.refused}
	if c.phase == open {
		v.session = c.welcome.GetSession()
		v.phase = CatchingUp
		if c.caught {
			v.phase = Online
		}
	}
	return v
}

// State returns what people may know of the link.
func (c *Core) State() State {
	v := c.visible()
	backlog := uint64(0)
	if c.head > c.acked {
		backlog = c.head - c.acked
	}
	return State{Phase: v.phase, Since: c.since, Backlog: backlog, Acked: c.acked,
		Session: v.session, Refused: v.refused}
}
