package drills

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
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
	if err := b.program.start(ctx); err != nil {
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
	if err := first.program.start(ctx); err != nil {
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
