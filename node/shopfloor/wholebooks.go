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

// spareParts is how many more parts the books may have than just before.
const spareParts = 8

// writeBooks writes the whole books into the journal, in parts with nothing in
// between: all are of the moment of the first. They change nothing here; the
// cloud can make its copy anew from them, and replay can begin there. It returns
// the number of the first part's record.
func (f *Floor) writeBooks(ctx context.Context) (first uint64, err error) {
	room := spareParts
	err = f.j.View(ctx, func(tx *journal.Tx) error {
		parts, err := books.Checkpoint(tx, f.o.Store)
		room += len(parts)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("write the books down: %w", err)
	}
	var parts []*recordv1.Checkpoint
	proposals := make([]journal.Proposal, room)
	done := make([]doneFunc, room)
	for i := range room {
		proposals[i], done[i] = f.proposal(Cause{Actor: "node"}, func(tx *journal.Tx, rec *recordv1.Record) error {
			if i == 0 {
				var err error
				if parts, err = f.wholeBooks(tx); err != nil {
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
		return 0, fmt.Errorf("write the books down: %w", err)
	}
	f.o.Logger.Info("the books were written down", "parts", len(parts))
	return outs[0].Seq, nil
}

// wholeBooks are the books in parts; the last one has what head office has set.
func (f *Floor) wholeBooks(tx *journal.Tx) ([]*recordv1.Checkpoint, error) {
	parts, err := books.Checkpoint(tx, f.o.Store)
	if err != nil {
		return nil, err
	}
	last := parts[len(parts)-1]
	for name, set := range map[string]func(raw []byte) error{
		settingPolicy: func(raw []byte) error {
			last.Policy = new(recordv1.Policy)
			return proto.Unmarshal(raw, last.Policy)
		},
		settingKeys: func(raw []byte) error {
			last.Keys = new(recordv1.KeySet)
			return proto.Unmarshal(raw, last.Keys)
		},
	} {
		raw, err := getBytes(tx, selectSetting, name)
		if err == nil && raw != nil {
			err = set(raw)
		}
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
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
