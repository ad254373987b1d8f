package drills

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast.dev/firmware-sim/program"
)

// handedOver is how rebuild says how many facts it found on an old disk.
const handedOver = "facts of the old disk handed over"

// rebuildOn makes another machine the store's node, starts it, and waits until
// it stands well with the cloud. It returns how long that took.
func (s *site) rebuildOn(ctx context.Context, b *box, join string, facts int,
	args ...string) (time.Duration, error) {
	began := time.Now()
	said, err := b.rebuild(ctx, join, args...)
	if err != nil {
		return 0, err
	}
	if want := fmt.Sprintf(" %d %s", facts, handedOver); !strings.Contains(said, want) {
		return 0, fmt.Errorf("rebuild said %q, not %q", said, want)
	}
	err = b.startSettled(ctx)
	return time.Since(began), err
}

// alone is a store at work whose line is cut: nobody else knows what it does.
// The order is handed over.
func (s *site) alone(ctx context.Context) (*box, error) {
	b, o, err := s.ordinary(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.stage(ctx, b, o); err != nil {
		return nil, err
	}
	if err := b.settled(ctx); err != nil {
		return nil, err
	}
	b.cable.Cut()
	for range 2 {
		if err := s.sell(ctx, b, goods(0), 1); err != nil {
			return nil, err
		}
	}
	if err := s.receive(ctx, b, goods(1), plenty); err != nil {
		return nil, err
	}
	if err := s.collect(ctx, b, o); err != nil {
		return nil, err
	}
	return b, b.program.Kill()
}

// factsAlone is what a store recorded alone: two sales, a delivery, a handover.
const factsAlone = 4

// newBoxOldDisk: the machine is dead, its disk can be read.
func (s *site) newBoxOldDisk(ctx context.Context) (string, error) {
	a, err := s.alone(ctx)
	if err != nil {
		return "", err
	}
	b, err := s.newBox()
	if err != nil {
		return "", err
	}
	join, err := s.interrupted(ctx, a, b)
	if err != nil {
		return "", err
	}
	took, err := s.rebuildOn(ctx, b, join, factsAlone, "--old", a.data)
	if err != nil {
		return "", err
	}
	said, err := s.goOn(ctx, b, nil)
	return fmt.Sprintf("a new box stood there after %s, with %d facts of the old disk; %s",
		round(took), factsAlone, said), err
}

// interrupted tries a rebuild that cannot read the old disk, which uses nothing
// up, and one that dies as soon as the box belongs to the store, which can be
// repeated by the same join string.
func (s *site) interrupted(ctx context.Context, a, b *box) (join string, err error) {
	if join, err = s.join(ctx); err != nil {
		return "", err
	}
	broken := filepath.Join(s.dir, "unreadable")
	if err := os.MkdirAll(broken, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(broken, "store.db"), []byte(noDatabase), 0o600); err != nil {
		return "", err
	}
	if _, err := b.rebuild(ctx, join, "--old", broken); err == nil {
		return "", errors.New("an unreadable disk was taken")
	}
	if b.enrolled() {
		return "", errors.New("an unreadable disk used the join string up")
	}
	dies, kill := context.WithCancel(ctx)
	defer kill()
	go func() {
		_ = program.Poll(dies, time.Millisecond, func() error {
			if b.enrolled() {
				return nil
			}
			return errors.New("not enrolled")
		})
		kill()
	}()
	if _, err := b.rebuild(dies, join, "--old", a.data); err == nil {
		return "", errors.New("a rebuild that was killed says that it is done")
	}
	return join, nil
}

// noDatabase is what a file says that was a database once.
const noDatabase = "this is no database at all, although it is called so"

// damagedDisk: the database cannot be read any more.
func (s *site) damagedDisk(ctx context.Context) (string, error) {
	b, o, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	if err := b.program.Kill(); err != nil {
		return "", err
	}
	if err := b.loseDisk(); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(b.data, "store.db"), []byte(noDatabase), 0o600); err != nil {
		return "", err
	}
	if err := b.program.startReady(ctx); err == nil {
		return "", errors.New("the node started with a damaged database")
	}
	join, err := s.join(ctx)
	if err != nil {
		return "", err
	}
	took, err := s.rebuildOn(ctx, b, join, 0)
	if err != nil {
		return "", err
	}
	said, err := s.goOn(ctx, b, o)
	return fmt.Sprintf("rebuilt in its own folder in %s; %s", round(took), said), err
}

// boxReturns: a box that nobody could reach is replaced, and then turns up.
func (s *site) boxReturns(ctx context.Context) (string, error) {
	a, err := s.alone(ctx)
	if err != nil {
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
	if err := s.sell(ctx, b, goods(0), 1); err != nil {
		return "", err
	}
	a.cable.Plug()
	s.expects(oldBox)
	for range 2 { // it comes back twice: what it hands over is booked once
		if err := a.program.startReady(ctx); err != nil {
			return "", err
		}
		if err := a.refused(ctx, "FENCED"); err != nil {
			return "", err
		}
		if err := a.program.Stop(); err != nil {
			return "", err
		}
	}
	said, err := s.goOn(ctx, b, nil)
	return fmt.Sprintf("replaced in %s; the old box handed %d facts over and is shut out; %s",
		round(took), factsAlone, said), err
}

// clone: a copy of the disk runs on a second machine at the same time.
func (s *site) clone(ctx context.Context) (string, error) {
	a, o, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	b, err := s.cloned(ctx, a)
	if err != nil {
		return "", err
	}
	if err := s.sell(ctx, a, goods(0), 1); err != nil {
		return "", err
	}
	if err := a.settled(ctx); err != nil {
		return "", err
	}
	b.cable.Cut()
	if err := b.program.startReady(ctx); err != nil {
		return "", err
	}
	for range 2 {
		if err := s.sell(ctx, b, goods(0), 1); err != nil {
			return "", err
		}
	}
	b.cable.Plug()
	if err := b.refused(ctx, "FORKED"); err != nil {
		return "", err
	}
	if err := s.sell(ctx, a, goods(0), 1); err != nil { // the first one does not notice
		return "", err
	}
	if err := a.settled(ctx); err != nil {
		return "", err
	}
	// A person decides that the second machine stays, and stops that one first:
	// alone it would be taken back as it is.
	if err := errors.Join(b.program.Stop(), a.program.Stop()); err != nil {
		return "", err
	}
	join, err := s.join(ctx)
	if err != nil {
		return "", err
	}
	took, err := s.rebuildOn(ctx, b, join, 2)
	if err != nil {
		return "", err
	}
	s.expects(oldBox)
	if err := a.program.startReady(ctx); err != nil {
		return "", err
	}
	if err := a.refused(ctx, "FENCED"); err != nil {
		return "", err
	}
	said, err := s.goOn(ctx, b, o)
	return fmt.Sprintf("the copy was refused while the first box was connected, and rebuilt in %s; %s",
		round(took), said), err
}

// cloned copies the whole disk of a stopped box to another machine.
func (s *site) cloned(ctx context.Context, a *box) (*box, error) {
	b, err := s.newBox()
	if err != nil {
		return nil, err
	}
	if err := a.program.Stop(); err != nil {
		return nil, err
	}
	if err := os.CopyFS(b.data, os.DirFS(a.data)); err != nil {
		return nil, fmt.Errorf("copy the disk: %w", err)
	}
	return b, a.startSettled(ctx)
}

// twins: a copy of the disk runs at the same time, and has sold nothing of its
// own. Nobody can tell the two apart, so the one that was there first stays.
func (s *site) twins(ctx context.Context) (string, error) {
	a, o, err := s.ordinary(ctx)
	if err != nil {
		return "", err
	}
	b, err := s.cloned(ctx, a)
	if err != nil {
		return "", err
	}
	if err := b.program.startReady(ctx); err != nil {
		return "", err
	}
	if err := b.refused(ctx, "FORKED"); err != nil {
		return "", err
	}
	if err := s.sell(ctx, a, goods(0), 1); err != nil {
		return "", err
	}
	if _, err := s.prove(ctx, a); err != nil { // nobody took turns
		return "", err
	}
	// The first box loses its line: the copy takes its place, and keeps it.
	s.expects(rolledBack)
	a.cable.Cut()
	if err := b.settled(ctx); err != nil {
		return "", err
	}
	a.cable.Plug()
	if err := a.refused(ctx, "FORKED"); err != nil {
		return "", err
	}
	said, err := s.goOn(ctx, b, o)
	return "two boxes with one past did not take turns; " + said, err
}
