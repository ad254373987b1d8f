package shopfloor

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// maxDocument bounds the length of a delivery id.
const maxDocument = 64

// CheckDelivery refuses a delivery id that was booked before.
func (f *Floor) CheckDelivery(ctx context.Context, document string) error {
	return f.j.View(ctx, func(tx *journal.Tx) error { return f.checkDelivery(tx, document) })
}

func (f *Floor) checkDelivery(tx *journal.Tx, document string) error {
	if document == "" || len(document) > maxDocument {
		return stock.Refuse(stock.BadRequest, "delivery id of %d characters", len(document)).
			With("what", "delivery id")
	}
	d, err := books.Document(tx, f.o.Store, document)
	if err != nil || d.Count == 0 {
		return err
	}
	return used(document, d)
}

func used(document string, d books.DocumentState) error {
	return stock.Refuse(stock.DocumentUsed, "delivery %q has %d positions since record %d",
		document, d.Count, d.First).With("document", document)
}

// Receive books a whole delivery at once. A delivery that was booked before is
// refused and changes nothing.
func (f *Floor) Receive(ctx context.Context, c Cause, document string,
	lines []*recordv1.MovementLine) (Written, error) {
	if f.resent(c) {
		return f.ReceiveAgain(ctx, c, &recordv1.Receipt{Document: document, Lines: lines})
	}
	return f.once(ctx, c, isReceipt(document, lines), func(tx *journal.Tx, rec *recordv1.Record) error {
		if err := f.checkDelivery(tx, document); err != nil {
			return err
		}
		rec.Body = &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{Document: document, Lines: lines}}
		return nil
	})
}

func isReceipt(document string, lines []*recordv1.MovementLine) isFunc {
	return is(func(rec *recordv1.Record) bool {
		was := rec.GetReceipt()
		return was != nil && was.GetDocument() == document && equalLines(was.GetLines(), lines)
	})
}

func equalLines(a, b []*recordv1.MovementLine) bool {
	return slices.EqualFunc(a, b, func(x, y *recordv1.MovementLine) bool { return proto.Equal(x, y) })
}

// ReceiveScan books one scan of an open delivery. A delivery that was booked
// whole meanwhile is refused.
func (f *Floor) ReceiveScan(ctx context.Context, c Cause, document string, sku stock.SKU,
	n stock.Units) (Written, error) {
	match := isReceipt(document, oneLine(sku, n))
	return f.once(ctx, c, match, func(tx *journal.Tx, rec *recordv1.Record) error {
		d, err := books.Document(tx, f.o.Store, document)
		if err != nil {
			return err
		}
		if d.Count > int(d.Last) { // position 0 is there too: the whole
			return used(document, d)
		}
		rec.Body = &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{Document: document,
			Position: d.Last + 1, Lines: oneLine(sku, n)}}
		return nil
	})
}

func oneLine(sku stock.SKU, n stock.Units) []*recordv1.MovementLine {
	return []*recordv1.MovementLine{{Sku: uint32(sku), Units: int64(n)}}
}

// Count books what a person saw on the shelf: the units that are the store's
// own, online and reserved together.
func (f *Floor) Count(ctx context.Context, c Cause, sku stock.SKU, counted stock.Units,
	reason string) (Written, error) {
	if counted < 0 || counted > ledger.MaxUnits {
		return Written{}, stock.Refuse(stock.BadUnits, "counted %d", counted)
	}
	return f.once(ctx, c, isCount(sku, counted), func(tx *journal.Tx, rec *recordv1.Record) error {
		a, err := f.account(tx, sku)
		if err != nil {
			return err
		}
		b := a.Balances
		believed := b[ledger.Sellable] + b[ledger.Online] + b[ledger.Reserved]
		rec.Body = &recordv1.Record_Count{Count: &recordv1.Count{Sku: uint32(sku), Counted: int64(counted),
			Delta: int64(counted - believed), Reason: reason}}
		return nil
	})
}

func isCount(sku stock.SKU, counted stock.Units) isFunc {
	return is(func(rec *recordv1.Record) bool {
		was := rec.GetCount()
		return was != nil && was.GetSku() == uint32(sku) && was.GetCounted() == int64(counted)
	})
}

// Refund books goods that came back from a customer; they wait for a shelf scan
// or are damaged.
func (f *Floor) Refund(ctx context.Context, c Cause, sale ID, lines []*recordv1.MovementLine,
	damaged bool) (Written, error) {
	r := &recordv1.Refund{Lines: lines, Damaged: damaged}
	if sale != (ID{}) {
		r.SaleUid = sale[:]
	}
	match := is(func(rec *recordv1.Record) bool { return proto.Equal(rec.GetRefund(), r) })
	build := func(_ *journal.Tx, rec *recordv1.Record) error {
		rec.Body = &recordv1.Record_Refund{Refund: r}
		return nil
	}
	return f.step(ctx, c, match, build, build)
}

// Reshelve books units that a shelf scan brought back to the shelf.
func (f *Floor) Reshelve(ctx context.Context, c Cause, sku stock.SKU, n stock.Units,
	shelf string) (Written, error) {
	if err := countable(n); err != nil {
		return Written{}, err
	}
	r := &recordv1.Reshelve{Sku: uint32(sku), Units: int64(n), Shelf: shelf}
	match := is(func(rec *recordv1.Record) bool { return proto.Equal(rec.GetReshelve(), r) })
	build := func(_ *journal.Tx, rec *recordv1.Record) error {
		rec.Body = &recordv1.Record_Reshelve{Reshelve: r}
		return nil
	}
	return f.step(ctx, c, match, build, build)
}

// Damage books units that cannot be sold, or throws damaged ones away.
func (f *Floor) Damage(ctx context.Context, c Cause, d *recordv1.Damage) (Written, error) {
	if err := countable(stock.Units(d.GetUnits())); err != nil {
		return Written{}, err
	}
	match := is(func(rec *recordv1.Record) bool { return proto.Equal(rec.GetDamage(), d) })
	build := func(_ *journal.Tx, rec *recordv1.Record) error {
		rec.Body = &recordv1.Record_Damage{Damage: d}
		return nil
	}
	return f.step(ctx, c, match, build, build)
}
