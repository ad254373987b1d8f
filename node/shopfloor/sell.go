package shopfloor

import (
	"context"
	"fmt"
	"slices"
	"time"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
)

// recallWait bounds how long a customer at the till waits for the cloud to
// give units back.
const recallWait = 1500 * time.Millisecond

// maxBumped bounds how many reservations one sale may make short.
const maxBumped = 20

// Decider is the person who decided to sell a unit that is promised.
type Decider struct {
	Name    string
	Manager bool
}

// Sell asks for a sale. Lines carry SKU, units and prices.
type Sell struct {
	Cause
	Till     string
	Lines    []*recordv1.SaleLine
	Currency string
	Basket   ID
	// Decided is set when a person has seen that units are promised online and
	// sells all the same.
	Decided *Decider
}

// Sell books what a customer takes. Units that are the store's own are sold at
// once. When there are too few, the cloud is asked to return some; when that
// does not help either, the refusal PromisedOnline or ManagerNeeded says who
// must decide. A unit that the books do not know of at all is in the
// customer's hand all the same: it is booked as found.
func (f *Floor) Sell(ctx context.Context, s Sell) (Written, error) {
	for _, l := range s.Lines {
		if err := countable(stock.Units(l.GetUnits())); err != nil {
			return Written{}, err
		}
	}
	w, err := f.sellOwn(ctx, s)
	if !stock.Refused(err, stock.Short) {
		return w, err
	}
	if f.recall(ctx, s.Lines) {
		if w, err = f.sellOwn(ctx, s); !stock.Refused(err, stock.Short) {
			return w, err
		}
	}
	return f.once(ctx, s.Cause, s.is(), func(tx *journal.Tx, rec *recordv1.Record) error {
		sale, err := f.lastUnits(tx, s)
		if err != nil {
			return err
		}
		rec.Body = &recordv1.Record_Sale{Sale: sale}
		return nil
	})
}

func (f *Floor) sellOwn(ctx context.Context, s Sell) (Written, error) {
	mode := recordv1.SaleMode_SALE_MODE_NORMAL
	if f.Mode() == recordv1.NodeMode_NODE_MODE_SAFE {
		mode = recordv1.SaleMode_SALE_MODE_SAFE
	}
	return f.once(ctx, s.Cause, s.is(), func(_ *journal.Tx, rec *recordv1.Record) error {
		rec.Body = &recordv1.Record_Sale{Sale: s.sale(mode)}
		return nil
	})
}

// is matches a sale of the same units; the price may have changed since.
func (s Sell) is() isFunc {
	return is(func(rec *recordv1.Record) bool {
		return rec.GetSale() != nil && slices.EqualFunc(rec.GetSale().GetLines(), s.Lines,
			func(a, b *recordv1.SaleLine) bool {
				return a.GetSku() == b.GetSku() && a.GetUnits() == b.GetUnits()
			})
	})
}

func (s Sell) sale(mode recordv1.SaleMode) *recordv1.Sale {
	sale := &recordv1.Sale{Till: s.Till, Lines: s.Lines, Mode: mode, Currency: s.Currency}
	if s.Basket != (ID{}) {
		sale.Basket = s.Basket[:]
	}
	return sale
}

// recall asks the cloud for the units that a sale is short of and waits for
// them. It tells whether the sale should be tried again.
func (f *Floor) recall(ctx context.Context, lines []*recordv1.SaleLine) bool {
	if !f.connected() {
		return false
	}
	var wants []Want
	err := f.j.View(ctx, func(tx *journal.Tx) error {
		for sku, n := range wanted(lines) {
			a, err := f.account(tx, sku)
			if err != nil {
				return err
			}
			if missing := n - a.Balances[ledger.Sellable]; missing > 0 && a.Rights.Online() >= missing {
				wants = append(wants, Want{SKU: sku, Target: a.Rights.Returned + missing,
					Timeline: a.Rights.Timeline})
			}
		}
		return nil
	})
	if err != nil || len(wants) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, recallWait)
	defer cancel()
	if err := f.link.Load().(linkBox).AskReturn(ctx, wants); err != nil {
		return false
	}
	return f.awaitReturns(ctx, wants)
}

// awaitReturns waits until every target is reached or ctx ends.
func (f *Floor) awaitReturns(ctx context.Context, wants []Want) bool {
	for {
		changed := f.j.Changed(f.j.Head().Seq)
		reached := true
		err := f.j.View(ctx, func(tx *journal.Tx) error {
			for _, w := range wants {
				a, err := f.account(tx, w.SKU)
				if err != nil {
					return err
				}
				reached = reached && a.Rights.Returned >= w.Target
			}
			return nil
		})
		if err != nil || reached {
			return err == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// wanted sums a sale's units by SKU.
func wanted(lines []*recordv1.SaleLine) map[stock.SKU]stock.Units {
	sum := make(map[stock.SKU]stock.Units, len(lines))
	for _, l := range lines {
		sum[stock.SKU(l.GetSku())] += stock.Units(l.GetUnits())
	}
	return sum
}

// Levels of the last-unit policy.
const (
	levelOwn   = 0 // the store's own units suffice
	levelLend  = 2 // units that the cloud may have promised
	levelBump  = 3 // units of known reservations
	levelFound = 4 // the books know of no such unit, and nothing is promised
)

// shortfall is how a sale that sellable does not cover could be covered: by
// units that the books did not know of, then by units of known reservations,
// and the rest by units that the cloud may have promised.
type shortfall struct {
	sku         stock.SKU
	level       int
	found, bump stock.Units
	debt        bool        // sellable goes below zero
	promised    stock.Units // online and reserved here
	risk        uint32
}

// cover plans how n units of a SKU are covered.
func cover(a books.Account, n stock.Units) shortfall {
	own, online, reserved := a.Balances[ledger.Sellable], a.Balances[ledger.Online], a.Balances[ledger.Reserved]
	if own >= n {
		return shortfall{sku: a.SKU}
	}
	s := shortfall{sku: a.SKU, level: levelLend, promised: online + reserved}
	s.found = max(0, n-(own+online+reserved))
	s.bump = min(reserved, max(0, n-s.found-(own+online)))
	s.debt = own+s.found+s.bump < n
	s.risk = escrow.Risk(a.Rights.Online(), n-s.found-s.bump-max(0, own))
	switch {
	case s.bump > 0:
		s.level, s.risk = levelBump, 1000
	case s.found > 0 && !s.debt:
		s.level, s.risk = levelFound, 0
	}
	return s
}

// lastUnits decides, in the writer, how a sale beyond sellable is booked.
func (f *Floor) lastUnits(tx *journal.Tx, s Sell) (*recordv1.Sale, error) {
	need := wanted(s.Lines)
	if len(need) != 1 {
		return nil, f.firstShort(tx, s, need)
	}
	sku := stock.SKU(s.Lines[0].GetSku())
	a, err := f.account(tx, sku)
	if err != nil {
		return nil, err
	}
	short := cover(a, need[sku])
	if err := f.mayLend(short, s.Decided); err != nil {
		return nil, err
	}
	return f.lend(tx, s, short)
}

// firstShort names the first line of a basket that needs a person; a till then
// sells that line alone.
func (f *Floor) firstShort(tx *journal.Tx, s Sell, need map[stock.SKU]stock.Units) error {
	for _, l := range s.Lines {
		sku := stock.SKU(l.GetSku())
		a, err := f.account(tx, sku)
		if err != nil {
			return err
		}
		if have := a.Balances[ledger.Sellable]; have < need[sku] {
			return stock.Refuse(stock.Short, "sku %d: sellable %d, need %d; sell this line alone",
				sku, have, need[sku]).With("available", max(0, have)).With("wanted", need[sku]).With("sku", sku)
		}
	}
	return stock.Refuse(stock.Busy, "stock changed while the sale was booked").With("after_ms", 0)
}

// mayLend applies the policy to a unit that is promised.
func (f *Floor) mayLend(s shortfall, by *Decider) error {
	if s.level == levelOwn || s.level == levelFound {
		return nil
	}
	p := f.Policy()
	manager := s.level == levelBump || p.GetLastUnit() == recordv1.LastUnitPolicy_LAST_UNIT_POLICY_BLOCK
	cheap := uint64(s.risk)*uint64(p.GetBrokenCost()) < 1000*uint64(p.GetStoreCost())
	if p.GetLastUnit() == recordv1.LastUnitPolicy_LAST_UNIT_POLICY_AUTO && !manager && cheap {
		return nil
	}
	if by != nil && by.Name != "" && (by.Manager || !manager) {
		return nil
	}
	code := stock.PromisedOnline
	if manager {
		code = stock.ManagerNeeded
	}
	return stock.Refuse(code, "sku %d: %d promised, %d to bump", s.sku, s.promised, s.bump).
		With("promised", s.promised).With("available", 0).With("risk", s.risk).
		With("level", fmt.Sprintf("L%d", s.level)).With("sku", s.sku)
}

// lend books a sale that sellable does not cover, in one entry with what
// covers it.
func (f *Floor) lend(tx *journal.Tx, s Sell, short shortfall) (*recordv1.Sale, error) {
	sale := s.sale(recordv1.SaleMode_SALE_MODE_NORMAL)
	if short.level == levelOwn {
		return sale, nil
	}
	if short.found > 0 {
		sale.Mode = recordv1.SaleMode_SALE_MODE_FOUND
		sale.Found = []*recordv1.MovementLine{{Sku: uint32(short.sku), Units: int64(short.found)}}
	}
	if short.level == levelFound {
		return sale, nil
	}
	sale.RiskPermille, sale.DecidedBy = short.risk, "policy"
	if s.Decided != nil {
		sale.DecidedBy = s.Decided.Name
	}
	if short.bump > 0 {
		bumped, err := f.bump(tx, short.sku, short.bump, sale.DecidedBy)
		if err != nil {
			return nil, err
		}
		sale.Mode, sale.Bumped = recordv1.SaleMode_SALE_MODE_BUMP, bumped
	}
	if short.debt {
		sale.Mode = recordv1.SaleMode_SALE_MODE_BORROW
	}
	return sale, nil
}

// bump chooses the reservations that lose units: the newest first, and only
// units that nobody has picked yet.
func (f *Floor) bump(tx *journal.Tx, sku stock.SKU, n stock.Units, by string) ([]*recordv1.Shortage, error) {
	open, err := books.OpenReservations(tx, f.o.Store, maxOpen)
	if err != nil {
		return nil, err
	}
	newestFirst(open)
	var bumped []*recordv1.Shortage
	for _, r := range open {
		for _, l := range r.Lines {
			k := min(n, l.At(reservation.Reserved))
			if l.SKU != sku || k <= 0 || len(bumped) == maxBumped {
				continue
			}
			n -= k
			bumped = append(bumped, &recordv1.Shortage{Reservation: r.ID[:], Line: l.Line, Units: int64(k),
				Reason: recordv1.ShortReason_SHORT_REASON_BUMPED, DecidedBy: by})
		}
	}
	if n > 0 {
		return nil, stock.Refuse(stock.TooMany, "more than %d reservations would lose units", maxBumped).
			With("limit", maxBumped).With("what", "reservations")
	}
	return bumped, nil
}
