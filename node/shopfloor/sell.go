package shopfloor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
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
	if s.Resent != nil {
		return f.sellResent(ctx, s)
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

// sellResent books a sale that a till sends again. If a shelf was counted since,
// the count has missed the units already.
func (f *Floor) sellResent(ctx context.Context, s Sell) (Written, error) {
	if s.Resent.Compare(f.Epoch()) > 0 {
		return f.sellLater(ctx, s)
	}
	return f.once(ctx, s.Cause, s.is(), func(tx *journal.Tx, rec *recordv1.Record) error {
		sale := s.sale(recordv1.SaleMode_SALE_MODE_SAFE)
		b := books.Open(tx, f.o.Store)
		need := wanted(s.Lines)
		for _, sku := range slices.Sorted(maps.Keys(need)) {
			counted, err := b.CountedSince(sku, *s.Resent)
			if err != nil {
				return err
			}
			if counted {
				sale.Found = append(sale.Found, &recordv1.MovementLine{Sku: uint32(sku), Units: int64(need[sku])})
			}
		}
		rec.Body = &recordv1.Record_Sale{Sale: sale}
		return nil
	})
}

// sellLater books a sale of an epoch that this box, put back from a backup, has
// not reached: should it be lost in turn, the sale must not look older than it is.
func (f *Floor) sellLater(ctx context.Context, s Sell) (Written, error) {
	w, err := f.resend(ctx, s.Cause, s.is(), func(_ *journal.Tx, rec *recordv1.Record) error {
		rec.Body = &recordv1.Record_Sale{Sale: s.sale(recordv1.SaleMode_SALE_MODE_SAFE)}
		return nil
	})
	if fact := w.Record.GetSalvage(); err == nil && fact != nil {
		w.Record, err = books.Fact(fact)
	}
	return w, err
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
		need := wanted(lines)
		for _, sku := range slices.Sorted(maps.Keys(need)) {
			a, err := f.account(tx, sku)
			if err != nil {
				return err
			}
			missing := min(need[sku]-a.Balances[ledger.Sellable], a.Rights.Online())
			if missing > 0 {
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
	lent        stock.Units // of what the cloud may promise
	risk        uint32      // thousandths that a promise breaks
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
	s.lent = n - s.bump - own - s.found // with what was lent before
	switch {
	case s.bump > 0:
		s.level = levelBump
	case s.found > 0 && !s.debt:
		s.level = levelFound
	}
	return s
}

// lastUnits decides, in the writer, how a sale beyond sellable is booked: all
// of it, or none. A refusal is about the product that needs the most.
func (f *Floor) lastUnits(tx *journal.Tx, s Sell) (*recordv1.Sale, error) {
	var all []shortfall
	var refused *stock.Refusal
	need := wanted(s.Lines)
	for _, sku := range slices.Sorted(maps.Keys(need)) {
		a, err := f.account(tx, sku)
		if err != nil {
			return nil, err
		}
		short := cover(a, need[sku])
		if short.risk, err = f.riskOf(tx, a, short); err != nil {
			return nil, err
		}
		all = append(all, short)
		no := f.mayLend(short, s.Decided)
		if no != nil && (refused == nil || no.Code == stock.ManagerNeeded && refused.Code != no.Code) {
			refused = no
		}
	}
	if refused != nil {
		return nil, refused
	}
	sale := s.sale(recordv1.SaleMode_SALE_MODE_NORMAL)
	for _, short := range all {
		if err := f.lend(tx, sale, short, s.Decided); err != nil {
			return nil, err
		}
	}
	return sale, nil
}

// riskOf is the chance that a sale breaks a promise, in thousandths.
func (f *Floor) riskOf(tx *journal.Tx, a books.Account, s shortfall) (uint32, error) {
	switch s.level {
	case levelBump:
		return 1000, nil
	case levelLend:
		return f.forecast.risk(tx, a, s.lent, f.local())
	}
	return 0, nil
}

// mayLend applies the policy to a unit that is promised.
func (f *Floor) mayLend(s shortfall, by *Decider) *stock.Refusal {
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

// gravity orders the modes of a sale of several products: the gravest names it.
var gravity = map[recordv1.SaleMode]int{recordv1.SaleMode_SALE_MODE_FOUND: 1,
	recordv1.SaleMode_SALE_MODE_BUMP: 2, recordv1.SaleMode_SALE_MODE_BORROW: 3}

// lend adds to a sale what covers one product that sellable does not.
func (f *Floor) lend(tx *journal.Tx, sale *recordv1.Sale, short shortfall, by *Decider) error {
	if short.level == levelOwn {
		return nil
	}
	mode := recordv1.SaleMode_SALE_MODE_FOUND
	if short.found > 0 {
		sale.Found = append(sale.Found, &recordv1.MovementLine{Sku: uint32(short.sku), Units: int64(short.found)})
	}
	if short.level != levelFound {
		sale.RiskPermille, sale.DecidedBy = max(sale.RiskPermille, short.risk), "policy"
		if by != nil {
			sale.DecidedBy = by.Name
		}
	}
	if short.bump > 0 {
		bumped, err := f.bump(tx, short.sku, short.bump, sale.DecidedBy)
		if err != nil {
			return err
		}
		mode, sale.Bumped = recordv1.SaleMode_SALE_MODE_BUMP, append(sale.Bumped, bumped...)
	}
	if short.debt {
		mode = recordv1.SaleMode_SALE_MODE_BORROW
	}
	if gravity[mode] > gravity[sale.Mode] {
		sale.Mode = mode
	}
	return nil
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
