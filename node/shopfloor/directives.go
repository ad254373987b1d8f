package shopfloor

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

const (
	// maxAhead bounds the directives that are kept behind one that this node
	// does not know, to look for the one that takes it back.
	maxAhead = 10_000
	// maxAgain bounds how often a salvaged fact may turn up meanwhile by itself.
	maxAgain = 3
	// outcomeBooks notes that the cloud wants the whole books; they follow.
	outcomeBooks = "books follow"
	// oldFactMS is how old a salvaged fact may be: the ids of older ones are not
	// kept, so nobody could tell whether it was booked.
	oldFactMS = int64(35 * 24 * 3600_000)
)

// ahead are directives from a number on that wait behind a blocked one.
type ahead struct {
	from uint64
	raws [][]byte
}

// order is one directive on its way into the journal.
type order struct {
	seq   uint64
	raw   []byte
	voids map[uint64]*recordv1.Void // that are known to come, by what they take back
	known bool                      // a salvaged fact whose id is in the journal
	// refused is a salvaged fact whose request was refused since.
	refused bool
}

// ApplyDirectives applies orders of the cloud in their order, each with its
// cursor in one record; those that were applied before are skipped. It returns
// the number of the last one that is durable here. An order that this node does
// not know is refused as FeatureRefused and blocks those behind it until one of
// them takes it back.
func (f *Floor) ApplyDirectives(ctx context.Context, from uint64, _ []byte, raws [][]byte) (uint64, error) {
	from, raws = f.behindBlocked(from, raws)
	voids := voidsIn(raws)
	applied, err := f.applyAll(ctx, from, raws, voids)
	for again := 0; errors.Is(err, errKnownMeanwhile) && again < maxAgain; again++ {
		rest := raws[applied+1-from:]
		applied, err = f.applyAll(ctx, applied+1, rest, voids)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ahead = ahead{}
	if rest := raws[applied+1-from:]; stock.Refused(err, stock.FeatureRefused) && len(rest) <= maxAhead {
		f.ahead = ahead{from: applied + 1, raws: rest}
	}
	return applied, err
}

// behindBlocked puts what came before, and could not be applied, in front.
func (f *Floor) behindBlocked(from uint64, raws [][]byte) (uint64, [][]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ahead.raws) == 0 || from != f.ahead.from+uint64(len(f.ahead.raws)) {
		return from, raws
	}
	return f.ahead.from, append(f.ahead.raws, raws...)
}

func voidsIn(raws [][]byte) map[uint64]*recordv1.Void {
	var voids map[uint64]*recordv1.Void
	for _, raw := range raws {
		var d recordv1.Directive
		if proto.Unmarshal(raw, &d) == nil && d.GetVoid() != nil {
			if voids == nil {
				voids = make(map[uint64]*recordv1.Void)
			}
			voids[d.GetVoid().GetDirective()] = d.GetVoid()
		}
	}
	return voids
}

// errKnownMeanwhile says that a till sent the very request whose record was
// about to be salvaged.
var errKnownMeanwhile = errors.New("the salvaged fact was booked meanwhile")

func (f *Floor) applyAll(ctx context.Context, from uint64, raws [][]byte,
	voids map[uint64]*recordv1.Void) (uint64, error) {
	asked := false // for the whole books
	proposals := make([]journal.Proposal, len(raws))
	done := make([]doneFunc, len(raws))
	told := make(map[ID]bool) // by facts of this batch; two disks may tell the same
	for i, raw := range raws {
		o := order{seq: from + uint64(i), raw: raw, voids: voids}
		id, err := f.salvagedID(ctx, &o)
		if err != nil {
			return from - 1, err
		}
		if told[id] {
			id, o.known = ID{}, true
		}
		told[id] = id != ID{}
		proposals[i], done[i] = f.proposal(Cause{ID: id, Actor: "cloud"},
			func(tx *journal.Tx, rec *recordv1.Record) error { return f.obey(tx, rec, o) })
	}
	outs, errs := f.j.AppendAll(ctx, proposals)
	applied, reload := from-1, false
	for i := range raws {
		w, err := done[i](ctx, outs[i], errs[i])
		if err == nil && w.Repeated {
			err = errKnownMeanwhile
		}
		if err != nil {
			return applied, fmt.Errorf("apply directive %d: %w", from+uint64(i), err)
		}
		d := w.Record.GetApplyDirective()
		reload = reload || d.GetPolicy() != nil || d.GetKeys() != nil
		asked = asked || d.GetOutcome() == outcomeBooks
		applied++
	}
	if asked {
		if _, err := f.writeBooks(ctx); err != nil {
			return applied, err
		}
	}
	if reload {
		return applied, f.takeSettings(ctx)
	}
	return applied, nil
}

// takeSettings takes in what head office has just set.
func (f *Floor) takeSettings(ctx context.Context) error {
	if err := f.reload(ctx); err != nil {
		return err
	}
	f.touchAll()
	f.o.Notify(Event{Kind: "settings"})
	return nil
}

// salvagedID is the id that a salvaged fact's record gets: that of the fact, so
// that a till that sends it again is answered. If it is known already nothing
// is left to book.
func (f *Floor) salvagedID(ctx context.Context, o *order) (id ID, err error) {
	var d recordv1.Directive
	if proto.Unmarshal(o.raw, &d) != nil || len(d.GetSalvageFacts().GetRecords()) != 1 {
		return id, nil
	}
	var fact recordv1.Record
	if proto.Unmarshal(d.GetSalvageFacts().GetRecords()[0], &fact) != nil || len(fact.GetUid()) != len(id) {
		return id, nil
	}
	copy(id[:], fact.GetUid())
	if _, o.known, err = f.j.Find(ctx, id); o.known || err != nil {
		return ID{}, err
	}
	if o.refused, err = f.wasRefused(ctx, id); o.refused || err != nil {
		return ID{}, err
	}
	return id, nil
}

// obey turns one directive into the record that applies it.
func (f *Floor) obey(tx *journal.Tx, rec *recordv1.Record, o order) error {
	cursor, err := books.CursorOf(tx, f.o.Store)
	if err != nil || o.seq <= cursor.Directives {
		return err
	}
	if o.seq != cursor.Directives+1 {
		return fmt.Errorf("directive %d after %d: gap", o.seq, cursor.Directives)
	}
	var d recordv1.Directive
	if err := proto.Unmarshal(o.raw, &d); err != nil {
		return fmt.Errorf("decode directive: %w", err)
	}
	if d.GetSeq() != o.seq {
		return fmt.Errorf("directive %d says that it is %d", o.seq, d.GetSeq())
	}
	if t := stock.Timeline(d.GetTimeline()); t != cursor.Timeline {
		return fmt.Errorf("directive %d is of timeline %d, the store is in %d", o.seq, t, cursor.Timeline)
	}
	hash := journal.Chain(cursor.Hash, o.seq, o.raw)
	rec.DirectivesApplied, rec.DirectiveHash = o.seq, hash[:]
	return f.obeyBody(tx, rec, &d, o)
}

func (f *Floor) obeyBody(tx *journal.Tx, rec *recordv1.Record, d *recordv1.Directive, o order) error {
	note := &recordv1.ApplyDirective{Directive: d.GetSeq(), Timeline: d.GetTimeline(), Outcome: "applied"}
	switch v := d.GetBody().(type) {
	case *recordv1.Directive_Reserve:
		return f.obeyReserve(tx, rec, v.Reserve, note)
	case *recordv1.Directive_Return:
		rec.Body = &recordv1.Record_ApplyReturn{ApplyReturn: &recordv1.ApplyReturn{Sku: v.Return.GetSku(),
			Units: v.Return.GetUnits(), ReturnedTotal: v.Return.GetReturnedTotal(), Directive: d.GetSeq()}}
		return nil
	case *recordv1.Directive_Cancel:
		return f.release(tx, rec, v.Cancel.GetReservation(), recordv1.ReleaseReason_RELEASE_REASON_CANCEL, note)
	case *recordv1.Directive_Void:
		return f.release(tx, rec, v.Void.GetReservation(), recordv1.ReleaseReason_RELEASE_REASON_VOID, note)
	case *recordv1.Directive_SalvageFacts:
		return f.obeySalvage(tx, rec, v.SalvageFacts, o, note)
	case *recordv1.Directive_Policy:
		note.Policy = v.Policy.GetPolicy()
	case *recordv1.Directive_Keys:
		note.Keys = v.Keys
	case *recordv1.Directive_Checkpoint:
		note.Outcome = outcomeBooks
	default:
		if d.GetCritical() {
			return f.obeyVoided(tx, rec, d, o, note)
		}
		note.Outcome = "ignored"
	}
	rec.Body = &recordv1.Record_ApplyDirective{ApplyDirective: note}
	return nil
}

// obeyReserve binds units to a promise. One that is ordered again after the
// cloud came back, and has ended here long ago, stays ended.
func (f *Floor) obeyReserve(tx *journal.Tx, rec *recordv1.Record, r *recordv1.Reserve,
	note *recordv1.ApplyDirective) error {
	ended, err := f.endedBefore(tx, r, note.GetDirective())
	if err != nil {
		return err
	}
	if ended {
		note.Outcome = "ended before"
		rec.Body = &recordv1.Record_ApplyDirective{ApplyDirective: note}
		return nil
	}
	rec.Body = &recordv1.Record_Accept{Accept: &recordv1.Accept{Reserve: r, Directive: note.GetDirective()}}
	return nil
}

// endedBefore tells whether a reservation that is not here was here once: then
// the directive that first brought it was applied.
func (f *Floor) endedBefore(tx *journal.Tx, r *recordv1.Reserve, directive uint64) (bool, error) {
	b := books.Open(tx, f.o.Store)
	now, err := b.Timeline()
	t := stock.Timeline(r.GetTimeline())
	if err != nil || t == 0 || t == now && r.GetDirective() == directive {
		return false, err
	}
	if _, known, err := b.Reservation(pad16(r.GetReservation())); known || err != nil {
		return false, err
	}
	applied, err := b.AppliedIn(t)
	return r.GetDirective() <= applied, err
}

// release gives a reservation up that is still open; one that has ended stays
// as it ended, which is the answer.
func (f *Floor) release(tx *journal.Tx, rec *recordv1.Record, id []byte, why recordv1.ReleaseReason,
	note *recordv1.ApplyDirective) error {
	r, ok, err := books.Open(tx, f.o.Store).Reservation(pad16(id))
	switch {
	case err != nil:
		return err
	case ok && !r.State().Final():
		rec.Body = &recordv1.Record_Release{Release: &recordv1.Release{Reservation: id,
			Reason: why, Directive: note.GetDirective()}}
		return nil
	case ok:
		note.Outcome = "ended before: " + r.State().String()
	case len(id) == 0:
		note.Outcome = "taken back"
	default:
		note.Outcome = "unknown reservation"
	}
	rec.Body = &recordv1.Record_ApplyDirective{ApplyDirective: note}
	return nil
}

// obeyVoided consumes a directive that this node does not know and that one
// behind it takes back: the units of a promise are bound as if it were known,
// and set free when its turn comes. Without such a one it blocks.
func (f *Floor) obeyVoided(tx *journal.Tx, rec *recordv1.Record, d *recordv1.Directive, o order,
	note *recordv1.ApplyDirective) error {
	void := o.voids[d.GetSeq()]
	if void == nil {
		return stock.Refuse(stock.FeatureRefused, "directive %T", d.GetBody()).With("what", "directive")
	}
	if len(void.GetReservation()) > 0 {
		return f.obeyReserve(tx, rec, &recordv1.Reserve{Reservation: void.GetReservation(),
			Timeline: void.GetTimeline(), Directive: d.GetSeq(), Lines: void.GetLines()}, note)
	}
	note.Outcome = "taken back"
	rec.Body = &recordv1.Record_ApplyDirective{ApplyDirective: note}
	return nil
}

// obeySalvage books what a former box of this store had recorded, once.
func (f *Floor) obeySalvage(tx *journal.Tx, rec *recordv1.Record, s *recordv1.SalvageFacts, o order,
	note *recordv1.ApplyDirective) error {
	rec.Body = &recordv1.Record_ApplyDirective{ApplyDirective: note}
	var fact recordv1.Record
	switch {
	case len(s.GetRecords()) != 1:
		return stock.Refuse(stock.FeatureRefused, "%d facts at once", len(s.GetRecords())).With("what", "directive")
	case o.known:
		note.Outcome = "known already"
	case proto.Unmarshal(s.GetRecords()[0], &fact) != nil:
		rec.Body = &recordv1.Record_Unclassified{Unclassified: &recordv1.Unclassified{
			What: "a record of a former box", Raw: s.GetRecords()[0], Code: stock.Unreadable.String()}}
	case !books.Salvageable(&fact) || f.orderedHere(tx, &fact):
		note.Outcome = "nothing to book"
	case o.refused:
		rec.Body = &recordv1.Record_Unclassified{Unclassified: &recordv1.Unclassified{
			What: fmt.Sprintf("record %d of epoch %d.%d was never confirmed, and then refused to whoever asked again",
				fact.GetSeq(), fact.GetEpoch().GetTimeline(), fact.GetEpoch().GetCounter()),
			Raw: s.GetRecords()[0], Code: stock.AlreadyFinished.String()}}
	case f.o.Now()-books.Time(&fact) > oldFactMS:
		rec.Body = &recordv1.Record_Unclassified{Unclassified: &recordv1.Unclassified{
			What: fmt.Sprintf("record %d of epoch %d.%d is too old to tell whether it was booked",
				fact.GetSeq(), fact.GetEpoch().GetTimeline(), fact.GetEpoch().GetCounter()),
			Raw: s.GetRecords()[0], Code: stock.AlreadyFinished.String()}}
	default:
		rec.Body = &recordv1.Record_Salvage{Salvage: &recordv1.Salvage{OldEpoch: fact.GetEpoch(),
			OldSeq: fact.GetSeq(), Fact: s.GetRecords()[0]}}
	}
	return nil
}

// orderedHere tells whether a former box's Accept is of a promise that this one
// is ordered itself, or was: only those of an older timeline, beyond what was
// applied of it, may be known to nobody else.
func (f *Floor) orderedHere(tx *journal.Tx, fact *recordv1.Record) bool {
	r := fact.GetAccept().GetReserve()
	if r == nil {
		return false
	}
	b := books.Open(tx, f.o.Store)
	now, err := b.Timeline()
	if err != nil || stock.Timeline(r.GetTimeline()) >= now {
		return true
	}
	applied, err := b.AppliedIn(stock.Timeline(r.GetTimeline()))
	return err != nil || r.GetDirective() <= applied
}
