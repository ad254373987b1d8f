package storefront

import (
	"context"

	"github.com/google/uuid"

	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/journal"
)

// promise is the cloud's word for a reservation, as its store gets it.
func (w *world) promise(id string) *recordv1.Reserve {
	w.t.Helper()
	var r *recordv1.Reserve
	err := w.engine.View(context.Background(), func(tx *journal.Tx) error {
		p, err := headoffice.FindPromise(tx, uuid.MustParse(id))
		if err == nil {
			r = p.Reserve
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// accept lets the store of a reservation hear of it.
func (w *world) accept(r *recordv1.Reserve) {
	w.record(1, &recordv1.Record{DirectivesApplied: r.GetDirective(), Body: &recordv1.Record_Accept{
		Accept: &recordv1.Accept{Reserve: r, Directive: r.GetDirective()}}})
}

// pick takes every unit of a reservation from the shelves.
func (w *world) pick(r *recordv1.Reserve) {
	for _, l := range r.GetLines() {
		w.record(1, &recordv1.Record{Body: &recordv1.Record_Pick{Pick: &recordv1.Pick{
			Reservation: r.GetReservation(), Line: l.GetLine(), Units: l.GetUnits()}}})
	}
}

// stage puts what was picked on the shelf where it waits.
func (w *world) stage(r *recordv1.Reserve, shelf string) {
	for _, l := range r.GetLines() {
		w.record(1, &recordv1.Record{Body: &recordv1.Record_Stage{Stage: &recordv1.Stage{
			Reservation: r.GetReservation(), Line: l.GetLine(), Units: l.GetUnits(), Shelf: shelf}}})
	}
}

func (w *world) collect(r *recordv1.Reserve) {
	c := &recordv1.Collect{Reservation: r.GetReservation(), Verification: recordv1.Verification_VERIFICATION_CODE}
	for _, l := range r.GetLines() {
		c.Lines = append(c.Lines, &recordv1.OutcomeLine{Line: l.GetLine(), Units: l.GetUnits()})
	}
	w.record(1, &recordv1.Record{Body: &recordv1.Record_Collect{Collect: c}})
}

// short tells that a line's units are not on the shelf.
func (w *world) short(r *recordv1.Reserve) {
	for _, l := range r.GetLines() {
		w.record(1, &recordv1.Record{Body: &recordv1.Record_Shortage{Shortage: &recordv1.Shortage{
			Reservation: r.GetReservation(), Line: l.GetLine(), Units: l.GetUnits(),
			Reason: recordv1.ShortReason_SHORT_REASON_MISSING}}})
	}
}

// release ends a reservation as the store does when it is asked to.
func (w *world) release(r *recordv1.Reserve, why recordv1.ReleaseReason) {
	w.record(1, &recordv1.Record{Body: &recordv1.Record_Release{Release: &recordv1.Release{
		Reservation: r.GetReservation(), Reason: why}}})
}
