package kiosk

import (
	"context"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// repeatOf gives the call that books a record again; nil for records that a page
// need not keep: picks and shelves, which the next person sees. The code of a
// handover is what the page itself was given.
func (k *Kiosk) repeatOf(ctx context.Context, id string, rec *recordv1.Record) (
	path string, r proto.Message, err error) {
	err = k.view(ctx, func(tx *journal.Tx) error {
		path, r, err = k.repeatGoods(tx, id, rec)
		return err
	})
	if r != nil || err != nil {
		return path, r, err
	}
	order := "/v1/pickups/" + idString(reservationIn(rec))
	switch v := rec.GetBody().(type) {
	case *recordv1.Record_Collect:
		return "/v1/pickups:collect", repeatCollect(id, rec, v.Collect.GetLines()), nil
	case *recordv1.Record_CollectByToken:
		return "/v1/pickups:collect", repeatCollect(id, rec, v.CollectByToken.GetLines()), nil
	case *recordv1.Record_Release:
		for word, reason := range releaseReasons {
			if word != "" && reason == v.Release.GetReason() {
				return order + ":release", &storev1.ReleasePickupRequest{RequestId: id, Reason: word,
					Staff: rec.GetActor()}, nil
			}
		}
	case *recordv1.Record_Shortage:
		return order + ":short", &storev1.ShortPickupRequest{RequestId: id, Line: v.Shortage.GetLine(),
			Quantity: int32Of(v.Shortage.GetUnits()), Staff: rec.GetActor()}, nil
	case *recordv1.Record_Replace:
		return order + ":short", &storev1.ShortPickupRequest{RequestId: id, Line: v.Replace.GetLine(),
			Quantity: int32Of(v.Replace.GetUnits()), Staff: rec.GetActor()}, nil
	}
	return "", nil, nil
}

func repeatCollect(id string, rec *recordv1.Record, lines []*recordv1.OutcomeLine) *storev1.CollectRequest {
	r := &storev1.CollectRequest{RequestId: id, Staff: rec.GetActor()}
	for _, l := range lines {
		r.ResentLines = append(r.ResentLines, &storev1.HandedLine{Line: l.GetLine(), Quantity: int32Of(l.GetUnits())})
	}
	return r
}

// repeatGoods gives the call for a record of goods that belong to no order.
func (k *Kiosk) repeatGoods(tx *journal.Tx, id string, rec *recordv1.Record) (string, proto.Message, error) {
	switch v := rec.GetBody().(type) {
	case *recordv1.Record_Sale:
		lines, err := repeatLines(k, tx, v.Sale.GetLines())
		return "/v1/sales", &storev1.SellRequest{RequestId: id, Till: v.Sale.GetTill(), Lines: lines}, err
	case *recordv1.Record_Receipt:
		lines, err := repeatLines(k, tx, v.Receipt.GetLines())
		return "/v1/receipts", &storev1.ReceiveRequest{RequestId: id, Document: v.Receipt.GetDocument(),
			Position: v.Receipt.GetPosition(), Lines: lines}, err
	case *recordv1.Record_Refund:
		lines, err := repeatLines(k, tx, v.Refund.GetLines())
		return "/v1/refunds", &storev1.RefundRequest{RequestId: id, Damaged: v.Refund.GetDamaged(),
			SaleRequestId: optionalID(v.Refund.GetSaleUid()), Lines: lines}, err
	case *recordv1.Record_Count:
		gtin, err := k.gtinOf(tx, v.Count.GetSku())
		return "/v1/counts", &storev1.CountRequest{RequestId: id, Gtin: gtin, Reason: v.Count.GetReason(),
			Counted: int32Of(v.Count.GetCounted()), ResentDelta: int32Of(v.Count.GetDelta()),
			Staff: rec.GetActor()}, err
	case *recordv1.Record_Reshelve:
		gtin, err := k.gtinOf(tx, v.Reshelve.GetSku())
		return "/v1/reshelves", &storev1.ReshelveRequest{RequestId: id, Gtin: gtin,
			Quantity: int32Of(v.Reshelve.GetUnits()), Shelf: v.Reshelve.GetShelf()}, err
	case *recordv1.Record_Damage:
		gtin, err := k.gtinOf(tx, v.Damage.GetSku())
		return "/v1/damages", &storev1.DamageRequest{RequestId: id, Gtin: gtin, Reason: v.Damage.GetReason(),
			Quantity: int32Of(v.Damage.GetUnits()), WrittenOff: v.Damage.GetWrittenOff()}, err
	}
	return "", nil, nil
}

// moved is a quantity of one SKU in a record.
type moved interface {
	GetSku() uint32
	GetUnits() int64
}

func repeatLines[L moved](k *Kiosk, tx *journal.Tx, lines []L) (all []*storev1.SellLine, err error) {
	for _, l := range lines {
		gtin, err := k.gtinOf(tx, l.GetSku())
		if err != nil {
			return nil, err
		}
		all = append(all, &storev1.SellLine{Gtin: gtin, Quantity: int32Of(l.GetUnits())})
	}
	return all, nil
}

func (k *Kiosk) gtinOf(tx *journal.Tx, sku uint32) (string, error) {
	p, err := k.o.Products.BySKU(tx, stock.SKU(sku))
	return p.GetGtin(), err
}

func optionalID(raw []byte) string {
	if len(raw) != 16 {
		return ""
	}
	return idString([16]byte(raw))
}
