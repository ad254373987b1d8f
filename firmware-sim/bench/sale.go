package bench

import (
	"context"
	"errors"
)

// saleRow is one way of selling: so many callers wait for their sale at once.
type saleRow struct {
	name    string
	callers int
	goal    float64
}

var saleRows = [3]saleRow{
	{"durable sale, one till", 1, 0.7},
	{"durable sales, 8 tills", 8, 2},
	{"durable sales, 64 callers", 64, 3},
}

// sales measures sales a second against bare durable transactions a second.
func sales(row saleRow) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) (err error) {
		dir, err := b.folder("sale")
		if err != nil {
			return err
		}
		s, limit, err := openOrdinary(ctx, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, limit.Close(), s.Close()) }()
		s.start(ctx)
		tills := s.tills(row.callers)
		m, err := b.alternate(ctx,
			func(ctx context.Context) (float64, error) {
				return b.rate(ctx, 1, func(ctx context.Context, _ int) error { return limit.transact(ctx) })
			},
			func(ctx context.Context) (float64, error) {
				return b.rate(ctx, row.callers, func(ctx context.Context, i int) error { return tills[i].sell(ctx) })
			})
		if err != nil {
			return err
		}
		b.add(atLeast(b.name(row.name), "sales/s", m, row.goal))
		return nil
	}
}
