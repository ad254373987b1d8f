package shopfloor

import (
	"context"
	"crypto/ed25519"
	"crypto/subtle"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/reservation"
	"holdfast.dev/stock/token"
)

// Handover is what became of a collection.
type Handover struct {
	Written
	Reservation ID
	Unheard     bool // collected by its token before the store had heard of it
}

// Collect hands over an order by its signed token or its human code. A token
// works although this store has not heard of the reservation yet.
func (f *Floor) Collect(ctx context.Context, c Cause, code string) (Handover, error) {
	return f.CollectFor(ctx, c, Presented{Code: code})
}

// Presented is what a shopper shows and says at the counter.
type Presented struct {
	Code string // token or human code
	PIN  string // that the order may have
	// By is a manager who knows the shopper otherwise.
	By *Decider
	// Handed is what was handed over, in a request that is sent again; nil: all
	// that had not run short.
	Handed []*recordv1.OutcomeLine
}

// CollectFor hands over an order to a shopper who may have to say a PIN.
// An order that lies behind the door of a compartment is handed over when the
// door is open. A request that was recorded is answered with that, also when the
// key of its token was taken back since.
func (f *Floor) CollectFor(ctx context.Context, c Cause, p Presented) (Handover, error) {
	if f.resent(c) {
		return f.collectAgain(ctx, c, p)
	}
	if err := f.openFor(ctx, p); err != nil {
		return Handover{}, err
	}
	if human, err := token.ParseCode(p.Code); err == nil {
		return f.collectByCode(ctx, c, human, p)
	}
	t, err := f.shown(ctx, c.ID, p.Code)
	if err != nil {
		return Handover{}, err
	}
	if t.Store != f.o.Store || t.Tenant != f.o.Tenant {
		return Handover{}, stock.Refuse(stock.WrongStore, "token of store %d", t.Store).With("store", t.Store)
	}
	h := Handover{Reservation: t.Reservation}
	h.Written, err = f.once(ctx, c, about(t.Reservation, handover), func(tx *journal.Tx, rec *recordv1.Record) error {
		known, ok, err := books.Open(tx, f.o.Store).Reservation(t.Reservation)
		switch {
		case err != nil:
			return err
		case ok:
			return handKnown(known, rec, recordv1.Verification_VERIFICATION_TOKEN, p)
		}
		if err := f.mayHandUnheard(t, p); err != nil {
			return err
		}
		return f.handUnheard(tx, rec, p.Code, t)
	})
	h.Unheard = err == nil && h.Record.GetCollectByToken() != nil
	if h.Unheard && !h.Repeated && len(h.Record.GetCollectByToken().GetUncovered()) > 0 {
		f.o.Logger.Error("a genuine code was not covered by online units", "store", f.o.Store)
		err = f.setMode(ctx, recordv1.NodeMode_NODE_MODE_SAFE)
	}
	return h, err
}

// shown reads the token of a request. Of one that was recorded it was checked then.
func (f *Floor) shown(ctx context.Context, request ID, code string) (token.Token, error) {
	before, err := f.Asked(ctx, request)
	if err != nil {
		return token.Token{}, err
	}
	if before != nil {
		return token.Read(code)
	}
	return token.Verify(code, f.tokenKeys())
}

// mayHandUnheard asks for the PIN, and for a manager while the store does not
// trust its own state: it may have handed the order over already.
func (f *Floor) mayHandUnheard(t token.Token, p Presented) error {
	if f.Mode() == recordv1.NodeMode_NODE_MODE_SAFE && !p.By.manages() {
		return stock.Refuse(stock.ManagerNeeded, "an unknown order in a store that doubts itself").
			With("level", "safe")
	}
	return p.check(t.Reservation, t.PINTag[:])
}

func (d *Decider) manages() bool { return d != nil && d.Manager && d.Name != "" }

// check refuses who cannot say the order's PIN.
func (p Presented) check(id ID, tag []byte) error {
	none := [4]byte{}
	if len(tag) != len(none) || [4]byte(tag) == none || p.By.manages() {
		return nil
	}
	if p.PIN == "" {
		return stock.Refuse(stock.NeedPIN, "order %x has a PIN", id)
	}
	if said := token.TagPIN(id, p.PIN); subtle.ConstantTimeCompare(said[:], tag) != 1 {
		return stock.Refuse(stock.WrongPIN, "order %x has another PIN", id)
	}
	return nil
}

func (f *Floor) collectByCode(ctx context.Context, c Cause, code string, p Presented) (h Handover, err error) {
	h.Written, err = f.once(ctx, c, f.isCollected(code), func(tx *journal.Tx, rec *recordv1.Record) error {
		known, err := books.FindByCode(tx, f.o.Store, code)
		if err != nil {
			return err
		}
		if known == nil {
			return stock.Refuse(stock.UnknownReservation, "code %s", code)
		}
		return handKnown(known, rec, recordv1.Verification_VERIFICATION_CODE, p)
	})
	if err == nil {
		h.Reservation = pad16(books.ReservationIn(h.Record))
		h.Unheard = h.Record.GetCollectByToken() != nil
	}
	return h, err
}

// handKnown hands over everything of a known reservation that is off the shelf.
func handKnown(r *books.Reservation, rec *recordv1.Record, by recordv1.Verification, p Presented) error {
	if r.State().Final() {
		return books.Finished(r)
	}
	if err := p.check(r.ID, r.Reserve.GetPinHash()); err != nil {
		return err
	}
	collect := &recordv1.Collect{Reservation: r.ID[:], Verification: by}
	if p.By.manages() {
		collect.Verification, collect.DecidedBy = recordv1.Verification_VERIFICATION_STAFF, p.By.Name
	}
	for _, l := range r.Lines {
		if l.At(reservation.Reserved) > 0 {
			return stock.Refuse(stock.NotReady, "line %d is not picked", l.Line).With("state", r.State())
		}
		if n := l.Open(); n > 0 {
			collect.Lines = append(collect.Lines, &recordv1.OutcomeLine{Line: l.Line, Units: int64(n)})
		}
	}
	rec.Body = &recordv1.Record_Collect{Collect: collect}
	return nil
}

// handUnheard hands over by the token alone. A token whose directive was
// applied long ago, and whose reservation is not here any more, has ended.
func (f *Floor) handUnheard(tx *journal.Tx, rec *recordv1.Record, raw string, t token.Token) error {
	b := books.Open(tx, f.o.Store)
	applied, err := b.AppliedIn(t.Timeline)
	if err != nil {
		return err
	}
	switch {
	case t.DSeq <= applied:
		return stock.Refuse(stock.AlreadyFinished, "directive %d was applied", t.DSeq).With("state", "finished")
	case len(t.Lines) == 0:
		return stock.Refuse(stock.Offline, "token of a long order carries no lines").With("since", "")
	}
	by := &recordv1.CollectByToken{Token: raw, Reserve: reserveOf(t)}
	left := make(map[stock.SKU]stock.Units)
	for i, l := range t.Lines {
		if _, seen := left[l.SKU]; !seen {
			rights, err := b.Rights(t.Timeline, l.SKU) // units of another timeline are not this token's
			if err != nil {
				return err
			}
			left[l.SKU] = rights.Online()
		}
		line := uint32(i + 1)
		by.Lines = append(by.Lines, &recordv1.OutcomeLine{Line: line, Units: int64(l.Units)})
		by.Reserve.Lines[i].Name = f.productName(tx, l.SKU)
		if bare := l.Units - max(0, left[l.SKU]); bare > 0 {
			by.Uncovered = append(by.Uncovered, &recordv1.OutcomeLine{Line: line, Units: int64(bare)})
		}
		left[l.SKU] -= l.Units
	}
	rec.Body = &recordv1.Record_CollectByToken{CollectByToken: by}
	return nil
}

func reserveOf(t token.Token) *recordv1.Reserve {
	r := &recordv1.Reserve{Reservation: t.Reservation[:], Timeline: uint32(t.Timeline), Directive: t.DSeq,
		PickupFrom: t.PickupFrom, PickupUntil: t.PickupUntil, ConfirmedAt: t.IssuedAt}
	if t.PINTag != ([4]byte{}) {
		r.PinHash = t.PINTag[:]
	}
	for i, l := range t.Lines {
		r.Lines = append(r.Lines, &recordv1.ReservedLine{Line: uint32(i + 1), Sku: uint32(l.SKU),
			Units: int64(l.Units)})
	}
	return r
}

func (f *Floor) tokenKeys() token.KeySet {
	keys := make(token.KeySet)
	for _, k := range f.Keys().GetKeys() {
		keys[k.GetId()] = token.Key{Public: ed25519.PublicKey(k.GetPublic()),
			NotBefore: k.GetNotBefore(), NotAfter: k.GetNotAfter()}
	}
	return keys
}
