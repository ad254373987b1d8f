package shopfloor

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/journal"
)

const (
	freshSampleMS = int64(24 * 3600_000)     // a comparison with the cloud's clock holds this long
	freeSampleMS  = int64(7 * 24 * 3600_000) // and is good enough to let orders expire this long
	trustedMS     = int64(60_000)            // that the clock may be off the cloud's
	jumpMS        = int64(2 * 60_000)        // that wall and steady clock may disagree
)

// sample is one comparison of clocks.
type sample struct {
	wall   int64 // Unix ms, of this node
	steady time.Duration
	offset int64 // ms that the cloud was ahead
}

// SampleClock compares the node's clock with the cloud's, in Unix ms. Clocks
// decide when the store acts, never whether it may.
func (f *Floor) SampleClock(cloudMS int64) {
	now := f.o.Now()
	f.forecast.hear(f.local())
	f.mu.Lock()
	f.sampled = &sample{wall: now, steady: f.o.Steady(), offset: cloudMS - now}
	f.mu.Unlock()
}

// Clock says how much the node's clock can be trusted.
func (f *Floor) Clock() recordv1.ClockState {
	f.mu.Lock()
	s, newest := f.sampled, f.newest.Load()
	f.mu.Unlock()
	now := f.o.Now()
	if newest-now > jumpMS {
		return recordv1.ClockState_CLOCK_STATE_JUMPED
	}
	if s == nil {
		return recordv1.ClockState_CLOCK_STATE_FREE
	}
	passed := (f.o.Steady() - s.steady).Milliseconds()
	switch drift := now - s.wall - passed; {
	case drift > jumpMS || drift < -jumpMS, s.offset > trustedMS || s.offset < -trustedMS:
		return recordv1.ClockState_CLOCK_STATE_JUMPED
	case passed < freshSampleMS:
		return recordv1.ClockState_CLOCK_STATE_SYNCED
	}
	return recordv1.ClockState_CLOCK_STATE_FREE
}

// clockTrusted tells whether orders may expire by the clock alone. A node that
// never saw the cloud's clock since it started is trusted for as long as one
// whose comparison is old.
func (f *Floor) clockTrusted() bool {
	switch f.Clock() {
	case recordv1.ClockState_CLOCK_STATE_SYNCED:
		return true
	case recordv1.ClockState_CLOCK_STATE_FREE:
		f.mu.Lock()
		s := f.sampled
		f.mu.Unlock()
		since := f.started
		if s != nil {
			since = s.steady
		}
		return (f.o.Steady() - since).Milliseconds() < freeSampleMS
	}
	return false
}

// loadClock reads the logical clock of the newest record: time does not run
// backwards in one journal.
func (f *Floor) loadClock(ctx context.Context) error {
	head := f.j.Head().Seq
	if head == 0 {
		return nil
	}
	last, err := f.j.Entries(ctx, head, 1, 1<<20)
	if err != nil {
		return err
	}
	var rec recordv1.Record
	if err := proto.Unmarshal(last[0].Data, &rec); err != nil {
		return fmt.Errorf("decode record %d: %w", head, err)
	}
	return f.j.Local(ctx, func(*journal.Tx) error { // hlc belongs to the writer
		f.hlc = max(f.hlc, rec.GetHlc())
		f.newest.Store(int64(f.hlc >> 16))
		return nil
	})
}
