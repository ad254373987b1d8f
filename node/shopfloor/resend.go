package shopfloor

import (
	"context"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/reservation"
	"holdfast.dev/stock/token"
)

// Forgot tells whether this store may have forgotten what it answered in an
// epoch: a later one has begun since, or it does not trust its own state.
func (f *Floor) Forgot(e stock.Epoch) bool {
	return e.Compare(f.Epoch()) < 0 || f.Mode() != recordv1.NodeMode_NODE_MODE_NORMAL
}

// resent tells whether a request is to be booked as what has happened already:
// a till was answered, and the store has lost it since.
func (f *Floor) resent(c Cause) bool { return c.Resent != nil && f.Forgot(*c.Resent) }

// resend books what a till asks again as a fact of the time when it was first
// answered, as if an old disk had told it: whatever the books say now, and
// without counting twice what a shelf count has seen since.
func (f *Floor) resend(ctx context.Context, c Cause, match isFunc, build buildFunc) (Written, error) {
	if err := f.tooOld(c.ID); err != nil {
		return Written{}, err
	}
	return f.once(ctx, c, match, func(tx *journal.Tx, rec *recordv1.Record) error {
		if err := build(tx, rec); err != nil || rec.Body == nil {
			return err
		}
		epoch := &recordv1.Epoch{Timeline: uint32(c.Resent.Timeline), Counter: c.Resent.Counter}
		fact := &recordv1.Record{Epoch: epoch, Uid: rec.Uid, Hlc: rec.Hlc, Actor: rec.Actor,
			Device: rec.Device, Body: rec.Body}
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(fact)
		if err != nil {
			return err
		}
		rec.Body = &recordv1.Record_Salvage{Salvage: &recordv1.Salvage{OldEpoch: epoch, Fact: raw}}
		return nil
	})
}

// step appends what a request asks for: as it is, or as a fact when a till sends
// it again.
func (f *Floor) step(ctx context.Context, c Cause, match isFunc, build, fact buildFunc) (Written, error) {
	if f.resent(c) {
		return f.resend(ctx, c, match, fact)
	}
	return f.once(ctx, c, match, build)
}

// knownReservation returns an order that a till has dealt with before. One that
// this store does not know again yet will be ordered again: the till waits.
func (f *Floor) knownReservation(tx *journal.Tx, id ID) (*books.Reservation, error) {
	r, known, err := books.Open(tx, f.o.Store).Reservation(id)
	if err == nil && !known {
		err = stock.Refuse(stock.UnknownReservation, "reservation %x", id)
	}
	return r, err
}

// ReceiveAgain books a delivery, or one scan of it, that a till sends again.
func (f *Floor) ReceiveAgain(ctx context.Context, c Cause, r *recordv1.Receipt) (Written, error) {
	return f.resend(ctx, c, isReceipt(r.GetDocument(), r.GetLines()),
		func(_ *journal.Tx, rec *recordv1.Record) error {
			if r.GetDocument() == "" || len(r.GetDocument()) > maxDocument || len(r.GetLines()) == 0 {
				return stock.Refuse(stock.BadRequest, "a delivery without id or lines").With("what", "delivery id")
			}
			for _, l := range r.GetLines() {
				if err := countable(stock.Units(l.GetUnits())); err != nil {
					return err
				}
			}
			rec.Body = &recordv1.Record_Receipt{Receipt: r}
			return nil
		})
}

// CountAgain books the difference that a count had found, when a till sends the
// count again: what else it missed may still come.
func (f *Floor) CountAgain(ctx context.Context, c Cause, n *recordv1.Count) (Written, error) {
	counted, delta := stock.Units(n.GetCounted()), stock.Units(n.GetDelta())
	if counted < 0 || countable(max(counted, delta, -delta, 1)) != nil {
		return Written{}, stock.Refuse(stock.BadUnits, "counted %d, %d more than known", counted, delta)
	}
	return f.resend(ctx, c, isCount(stock.SKU(n.GetSku()), counted),
		func(_ *journal.Tx, rec *recordv1.Record) error {
			rec.Body = &recordv1.Record_Count{Count: n}
			return nil
		})
}

// collectAgain books a handover that a till sends again: the goods have left, so
// neither a PIN nor a pick is asked for.
func (f *Floor) collectAgain(ctx context.Context, c Cause, p Presented) (h Handover, err error) {
	by := recordv1.Verification_VERIFICATION_TOKEN
	if _, err := token.ParseCode(p.Code); err == nil {
		by = recordv1.Verification_VERIFICATION_CODE
	}
	match := func(tx *journal.Tx, rec *recordv1.Record) (bool, error) {
		r, err := f.presented(tx, p.Code)
		return err == nil && r != nil && handover(rec) && pad16(books.ReservationIn(rec)) == r.ID, err
	}
	h.Written, err = f.resend(ctx, c, match, func(tx *journal.Tx, rec *recordv1.Record) error {
		r, err := f.presented(tx, p.Code)
		if err == nil && r == nil {
			err = stock.Refuse(stock.UnknownReservation, "code %.20q", p.Code)
		}
		if err != nil {
			return err
		}
		handed := p.Handed
		if len(handed) == 0 {
			handed = mostHanded(r)
		}
		for _, l := range handed {
			was, err := r.Line(l.GetLine())
			if err != nil {
				return err
			}
			if n := stock.Units(l.GetUnits()); n <= 0 || n > was.Quantity {
				return stock.Refuse(stock.BadUnits, "handed over %d of %d", n, was.Quantity)
			}
		}
		rec.Body = &recordv1.Record_Collect{Collect: &recordv1.Collect{Reservation: r.ID[:], Verification: by,
			Lines: handed}}
		return nil
	})
	if err == nil {
		h.Reservation = pad16(books.ReservationIn(h.Record))
	}
	return h, err
}

// mostHanded is all of an order that has not run short.
func mostHanded(r *books.Reservation) (all []*recordv1.OutcomeLine) {
	for _, l := range r.Lines {
		if n := l.Quantity - l.At(reservation.Short); n > 0 {
			all = append(all, &recordv1.OutcomeLine{Line: l.Line, Units: int64(n)})
		}
	}
	return all
}

// missingAgain books units that could not be found, when a till sends that again
// about an order that has ended meanwhile: they are missing all the same.
func (f *Floor) missingAgain(id ID, line uint32, n stock.Units, by string) buildFunc {
	return func(tx *journal.Tx, rec *recordv1.Record) error {
		r, err := f.knownReservation(tx, id)
		if err == nil {
			_, err = r.Line(line)
		}
		if err != nil {
			return err
		}
		rec.Body = &recordv1.Record_Shortage{Shortage: &recordv1.Shortage{Reservation: id[:], Line: line,
			Units: int64(n), Reason: recordv1.ShortReason_SHORT_REASON_MISSING, DecidedBy: by}}
		return nil
	}
}
