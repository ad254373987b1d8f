package fleet

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/headoffice"
	clouduplink "holdfast.dev/cloud/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// Errors of a cloud that cannot say what became of a command.
var (
	errLeader   = errors.New("the leader changed")
	errNoQuorum = errors.New("no quorum")
)

// office is the cloud: a log that never loses what it committed, with leaders
// that change and members that take the stores' sessions.
type office struct {
	w        *World
	journal  *journal.Journal
	uplink   clouduplink.Office
	clock    clock
	members  []*member
	unsure   time.Duration // until then answers may be wrong
	noQuorum time.Duration // until then nothing is committed
	keys     []ed25519.PrivateKey
	held     map[id]*hold
	carts    map[id]int64 // that were ever held, and until when
	promises map[id]*promise
	now      int64 // of the last command, clamped

	catalogue uint64   // version, with the imports that are under way
	since     []uint64 // version in which each product came; 0: not yet
	known     int      // products in the catalogue

	command *recordv1.Command // that is being applied
	touched []stock.StoreID
	seen    []seenCommand
	eye     *officeEye

	backups     [][]byte
	incarnation int
}

var _ headoffice.Engine = (*office)(nil)

// member is one process of the cloud.
type member struct {
	up       bool
	sessions map[stock.StoreID]*session
}

func (w *World) newOffice() (*office, error) {
	o := &office{w: w, held: make(map[id]*hold), carts: make(map[id]int64),
		promises: make(map[id]*promise)}
	o.clock = clock{w: w}
	for range w.mix.members {
		o.members = append(o.members, &member{up: true, sessions: make(map[stock.StoreID]*session)})
	}
	machine := &headoffice.Machine{Changed: func(_ uint64, stores []stock.StoreID) {
		o.touched = append(o.touched, stores...)
	}}
	o.eye = &officeEye{Machine: machine, office: o}
	j, err := journal.Open(w.ctx, journal.Options{Machine: o.eye, Spare: &w.kit.office})
	if err != nil {
		return nil, err
	}
	o.journal = j
	o.uplink = clouduplink.FromEngine(o)
	return o, nil
}

// View runs f on a state of the tables.
func (o *office) View(ctx context.Context, f func(tx *journal.Tx) error) error {
	return o.journal.View(ctx, f)
}

// Watch is not used here: what a command touched is known at once.
func (o *office) Watch(stock.StoreID) <-chan struct{} { return nil }

// Propose applies a command at once, as the engines of the programs do.
func (o *office) Propose(ctx context.Context, c *recordv1.Command) (*recordv1.Result, error) {
	var uid id
	copy(uid[:], c.GetRequest())
	stamped := &recordv1.Command{Now: o.clock.now(), Version: headoffice.Version,
		Request: c.GetRequest(), Actor: c.GetActor(), Body: c.GetBody()}
	data, err := headoffice.Encode(stamped)
	if err != nil {
		return nil, err
	}
	o.command, o.touched = stamped, o.touched[:0]
	var idle *recordv1.Result
	out, err := o.journal.Append(ctx, journal.Proposal{UID: uid,
		Decide: func(tx *journal.Tx, _ uint64) ([]byte, error) {
			result, unchanged, err := headoffice.Idle(tx, stamped)
			if err != nil || !unchanged {
				return data, err
			}
			idle = result
			return nil, nil
		}})
	if err != nil {
		if _, refused := stock.AsRefusal(err); !refused {
			o.w.fail("FAULT", "cloud: %T: %v", c.GetBody(), err)
		}
		o.markRefused(c, err)
		return nil, err
	}
	if out.Repeated {
		if err := o.sameAsBefore(ctx, uid, stamped); err != nil {
			return nil, err
		}
	}
	o.ring()
	if out.Seq == 0 {
		o.keptOnTime(stamped)
		return idle, nil
	}
	return headoffice.Outcome(out.Reply)
}

// keptOnTime checks that no hold is due when the cloud says that none is.
func (o *office) keptOnTime(c *recordv1.Command) {
	if c.GetExpireHolds() == nil {
		return
	}
	now := max(o.now, c.GetNow())
	for _, h := range o.held {
		if h.deadline <= now {
			o.w.fail("INV-8", "none of the holds expires at %d, %x was due at %d", now, h.id, h.deadline)
		}
	}
}

func (o *office) sameAsBefore(ctx context.Context, uid id, c *recordv1.Command) error {
	e, _, err := o.journal.Find(ctx, uid)
	if err != nil {
		return err
	}
	var before recordv1.Command
	if err := proto.Unmarshal(e.Data, &before); err != nil {
		return err
	}
	if !headoffice.Same(&before, c) {
		return stock.Refuse(stock.IDReused, "request %x was another command", uid)
	}
	o.w.marks.hit(markRequestRepeated)
	return nil
}

// ring lets the sessions of touched stores look.
func (o *office) ring() {
	for _, store := range o.touched {
		for _, m := range o.members {
			if store != headoffice.AllStores {
				if s := m.sessions[store]; s != nil && s.open {
					s.lookAgain()
				}
				continue
			}
			for _, st := range o.w.stores {
				if s := m.sessions[st.id]; s != nil && s.open {
					s.lookAgain()
				}
			}
		}
	}
	o.touched = o.touched[:0]
}

// submit proposes through whoever leads. The answer comes later; while leaders
// change it may say nothing about what became of the command.
func (o *office) submit(c *recordv1.Command, answer func(*recordv1.Result, error)) {
	w := o.w
	travel := w.chance.span(200*time.Microsecond, 5*time.Millisecond)
	reply := func(r *recordv1.Result, err error) {
		w.after(w.chance.span(200*time.Microsecond, 5*time.Millisecond), "answer", func() { answer(r, err) })
	}
	w.after(travel, "command", func() {
		switch {
		case w.now < o.noQuorum:
			w.marks.hit(markNoQuorum)
			w.after(time.Second, "no quorum", func() { answer(nil, errNoQuorum) })
		case w.now < o.unsure && w.chance.of(600):
			o.confused(c, answer)
		default:
			reply(o.Propose(w.ctx, c))
		}
	})
}

// confused is what a caller may see of a leader that is lost under way.
func (o *office) confused(c *recordv1.Command, answer func(*recordv1.Result, error)) {
	w := o.w
	failed := func() { answer(nil, fmt.Errorf("propose: %w", errLeader)) }
	switch w.chance.IntN(3) {
	case 0: // committed, but nobody heard
		if _, err := o.Propose(w.ctx, c); err == nil && c.GetApplyBatch() != nil {
			w.marks.hit(markCommitUnheard)
		}
		w.after(w.chance.span(0, time.Second), "unknown outcome", failed)
	case 1: // lost
		w.after(w.chance.span(0, time.Second), "unknown outcome", failed)
	default: // committed by the next leader, after the caller gave up
		w.after(0, "unknown outcome", failed)
		w.after(w.chance.span(time.Millisecond, 5*time.Second), "late commit", func() {
			o.Propose(w.ctx, c)
		})
	}
}

// unsettled lets leaders change for a while.
func (o *office) unsettled(d time.Duration) {
	o.unsure = max(o.unsure, o.w.now+d)
	if o.w.chance.of(500) {
		o.clock.offset = o.w.chance.span(-time.Minute, time.Minute)
	}
}

func (o *office) cutOff(d time.Duration) { o.noQuorum = max(o.noQuorum, o.w.now+d) }

// restart ends a member: its sessions go with it, and come back elsewhere.
func (o *office) restart(n int, d time.Duration) {
	m := o.members[n]
	m.up = false
	for _, st := range o.w.stores {
		for _, c := range append([]*conn(nil), st.line.conns...) {
			if s := c.session; s.member == n && !s.lost {
				s.end()
				s.lost = true
				c.hangUp(toCloud)
			}
		}
	}
	o.w.after(d, "member up", func() { m.up = true })
}

// anyMember picks a member that takes sessions; −1 if none does.
func (o *office) anyMember() int {
	n := o.w.chance.IntN(len(o.members))
	for i := range o.members {
		if k := (n + i) % len(o.members); o.members[k].up {
			return k
		}
	}
	return -1
}

func (o *office) memberUp(n int) bool { return o.members[n].up }

// session is the store's open session, at whichever member.
func (o *office) session(st stock.StoreID) *session {
	for _, m := range o.members {
		if s := m.sessions[st]; s != nil && s.open {
			return s
		}
	}
	return nil
}
