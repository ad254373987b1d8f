package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"holdfast.dev/stock/journal"
)

const (
	// database is the file that each member builds from the log.
	database = "cloud.db"
	// evenTries is how often all members are stopped in the hope that none has
	// an entry that another has not.
	evenTries  = 5
	evenWithin = 2 * time.Minute
)

// memberCopy is one member's copy, as it lies on its disk.
type memberCopy struct {
	name    string
	applied journal.Applied
	tables  map[string]journal.Hash
}

// checkCopies kills all members at once and wants each to have the same rows in
// each table, built by the same entries.
func (f *findings) checkCopies(ctx context.Context, w *world) error {
	for range evenTries {
		if err := w.even(ctx); err != nil {
			return err
		}
		if _, err := kill(ctx, w, Event{Who: "members"}); err != nil {
			return err
		}
		all, err := w.copies(ctx)
		if err != nil {
			f.wrong("what members left on their disks: %v", err)
			return nil
		}
		uneven := slices.ContainsFunc(all, func(c memberCopy) bool {
			return c.applied.Index != all[0].applied.Index
		})
		if !uneven {
			f.compareCopies(all)
			return nil
		}
		for _, m := range w.members {
			err = errors.Join(err, m.Start())
		}
		if err := errors.Join(err, w.awaitMembers(ctx)); err != nil {
			return err
		}
	}
	return errors.New("the members never had equally many entries")
}

// even waits until all members have applied the same entries.
func (w *world) even(ctx context.Context) error {
	return poll(ctx, evenWithin, func() error {
		leader := w.leader(ctx)
		if leader == nil {
			return errNoLeader
		}
		all, err := leader.standings(ctx)
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.Problem != "" || s.Applied != all[0].Applied {
				return fmt.Errorf("members differ: %+v", all)
			}
		}
		return nil
	})
}

func (w *world) copies(ctx context.Context) (all []memberCopy, err error) {
	for _, m := range w.members {
		c, path := memberCopy{name: m.Name()}, filepath.Join(m.data, database)
		if c.applied, err = journal.Inspect(ctx, path); err != nil {
			return nil, err
		}
		if c.tables, err = journal.InspectTables(ctx, path); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (f *findings) compareCopies(all []memberCopy) {
	first := all[0]
	for _, c := range all {
		f.Copies++
		if c.applied.Digest != first.applied.Digest {
			f.wrong("%s and %s differ in what entries up to %d led to", first.name, c.name, c.applied.Index)
		}
		for _, table := range slices.Sorted(maps.Keys(first.tables)) {
			if c.tables[table] != first.tables[table] {
				f.wrong("%s and %s differ in table %s", first.name, c.name, table)
			}
		}
		if len(c.tables) != len(first.tables) {
			f.wrong("%s has %d tables, %s has %d", first.name, len(first.tables), c.name, len(c.tables))
		}
	}
}
