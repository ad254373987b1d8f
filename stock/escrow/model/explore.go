package model

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Bounds end a walk that would take too long. Zero means no bound.
type Bounds struct {
	States int
	Depth  int
}

// Report is what a walk found.
type Report struct {
	States      int
	Transitions int
	Depth       int  // of the last level that was walked
	Exhausted   bool // there is no state that was not seen
	Wrong       string
	Trace       []string // the shortest way to what is wrong
}

// String says the figures in a line.
func (r Report) String() string {
	end := "stopped"
	if r.Exhausted {
		end = "exhausted"
	}
	if r.Wrong != "" {
		end = "wrong: " + r.Wrong
	}
	return fmt.Sprintf("%d states, %d transitions, depth %d, %s", r.States, r.Transitions, r.Depth,
		end)
}

// move is one thing that happens; in one state, a move leads to one state.
type move struct {
	what what
	r, n int8
}

// graph is a set of states with the moves between them.
type graph[S any] struct {
	first S
	// next calls found for each move out of s. What is passed as to is used
	// again after found returns.
	next func(s *S, found func(m move, to *S, wrong string))
	key  func(s *S, k []byte) []byte
	say  func(m move, to *S) string
}

// walk visits a graph level by level, so that the first wrong state is one of
// the nearest. States are told apart by a hash of 128 bits.
type walk[S any] struct {
	graph[S]
	seen    table
	parents []uint32
	moves   []move
	here    []S // the level that is being walked
	there   []S
	k       []byte
	report  Report
	bounds  Bounds
	from    uint32
	stop    bool
}

func explore[S any](g graph[S], b Bounds) Report {
	w := &walk[S]{graph: g, bounds: b}
	w.seen.init()
	w.k = g.key(&g.first, w.k[:0])
	w.seen.add(hash(w.k))
	w.parents, w.moves = append(w.parents, 0), append(w.moves, move{})
	w.here = append(w.here, g.first)
	level := uint32(0) // number of the first state of the level
	for len(w.here) > 0 && !w.stop {
		if b.Depth > 0 && w.report.Depth == b.Depth {
			break
		}
		first := uint32(len(w.parents))
		for i := range w.here {
			w.from = level + uint32(i)
			w.next(&w.here[i], w.found)
			if w.stop {
				break
			}
		}
		level = first
		w.here, w.there = w.there, w.here[:0]
		w.report.Depth++
	}
	w.report.States = len(w.parents)
	w.report.Exhausted = len(w.here) == 0 && !w.stop
	return w.report
}

func (w *walk[S]) found(m move, to *S, wrong string) {
	if w.stop {
		return
	}
	w.report.Transitions++
	if wrong != "" {
		w.report.Wrong, w.report.Trace, w.stop = wrong, w.trace(m), true
		return
	}
	w.k = w.key(to, w.k[:0])
	if !w.seen.add(hash(w.k)) {
		return
	}
	w.parents, w.moves = append(w.parents, w.from), append(w.moves, m)
	w.there = append(w.there, *to)
	w.stop = w.bounds.States > 0 && len(w.parents) >= w.bounds.States
}

// trace walks the way from the first state again and says each move.
func (w *walk[S]) trace(last move) []string {
	way := []move{last}
	for n := w.from; n != 0; n = w.parents[n] {
		way = append(way, w.moves[n])
	}
	s := w.first
	var lines []string
	for i := len(way) - 1; i >= 0; i-- {
		m, next := way[i], s
		w.next(&s, func(n move, to *S, _ string) {
			if n == m {
				next = *to
			}
		})
		s = next
		lines = append(lines, fmt.Sprintf("%2d  %s", len(way)-i, w.say(m, &s)))
	}
	return lines
}

// table is a set of hashes, open addressed.
type table struct {
	slots [][2]uint64 // zeros: free
	count int
}

func (t *table) init() { t.slots = make([][2]uint64, 1<<16) }

// add tells whether h is new.
func (t *table) add(h [2]uint64) bool {
	if 2*t.count >= len(t.slots) {
		t.grow()
	}
	if !t.put(h) {
		return false
	}
	t.count++
	return true
}

func (t *table) put(h [2]uint64) bool {
	mask := uint64(len(t.slots) - 1)
	for i := h[0] & mask; ; i = (i + 1) & mask {
		switch t.slots[i] {
		case h:
			return false
		case [2]uint64{}:
			t.slots[i] = h
			return true
		}
	}
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([][2]uint64, 2*len(old))
	for _, h := range old {
		if h != [2]uint64{} {
			t.put(h)
		}
	}
}

// hash folds k into 128 bits by two chains of multiplications.
func hash(k []byte) [2]uint64 {
	a, b := uint64(0x9e3779b97f4a7c15), uint64(len(k))^0xc2b2ae3d27d4eb4f
	var tail [8]byte
	for len(k) > 0 {
		if len(k) < 8 {
			copy(tail[:], k)
			k = tail[:]
		}
		v := binary.LittleEndian.Uint64(k)
		k = k[8:]
		a, b = fold(a^v, 0xa0761d6478bd642f)^b, fold(b^v, 0xe7037ed1a0b428db)+a
	}
	return [2]uint64{fold(a, 0x8ebc6af09c88c6e3) ^ b, fold(b, 0x589965cc75374cc3)}
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
