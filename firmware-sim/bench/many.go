package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	recordv1 "holdfast.dev/proto/record/v1"
)

const manyGoal = 0.2

func (b *bench) manyRow() string {
	return b.name(fmt.Sprintf("journal entries applied from %d stores at once", b.size.stores))
}

// many measures how many records a second one process of the cloud applies and
// acknowledges when many stores have some at the same moment, against inserting
// as many equal rows in batches.
func many(ctx context.Context, b *bench) (err error) {
	f, err := b.openFleet(ctx, b.size.stores, 0, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	ctx, cancel := f.lives(ctx)
	defer cancel()
	if err := f.connect(ctx, b); err != nil {
		return err
	}
	if err := f.sell(1); err != nil {
		return err
	}
	rowBytes := f.nodes[0].newest()
	if err := f.tell(ctx); err != nil {
		return err
	}
	dir, err := b.folder("many")
	if err != nil {
		return err
	}
	limit, err := openBare(ctx, dir, rowBytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, limit.Close()) }()
	each := b.size.backlog / b.size.stores
	m, err := b.alternate(ctx,
		func(ctx context.Context) (float64, error) { return limit.insert(ctx, b.size.backlog) },
		func(ctx context.Context) (float64, error) {
			if err := f.sell(each); err != nil {
				return 0, err
			}
			return once(ctx, each*b.size.stores, f.tell)
		})
	if err != nil {
		return err
	}
	b.add(atLeast(b.manyRow(), "records/s", m, manyGoal))
	return nil
}

// sell writes so many sales into the journal of each store.
func (f *fleet) sell(each int) error {
	for i, n := range f.nodes {
		for k := range each {
			if err := n.prepare(paperSale(n.epoch, i+k)); err != nil {
				return err
			}
		}
	}
	return nil
}

// paperSale is a sale as a till would have booked it.
func paperSale(epoch *recordv1.Epoch, number int) *recordv1.Record {
	uid, basket := uuid.New(), uuid.New()
	sku := uint32(1 + number%reserveSKUs)
	return &recordv1.Record{Epoch: epoch, Uid: uid[:], Actor: "till 1", Device: "scanner",
		Body: &recordv1.Record_Sale{Sale: &recordv1.Sale{Till: "till 1", Currency: currency,
			Mode: recordv1.SaleMode_SALE_MODE_NORMAL, Basket: basket[:],
			Lines: []*recordv1.SaleLine{{Sku: sku, Units: 1, PriceMinor: 199, TotalMinor: 199,
				VatPermille: 90}}}}}
}

// tell lets all lines have what was written, and waits until the cloud has it.
func (f *fleet) tell(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*patience)
	defer cancel()
	all, ctx := errgroup.WithContext(ctx)
	for _, n := range f.nodes {
		n.show()
		all.Go(func() error { return n.taken(ctx) })
	}
	return all.Wait()
}
