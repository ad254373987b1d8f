package drills

import (
	"context"
	"errors"
	"fmt"
	"time"

	shopv1 "holdfast.dev/proto/shop/v1"
)

// amnesia is a cloud that came back from a backup: what it had promised since.
type amnesia struct {
	heard   *order // the store knew it
	brought *order // nobody knew it; its code is entered in head office
	shown   *order // nobody knew it; its code is shown in the store
	copied  string
}

// afterBackup lets things happen that the backup does not know: a sale, an
// order that reaches the store, and two that do not. The box is dead then.
func (s *site) afterBackup(ctx context.Context, b *box) (a amnesia, err error) {
	if err := s.sell(ctx, b, goods(0), 1); err != nil {
		return a, err
	}
	if a.heard, err = s.promise(ctx, goods(0), 1); err != nil {
		return a, err
	}
	if err := b.settled(ctx); err != nil {
		return a, err
	}
	if err := b.program.Kill(); err != nil {
		return a, err
	}
	if a.brought, err = s.promise(ctx, goods(1), 1); err != nil {
		return a, err
	}
	if a.shown, err = s.promise(ctx, goods(1), 1); err != nil {
		return a, err
	}
	for _, o := range []*order{a.heard, a.brought, a.shown} {
		o.forgotten = true
	}
	return a, nil
}

// cloudRestored: the cloud is what it was yesterday. The stores give back what
// they know, and codes give back the rest.
func (s *site) cloudRestored(ctx context.Context) (string, error) {
	b, old, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	copied, err := s.backUp(ctx)
	if err != nil {
		return "", err
	}
	if err := b.settled(ctx); err != nil {
		return "", err
	}
	lost, err := s.afterBackup(ctx, b)
	if err != nil {
		return "", err
	}
	if err := s.restore(ctx, copied); err != nil {
		return "", err
	}
	if err := b.program.startReady(ctx); err != nil {
		return "", err
	}
	if err := b.refused(ctx, "ROLLED_BACK"); err != nil {
		return "", err
	}
	began := time.Now()
	s.expects(broughtBack)
	if _, err := s.operate(ctx, "bump", "--trust-nodes"); err != nil {
		return "", err
	}
	if err := b.settled(ctx); err != nil {
		return "", err
	}
	took := time.Since(began)
	said, err := s.reconciled(ctx, b, old, lost)
	return fmt.Sprintf("the store gave back what it knew in %s; %s", round(took), said), err
}

// reconciled brings back by their codes what no store had heard of, hands all
// orders over, and promises new ones.
func (s *site) reconciled(ctx context.Context, b *box, old *order, lost amnesia) (string, error) {
	if err := s.collect(ctx, b, lost.shown); err != nil {
		return "", err
	}
	if _, err := s.operate(ctx, "restore-order", lost.brought.GetToken()); err != nil {
		return "", err
	}
	if _, err := s.operate(ctx, "restore-order", lost.brought.GetToken()); err != nil {
		return "", fmt.Errorf("the same code again: %w", err)
	}
	for _, o := range []*order{old, lost.heard, lost.brought} {
		if err := s.stage(ctx, b, o); err != nil {
			return "", err
		}
		if err := s.collect(ctx, b, o); err != nil {
			return "", err
		}
	}
	if err := s.receive(ctx, b, goods(2), plenty); err != nil {
		return "", err
	}
	if _, err := s.promise(ctx, goods(2), some); err != nil {
		return "", fmt.Errorf("in the new timeline: %w", err)
	}
	return s.prove(ctx, b)
}

// cloudFrozen: the store's box was replaced after the backup, so the restored
// cloud takes the old one for the store's. Nobody is served until a person says
// which box stands there.
func (s *site) cloudFrozen(ctx context.Context) (string, error) {
	a, old, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	copied, err := s.backUp(ctx)
	if err != nil {
		return "", err
	}
	b, err := s.replaced(ctx, a)
	if err != nil {
		return "", err
	}
	lost, err := s.afterBackup(ctx, b)
	if err != nil {
		return "", err
	}
	if err := s.restore(ctx, copied); err != nil {
		return "", err
	}
	if _, err := s.operate(ctx, "bump"); err != nil {
		return "", err
	}
	for _, both := range []*box{a, b} {
		if err := both.program.startReady(ctx); err != nil {
			return "", err
		}
		if err := both.refused(ctx, "FROZEN"); err != nil {
			return "", err
		}
	}
	n, err := b.node(ctx)
	if err != nil {
		return "", err
	}
	s.expects(rolledBack, oldBox, broughtBack)
	_, err = s.operate(ctx, "store admit", "--store", number, "--node", n.GetNodeId())
	if err != nil {
		return "", err
	}
	if err := a.refused(ctx, "FENCED"); err != nil {
		return "", err
	}
	if err := b.settle(ctx); err != nil {
		return "", err
	}
	said, err := s.reconciled(ctx, b, old, lost)
	return "nobody was served before a person named the box; " + said, err
}

// replaced rebuilds a store on another box and waits until its tills have
// spoken.
func (s *site) replaced(ctx context.Context, a *box) (*box, error) {
	if err := a.settled(ctx); err != nil {
		return nil, err
	}
	if err := a.program.Stop(); err != nil {
		return nil, err
	}
	b, err := s.newBox()
	if err != nil {
		return nil, err
	}
	join, err := s.join(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.rebuildOn(ctx, b, join, 0); err != nil {
		return nil, err
	}
	return b, b.settle(ctx)
}

// abandoned: nobody hears from a store any more, and head office gives it up.
// It was only cut off, and handed an order over meanwhile.
func (s *site) abandoned(ctx context.Context) (string, error) {
	a, open, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	handed, err := s.promise(ctx, goods(1), some)
	if err != nil {
		return "", err
	}
	if err := s.stage(ctx, a, handed); err != nil {
		return "", err
	}
	if err := a.settled(ctx); err != nil {
		return "", err
	}
	a.cable.Cut()
	if _, err := s.operate(ctx, "store abandon", "--store", number, "--reason", "flood"); err != nil {
		return "", err
	}
	if _, err := s.promise(ctx, goods(1), 1); err == nil {
		return "", errors.New("an abandoned store was promised")
	}
	if err := s.sell(ctx, a, goods(0), 1); err != nil {
		return "", err
	}
	if err := s.collect(ctx, a, handed); err != nil {
		return "", err
	}
	s.expects(givenUp, oldBox)
	a.cable.Plug()
	if err := a.refused(ctx, "FENCED"); err != nil {
		return "", err
	}
	if err := a.program.Stop(); err != nil {
		return "", err
	}
	b, err := s.newBox()
	if err != nil {
		return "", err
	}
	join, err := s.join(ctx)
	if err != nil {
		return "", err
	}
	took, err := s.rebuildOn(ctx, b, join, 0)
	if err != nil {
		return "", err
	}
	// Head office asked both orders to end before it heard of the handover, so
	// both ended; the units that left are booked.
	for _, o := range []*order{open, handed} {
		o.end, o.ended = "released", shopv1.ReservationState_CANCELLED
	}
	said, err := s.goOn(ctx, b, nil)
	return fmt.Sprintf("given up, and back on another box in %s; %s", round(took), said), err
}

// void: an order that the store has not heard of is taken back.
func (s *site) void(ctx context.Context) (string, error) {
	b, _, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	b.cable.Cut()
	o, err := s.promise(ctx, goods(1), 1)
	if err != nil {
		return "", err
	}
	state, err := s.state(ctx)
	if err != nil {
		return "", err
	}
	last := fmt.Sprint(state.GetDirectivesNext() - 1)
	if _, err := s.operate(ctx, "store void", "--store", number, "--directive", last); err != nil {
		return "", err
	}
	b.cable.Plug()
	o.end, o.ended = "released", shopv1.ReservationState_CANCELLED
	said, err := s.prove(ctx, b)
	return "an order was taken back before the store heard of it; " + said, err
}
