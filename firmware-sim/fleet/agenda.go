package fleet

import "time"

// event is something that happens at a moment. Events of the same moment
// happen in the order in which they were planned.
type event struct {
	at   time.Duration
	seq  uint64
	name string // constant text: it goes into the trace
	do   func()
}

// agenda is a heap of events, the next one first.
type agenda struct {
	events []event
	seq    uint64
}

func (a *agenda) before(i, j int) bool {
	x, y := &a.events[i], &a.events[j]
	return x.at < y.at || x.at == y.at && x.seq < y.seq
}

func (a *agenda) add(at time.Duration, name string, do func()) {
	a.seq++
	a.events = append(a.events, event{at: at, seq: a.seq, name: name, do: do})
	for i := len(a.events) - 1; i > 0; {
		parent := (i - 1) / 2
		if !a.before(i, parent) {
			return
		}
		a.events[i], a.events[parent] = a.events[parent], a.events[i]
		i = parent
	}
}

// next removes the first event.
func (a *agenda) next() event {
	first := a.events[0]
	last := len(a.events) - 1
	a.events[0] = a.events[last]
	a.events[last] = event{}
	a.events = a.events[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && a.before(child+1, child) {
			child++
		}
		if !a.before(child, i) {
			return first
		}
		a.events[i], a.events[child] = a.events[child], a.events[i]
		i = child
	}
}
