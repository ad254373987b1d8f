package drills

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast.dev/firmware-sim/demo"
	shopv1 "holdfast.dev/proto/shop/v1"
)

// clusterRestored: all members are lost, with their disks. What is left is a
// backup, and stores that know more.
func (s *site) clusterRestored(ctx context.Context) (string, error) {
	b, old, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	file := filepath.Join(s.dir, "backup.tar")
	last := s.members[len(s.members)-1]
	backUp := func() (string, error) {
		return s.command(ctx, "holdfast-cloud", "backup", "--admin", last.admin, "--data", last.data, file)
	}
	if _, err := backUp(); err != nil {
		return "", err
	}
	if err := saying(backUp, "overwrites nothing"); err != nil {
		return "", err
	}
	lost, err := s.afterBackup(ctx, b)
	if err != nil {
		return "", err
	}
	if err := s.loseMembers(); err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.restoreFrom(ctx, file); err != nil {
		return "", err
	}
	s.expects(broughtBack)
	if err := b.program.startReady(ctx); err != nil {
		return "", err
	}
	if err := b.refused(ctx, "FROZEN"); err != nil {
		return "", err
	}
	if _, err := s.operate(ctx, "store admit", "--all"); err != nil {
		return "", err
	}
	if err := b.settled(ctx); err != nil {
		return "", err
	}
	took := time.Since(began)
	if err := s.joinMembers(ctx); err != nil {
		return "", err
	}
	said, err := s.reconciled(ctx, b, old, lost)
	if err != nil {
		return "", err
	}
	all, err := s.standings(ctx, last)
	if err != nil {
		return "", err
	}
	for i, st := range all {
		if st.ID == "" || st.Problem != "" {
			return "", fmt.Errorf("member %d of the restored cloud: %+v", i+1, st)
		}
	}
	return fmt.Sprintf("three members and their disks were lost; a backup and the store gave back what they knew in %s; "+
		"%d members; %s", round(took), len(all), said), nil
}

// restoreFrom restores a backup to the first member's empty folder and starts
// it. What must be refused is tried before and after.
func (s *site) restoreFrom(ctx context.Context, file string) error {
	first := s.members[0]
	restore := func() (string, error) {
		return s.command(ctx, "holdfast-cloud", "restore", "--data", first.data, file)
	}
	other := filepath.Join(first.data, "something")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		return err
	}
	if err := saying(restore, "empty folder only"); err != nil {
		return err
	}
	if err := os.Remove(other); err != nil {
		return err
	}
	if _, err := restore(); err != nil {
		return err
	}
	if err := first.program.startReady(ctx); err != nil {
		return err
	}
	return saying(restore, "a cloud is running")
}

// saying wants a command to be refused with these words.
func saying(command func() (string, error), words string) error {
	switch said, err := command(); {
	case err == nil:
		return errors.New("was not refused: " + said)
	case !strings.Contains(err.Error(), words):
		return fmt.Errorf("was not refused with %q: %w", words, err)
	}
	return nil
}

// majorityLost: two of three members are lost with their disks. The last one
// cannot go on, and a new cloud is founded with its folder.
func (s *site) majorityLost(ctx context.Context) (string, error) {
	b, old, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	if err := await(ctx, votesWithin, s.inStep); err != nil {
		return "", err
	}
	if err := s.sell(ctx, b, goods(0), 1); err != nil {
		return "", err
	}
	late, err := s.promise(ctx, goods(1), some)
	if err != nil {
		return "", err
	}
	last := s.members[len(s.members)-1]
	for _, m := range s.members {
		if m != last {
			if err := m.lose(); err != nil {
				return "", err
			}
		}
	}
	if err := s.promisesNothing(ctx); err != nil {
		return "", err
	}
	if err := last.program.Stop(); err != nil {
		return "", err
	}
	began := time.Now()
	first := s.members[0]
	_, err = s.command(ctx, "holdfast-cloud", "restore", "--data", first.data, "--trust-nodes", last.data)
	if err != nil {
		return "", err
	}
	if err := errors.Join(first.program.startReady(ctx), last.lose(), s.joinMembers(ctx)); err != nil {
		return "", err
	}
	if err := b.settled(ctx); err != nil {
		return "", err
	}
	took := time.Since(began)
	for _, o := range []*order{old, late} {
		if err := s.stage(ctx, b, o); err != nil {
			return "", err
		}
		if err := s.collect(ctx, b, o); err != nil {
			return "", err
		}
	}
	said, err := s.prove(ctx, b)
	return fmt.Sprintf("two of three members were lost; the last one promised nothing alone, and founded a new cloud "+
		"in %s; %s", round(took), said), err
}

// promisesNothing wants the cloud to refuse promises: a majority is lost.
func (s *site) promisesNothing(ctx context.Context) error {
	_, err := s.shop.CreateReservation(ctx, &shopv1.CreateReservationRequest{RequestId: newID(), Store: store,
		Lines: []*shopv1.CartLine{{Gtin: goods(1), Quantity: 1}}})
	if !demo.Refused(err, "BUSY") {
		return fmt.Errorf("a promise without a majority: %w", err)
	}
	return nil
}
