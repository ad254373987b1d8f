package escrow

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock"
)

// monday is a Monday at midnight.
const monday = 20_000*day + 4*day

// open is a week in which customers come from nine to nine.
func open() Week {
	var w Week
	for d := range int64(7) {
		for h := int64(9); h < 21; h++ {
			w.Add(monday+d*day+h*hour, 100)
		}
	}
	return w
}

func TestHoursStretchWhenTheStoreIsBusy(t *testing.T) {
	h := open().Hours()
	noon := monday + 12*hour
	if got := h.Between(noon, noon+hour); got < 18*hour/10 || got > 2*hour {
		t.Errorf("an open hour is %d ms, want about two hours", got)
	}
	if got := h.Between(monday, monday+9*hour); got > hour/4 {
		t.Errorf("a closed night is %d ms", got)
	}
	for _, from := range []int64{noon, noon + 7*minute, monday - 3*day} {
		if got := h.Between(from, from+3*week); got != 3*week {
			t.Errorf("three weeks are %d ms", got)
		}
		at := from + 5*hour + 11*minute
		if a, b := h.Between(from, at), h.Between(at, from+2*day); a+b != h.Between(from, from+2*day) {
			t.Errorf("%d and %d are not %d", a, b, h.Between(from, from+2*day))
		}
	}
	if got := (Week{}).Hours().Between(noon, noon+90*minute); got < 89*minute || got > 91*minute {
		t.Errorf("nothing learned: an hour and a half is %d ms", got)
	}
	if h.Between(noon, noon-1) != 0 {
		t.Error("time runs backwards")
	}
}

func TestWeekForgetsSlowly(t *testing.T) {
	w := Week{}
	w.Add(monday, 100)
	w.Add(monday+35*day, 0)
	if got := float64(w.Units[hourOf(monday)]) / milli; math.Abs(got-100*math.Pow(0.98, 35)) > 0.1 {
		t.Errorf("100 units after 35 days count for %.2f", got)
	}
	w.Add(monday+900*day, 0)
	if w.Units[hourOf(monday)] != 0 {
		t.Error("nothing is forgotten")
	}
}

// seller is a sizer of a store that was observed for a while.
func seller() *Sizer {
	z := NewSizer()
	z.Shop.Hours = open().Hours()
	return z
}

// watch feeds z with Poisson demand for some days and returns what it learned.
func watch(z *Sizer, days int64, perDay float64, has func(at int64) bool) Demand {
	rng := rand.New(rand.NewPCG(1, 2))
	d, at, end := Demand{}, monday, monday+days*day
	d = z.Observe(d, Seen{At: at, ShopHas: true, WebHas: true})
	for {
		at += int64(rng.ExpFloat64() / perDay * float64(day))
		if at >= end {
			return z.Observe(d, Seen{At: end, ShopHas: true, WebHas: true})
		}
		s := Seen{At: at, ShopHas: has(at), WebHas: true}
		if d.WebHas {
			s.Web = 1
		}
		if d.ShopHas {
			s.Shop = 1
		}
		d = z.Observe(d, s)
	}
}

func always(int64) bool { return true }

func TestRatesAreLearned(t *testing.T) {
	z := NewSizer()
	for _, perDay := range []float64{0.1, 1, 10} {
		d := watch(z, 200, perDay, always)
		for name, got := range map[string]NB{
			"shop": z.shop(d, d.At, d.At+day), "web": z.web(d, d.At, d.At+day)} {
			if math.Abs(got.Mean/perDay-1) > 3/math.Sqrt(40*perDay) {
				t.Errorf("%s: %g a day are forecast as %g", name, perDay, got.Mean)
			}
		}
	}
}

func TestTimeWithoutStockIsNotTimeWithoutDemand(t *testing.T) {
	z := NewSizer()
	empty := func(at int64) bool { return at%(4*day) < day } // three days of four
	d := watch(z, 200, 8, empty)
	got := z.shop(d, d.At, d.At+day).Mean
	if got < 6 || got > 10 {
		t.Errorf("8 a day, seen on one day of four, are forecast as %g", got)
	}
	if d.Shop.Time*2 > d.Web.Time {
		t.Errorf("time with stock %d, of %d", d.Shop.Time, d.Web.Time)
	}
}

func TestObservingIsTheSameInOneStepOrMany(t *testing.T) {
	z := seller()
	start := z.Observe(Demand{}, Seen{At: monday, ShopHas: true, WebHas: true})
	one := z.Observe(start, Seen{At: monday + 20*day + hour, Shop: 3})
	many := start
	for at := monday + hour; at <= monday+20*day; at += hour {
		many = z.Observe(many, Seen{At: at, ShopHas: true, WebHas: true})
	}
	many = z.Observe(many, Seen{At: monday + 20*day + hour, Shop: 3})
	if diff := cmp.Diff(one, many); diff != "" {
		t.Error(diff)
	}
}

func TestClockThatIsSetBackOrFarAheadLosesLittle(t *testing.T) {
	z := NewSizer()
	d := watch(z, 100, 5, always)
	back := z.Observe(d, Seen{At: d.At - 3*day, Shop: 1, ShopHas: true, WebHas: true})
	if back.Shop.Units != d.Shop.Units || back.At != d.At-3*day {
		t.Errorf("set back: %+v", back)
	}
	ahead := z.Observe(d, Seen{At: d.At + 10_000*day, ShopHas: true, WebHas: true})
	if ahead.Shop != (Rate{}) {
		t.Errorf("after 10,000 days: %+v", ahead)
	}
}

func TestTodayMayBeUnlikeOtherDays(t *testing.T) {
	z := NewSizer()
	quiet := watch(z, 100, 5, always)
	busy := z.Observe(quiet, Seen{At: quiet.At + hour, Web: 20, ShopHas: true, WebHas: true})
	before, after := z.web(quiet, quiet.At, quiet.At+hour), z.web(busy, busy.At, busy.At+hour)
	if after.Mean < 5*before.Mean {
		t.Errorf("20 in an hour instead of a fifth: %g after %g", after.Mean, before.Mean)
	}
	next := z.Observe(busy, Seen{At: busy.At + day, ShopHas: true, WebHas: true})
	if got := z.web(next, next.At, next.At+hour).Mean; got > 2*before.Mean {
		t.Errorf("the day after: %g, before %g", got, before.Mean)
	}
}

func TestPriorIsThatOfTheCategory(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, weight := range []float64{0.2, 1, 4} {
		const perDay, days = 0.05, 50
		var rates []Rate
		for range 4000 {
			own, n := perDay*gammaOf(rng, weight)/weight, 0
			for t := rng.ExpFloat64() / own; t < days; t += rng.ExpFloat64() / own {
				n++
			}
			rates = append(rates, Rate{Units: int64(n) * milli, Time: days * day})
		}
		p := PriorOf(rates)
		mean := float64(p.Units) / milli / float64(p.Time) * float64(day)
		if math.Abs(mean/perDay-1) > 0.15 {
			t.Errorf("weight %g: mean %g a day", weight, mean)
		}
		if got := float64(p.Units) / milli; got < weight*0.6 || got > weight*1.7 {
			t.Errorf("weight %g is found as %g", weight, got)
		}
	}
	if diff := cmp.Diff(UsualPrior(), PriorOf(nil)); diff != "" {
		t.Error(diff)
	}
}

// gammaOf draws from a gamma distribution, for shapes below one as well.
func gammaOf(rng *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gammaOf(rng, shape+1) * math.Pow(rng.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	for {
		x := rng.NormFloat64()
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(rng.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return max(d*v, 1e-9)
		}
	}
}

func TestCutsGoOnAsTheyDid(t *testing.T) {
	var unseen Cuts
	if got := unseen.Left(0, 500); got < 15*minute || got > 30*minute {
		t.Errorf("the median of a line that nobody knows: %d min", got/minute)
	}
	if got := unseen.Left(0, 950); got < 4*hour || got > 7*hour {
		t.Errorf("one of twenty: %d min", got/minute)
	}
	if got := unseen.Left(10*hour, 800); got != 10*hour {
		t.Errorf("what nobody has seen lasts as long again: %d min", got/minute)
	}
	if got := unseen.Left(2*hour, 0); got != 2*hour {
		t.Errorf("after two hours, as long again at least: %d min", got/minute)
	}
	var long Cuts
	for range maxCuts + 10 {
		long.Add(8 * hour)
	}
	if len(long.Lengths) != maxCuts {
		t.Errorf("%d cuts are kept", len(long.Lengths))
	}
	for _, elapsed := range []int64{0, hour, 7 * hour} {
		if got := long.Left(elapsed, 800); got != 8*hour-elapsed {
			t.Errorf("after %d h: %d min more", elapsed/hour, got/minute)
		}
	}
	for _, permille := range []int{0, 1000, 5000} {
		if got := long.Left(hour, permille); got <= 0 {
			t.Errorf("part %d: %d", permille, got)
		}
	}
}

func TestStoredFormsAreReadBack(t *testing.T) {
	z := NewSizer()
	d := watch(z, 30, 5, always)
	d.Moved, d.WebHas = monday, false
	stored := d.Append(nil)
	if len(stored) > 60 {
		t.Errorf("a demand takes %d bytes", len(stored))
	}
	if got, err := ParseDemand(stored); err != nil || got != d {
		t.Errorf("%+v %v, want %+v", got, err, d)
	}
	w := open()
	if got, err := ParseWeek(w.Append(nil)); err != nil || got != w {
		t.Errorf("week: %v", err)
	}
	c := Cuts{Lengths: []int64{minute, hour}}
	got, err := ParseCuts(c.Append(nil))
	if diff := cmp.Diff(c, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func FuzzStoredForms(f *testing.F) {
	w := open()
	f.Add(Demand{At: 1, WebHas: true}.Append(nil))
	f.Add(w.Append(nil))
	f.Add(Cuts{Lengths: []int64{minute}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		z := NewSizer()
		if w, err := ParseWeek(b); err == nil {
			z.Web.Hours = w.Hours()
		}
		if c, err := ParseCuts(b); err == nil {
			z.Cuts = c
		}
		if d, err := ParseDemand(b); err == nil {
			d = z.Observe(d, Seen{At: d.At, Web: 1, Shop: stock.Units(len(b))})
			if q := z.Target(d, d.At, 9); q < 0 || q > 9 {
				t.Errorf("target %d of %+v", q, d)
			}
		}
	})
}
