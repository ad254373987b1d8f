package ledger

import (
	"math/rand/v2"
	"testing"

	"holdfast.dev/stock"
)

func TestPostRefusesWhatBreaksARule(t *testing.T) {
	var b Balances
	b[Sellable], b[Supplier] = 2, -2
	tests := []struct {
		name string
		m    Movement
		want stock.Code // 0: allowed
	}{
		{"sale", Movement{From: Sellable, To: Sold, Units: 2}, 0},
		{"more than there is", Movement{From: Sellable, To: Sold, Units: 3}, stock.Short},
		{"debt that a person decided", Movement{From: Sellable, To: Sold, Units: 3, Debt: true}, 0},
		{"debt of another account", Movement{From: Online, To: Sold, Units: 1, Debt: true}, stock.Short},
		{"from a source", Movement{From: Supplier, To: Sellable, Units: 9}, 0},
		{"to itself", Movement{From: Sellable, To: Sellable, Units: 1}, stock.BadAccount},
		{"from nowhere", Movement{To: Sellable, Units: 1}, stock.BadAccount},
		{"beyond the accounts", Movement{From: Account(NumAccounts), To: Sold, Units: 1}, stock.BadAccount},
		{"nothing", Movement{From: Sellable, To: Sold}, stock.BadUnits},
		{"backwards", Movement{From: Sold, To: Sellable, Units: -1}, stock.BadUnits},
		{"too much", Movement{From: Supplier, To: Sellable, Units: MaxUnits + 1}, stock.BadUnits},
	}
	for _, test := range tests {
		got, err := Post(b, test.m)
		r, _ := stock.AsRefusal(err)
		switch {
		case test.want == 0 && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != 0 && (r == nil || r.Code != test.want || got != b):
			t.Errorf("%s: %v, balances changed: %v; want %v", test.name, err, got != b, test.want)
		}
	}
}

func TestUnitsAreNeverMadeOrLost(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var b Balances
	for range 20_000 {
		m := Movement{From: Account(rng.IntN(NumAccounts + 1)), To: Account(rng.IntN(NumAccounts + 1)),
			Units: stock.Units(rng.IntN(9) - 2), Debt: rng.IntN(10) == 0}
		next, err := Post(b, m)
		if err != nil {
			next = b
		}
		b = next
		if b.Sum() != 0 {
			t.Fatalf("after %+v the accounts sum to %d", m, b.Sum())
		}
		for a := Online; a <= InTransfer; a++ {
			if b[a] < 0 {
				t.Fatalf("after %+v %s is %d", m, a, b[a])
			}
		}
	}
	if b.OnHand() == 0 {
		t.Error("the walk went nowhere")
	}
}
