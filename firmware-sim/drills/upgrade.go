package drills

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"holdfast.dev/firmware-sim/program"
	shopv1 "holdfast.dev/proto/shop/v1"
)

const (
	// formerFolder holds, beside the programs, the cloud of the version before.
	formerFolder = "former"
	// votesWithin is how long new members take at most to get their votes.
	votesWithin = 60 * time.Second
	// exitTooOld is what a program ends with that is older than the cloud uses.
	exitTooOld = 5
	// upgradeStock is what shoppers can reserve during an upgrade, and
	// upgradePace how often they do.
	upgradeStock = 2000
	upgradePace  = 25 * time.Millisecond
	// longest is how long one shopper may have to wait for an answer.
	longest = 6 * time.Second
)

// upgraded: the members are restarted one after the other with a newer program,
// while shoppers reserve. What is new begins when all have it, and then there
// is no way back.
func (s *site) upgraded(ctx context.Context) (string, error) {
	former := filepath.Join(s.bin, formerFolder, "holdfast-cloud")
	if _, err := os.Stat(former); err != nil {
		return "", fmt.Errorf("the program of the version before is missing (deploy/former builds it): %w", err)
	}
	newer := s.members[0].program.path
	if err := s.goBack(ctx, former); err != nil {
		return "", err
	}
	b, err := s.opened(ctx)
	if err != nil {
		return "", err
	}
	if err := s.receive(ctx, b, goods(0), upgradeStock); err != nil {
		return "", err
	}
	if err := b.settled(ctx); err != nil {
		return "", err
	}
	if err := await(ctx, votesWithin, s.inStep); err != nil {
		return "", err
	}
	before, err := s.version(ctx)
	if err != nil {
		return "", err
	}
	shoppers := s.keepReserving(ctx)
	now, upgradeErr := s.restartAll(ctx, newer, before)
	if err := errors.Join(upgradeErr, shoppers.stop()); err != nil {
		return "", err
	}
	if err := s.refusesFormer(ctx, former); err != nil {
		return "", err
	}
	n, err := s.invariants(ctx)
	if err != nil {
		return "", err
	}
	if err := s.allThere(ctx, shoppers); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d members restarted one by one, version %d became %d with the last; the program before is "+
		"refused; %d orders meanwhile, the longest took %s, none was lost; %d facts hold", len(s.members), before, now,
		len(shoppers.made), round(time.Duration(shoppers.worst.Load())), n), nil
}

// goBack founds the cloud once more, with the program of the version before.
func (s *site) goBack(ctx context.Context, former string) error {
	if err := s.loseMembers(); err != nil {
		return err
	}
	for _, m := range s.members {
		m.program.path = former
	}
	return s.open(ctx)
}

// version is the newest commands that the cloud lets in, as a member's metrics
// say.
func (s *site) version(ctx context.Context) (int, error) {
	return s.metric(ctx, s.running(), "holdfast_cluster_version")
}

// restartAll restarts every member with the newer program. The new version may
// begin with the last one only.
func (s *site) restartAll(ctx context.Context, newer string, before int) (now int, err error) {
	for i, m := range s.members {
		if err := m.program.Stop(); err != nil {
			return 0, err
		}
		m.program.path = newer
		if now, err = s.version(ctx); err == nil && now != before {
			err = fmt.Errorf("version %d after %d of %d members", now, i, len(s.members))
		}
		if err != nil {
			return 0, err
		}
		if err := m.program.startReady(ctx); err != nil {
			return 0, err
		}
		if err := await(ctx, soon, s.inStep); err != nil {
			return 0, fmt.Errorf("member %d with the newer program: %w", i+1, err)
		}
	}
	err = await(ctx, soon, func(ctx context.Context) error {
		if now, err = s.version(ctx); err == nil && now != before+1 {
			err = fmt.Errorf("version %d, all members know %d", now, before+1)
		}
		return err
	})
	return now, err
}

// refusesFormer wants the older program to end at once with a sentence that
// helps, and the newer one to go on as if nothing had been.
func (s *site) refusesFormer(ctx context.Context, former string) error {
	m := s.members[len(s.members)-1]
	if err := m.program.Stop(); err != nil {
		return err
	}
	newer := m.program.path
	m.program.path = former
	err := m.program.startReady(ctx)
	if err := saying(func() (string, error) { return "it started", err }, "start one that is at least as new"); err != nil {
		return err
	}
	if code := m.program.State().Code; code != exitTooOld {
		return fmt.Errorf("the older program ends with %d, not %d", code, exitTooOld)
	}
	m.program.path = newer
	if err := m.program.startReady(ctx); err != nil {
		return err
	}
	return await(ctx, soon, s.inStep)
}

// shopping is somebody who reserves one unit after the other.
type shopping struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	made   []*shopv1.Reservation // by the one who reserves
	worst  atomic.Int64          // longest wait, in ns
	fault  error                 // by the one who reserves
}

// keepReserving lets a shopper reserve until it is stopped. What gets no answer
// is asked for again, as a page would.
func (s *site) keepReserving(ctx context.Context) *shopping {
	sh := new(shopping)
	ctx, sh.cancel = context.WithCancel(ctx)
	sh.done.Go(func() {
		for ctx.Err() == nil && sh.fault == nil {
			sh.fault = s.reserveOne(ctx, sh)
			select {
			case <-time.After(upgradePace):
			case <-ctx.Done():
			}
		}
	})
	return sh
}

func (s *site) reserveOne(ctx context.Context, sh *shopping) error {
	r := &shopv1.CreateReservationRequest{RequestId: newID(), Store: store,
		Lines:   []*shopv1.CartLine{{Gtin: goods(0), Quantity: 1}},
		Contact: &shopv1.Contact{FirstName: "Ann", Language: "en"}}
	began := time.Now()
	var made *shopv1.Reservation
	// The last one must be answered too, so it does not end with the shopper.
	last, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), longest,
		fmt.Errorf("a shopper waited %s", longest))
	defer cancel()
	err := program.Poll(last, often, func() (err error) {
		made, err = s.shop.CreateReservation(last, r)
		return err
	})
	if err != nil {
		return err
	}
	sh.made = append(sh.made, made)
	sh.worst.Store(max(sh.worst.Load(), int64(time.Since(began))))
	return nil
}

func (sh *shopping) stop() error {
	sh.cancel()
	sh.done.Wait()
	return sh.fault
}

// allThere wants every order that was answered.
func (s *site) allThere(ctx context.Context, sh *shopping) error {
	if len(sh.made) == 0 {
		return errors.New("nobody reserved")
	}
	for _, was := range sh.made {
		is, err := s.shop.GetReservation(ctx, &shopv1.GetReservationRequest{Reservation: was.GetReservation()})
		if err == nil && is.GetToken() != was.GetToken() {
			err = fmt.Errorf("it is %s", is.GetCode())
		}
		if err != nil {
			return fmt.Errorf("order %s of the upgrade: %w", was.GetCode(), err)
		}
	}
	return nil
}
