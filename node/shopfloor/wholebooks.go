package shopfloor

import (
	"context"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

// spareParts is how many more parts the books may have than just before.
const spareParts = 8

// writeBooks writes the whole books into the journal, in parts with nothing in
// between: all are of the moment of the first. They change nothing here; the
// cloud makes its copy anew from them.
func (f *Floor) writeBooks(ctx context.Context) error {
	room := spareParts
	err := f.j.View(ctx, func(tx *journal.Tx) error {
		parts, err := books.Checkpoint(tx, f.o.Store)
		room += len(parts)
		return err
	})
	if err != nil {
		return fmt.Errorf("write the books down: %w", err)
	}
	var parts []*recordv1.Checkpoint
	proposals := make([]journal.Proposal, room)
	done := make([]func(context.Context, journal.Outcome, error) (Written, error), room)
	for i := range room {
		proposals[i], done[i] = f.proposal(Cause{Actor: "node"}, func(tx *journal.Tx, rec *recordv1.Record) error {
			if i == 0 {
				var err error
				if parts, err = books.Checkpoint(tx, f.o.Store); err != nil {
					return err
				}
			}
			return f.writePart(rec, parts, i, room)
		})
	}
	outs, errs := f.j.AppendAll(ctx, proposals)
	for i := range room {
		_, doneErr := done[i](ctx, outs[i], errs[i])
		err = errors.Join(err, doneErr)
	}
	if err != nil {
		return fmt.Errorf("write the books down: %w", err)
	}
	f.o.Logger.Warn("the cloud makes its copy of the books anew", "parts", len(parts))
	return nil
}

func (f *Floor) writePart(rec *recordv1.Record, parts []*recordv1.Checkpoint, i, room int) error {
	if len(parts) > room {
		return stock.Refuse(stock.Busy, "the books grew to %d parts", len(parts)).With("after_ms", 0)
	}
	if i < len(parts) {
		rec.Body = &recordv1.Record_Checkpoint{Checkpoint: parts[i]}
	}
	return nil
}
