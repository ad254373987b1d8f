package escrow

import (
	"math/rand/v2"
	"testing"

	"holdfast.dev/stock"
)

func TestCountersRiseOnlyAndInStep(t *testing.T) {
	r := Rights{Timeline: 1}
	r, err := r.Grant(5, 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Grant(5, 5); !stock.Refused(err, stock.BadUnits) {
		t.Errorf("the same grant again: %v", err)
	}
	if r, err = r.Assign(3); err != nil || r.Online() != 2 {
		t.Errorf("assign: %v, online %d", err, r.Online())
	}
	if _, err := r.Assign(3); !stock.Refused(err, stock.Short) {
		t.Errorf("assign more than online: %v", err)
	}
	if _, err := r.Return(3, 3); !stock.Refused(err, stock.BadUnits) {
		t.Errorf("return what is assigned: %v", err)
	}
	if r, err = r.Return(2, 2); err != nil || r.Online() != 0 {
		t.Errorf("return: %v, online %d", err, r.Online())
	}
}

func TestPoolIsNeverPromisedTwice(t *testing.T) {
	p := Pool{Granted: 3}
	p, err := p.Hold(2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Hold(2); !stock.Refused(err, stock.Short) {
		t.Errorf("hold beyond the pool: %v", err)
	}
	if p, err = p.Confirm(2); err != nil || p.Assigned != 2 || p.Held != 0 || p.Free() != 1 {
		t.Errorf("confirm: %+v %v", p, err)
	}
	if _, err := p.Release(1); !stock.Refused(err, stock.BadUnits) {
		t.Errorf("release what is not held: %v", err)
	}
}

func TestTargetsAreAbsolute(t *testing.T) {
	tests := []struct {
		name string
		got  stock.Units
		want stock.Units
	}{
		{"return up to", Pool{Granted: 9, Returned: 2}.ReturnUpTo(5), 3},
		{"return the pool at most", Pool{Granted: 3, Returned: 2}.ReturnUpTo(9), 1},
		{"a late duplicate returns nothing", Pool{Granted: 9, Returned: 6}.ReturnUpTo(5), 0},
		{"grant up to", GrantUpTo(9, 0, Rights{Granted: 2}, 5), 3},
		{"grant the shelf at most", GrantUpTo(2, 0, Rights{}, 5), 2},
		{"grant above the floor", GrantUpTo(4, 3, Rights{}, 5), 1},
		{"grant nothing in debt", GrantUpTo(-1, 0, Rights{}, 5), 0},
		{"a late duplicate grants nothing", GrantUpTo(9, 0, Rights{Granted: 7}, 5), 0},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: %d, want %d", test.name, test.got, test.want)
		}
	}
}

func TestUnaskedGrantsConvergeAndNeverExceedTheShelf(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		sellable, online := stock.Units(rng.IntN(60)-5), stock.Units(rng.IntN(40))
		permille := uint32(rng.IntN(1001))
		n := Unasked(sellable, online, permille)
		if n < 0 || n > max(0, sellable) {
			t.Fatalf("Unasked(%d, %d, %d) = %d", sellable, online, permille, n)
		}
		if again := Unasked(sellable-n, online+n, permille); again != 0 {
			t.Fatalf("Unasked(%d, %d, %d): %d more after %d", sellable, online, permille, again, n)
		}
	}
	if n := Unasked(10, 0, 0); n != 5 {
		t.Errorf("the standard share of ten: %d", n)
	}
}
