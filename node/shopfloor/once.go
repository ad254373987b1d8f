package shopfloor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// isFunc tells whether a record is what a request asked for. It sees the books
// as they are now.
type isFunc func(tx *journal.Tx, rec *recordv1.Record) (bool, error)

// is makes an isFunc of what the record alone tells.
func is(match func(rec *recordv1.Record) bool) isFunc {
	return func(_ *journal.Tx, rec *recordv1.Record) (bool, error) { return match(rec), nil }
}

// once appends one record. The same request again, by its id, is answered with
// the first record; another request with that id is refused.
func (f *Floor) once(ctx context.Context, c Cause, match isFunc, build buildFunc) (Written, error) {
	w, err := f.write(ctx, c, build)
	if err != nil || !w.Repeated {
		return w, err
	}
	return w, f.same(ctx, w, match)
}

func (f *Floor) same(ctx context.Context, w Written, match isFunc) error {
	var equal bool
	err := f.j.View(ctx, func(tx *journal.Tx) (err error) {
		equal, err = match(tx, w.Record)
		return err
	})
	if err == nil && !equal {
		return stock.Refuse(stock.IDReused, "id of record %d", w.Seq)
	}
	return err
}

// Asked returns the record that an id made before; nil when there is none. What
// a page works out from how things stand must come out as it did the first time.
func (f *Floor) Asked(ctx context.Context, id ID) (*recordv1.Record, error) {
	_, known, err := f.j.Find(ctx, id)
	if err != nil || !known {
		return nil, err
	}
	w, err := f.first(ctx, id)
	return w.Record, err
}

// about matches a record on a reservation.
func about(id ID, match func(rec *recordv1.Record) bool) isFunc {
	return is(func(rec *recordv1.Record) bool { return bytes.Equal(books.ReservationIn(rec), id[:]) && match(rec) })
}

// isPick matches a pick of a product, whichever line it went to.
func (f *Floor) isPick(id ID, sku stock.SKU, n stock.Units) isFunc {
	return func(tx *journal.Tx, rec *recordv1.Record) (bool, error) {
		p := rec.GetPick()
		if p == nil || p.GetUndo() || !bytes.Equal(p.GetReservation(), id[:]) ||
			n != 0 && stock.Units(p.GetUnits()) > n {
			return false, nil
		}
		r, known, err := books.Open(tx, f.o.Store).Reservation(id)
		if err != nil || !known {
			return false, err
		}
		line, err := r.Line(p.GetLine())
		return err == nil && line.SKU == sku, nil
	}
}

// isCollected matches a handover of the order with a human code.
func (f *Floor) isCollected(code string) isFunc {
	return func(tx *journal.Tx, rec *recordv1.Record) (bool, error) {
		if !handover(rec) {
			return false, nil
		}
		r, known, err := books.Open(tx, f.o.Store).Reservation(pad16(books.ReservationIn(rec)))
		return err == nil && known && r.Reserve.GetCode() == code, err
	}
}

func handover(rec *recordv1.Record) bool {
	return rec.GetCollect() != nil || rec.GetCollectByToken() != nil
}

// part derives the id of a step's further record from the id of the step. Ids
// that callers count up do not meet derived ones.
func (c Cause) part(n int) Cause {
	if c.ID != (ID{}) && n > 0 {
		h := sha256.Sum256(binary.BigEndian.AppendUint32(c.ID[:], uint32(n)))
		copy(c.ID[:], h[:])
	}
	return c
}

// countable refuses a number of units that nobody can have in hand.
func countable(n stock.Units) error {
	if n <= 0 || n > ledger.MaxUnits {
		return stock.Refuse(stock.BadUnits, "%d units", n)
	}
	return nil
}
