package escrow

import "holdfast.dev/stock"

// outlook are the ways in which a cut may go on: those that end before four of
// five do, the next, and the longest. Each is taken to last as long as its
// longest, so that a store is prepared for a little more than it will see.
var outlook = [...]struct {
	permille int
	weight   float64
}{{800, 0.80}, {950, 0.15}, {990, 0.05}}

// part is a forecast that holds with a chance.
type part struct {
	NB
	weight float64
}

// mixture is a forecast in parts: one for each way in which the cut may go on.
type mixture [len(outlook)]part

// Tail is the chance that n units or more are asked for.
func (m *mixture) Tail(n stock.Units) float64 {
	sum := 0.0
	for _, p := range m {
		sum += p.weight * p.NB.Tail(n)
	}
	return sum
}

// Short is how many units are missing on average when n are there.
func (m *mixture) Short(n stock.Units) float64 {
	sum := 0.0
	for _, p := range m {
		sum += p.weight * p.NB.Short(n)
	}
	return sum
}

// tails fills t with the chances of k units or more.
func (m *mixture) tails(t []float64) {
	for _, p := range m {
		p.addTails(t, p.weight)
	}
}

// Side is what is known of customers, or of shoppers, besides one product.
type Side struct {
	Hours *Hours
	Prior Prior
}

// forecast is what will be asked for in some busy time after what was seen.
//
// The rate of a product is a gamma posterior of the days before, and today has
// a factor of its own. Their product is taken to be gamma as well, with what
// both together leave open, and today's units are its evidence.
func (s Side) forecast(r Rate, busy int64) NB {
	units, time := float64(s.Prior.Units+r.Units)/milli, float64(s.Prior.Time+r.Time)
	if busy <= 0 || units <= 0 || time <= 0 {
		return NB{}
	}
	shape := 1 / (1/units + 1.0/alike)
	exposure := shape / units * time
	shape += float64(r.TodayUnits) / milli
	exposure += float64(r.TodayTime)
	return NB{Shape: shape, Mean: shape / exposure * float64(busy)}
}
