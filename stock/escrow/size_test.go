package escrow

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"holdfast.dev/stock"
)

// one is a split that holds whatever happens.
func one(free stock.Units, shop, web NB) *split {
	s := &split{free: free}
	s.shop[0], s.web[0] = part{shop, 1}, part{web, 1}
	return s
}

func TestTargetIsTheCheapestShare(t *testing.T) {
	tests := []struct {
		shop, web NB
		free      stock.Units
	}{
		{NB{1e6, 16}, NB{1e6, 2.4}, 24},
		{NB{2, 16}, NB{2, 2.4}, 24},
		{NB{2, 0.02}, NB{2, 0.003}, 4},
		{NB{2, 0.002}, NB{2, 0.0003}, 2},
		{NB{2, 5}, NB{2, 5}, 1},
		{NB{2, 400}, NB{0.5, 100}, 64},
		{NB{}, NB{2, 1}, 7},
	}
	c := UsualCosts()
	for _, test := range tests {
		s := one(test.free, test.shop, test.web)
		got, best := s.target(c), math.Inf(1)
		for q := range test.free + 1 {
			best = min(best, s.loss(q, c))
		}
		if loss := s.loss(got, c); loss > best*(1+1e-6)+1e-9 {
			t.Errorf("%v: a share of %d costs %g, the best %g", test, got, loss, best)
		}
	}
}

func TestNobodyGetsUnitsThatNobodyWants(t *testing.T) {
	c := UsualCosts()
	if q := one(9, NB{}, NB{}).target(c); q != 0 {
		t.Errorf("no demand at all: %d", q)
	}
	if q := one(9, NB{2, 3}, NB{}).target(c); q != 0 {
		t.Errorf("no shoppers: %d", q)
	}
	if q := one(9, NB{}, NB{2, 50}).target(c); q != 9 {
		t.Errorf("no customers: %d", q)
	}
	if q := one(0, NB{}, NB{2, 50}).target(c); q != 0 {
		t.Errorf("nothing to give: %d", q)
	}
}

func TestTargetFollowsDemandStockAndCosts(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		shape := func() float64 { return math.Exp(rng.NormFloat64()) }
		mean := func() float64 { return math.Exp(3*rng.NormFloat64() - 1) }
		shop, web, free := NB{shape(), mean()}, NB{shape(), mean()}, stock.Units(rng.IntN(maxStep))
		c := Costs{Store: 1 + rng.Uint32N(3000), Online: 1 + rng.Uint32N(3000)}
		at := func(shop, web NB, free stock.Units, c Costs) stock.Units {
			return one(free, shop, web).target(c)
		}
		more := func(d NB) NB { return NB{d.Shape, d.Mean * (1 + rng.Float64())} }
		q := at(shop, web, free, c)
		for name, bad := range map[string]bool{
			"more online demand":    at(shop, more(web), free, c) < q,
			"more store demand":     at(more(shop), web, free, c) > q,
			"one more unit, online": at(shop, web, free+1, c) < q,
			"one more unit, store":  at(shop, web, free+1, c) > q+1,
			"dearer shoppers":       at(shop, web, free, Costs{Store: c.Store, Online: 2 * c.Online}) < q,
			"dearer customers":      at(shop, web, free, Costs{Store: 2 * c.Store, Online: c.Online}) > q,
			"bounds":                q < 0 || q > free,
		} {
			if bad {
				t.Fatalf("%s: %v %v, %d free, %v: %d", name, shop, web, free, c, q)
			}
		}
	}
}

func TestOfManyUnitsTheBestShareIsFound(t *testing.T) {
	c := UsualCosts()
	for _, free := range []stock.Units{65, 127, 128, 1000, 25_000} {
		for _, web := range []float64{0.01, 0.1, 0.5} {
			s := one(free, NB{2, float64(free) / 3}, NB{2, web * float64(free)})
			got := s.target(c)
			for _, q := range []stock.Units{got - 1, got + 1} {
				if q >= 0 && q <= free && s.loss(q, c) < s.loss(got, c)*(1-1e-9) {
					t.Errorf("%d free, web %g: %d costs %g, %d costs %g", free, web,
						got, s.loss(got, c), q, s.loss(q, c))
				}
			}
		}
	}
}

// seen is a demand of some units a day on both sides.
func seen(z *Sizer, shop, web float64) Demand {
	d := Demand{At: monday + 12*hour, ShopHas: true, WebHas: true}
	d.Shop = Rate{Units: int64(shop * 50 * milli), Time: z.Shop.Hours.Between(monday, monday+50*day)}
	d.Web = Rate{Units: int64(web * 50 * milli), Time: 50 * day}
	return d
}

func TestMoreShoppersSeenNeverLowerTheTarget(t *testing.T) {
	z := seller()
	for _, shop := range []float64{0, 0.1, 2, 20} {
		for _, web := range []float64{0, 0.05, 1, 8} {
			d, last := seen(z, shop, web), stock.Units(0)
			for n := range stock.Units(30) {
				after := z.Observe(d, Seen{At: d.At, Web: n, ShopHas: true, WebHas: true})
				q := z.Target(after, after.At, 20)
				if q < last {
					t.Errorf("shop %g, web %g: %d today, target %d after %d", shop, web, n, q, last)
				}
				last = q
			}
		}
	}
}

func TestAfterClosingTheCloudGetsMore(t *testing.T) {
	z := seller()
	d := seen(z, 10, 2)
	noon, night := z.Target(d, monday+12*hour, 8), z.Target(d, monday+22*hour, 8)
	if night <= noon {
		t.Errorf("target %d at noon, %d at night", noon, night)
	}
}

func TestLongerCutsSeenShiftTheSplit(t *testing.T) {
	z := seller()
	d := seen(z, 10, 2)
	before := z.ahead(d, d.At, 20)
	for range 20 {
		z.Cuts.Add(3 * day)
	}
	after := z.ahead(d, d.At, 20)
	if after.web[0].Mean < 10*before.web[0].Mean || after.shop[0].Mean < 10*before.shop[0].Mean {
		t.Errorf("three days instead of an hour: %v after %v", after.web[0], before.web[0])
	}
}

func TestMovesConvergeAndRest(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	z := seller()
	for range 3000 {
		d := seen(z, math.Exp(2*rng.NormFloat64()), math.Exp(2*rng.NormFloat64()))
		s := Shares{stock.Units(rng.IntN(60) - 5), stock.Units(rng.IntN(30)), stock.Units(rng.IntN(3))}
		n := z.Move(d, d.At, s)
		if n > max(0, s.Sellable-s.Baskets) || -n > s.Online {
			t.Fatalf("%+v: move %d", s, n)
		}
		d.Moved = d.At
		s.Sellable, s.Online = s.Sellable-n, s.Online+n
		if again := z.Move(d, d.At+restTime, s); n != 0 && again != 0 && d.At+restTime < d.At+hour {
			if best := z.Target(d, d.At, max(0, s.Sellable-s.Baskets)+s.Online); best == s.Online {
				t.Fatalf("%+v: moved %d, and %d more", s, n, again)
			}
		}
	}
}

func TestMoveIsWorthARecord(t *testing.T) {
	z := seller()
	d := seen(z, 10, 4)
	full := Shares{Sellable: 20}
	n := z.Move(d, d.At, full)
	if n != z.Target(d, d.At, 20) || n == 0 {
		t.Fatalf("the first move is %d", n)
	}
	near := Shares{Sellable: 20 - n, Online: n}
	if again := z.Move(d, d.At, near); again != 0 {
		t.Errorf("at the target: %d more", again)
	}
	slow := seen(z, 0.001, 0.0001)
	if n := z.Move(slow, slow.At, Shares{Sellable: 2}); n != 0 {
		t.Errorf("a product that hardly sells moves %d", n)
	}
}

func TestMovesRestUnlessTheyAreUrgent(t *testing.T) {
	z := seller()
	full := Shares{Sellable: 20}
	for _, test := range []struct {
		name  string
		web   float64 // shoppers a day
		moved int64   // before now
		moves bool
	}{
		{"never moved", 0.3, monday, true},
		{"a minute ago", 0.3, restTime, true},
		{"half a minute ago", 0.3, restTime / 2, false},
		{"half a minute ago, and a shopper is likely at once", 30, restTime / 2, true},
		{"in the future, before the clock was set back", 0.3, -hour, true},
	} {
		d := seen(z, 10, test.web)
		d.Moved = d.At - test.moved
		if n := z.Move(d, d.At, full); (n != 0) != test.moves {
			t.Errorf("%s: move %d", test.name, n)
		}
	}
}

func TestForecastsReachAnHourAheadAndToTheTill(t *testing.T) {
	z := NewSizer()
	for range maxCuts {
		z.Cuts.Add(minute)
	}
	d := seen(z, 10, 2)
	s := z.ahead(d, d.At, 20)
	if want := z.web(d, d.At, d.At+hour); s.web[0].NB != want {
		t.Errorf("shoppers %v, want %v of an hour", s.web[0].NB, want)
	}
	if want := z.shop(d, d.At, d.At+hour+20*minute); s.shop[0].NB != want {
		t.Errorf("customers %v, want %v of 80 minutes", s.shop[0].NB, want)
	}
}

func TestUnitsInCustomersHandsAreNotGranted(t *testing.T) {
	z := seller()
	busy, quiet := seen(z, 200, 1), seen(z, 1, 1)
	if n := z.Floor(busy, busy.At, 50); n < 2 || n > 20 {
		t.Errorf("200 customers a day: floor %d", n)
	}
	if n := z.Floor(quiet, quiet.At, 50); n != 0 {
		t.Errorf("one customer a day: floor %d", n)
	}
	if n := z.Floor(busy, busy.At, 1); n != 1 {
		t.Errorf("floor %d of one unit", n)
	}
}

func TestShrinkKeepsUnitsInTheStore(t *testing.T) {
	z := seller()
	d := seen(z, 2, 2)
	sure := z.Target(d, d.At, 10)
	z.Shrink = 200
	if got := z.Target(d, d.At, 10); got >= sure {
		t.Errorf("a fifth may be gone: target %d, else %d", got, sure)
	}
}

func TestRiskOfALoan(t *testing.T) {
	z := seller()
	d := seen(z, 10, 4)
	last := uint32(0)
	for lent := stock.Units(0); lent <= 7; lent++ {
		risk := z.Risk(d, d.At, Loan{Contact: d.At - hour, Online: 6, Lent: lent})
		if risk < last || lent == 0 && risk != 0 || lent == 7 && risk != 1000 {
			t.Errorf("%d of 6 lent: %d after %d", lent, risk, last)
		}
		last = risk
	}
	last = 0
	for elapsed := int64(0); elapsed < 20*hour; elapsed += hour / 2 {
		risk := z.Risk(d, d.At, Loan{Contact: d.At - elapsed, Online: 3, Lent: 1})
		if risk < last {
			t.Errorf("%d min after contact: %d after %d", elapsed/minute, risk, last)
		}
		last = risk
	}
	var sum float64 // from the definition: three or more shoppers for three units
	contact := d.At - hour
	one := func(float64) float64 { return 1 }
	for i, left := range z.Cuts.outlook(hour) {
		sum += outlook[i].weight * far(z.web(d, contact, d.At+left), 3, one)
	}
	risk := z.Risk(d, d.At, Loan{Contact: contact, Online: 3, Lent: 1})
	if want := uint32(math.Ceil(1000 * sum)); risk != want {
		t.Errorf("risk %d, summed %d", risk, want)
	}
	for risk, want := range map[uint32]bool{0: true, 299: true, 300: false, 1000: false} {
		if UsualCosts().Lend(risk) != want {
			t.Errorf("lend at %d: %v", risk, !want)
		}
	}
}

func TestPaceBoundsMoves(t *testing.T) {
	var p Pace
	made := 0
	for i := range int64(1000) {
		if p.Take(10*second + i) {
			made++
		}
	}
	if made != MovesPerSecond || !p.Take(11*second) || !p.Take(9*second) {
		t.Errorf("%d moves in a second", made)
	}
}

func BenchmarkRules(b *testing.B) {
	z := seller()
	for range 30 {
		z.Cuts.Add(hour)
	}
	d := seen(z, 10, 2)
	for _, free := range []stock.Units{2, 24, 64, 25_000} {
		b.Run(fmt.Sprintf("move/%d", free), func(b *testing.B) {
			for b.Loop() {
				z.Move(d, d.At, Shares{Sellable: free - 1, Online: 1})
			}
		})
	}
	b.Run("risk", func(b *testing.B) {
		for b.Loop() {
			z.Risk(d, d.At, Loan{Contact: d.At - hour, Online: 6, Lent: 2})
		}
	})
	b.Run("observe", func(b *testing.B) {
		for b.Loop() {
			z.Observe(d, Seen{At: d.At + minute, Shop: 1, ShopHas: true, WebHas: true})
		}
	})
}
