package shopfloor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

const (
	dayMS = int64(24 * 3600_000)
	// keptMS is how long records stay after they were made, for their ids, and
	// orders and items after they ended: longer than anybody sends again.
	keptMS = 40 * dayMS
	// documentsMS is how long a delivery's number cannot be used again.
	documentsMS = 400 * dayMS
	// housekeepMS is how often a store clears up.
	housekeepMS = 28 * dayMS
	// awaitNightMS is how long clearing up waits for a night.
	awaitNightMS = 7 * dayMS
	// maxClearings bounds the Forgets of one clearing up.
	maxClearings = 200
	// maxMilestones bounds what is kept of when which record was the newest.
	maxMilestones = 24
)

// Names of local settings of clearing up.
const (
	localHousekept  = "housekept"
	localMilestones = "milestones"
)

// HousekeepDue clears up when the last time is long ago, the clock is to be
// trusted, and the store trusts itself.
func (f *Floor) HousekeepDue(ctx context.Context) error {
	if !f.clockTrusted() || f.Mode() != recordv1.NodeMode_NODE_MODE_NORMAL {
		return nil
	}
	var last uint64
	var none bool
	err := f.j.View(ctx, func(tx *journal.Tx) error {
		raw, err := getBytes(tx, selectLocal, localHousekept)
		last, none = decodeSeq(raw), raw == nil
		return err
	})
	if err != nil {
		return err
	}
	if none { // a new disk has nothing to clear up
		return f.housekept(ctx, nil)
	}
	if late := f.o.Now() - int64(last) - housekeepMS; late < 0 || !f.night() && late < awaitNightMS {
		return nil
	}
	return f.Housekeep(ctx)
}

// night tells whether nobody is in the store: tills wait while the books are
// written down.
func (f *Floor) night() bool {
	const hourMS, from, to = int64(3600_000), 2, 5
	hour := f.local() % dayMS / hourMS
	return hour >= from && hour < to
}

// Housekeep forgets what nobody can ask for any more, and drops records that
// nobody needs: those older than anybody sends again, that the cloud has. So that
// the books can be proven all the same, they are written down first: replay
// begins there.
func (f *Floor) Housekeep(ctx context.Context) error {
	stones, err := f.milestones(ctx)
	if err != nil {
		return err
	}
	if err := f.forgetAll(ctx, stones); err != nil {
		return err
	}
	first, err := f.writeBooks(ctx)
	if err != nil {
		return err
	}
	origin, err := f.j.At(ctx, first-1)
	if err != nil {
		return err
	}
	young, err := f.firstSince(ctx, f.o.Now()-keptMS)
	if err != nil {
		return err
	}
	before := min(young, f.acked.Load()+1, first)
	for more := true; more; {
		if more, err = f.j.Shorten(ctx, origin, before); err != nil {
			return fmt.Errorf("drop old records: %w", err)
		}
	}
	return f.housekept(ctx, stones)
}

// forgetAll writes down what is forgotten, a bounded part at a time.
func (f *Floor) forgetAll(ctx context.Context, stones []milestone) error {
	forget := &recordv1.Forget{Before: f.o.Now() - keptMS, Through: through(stones, f.o.Now()-documentsMS)}
	for range maxClearings {
		left := 0
		_, err := f.write(ctx, Cause{Actor: "node"}, func(_ *journal.Tx, rec *recordv1.Record) error {
			rec.Body = &recordv1.Record_Forget{Forget: forget}
			return nil
		})
		if err == nil {
			err = f.j.View(ctx, func(tx *journal.Tx) (err error) {
				left, err = books.Forgettable(tx, f.o.Store, forget.GetBefore())
				return err
			})
		}
		if err != nil || left == 0 {
			return err
		}
	}
	return nil
}

// firstSince finds the first record that was made at a time or later; the
// number after the last if there is none.
func (f *Floor) firstSince(ctx context.Context, at int64) (uint64, error) {
	low, err := f.j.First(ctx)
	if err != nil {
		return 0, err
	}
	high := f.j.Head().Seq + 1
	for low < high {
		middle := low + (high-low)/2
		e, err := f.j.Entries(ctx, middle, 1, 1)
		if err != nil || len(e) == 0 {
			return 0, errors.Join(err, fmt.Errorf("read record %d", middle))
		}
		var rec recordv1.Record
		if err := proto.Unmarshal(e[0].Data, &rec); err != nil {
			return 0, fmt.Errorf("decode record %d: %w", middle, err)
		}
		if books.Time(&rec) < at {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// milestone says which record was the newest at a time.
type milestone struct {
	at  int64
	seq uint64
}

func (f *Floor) milestones(ctx context.Context) (stones []milestone, err error) {
	err = f.j.View(ctx, func(tx *journal.Tx) error {
		raw, err := getBytes(tx, selectLocal, localMilestones)
		for ; len(raw) >= 16; raw = raw[16:] {
			stones = append(stones, milestone{int64(binary.BigEndian.Uint64(raw)), decodeSeq(raw[8:16])})
		}
		return err
	})
	return stones, err
}

// through is the newest record that is surely older than a time; 0: none.
func through(stones []milestone, at int64) (seq uint64) {
	for _, s := range stones {
		if s.at <= at {
			seq = max(seq, s.seq)
		}
	}
	return seq
}

// housekept notes that the store has cleared up now.
func (f *Floor) housekept(ctx context.Context, stones []milestone) error {
	stones = append(stones, milestone{f.o.Now(), f.j.Head().Seq})
	var raw []byte
	for _, s := range stones[max(0, len(stones)-maxMilestones):] {
		raw = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(raw, uint64(s.at)), s.seq)
	}
	return f.j.Local(ctx, func(tx *journal.Tx) error {
		if _, err := tx.Exec(upsertLocal, localMilestones, raw); err != nil {
			return err
		}
		return putNumber(tx, localHousekept, uint64(f.o.Now()))
	})
}

// tooOld refuses a request that is sent again after its id may have been dropped.
// Only ids that carry their time tell.
func (f *Floor) tooOld(id ID) error {
	const version7 = 7
	at := int64(binary.BigEndian.Uint64(id[:8]) >> 16)
	if id[6]>>4 != version7 || f.o.Now()-at < oldFactMS {
		return nil
	}
	return stock.Refuse(stock.AlreadyFinished, "request %x is too old to tell whether it was booked", id).
		With("state", "finished")
}
