package policy

import "slices"

// Row is what one policy made of one workload and one length of the cut. The
// counts are for each thousand units that were wanted.
type Row struct {
	Workload  string `json:"workload"`
	Minutes   int64  `json:"cut_minutes"`
	Policy    string `json:"policy"`
	Wanted    int64  `json:"wanted"`         // units in all
	Broken    int64  `json:"oversold_units"` // oversold units in all
	title     string
	Oversold  Interval `json:"oversold"`
	Cancelled Interval `json:"cancelled"`
	LostStore Interval `json:"lost_in_store"`
	LostWeb   Interval `json:"lost_online"`
	Lent      Interval `json:"lent"`
	Money     Interval `json:"money_lost"`
	Regret    Interval `json:"regret"`
	// Moves are the moves of rights for each unit sold while the line was up.
	Moves Interval `json:"moves_per_sale"`
}

// Report is everything that was measured.
type Report struct {
	Seeds    int    `json:"seeds"`
	Products int    `json:"products"`
	Rows     []Row  `json:"rows"`
	Goals    []Goal `json:"goals"`
}

// policies are the rules and the references, in order.
func policies() []rule {
	return append(slices.Clone(rules),
		rule{name: informedName, title: informedTitle, split: noSplit},
		rule{name: oracleName, title: oracleTitle, split: noSplit})
}

func index(name string) int {
	for i, r := range policies() {
		if r.name == name {
			return i
		}
	}
	panic("no policy " + name)
}

func (g *game) report() *Report {
	r := &Report{Seeds: g.seeds, Products: g.products}
	for w := range workloads {
		for l := range cutLengths {
			for i, policy := range policies() {
				r.Rows = append(r.Rows, g.row(w, l, i, policy))
			}
		}
	}
	r.Goals = g.goals()
	return r
}

// row sums up one policy.
func (g *game) row(w, l, i int, policy rule) Row {
	best := index(oracleName)
	row := Row{Workload: workloads[w].name, Minutes: cutLengths[l] / minute,
		Policy: policy.name, title: policy.title}
	per := func(of func(tally) float64) Interval {
		var units, wanted []float64
		for _, o := range g.played[w] {
			units = append(units, 1000*of(o.tallies[l][i]))
			wanted = append(wanted, float64(o.tallies[l][i].wanted))
		}
		return ratio(units, wanted)
	}
	row.Oversold = per(func(t tally) float64 { return float64(t.oversold) })
	row.Cancelled = per(func(t tally) float64 { return float64(t.cancelled) })
	row.LostStore = per(func(t tally) float64 { return float64(t.lostShop) })
	row.LostWeb = per(func(t tally) float64 { return float64(t.lostWeb) })
	row.Lent = per(func(t tally) float64 { return float64(t.lent) })
	row.Money = per(tally.money)
	var regret, wanted, moves, sold []float64
	for _, o := range g.played[w] {
		t := o.tallies[l][i]
		row.Wanted, row.Broken = row.Wanted+t.wanted, row.Broken+t.oversold
		regret = append(regret, 1000*(t.money()-o.tallies[l][best].money()))
		wanted = append(wanted, float64(t.wanted))
		n := int64(0)
		if policy.split != noSplit {
			n = o.moves[policy.split]
		}
		moves, sold = append(moves, float64(n)), append(sold, float64(o.sold))
	}
	row.Regret, row.Moves = ratio(regret, wanted), ratio(moves, sold)
	return row
}
