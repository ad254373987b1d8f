package policy

import (
	"encoding/json"
	"math"
)

// Interval is a ratio of sums over the seeds, with its 95 % confidence interval.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// MarshalJSON gives null for a ratio to nothing.
func (i Interval) MarshalJSON() ([]byte, error) {
	if !i.finite() {
		return []byte("null"), nil
	}
	type plain Interval
	return json.Marshal(plain(i))
}

func (i Interval) finite() bool {
	return !math.IsInf(i.High-i.Low, 0) && !math.IsNaN(i.High-i.Low) && !math.IsInf(i.Mean, 0)
}

func total(all []float64) float64 {
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	return sum
}

// ratio is the ratio of two sums over the seeds. Its interval is by the
// jackknife: how much it changes when one seed is left out.
func ratio(upper, lower []float64) Interval {
	u, l, n := total(upper), total(lower), float64(len(upper))
	mean := quotient(u, l)
	sum, squares := 0.0, 0.0
	for i := range upper {
		v := quotient(u-upper[i], l-lower[i])
		sum, squares = sum+v, squares+v*v
	}
	spread := math.Sqrt(max(0, squares-sum*sum/n)*(n-1)/n) * student(len(upper)-1)
	return Interval{Mean: mean, Low: mean - spread, High: mean + spread}
}

// quotient is one when nothing is compared with nothing.
func quotient(a, b float64) float64 {
	switch {
	case b != 0:
		return a / b
	case a == 0:
		return 1
	}
	return math.Inf(1)
}

// student is how many standard errors a 95 % interval reaches to each side.
func student(freedom int) float64 {
	table := []float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228}
	if freedom <= len(table) {
		return table[max(1, freedom)-1]
	}
	return 1.96 + 2.5/float64(freedom) // within 0.01
}
