package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// maxRuns bounds how often a violation is tried again with less.
const maxRuns = 2000

// Least is the least that a violation was found to need.
type Least struct {
	Result
	Without FaultSet
	Keep    []int
	Runs    int
}

// String tells what is left, and how to see it.
func (l *Least) String() string {
	return fmt.Sprintf("%s\nleft after %d runs: %d of its deeds, faults %s", l.Result, l.Runs, len(l.Keep),
		l.Faults)
}

var errHolds = errors.New("the seed violates nothing")

// Minimise leaves out kinds of faults one by one, then halves, quarters and so
// on of what befalls the world, as long as the same invariant is violated.
func Minimise(ctx context.Context, o Options, tried func()) (*Least, error) {
	m := &minimiser{ctx: ctx, o: o, tried: tried}
	m.o.Log, m.o.Verify = nil, false
	first, err := Run(ctx, m.o)
	if err != nil {
		return nil, err
	}
	if first.Violation == nil {
		return nil, errHolds
	}
	m.least = Least{Result: first, Without: o.Without}
	if err := m.faults(); err != nil {
		return nil, err
	}
	return &m.least, m.deeds()
}

type minimiser struct {
	ctx   context.Context
	o     Options
	least Least
	tried func()
}

// still tells whether the violation is there with less, and keeps that then.
func (m *minimiser) still(without FaultSet, keep []int) (bool, error) {
	if m.least.Runs >= maxRuns {
		return false, nil
	}
	m.least.Runs++
	m.tried()
	o := m.o
	o.Without, o.Keep = without, keep
	r, err := Run(m.ctx, o)
	if err != nil || r.Violation == nil || r.Violation.Invariant != m.least.Violation.Invariant {
		return false, err
	}
	m.least.Result, m.least.Without, m.least.Keep = r, without, keep
	return true, nil
}

func (m *minimiser) faults() error {
	for _, f := range faults {
		if _, err := m.still(m.least.Without|f.bit, nil); err != nil {
			return err
		}
	}
	return nil
}

func (m *minimiser) deeds() error {
	o := m.o
	o.Without = m.least.Without
	keep := make([]int, len(newPlan(o).stimuli))
	for i := range keep {
		keep[i] = i
	}
	m.least.Keep = keep
	for size := len(keep) / 2; size > 0; {
		smaller := false
		for from := 0; from < len(m.least.Keep); {
			rest := slices.Clone(m.least.Keep)
			rest = slices.Delete(rest, from, min(from+size, len(rest)))
			held, err := m.still(m.least.Without, rest)
			if err != nil {
				return err
			}
			if held {
				smaller = true
			} else {
				from += size
			}
		}
		if size == 1 && !smaller {
			return nil
		}
		size = max(1, size/2)
		if m.least.Runs >= maxRuns {
			return nil
		}
	}
	return nil
}
