package escrow

import "math"

// Prior is what is believed of a product of which nothing was seen, as if it
// had sold so many units in so much busy time.
type Prior struct {
	Units, Time int64 // thousandths of a unit, milliseconds of busy time
}

// UsualPrior is for a store, or a category, of which nothing was seen at all: a
// unit in a hundred hours, and little faith in it.
func UsualPrior() Prior { return Prior{Units: milli / 5, Time: 20 * hour} }

const (
	leastPrior   = 0.01 // units that a prior weighs
	mostPrior    = 50.0
	priorHalving = 40 // steps; more than the digits of the result
)

// PriorOf learns the prior from the products of one category: their mean rate,
// and how many of them did not sell at all, which tells how much they differ.
// It needs to be done once a day at most.
func PriorOf(rates []Rate) Prior {
	var units, time float64
	silent, times := 0, make([]float64, 0, len(rates))
	for _, r := range rates {
		if r.Time <= 0 {
			continue
		}
		if r.Units < milli/2 {
			silent++
		}
		units, time = units+float64(r.Units)/milli, time+float64(r.Time)
		times = append(times, float64(r.Time))
	}
	if units < 1 || len(times) < 2 {
		return UsualPrior()
	}
	mean := units / time
	low, high := math.Log(leastPrior), math.Log(mostPrior)
	for range priorHalving {
		middle := (low + high) / 2
		if silence(math.Exp(middle), mean, times) > float64(silent) {
			low = middle
		} else {
			high = middle
		}
	}
	weight := math.Exp((low + high) / 2)
	return Prior{Units: max(1, int64(weight*milli)), Time: max(1, int64(weight/mean))}
}

// silence is how many products are expected not to sell.
func silence(weight, mean float64, times []float64) float64 {
	sum := 0.0
	for _, t := range times {
		sum += math.Pow(1+mean*t/weight, -weight)
	}
	return sum
}
