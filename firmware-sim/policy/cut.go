package policy

import (
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
)

// tally is what one policy made of one cut, in units.
type tally struct {
	wanted    int64
	oversold  int64 // promised, and sold to somebody else
	cancelled int64 // promised, and not there: oversold, or never on the shelf
	lostShop  int64
	lostWeb   int64
	lent      int64
}

// money is what it costs, in margins of a unit.
func (t tally) money() float64 {
	c := escrow.UsualCosts()
	return float64(t.cancelled*int64(c.Broken)+t.lostShop*int64(c.Store)+
		t.lostWeb*int64(c.Online)) / 1000
}

// rule is how one policy decides during a cut.
type rule struct {
	name, title string
	split       int
	lend        bool
	buffer      func(synced int64) int64 // units that are not promised
}

func fixed(n int64) func(int64) int64 { return func(int64) int64 { return n } }

var rules = []rule{
	{name: "lww", title: "last write wins", split: noSplit, buffer: fixed(0)},
	{name: "buffer1", title: "safety stock of 1", split: noSplit, buffer: fixed(1)},
	{name: "buffer2", title: "safety stock of 2", split: noSplit, buffer: fixed(2)},
	{name: "buffer5", title: "safety stock of 5", split: noSplit, buffer: fixed(5)},
	{name: "buffer5%", title: "safety stock of 5 %", split: noSplit,
		buffer: func(n int64) int64 { return (n + 19) / 20 }},
	{name: "ask", title: "ask the store first", split: noSplit,
		buffer: func(n int64) int64 { return n }},
	{name: "half", title: "split 50/50", split: byHalf},
	{name: "fifth", title: "split 80/20", split: byFifth},
	{name: "strict", title: "Holdfast, strict", split: bySizer},
	{name: "lend", title: "Holdfast, lends by risk", split: bySizer, lend: true},
}

// References follow the rules: what could be had by knowing more.
const (
	informedName, informedTitle = "informed", "knows rates and length"
	oracleName, oracleTitle     = "oracle", "knows the future"
)

// shelf is one product during a cut, under one policy.
type shelf struct {
	books    int64 // free units at the cut, as the books say
	real     int64 // and in truth
	granted  int64 // what may be promised
	most     int64 // what the store may sell at most; below zero: no limit
	sold     int64
	promised int64
	lent     int64
}

// shelves are all products at the cut, under a rule.
func (p *past) shelves(r rule) []shelf {
	all := make([]shelf, len(p.products))
	for i := range all {
		free := p.free[i]
		all[i] = shelf{books: free, real: max(0, free-p.phantom[i]), most: -1}
		if r.split == noSplit {
			all[i].granted = max(0, free-r.buffer(free))
			continue
		}
		all[i].granted = p.splits[r.split].online[i]
		all[i].most = free - all[i].granted
	}
	return all
}

// during are the wants of a cut.
func (p *past) during(length int64) []want {
	n := p.next
	for n < len(p.wants) && p.wants[n].at < p.cut+length {
		n++
	}
	return p.wants[p.next:n]
}

// play goes through a cut under one policy.
func (p *past) play(r rule, length int64) tally {
	all := p.shelves(r)
	return settle(all, p.during(length), func(s *shelf, w want) bool {
		return r.lend && p.lends(s, w)
	})
}

// settle serves everybody, and then counts the promises that nobody can keep.
// lends is asked when the store's own units are gone and promised ones are not.
func settle(all []shelf, wants []want, lends func(*shelf, want) bool) tally {
	t := tally{wanted: int64(len(wants))}
	for _, w := range wants {
		s := &all[w.product]
		switch {
		case w.web && s.promised < s.granted:
			s.promised++
		case w.web:
			t.lostWeb++
		case s.sold == s.real: // nothing to take from the shelf
			t.lostShop++
		case s.most < 0 || s.sold < s.most+s.lent:
			s.sold++
		case s.sold >= s.books: // the books know of no such unit: nobody was promised it
			s.sold++
		case lends(s, w):
			s.lent++
			s.sold++
		default:
			t.lostShop++
		}
	}
	for _, s := range all {
		broken := max(0, s.promised-(s.real-s.sold))
		t.cancelled += broken
		t.oversold += min(broken, max(0, s.promised+min(s.sold, s.books)-s.books))
		t.lent += s.lent
	}
	return t
}

// lends tells whether a promised unit goes to the customer at the till, by what
// the store knows.
func (p *past) lends(s *shelf, w want) bool {
	risk := p.sizer.Risk(p.demand[w.product], w.at, escrow.Loan{Contact: p.cut,
		Online: stock.Units(s.granted), Lent: stock.Units(s.lent + 1)})
	return p.sizer.Costs.Lend(risk)
}

// oracle is the best that could have been done by somebody who knew all: with
// customers at the shelf first, because they cost more.
func (p *past) oracle(length int64) tally {
	shop, web := make([]int64, len(p.products)), make([]int64, len(p.products))
	wants := p.during(length)
	for _, w := range wants {
		if w.web {
			web[w.product]++
		} else {
			shop[w.product]++
		}
	}
	t := tally{wanted: int64(len(wants))}
	for i := range p.products {
		left := max(0, p.free[i]-p.phantom[i])
		served := min(left, shop[i])
		t.lostShop += shop[i] - served
		t.lostWeb += max(0, web[i]-(left-served))
	}
	return t
}

// informed is the best split of somebody who knows how much each product is
// wanted on average in the very hours of the cut, and how long that takes; but
// not who will come. No forecast can do much better.
func (p *past) informed(length int64) tally {
	all := make([]shelf, len(p.products))
	for i := range all {
		free := p.free[i]
		q, most := bestSplit(free, p.sure(i, false, length), p.sure(i, true, length))
		all[i] = shelf{books: free, real: max(0, free-p.phantom[i]), granted: q, most: most}
	}
	return settle(all, p.during(length), func(*shelf, want) bool { return false })
}

// sure is what is wanted of a product when only chance is left.
func (p *past) sure(i int, web bool, length int64) escrow.NB {
	const poisson = 1e6
	return escrow.NB{Shape: poisson, Mean: p.expected(i, web, p.cut+length)}
}

// bestSplit is the cheapest number of units to promise at most and to sell at
// most; their sum may be more than there are.
func bestSplit(free int64, shop, web escrow.NB) (promise, sell int64) {
	c := escrow.UsualCosts()
	store, online, broken := float64(c.Store), float64(c.Online), float64(c.Broken)
	least := -1.0
	for q := range free + 1 {
		m := free - q
		cost := online*web.Short(stock.Units(q)) + store*shop.Short(stock.Units(m))
		for m < free && broken*web.Tail(stock.Units(free-m)) < store {
			m++
			gain := store - broken*web.Tail(stock.Units(free-m+1))
			cost -= gain * shop.Tail(stock.Units(m))
		}
		if least < 0 || cost < least {
			least, promise, sell = cost, q, m
		}
	}
	return promise, sell
}
