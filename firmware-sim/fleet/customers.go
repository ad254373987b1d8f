package fleet

import (
	"slices"
	"time"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/ledger"
)

// wish is what somebody wants of one SKU.
type wish struct {
	cell  *cell
	units stock.Units
}

// natural is how many units beyond one a person thinks of.
func (c *cell) natural(by chance) stock.Units {
	if c.st.w.products[c.sku-1].weighed {
		return stock.Units(by.between(1, 12) * 100)
	}
	return stock.Units(by.IntN(3))
}

// anyCell picks a SKU; a few are wanted much more than the others.
func (w *World) anyCell(st *store, c chance) *cell {
	n := w.mix.stocked
	if c.of(700) {
		n = w.mix.wanted
	}
	return st.cells[w.mix.dealtWith(c.IntN(n))]
}

// wishes picks different SKUs.
func (w *World) wishes(st *store, c chance, most int) []wish {
	var all []wish
	for range c.between(1, most) {
		cell := w.anyCell(st, c)
		if !slices.ContainsFunc(all, func(o wish) bool { return o.cell == cell }) {
			all = append(all, wish{cell, max(1, cell.natural(c))})
		}
	}
	return all
}

func skusOf(all []wish) []stock.SKU {
	skus := make([]stock.SKU, len(all))
	for i, w := range all {
		skus[i] = w.cell.sku
	}
	return skus
}

// sale is a customer who takes things from the shelf and pays for them.
func (w *World) sale(st *store, c chance) {
	w.start(func(r *routine) {
		basket := w.wishes(st, c, 2)
		basket = slices.DeleteFunc(basket, func(o wish) bool { return o.cell.shelf == 0 })
		for i := range basket {
			basket[i].units = basket[i].cell.take(basket[i].units)
		}
		if len(basket) == 0 {
			return // nothing to buy
		}
		r.sleep(c.span(0, w.mix.day/200))
		r.pay(st, c, basket)
	})
}

// pay takes a basket to a till. What the till refuses goes back to the shelf,
// unless somebody decides otherwise.
func (r *routine) pay(st *store, c chance, basket []wish) {
	if len(basket) == 1 && c.of(300) && r.payByScan(st, c, basket[0]) {
		return
	}
	lines := make([]*recordv1.SaleLine, len(basket))
	for i, b := range basket {
		lines[i] = shopfloor.SaleLine(r.w.label(b.cell.sku), b.units)
	}
	sell := shopfloor.Sell{Cause: shopfloor.Cause{ID: c.id(), Actor: "till"}, Lines: lines, Currency: "EUR"}
	var sold shopfloor.Written
	ask := func() error {
		return r.ask(step{st: st, by: c, skus: skusOf(basket), keep: sell.ID,
			do: func(f *shopfloor.Floor, till string) (err error) {
				sell.Till = till
				sold, err = f.Sell(r.w.ctx, sell)
				return err
			},
			again: func(f *shopfloor.Floor, epoch stock.Epoch) error {
				sell.Resent = &epoch
				_, err := f.Sell(r.w.ctx, sell)
				return err
			}})
	}
	err := ask()
	if r.decides(st, c, basket, err) {
		sell.Decided = &shopfloor.Decider{Name: "Mia", Manager: c.of(700)}
		r.sleep(c.span(0, 30*time.Second))
		err = ask()
	}
	r.leave(st, basket, err)
	if err == nil && sold.Repeated {
		r.w.marks.hit(markTillRepeated)
	}
}

// decides tells whether a person sells units that are promised.
func (r *routine) decides(st *store, c chance, basket []wish, err error) bool {
	promised := stock.Refused(err, stock.PromisedOnline) || stock.Refused(err, stock.ManagerNeeded)
	if promised {
		r.w.markPromised(st, basket)
	}
	return promised && r.w.has(faultOverride) && c.of(600)
}

// payByScan pays for units of one product by its code.
func (r *routine) payByScan(st *store, c chance, b wish) bool {
	p := r.w.products[b.cell.sku-1]
	if b.units != 1 && !p.weighed || b.cell.label(st.box) == nil {
		return false
	}
	scan := shopfloor.Scan{ID: c.id(), Device: "scanner", Data: []byte(p.gtin)}
	if p.weighed {
		scan.Units = b.units
	}
	err := r.ask(step{st: st, by: c, asked: scan.ID, skus: []stock.SKU{b.cell.sku},
		do: func(f *shopfloor.Floor, till string) error {
			a, _, err := f.Scan(r.w.ctx, till, scan)
			if err == nil && a.Refusal != nil {
				return a.Refusal
			}
			return err
		}})
	r.leave(st, []wish{b}, err)
	return true
}

// leave lets a customer go home with what was paid for, or put it back.
func (r *routine) leave(st *store, basket []wish, err error) {
	for _, b := range basket {
		if err != nil {
			b.cell.putBack(b.units)
		} else {
			b.cell.hands -= b.units
			b.cell.soldN += b.units
			st.sold = append(st.sold, sold{b.cell.sku, b.units, false})
		}
		b.cell.touch()
	}
	if err != nil {
		r.w.logf("store %d: a customer leaves without: %v", st.id, err)
	}
}

// returning is a customer who brings something back.
func (w *World) returning(st *store, c chance) {
	if len(st.sold) == 0 {
		return
	}
	i := c.IntN(len(st.sold))
	s := st.sold[i]
	st.sold = slices.Delete(st.sold, i, i+1)
	w.start(func(r *routine) { r.bringBack(st, c, s) })
}

func (r *routine) bringBack(st *store, c chance, s sold) {
	cell, cause, broken := st.cell(s.sku), shopfloor.Cause{ID: c.id()}, c.of(300)
	lines := []*recordv1.MovementLine{{Sku: uint32(s.sku), Units: int64(s.units)}}
	err := r.ask(step{st: st, by: c, skus: []stock.SKU{s.sku}, keep: cause.ID,
		do: func(f *shopfloor.Floor, _ string) error {
			_, err := f.Refund(r.w.ctx, cause, id{}, lines, broken)
			return err
		},
		again: func(f *shopfloor.Floor, epoch stock.Epoch) error {
			late := cause
			late.Resent = &epoch
			_, err := f.Refund(r.w.ctx, late, id{}, lines, broken)
			return err
		}})
	if err != nil {
		r.w.fail("REFUSED", "store %d: goods that came back: %v", st.id, err)
		return
	}
	if s.collected {
		r.w.marks.hit(markReturned)
	}
	cell.returned += s.units
	if broken {
		cell.damaged += s.units
	} else {
		cell.back += s.units
	}
	cell.touch()
}

// label is a product as the catalogue has it.
func (w *World) label(sku stock.SKU) *recordv1.Product {
	p := w.products[sku-1]
	unit := "each"
	if p.weighed {
		unit = "g"
	}
	return &recordv1.Product{Sku: uint32(sku), Gtin: p.gtin, Name: "Product " + p.gtin[8:13], Unit: unit,
		PriceMinor: 199, Currency: "EUR", VatPermille: 90}
}

// label is a product as a box knows it, nil if it does not.
func (c *cell) label(b *box) *recordv1.Product {
	since := c.st.w.office.since[c.sku-1]
	if b == nil || since == 0 || since > b.catalogue {
		return nil
	}
	return c.st.w.label(c.sku)
}

// free is what the store could sell without asking, as its books say.
func (c *cell) free() stock.Units { return c.at(ledger.Sellable) }
