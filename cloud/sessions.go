package cloud

import (
	"context"
	"fmt"
	"slices"

	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/cloud/quorum"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/journal"
)

// silentLooks is how often the leader finds a process silent before it takes the
// streams there for dead. One that is only cut off could record nothing on them.
const silentLooks = 3

// closeOldSessions ends the sessions of a process that was killed, of this one or
// of one that is no more: no stream of theirs is alive.
func (c *cloud) closeOldSessions(ctx context.Context) error {
	member := c.engine.Member()
	if err := member.Sync(ctx); err != nil {
		return err
	}
	return c.closeSessions(ctx, goneBefore(member.Leads(), member.ID(), member.Members(ctx)))
}

// goneBefore tells of which processes no stream can be alive when this one starts.
// Only where the leader is, the list of members is sure to have everybody: a new
// member may have been sent a list that is older than the newest of the others.
func goneBefore(leads bool, self string, members []quorum.Info) func(id string) bool {
	return func(id string) bool {
		return id == self || leads && !slices.ContainsFunc(members, func(i quorum.Info) bool { return i.ID == id })
	}
}

// silence counts, by process, how often it was silent in a row.
type silence map[string]int

// closeLostSessions ends the sessions of processes that have been silent for a
// while: a store that was connected there and is cut off is not connected.
func (c *cloud) closeLostSessions(ctx context.Context, s silence) error {
	if !c.engine.Member().HasOthers() {
		return nil
	}
	heard := make(map[string]bool)
	for _, i := range c.engine.Member().Members(ctx) {
		heard[i.ID] = i.Problem == ""
		if heard[i.ID] {
			delete(s, i.ID)
		}
	}
	looked := make(map[string]bool)
	return c.closeSessions(ctx, func(id string) bool {
		if !heard[id] && !looked[id] {
			looked[id] = true
			s[id]++
		}
		return s[id] >= silentLooks
	})
}

// closeSessions ends the open sessions of lost processes.
func (c *cloud) closeSessions(ctx context.Context, lost func(member string) bool) error {
	var open []*headoffice.Store
	err := c.engine.View(ctx, func(tx *journal.Tx) (err error) {
		open, err = headoffice.Stores(tx, 0, -1)
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range open {
		if on, _ := c.uplink.Connected(s.ID); !s.Connected || on || !lost(s.Member) {
			continue
		}
		_, err := c.engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_CloseSession{
			CloseSession: &recordv1.CloseSession{Store: uint32(s.ID), Session: s.Session}}})
		if err != nil {
			return fmt.Errorf("close the session of store %d: %w", s.ID, err)
		}
	}
	return nil
}
