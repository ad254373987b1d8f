package engine

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/journal"
)

const (
	// KeptCommands is how long commands stay in the log, for the ids of requests
	// and for proving the tables.
	KeptCommands = headoffice.Retention
	// LeastCommands stay however old they are: a clock that jumps must not take the
	// newest ids.
	LeastCommands = 2_000
	// forgottenAtOnce bounds the commands of one entry: others wait for it.
	forgottenAtOnce = 500
	// forgettings bounds the entries of one Forget.
	forgettings = 50
)

// Forget lets all members drop commands that are older than KeptCommands, a bounded
// part at a time. It does nothing where the cloud's leader is not.
func (e *Engine) Forget(ctx context.Context) error {
	limit := e.now().Add(-KeptCommands)
	for range forgettings {
		if !e.member.Leads() {
			return nil
		}
		j := e.Journal()
		first, err := j.First(ctx)
		if err != nil {
			return fmt.Errorf("find the oldest command: %w", err)
		}
		before := first + forgottenAtOnce
		if before+LeastCommands > j.Head().Seq+1 {
			return nil
		}
		at, err := e.madeAt(ctx, before-1)
		if err != nil || !at.Before(limit) {
			return err
		}
		if err := e.member.Forget(before, headoffice.Forgets); err != nil {
			return fmt.Errorf("forget commands before %d: %w", before, err)
		}
		if now, err := e.Journal().First(ctx); err != nil || now < before {
			return err // not allowed yet
		}
	}
	return nil
}

// madeAt is when a command was logged.
func (e *Engine) madeAt(ctx context.Context, seq uint64) (at time.Time, err error) {
	entries, err := e.Journal().Entries(ctx, seq, 1, 1)
	if err == nil && len(entries) == 0 {
		err = journal.ErrNoRecord
	}
	if err != nil {
		return at, fmt.Errorf("read command %d: %w", seq, err)
	}
	var c recordv1.Command
	if err := proto.Unmarshal(entries[0].Data, &c); err != nil {
		return at, fmt.Errorf("decode command %d: %w", seq, err)
	}
	return time.UnixMilli(c.GetNow()), nil
}
