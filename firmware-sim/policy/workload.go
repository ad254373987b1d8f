package policy

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Times are the store's wall clock in milliseconds; the first day is a Monday.
const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour

	firstDay  = 4
	learnDays = 56 // in which the store learns before the cut
	deliverAt = 6 * hour
	openAt    = 9
	closeAt   = 21
	pastCuts  = 12
)

// class is a group of products that sell alike: their part of all, the units
// wanted in an hour, of those that the store is open or of all, and how many
// the full shelf holds.
type class struct {
	part      float64
	shop, web float64
	full      float64
}

var classes = []class{
	{0.01, 2, 0.3, 24}, {0.09, 0.2, 0.03, 8}, {0.30, 0.02, 0.003, 4}, {0.60, 0.002, 0.0003, 2},
}

const (
	popular   = 1   // the last class that a promotion or a flash sale is about
	promoted  = 0.1 // of the products of those classes
	wrongPart = 0.05
	maxVisit  = 12 // units that one visitor takes
	// unlike says how much the products of a class differ in their rates, as the
	// shape of a gamma distribution; variable says the same of the days of one.
	unlike   = 4
	variable = 5
)

// Busyness of the hours of a day and of the days of a week, from Monday.
var (
	shopHours = [24]float64{9: 0.3, 10: 0.45, 11: 0.6, 12: 0.8, 13: 0.7, 14: 0.6, 15: 0.65, 16: 0.8,
		17: 1, 18: 0.9, 19: 0.6, 20: 0.35}
	webHours = [24]float64{0.3, 0.15, 0.08, 0.05, 0.05, 0.08, 0.15, 0.3, 0.4, 0.5, 0.55, 0.55,
		0.6, 0.6, 0.55, 0.5, 0.5, 0.55, 0.6, 0.8, 1, 1, 0.9, 0.6}
	shopDays = [7]float64{0.9, 0.9, 0.95, 1, 1.1, 1.3, 0.7}
	webDays  = [7]float64{1.05, 1, 1, 1, 0.9, 0.9, 1.15}
)

// busyness is how many times the mean of an hour is wanted in one hour.
func busyness(web bool, d int64, h int) float64 {
	hours, days, open := &shopHours, &shopDays, float64(closeAt-openAt)
	if web {
		hours, days, open = &webHours, &webDays, 24
	}
	sum := 0.0
	for _, b := range hours {
		sum += b
	}
	return hours[h] / sum * open * days[(d+3)%7] // 1970 began on a Thursday
}

// workload is one way in which demand comes.
type workload struct {
	name, title string
	// factors says how many times the usual rate a product is wanted on a day,
	// at the shelf and online.
	factors func(m *maker, p int, d int64) (shop, web float64)
	batch   float64 // mean units of one visit
	flash   bool    // a flash sale begins an hour before the cut
	wrong   bool    // the books of some products are wrong
	lean    bool    // the shelf is as the day has left it, not full
}

var workloads = []workload{
	{name: "steady", title: "steady demand", factors: gammaDays, batch: 1},
	{name: "bursty", title: "bursts and pauses", factors: burstyDays, batch: 1.6},
	{name: "flash", title: "flash sale online", factors: gammaDays, batch: 1, flash: true},
	{name: "promotion", title: "promotion ×5, not foreseen", factors: promotionDays, batch: 1},
	{name: "miscounted", title: "5 % of the records wrong", factors: gammaDays, batch: 1,
		wrong: true},
	{name: "lean", title: "steady demand, lean shelves", factors: gammaDays, batch: 1,
		lean: true},
}

// asked is how many of the workloads the goals are about: lean is an extra.
const asked = 5

// product is what is true of one product; no rule may look at it.
type product struct {
	class     int
	shop, web float64 // units wanted in an hour
	full      int64   // units on a full shelf
}

// want is one unit that somebody wants.
type want struct {
	at      int64
	product int32
	web     bool
}

// world is one store: its products, what is wanted of them from the first day
// to the end of the longest cut, and when that begins.
type world struct {
	products []product
	wants    []want
	cut      int64
	cuts     []int64 // earlier ones: how long they took
	phantom  []int64 // units that the books have and the shelf has not, at the cut
	flashed  []bool  // products of a flash sale
	// rates are the units wanted in a mean hour of the days from the cut on, by
	// side, day and product.
	rates [2][][]float64
}

// maker makes one world.
type maker struct {
	*world
	workload
	r      *rand.Rand
	chosen []bool // by a promotion or a flash sale
	active []bool // bursty products that are in demand these days
}

func makeWorld(w workload, products int, r *rand.Rand) *world {
	m := &maker{world: &world{}, workload: w, r: r}
	for i := range products {
		m.products = append(m.products, m.product(float64(i)/float64(products)))
		m.chosen = append(m.chosen, m.products[i].class <= popular && r.Float64() < promoted)
		m.active = append(m.active, r.IntN(2) == 0)
		m.phantom = append(m.phantom, 0)
		if w.wrong && r.Float64() < wrongPart {
			m.phantom[i] = m.miscount(m.products[i].full)
		}
	}
	m.cut = int64(firstDay+learnDays+r.IntN(7))*day + openAt*hour + r.Int64N((closeAt-openAt)*hour)
	for range pastCuts { // half are over after 20 minutes, one of 20 takes over six hours
		m.cuts = append(m.cuts, int64(20*float64(minute)*math.Exp(1.757*r.NormFloat64())))
	}
	m.demand(m.cut + cutLengths[len(cutLengths)-1])
	return m.world
}

func (m *maker) product(at float64) product {
	c := 0
	for sum := classes[0].part; at >= sum && c < len(classes)-1; sum += classes[c].part {
		c++
	}
	own := gamma(m.r, unlike) / unlike
	full := max(1, int64(math.Round(classes[c].full*own)))
	return product{class: c, shop: classes[c].shop * own, web: classes[c].web * own, full: full}
}

// miscount is how many units fewer than the books say are there; one time in
// five there are more.
func (m *maker) miscount(full int64) int64 {
	n := 1 + m.r.Int64N(max(1, full/4))
	if m.r.IntN(5) == 0 {
		return -n
	}
	return n
}

func gammaDays(m *maker, _ int, _ int64) (shop, web float64) {
	return gamma(m.r, variable) / variable, gamma(m.r, variable) / variable
}

// burstyDays has products that nobody wants for days, and then many do: as
// published daily sales of food look.
func burstyDays(m *maker, p int, _ int64) (shop, web float64) {
	if m.r.IntN(10) == 0 {
		m.active[p] = !m.active[p]
	}
	if !m.active[p] {
		return 0.05, 0.05
	}
	burst := 1.95 * math.Exp(0.6*m.r.NormFloat64()-0.18)
	shop, web = gammaDays(m, p, 0)
	return burst * shop, burst * web
}

func promotionDays(m *maker, p int, d int64) (shop, web float64) {
	shop, web = gammaDays(m, p, d)
	if m.chosen[p] && d >= m.cut/day {
		return 5 * shop, 5 * web
	}
	return shop, web
}

// demand makes what is wanted until end.
func (m *maker) demand(end int64) {
	for d := int64(firstDay); d*day < end; d++ {
		rates := [2][]float64{make([]float64, len(m.products)), make([]float64, len(m.products))}
		for p, product := range m.products {
			shop, web := m.factors(m, p, d)
			rates[0][p], rates[1][p] = shop*product.shop, web*product.web
			m.visits(p, d, rates[0][p], false)
			m.visits(p, d, rates[1][p], true)
		}
		if d >= m.cut/day {
			m.rates[0], m.rates[1] = append(m.rates[0], rates[0]), append(m.rates[1], rates[1])
		}
	}
	if m.flash {
		m.flashSale()
	}
	m.wants = slices.DeleteFunc(m.wants, func(v want) bool { return v.at >= end })
	slices.SortStableFunc(m.wants, func(a, b want) int { return int(a.at - b.at) })
}

// visits adds what is wanted of a product on one day.
func (m *maker) visits(p int, d int64, rate float64, web bool) {
	for h := range 24 {
		for range poisson(m.r, rate/m.batch*busyness(web, d, h)) {
			at := d*day + int64(h)*hour + m.r.Int64N(hour)
			for n := 1; ; n++ {
				m.wants = append(m.wants, want{at, int32(p), web})
				if m.r.Float64() >= 1-1/m.batch || n == maxVisit {
					break
				}
			}
		}
	}
}

// flashSpan is how long a flash sale takes, and how long before the cut it
// begins; flashRate is how many times the usual shoppers come on top, and
// customers twice the usual in all.
const (
	flashSpan   = 4 * hour
	flashBefore = hour
	flashRate   = 40
)

func (m *maker) flashSale() {
	m.flashed = m.chosen
	for p, product := range m.products {
		if !m.chosen[p] {
			continue
		}
		for side, rate := range []float64{product.shop, flashRate * product.web} {
			for range poisson(m.r, rate*float64(flashSpan)/float64(hour)) {
				at := m.cut - flashBefore + m.r.Int64N(flashSpan)
				m.wants = append(m.wants, want{at, int32(p), side == 1})
			}
		}
	}
}

// expected is how many units of a product are wanted on average between the
// cut and a time.
func (w *world) expected(p int, web bool, to int64) float64 {
	side, sum := 0, 0.0
	if web {
		side = 1
	}
	for i := range w.rates[side] {
		d := w.cut/day + int64(i)
		for h := range 24 {
			from := d*day + int64(h)*hour
			if part := min(to, from+hour) - max(w.cut, from); part > 0 {
				rate := w.rates[side][i][p] * busyness(web, d, h)
				sum += rate * float64(part) / float64(hour)
			}
		}
	}
	if w.flashed == nil || !w.flashed[p] {
		return sum
	}
	part := float64(min(to-w.cut, flashSpan-flashBefore)) / float64(hour)
	if web {
		return sum + flashRate*w.products[p].web*part
	}
	return sum + w.products[p].shop*part
}

// poisson draws from a Poisson distribution by waiting times.
func poisson(r *rand.Rand, mean float64) int {
	n := 0
	for t := r.ExpFloat64(); t < mean; t += r.ExpFloat64() {
		n++
	}
	return n
}

// gamma draws from a gamma distribution with a shape of at least one and a
// mean of shape, by Marsaglia and Tsang.
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
