package kiosk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/kiosk/paper"
	"holdfast.dev/node/kiosk/spool"
	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// owed is what a receipt can be made from when the process ended after its
// basket and before its print job: which basket it was, and where its first
// sale stands in the journal.
type owed struct {
	Station string
	Staff   string
	Basket  shopfloor.ID
	First   uint64
	At      int64
}

// Bounds of looking for the sales of a basket in the journal.
const (
	owedRecords             = 100_000
	owedPage, owedPageBytes = 500, 1 << 22
)

// promise writes down that a basket that is about to end is owed its receipt.
// An empty basket is owed none.
func (k *Kiosk) promise(ctx context.Context, key, station string) error {
	st, err := k.o.Floor.Station(ctx, station)
	if err != nil || len(st.Lines) == 0 {
		return err
	}
	source, err := json.Marshal(owed{Station: station, Staff: st.Staff, Basket: st.Basket,
		First: st.Lines[0].Seq, At: time.Now().UnixMilli()})
	if err != nil {
		return err
	}
	return k.spool.Promise(ctx, spool.Job{Key: key, Kind: kindSale, Source: source})
}

// settleOwed queues the receipts of baskets that ended and were never printed,
// and forgets those of baskets that go on. The caller has the turn.
func (k *Kiosk) settleOwed(ctx context.Context) error {
	promised, err := k.spool.Promised(ctx)
	for _, j := range promised {
		if one := k.settleOne(ctx, j); one != nil {
			err = errors.Join(err, fmt.Errorf("receipt of a basket that ended: %w", one))
		}
	}
	return err
}

func (k *Kiosk) settleOne(ctx context.Context, j spool.Job) error {
	var o owed
	if err := json.Unmarshal(j.Source, &o); err != nil {
		return err
	}
	now, err := k.o.Floor.Station(ctx, o.Station)
	if err != nil {
		return err
	}
	printer := k.printer(o.Station)
	if now.Basket == o.Basket || printer == "" {
		return k.spool.Forget(ctx, j.Key)
	}
	lines, err := k.basketLines(ctx, o)
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return k.spool.Forget(ctx, j.Key)
	}
	sale := k.saleOf(shopfloor.Station{Name: o.Station, Staff: o.Staff, Lines: lines})
	sale.At = o.At
	_, err = k.print(ctx, spool.Job{Key: j.Key, Kind: kindSale, Device: printer}, sale,
		paper.Original)
	return err
}

// basketLines finds the sales of a basket in the journal.
func (k *Kiosk) basketLines(ctx context.Context, o owed) (lines []shopfloor.BasketLine, err error) {
	head := k.o.Journal.Head().Seq
	for seq := max(1, o.First, head-min(head, owedRecords)); seq <= head; {
		entries, err := k.o.Journal.Entries(ctx, seq, owedPage, owedPageBytes)
		if err != nil || len(entries) == 0 {
			return lines, err
		}
		for _, e := range entries {
			seq = e.Seq + 1
			var rec recordv1.Record
			if err := proto.Unmarshal(e.Data, &rec); err != nil {
				return nil, fmt.Errorf("decode record %d: %w", e.Seq, err)
			}
			sale := rec.GetSale()
			if sale == nil || string(sale.GetBasket()) != string(o.Basket[:]) {
				continue
			}
			for _, l := range sale.GetLines() {
				p, err := k.soldProduct(ctx, stock.SKU(l.GetSku()))
				if err != nil {
					return nil, err
				}
				lines = append(lines, shopfloor.BasketLine{Product: p, Line: l,
					Mode: sale.GetMode(), Seq: e.Seq})
			}
		}
	}
	return lines, nil
}

func (k *Kiosk) soldProduct(ctx context.Context, sku stock.SKU) (p *recordv1.Product, err error) {
	err = k.view(ctx, func(tx *journal.Tx) error {
		p, err = k.o.Products.BySKU(tx, sku)
		return err
	})
	if p == nil {
		p = &recordv1.Product{Sku: uint32(sku)}
	}
	return p, err
}
