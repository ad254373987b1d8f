package fleet

import (
	"iter"
	"time"
)

// routine is a person or a call that takes time. It runs in turns with the
// agenda, never beside it: while it does not sleep nothing else happens.
type routine struct {
	w      *World
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	nap    uint64 // numbers the waits, so that a late alarm wakes nobody
	asleep bool
}

// cutOff unwinds a routine whose world has ended.
type cutOff struct{}

// start runs f until it sleeps for the first time.
func (w *World) start(f func(r *routine)) {
	r := &routine{w: w}
	body := func(yield func(struct{}) bool) {
		defer func() {
			if p := recover(); p != nil {
				if _, over := p.(cutOff); !over {
					panic(p)
				}
			}
		}()
		r.yield = yield
		f(r)
	}
	r.resume, r.stop = iter.Pull(iter.Seq[struct{}](body))
	w.routines[r] = struct{}{}
	r.turn()
}

// turn lets the routine go on until it sleeps again or ends.
func (r *routine) turn() {
	before := r.w.running
	r.w.running = r
	_, more := r.resume()
	r.w.running = before
	if !more {
		delete(r.w.routines, r)
	}
}

// sleep lets time pass.
func (r *routine) sleep(d time.Duration) { r.wait(d, nil) }

// wait sleeps until somebody calls the function that arm is given, or for d
// at most. It tells whether it was woken.
func (r *routine) wait(d time.Duration, arm func(wake func())) (woken bool) {
	r.nap++
	nap := r.nap
	rouse := func(by bool) func() {
		return func() {
			if r.asleep && r.nap == nap {
				woken = by
				r.turn()
			}
		}
	}
	if d >= 0 {
		r.w.after(d, "alarm", rouse(false))
	}
	if arm != nil {
		arm(func() { r.w.after(0, "wake", rouse(true)) })
	}
	r.asleep = true
	if !r.yield(struct{}{}) {
		panic(cutOff{})
	}
	r.asleep = false
	return woken
}
