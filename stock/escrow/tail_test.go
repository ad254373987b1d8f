package escrow

import (
	"math"
	"testing"

	"holdfast.dev/stock"
)

// exactly is the chance of n units, from the definition.
func exactly(d NB, n float64) float64 {
	all, _ := math.Lgamma(n + d.Shape)
	ways, _ := math.Lgamma(n + 1)
	none, _ := math.Lgamma(d.Shape)
	return math.Exp(all - ways - none + d.Shape*math.Log(d.Shape/(d.Shape+d.Mean)) +
		n*math.Log(d.Mean/(d.Shape+d.Mean)))
}

// far sums from n until nothing more comes.
func far(d NB, n stock.Units, each func(n float64) float64) float64 {
	sum := 0.0
	for k := float64(n); k < float64(n)+200_000; k++ {
		term := exactly(d, k) * each(k)
		sum += term
		if k > d.Mean && term < sum*1e-16 {
			break
		}
	}
	return sum
}

func near(got, want, digits float64) bool {
	return math.Abs(got-want) <= digits*math.Max(math.Abs(want), 1e-290)
}

var forecasts = []NB{{2, 0.0003}, {0.05, 0.01}, {0.5, 0.5}, {2, 3}, {2, 40}, {7.5, 16}, {300, 16},
	{1e6, 2.4}, {0.3, 900}, {2, 5000}, {900, 60_000}}

func TestTailsAreThoseOfDirectSummation(t *testing.T) {
	for _, d := range forecasts {
		for _, n := range []stock.Units{1, 2, 3, 5, 24, 64, 65, 200, 3000, 70_000} {
			one := func(float64) float64 { return 1 }
			if got, want := d.Tail(n), far(d, n, one); !near(got, want, 1e-6) {
				t.Errorf("%v: %d units or more: %g, summed %g", d, n, got, want)
			}
			missing := func(k float64) float64 { return k - float64(n) }
			got, want := d.Short(n), far(d, n, missing)
			if math.Abs(got-want) > 1e-6*want+1e-9*d.Mean {
				t.Errorf("%v: short of %d: %g, summed %g", d, n, got, want)
			}
		}
	}
}

func TestTailsTogetherAreThoseOneByOne(t *testing.T) {
	for _, d := range forecasts {
		for _, n := range []int{1, 2, 24, maxStep} {
			var got [maxStep + 2]float64
			d.addTails(got[:n+1], 0.5)
			for k := range n + 1 {
				want := d.Tail(stock.Units(k)) / 2
				if !near(got[k], want, 1e-6) && math.Abs(got[k]-want) > 1e-12 {
					t.Errorf("%v: tail %d of %d: %g, want %g", d, k, n, got[k], want)
				}
			}
		}
	}
}

func TestTailsFallWithUnitsAndRiseWithDemand(t *testing.T) {
	for _, d := range forecasts {
		last := 1.0
		for n := stock.Units(0); n < 100_000; n += 1 + n/3 {
			p := d.Tail(n)
			if p > last+1e-12 || p < 0 || math.IsNaN(p) {
				t.Fatalf("%v: tail of %d is %g after %g", d, n, p, last)
			}
			if more := (NB{d.Shape, d.Mean * 1.1}).Tail(n); more < p*(1-1e-9) {
				t.Errorf("%v: a tenth more demand, tail of %d: %g after %g", d, n, more, p)
			}
			last = p
		}
	}
}

func TestNothingIsAskedForWithoutDemand(t *testing.T) {
	if p := (NB{}).Tail(1); p != 0 {
		t.Errorf("tail %g", p)
	}
	if s := (NB{}).Short(3); s != 0 {
		t.Errorf("short %g", s)
	}
	if s := (NB{2, 5}).Short(-1); s != 6 {
		t.Errorf("short of a debt: %g", s)
	}
}
