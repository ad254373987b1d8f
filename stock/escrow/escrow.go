// Package escrow holds the rules by which a store lets the cloud promise
// units: three counters that only rise, each with one writer, and how much to give.
package escrow

import "holdfast.dev/stock"

// Rights are the counters of one SKU as the store keeps them. The zero value
// is a SKU that nothing was ever granted of.
type Rights struct {
	Timeline stock.Timeline
	Granted  stock.Units // G: all that was ever given to the cloud
	Returned stock.Units // R: all that the cloud gave back, as applied here
	Assigned stock.Units // A: all that reservations known here took
}

// Online is what the cloud may still promise, or has promised unheard.
func (r Rights) Online() stock.Units { return r.Granted - r.Returned - r.Assigned }

// Grant raises G by n. total is what the record says G is afterwards; a
// difference means that the two sides disagree on history.
func (r Rights) Grant(n, total stock.Units) (Rights, error) {
	if n <= 0 || r.Granted+n != total {
		return r, stock.Refuse(stock.BadUnits, "grant %d on %d does not make %d", n, r.Granted, total)
	}
	r.Granted = total
	return r, nil
}

// Return raises R by n; total as for Grant.
func (r Rights) Return(n, total stock.Units) (Rights, error) {
	if n <= 0 || r.Returned+n != total || n > r.Online() {
		return r, stock.Refuse(stock.BadUnits, "return %d on %d does not make %d, online %d",
			n, r.Returned, total, r.Online())
	}
	r.Returned = total
	return r, nil
}

// Assign raises A by n, for a reservation that becomes known.
func (r Rights) Assign(n stock.Units) (Rights, error) {
	if n <= 0 || n > r.Online() {
		return r, stock.Refuse(stock.Short, "assign %d, online %d", n, r.Online())
	}
	r.Assigned += n
	return r, nil
}

// Pool is the cloud's view of one (store, SKU): what it may promise.
type Pool struct {
	Granted  stock.Units // G as applied by the cloud
	Returned stock.Units // R as decided by the cloud
	Assigned stock.Units // A: units of confirmed reservations
	Held     stock.Units // units in carts
}

// Free is what may still be held or promised. It is never below zero.
func (p Pool) Free() stock.Units { return p.Granted - p.Returned - p.Assigned - p.Held }

// Hold moves n free units to a cart.
func (p Pool) Hold(n stock.Units) (Pool, error) {
	if n <= 0 {
		return p, stock.Refuse(stock.BadUnits, "hold %d units", n)
	}
	if n > p.Free() {
		return p, stock.Refuse(stock.Short, "pool has %d, need %d", p.Free(), n).
			With("available", p.Free()).With("wanted", n)
	}
	p.Held += n
	return p, nil
}

// Release gives n held units back to the pool.
func (p Pool) Release(n stock.Units) (Pool, error) {
	if n <= 0 || n > p.Held {
		return p, stock.Refuse(stock.BadUnits, "release %d of %d held", n, p.Held)
	}
	p.Held -= n
	return p, nil
}

// Confirm turns n held units into promised ones.
func (p Pool) Confirm(n stock.Units) (Pool, error) {
	q, err := p.Release(n)
	if err != nil {
		return p, err
	}
	q.Assigned += n
	return q, nil
}

// ReturnUpTo is how many units to give back so that R reaches target: what is
// free of it, never below zero. A late duplicate asks for nothing.
func (p Pool) ReturnUpTo(target stock.Units) stock.Units {
	return max(0, min(p.Free(), target-p.Returned))
}

// GrantUpTo is how many units a store grants when a shopper waits and asks
// that G reach target: what sellable has above the floor.
func GrantUpTo(sellable, floor stock.Units, r Rights, target stock.Units) stock.Units {
	return max(0, min(sellable-floor, target-r.Granted))
}

// Share is the part of the free units that a store gives the cloud unasked, in
// thousandths, when the policy does not say.
const Share = 500

// Unasked is how many units to grant now, unasked, so that the cloud has its
// share of the free units while the cable is cut. Small differences are left
// alone: every grant is a record.
func Unasked(sellable, online stock.Units, permille uint32) stock.Units {
	if permille == 0 {
		permille = Share
	}
	free := max(0, sellable) + max(0, online)
	target := free * stock.Units(permille) / 1000 // the odd unit stays in the store
	missing := target - max(0, online)
	if missing < Step(target) {
		return 0
	}
	return max(0, min(missing, sellable))
}
