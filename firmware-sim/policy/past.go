package policy

import (
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
)

const (
	// measuredDays are the days before the cut in which shares move and moves
	// are counted.
	measuredDays = 7
	sweepEvery   = hour
	// plannedHours of demand are on the shelf after a morning's delivery, or
	// what the full shelf holds if that is more.
	plannedHours = 18
)

// past is a store at the moment of the cut: what every policy has made of the
// same customers and shoppers while the line was up. While it is up a unit
// serves whoever comes first, under each of them; so the units are the same,
// and what differs is who holds the rights to them.
type past struct {
	*world
	lean      bool
	free      []int64 // units that nobody has or was promised
	sizer     *escrow.Sizer
	demand    []escrow.Demand
	shop, web escrow.Week
	splits    []split
	sold      int64 // in the days that are measured
	next      int   // the first want after the cut
}

// split is how one policy shares the free units.
type split struct {
	permille uint32  // a fixed share; 0: sized by forecast
	online   []int64 // of the free units
	moves    int64
}

// The splits by their number in past.splits.
const (
	noSplit = iota - 1
	bySizer
	byHalf
	byFifth
)

func newPast(w *world, lean bool) *past {
	p := &past{world: w, lean: lean, sizer: escrow.NewSizer(),
		demand: make([]escrow.Demand, len(w.products))}
	for _, product := range w.products {
		p.free = append(p.free, product.full)
	}
	for _, permille := range []uint32{bySizer: 0, byHalf: 500, byFifth: 200} {
		p.splits = append(p.splits, split{permille: permille, online: make([]int64, len(w.products))})
	}
	for _, c := range w.cuts {
		p.sizer.Cuts.Add(c)
	}
	return p
}

// learn goes through the time before the cut.
func (p *past) learn() {
	swept, measured := int64(firstDay*day), p.cut-measuredDays*day
	for p.next < len(p.wants) && p.wants[p.next].at < p.cut {
		w := p.wants[p.next]
		for ; swept+sweepEvery <= w.at; swept += sweepEvery {
			p.sweep(swept+sweepEvery, swept+sweepEvery >= measured)
		}
		p.serve(w, w.at >= measured)
		p.next++
	}
	for i, product := range p.products {
		if !p.lean {
			p.free[i] = product.full
		}
		for s := range p.splits {
			p.splits[s].online[i] = min(p.splits[s].online[i], p.free[i])
		}
		p.review(p.cut, i)
	}
}

// sweep is what is done every hour, and in some hours.
func (p *past) sweep(at int64, measured bool) {
	if at%day == 0 {
		p.sizer.Shop.Hours, p.sizer.Web.Hours = p.shop.Hours(), p.web.Hours()
		if measured {
			p.sizer.Shop.Prior, p.sizer.Web.Prior = p.priors()
		}
	}
	for i, product := range p.products {
		plan := max(product.full, int64(plannedHours*(product.shop+product.web)))
		if at%day == deliverAt && p.free[i] < plan {
			p.look(at, i, escrow.Seen{})
			p.free[i] = plan
			p.look(at, i, escrow.Seen{})
		}
		if measured {
			p.review(at, i)
		}
	}
}

func (p *past) priors() (shop, web escrow.Prior) {
	var shops, webs []escrow.Rate
	for _, d := range p.demand {
		shops, webs = append(shops, d.Shop), append(webs, d.Web)
	}
	return escrow.PriorOf(shops), escrow.PriorOf(webs)
}

// look tells the forecast what happened.
func (p *past) look(at int64, i int, s escrow.Seen) {
	s.At, s.ShopHas, s.WebHas = at, p.free[i] > 0, p.free[i] > 0
	p.demand[i] = p.sizer.Observe(p.demand[i], s)
}

// serve gives a unit to whoever wants it, if there is one. Nobody hears of
// those who come when there is none.
func (p *past) serve(w want, measured bool) {
	i := int(w.product)
	if p.free[i] == 0 {
		return
	}
	for s := range p.splits {
		if p.splits[s].take(i, p.free[i], w.web) && measured {
			p.splits[s].moves++
		}
	}
	p.free[i]--
	seen := escrow.Seen{Shop: 1}
	if w.web {
		seen = escrow.Seen{Web: 1}
		p.web.Add(w.at, 1)
	} else {
		p.shop.Add(w.at, 1)
	}
	p.look(w.at, i, seen)
	if measured {
		p.sold++
		p.review(w.at, i)
	}
}

// take takes one of the free units and tells whether a right moved for it, on
// demand, while somebody waited.
func (s *split) take(i int, free int64, web bool) bool {
	switch {
	case web && s.online[i] > 0:
		s.online[i]--
		return false
	case !web && free == s.online[i]:
		s.online[i]--
		return true
	}
	return web
}

// review moves rights unasked where it is worth a record.
func (p *past) review(at int64, i int) {
	for s := range p.splits {
		split := &p.splits[s]
		own, online := stock.Units(p.free[i]-split.online[i]), stock.Units(split.online[i])
		n := stock.Units(0)
		if split.permille > 0 {
			n = escrow.Unasked(own, online, split.permille)
		} else {
			p.look(at, i, escrow.Seen{})
			n = p.sizer.Move(p.demand[i], at, escrow.Shares{Sellable: own, Online: online})
		}
		if n == 0 {
			continue
		}
		split.online[i] += int64(n)
		split.moves++
		if split.permille == 0 {
			p.demand[i].Moved = at
		}
	}
}
