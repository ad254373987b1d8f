package fleet

import (
	"time"

	"holdfast.dev/node/shopfloor"
	"holdfast.dev/stock"
)

const tillsPerStore = 3

// till is a screen or a scanner: one step at a time.
type till struct {
	st    *store
	name  string
	busy  bool
	queue []func()
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
	st   *store
	by   chance
	skus []stock.SKU // whose units are in doubt until then
	do   func(f *shopfloor.Floor, till string) error
}

// ask returns nil or a refusal: the answer that a person saw.
func (r *routine) ask(s step) error {
	w, lost, doubted := r.w, 0, false
	if w.has(faultLostAnswers) && s.by.of(150) {
		lost = s.by.between(1, 2)
	}
	t := oneOf(s.by, s.st.tills...)
	for {
		t.enter(r)
		err, answered := s.once(w, t)
		t.leave()
		if answered && lost == 0 {
			if doubted {
				s.doubt(-1)
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
			t = oneOf(s.by, s.st.tills...)
		}
		r.sleep(s.by.span(100*time.Millisecond, 5*time.Second))
	}
}

// once asks the box; a finger that slips asks twice.
func (s step) once(w *World, t *till) (err error, answered bool) {
	b := s.st.box
	if b == nil || !b.up {
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
	if err == nil && w.has(faultDoubleTap) && s.by.of(200) {
		head := b.journal.Head()
		again, answered := b.call(func() error { return s.do(b.floor, t.name) })
		if answered && again != nil {
			w.fail("INV-4", "store %d: done, and then refused: %v", s.st.id, again)
		}
		if answered && b.journal.Head() != head {
			w.fail("INV-4", "store %d: one step was recorded twice, at %d", s.st.id, head.Seq+1)
		}
		return err, answered
	}
	return err, true
}

// doubt says whether nobody knows if these units have moved.
func (s step) doubt(by int) {
	for _, sku := range s.skus {
		c := s.st.cell(sku)
		c.doubt += by
		c.touch()
	}
}
