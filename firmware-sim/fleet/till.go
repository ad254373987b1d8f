package fleet

import (
	"time"

	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

const tillsPerStore = 3

// till is a screen or a scanner: one step at a time. It remembers the newest
// state of the store that it has seen, and keeps what it asked for until the
// cloud has it.
type till struct {
	st    *store
	name  string
	box   *box // that it talks to, if it is another than the store's
	busy  bool
	queue []func()
	seen  shopfloor.Seen
	kept  []keptStep
}

// keptStep is a request that was answered.
type keptStep struct {
	uid   id
	seen  shopfloor.Seen
	again func(f *shopfloor.Floor, epoch stock.Epoch) error
}

// talksTo is the box that answers this till.
func (t *till) talksTo() *box {
	if t.box != nil && t.box.up {
		return t.box
	}
	return t.st.box
}

// tillsAt are the tills that talk to a box; all of them if there is none.
func (st *store) tillsAt(b *box) []*till {
	var at []*till
	for _, t := range st.tills {
		if t.talksTo() == b {
			at = append(at, t)
		}
	}
	if len(at) == 0 {
		return st.tills
	}
	return at
}

// enter waits for the till's turn.
func (t *till) enter(r *routine) {
	for t.busy {
		r.wait(-1, func(wake func()) { t.queue = append(t.queue, wake) })
	}
	t.busy = true
}

func (t *till) leave() {
	t.busy = false
	if len(t.queue) > 0 {
		next := t.queue[0]
		t.queue = t.queue[1:]
		next()
	}
}

// step is what a person wants of a store's box. It is asked for again, with
// the same id, until there is an answer.
type step struct {
	st    *store
	by    chance
	box   *box        // that has to be asked; nil: any that a till talks to
	skus  []stock.SKU // whose units are in doubt until then
	keep  id          // of what the till keeps until the cloud has it; zero: nothing
	asked id          // of the request, when it is not kept
	do    func(f *shopfloor.Floor, till string) error
	again func(f *shopfloor.Floor, epoch stock.Epoch) error // when it was lost; nil: do
}

// ask returns nil or a refusal: the answer that a person saw.
func (r *routine) ask(s step) error {
	w, lost, doubted := r.w, 0, false
	if w.has(faultLostAnswers) && s.by.of(150) {
		lost = s.by.between(1, 2)
	}
	t := oneOf(s.by, s.st.tillsAt(s.box)...)
	for {
		t.enter(r)
		err, answered := s.once(w, t, lost == 0)
		t.leave()
		if answered && err != nil && doubted && t.talksTo().mayForget() {
			answered = false // nobody goes by it: what it was asked before it may have forgotten
		}
		if answered && lost == 0 {
			if doubted {
				s.doubt(-1)
			}
			if err != nil {
				s.st.toldNo(s.keep)
				s.st.toldNo(s.asked)
			}
			return err
		}
		if answered {
			lost--
		}
		if !doubted {
			doubted = true
			s.doubt(1)
		}
		if s.by.of(300) {
			if other := oneOf(s.by, s.st.tills...); other.talksTo() == t.talksTo() {
				t = other // one at a copy of the box would know nothing of the first attempt
			}
		}
		r.sleep(s.by.span(100*time.Millisecond, 5*time.Second))
	}
}

// mayForget tells whether the box knows that it has lost part of its past, or
// cannot know because the cloud has not told it.
func (b *box) mayForget() bool {
	return b.up && (b.floor.Mode() == recordv1.NodeMode_NODE_MODE_SAFE ||
		b.core.State().Phase == uplink.Offline)
}

// once asks the box; a finger that slips asks twice. An answer that is not heard
// changes nothing at the till.
func (s step) once(w *World, t *till, heard bool) (err error, answered bool) {
	b := t.talksTo()
	if !b.up || !t.witness(b) {
		return errDead, false
	}
	err, answered = b.call(func() error { return s.do(b.floor, t.name) })
	if !answered {
		return err, false
	}
	if _, refused := stock.AsRefusal(err); err != nil && !refused {
		w.fail("FAULT", "store %d: %v", s.st.id, err)
		return err, true
	}
	if !heard {
		return err, true
	}
	t.seen = b.floor.Seen()
	if err != nil {
		return err, true
	}
	if s.keep != (id{}) {
		t.keep(b, s)
	}
	if w.has(faultDoubleTap) && s.by.of(200) {
		return s.twice(w, t, b)
	}
	return nil, true
}

// toldNo notes that a request is refused: if a lost record says that it was
// booked, nobody did what it says, and it may not be booked again.
func (st *store) toldNo(request id) {
	for _, f := range st.lost {
		if request != (id{}) && f.uid == request {
			f.refused = true
			st.w.logf("store %d: record %d is lost, and its request refused", st.id, f.seq)
			st.tally()
			return
		}
	}
}

// twice asks for what was just answered.
func (s step) twice(w *World, t *till, b *box) (err error, answered bool) {
	head := b.journal.Head()
	err, answered = b.call(func() error { return s.do(b.floor, t.name) })
	if answered && err != nil {
		w.fail("INV-4", "store %d: done, and then refused: %v", s.st.id, err)
	}
	if answered && b.journal.Head() != head {
		w.fail("INV-4", "store %d: one step was recorded twice, at %d", s.st.id, head.Seq+1)
	}
	return err, answered
}

// keep remembers a request until the cloud has its record, and forgets those
// that it has.
func (t *till) keep(b *box, s step) {
	again := s.again
	if again == nil {
		again = func(f *shopfloor.Floor, _ stock.Epoch) error { return s.do(f, t.name) }
	}
	acked := b.floor.Acknowledged()
	for len(t.kept) > 0 && t.kept[0].seen.Seq <= acked && t.kept[0].seen.Epoch == t.seen.Epoch {
		t.note(t.kept[0].uid, false)
		t.kept = t.kept[1:]
	}
	t.kept = append(t.kept, keptStep{s.keep, t.seen, again})
	t.note(s.keep, true)
}

// note notes whether a till keeps a request.
func (t *till) note(uid id, kept bool) {
	if f := t.st.byUID[uid]; f != nil {
		f.kept = kept
	}
}

// witness compares what the till has seen with what the box is, and tells the
// box again what it may have lost. It is false if the box died over it.
func (t *till) witness(b *box) bool {
	resend := false
	err, answered := b.call(func() (err error) {
		resend, err = b.floor.Witness(b.w.ctx, t.seen)
		return err
	})
	if !answered {
		return false
	}
	if stock.Refused(err, stock.RolledBack) {
		b.w.marks.hit(markRestoredOffline)
		resend = true
	} else if err != nil {
		b.unexpected(err)
	}
	if !resend {
		return true
	}
	b.w.logf("store %d: %s sends %d requests again", t.st.id, t.name, len(t.kept))
	for i := range t.kept {
		k := &t.kept[i]
		err, answered := b.call(func() error { return k.again(b.floor, k.seen.Epoch) })
		if !answered {
			return false
		}
		if err != nil {
			b.w.logf("store %d: a request that is sent again is refused: %v", t.st.id, err)
		}
	}
	t.seen = b.floor.Seen()
	return true
}

// doubt says whether nobody knows if these units have moved.
func (s step) doubt(by int) {
	for _, sku := range s.skus {
		c := s.st.cell(sku)
		c.doubt += by
		c.touch()
	}
}
