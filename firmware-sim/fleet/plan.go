package fleet

import (
	"cmp"
	"slices"
	"time"

	recordv1 "holdfast.dev/proto/record/v1"
)

// Sizes of a run that a seed may choose.
const (
	maxStores    = 6
	maxDays      = 30
	assortment   = 50  // SKUs of every store
	eventsADay   = 200 // records and commands at least
	deedsADay    = 110 // things that people do in a store at least
	usualStores  = 4
	usualDays    = 3
	keyOverlap   = 3 // versions of the pickup key that are trusted at once
	openingUnits = 12
)

// mix is what one seed makes of the world: how large it is, how fast, how
// people behave and what breaks.
type mix struct {
	stores, days int
	day          time.Duration
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
	m := mix{
		stores: c.between(1, usualStores), days: c.between(1, usualDays), day: day,
		dead: max(13*time.Second, day/25), flush: oneOf(c, 200*time.Millisecond, 2*time.Second, day/100),
		backoff: oneOf(c, time.Second, 10*time.Second, 60*time.Second),
		latency: oneOf(c, time.Millisecond, 20*time.Millisecond, 300*time.Millisecond),
		members: c.between(1, 3), careless: oneOf(c, 0, 10, 60),
		patience: oneOf(c, day/40, day/4),
	}
	if o.Stores > 0 {
		m.stores = min(o.Stores, maxStores)
	}
	if o.Days > 0 {
		m.days = min(o.Days, maxDays)
	}
	for _, f := range faults {
		if c.of(f.often) {
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
	return m
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
			for range deedsADay {
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
		for range p.mix.days * c.between(1, f.aDay) {
			at := c.span(0, time.Duration(p.mix.days)*p.mix.day)
			p.add(stimulus{at: at, deed: f.deed, store: c.IntN(p.mix.stores), seed: c.Uint64()})
		}
	}
	slices.SortStableFunc(p.stimuli, func(a, b stimulus) int { return cmp.Compare(a.at, b.at) })
}

func (p *plan) add(s stimulus) { p.stimuli = append(p.stimuli, s) }
