package fleet

import (
	"cmp"
	"math"
	"slices"
	"time"

	recordv1 "holdfast.dev/proto/record/v1"
)

// Sizes of a run that a seed may choose.
const (
	maxStores    = 6
	maxDays      = 30
	assortment   = 50  // SKUs of every store
	fullDay      = 110 // things that people do in a store on a full day
	leastDay     = 10  // and on a quiet one
	leastAsked   = 8   // that somebody may ask for
	smallDay     = 26  // and on most
	usualStores  = 4
	usualDays    = 3
	keyOverlap   = 3 // versions of the pickup key that are trusted at once
	openingUnits = 12
	fullRounds   = 48 // of a node's housekeeping on a full day
	leastRounds  = 8
	wantedMost   = 6 // SKUs, on a full day
	leastStocked = 8 // SKUs
)

// mix is what one seed makes of the world: how large it is, how fast, how
// people behave and what breaks.
type mix struct {
	stores, days int
	deeds        int // that people do in a store on a day
	day          time.Duration
	round        time.Duration // between two times that a node keeps house
	wanted       int           // SKUs that most people want
	stocked      int           // SKUs that people deal with
	first        int           // of them, the one that is wanted most
	reminder     time.Duration // until the cloud hears at last of orders that it forgot
	units        int           // of a SKU when a store opens, one more than at most
	dead         time.Duration // silence after which a peer counts as dead
	flush        time.Duration // how long an ordinary record may wait
	backoff      time.Duration // cap
	latency      time.Duration
	members      int // cloud processes that take sessions
	faults       FaultSet
	policy       *recordv1.Policy
	rates        map[deed]int // how often each deed is done, in parts
	patience     time.Duration
	careless     int // permille of people's steps that go wrong
}

// stimulus is one thing that befalls the world. All chance in it comes from
// its own seed, so that leaving others out does not change it.
type stimulus struct {
	at    time.Duration
	deed  deed
	store int
	seed  uint64
}

// plan is a run before it begins.
type plan struct {
	seed    uint64
	mix     mix
	stimuli []stimulus
}

// newPlan draws the plan of a seed.
func newPlan(o Options) *plan {
	c := newChance(o.Seed, 1)
	p := &plan{seed: o.Seed, mix: newMix(c, o)}
	p.mix.faults &^= o.Without
	p.draw()
	if o.Keep != nil {
		kept := make([]stimulus, 0, len(o.Keep))
		for _, i := range o.Keep {
			if i < len(p.stimuli) {
				kept = append(kept, p.stimuli[i])
			}
		}
		p.stimuli = kept
	}
	return p
}

// newMix draws the swarm's part: a run has about half of the faults, and rates
// of its own, so that rare meetings of some of them are not drowned by others.
func newMix(c chance, o Options) mix {
	day := oneOf(c, 30*time.Minute, 2*time.Hour, 8*time.Hour)
	m := mix{stores: c.between(1, usualStores), days: c.between(1, usualDays)}
	m.howBusy(newChance(o.Seed, 5), day, o)
	day = m.day
	m.dead, m.flush = max(13*time.Second, day/25), oneOf(c, 200*time.Millisecond, 2*time.Second, day/100)
	m.backoff = oneOf(c, time.Second, 10*time.Second, 60*time.Second)
	m.latency = oneOf(c, time.Millisecond, 20*time.Millisecond, 300*time.Millisecond)
	m.members, m.careless = c.between(1, 3), oneOf(c, 0, 10, 60)
	m.patience = oneOf(c, day/40, day/4)
	if o.Stores > 0 {
		m.stores = min(o.Stores, maxStores)
	}
	if o.Days > 0 {
		m.days = min(o.Days, maxDays)
	}
	for _, f := range faults {
		if f.often > 0 && c.of(f.often) {
			m.faults |= f.bit
		}
	}
	if c.of(100) {
		m.faults = 0 // a quiet run, in which nothing may go wrong at all
	}
	m.policy = newPolicy(c, day)
	m.rates = make(map[deed]int)
	for _, d := range deeds {
		m.rates[d.deed] = d.rate * c.between(1, 8)
	}
	if m.deeds < fullDay && m.faults != 0 && c.of(300) { // full days are what they were before tills did
		m.faults |= faultTillRestart
	}
	return m
}

// howBusy draws how much people do on a day. Most runs have few deeds in short
// days, and few products that people want, so that they get into each other's
// way as on a full day: what goes wrong is mostly between a handful of deeds.
func (m *mix) howBusy(c chance, day time.Duration, o Options) {
	m.deeds = c.deeds()
	fewer := [2]int{c.between(1, usualStores), c.between(1, usualDays)}
	scarce := oneOf(c, 3, 6, openingUnits)
	first, late := c.IntN(assortment), oneOf(c, 20, 3)
	if o.Busy > 0 {
		m.deeds = min(max(o.Busy, leastAsked), fullDay)
	}
	m.day, m.units, m.reminder = day, openingUnits, day/20
	if m.deeds < fullDay {
		m.stores, m.days = min(m.stores, fewer[0]), min(m.days, fewer[1])
		m.day, m.units, m.first = day*time.Duration(m.deeds)/fullDay, scarce, first
		m.reminder = m.day / time.Duration(late)
	}
	m.round = m.day / time.Duration(max(leastRounds, m.share(fullRounds)))
	m.wanted = m.share(wantedMost)
	m.stocked = max(leastStocked, m.share(assortment))
	if o.Busy > 0 { // asked for, such as to measure: then with the whole assortment
		m.stocked = assortment
	}
}

// share is a full day's number, as far as this run's days are full.
func (m *mix) share(full int) int { return (full*m.deeds + fullDay - 1) / fullDay }

// deeds is how much people do in a store on a day.
func (c chance) deeds() int {
	within := func(low, high float64) int { return int(low * math.Pow(high/low, c.Float64())) }
	switch kind := c.IntN(100); {
	case kind < 2:
		return fullDay
	case kind < 10:
		return within(smallDay, fullDay)
	}
	return within(leastDay, smallDay)
}

func newPolicy(c chance, day time.Duration) *recordv1.Policy {
	return &recordv1.Policy{
		LastUnit: oneOf(c, recordv1.LastUnitPolicy_LAST_UNIT_POLICY_BLOCK,
			recordv1.LastUnitPolicy_LAST_UNIT_POLICY_ASK, recordv1.LastUnitPolicy_LAST_UNIT_POLICY_AUTO),
		GraceMs: (day / 20).Milliseconds(), StoreCost: 1500, OnlineCost: 1000, BrokenCost: 5000,
		FloorUnits: int64(oneOf(c, 0, 0, 0, 1, 2)), SharePermille: uint32(oneOf(c, 500, 500, 100, 900, 1000)),
		PickupWindowMs: max(time.Minute, oneOf(c, day/4, day)).Milliseconds(),
		HoldMs:         max(time.Minute, day/30).Milliseconds(), // the oracle counts on it
	}
}

// draw spreads what people do over the days of each store, and the faults over
// the whole run. Every kind of fault has a stream of chance of its own, so that
// leaving one out does not move the others.
func (p *plan) draw() {
	var parts []deed
	for _, d := range deeds {
		for range p.mix.rates[d.deed] {
			parts = append(parts, d.deed)
		}
	}
	c := newChance(p.seed, 2)
	for store := range p.mix.stores {
		for day := range p.mix.days {
			for range p.mix.deeds {
				at := time.Duration(day)*p.mix.day + c.span(0, p.mix.day)
				p.add(stimulus{at: at, deed: parts[c.IntN(len(parts))], store: store, seed: c.Uint64()})
			}
		}
	}
	for i, f := range faults {
		c := newChance(p.seed, uint64(100+i))
		if p.mix.faults&f.bit == 0 || f.deed == 0 {
			continue
		}
		for range p.mix.share(p.mix.days * c.between(1, f.aDay)) {
			at := c.span(0, time.Duration(p.mix.days)*p.mix.day)
			p.add(stimulus{at: at, deed: f.deed, store: c.IntN(p.mix.stores), seed: c.Uint64()})
		}
	}
	slices.SortStableFunc(p.stimuli, func(a, b stimulus) int { return cmp.Compare(a.at, b.at) })
}

func (p *plan) add(s stimulus) { p.stimuli = append(p.stimuli, s) }

// dealtWith is the place of a SKU that people deal with among all. Those that
// come into the catalogue last are always among them.
func (m *mix) dealtWith(i int) int {
	i = (i + m.first) % m.stocked
	if late := m.stocked - lateProducts; i >= late {
		return assortment - lateProducts + i - late
	}
	return i
}
