package books

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
)

// maxNested bounds how often a fact was salvaged before.
const maxNested = 8

// Fact returns the record that a salvage carries, as it was first written.
func Fact(s *recordv1.Salvage) (*recordv1.Record, error) {
	for range maxNested {
		fact := new(recordv1.Record)
		if err := proto.Unmarshal(s.GetFact(), fact); err != nil {
			return nil, malformed("salvaged record")
		}
		if s = fact.GetSalvage(); s == nil {
			return fact, nil
		}
	}
	return nil, malformed("salvaged record")
}

// Salvageable tells whether a record of a former box may say something that the
// present one has to book. Rights of a dead epoch do not: the present node
// applies the cloud's directives itself.
func Salvageable(fact *recordv1.Record) bool {
	switch fact.GetBody().(type) {
	case *recordv1.Record_Receipt, *recordv1.Record_Sale, *recordv1.Record_Refund,
		*recordv1.Record_Count, *recordv1.Record_Damage, *recordv1.Record_Collect,
		*recordv1.Record_CollectByToken, *recordv1.Record_Release, *recordv1.Record_Shortage,
		*recordv1.Record_Replace, *recordv1.Record_Reshelve, *recordv1.Record_TransferOut,
		*recordv1.Record_TransferIn, *recordv1.Record_Unclassified, *recordv1.Record_Extend,
		*recordv1.Record_Accept, *recordv1.Record_Salvage:
		return true
	}
	return false
}

// salvage books a fact that a former box of this store had recorded and never
// told. Physical facts are booked whatever the books say now; outcomes of a
// reservation are booked as far as it is still open, and what left the shop
// beyond that is missing.
func (b *Book) salvage(rec *recordv1.Record, s *recordv1.Salvage) error {
	fact, err := Fact(s)
	if err != nil {
		return err
	}
	v := salvager{b: b, rec: rec, fact: fact, epoch: epochOf(fact.GetEpoch())}
	b.item(Item{Kind: ItemSalvaged, Reservation: ofReservation(ReservationIn(fact)),
		Detail: fmt.Sprintf("%d.%d %d", v.epoch.Timeline, v.epoch.Counter, fact.GetSeq())})
	return v.body()
}

// salvager books one old fact.
type salvager struct {
	b     *Book
	rec   *recordv1.Record // the Salvage
	fact  *recordv1.Record
	epoch stock.Epoch // of the fact
}

func (v *salvager) body() error {
	switch f := v.fact.GetBody().(type) {
	case *recordv1.Record_Sale:
		return v.sale(f.Sale)
	case *recordv1.Record_Receipt:
		return v.delivery(f.Receipt.GetDocument(), f.Receipt.GetPosition(), f.Receipt.GetLines())
	case *recordv1.Record_TransferIn:
		return v.delivery(f.TransferIn.GetDocument(), 0, f.TransferIn.GetLines())
	case *recordv1.Record_TransferOut:
		return v.transferOut(f.TransferOut)
	case *recordv1.Record_Refund:
		return v.b.body(v.fact)
	case *recordv1.Record_Count:
		return v.count(f.Count)
	case *recordv1.Record_Damage:
		return v.damage(f.Damage)
	case *recordv1.Record_Reshelve:
		return v.reshelve(f.Reshelve)
	case *recordv1.Record_Collect:
		return v.collect(f.Collect)
	case *recordv1.Record_CollectByToken:
		return v.collectByToken(f.CollectByToken)
	case *recordv1.Record_Release:
		return v.release(f.Release)
	case *recordv1.Record_Shortage:
		return v.shortage(f.Shortage)
	case *recordv1.Record_Replace:
		return v.replace(f.Replace)
	case *recordv1.Record_Extend:
		return v.extend(f.Extend)
	case *recordv1.Record_Accept:
		return v.accept(f.Accept.GetReserve())
	}
	return nil
}

// accept books a promise of an older timeline that only the former box had
// heard of: a restored cloud may never order it again.
func (v *salvager) accept(reserve *recordv1.Reserve) error {
	r, err := v.known(reserve.GetReservation())
	if err != nil || r != nil {
		return err
	}
	return v.b.accept(reserve)
}

// leave books units that left the shelf. If the shelf was counted since, the
// count has missed them already: then the units that the books know do not
// change.
func (v *salvager) leave(sku stock.SKU, n stock.Units, to ledger.Account) error {
	if err := v.balance(sku, n, ledger.Found, ledger.Sellable); err != nil {
		return err
	}
	return v.b.post(sku, ledger.Movement{From: ledger.Sellable, To: to, Units: n, Debt: true})
}

// arrive books units that came onto the shelf.
func (v *salvager) arrive(sku stock.SKU, n stock.Units, from ledger.Account) error {
	err := v.b.post(sku, ledger.Movement{From: from, To: ledger.Sellable, Units: n})
	if err != nil {
		return err
	}
	return v.balance(sku, n, ledger.Sellable, ledger.Missing)
}

func (v *salvager) balance(sku stock.SKU, n stock.Units, from, to ledger.Account) error {
	counted, err := v.b.countedSince(sku, v.epoch)
	if err != nil || !counted {
		return err
	}
	return v.b.post(sku, ledger.Movement{From: from, To: to, Units: n, Debt: true})
}

// sale books every part of a composite sale by itself: an order that has ended
// meanwhile does not make the goods come back.
func (v *salvager) sale(s *recordv1.Sale) error {
	for _, f := range s.GetFound() {
		if err := v.arrive(stock.SKU(f.GetSku()), units(f.GetUnits()), ledger.Found); err != nil {
			return err
		}
	}
	for _, short := range s.GetBumped() {
		if err := v.shortage(short); err != nil {
			return err
		}
	}
	for _, l := range s.GetLines() {
		if err := v.leave(stock.SKU(l.GetSku()), units(l.GetUnits()), ledger.Sold); err != nil {
			return err
		}
	}
	return nil
}

func (v *salvager) delivery(doc string, position uint32, lines []*recordv1.MovementLine) error {
	used, err := v.b.booked(doc, position)
	if err != nil || used {
		return err
	}
	if err := v.b.claim(doc, position); err != nil {
		return err
	}
	for _, l := range lines {
		if err := v.arrive(stock.SKU(l.GetSku()), units(l.GetUnits()), ledger.Supplier); err != nil {
			return err
		}
	}
	return nil
}

func (v *salvager) transferOut(t *recordv1.TransferOut) error {
	position := uint32(0)
	if t.GetGone() {
		position = 1
	}
	used, err := v.b.booked(t.GetDocument(), position)
	if err != nil || used {
		return err
	}
	if err := v.b.claim(t.GetDocument(), position); err != nil {
		return err
	}
	for _, l := range t.GetLines() {
		sku, n := stock.SKU(l.GetSku()), units(l.GetUnits())
		if !t.GetGone() {
			err = v.leave(sku, n, ledger.InTransfer)
		} else {
			err = v.fromOrShelf(sku, n, ledger.InTransfer, ledger.TransferOut)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fromOrShelf moves what an account has, and takes the rest from the shelf.
func (v *salvager) fromOrShelf(sku stock.SKU, n stock.Units, from, to ledger.Account) error {
	a, err := v.b.account(sku)
	if err != nil {
		return err
	}
	k := min(n, max(0, a.Balances[from]))
	if err := v.b.post(sku, ledger.Movement{From: from, To: to, Units: k}); err != nil || n == k {
		return err
	}
	return v.leave(sku, n-k, to)
}

func (v *salvager) count(c *recordv1.Count) error {
	counted, err := v.b.countedSince(stock.SKU(c.GetSku()), v.epoch)
	if err != nil || counted {
		return err
	}
	return v.b.adjust(stock.SKU(c.GetSku()), units(c.GetDelta()))
}

func (v *salvager) damage(d *recordv1.Damage) error {
	sku, n := stock.SKU(d.GetSku()), units(d.GetUnits())
	if d.GetWrittenOff() {
		return v.fromOrShelf(sku, n, ledger.Damaged, ledger.Writeoff)
	}
	return v.leave(sku, n, ledger.Damaged)
}

func (v *salvager) reshelve(r *recordv1.Reshelve) error {
	sku := stock.SKU(r.GetSku())
	a, err := v.b.account(sku)
	if err != nil {
		return err
	}
	n := min(units(r.GetUnits()), a.Balances[ledger.ToShelve])
	if n <= 0 {
		return nil
	}
	return v.arrive(sku, n, ledger.ToShelve)
}

// known returns the reservation, or nil when this store never heard of it.
func (v *salvager) known(id []byte) (*Reservation, error) {
	r, ok, err := v.b.Reservation(ofReservation(id))
	if !ok || err != nil {
		return nil, err
	}
	return r, nil
}

// take lets up to n units of a line take a step and returns how many did.
func (v *salvager) take(r *Reservation, number uint32, s reservation.Step,
	n stock.Units) (stock.Units, *reservation.Line, error) {
	line, err := r.Line(number)
	if err != nil {
		return 0, nil, nil // another history's line
	}
	k := min(n, line.Open())
	if s == reservation.GiveAway {
		k = min(n, line.At(reservation.Reserved))
	}
	shelved := line.At(reservation.Reserved)
	if k > 0 {
		if err := v.b.step(r, number, s, k); err != nil {
			return 0, nil, err
		}
	}
	finish(v.rec, r)
	if s == reservation.Collect || s == reservation.RunShort { // gone from the shelf that was counted
		err = v.balance(line.SKU, shelved-line.At(reservation.Reserved), ledger.Found, ledger.Sellable)
	}
	return k, line, err
}

func (v *salvager) collect(c *recordv1.Collect) error {
	r, err := v.known(c.GetReservation())
	if err != nil || r == nil {
		return err
	}
	for _, l := range c.GetLines() {
		if err := v.handLine(r, l.GetLine(), units(l.GetUnits())); err != nil {
			return err
		}
	}
	return nil
}

// handLine books a handover: of open units as collected, of the rest as gone.
func (v *salvager) handLine(r *Reservation, number uint32, n stock.Units) error {
	k, line, err := v.take(r, number, reservation.Collect, n)
	if err != nil || line == nil || k == n {
		return err
	}
	v.b.item(Item{Kind: ItemHandedTwice, SKU: line.SKU, Units: n - k, Reservation: r.ID})
	return v.leave(line.SKU, n-k, ledger.Missing)
}

func (v *salvager) collectByToken(c *recordv1.CollectByToken) error {
	r, err := v.known(c.GetReserve().GetReservation())
	if err != nil {
		return err
	}
	if r == nil {
		return v.unheard(c)
	}
	for _, l := range c.GetLines() {
		if err := v.handLine(r, l.GetLine(), units(l.GetUnits())); err != nil {
			return err
		}
	}
	return nil
}

// unheard books a handover by token of an order that is not known here either.
// What the rights cover may differ from what they covered in the old box.
func (v *salvager) unheard(c *recordv1.CollectByToken) error {
	c = proto.CloneOf(c)
	c.Uncovered = nil
	left := make(map[stock.SKU]stock.Units)
	for _, l := range c.GetReserve().GetLines() {
		sku, n := stock.SKU(l.GetSku()), units(l.GetUnits())
		if _, seen := left[sku]; !seen {
			rights, err := v.b.Rights(stock.Timeline(c.GetReserve().GetTimeline()), sku)
			if err != nil {
				return err
			}
			left[sku] = max(0, rights.Online())
		}
		if bare := n - left[sku]; bare > 0 {
			c.Uncovered = append(c.Uncovered, &recordv1.OutcomeLine{Line: l.GetLine(), Units: int64(bare)})
		}
		left[sku] = max(0, left[sku]-n)
		gone := lineUnits(c.GetLines(), l.GetLine())
		if err := v.balance(sku, gone, ledger.Found, ledger.Sellable); err != nil {
			return err
		}
	}
	return v.b.collectByToken(v.rec, c)
}

func (v *salvager) release(rel *recordv1.Release) error {
	r, err := v.known(rel.GetReservation())
	if err != nil || r == nil {
		return err
	}
	lines := rel.GetLines()
	if len(lines) == 0 {
		for _, l := range r.Lines {
			lines = append(lines, &recordv1.OutcomeLine{Line: l.Line, Units: int64(l.Open())})
		}
	}
	for _, l := range lines {
		if _, _, err := v.take(r, l.GetLine(), reservation.Release, units(l.GetUnits())); err != nil {
			return err
		}
	}
	return nil
}

// shortage of something missing is a physical finding, whatever became of the
// order; one that gave units away needs the order to be open.
func (v *salvager) shortage(s *recordv1.Shortage) error {
	r, err := v.known(s.GetReservation())
	if err != nil || r == nil {
		return err
	}
	n := units(s.GetUnits())
	if s.GetReason() != recordv1.ShortReason_SHORT_REASON_MISSING {
		_, _, err := v.take(r, s.GetLine(), reservation.GiveAway, n)
		return err
	}
	k, line, err := v.take(r, s.GetLine(), reservation.RunShort, n)
	if err != nil || line == nil || k == n {
		return err
	}
	return v.leave(line.SKU, n-k, ledger.Missing)
}

func (v *salvager) replace(p *recordv1.Replace) error {
	r, err := v.known(p.GetReservation())
	if err != nil || r == nil {
		return err
	}
	line, err := r.Line(p.GetLine())
	if err != nil {
		return nil
	}
	return v.leave(line.SKU, units(p.GetUnits()), ledger.Missing)
}

func (v *salvager) extend(e *recordv1.Extend) error {
	r, err := v.known(e.GetReservation())
	if err != nil || r == nil || r.State().Final() || e.GetPickupUntil() <= r.PickupUntil {
		return err
	}
	r.PickupUntil = e.GetPickupUntil()
	v.b.change(r)
	return nil
}
