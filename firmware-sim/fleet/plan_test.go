package fleet

import "testing"

const somePlans = 2000

func TestMostDaysAreSmallAndSomeAreFull(t *testing.T) {
	small, full := 0, 0
	for seed := uint64(1); seed <= somePlans; seed++ {
		m := newPlan(Options{Seed: seed}).mix
		switch {
		case m.deeds < leastDay || m.deeds > fullDay:
			t.Errorf("seed %d: %d deeds a day", seed, m.deeds)
		case m.deeds == fullDay:
			full++
		case m.deeds <= smallDay:
			small++
		}
	}
	if small < somePlans*8/10 || full < somePlans/100 || full > somePlans/25 {
		t.Errorf("of %d plans %d have small days and %d full ones", somePlans, small, full)
	}
}

func TestEveryKindOfFaultThatARunHasStrikes(t *testing.T) {
	for seed := uint64(1); seed <= somePlans; seed++ {
		p := newPlan(Options{Seed: seed})
		struck := make(map[deed]bool)
		for _, s := range p.stimuli {
			struck[s.deed] = true
		}
		for _, f := range faults {
			if f.deed != 0 && p.mix.faults.has(f.bit) != struck[f.deed] {
				t.Errorf("seed %d: has %s: %t, it strikes: %t", seed, f.name, p.mix.faults.has(f.bit),
					struck[f.deed])
			}
		}
	}
}

func TestWhatIsAskedForDecidesTheSizeOfARun(t *testing.T) {
	for seed := uint64(1); seed <= somePlans; seed++ {
		for _, busy := range []int{leastAsked, fullDay} {
			p := newPlan(Options{Seed: seed, Stores: 5, Days: 7, Busy: busy})
			if m := p.mix; m.stores != 5 || m.days != 7 || m.deeds != busy || m.stocked != assortment {
				t.Fatalf("seed %d, busy %d: %d stores, %d days, %d deeds, %d products", seed, busy, m.stores,
					m.days, m.deeds, m.stocked)
			}
			people := 0
			for _, s := range p.stimuli {
				if s.deed <= deedProducts {
					people++
				}
			}
			if people != 5*7*busy {
				t.Errorf("seed %d: people do %d things, want %d", seed, people, 5*7*busy)
			}
		}
	}
}

// TestEveryProductThatPeopleDealWithIsAnother also holds for those that come
// into the catalogue late.
func TestEveryProductThatPeopleDealWithIsAnother(t *testing.T) {
	for seed := uint64(1); seed <= somePlans; seed++ {
		m := newPlan(Options{Seed: seed}).mix
		seen := make(map[int]bool)
		for i := range m.stocked {
			seen[m.dealtWith(i)] = true
		}
		if len(seen) != m.stocked || !seen[assortment-1] || !seen[assortment-lateProducts] || m.wanted > m.stocked {
			t.Fatalf("seed %d: %v of %d", seed, seen, m.stocked)
		}
	}
}
