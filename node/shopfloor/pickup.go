package shopfloor

import (
	"context"
	"slices"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/reservation"
)

// maxOpen bounds how many open reservations of one store are looked at.
const maxOpen = 2000

func newestFirst(all []*books.Reservation) {
	slices.SortFunc(all, func(a, b *books.Reservation) int {
		switch at, bt := a.Reserve.GetConfirmedAt(), b.Reserve.GetConfirmedAt(); {
		case at > bt:
			return -1
		case at < bt:
			return 1
		}
		return slices.Compare(b.ID[:], a.ID[:])
	})
}

// Open returns an open reservation for a step, or a refusal that says why not.
func (f *Floor) openReservation(tx *journal.Tx, id ID) (*books.Reservation, error) {
	r, ok, err := books.Open(tx, f.o.Store).Reservation(id)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, stock.Refuse(stock.UnknownReservation, "reservation %x", id)
	case r.State().Final():
		return nil, books.Finished(r)
	}
	return r, nil
}

// Pick books n units of a product taken from the shelf for a reservation. A
// product that is not on the order, or not needed any more, is refused. With
// n = 0 everything of the product that is still on the shelf is picked.
func (f *Floor) Pick(ctx context.Context, c Cause, id ID, sku stock.SKU, n stock.Units) (Written, error) {
	return f.once(ctx, c, f.isPick(id, sku, n), func(tx *journal.Tx, rec *recordv1.Record) error {
		r, err := f.openReservation(tx, id)
		if err != nil {
			return err
		}
		line, err := f.lineToPick(tx, r, sku)
		if err != nil {
			return err
		}
		units := line.At(reservation.Reserved)
		if n != 0 {
			units = min(n, units)
		}
		rec.Body = &recordv1.Record_Pick{Pick: &recordv1.Pick{Reservation: id[:], Line: line.Line,
			Units: int64(units)}}
		return nil
	})
}

func (f *Floor) lineToPick(tx *journal.Tx, r *books.Reservation, sku stock.SKU) (reservation.Line, error) {
	var wantedName string
	onOrder := false
	for _, l := range r.Lines {
		if l.SKU == sku && l.At(reservation.Reserved) > 0 {
			return l, nil
		}
		onOrder = onOrder || l.SKU == sku
		if wantedName == "" && l.At(reservation.Reserved) > 0 {
			wantedName = f.lineName(r, l.Line)
		}
	}
	if onOrder {
		return reservation.Line{}, stock.Refuse(stock.LineComplete, "sku %d is picked", sku).
			With("product", f.productName(tx, sku))
	}
	return reservation.Line{}, stock.Refuse(stock.WrongItem, "sku %d is not on the order", sku).
		With("product", f.productName(tx, sku)).With("wanted", wantedName)
}

func (f *Floor) lineName(r *books.Reservation, number uint32) string {
	for _, l := range r.Reserve.GetLines() {
		if l.GetLine() == number {
			return l.GetName()
		}
	}
	return ""
}

func (f *Floor) productName(tx *journal.Tx, sku stock.SKU) string {
	p, err := f.o.Catalogue.BySKU(tx, sku)
	if err != nil || p == nil {
		return ""
	}
	return p.GetName()
}

// Stage books everything that is picked of a reservation onto a pickup shelf, a
// record for each line. A shelf that is a locker's compartment is opened before
// that, and holds no other order. The same request again is answered with its
// records.
func (f *Floor) Stage(ctx context.Context, c Cause, id ID, shelf string) ([]Written, error) {
	shelf, locked := f.compartment(shelf)
	if shelf == "" || len(shelf) > maxDocument {
		return nil, stock.Refuse(stock.BadRequest, "shelf of %d characters", len(shelf)).With("what", "shelf")
	}
	match := about(id, func(rec *recordv1.Record) bool {
		return rec.GetStage() != nil && rec.GetStage().GetShelf() == shelf
	})
	if all, err := f.stagedBefore(ctx, c, match); len(all) > 0 || err != nil {
		return all, err
	}
	lines := 0
	err := f.j.View(ctx, func(tx *journal.Tx) error {
		r, err := f.openReservation(tx, id)
		if err == nil {
			lines = len(r.Lines)
		}
		if err == nil && locked {
			err = f.mayHold(tx, r, shelf)
		}
		return err
	})
	if err == nil && locked {
		err = f.OpenDoor(ctx, shelf)
	}
	if err != nil {
		return nil, err
	}
	all, err := f.stageAll(ctx, c, lines, f.stageNext(id, shelf))
	if err == nil && len(all) == 0 {
		err = stock.Refuse(stock.WrongState, "nothing is picked").With("state", "new").With("step", "stage")
	}
	return all, err
}

// stagedBefore finds the records that a request made before.
func (f *Floor) stagedBefore(ctx context.Context, c Cause, match isFunc) (all []Written, err error) {
	for n := 0; c.ID != (ID{}); n++ {
		id := c.part(n).ID
		if _, known, err := f.j.Find(ctx, id); err != nil || !known {
			return all, err
		}
		w, err := f.first(ctx, id)
		if err == nil {
			err = f.same(ctx, w, match)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return nil, nil
}

// stageAll proposes a record for each line at once; those that find nothing
// left to stage record nothing.
func (f *Floor) stageAll(ctx context.Context, c Cause, lines int, build buildFunc) (all []Written, err error) {
	proposals := make([]journal.Proposal, lines)
	done := make([]doneFunc, lines)
	for n := range lines {
		proposals[n], done[n] = f.proposal(c.part(n), build)
	}
	outs, errs := f.j.AppendAll(ctx, proposals)
	for n := range lines {
		w, doneErr := done[n](ctx, outs[n], errs[n])
		if w.Seq > 0 {
			all = append(all, w)
		}
		if err == nil {
			err = doneErr
		}
	}
	return all, err
}

// stageNext stages the first line that has picked units. So the first record of
// a step carries the step's own id.
func (f *Floor) stageNext(id ID, shelf string) buildFunc {
	return func(tx *journal.Tx, rec *recordv1.Record) error {
		r, err := f.openReservation(tx, id)
		if err != nil {
			return err
		}
		for _, l := range r.Lines {
			if n := l.At(reservation.Picked); n > 0 {
				if err := f.vacant(tx, r.ID, shelf); err != nil {
					return err
				}
				rec.Body = &recordv1.Record_Stage{Stage: &recordv1.Stage{Reservation: id[:], Line: l.Line,
					Units: int64(n), Shelf: shelf}}
				return nil
			}
		}
		return nil
	}
}

// Release gives up what is open of a reservation.
func (f *Floor) Release(ctx context.Context, c Cause, id ID, reason recordv1.ReleaseReason) (Written, error) {
	match := about(id, func(rec *recordv1.Record) bool {
		return rec.GetRelease() != nil && rec.GetRelease().GetReason() == reason
	})
	book := func(find func(*journal.Tx, ID) (*books.Reservation, error)) buildFunc {
		return func(tx *journal.Tx, rec *recordv1.Record) error {
			r, err := find(tx, id)
			if err == nil {
				rec.Body = &recordv1.Record_Release{Release: &recordv1.Release{Reservation: r.ID[:], Reason: reason}}
			}
			return err
		}
	}
	return f.step(ctx, c, match, book(f.openReservation), book(f.knownReservation))
}

// Missing says that n units of a line cannot be found: other units of the shelf
// take their place if there are any, else the line runs short.
func (f *Floor) Missing(ctx context.Context, c Cause, id ID, line uint32, n stock.Units) (Written, error) {
	if err := countable(n); err != nil {
		return Written{}, err
	}
	w, err := f.once(ctx, c, isMissing(id, line, n), f.missing(c, id, line, n))
	if ended := stock.Refused(err, stock.AlreadyFinished) || stock.Refused(err, stock.AlreadyCollected); ended &&
		f.resent(c) {
		return f.resend(ctx, c, isMissing(id, line, n), f.missingAgain(id, line, n, c.Actor))
	}
	return w, err
}

func (f *Floor) missing(c Cause, id ID, line uint32, n stock.Units) buildFunc {
	return func(tx *journal.Tx, rec *recordv1.Record) error {
		r, err := f.openReservation(tx, id)
		if err != nil {
			return err
		}
		l, err := r.Line(line)
		if err != nil {
			return err
		}
		a, err := f.account(tx, l.SKU)
		if err != nil {
			return err
		}
		if a.Balances[ledger.Sellable] >= n && n <= l.Open() {
			rec.Body = &recordv1.Record_Replace{Replace: &recordv1.Replace{Reservation: id[:], Line: line,
				Units: int64(n)}}
			return nil
		}
		rec.Body = &recordv1.Record_Shortage{Shortage: &recordv1.Shortage{Reservation: id[:], Line: line,
			Units: int64(n), Reason: recordv1.ShortReason_SHORT_REASON_MISSING, DecidedBy: c.Actor}}
		return nil
	}
}

func isMissing(id ID, line uint32, n stock.Units) isFunc {
	return about(id, func(rec *recordv1.Record) bool {
		if s := rec.GetShortage(); s != nil {
			return s.GetLine() == line && s.GetUnits() == int64(n)
		}
		p := rec.GetReplace()
		return p != nil && p.GetLine() == line && p.GetUnits() == int64(n)
	})
}

// Extend moves the pickup-by time of a reservation.
func (f *Floor) Extend(ctx context.Context, c Cause, id ID, until int64) (Written, error) {
	match := about(id, func(rec *recordv1.Record) bool { return rec.GetExtend().GetPickupUntil() == until })
	return f.once(ctx, c, match, func(tx *journal.Tx, rec *recordv1.Record) error {
		r, err := f.openReservation(tx, id)
		if err != nil {
			return err
		}
		if until <= r.PickupUntil {
			return stock.Refuse(stock.BadRequest, "until %d is not later", until).With("what", "pickup-by time")
		}
		rec.Body = &recordv1.Record_Extend{Extend: &recordv1.Extend{Reservation: id[:], PickupUntil: until}}
		return nil
	})
}

// ExpireDue gives up every reservation whose pickup-by time and grace have
// passed, if the clock can be trusted. It returns how many.
func (f *Floor) ExpireDue(ctx context.Context) (int, error) {
	if !f.clockTrusted() {
		return 0, nil
	}
	before := f.o.Now() - f.Policy().GetGraceMs()
	var due []ID
	err := f.j.View(ctx, func(tx *journal.Tx) error {
		open, err := books.OpenReservations(tx, f.o.Store, maxOpen)
		for _, r := range open {
			if r.PickupUntil <= before {
				due = append(due, r.ID)
			}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	released := 0
	for _, id := range due {
		w, err := f.write(ctx, Cause{Actor: "node"}, f.expire(id, before))
		if _, refused := stock.AsRefusal(err); err != nil && !refused {
			return released, err
		}
		if w.Seq > 0 {
			released++
		}
	}
	return released, nil
}

// expire gives up a reservation that is still due: it may have been extended
// since it was listed.
func (f *Floor) expire(id ID, before int64) buildFunc {
	return func(tx *journal.Tx, rec *recordv1.Record) error {
		r, err := f.openReservation(tx, id)
		if err != nil || r.PickupUntil > before {
			return err
		}
		rec.Body = &recordv1.Record_Release{Release: &recordv1.Release{Reservation: id[:],
			Reason: recordv1.ReleaseReason_RELEASE_REASON_EXPIRE}}
		return nil
	}
}
