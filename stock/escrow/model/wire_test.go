package model

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
)

// Epochs of the box that writes, and of the one that was lost.
var (
	present = &recordv1.Epoch{Timeline: 1, Counter: 2}
	former  = &recordv1.Epoch{Timeline: 1, Counter: 1}
)

// wire is the stored form of a record of the model; b is what it is booked on.
func wire(x record, lost []record, b *books) *recordv1.Record {
	rec := &recordv1.Record{Epoch: present}
	sku, n := uint32(theSKU), int64(x.n)
	lines := []*recordv1.MovementLine{{Sku: sku, Units: n}}
	switch x.kind {
	case receipt:
		// Each delivery has a note of its own.
		doc := fmt.Sprint("D", b.at[supplier], "/", b.at)
		rec.Body = &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{Document: doc, Lines: lines}}
	case sale:
		rec.Body = &recordv1.Record_Sale{Sale: wireSale(x)}
	case refund, refundDamaged:
		rec.Body = &recordv1.Record_Refund{Refund: &recordv1.Refund{Lines: lines,
			Damaged: x.kind == refundDamaged}}
	case count:
		rec.Body = &recordv1.Record_Count{Count: &recordv1.Count{Sku: sku, Delta: n}}
	case damage, writeOff:
		rec.Body = &recordv1.Record_Damage{Damage: &recordv1.Damage{Sku: sku, Units: n,
			WrittenOff: x.kind == writeOff}}
	case reshelve:
		rec.Body = &recordv1.Record_Reshelve{Reshelve: &recordv1.Reshelve{Sku: sku, Units: n}}
	case grant:
		rec.Body = &recordv1.Record_Grant{Grant: &recordv1.Grant{Sku: sku, Units: n,
			GrantedTotal: int64(b.granted[b.timeline]) + n + int64(x.k)}}
	case applyReturn:
		rec.Body = &recordv1.Record_ApplyReturn{ApplyReturn: &recordv1.ApplyReturn{Sku: sku, Units: n,
			ReturnedTotal: int64(b.returned[b.timeline]) + n + int64(x.k)}}
	case accept:
		rec.Body = &recordv1.Record_Accept{Accept: &recordv1.Accept{Reserve: wireReserve(x)}}
	case collectByToken:
		rec.Body = &recordv1.Record_CollectByToken{CollectByToken: &recordv1.CollectByToken{
			Reserve: wireReserve(x), Lines: outcome(n), Uncovered: outcome(int64(x.k))}}
	case changeTimeline:
		rec.Body = &recordv1.Record_TimelineChange{TimelineChange: &recordv1.TimelineChange{
			Timeline: uint32(b.timeline) + 2}}
	case drain:
		rec.Body = &recordv1.Record_DrainLegacy{DrainLegacy: &recordv1.DrainLegacy{Timeline: 1, Sku: sku,
			Units: int64(b.online[0])}}
	case salvage:
		rec.Body = &recordv1.Record_Salvage{Salvage: wireFact(lost[0], b)}
	case noted:
		rec.Body = &recordv1.Record_ApplyDirective{ApplyDirective: &recordv1.ApplyDirective{}}
	default:
		wireStep(x, rec)
	}
	return rec
}

func wireFact(x record, b *books) *recordv1.Salvage {
	fact := wire(x, nil, b)
	fact.Epoch = former
	raw, err := proto.Marshal(fact)
	if err != nil {
		panic(err) // a message of ours
	}
	return &recordv1.Salvage{OldEpoch: former, Fact: raw}
}

func wireStep(x record, rec *recordv1.Record) {
	raw := reservationID(x.r)
	id, n := raw[:], int64(x.n)
	switch x.kind {
	case pick, unpick:
		rec.Body = &recordv1.Record_Pick{Pick: &recordv1.Pick{Reservation: id, Line: 1, Units: n,
			Undo: x.kind == unpick}}
	case stage, unstage:
		rec.Body = &recordv1.Record_Stage{Stage: &recordv1.Stage{Reservation: id, Line: 1, Units: n,
			Undo: x.kind == unstage}}
	case collect:
		rec.Body = &recordv1.Record_Collect{Collect: &recordv1.Collect{Reservation: id,
			Lines: []*recordv1.OutcomeLine{{Line: 1, Units: n}}}}
	case release:
		rec.Body = &recordv1.Record_Release{Release: &recordv1.Release{Reservation: id,
			Lines: []*recordv1.OutcomeLine{{Line: 1, Units: n}}}}
	case runShort, giveAway:
		why := recordv1.ShortReason_SHORT_REASON_MISSING
		if x.kind == giveAway {
			why = recordv1.ShortReason_SHORT_REASON_DEBT
		}
		rec.Body = &recordv1.Record_Shortage{Shortage: &recordv1.Shortage{Reservation: id, Line: 1,
			Units: n, Reason: why}}
	case replace:
		rec.Body = &recordv1.Record_Replace{Replace: &recordv1.Replace{Reservation: id, Line: 1,
			Units: n}}
	}
}

// outcome is what happened to a line; nothing is no line.
func outcome(n int64) []*recordv1.OutcomeLine {
	if n == 0 {
		return nil
	}
	return []*recordv1.OutcomeLine{{Line: 1, Units: n}}
}

func wireReserve(x record) *recordv1.Reserve {
	id := reservationID(x.r)
	return &recordv1.Reserve{Reservation: id[:], Timeline: uint32(x.tau) + 1,
		Directive: uint64(x.number),
		Lines:     []*recordv1.ReservedLine{{Line: 1, Sku: uint32(theSKU), Units: int64(x.q)}}}
}

func wireSale(x record) *recordv1.Sale {
	s := &recordv1.Sale{Mode: recordv1.SaleMode_SALE_MODE_NORMAL,
		Lines: []*recordv1.SaleLine{{Sku: uint32(theSKU), Units: int64(x.n)}}}
	if x.debt {
		s.Mode = recordv1.SaleMode_SALE_MODE_BORROW
	}
	if x.k > 0 {
		s.Found = []*recordv1.MovementLine{{Sku: uint32(theSKU), Units: int64(x.k)}}
	}
	if x.bump > 0 {
		id := reservationID(x.r)
		s.Bumped = []*recordv1.Shortage{{Reservation: id[:], Line: 1, Units: int64(x.bump),
			Reason: recordv1.ShortReason_SHORT_REASON_BUMPED}}
	}
	return s
}
