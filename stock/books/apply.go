package books

import (
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"

	recordv1 "holdfast.dev/proto/record/v1"
)

// Time returns the wall time of a record in Unix ms.
func Time(r *recordv1.Record) int64 { return int64(r.GetHlc() >> 16) }

// Apply books one record. Under Strict rules it returns a refusal before
// anything is written, and the Book must then be dropped; under Total rules it
// returns only faults. Save writes the rows.
func (b *Book) Apply(r *recordv1.Record, rules Rules) error {
	b.rules, b.seq, b.at = rules, r.GetSeq(), Time(r)
	err := b.body(r)
	if refusal, ok := stock.AsRefusal(err); ok && rules == Total {
		b.note(refusal.Code, "%s", refusal.Detail)
		err = nil
	}
	if err != nil {
		return err
	}
	if len(r.GetDirectiveHash()) > 0 {
		c, err := b.now()
		if err != nil {
			return err
		}
		c.Directives = r.GetDirectivesApplied()
		copy(c.Hash[:], r.GetDirectiveHash())
		b.cursor = &c
	}
	return nil
}

func (b *Book) body(r *recordv1.Record) error {
	switch v := r.GetBody().(type) {
	case *recordv1.Record_Sale:
		return b.sale(r, v.Sale)
	case *recordv1.Record_Receipt:
		return b.delivery(v.Receipt.GetDocument(), v.Receipt.GetPosition(), v.Receipt.GetLines())
	case *recordv1.Record_TransferIn:
		return b.delivery(v.TransferIn.GetDocument(), 0, v.TransferIn.GetLines())
	case *recordv1.Record_TransferOut:
		return b.transferOut(v.TransferOut)
	case *recordv1.Record_Refund:
		to := ledger.ToShelve
		if v.Refund.GetDamaged() {
			to = ledger.Damaged
		}
		return b.move(v.Refund.GetLines(), ledger.Movement{From: ledger.Returned, To: to})
	case *recordv1.Record_Count:
		return b.count(r, v.Count)
	case *recordv1.Record_Damage:
		m := ledger.Movement{From: ledger.Sellable, To: ledger.Damaged, Units: units(v.Damage.GetUnits())}
		if v.Damage.GetWrittenOff() {
			m.From, m.To = ledger.Damaged, ledger.Writeoff
		}
		return b.post(stock.SKU(v.Damage.GetSku()), m)
	case *recordv1.Record_Reshelve:
		return b.post(stock.SKU(v.Reshelve.GetSku()), ledger.Movement{From: ledger.ToShelve,
			To: ledger.Sellable, Units: units(v.Reshelve.GetUnits())})
	case *recordv1.Record_Grant, *recordv1.Record_ApplyReturn, *recordv1.Record_Accept,
		*recordv1.Record_CollectByToken:
		return b.escrowed(r)
	case *recordv1.Record_Pick, *recordv1.Record_Stage, *recordv1.Record_Collect,
		*recordv1.Record_Release, *recordv1.Record_Shortage, *recordv1.Record_Replace,
		*recordv1.Record_Extend:
		return b.pickup(r)
	}
	return b.recovery(r)
}

// recovery books what brings a store back after a loss, and what moves nothing.
func (b *Book) recovery(r *recordv1.Record) error {
	switch v := r.GetBody().(type) {
	case *recordv1.Record_Salvage:
		return b.salvage(r, v.Salvage)
	case *recordv1.Record_TimelineChange:
		return b.changeTimeline(v.TimelineChange)
	case *recordv1.Record_DrainLegacy:
		return b.drain(v.DrainLegacy)
	case *recordv1.Record_Checkpoint:
		return b.checkpoint(v.Checkpoint)
	case *recordv1.Record_Forget:
		return b.forget(v.Forget)
	case *recordv1.Record_HandleItem:
		return b.handle(v.HandleItem)
	case *recordv1.Record_Mark:
		return b.mark(v.Mark)
	case *recordv1.Record_Unclassified:
		b.item(Item{Kind: ItemUnclassified, Detail: v.Unclassified.GetWhat()})
		return nil
	case *recordv1.Record_ApplyDirective:
		return nil
	}
	return stock.Refuse(stock.FeatureRefused, "record %T is not booked by this version", r.GetBody()).
		With("what", "record")
}

func units(n int64) stock.Units { return stock.Units(n) }

// move books the same movement for each line.
func (b *Book) move(lines []*recordv1.MovementLine, m ledger.Movement) error {
	if len(lines) == 0 && b.rules == Strict {
		return stock.Refuse(stock.BadRequest, "no lines").With("what", "lines")
	}
	for _, l := range lines {
		m.Units = units(l.GetUnits())
		if m.Units <= 0 && b.rules == Strict {
			return stock.Refuse(stock.BadUnits, "line of %d units", m.Units)
		}
		if err := b.post(stock.SKU(l.GetSku()), m); err != nil {
			return err
		}
	}
	return nil
}

func (b *Book) delivery(doc string, position uint32, lines []*recordv1.MovementLine) error {
	if err := b.claim(doc, position); err != nil {
		return err
	}
	return b.move(lines, ledger.Movement{From: ledger.Supplier, To: ledger.Sellable})
}

func (b *Book) transferOut(t *recordv1.TransferOut) error {
	m, position := ledger.Movement{From: ledger.Sellable, To: ledger.InTransfer}, uint32(0)
	if t.GetGone() {
		m, position = ledger.Movement{From: ledger.InTransfer, To: ledger.TransferOut}, 1
	}
	if err := b.claim(t.GetDocument(), position); err != nil {
		return err
	}
	return b.move(t.GetLines(), m)
}

// mark moves nothing. A digest is compared by whoever did not write it.
func (b *Book) mark(m *recordv1.Mark) error {
	switch m.GetKind() {
	case recordv1.MarkKind_MARK_KIND_DIGEST:
		if b.rules == Total {
			return b.compareDigest(m.GetDigest())
		}
	case recordv1.MarkKind_MARK_KIND_ALARM:
		b.item(Item{Kind: ItemAlarm, SKU: stock.SKU(m.GetSku()), Detail: m.GetText()})
	case recordv1.MarkKind_MARK_KIND_LOCKER:
		b.item(Item{Kind: ItemLocker, Detail: m.GetText()})
	case recordv1.MarkKind_MARK_KIND_COUNT_TASK:
		b.item(Item{Kind: ItemCount, SKU: stock.SKU(m.GetSku()), Detail: m.GetText()})
	}
	return nil
}

// count books what a person saw, and remembers that the SKU was counted in
// this epoch.
func (b *Book) count(rec *recordv1.Record, c *recordv1.Count) error {
	sku := stock.SKU(c.GetSku())
	if err := b.adjust(sku, units(c.GetDelta())); err != nil {
		return err
	}
	b.counts = append(b.counts, counted{sku, rec.GetSeq(), epochOf(rec.GetEpoch())})
	a, err := b.account(sku)
	if err == nil && c.GetDelta() < 0 && a.Balances[ledger.Sellable] < 0 {
		b.item(Item{Kind: ItemDebt, SKU: sku, Units: -a.Balances[ledger.Sellable]})
	}
	return err
}

// adjust books a difference between shelf and books.
func (b *Book) adjust(sku stock.SKU, delta stock.Units) error {
	m := ledger.Movement{From: ledger.Found, To: ledger.Sellable, Units: delta}
	if delta < 0 {
		m = ledger.Movement{From: ledger.Sellable, To: ledger.Missing, Units: -delta, Debt: true}
	}
	return b.post(sku, m)
}

// sale books what left with a customer, in one entry with what made it possible.
func (b *Book) sale(rec *recordv1.Record, s *recordv1.Sale) error {
	if s.GetMode() == recordv1.SaleMode_SALE_MODE_UNSPECIFIED || len(s.GetLines()) == 0 {
		return malformed("sale without mode or lines")
	}
	for _, f := range s.GetFound() {
		err := b.post(stock.SKU(f.GetSku()), ledger.Movement{From: ledger.Found, To: ledger.Sellable,
			Units: units(f.GetUnits())})
		if err != nil {
			return err
		}
	}
	for _, short := range s.GetBumped() {
		if err := b.shortage(rec, short); err != nil {
			return err
		}
	}
	m := ledger.Movement{From: ledger.Sellable, To: ledger.Sold}
	switch s.GetMode() {
	case recordv1.SaleMode_SALE_MODE_BORROW, recordv1.SaleMode_SALE_MODE_SAFE:
		m.Debt = true
	}
	for _, l := range s.GetLines() {
		m.Units = units(l.GetUnits())
		if m.Units <= 0 && b.rules == Strict {
			return stock.Refuse(stock.BadUnits, "sale of %d units", m.Units)
		}
		if err := b.post(stock.SKU(l.GetSku()), m); err != nil {
			return err
		}
	}
	b.saleItems(s)
	return nil
}

func malformed(what string) error {
	return stock.Refuse(stock.BadRequest, "%s", what).With("what", what)
}

// escrowed books what changes the counters of the rights.
func (b *Book) escrowed(r *recordv1.Record) error {
	switch v := r.GetBody().(type) {
	case *recordv1.Record_Grant:
		sku, n, total := stock.SKU(v.Grant.GetSku()), units(v.Grant.GetUnits()), units(v.Grant.GetGrantedTotal())
		err := b.rights(sku, func(x escrow.Rights) (escrow.Rights, error) { return x.Grant(n, total) })
		if err != nil {
			return err
		}
		return b.post(sku, ledger.Movement{From: ledger.Sellable, To: ledger.Online, Units: n})
	case *recordv1.Record_ApplyReturn:
		ret := v.ApplyReturn
		sku, n, total := stock.SKU(ret.GetSku()), units(ret.GetUnits()), units(ret.GetReturnedTotal())
		err := b.rights(sku, func(x escrow.Rights) (escrow.Rights, error) { return x.Return(n, total) })
		if err != nil {
			return err
		}
		return b.post(sku, ledger.Movement{From: ledger.Online, To: ledger.Sellable, Units: n})
	case *recordv1.Record_Accept:
		return b.accept(v.Accept.GetReserve())
	case *recordv1.Record_CollectByToken:
		return b.collectByToken(r, v.CollectByToken)
	}
	return nil
}

// newReservation is a row for a reservation that this store had not heard of.
func (b *Book) newReservation(reserve *recordv1.Reserve) (*Reservation, error) {
	r := &Reservation{Reserve: reserve, PickupUntil: reserve.GetPickupUntil()}
	copy(r.ID[:], reserve.GetReservation())
	if len(reserve.GetReservation()) != 16 || len(reserve.GetLines()) == 0 {
		return nil, malformed("reservation without id or lines")
	}
	if _, _, err := b.Reservation(r.ID); err != nil {
		return nil, err
	}
	b.reservations[r.ID] = r
	b.change(r)
	return r, nil
}

// accept binds units to a reservation. A reservation that is known already, by
// its token, keeps its units; what the token did not say is filled in.
func (b *Book) accept(reserve *recordv1.Reserve) error {
	var id [16]byte
	copy(id[:], reserve.GetReservation())
	known, ok, err := b.Reservation(id)
	if err != nil {
		return err
	}
	if ok {
		known.Reserve, known.Accepted = reserve, true
		b.change(known)
		return nil
	}
	r, err := b.newReservation(reserve)
	if err != nil {
		return err
	}
	r.Accepted = true
	for _, l := range reserve.GetLines() {
		sku, n := stock.SKU(l.GetSku()), units(l.GetUnits())
		if err := b.cover(r, sku, n); err != nil {
			return err
		}
		r.Lines = append(r.Lines, reservation.NewLine(l.GetLine(), sku, n))
	}
	return nil
}

// cover binds n units that the cloud has promised. Online covers them, unless
// both this store's tail and the cloud's were lost; then the store's own units
// do, as debt: a promise is never refused by the store it was made for.
func (b *Book) cover(r *Reservation, sku stock.SKU, n stock.Units) error {
	t := stock.Timeline(r.Reserve.GetTimeline())
	rights, err := b.Rights(t, sku)
	if err != nil {
		return err
	}
	covered := min(n, max(0, rights.Online()))
	if err := b.assign(t, sku, covered); err != nil {
		return err
	}
	if covered < n {
		b.item(Item{Kind: ItemUncovered, SKU: sku, Units: n - covered, Reservation: r.ID})
		b.note(stock.Short, "sku %d: %d promised units are not covered by online", sku, n-covered)
	}
	return b.post(sku, ledger.Movement{From: ledger.Sellable, To: ledger.Reserved, Units: n - covered, Debt: true})
}

// assign takes n units, granted in a timeline, out of online for a reservation.
func (b *Book) assign(t stock.Timeline, sku stock.SKU, n stock.Units) error {
	if n == 0 {
		return nil
	}
	err := b.changeRights(t, sku, func(x escrow.Rights) (escrow.Rights, error) { return x.Assign(n) })
	if err != nil {
		return err
	}
	return b.post(sku, ledger.Movement{From: ledger.Online, To: ledger.Reserved, Units: n})
}

// collectByToken hands over what this store had not heard of.
func (b *Book) collectByToken(rec *recordv1.Record, c *recordv1.CollectByToken) error {
	var id [16]byte
	copy(id[:], c.GetReserve().GetReservation())
	if _, ok, err := b.Reservation(id); err != nil {
		return err
	} else if ok {
		return malformed("reservation is known")
	}
	r, err := b.newReservation(c.GetReserve())
	if err != nil {
		return err
	}
	for _, l := range c.GetReserve().GetLines() {
		sku, n := stock.SKU(l.GetSku()), units(l.GetUnits())
		bare := lineUnits(c.GetUncovered(), l.GetLine())
		if err := b.assign(stock.Timeline(c.GetReserve().GetTimeline()), sku, n-bare); err != nil {
			return err
		}
		if bare > 0 {
			b.item(Item{Kind: ItemUncovered, SKU: sku, Units: bare, Reservation: id})
		}
		err := b.post(sku, ledger.Movement{From: ledger.Sellable, To: ledger.Reserved, Units: bare, Debt: true})
		if err != nil {
			return err
		}
		r.Lines = append(r.Lines, reservation.NewLine(l.GetLine(), sku, n))
	}
	return b.hand(rec, r, c.GetLines())
}

func lineUnits(lines []*recordv1.OutcomeLine, number uint32) stock.Units {
	for _, l := range lines {
		if l.GetLine() == number {
			return units(l.GetUnits())
		}
	}
	return 0
}

// hand collects units of a reservation's lines.
func (b *Book) hand(rec *recordv1.Record, r *Reservation, lines []*recordv1.OutcomeLine) error {
	for _, l := range lines {
		if err := b.step(r, l.GetLine(), reservation.Collect, units(l.GetUnits())); err != nil {
			return err
		}
	}
	finish(rec, r)
	return nil
}

// finish stamps a reservation that has just ended.
func finish(rec *recordv1.Record, r *Reservation) {
	if r.FinishedAt == 0 && r.State().Final() {
		r.FinishedAt = Time(rec)
	}
}
