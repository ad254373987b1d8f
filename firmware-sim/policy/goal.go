package policy

// Goal is one thing that was aimed at.
type Goal struct {
	Workload string   `json:"workload"` // "all": the five that were asked for
	Minutes  int64    `json:"cut_minutes"`
	Policy   string   `json:"policy"`
	Against  string   `json:"against"`
	Got      Interval `json:"money_ratio"` // null if nothing is lost in Against
	AtMost   float64  `json:"at_most"`
	Met      bool     `json:"met"`
	// What the same ratio is for somebody who knows the rates and the length of
	// the cut, and for the oracle: less cannot be had.
	Informed Interval `json:"informed"`
	Oracle   Interval `json:"oracle"`
	// Extra is what is lost more than in Against, for each thousand units wanted.
	Extra Interval `json:"extra"`

	title string
}

// What is aimed at, of the money that is lost.
const (
	goalOfBaseline = 0.6  // at most, of the best policy without a split, at eight hours
	goalOfOracle   = 1.05 // at most, of the oracle, at two hours
)

// The cuts that goals are about, by their number in cutLengths.
const (
	twoHours = iota + 1
	eightHours
)

// withoutSplit is what the goal at eight hours compares with.
const withoutSplit = "without"

// goals compares with what was aimed at: for the five workloads that were
// asked for together, and for each.
func (g *game) goals() []Goal {
	sets := [][]int{nil}
	for w := range workloads {
		sets = append(sets, []int{w})
		if w < asked {
			sets[0] = append(sets[0], w)
		}
	}
	var goals []Goal
	for _, set := range sets {
		for _, ours := range []string{"strict", "lend"} {
			goals = append(goals, g.compare(set, eightHours, ours, withoutSplit))
		}
	}
	for _, set := range sets {
		for _, ours := range []string{"strict", "lend"} {
			goals = append(goals, g.compare(set, twoHours, ours, oracleName))
		}
	}
	return goals
}

// compare relates the money that a policy loses to what another one loses.
func (g *game) compare(set []int, l int, ours, against string) Goal {
	goal := Goal{Workload: "all", Minutes: cutLengths[l] / minute, Policy: ours, Against: against,
		title: "the five together"}
	if len(set) == 1 {
		goal.Workload, goal.title = workloads[set[0]].name, workloads[set[0]].title
	}
	lost, oracle := g.money(set, l, index(ours)), g.money(set, l, index(oracleName))
	theirs := oracle
	goal.AtMost = goalOfOracle
	if against == withoutSplit {
		theirs, goal.AtMost = g.bestWithoutSplit(set, l), goalOfBaseline
	}
	goal.Got, goal.Oracle = ratio(lost, theirs), ratio(oracle, theirs)
	goal.Informed = ratio(g.money(set, l, index(informedName)), theirs)
	goal.Met = goal.Got.Mean <= goal.AtMost
	extra, wanted := make([]float64, g.seeds), make([]float64, g.seeds)
	for s := range extra {
		extra[s] = 1000 * (lost[s] - theirs[s])
		for _, w := range set {
			wanted[s] += float64(g.played[w][s].tallies[l][0].wanted)
		}
	}
	goal.Extra = ratio(extra, wanted)
	return goal
}

// money is what a policy loses by seed, in some workloads together.
func (g *game) money(set []int, l, policy int) []float64 {
	sums := make([]float64, g.seeds)
	for _, w := range set {
		for s, o := range g.played[w] {
			sums[s] += o.tallies[l][policy].money()
		}
	}
	return sums
}

// bestWithoutSplit is what the policy loses that turns out to be the best of
// those in each workload: they are given that much foresight.
func (g *game) bestWithoutSplit(set []int, l int) []float64 {
	sums := make([]float64, g.seeds)
	for _, w := range set {
		var best []float64
		for i, r := range rules {
			if r.split != noSplit {
				continue
			}
			if m := g.money([]int{w}, l, i); best == nil || total(m) < total(best) {
				best = m
			}
		}
		for s := range sums {
			sums[s] += best[s]
		}
	}
	return sums
}
