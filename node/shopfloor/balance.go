package shopfloor

import (
	"context"
	"errors"
	"runtime"
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
func (f *Floor) touch(skus []stock.SKU) { f.attention.touch(skus) }

// touchAll marks every SKU.
func (f *Floor) touchAll() { f.attention.touchAll() }

// Balance grants the cloud its share of the SKUs that were touched, unasked,
// until ctx ends.
func (f *Floor) Balance(ctx context.Context) error {
	for {
		line := f.lineChanges() // before the look, so that no change is missed
		if f.attention.ready(f.connected()) {
			if err := f.BalanceOnce(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			if f.o.Rest != nil {
				f.o.Rest(ctx)
			}
			if ctx.Err() == nil {
				continue // what was touched meanwhile, and moves that wait for their turn
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.attention.wake:
		case <-line:
		}
	}
}

const (
	// BalanceRest is the time between two looks at what the cloud is given that
	// suits a store: a look takes milliseconds that a busy till would wait for.
	BalanceRest = 200 * time.Millisecond
	// looksAtOnce bounds the SKUs that are looked at, and moved, together: tills
	// get their turn between.
	looksAtOnce = 8
)

// lineChanges is closed when the line to the cloud changes next.
func (f *Floor) lineChanges() <-chan struct{} {
	if box, ok := f.link.Load().(linkBox); ok {
		return box.Watch()
	}
	return nil
}

// BalanceOnce looks once at every SKU that was touched. While the line is cut
// nothing is granted: it would only be missing at the tills.
func (f *Floor) BalanceOnce(ctx context.Context) error {
	turns := 0
	if f.connected() {
		turns = f.forecast.turns(f.local())
	}
	skus, all := f.attention.take(turns)
	for some := range slices.Chunk(skus, looksAtOnce) {
		due, err := f.dueMoves(ctx, some)
		if err == nil {
			err = f.makeMoves(ctx, due)
		}
		if err != nil {
			return err
		}
	}
	if all {
		return f.balanceAll(ctx)
	}
	return nil
}

// balanceAll looks at every SKU.
func (f *Floor) balanceAll(ctx context.Context) error {
	after, more := stock.SKU(0), true
	for more {
		var due []move
		err := f.j.View(ctx, func(tx *journal.Tx) error {
			page, err := books.Accounts(tx, f.o.Store, after, looksAtOnce)
			more = len(page) == looksAtOnce
			for _, a := range page {
				after = a.SKU
				if due, err = f.appendMove(tx, due, a); err != nil {
					return err
				}
			}
			return err
		})
		if err == nil {
			err = f.makeMoves(ctx, due)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// makeMoves makes the moves that have their turn now.
func (f *Floor) makeMoves(ctx context.Context, due []move) error {
	runtime.Gosched() // a look at many products lets tills pass
	if f.forecast.full() {
		if err := f.SaveForecast(ctx); err != nil {
			return err
		}
	}
	var give []move
	var back []Want
	for _, m := range due {
		switch {
		case !f.connected() || !f.forecast.moved(m.sku, f.local()):
			f.attention.later(m.sku)
		case m.units < 0:
			back = append(back, Want{SKU: m.sku, Target: m.returned - m.units, Timeline: m.timeline})
		default:
			give = append(give, m)
		}
	}
	f.askBack(back)
	return f.grantUnasked(ctx, give)
}

// move is a change of a product's split that is worth a record: units for the
// cloud, or below zero units that the cloud may give back.
type move struct {
	sku      stock.SKU
	units    stock.Units
	returned stock.Units // R as it is
	timeline stock.Timeline
}

// grantUnasked grants together.
func (f *Floor) grantUnasked(ctx context.Context, give []move) error {
	proposals := make([]journal.Proposal, len(give))
	done := make([]doneFunc, len(give))
	for i, m := range give {
		proposals[i], done[i] = f.proposal(Cause{Actor: "node"}, func(tx *journal.Tx, rec *recordv1.Record) error {
			a, err := f.account(tx, m.sku)
			if err != nil || f.frozen(a) {
				return err
			}
			return grant(rec, a, min(m.units, a.Balances[ledger.Sellable]))
		})
	}
	outs, errs := f.j.AppendAll(ctx, proposals)
	var faults []error
	for i, m := range give {
		_, err := done[i](ctx, outs[i], errs[i])
		if stock.Refused(err, stock.Busy) {
			f.attention.later(m.sku)
		}
		if _, refused := stock.AsRefusal(err); !refused {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// askBack asks the cloud for units that the store is more likely to miss. It
// is a wish: nobody waits for the answer.
func (f *Floor) askBack(wants []Want) {
	box, ok := f.link.Load().(linkBox)
	if !ok || len(wants) == 0 || !box.Connected() {
		return
	}
	box.Wish(wants)
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
