package reservation

import (
	"math/rand/v2"
	"testing"

	"holdfast.dev/stock"
)

func TestStepsMoveUnitsOrRefuse(t *testing.T) {
	type do struct {
		step Step
		n    stock.Units
		want stock.Code
	}
	tests := []struct {
		name  string
		steps []do
		state State
	}{
		{"fresh", nil, New},
		{"pick, stage, collect", []do{{Pick, 3, 0}, {Stage, 3, 0}, {Collect, 3, 0}}, AllCollected},
		{"collect from the shelf", []do{{Collect, 3, 0}}, AllCollected},
		{"half picked", []do{{Pick, 1, 0}, {Pick, 3, stock.LineComplete}}, Picking},
		{"all picked", []do{{Pick, 3, 0}}, AllPicked},
		{"staged is ready", []do{{Pick, 3, 0}, {Stage, 3, 0}}, Ready},
		{"stage what is not picked", []do{{Stage, 1, stock.LineComplete}}, New},
		{"undo", []do{{Pick, 2, 0}, {Unpick, 2, 0}}, New},
		{"cancelled", []do{{Pick, 2, 0}, {Release, 3, 0}, {Collect, 1, stock.LineComplete}}, AllReleased},
		{"not found", []do{{RunShort, 3, 0}}, AllShort},
		{"given away only from the shelf", []do{{Pick, 3, 0}, {GiveAway, 1, stock.LineComplete}}, AllPicked},
		{"in two ways", []do{{Collect, 1, 0}, {Release, 2, 0}}, Mixed},
		{"nothing", []do{{Pick, 0, stock.BadUnits}}, New},
		{"no such step", []do{{Step(99), 1, stock.WrongState}}, New},
	}
	for _, test := range tests {
		l := NewLine(1, 1, 3)
		for _, d := range test.steps {
			next, moves, err := l.Do(d.step, d.n)
			r, _ := stock.AsRefusal(err)
			if d.want == 0 && err != nil || d.want != 0 && (r == nil || r.Code != d.want) {
				t.Errorf("%s: step %d: %v", test.name, d.step, err)
			}
			if err != nil && len(moves) > 0 {
				t.Errorf("%s: a refused step moved units", test.name)
			}
			if err == nil {
				l = next
			}
		}
		if got := StateOf([]Line{l}); got != test.state {
			t.Errorf("%s: %s, want %s", test.name, got, test.state)
		}
	}
}

func TestLineKeepsItsUnitsAndItsEnd(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		l := NewLine(1, 1, stock.Units(1+rng.IntN(5)))
		for range 20 {
			before := l
			next, _, err := l.Do(Step(1+rng.IntN(int(GiveAway))), stock.Units(1+rng.IntN(5)))
			if err == nil {
				l = next
			}
			sum := l.Open() + l.At(Collected) + l.At(Released) + l.At(Short)
			if sum != l.Quantity {
				t.Fatalf("units: %+v", l)
			}
			if StateOf([]Line{before}).Final() && l != before {
				t.Fatalf("an ended line changed: %+v", l)
			}
		}
	}
}

func TestHoldEndsOnce(t *testing.T) {
	for _, end := range []HoldStep{Confirm, Free, Expire} {
		s, err := NextHold(Held, end)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NextHold(s, Confirm); !stock.Refused(err, stock.HoldExpired) {
			t.Errorf("after step %d: %v", end, err)
		}
	}
}
