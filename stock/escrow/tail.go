package escrow

import (
	"math"

	"holdfast.dev/stock"
)

// NB is a forecast of how many units will be asked for: a Poisson count whose
// rate is itself uncertain, which makes it negative binomial. The zero value is
// a product that nobody will ask for.
type NB struct {
	Shape float64 // how certain the rate is; the larger, the nearer to Poisson
	Mean  float64 // units expected
}

const (
	leastShape = 1e-3
	mostShape  = 1e6 // from here on nothing distinguishes it from Poisson
)

// theta is the weight of one more unit, and its complement.
func (d NB) theta() (shape, theta, rest float64) {
	shape = min(max(d.Shape, leastShape), mostShape)
	return shape, d.Mean / (shape + d.Mean), shape / (shape + d.Mean)
}

// Tail is the chance that n units or more are asked for. It is exact to about
// nine digits for any count, also far out.
func (d NB) Tail(n stock.Units) float64 {
	if n <= 0 {
		return 1
	}
	if d.Mean <= 0 {
		return 0
	}
	shape, theta, rest := d.theta()
	return beta(float64(n), shape, theta, rest)
}

// Short is how many units are missing on average when n are there.
func (d NB) Short(n stock.Units) float64 {
	if n <= 0 {
		return d.Mean - float64(n)
	}
	if d.Mean <= 0 {
		return 0
	}
	shape, theta, rest := d.theta()
	above := d.Mean * beta(float64(n), shape+1, theta, rest)
	return max(0, above-float64(n)*beta(float64(n)+1, shape, theta, rest))
}

// addTails adds weight times the chance of k units or more to t[k]. It sums
// from the far end, so that nothing small is lost in something large.
func (d NB) addTails(t []float64, weight float64) {
	t[0] += weight
	if d.Mean <= 0 || len(t) < 2 {
		return
	}
	shape, theta, rest := d.theta()
	var chance [maxStep + 1]float64 // of exactly k units
	chance[0] = math.Exp(shape * math.Log(rest))
	for k := 1; k < len(t)-1; k++ {
		chance[k] = chance[k-1] * (float64(k-1) + shape) / float64(k) * theta
	}
	last := len(t) - 1
	sum := d.Tail(stock.Units(last))
	for k := last; k > 0; k-- {
		t[k] += weight * sum
		sum += chance[k-1]
	}
}

// beta is the regularised incomplete beta function I_x(a, b); y is 1-x, given
// because it may be too small to be the difference.
func beta(a, b, x, y float64) float64 {
	if x <= 0 {
		return 0
	}
	if y <= 0 {
		return 1
	}
	all, _ := math.Lgamma(a + b)
	one, _ := math.Lgamma(a)
	other, _ := math.Lgamma(b)
	front := math.Exp(all - one - other + a*math.Log(x) + b*math.Log(y))
	if x < (a+1)/(a+b+2) {
		return min(1, front*fraction(a, b, x)/a)
	}
	return max(0, 1-front*fraction(b, a, y)/b)
}

const (
	maxFraction = 20_000 // terms; some times the square root of the larger count
	enough      = 1e-12
	tiny        = 1e-300
)

// fraction evaluates the continued fraction of the incomplete beta function by
// Lentz's method.
func fraction(a, b, x float64) float64 {
	away := func(v float64) float64 { // from zero
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	h := d
	for i := 1; i <= maxFraction; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/away(1+even*d), away(1+even/c)
		h *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/away(1+odd*d), away(1+odd/c)
		h *= d * c
		if math.Abs(d*c-1) < enough {
			break
		}
	}
	return h
}
