package bench

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
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
func (b *bench) rate(ctx context.Context, callers int, f func(ctx context.Context, caller int) error) (float64, error) {
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

// timed does something once and says how long it took.
type timed func(context.Context) (time.Duration, error)

// p99 lets both sides work in turns, once each, so that both meet the same disk
// at the same pace, and returns the 99th percentiles in milliseconds.
func (b *bench) p99(ctx context.Context, limit, ours timed) (pair, error) {
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
		return pair{ours: percentile99(all), limit: percentile99(limits)}, nil
	})
}

func percentile99(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)*99/100].Nanoseconds()) / 1e6
}
