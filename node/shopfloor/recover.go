package shopfloor

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

// suspectMS is how long a store that has come back waits for its tills to send
// again what it may have lost, before it grants units again by itself. A person
// may end it sooner.
const suspectMS = int64(30 * 60_000)

// Names of local settings of a node's own standing.
const (
	localEpoch   = "epoch"
	localMode    = "mode"
	localSuspect = "suspect_since"
	localRefused = "refused:" // and the id of a request
	localBoot    = "boot_count"
)

// Epoch is the incarnation of this store's state.
func (f *Floor) Epoch() stock.Epoch { return *f.epoch.Load() }

// loadStanding reads what the node kept of its own standing, and counts this
// start: a disk that was put back has seen fewer.
func (f *Floor) loadStanding(ctx context.Context) error {
	epoch := f.o.Epoch
	mode := recordv1.NodeMode_NODE_MODE_NORMAL
	err := f.j.Local(ctx, func(tx *journal.Tx) error {
		var raw recordv1.Epoch
		if err := getMessage(tx, selectLocal, localEpoch, &raw); err != nil {
			return err
		}
		kept := stock.Epoch{Timeline: stock.Timeline(raw.GetTimeline()), Counter: raw.GetCounter()}
		if kept.Compare(epoch) > 0 {
			epoch = kept
		}
		n, err := getNumber(tx, localMode)
		if err != nil {
			return err
		}
		if n != 0 {
			mode = recordv1.NodeMode(n)
		}
		since, err := getNumber(tx, localSuspect)
		if err != nil {
			return err
		}
		f.suspectSince.Store(int64(since))
		boots, err := getNumber(tx, localBoot)
		if err != nil {
			return err
		}
		f.boots.Store(uint32(boots + 1))
		return putNumber(tx, localBoot, boots+1)
	})
	if err != nil {
		return fmt.Errorf("load the node's standing: %w", err)
	}
	f.bootID = f.o.NewID()
	f.epoch.Store(&epoch)
	f.mode.Store(int32(mode))
	return nil
}

func getNumber(tx *journal.Tx, name string) (uint64, error) {
	raw, err := getBytes(tx, selectLocal, name)
	return decodeSeq(raw), err
}

func putNumber(tx *journal.Tx, name string, n uint64) error {
	_, err := tx.Exec(upsertLocal, name, encodeSeq(n))
	return err
}

// setMode keeps how much the node trusts its own state, so that a restart does
// not forget it.
func (f *Floor) setMode(ctx context.Context, mode recordv1.NodeMode) error {
	since := int64(0)
	if mode == recordv1.NodeMode_NODE_MODE_SUSPECT {
		since = f.o.Now()
	}
	err := f.j.Local(ctx, func(tx *journal.Tx) error {
		return errors.Join(putNumber(tx, localMode, uint64(mode)), putNumber(tx, localSuspect, uint64(since)))
	})
	if err != nil {
		return fmt.Errorf("keep mode %s: %w", mode, err)
	}
	f.suspectSince.Store(since)
	if f.mode.Swap(int32(mode)) != int32(mode) {
		f.o.Logger.Warn("mode changed", "mode", mode.String())
		f.o.Notify(Event{Kind: "settings"})
	}
	switch mode {
	case recordv1.NodeMode_NODE_MODE_NORMAL:
		f.touchAll() // no grants were made meanwhile
	case recordv1.NodeMode_NODE_MODE_SAFE:
		f.greetAgain()
	}
	return nil
}

// greetAgain lets the cloud hear at once that the store doubts itself: only the
// cloud can tell what it has lost.
func (f *Floor) greetAgain() {
	box, ok := f.link.Load().(linkBox)
	if !ok {
		return
	}
	if l, can := box.Link.(interface{ Again() }); can {
		l.Again()
	}
}

// Settle ends the time in which the store waits for its tills after it has come
// back. It changes nothing in a store that does not wait, or that does not
// trust its own state: only the cloud can end that.
func (f *Floor) Settle(ctx context.Context) error {
	if f.Mode() != recordv1.NodeMode_NODE_MODE_SUSPECT {
		return nil
	}
	return f.setMode(ctx, recordv1.NodeMode_NODE_MODE_NORMAL)
}

// SettleDue settles when the tills have had their time.
func (f *Floor) SettleDue(ctx context.Context) error {
	if f.o.Now()-f.suspectSince.Load() < suspectMS {
		return nil
	}
	return f.Settle(ctx)
}

// FastForward appends what the cloud has of this store's own records and the
// store has lost, as they were. They follow the head.
func (f *Floor) FastForward(ctx context.Context, prev journal.Position, raws [][]byte) error {
	entries, err := entriesOf(prev, raws)
	if err != nil {
		return err
	}
	if err := f.j.Splice(ctx, entries); err != nil {
		return fmt.Errorf("take own records back: %w", err)
	}
	return f.refresh(ctx)
}

// Seed fills an empty journal with older records of this store, which are kept
// and not applied: for their ids, and to be sent again if the cloud loses them.
// Restore comes after it.
//
// The floor is opened on the journal after that.
func (f *Floor) Seed(ctx context.Context, j *journal.Journal, prev journal.Position, raws [][]byte) error {
	entries, err := entriesOf(prev, raws)
	if err != nil {
		return err
	}
	if err := j.Import(ctx, prev, entries); err != nil {
		return fmt.Errorf("keep older records: %w", err)
	}
	return nil
}

// Restore builds the books from the cloud's copy of them, a record for each
// part; at is the record that the copy is of, and must be where the seeded
// records end.
func (f *Floor) Restore(ctx context.Context, at journal.Position, parts []*recordv1.Checkpoint) error {
	if head := f.j.Head(); head != at {
		return fmt.Errorf("the copy is of record %d %s, the records end at %d %s", at.Seq, at.Hash,
			head.Seq, head.Hash)
	}
	for _, p := range parts {
		_, err := f.write(ctx, Cause{Actor: "node"}, func(_ *journal.Tx, rec *recordv1.Record) error {
			rec.Body = &recordv1.Record_Checkpoint{Checkpoint: p}
			return nil
		})
		if err != nil {
			return fmt.Errorf("restore part %d of %d: %w", p.GetPart(), p.GetParts(), err)
		}
	}
	return f.refresh(ctx)
}

// Recovered ends a recovery: from here on the store writes in a new epoch, and
// makes no grants until its tills have told what it may have lost.
func (f *Floor) Recovered(ctx context.Context, epoch stock.Epoch) error {
	raw, err := proto.Marshal(&recordv1.Epoch{Timeline: uint32(epoch.Timeline), Counter: epoch.Counter})
	if err != nil {
		return err
	}
	err = f.j.Local(ctx, func(tx *journal.Tx) error {
		_, err := tx.Exec(upsertLocal, localEpoch, raw)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep epoch %s: %w", epoch, err)
	}
	f.epoch.Store(&epoch)
	return f.setMode(ctx, recordv1.NodeMode_NODE_MODE_SUSPECT)
}

// refresh reads again what is kept in memory of the books.
func (f *Floor) refresh(ctx context.Context) error {
	if err := f.loadClock(ctx); err != nil {
		return err
	}
	if err := f.reload(ctx); err != nil {
		return err
	}
	f.touchAll()
	f.o.Notify(Event{Kind: "settings"})
	return nil
}

// entriesOf chains stored records from a position on.
func entriesOf(prev journal.Position, raws [][]byte) ([]journal.Entry, error) {
	entries := make([]journal.Entry, len(raws))
	for i, raw := range raws {
		var rec recordv1.Record
		if err := proto.Unmarshal(raw, &rec); err != nil {
			return nil, fmt.Errorf("decode record %d: %w", prev.Seq+1, err)
		}
		e := journal.Entry{Seq: prev.Seq + 1, Data: raw, Hash: journal.Chain(prev.Hash, prev.Seq+1, raw)}
		copy(e.UID[:], rec.GetUid())
		entries[i], prev = e, journal.Position{Seq: e.Seq, Hash: e.Hash}
	}
	return entries, nil
}

// BeginTimeline notes that the cloud was restored from a backup, before
// anything of its new timeline is taken. What was granted backs old promises.
// applied is the last record that the cloud still has: whatever it had
// confirmed beyond that is sent again.
func (f *Floor) BeginTimeline(ctx context.Context, t stock.Timeline, applied uint64) error {
	var now stock.Timeline
	err := f.j.View(ctx, func(tx *journal.Tx) (err error) {
		now, err = books.Open(tx, f.o.Store).Timeline()
		return err
	})
	if err != nil || t <= now {
		return err
	}
	f.acked.Store(applied)
	if err := f.SaveAcked(ctx); err != nil { // before the cloud may be told of the new timeline
		return err
	}
	_, err = f.write(ctx, Cause{Actor: "cloud"}, func(tx *journal.Tx, rec *recordv1.Record) error {
		now, err := books.Open(tx, f.o.Store).Timeline()
		if err != nil || t <= now {
			return err
		}
		rec.Body = &recordv1.Record_TimelineChange{TimelineChange: &recordv1.TimelineChange{Timeline: uint32(t)}}
		return nil
	})
	if err == nil {
		f.touchAll()
	}
	return err
}

// legacyMargin is how long after the longest pickup window units of an older
// timeline are still set aside.
const legacyMargin = int64(7 * 24 * 3600_000)

// maxPickupMS is the longest pickup window that head office may set.
const maxPickupMS = int64(30 * 24 * 3600_000)

// maxDrained bounds the SKUs of one look.
const maxDrained = 10_000

// DrainLegacy takes back what was granted in older timelines and nobody can
// claim any more: now, because a person says that the orders are reconciled,
// or when the longest time that an order may wait has passed. It returns how
// many SKUs it changed.
func (f *Floor) DrainLegacy(ctx context.Context, c Cause, reconciled bool) (int, error) {
	var rows []books.LegacyRow
	err := f.j.View(ctx, func(tx *journal.Tx) (err error) {
		rows, err = books.LegacyRows(tx, f.o.Store, maxDrained)
		return err
	})
	if err != nil || len(rows) == 0 || !reconciled && !f.legacyDue(ctx) {
		return 0, err
	}
	for i, row := range rows {
		_, err := f.write(ctx, Cause{Actor: c.Actor, Device: c.Device}, f.drain(row))
		if err != nil {
			return i, err
		}
	}
	return len(rows), nil
}

func (f *Floor) drain(row books.LegacyRow) buildFunc {
	return func(tx *journal.Tx, rec *recordv1.Record) error {
		rights, err := books.Open(tx, f.o.Store).Rights(row.Rights.Timeline, row.SKU)
		if err != nil || rights.Online() <= 0 {
			return err
		}
		rec.Body = &recordv1.Record_DrainLegacy{DrainLegacy: &recordv1.DrainLegacy{
			Timeline: uint32(row.Rights.Timeline), Sku: uint32(row.SKU), Units: int64(rights.Online())}}
		return nil
	}
}

// legacyDue tells whether no order of an older timeline can still be waiting.
func (f *Floor) legacyDue(ctx context.Context) bool {
	if !f.clockTrusted() {
		return false
	}
	var since int64
	err := f.j.View(ctx, func(tx *journal.Tx) error {
		items, err := books.Items(tx, books.ItemQuery{Store: f.o.Store, Done: true})
		for _, i := range items {
			if i.Kind == books.ItemTimeline && since == 0 {
				since = i.At
			}
		}
		return err
	})
	return err == nil && since > 0 && f.o.Now()-since > maxPickupMS+legacyMargin
}

// Seen is the head of a store's journal as somebody else has seen it.
type Seen struct {
	Epoch stock.Epoch
	Seq   uint64
	Hash  journal.Hash
}

// Seen is the head that answers carry, for tills to remember.
func (f *Floor) Seen() Seen {
	head := f.j.Head()
	return Seen{Epoch: f.Epoch(), Seq: head.Seq, Hash: head.Hash}
}

// Acknowledged is the newest record that the cloud has applied: tills may
// forget what they keep of it.
func (f *Floor) Acknowledged() uint64 { return f.acked.Load() }

// Witness compares this store's journal with what a till has seen of it. A
// store that is older than its till was restored from a backup: it stops
// trusting its own state, and refuses with RolledBack, so that the till sends
// again what it keeps. A till of an earlier epoch sends again, and nothing is
// wrong; resend tells so.
func (f *Floor) Witness(ctx context.Context, s Seen) (resend bool, err error) {
	now := f.Seen()
	if s == (Seen{}) || s == now {
		return false, nil
	}
	if order := s.Epoch.Compare(now.Epoch); order < 0 {
		return true, nil
	} else if order == 0 && s.Seq <= now.Seq {
		at, err := f.j.At(ctx, s.Seq)
		if err != nil && !errors.Is(err, journal.ErrNoRecord) {
			return false, err
		}
		if err != nil || bytes.Equal(at.Hash[:], s.Hash[:]) {
			return false, nil // the same, or so old that it is not kept here any more
		}
	}
	if f.Mode() != recordv1.NodeMode_NODE_MODE_SAFE {
		f.o.Logger.Error("a till has seen a newer state of this store", "seq", s.Seq)
		if err := f.setMode(ctx, recordv1.NodeMode_NODE_MODE_SAFE); err != nil {
			return false, err
		}
	}
	return true, stock.Refuse(stock.RolledBack, "a till has seen record %d of epoch %s, the last here is %d of %s",
		s.Seq, s.Epoch, now.Seq, now.Epoch).With("side", "store")
}

// digestMS is how often a store lets the cloud compare the books.
const digestMS = int64(6 * 3600_000)

// Digest writes a digest of the books into the journal: both sides compare at
// exactly the same record.
func (f *Floor) Digest(ctx context.Context) error {
	_, err := f.write(ctx, Cause{Actor: "node"}, func(tx *journal.Tx, rec *recordv1.Record) error {
		digest, err := books.Digest(tx, f.o.Store)
		rec.Body = &recordv1.Record_Mark{Mark: &recordv1.Mark{Kind: recordv1.MarkKind_MARK_KIND_DIGEST,
			Digest: digest}}
		return err
	})
	if err == nil {
		f.digestAt.Store(f.o.Now())
	}
	return err
}

// DigestDue writes a digest when the last one is old.
func (f *Floor) DigestDue(ctx context.Context) error {
	if f.o.Now()-f.digestAt.Load() < digestMS {
		return nil
	}
	return f.Digest(ctx)
}

// HandleItem notes what somebody does about something that needs a person.
func (f *Floor) HandleItem(ctx context.Context, c Cause, h *recordv1.HandleItem) (Written, error) {
	match := is(func(rec *recordv1.Record) bool { return proto.Equal(rec.GetHandleItem(), h) })
	return f.once(ctx, c, match, func(_ *journal.Tx, rec *recordv1.Record) error {
		rec.Body = &recordv1.Record_HandleItem{HandleItem: h}
		return nil
	})
}

// forgetRefused drops refusals from before a time; ';' follows ':'.
const forgetRefused = `DELETE FROM local_setting WHERE name >= 'refused:' AND name < 'refused;' AND value < ?`

// noteRefused remembers that a request was refused while the store does not
// know all of its past. A former box may have booked it, and its till may never
// have heard so: what people were told counts, so the fact is not booked when
// it turns up, but shown to somebody.
func (f *Floor) noteRefused(ctx context.Context, c Cause) error {
	if c.ID == (ID{}) || c.Resent != nil || f.Mode() == recordv1.NodeMode_NODE_MODE_NORMAL {
		return nil
	}
	now := f.o.Now()
	err := f.j.Local(ctx, func(tx *journal.Tx) error {
		// Facts from before that are too old to be booked anyway.
		if _, err := tx.Exec(forgetRefused, encodeSeq(uint64(max(0, now-oldFactMS)))); err != nil {
			return err
		}
		_, err := tx.Exec(upsertLocal, fmt.Sprintf("%s%x", localRefused, c.ID), encodeSeq(uint64(now)))
		return err
	})
	if err != nil {
		return fmt.Errorf("note that request %x was refused: %w", c.ID, err)
	}
	return nil
}

// wasRefused tells whether people were told that a request was refused.
func (f *Floor) wasRefused(ctx context.Context, id ID) (refused bool, err error) {
	err = f.j.View(ctx, func(tx *journal.Tx) error {
		raw, err := getBytes(tx, selectLocal, fmt.Sprintf("%s%x", localRefused, id))
		refused = raw != nil
		return err
	})
	return refused, err
}
