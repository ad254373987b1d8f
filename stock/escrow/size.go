package escrow

import (
	"math"

	"holdfast.dev/stock"
)

// Costs say what three mishaps cost, in thousandths of the margin of a unit.
type Costs struct {
	Store  uint32 // a customer at the shelf who leaves without
	Online uint32 // a shopper who is refused
	Broken uint32 // a shopper who was promised a unit and gets none
}

// UsualCosts hold when a policy names none.
func UsualCosts() Costs { return Costs{Store: 1500, Online: 1000, Broken: 5000} }

// Lend tells whether a promised unit is lent to a customer at the till without
// asking anybody: when that is expected to cost less than to send her away.
func (c Costs) Lend(risk uint32) bool {
	return uint64(risk)*uint64(c.Broken) < 1000*uint64(c.Store)
}

// Sizer decides how the free units of a product are split while nobody knows
// when the line will be down. It is what a store knows besides the product.
type Sizer struct {
	Shop, Web Side
	Cuts      Cuts
	Costs     Costs
	Shrink    uint32 // of the free units, thousandths: gone, and nobody knows yet
}

// NewSizer is of a store that has seen nothing yet.
func NewSizer() *Sizer {
	flat := Week{}.Hours()
	return &Sizer{Costs: UsualCosts(), Shop: Side{flat, UsualPrior()}, Web: Side{flat, UsualPrior()}}
}

const (
	leastHorizon = hour
	dwell        = 20 * minute // from the shelf to the till
	soon         = 5 * minute
	urgentChance = 0.01
	leastGain    = 0.002 // of a unit's margin
	restTime     = minute
	// maxStep is up to how many free units every split is looked at in turn.
	maxStep = 64
)

// Target is the best share of the cloud in free units, should the line be cut
// now: each unit goes where it is missed more.
func (z *Sizer) Target(d Demand, at int64, free stock.Units) stock.Units {
	s := z.ahead(d, at, free)
	return s.target(z.Costs)
}

// split is a number of free units that two sides will ask for.
type split struct {
	shop, web mixture
	free      stock.Units
}

// ahead is what both sides will ask for until the line is back.
func (z *Sizer) ahead(d Demand, at int64, free stock.Units) split {
	s := split{free: free}
	for i, left := range z.Cuts.outlook(0) {
		until, weight := at+max(leastHorizon, left), outlook[i].weight
		s.shop[i] = part{z.shop(d, at, until+dwell), weight}
		s.shop[i].Mean += float64(free) * float64(z.Shrink) / 1000
		s.web[i] = part{z.web(d, at, until), weight}
	}
	return s
}

func (z *Sizer) shop(d Demand, from, to int64) NB {
	return z.Shop.forecast(d.Shop, z.Shop.Hours.Between(from, to))
}

func (z *Sizer) web(d Demand, from, to int64) NB {
	return z.Web.forecast(d.Web, z.Web.Hours.Between(from, to))
}

func (s *split) target(c Costs) stock.Units {
	if s.free <= 0 {
		return 0
	}
	if s.free > maxStep {
		return s.targetOfMany(c)
	}
	var shop, web [maxStep + 2]float64
	s.shop.tails(shop[:s.free+1])
	s.web.tails(web[:s.free+1])
	q := stock.Units(0)
	for q < s.free && float64(c.Online)*web[q+1] > float64(c.Store)*shop[s.free-q] {
		q++
	}
	return q
}

// targetOfMany finds by halving the last unit that the cloud misses more than
// the store does: what a unit gains falls from one to the next.
func (s *split) targetOfMany(c Costs) stock.Units {
	low, high := stock.Units(0), s.free
	for low < high {
		q := (low + high + 1) / 2
		if float64(c.Online)*s.web.Tail(q) > float64(c.Store)*s.shop.Tail(s.free-q+1) {
			low = q
		} else {
			high = q - 1
		}
	}
	return low
}

// loss is what a share of q is expected to cost.
func (s *split) loss(q stock.Units, c Costs) float64 {
	return float64(c.Store)*s.shop.Short(s.free-q) + float64(c.Online)*s.web.Short(q)
}

// Shares are the free units of a product.
type Shares struct {
	Sellable stock.Units // the store's own
	Online   stock.Units // what the cloud may promise
	Baskets  stock.Units // of the store's own: scanned at a till, and not paid yet
}

// Move is how many units to grant now, unasked; below zero, how many to ask the
// cloud to give back. It is zero unless the move is worth a record. Whoever
// makes the move sets Moved of the demand to now.
func (z *Sizer) Move(d Demand, at int64, s Shares) stock.Units {
	own, online := max(0, s.Sellable-s.Baskets), max(0, s.Online)
	ahead := z.ahead(d, at, own+online)
	best := ahead.target(z.Costs)
	n := best - online
	if n == 0 || z.urgent(d, at, Shares{Sellable: own, Online: online}, n) {
		return n
	}
	rests := at >= d.Moved && at-d.Moved < restTime
	if rests || max(n, -n) < Step(best) {
		return 0
	}
	if ahead.loss(online, z.Costs)-ahead.loss(best, z.Costs) < leastGain*float64(z.Costs.Online) {
		return 0
	}
	return n
}

// urgent tells whether the side that a move helps may be out of units before a
// move that waits would come.
func (z *Sizer) urgent(d Demand, at int64, s Shares, n stock.Units) bool {
	if n > 0 {
		return z.web(d, at, at+soon).Tail(max(1, s.Online)) > urgentChance
	}
	return z.shop(d, at, at+soon).Tail(max(1, s.Sellable)) > urgentChance
}

// Floor is how many of the store's own units are probably in customers' hands
// on the way to a till: a shopper who waits for a unit is not given those.
func (z *Sizer) Floor(d Demand, at int64, sellable stock.Units) stock.Units {
	walking, n := z.shop(d, at, at+dwell), stock.Units(0)
	for n < min(sellable, maxStep) &&
		float64(z.Costs.Store)*walking.Tail(n+1) > float64(z.Costs.Online) {
		n++
	}
	return n
}

// Step is the smallest difference to a target that is worth a record: a
// quarter of its square root, at least one.
func Step(target stock.Units) stock.Units {
	return max(1, stock.Units(math.Ceil(0.25*math.Sqrt(float64(target)))))
}
