package fleet

import (
	"time"

	clouduplink "holdfast.dev/cloud/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

// session is the cloud's end of a connection, with what its server does.
type session struct {
	w       *World
	conn    *conn
	member  int
	core    *clouduplink.Session
	number  uint64
	open    bool // looks and asks are welcome
	over    bool // the stream has ended
	lost    bool // the member that held it has ended
	looking bool
	tickAt  time.Duration
	asks    clouduplink.Asks
	waiting map[*clouduplink.Ask]func()
}

func newSession(w *World, c *conn, member int) *session {
	random := newChance(w.o.Seed, 2_000_000+w.agenda.seq)
	s := &session{w: w, conn: c, member: member, tickAt: -1, waiting: make(map[*clouduplink.Ask]func())}
	s.core = clouduplink.NewSession(clouduplink.Config{Store: c.box.st.id, Node: c.box.node[:],
		Member: memberName(member), DeadAfter: w.mix.dead, FlushNormal: w.mix.flush,
		Random: random.Int64N})
	s.feed(clouduplink.Tick{})
	return s
}

func memberName(n int) string { return string(rune('a' + n)) }

// feed gives the core an input and carries out what it wants. After the end
// only what is proposed matters.
func (s *session) feed(in clouduplink.Input) {
	if s.lost {
		return
	}
	effects := s.core.Step(s.w.time(), in)
	for _, e := range effects {
		if p, ok := e.(clouduplink.Propose); ok || !s.over {
			if ok {
				s.propose(p)
			} else {
				s.do(e)
			}
		}
	}
	s.arm()
}

func (s *session) arm() {
	wake := s.core.Wake()
	if wake.IsZero() || s.over {
		return
	}
	at := max(wake.Sub(birth), s.w.now+time.Microsecond)
	if s.tickAt >= 0 && s.tickAt <= at && s.tickAt > s.w.now {
		return
	}
	s.tickAt = at
	s.w.agenda.add(at, "session tick", func() {
		if s.tickAt == at {
			s.tickAt = -1
			s.feed(clouduplink.Tick{})
		}
	})
}

func (s *session) do(e clouduplink.Effect) {
	switch e := e.(type) {
	case clouduplink.Send:
		s.conn.down(e.Frame)
	case clouduplink.ReadDirectives:
		s.soon("read directives", func() {
			chain, err := s.w.office.uplink.Directives(s.w.ctx, s.conn.box.st.id, e)
			s.feed(clouduplink.Read{Chain: chain, Err: err})
		})
	case clouduplink.Opened:
		s.opened(e.Session)
	case clouduplink.Look:
		s.lookAgain()
	case clouduplink.Answered:
		s.asks.Answer(e.Got)
		s.lookAgain()
	case clouduplink.Notice:
		s.w.logf("store %d: cloud says: %s", s.conn.box.st.id, e.Text)
		if e.Grave {
			s.w.fail("GRAVE", "store %d: %s", s.conn.box.st.id, e.Text)
		}
	case clouduplink.Close:
		s.w.logf("store %d: session %d ends: %s", s.conn.box.st.id, s.number, e.Why)
		s.end()
		s.conn.hangUp(toCloud)
	}
}

func (s *session) soon(name string, do func()) {
	s.w.after(s.w.chance.span(0, 2*time.Millisecond), name, func() {
		if !s.lost {
			do()
		}
	})
}

func (s *session) propose(p clouduplink.Propose) {
	s.w.office.submit(p.Command, func(result *recordv1.Result, err error) {
		s.feed(clouduplink.Proposed{Number: p.Number, Result: result, Err: err})
	})
}

// opened makes this the store's session at its member; the older of two is
// superseded.
func (s *session) opened(number uint64) {
	s.number, s.open = number, true
	m := s.w.office.members[s.member]
	old := m.sessions[s.conn.box.st.id]
	if old != nil && old.number > number {
		s.soon("superseded", func() { s.feed(clouduplink.Superseded{}) })
		return
	}
	if old != nil && old != s {
		s.w.marks.hit(markSuperseded)
		old.soon("superseded", func() { old.feed(clouduplink.Superseded{}) })
	}
	m.sessions[s.conn.box.st.id] = s
}

// end forgets the session at its member and fails who waits for the store.
func (s *session) end() {
	if s.over {
		return
	}
	s.over, s.open = true, false
	m := s.w.office.members[s.member]
	if m.sessions[s.conn.box.st.id] == s {
		delete(m.sessions, s.conn.box.st.id)
	}
	for _, ask := range s.asks.Fail(stock.Refuse(stock.Offline, "the session ended")) {
		s.wake(ask)
	}
}

func (s *session) wake(ask *clouduplink.Ask) {
	if wake := s.waiting[ask]; wake != nil {
		delete(s.waiting, ask)
		wake()
	}
}

// lookAgain reads soon how the store stands.
func (s *session) lookAgain() {
	if s.looking || s.over {
		return
	}
	s.looking = true
	s.soon("look", func() {
		s.looking = false
		if !s.over {
			s.look()
		}
	})
}

func (s *session) look() {
	skus := s.asks.Begin()
	standing, err := s.w.office.uplink.Look(s.w.ctx, s.conn.box.st.id, skus)
	s.feed(clouduplink.Looked{Standing: standing, Err: err})
	if err != nil || len(skus) == 0 || s.over {
		return
	}
	wants, done := s.asks.Round(standing.Pools, standing.Timeline)
	for _, ask := range done {
		s.wake(ask)
	}
	if len(wants) > 0 {
		s.feed(clouduplink.Asked{Wants: wants})
	}
}

// ask lets a shopper's cart wait until the store has granted what it needs.
func (s *session) ask(r *routine, needs []clouduplink.Need, patience time.Duration) {
	ask := s.asks.Add(needs)
	done := r.wait(patience, func(wake func()) {
		s.waiting[ask] = wake
		s.lookAgain()
	})
	if !done {
		delete(s.waiting, ask)
		s.asks.Drop(ask)
	}
}
