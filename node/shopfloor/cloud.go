package shopfloor

import (
	"context"
	"encoding/binary"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// localAcked is the local setting with the newest record that the cloud has.
const localAcked = "acked"

func decodeSeq(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func encodeSeq(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Acked keeps how far the cloud has applied this journal.
func (f *Floor) Acked(ctx context.Context, seq uint64) error {
	if seq <= f.acked.Load() {
		return nil
	}
	f.acked.Store(seq)
	return nil
}

// SaveAcked writes the newest acknowledged number down, at most when asked; it
// is a hint that saves nothing but time after a restart.
func (f *Floor) SaveAcked(ctx context.Context) error {
	raw := encodeSeq(f.acked.Load())
	return f.j.Local(ctx, func(tx *journal.Tx) error {
		_, err := tx.Exec(upsertLocal, localAcked, raw)
		return err
	})
}

// Meet notes the last record that the cloud says it has of this store. The next
// Hello tells what is here under that number: where two boxes took turns, the
// other marks may all lie before or after the records that differ.
func (f *Floor) Meet(seq uint64) { f.met.Store(seq) }

// Hello is how this store presents its history to the cloud.
func (f *Floor) Hello(ctx context.Context) (*recordv1.Hello, error) {
	head := f.j.Head()
	first, err := f.j.First(ctx)
	if err != nil {
		return nil, err
	}
	h := &recordv1.Hello{Store: uint32(f.o.Store), NodeId: f.o.NodeID[:], Epoch: f.epochProto(),
		JournalLast: head.Seq, JournalHash: head.Hash[:], JournalFirst: first,
		JournalAcked: f.acked.Load(), Mode: f.Mode(), Clock: f.Clock(), WallMs: f.o.Now(),
		MonoMs: f.o.Steady().Milliseconds(), BootCount: f.boots.Load(), BootId: f.bootID[:],
		BacklogRecords: head.Seq - min(head.Seq, f.acked.Load())}
	for back := uint64(1); back <= head.Seq-min(first, head.Seq); back *= 2 {
		at, err := f.j.At(ctx, head.Seq-back)
		if err != nil {
			return nil, fmt.Errorf("hash of record %d: %w", head.Seq-back, err)
		}
		h.Marks = append(h.Marks, &recordv1.LogMark{Seq: at.Seq, Hash: at.Hash[:]})
	}
	if known := f.met.Load(); known >= max(first, 1) && known < head.Seq {
		at, err := f.j.At(ctx, known)
		if err != nil {
			return nil, fmt.Errorf("hash of record %d: %w", known, err)
		}
		h.Marks = append(h.Marks, &recordv1.LogMark{Seq: at.Seq, Hash: at.Hash[:]})
	}
	if first > 0 {
		at, err := f.j.At(ctx, first)
		if err != nil {
			return nil, fmt.Errorf("hash of record %d: %w", first, err)
		}
		h.JournalFirstHash = at.Hash[:]
	}
	err = f.j.View(ctx, func(tx *journal.Tx) error {
		c, err := books.CursorOf(tx, f.o.Store)
		h.DirectivesApplied, h.DirectivesHash, h.Timeline = c.Directives, c.Hash[:], uint32(c.Timeline)
		return err
	})
	return h, err
}

// Entries returns records as stored, for the uplink.
func (f *Floor) Entries(ctx context.Context, from uint64, maxEntries, maxBytes int) ([]journal.Entry, error) {
	return f.j.Entries(ctx, from, maxEntries, maxBytes)
}

// Changed is closed when there are records after seq.
func (f *Floor) Changed(seq uint64) <-chan struct{} { return f.j.Changed(seq) }

// Got says what a counter is.
type Got struct {
	SKU   stock.SKU
	Total stock.Units
}

// GrantUpTo grants units that a shopper waits for, up to absolute targets, as
// far as the shelf has them. It returns what G is now for each want.
func (f *Floor) GrantUpTo(ctx context.Context, wants []Want) ([]Got, error) {
	got := make([]Got, len(wants))
	for i, w := range wants {
		_, err := f.write(ctx, Cause{Actor: "cloud"}, func(tx *journal.Tx, rec *recordv1.Record) error {
			a, err := f.account(tx, w.SKU)
			if err != nil {
				return err
			}
			got[i] = Got{SKU: w.SKU, Total: a.Rights.Granted}
			n := stock.Units(0)
			if w.Timeline == a.Rights.Timeline && !f.frozen(a) {
				floor, err := f.forecast.floor(tx, a, f.local())
				if err != nil {
					return err
				}
				floor = max(floor, stock.Units(f.Policy().GetFloorUnits()))
				n = escrow.GrantUpTo(a.Balances[ledger.Sellable], floor, a.Rights, w.Target)
			}
			got[i].Total += n
			if missed := w.Target - got[i].Total; missed > 0 && w.Timeline == a.Rights.Timeline {
				f.forecast.ask(w.SKU, 0, missed, f.local())
			}
			return grant(rec, a, n)
		})
		if err != nil {
			return nil, err
		}
	}
	return got, nil
}

func grant(rec *recordv1.Record, a books.Account, n stock.Units) error {
	if n > 0 {
		rec.Body = &recordv1.Record_Grant{Grant: &recordv1.Grant{Sku: uint32(a.SKU), Units: int64(n),
			GrantedTotal: int64(a.Rights.Granted + n)}}
	}
	return nil
}
