package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// grid is a square of states: a move goes right or up, and (3, 2) is wrong.
func grid(wrong bool) graph[[2]uint8] {
	const side = 256
	return graph[[2]uint8]{
		next: func(s *[2]uint8, found func(m move, to *[2]uint8, wrong string)) {
			for i := range s {
				to := *s
				to[i]++
				text := ""
				if wrong && to == [2]uint8{3, 2} {
					text = "here"
				}
				if int(s[i])+1 < side {
					found(move{what: what(i)}, &to, text)
				}
			}
		},
		key: func(s *[2]uint8, k []byte) []byte { return append(k, s[0], s[1]) },
		say: func(m move, _ *[2]uint8) string { return []string{"right", "up"}[m.what] },
	}
}

func TestAWalkSeesEveryStateOnce(t *testing.T) {
	r := explore(grid(false), Bounds{})
	want := Report{States: 256 * 256, Transitions: 2 * 255 * 256, Depth: 511, Exhausted: true}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

func TestAWalkTellsTheShortestWay(t *testing.T) {
	r := explore(grid(true), Bounds{})
	want := []string{" 1  right", " 2  right", " 3  right", " 4  up", " 5  up"}
	if diff := cmp.Diff(want, r.Trace); diff != "" || r.Wrong != "here" || r.Exhausted {
		t.Errorf("%v %s", r, diff)
	}
}

func TestAWalkEndsAtItsBounds(t *testing.T) {
	if r := explore(grid(false), Bounds{States: 1000}); r.Exhausted || r.States != 1000 {
		t.Errorf("states: %v", r)
	}
	if r := explore(grid(false), Bounds{Depth: 7}); r.Exhausted || r.Depth != 7 || r.States != 36 {
		t.Errorf("depth: %v", r)
	}
}
