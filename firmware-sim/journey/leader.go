package journey

import (
	"context"
	"fmt"
	"time"

	"holdfast.dev/firmware-sim/demo"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	// votesWithin is how long new members take at most to get their votes.
	votesWithin = 42 * time.Second
	// failover is how soon another member must lead after the leader is dead.
	failover    = 5 * time.Second
	leaderUnits = 5
)

// leader kills the member of the cloud that leads: the next reservation and the
// next pickup go on, and the dead member catches up when it is back.
func (r *run) leader(ctx context.Context) (string, error) {
	if err := eventually(ctx, votesWithin, func() error { return r.inStep(ctx) }); err != nil {
		return "", err
	}
	if err := r.stockForLeader(ctx); err != nil {
		return "", err
	}
	dead, err := r.room.Head.Leader(ctx)
	if err != nil {
		return "", err
	}
	if err := dead.Program.Kill(); err != nil {
		return "", err
	}
	began := time.Now()
	var order *shopv1.Reservation
	id := newID()
	err = eventually(ctx, failover, func() (err error) {
		order, err = r.shop.reserve(ctx, r.a, id, line(r.goods[0], 1))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reserve after the leader is dead: %w", err)
	}
	took := time.Since(began)
	if err := r.pickUp(ctx, order); err != nil {
		return "", fmt.Errorf("pick up after the leader is dead: %w", err)
	}
	now, err := r.room.Head.Leader(ctx)
	if err != nil || now == dead {
		return "", wrong("after member %d died, %v leads: %w", dead.Number, now, err)
	}
	if err := dead.Program.Start(); err != nil {
		return "", err
	}
	if err := eventually(ctx, 2*soon, func() error { return r.inStep(ctx) }); err != nil {
		return "", fmt.Errorf("member %d again: %w", dead.Number, err)
	}
	again := newShopper(dead.URL)
	defer again.leave()
	seen, err := again.reservation(ctx, order.GetReservation())
	if err == nil && seen.GetState() != shopv1.ReservationState_COLLECTED {
		err = wrong("member %d says that the order is %s", dead.Number, seen.GetState())
	}
	return fmt.Sprintf("member %d led and was killed; the next reservation took %d ms, and was picked up; "+
		"member %d leads; the dead one is back and knows it", dead.Number, took.Milliseconds(), now.Number), err
}

// inStep wants every member to have a vote and the newest entry, and one to lead.
func (r *run) inStep(ctx context.Context) error {
	if _, err := r.room.Head.Leader(ctx); err != nil {
		return err
	}
	all, err := r.room.Head.Standings(ctx)
	if err != nil {
		return err
	}
	newest := uint64(0)
	for _, s := range all {
		newest = max(newest, s.Applied)
	}
	for i, s := range all {
		if !s.Voter || s.Problem != "" || s.Applied < newest {
			return wrong("member %d: vote %t, entry %d of %d, %s", i+1, s.Voter, s.Applied, newest, s.Problem)
		}
	}
	return nil
}

// stockForLeader sees to it that the store has something to reserve, and that
// the cloud knows.
func (r *run) stockForLeader(ctx context.Context) error {
	_, err := r.a.Floor.Receive(ctx, &storev1.ReceiveRequest{RequestId: newID(), Document: "MEMBERS",
		Lines: []*storev1.SellLine{{Gtin: r.goods[0].GTIN, Quantity: leaderUnits}}})
	if err != nil {
		return err
	}
	return r.settled(ctx, r.a, soon)
}

// pickUp picks, stages and hands over an order, and wants its shopper to be told.
func (r *run) pickUp(ctx context.Context, order *shopv1.Reservation) error {
	if err := eventually(ctx, 2*soon, func() error { return r.arrived(ctx, order) }); err != nil {
		return err
	}
	if err := r.pickOrder(ctx, order); err != nil {
		return err
	}
	if _, err := r.handOver(ctx, order); err != nil {
		return err
	}
	return eventually(ctx, soon, func() error {
		seen, err := r.shop.reservation(ctx, order.GetReservation())
		if err == nil && seen.GetState() != shopv1.ReservationState_COLLECTED {
			err = wrong("the shopper is told %s", seen.GetState())
		}
		return err
	})
}

// several tells whether the cloud has more than one member.
func several(room *demo.Room) bool { return len(room.Head.Members) > 1 }
