package books

import (
	"time"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
)

// pickup books what happens to a reservation that the store knows.
func (b *Book) pickup(rec *recordv1.Record) error {
	r, err := b.known(ReservationIn(rec))
	if err != nil {
		return err
	}
	if r.State().Final() {
		return Finished(r)
	}
	switch v := rec.GetBody().(type) {
	case *recordv1.Record_Pick:
		s := reservation.Pick
		if v.Pick.GetUndo() {
			s = reservation.Unpick
		}
		return b.step(r, v.Pick.GetLine(), s, units(v.Pick.GetUnits()))
	case *recordv1.Record_Stage:
		return b.stage(r, v.Stage)
	case *recordv1.Record_Collect:
		return b.hand(rec, r, v.Collect.GetLines())
	case *recordv1.Record_Release:
		return b.release(rec, r, v.Release)
	case *recordv1.Record_Shortage:
		return b.shortage(rec, v.Shortage)
	case *recordv1.Record_Replace:
		return b.replace(r, v.Replace)
	case *recordv1.Record_Extend:
		r.PickupUntil = v.Extend.GetPickupUntil()
		b.change(r)
	}
	return nil
}

// ReservationIn returns the id of the reservation that a record is about; nil
// for a record about none.
func ReservationIn(rec *recordv1.Record) []byte {
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
	case *recordv1.Record_Salvage:
		if fact, err := Fact(v.Salvage); err == nil {
			return ReservationIn(fact)
		}
	}
	return nil
}

// known returns a reservation by id, or a refusal.
func (b *Book) known(raw []byte) (*Reservation, error) {
	var id [16]byte
	copy(id[:], raw)
	r, ok, err := b.Reservation(id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, stock.Refuse(stock.UnknownReservation, "reservation %x", raw)
	}
	return r, nil
}

// Finished is the refusal of any step on a reservation that has ended.
func Finished(r *Reservation) *stock.Refusal {
	if r.State() == reservation.AllCollected {
		return stock.Refuse(stock.AlreadyCollected, "reservation %x", r.ID).
			With("at", stamp(r.FinishedAt)).With("code", r.Reserve.GetCode())
	}
	return stock.Refuse(stock.AlreadyFinished, "reservation %x is %s", r.ID, r.State()).
		With("at", stamp(r.FinishedAt)).With("state", r.State())
}

func (b *Book) stage(r *Reservation, s *recordv1.Stage) error {
	step := reservation.Stage
	if s.GetUndo() {
		step = reservation.Unstage
	}
	if err := b.step(r, s.GetLine(), step, units(s.GetUnits())); err != nil {
		return err
	}
	r.Shelf = s.GetShelf()
	return nil
}

func (b *Book) release(rec *recordv1.Record, r *Reservation, rel *recordv1.Release) error {
	lines := rel.GetLines()
	if len(lines) == 0 {
		for _, l := range r.Lines {
			if n := l.Open(); n > 0 {
				lines = append(lines, &recordv1.OutcomeLine{Line: l.Line, Units: int64(n)})
			}
		}
	}
	for _, l := range lines {
		if err := b.step(r, l.GetLine(), reservation.Release, units(l.GetUnits())); err != nil {
			return err
		}
	}
	finish(rec, r)
	if rel.GetReason() == recordv1.ReleaseReason_RELEASE_REASON_VOID {
		b.item(Item{Kind: ItemVoided, Reservation: r.ID})
	}
	return nil
}

func (b *Book) shortage(rec *recordv1.Record, s *recordv1.Shortage) error {
	r, err := b.known(s.GetReservation())
	if err != nil {
		return err
	}
	step := reservation.GiveAway
	if s.GetReason() == recordv1.ShortReason_SHORT_REASON_MISSING {
		step = reservation.RunShort
	}
	if err := b.step(r, s.GetLine(), step, units(s.GetUnits())); err != nil {
		return err
	}
	finish(rec, r)
	if rec.GetShortage() != nil {
		b.item(Item{Kind: ItemShort, SKU: skuOf(r, s.GetLine()), Units: units(s.GetUnits()),
			Reservation: r.ID, Detail: s.GetDecidedBy()})
	}
	return nil
}

func skuOf(r *Reservation, number uint32) stock.SKU {
	line, err := r.Line(number)
	if err != nil {
		return 0
	}
	return line.SKU
}

// replace keeps a promise with other units of the shelf. Units that were picked
// or staged and cannot be found go back to the shelf in the books first.
func (b *Book) replace(r *Reservation, p *recordv1.Replace) error {
	line, err := r.Line(p.GetLine())
	if err != nil {
		return err
	}
	n := units(p.GetUnits())
	if (n <= 0 || n > line.Open()) && b.rules == Strict {
		return stock.Refuse(stock.LineComplete, "replace %d of %d open", n, line.Open())
	}
	if err := b.unpick(r, line, n); err != nil {
		return err
	}
	sku := line.SKU
	err = b.post(sku, ledger.Movement{From: ledger.Sellable, To: ledger.Reserved, Units: n})
	if err != nil {
		return err
	}
	b.item(Item{Kind: ItemReplaced, SKU: sku, Units: n, Reservation: r.ID})
	return b.post(sku, ledger.Movement{From: ledger.Reserved, To: ledger.Missing, Units: n})
}

// unpick takes back what a line needs so that n of its units are reserved.
func (b *Book) unpick(r *Reservation, line *reservation.Line, n stock.Units) error {
	number := line.Line
	missing := n - line.At(reservation.Reserved)
	if staged := min(line.At(reservation.Staged), missing-line.At(reservation.Picked)); staged > 0 {
		if err := b.step(r, number, reservation.Unstage, staged); err != nil {
			return err
		}
	}
	if picked := min(line.At(reservation.Picked), missing); picked > 0 {
		return b.step(r, number, reservation.Unpick, picked)
	}
	return nil
}

// stamp is how refusals tell a time: RFC 3339, UTC.
func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
