package escrow

import (
	"math/bits"

	"holdfast.dev/stock"
)

// alike says how much one day of a product is like another, as the shape of a
// gamma distribution: with two, one day in ten has a quarter of the usual
// demand or less, and one in ten twice as much or more.
const alike = 2

// Rate is what was seen of one side's demand for one product: units, and the
// busy time in which they could have been had. Today is kept apart until it is
// over, because a day may be unlike the others as a whole.
type Rate struct {
	Units, Time           int64 // thousandths of a unit, milliseconds of busy time
	TodayUnits, TodayTime int64
}

// fold makes today one of the days before. A day on which much was asked for
// says more about itself than about the product, and counts for less.
func (r Rate) fold() Rate {
	usual := mulDiv(sum(r.Units, r.TodayUnits), r.TodayTime, sum(r.Time, r.TodayTime))
	units := mulDiv(r.TodayUnits, alike*milli, alike*milli+usual)
	time := mulDiv(r.TodayTime, alike*milli, alike*milli+usual)
	return Rate{Units: decayed(sum(r.Units, units), 1), Time: decayed(sum(r.Time, time), 1)}
}

// mostSum bounds every sum, so that two of them can be added.
const mostSum = 1 << 61

func sum(a, b int64) int64 { return min(a+b, mostSum) }

// mulDiv is a times b by c, none below zero; the product may be large, and the
// result is that of dividing by one if c is zero.
func mulDiv(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	if divisor := uint64(max(1, c)); high < divisor {
		q, _ := bits.Div64(high, low, divisor)
		return int64(min(q, mostSum))
	}
	return mostSum
}

// Demand is what a store has seen of one product. The zero value is a product
// that it has not seen yet.
type Demand struct {
	Shop, Web       Rate
	At              int64 // up to when time is counted; 0: not begun
	ShopHas, WebHas bool  // whether a side could have served since At
	Moved           int64 // when the split was last changed unasked
}

// Seen is one look at a product: what was asked for since the last one, with
// what was refused, and whether each side can serve whoever comes next.
type Seen struct {
	At              int64
	Shop, Web       stock.Units
	ShopHas, WebHas bool
}

// Observe counts what was seen. Time in which a side had nothing to give says
// nothing about how many would have come, and is left out.
func (z *Sizer) Observe(d Demand, s Seen) Demand {
	if d.At == 0 || s.At < d.At {
		d.At = s.At // the first look, or the clock was set back
	}
	if s.At-d.At > maxDecays*day {
		d = Demand{At: s.At, Moved: d.Moved}
	}
	for d.At/day < s.At/day {
		midnight := (d.At/day + 1) * day
		d = z.wait(d, midnight)
		d.Shop, d.Web = d.Shop.fold(), d.Web.fold()
	}
	d = z.wait(d, s.At)
	d.Shop.TodayUnits = sum(d.Shop.TodayUnits, thousandths(s.Shop))
	d.Web.TodayUnits = sum(d.Web.TodayUnits, thousandths(s.Web))
	d.ShopHas, d.WebHas = s.ShopHas, s.WebHas
	return d
}

func thousandths(n stock.Units) int64 { return min(max(0, int64(n)), mostSum/milli) * milli }

// wait counts the time up to then, on one day.
func (z *Sizer) wait(d Demand, then int64) Demand {
	if d.ShopHas {
		d.Shop.TodayTime += z.Shop.Hours.Between(d.At, then)
	}
	if d.WebHas {
		d.Web.TodayTime += z.Web.Hours.Between(d.At, then)
	}
	d.At = then
	return d
}
