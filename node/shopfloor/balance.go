package shopfloor

import (
	"context"
	"maps"
	"slices"
	"time"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// frozen tells whether new grants are off: existing ones stay valid.
func (f *Floor) frozen(a books.Account) bool {
	return f.Mode() != recordv1.NodeMode_NODE_MODE_NORMAL || a.Balances[ledger.Sellable] < 0
}

// touch marks SKUs whose share of the cloud may need a look.
func (f *Floor) touch(skus []stock.SKU) {
	if len(skus) == 0 {
		return
	}
	f.mu.Lock()
	for _, sku := range skus {
		f.touched[sku] = true
	}
	f.mu.Unlock()
	f.look()
}

// touchAll marks every SKU.
func (f *Floor) touchAll() {
	f.mu.Lock()
	f.all = true
	f.mu.Unlock()
	f.look()
}

func (f *Floor) look() {
	select {
	case f.wake <- struct{}{}:
	default: // a look is due already
	}
}

// Balance grants the cloud its share of the SKUs that were touched, unasked,
// until ctx ends.
func (f *Floor) Balance(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		}
		if err := f.BalanceOnce(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		if f.o.Rest != nil {
			f.o.Rest(ctx)
		}
	}
}

// BalanceRest is the time between two looks at what the cloud is given that suits
// a store: a look takes milliseconds that a busy till would wait for.
const BalanceRest = 200 * time.Millisecond

// BalanceOnce looks once at every SKU that was touched.
func (f *Floor) BalanceOnce(ctx context.Context) error {
	f.mu.Lock()
	skus, all := slices.Sorted(maps.Keys(f.touched)), f.all
	clear(f.touched)
	f.all = false
	f.mu.Unlock()
	due, err := f.dueMoves(ctx, skus)
	if all && err == nil {
		due, err = f.allDueMoves(ctx)
	}
	if err != nil {
		return err
	}
	var back []Want
	for _, m := range due {
		if !f.forecast.moved(m.sku, f.local()) {
			f.touchLater(m.sku)
			continue
		}
		if m.units < 0 {
			back = append(back, Want{SKU: m.sku, Target: m.returned - m.units, Timeline: m.timeline})
			continue
		}
		if err := f.grantUnasked(ctx, m); err != nil {
			return err
		}
	}
	f.askBack(back)
	return nil
}

// move is a change of a product's split that is worth a record: units for the
// cloud, or below zero units that the cloud may give back.
type move struct {
	sku      stock.SKU
	units    stock.Units
	returned stock.Units // R as it is
	timeline stock.Timeline
}

func (f *Floor) grantUnasked(ctx context.Context, m move) error {
	_, err := f.write(ctx, Cause{Actor: "node"}, func(tx *journal.Tx, rec *recordv1.Record) error {
		a, err := f.account(tx, m.sku)
		if err != nil || f.frozen(a) {
			return err
		}
		return grant(rec, a, min(m.units, a.Balances[ledger.Sellable]))
	})
	if stock.Refused(err, stock.Busy) {
		f.touchLater(m.sku)
	}
	if _, refused := stock.AsRefusal(err); refused {
		return nil
	}
	return err
}

// touchLater marks a SKU for the next look; waking now would only add to the
// crowd.
func (f *Floor) touchLater(sku stock.SKU) {
	f.mu.Lock()
	f.touched[sku] = true
	f.mu.Unlock()
}

// askBack asks the cloud for units that the store is more likely to miss. It
// is a wish: nobody waits for the answer.
func (f *Floor) askBack(wants []Want) {
	box, ok := f.link.Load().(linkBox)
	if !ok || len(wants) == 0 || !box.Connected() {
		return
	}
	if l, can := box.Link.(interface{ Wish(wants []Want) }); can {
		l.Wish(wants)
	}
}

// accountsPage bounds the accounts that are looked at together.
const accountsPage = 1000

// allDueMoves looks at every SKU.
func (f *Floor) allDueMoves(ctx context.Context) (due []move, err error) {
	after, more := stock.SKU(0), true
	for more && err == nil {
		err = f.j.View(ctx, func(tx *journal.Tx) error {
			page, err := books.Accounts(tx, f.o.Store, after, accountsPage)
			more = len(page) == accountsPage
			for _, a := range page {
				after = a.SKU
				if due, err = f.appendMove(tx, due, a); err != nil {
					return err
				}
			}
			return err
		})
	}
	return due, err
}

// dueMoves looks, outside the writer, which SKUs need a move at all.
func (f *Floor) dueMoves(ctx context.Context, skus []stock.SKU) (due []move, err error) {
	err = f.j.View(ctx, func(tx *journal.Tx) error {
		for _, sku := range skus {
			a, err := f.account(tx, sku)
			if err != nil {
				return err
			}
			if due, err = f.appendMove(tx, due, a); err != nil {
				return err
			}
		}
		return nil
	})
	return due, err
}

func (f *Floor) appendMove(tx *journal.Tx, due []move, a books.Account) ([]move, error) {
	n, err := f.unasked(tx, a)
	if err != nil || n == 0 {
		return due, err
	}
	return append(due, move{sku: a.SKU, units: n, returned: a.Rights.Returned, timeline: a.Rights.Timeline}), nil
}

// unasked is how a product's split should change now: by the policy's fixed
// share, or by what customers and shoppers are expected to ask for.
func (f *Floor) unasked(tx *journal.Tx, a books.Account) (stock.Units, error) {
	n, err := f.forecast.look(tx, a, f.local(), f.connected())
	if err != nil || f.frozen(a) {
		return 0, err
	}
	if share := f.Policy().GetSharePermille(); share > 0 {
		return escrow.Unasked(a.Balances[ledger.Sellable], a.Rights.Online(), share), nil
	}
	return min(n, max(0, a.Balances[ledger.Sellable])), nil
}
