package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// pair is one figure of ours and of the limit.
type pair struct{ ours, limit float64 }

func (p pair) ratio() float64 { return p.ours / p.limit }

// rounds measures again and again and returns the round whose ratio is the
// median. The first round warms up and does not count.
func (b *bench) rounds(ctx context.Context, round func(context.Context) (pair, error)) (pair, error) {
	all := make([]pair, b.size.rounds+1)
	for i := range all {
		var err error
		if all[i], err = round(ctx); err != nil {
			return pair{}, err
		}
	}
	return median(all[1:]), nil
}

func median(all []pair) pair {
	slices.SortFunc(all, func(a, b pair) int { return cmp.Compare(a.ratio(), b.ratio()) })
	return all[len(all)/2]
}

// side is one of two things that are compared. It works for one round and
// returns that round's figure.
type side func(context.Context) (float64, error)

// alternate lets both sides work in turns, a round each, so that whatever else
// the machine does meets both.
func (b *bench) alternate(ctx context.Context, limit, ours side) (pair, error) {
	return b.rounds(ctx, func(ctx context.Context) (p pair, err error) {
		if p.limit, err = limit(ctx); err != nil {
			return p, err
		}
		p.ours, err = ours(ctx)
		return p, err
	})
}

// rate has callers call f for a while, each with its number, and returns calls
// a second.
func (b *bench) rate(ctx context.Context, callers int, f caller) (float64, error) {
	var calls atomic.Int64
	began := time.Now()
	all, ctx := errgroup.WithContext(ctx)
	for caller := range callers {
		all.Go(func() error {
			n := int64(0)
			for ctx.Err() == nil && time.Since(began) < b.size.span {
				if err := f(ctx, caller); err != nil {
					return err
				}
				n++
			}
			calls.Add(n)
			return ctx.Err()
		})
	}
	err := all.Wait()
	return float64(calls.Load()) / time.Since(began).Seconds(), err
}

// once does so many things at once and returns how many a second that were.
func once(ctx context.Context, things int, do func(context.Context) error) (float64, error) {
	began := time.Now()
	err := do(ctx)
	return float64(things) / time.Since(began).Seconds(), err
}

// timed does something once and says how long it took.
type timed func(context.Context) (time.Duration, error)

// p99 is the percentile of rare waits.
func (b *bench) p99(ctx context.Context, limit, ours timed) (pair, error) {
	return b.percentile(ctx, 99, limit, ours)
}

// percentile lets both sides work in turns, once each, so that both meet the
// same disk at the same pace, and returns their percentiles in milliseconds.
func (b *bench) percentile(ctx context.Context, percent int, limit, ours timed) (pair, error) {
	return b.rounds(ctx, func(ctx context.Context) (pair, error) {
		limits, all := make([]time.Duration, b.size.scans), make([]time.Duration, b.size.scans)
		for i := range all {
			var err error
			if limits[i], err = limit(ctx); err != nil {
				return pair{}, err
			}
			if all[i], err = ours(ctx); err != nil {
				return pair{}, err
			}
		}
		return pair{ours: percentile(all, percent), limit: percentile(limits, percent)}, nil
	})
}

func percentile(all []time.Duration, percent int) float64 {
	slices.Sort(all)
	return milliseconds(all[len(all)*percent/100])
}

// load is what one side did with so many callers at once.
type load struct {
	p50, p99 float64 // ms
	cpu      float64 // µs of this process for each call
}

// String says it in a few words.
func (l load) String() string {
	return fmt.Sprintf("p50 %s, p99 %s ms, %.0f µs of CPU", round(l.p50), round(l.p99), l.cpu)
}

// loads is both sides under the same load.
type loads struct {
	rates       pair // calls a second, of the round in the middle
	ours, limit load
}

// loads lets callers work on either side in turns, a round each, and says how
// many calls a second that were and how long each took, over all rounds.
func (b *bench) loads(ctx context.Context, callers int, limit, ours caller) (loads, error) {
	theirs, mine := newEffort(callers), newEffort(callers)
	warm := true
	m, err := b.rounds(ctx, func(ctx context.Context) (p pair, err error) {
		if p.limit, err = theirs.rate(ctx, b, limit); err != nil {
			return p, err
		}
		if p.ours, err = mine.rate(ctx, b, ours); err != nil {
			return p, err
		}
		if warm {
			warm = false
			theirs.forget()
			mine.forget()
		}
		return p, nil
	})
	return loads{rates: m, ours: mine.load(), limit: theirs.load()}, err
}

// caller does something again and again, as one of many.
type caller func(ctx context.Context, number int) error

// effort is what calls took, of each caller by itself.
type effort struct {
	waits [][]time.Duration
	cpu   time.Duration
}

func newEffort(callers int) *effort { return &effort{waits: make([][]time.Duration, callers)} }

// rate has the callers call f for a while, see bench.rate.
func (e *effort) rate(ctx context.Context, b *bench, f caller) (float64, error) {
	before := cpuTime()
	rate, err := b.rate(ctx, len(e.waits), func(ctx context.Context, number int) error {
		began := time.Now()
		err := f(ctx, number)
		e.waits[number] = append(e.waits[number], time.Since(began))
		return err
	})
	e.cpu += cpuTime() - before
	return rate, err
}

func (e *effort) forget() {
	for i := range e.waits {
		e.waits[i] = e.waits[i][:0]
	}
	e.cpu = 0
}

func (e *effort) load() load {
	all := slices.Concat(e.waits...)
	if len(all) == 0 {
		return load{}
	}
	return load{p50: percentile(all, 50), p99: percentile(all, 99),
		cpu: 1000 * milliseconds(e.cpu) / float64(len(all))}
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
