package shopfloor

import (
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

// skusOf lists the SKUs that a record moves.
func skusOf(rec *recordv1.Record) []stock.SKU {
	var skus []stock.SKU
	add := func(sku uint32) {
		if sku != 0 {
			skus = append(skus, stock.SKU(sku))
		}
	}
	addAll := func(lines []*recordv1.MovementLine) {
		for _, l := range lines {
			add(l.GetSku())
		}
	}
	switch v := rec.GetBody().(type) {
	case *recordv1.Record_Sale:
		for _, l := range v.Sale.GetLines() {
			add(l.GetSku())
		}
	case *recordv1.Record_Receipt:
		addAll(v.Receipt.GetLines())
	case *recordv1.Record_TransferIn:
		addAll(v.TransferIn.GetLines())
	case *recordv1.Record_TransferOut:
		addAll(v.TransferOut.GetLines())
	case *recordv1.Record_Refund:
		addAll(v.Refund.GetLines())
	case *recordv1.Record_Count:
		add(v.Count.GetSku())
	case *recordv1.Record_Damage:
		add(v.Damage.GetSku())
	case *recordv1.Record_Reshelve:
		add(v.Reshelve.GetSku())
	case *recordv1.Record_Grant:
		add(v.Grant.GetSku())
	case *recordv1.Record_ApplyReturn:
		add(v.ApplyReturn.GetSku())
	case *recordv1.Record_Accept:
		for _, l := range v.Accept.GetReserve().GetLines() {
			add(l.GetSku())
		}
	case *recordv1.Record_CollectByToken:
		for _, l := range v.CollectByToken.GetReserve().GetLines() {
			add(l.GetSku())
		}
	}
	return skus
}

// reservationIn returns the id of the reservation that a record is about.
func reservationIn(rec *recordv1.Record) []byte {
	switch v := rec.GetBody().(type) {
	case *recordv1.Record_Accept:
		return v.Accept.GetReserve().GetReservation()
	case *recordv1.Record_CollectByToken:
		return v.CollectByToken.GetReserve().GetReservation()
	case *recordv1.Record_Pick:
		return v.Pick.GetReservation()
	case *recordv1.Record_Stage:
		return v.Stage.GetReservation()
	case *recordv1.Record_Collect:
		return v.Collect.GetReservation()
	case *recordv1.Record_Release:
		return v.Release.GetReservation()
	case *recordv1.Record_Shortage:
		return v.Shortage.GetReservation()
	case *recordv1.Record_Replace:
		return v.Replace.GetReservation()
	case *recordv1.Record_Extend:
		return v.Extend.GetReservation()
	}
	return nil
}
