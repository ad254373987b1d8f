package drills

import (
	"context"
	"errors"
	"fmt"
	"time"

	shopv1 "holdfast.dev/proto/shop/v1"
)

// fresh is what comes in before each order, so that there is always more than the
// web may promise unasked.
const fresh = 100

// shareOfWeb is how much of a store's stock the web may promise unasked, in
// thousandths.
const shareOfWeb = 200

// toldWithin is how soon every member knows what was promised by another.
const toldWithin = 2 * time.Second

// noticedWithin is how soon the others say that a store is cut off whose member
// is lost.
const noticedWithin = 30 * time.Second

// anyMember: every member serves shoppers and nodes, whoever leads. Its leader
// moves from one member to the next, and no node has to connect anew.
func (s *site) anyMember(ctx context.Context) (string, error) {
	b, err := s.opened(ctx)
	if err != nil {
		return "", err
	}
	policy := &shopv1.SetPolicyRequest{RequestId: newID(), Store: store, Policy: &shopv1.Policy{
		LastUnit: "ask", SharePermille: shareOfWeb}}
	if _, err := s.office.SetPolicy(ctx, policy); err != nil {
		return "", fmt.Errorf("fix the web's share: %w", err)
	}
	if err := await(ctx, votesWithin, s.inStep); err != nil {
		return "", err
	}
	before, err := s.state(ctx)
	if err != nil {
		return "", err
	}
	asked := 0
	for i := range s.members {
		if err := s.moveLeader(ctx, i); err != nil {
			return "", fmt.Errorf("let member %d lead: %w", i+1, err)
		}
		n, err := s.promiseEverywhere(ctx, b)
		if err != nil {
			return "", fmt.Errorf("while member %d leads: %w", i+1, err)
		}
		asked += n
		if err := s.sell(ctx, b, goods(0), 1); err != nil {
			return "", err
		}
		if err := b.settled(ctx); err != nil {
			return "", err
		}
	}
	after, err := s.state(ctx)
	if err != nil {
		return "", err
	}
	if after.GetSession() != before.GetSession() {
		return "", fmt.Errorf("the node had session %d and has %d", before.GetSession(), after.GetSession())
	}
	if err := s.lostWithStream(ctx, b); err != nil {
		return "", fmt.Errorf("lose the member that a store is connected to: %w", err)
	}
	said, err := s.prove(ctx, b)
	return fmt.Sprintf("every member led once, and each took %d orders meanwhile for more than the web had, so the store "+
		"was asked wherever it was connected; its session stayed; a member with its stream was lost and noticed; %s", asked/len(s.members), said), err
}

// lostWithStream kills the member that the store is connected to, and cuts the
// store off: the others find out, and say since when.
func (s *site) lostWithStream(ctx context.Context, b *box) error {
	for i, m := range s.members {
		here, err := s.metric(ctx, m, "holdfast_stores_connected")
		if err != nil {
			return err
		}
		if here == 0 {
			continue
		}
		b.cable.Cut()
		if err := m.program.Kill(); err != nil {
			return err
		}
		if err := await(ctx, noticedWithin, s.cutOff); err != nil {
			return fmt.Errorf("member %d: %w", i+1, err)
		}
		b.cable.Plug()
		if err := b.settled(ctx); err != nil {
			return err
		}
		return m.program.startReady(ctx)
	}
	return errors.New("no member says that the store is connected to it")
}

func (s *site) cutOff(ctx context.Context) error {
	state, err := s.state(ctx)
	if err == nil && (state.GetStore().GetConnected() || !state.GetStore().GetOfflineSince().IsValid()) {
		err = fmt.Errorf("connected %t, offline since %v", state.GetStore().GetConnected(),
			state.GetStore().GetOfflineSince())
	}
	return err
}

// moveLeader lets a member lead and waits until it does.
func (s *site) moveLeader(ctx context.Context, i int) error {
	all, err := s.standings(ctx, s.members[i])
	if err != nil {
		return err
	}
	if _, err := s.operate(ctx, "transfer-leader", all[i].ID); err != nil {
		return err
	}
	return await(ctx, soon, func(ctx context.Context) error {
		all, err := s.standings(ctx, s.members[i])
		if err == nil && !all[i].Leader {
			err = errors.New("it does not lead")
		}
		return err
	})
}

// promiseEverywhere orders at each member one unit more than the web may promise
// unasked, and returns how many orders there were.
func (s *site) promiseEverywhere(ctx context.Context, b *box) (n int, err error) {
	any := s.shop
	defer func() { s.shop = any }()
	for i, m := range s.members {
		if err := s.receive(ctx, b, goods(0), fresh); err != nil {
			return n, err
		}
		if err := b.settled(ctx); err != nil {
			return n, err
		}
		conn, err := dial(m.listen)
		if err != nil {
			return n, err
		}
		s.shop = shopv1.NewShopClient(conn)
		err = s.promiseBeyondPool(ctx)
		if err := errors.Join(err, conn.Close()); err != nil {
			return n, fmt.Errorf("at member %d: %w", i+1, err)
		}
		n++
	}
	return n, nil
}

func (s *site) promiseBeyondPool(ctx context.Context) error {
	// The store may give more by itself just now; then one unit more is asked for.
	for range 3 {
		book, err := s.office.ListBooks(ctx, &shopv1.ListBooksRequest{Store: store, Gtin: goods(0)})
		if err != nil {
			return err
		}
		if len(book.GetRows()) != 1 {
			return fmt.Errorf("the cloud has %d books of it", len(book.GetRows()))
		}
		pool := book.GetRows()[0].GetPool()
		if _, err := s.promise(ctx, goods(0), int32(pool)+1); err != nil {
			return err
		}
		granted := book.GetRows()[0].GetGranted()
		if err = await(ctx, toldWithin, func(ctx context.Context) error { return s.grantedMore(ctx, granted) }); err == nil {
			return nil
		}
	}
	return errors.New("the store was never asked for more")
}

// grantedMore tells whether the store has granted more than so many units. The
// member that is asked may be a little behind.
func (s *site) grantedMore(ctx context.Context, granted int64) error {
	book, err := s.office.ListBooks(ctx, &shopv1.ListBooksRequest{Store: store, Gtin: goods(0)})
	if err == nil && book.GetRows()[0].GetGranted() <= granted {
		err = fmt.Errorf("the store has granted no more than %d", granted)
	}
	return err
}
