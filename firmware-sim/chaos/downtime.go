package chaos

import (
	"fmt"
	"slices"
	"time"
)

// Downtime is how long writes were not accepted after faults of one kind.
type Downtime struct {
	Fault         string
	Times         int
	Median, Worst time.Duration
	Within        time.Duration // the goal; zero: there is none
	Missed        int           // how often it took longer
}

// Downtimes sums up the result's gaps.
func (r *Result) Downtimes() (all []Downtime) {
	took := make(map[string][]time.Duration)
	var names []string
	for _, g := range r.Gaps {
		if took[g.Fault] == nil {
			names = append(names, g.Fault)
		}
		took[g.Fault] = append(took[g.Fault], g.Took)
	}
	slices.Sort(names)
	for _, name := range names {
		t := took[name]
		slices.Sort(t)
		d := Downtime{Fault: name, Times: len(t), Median: t[len(t)/2], Worst: t[len(t)-1]}
		if r.Members > 1 {
			d.Within = goals[name]
		}
		for _, one := range t {
			if d.Within > 0 && one > d.Within {
				d.Missed++
			}
		}
		all = append(all, d)
	}
	return all
}

// String gives the downtime for people.
func (d Downtime) String() string {
	text := fmt.Sprintf("%d × %s: no write was accepted for %s, at most %s", d.Times, d.Fault,
		d.Median.Round(time.Millisecond), d.Worst.Round(time.Millisecond))
	if d.Within > 0 {
		text += fmt.Sprintf(" (the goal is %s, missed %d times)", d.Within, d.Missed)
	}
	return text
}
