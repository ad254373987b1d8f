package locker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast.dev/hardware"
)

// Open opens one door and returns nil when its sensor says open; it may have been
// open before. Any error other than ErrStuck and ErrUnsure means that nothing
// was sent to the lock.
func (l *Locker) Open(ctx context.Context, door hardware.Door) error {
	known := slices.ContainsFunc(l.cfg.Boards, func(b Board) bool {
		return b.Address == door.Board && door.Lock >= 1 && door.Lock <= b.Locks
	})
	if !known {
		return fmt.Errorf("open door %d of board %d: %w", door.Lock, door.Board, ErrNoDoor)
	}
	if err := l.open(ctx, door); err != nil {
		return fmt.Errorf("open door %d of board %d: %w", door.Lock, door.Board, err)
	}
	return nil
}

func (l *Locker) open(ctx context.Context, door hardware.Door) error {
	select {
	case l.opening <- struct{}{}:
		defer func() { <-l.opening }()
	case <-ctx.Done():
		return ctx.Err()
	}
	state, err := l.see(ctx, door)
	if err != nil {
		return err
	}
	for i := range pulses {
		if state == hardware.DoorOpen {
			return nil
		}
		state, err = l.pulse(ctx, door)
		if err != nil && i > 0 && !errors.Is(err, ErrUnsure) {
			err = errors.Join(ErrUnsure, err) // something was sent before
		}
		if err != nil {
			return err
		}
	}
	if state == hardware.DoorOpen {
		return nil
	}
	return ErrStuck
}

// see tells the state of a door that two answers in a row agree on.
func (l *Locker) see(ctx context.Context, door hardware.Door) (hardware.DoorState, error) {
	const tries = 5
	var before hardware.DoorState
	for range tries {
		r, err := l.ask(ctx, door.Board, door.Lock)
		if err != nil {
			return hardware.DoorUnknown, err
		}
		if r.state(door.Lock) == before {
			return before, nil
		}
		before = r.state(door.Lock)
	}
	return hardware.DoorUnknown, errors.New("the door's sensor says now this, now that")
}

// pulse drives the coil once and watches the door. It returns the state that the
// door has for sure, or ErrUnsure.
func (l *Locker) pulse(ctx context.Context, door hardware.Door) (hardware.DoorState, error) {
	if err := l.line.Sleep(ctx, pulseGap-time.Since(l.pulsed)); err != nil {
		return hardware.DoorUnknown, err
	}
	sent, err := l.line.Tell(ctx, l.dialect.open(door.Board, door.Lock))
	l.pulsed = time.Now()
	if err != nil && sent == 0 && !errors.Is(err, hardware.ErrTimeout) {
		return hardware.DoorUnknown, err // a write that timed out may still arrive
	}
	if err != nil {
		return hardware.DoorUnknown, errors.Join(ErrUnsure, err)
	}
	return l.await(ctx, door)
}

// await watches a door whose coil was driven.
func (l *Locker) await(ctx context.Context, door hardware.Door) (hardware.DoorState, error) {
	over := time.Now().Add(l.cfg.OpenWait)
	seen, gap, opened := time.Now(), time.Duration(0), 0
	for {
		if err := l.line.Sleep(ctx, watch); err != nil {
			return hardware.DoorUnknown, errors.Join(ErrUnsure, err)
		}
		r, err := l.askOnce(ctx, door.Board, door.Lock)
		switch {
		case err == nil:
			gap = max(gap, time.Since(seen))
			seen = time.Now()
			if r.state(door.Lock) != hardware.DoorOpen {
				opened = 0
			} else if opened++; opened == 2 { // one could be a contact that bounces
				l.learn(door.Board, door.Lock, 1, r) // before the next look of Run would
				return hardware.DoorOpen, nil
			}
		case !errors.Is(err, hardware.ErrTimeout):
			return hardware.DoorUnknown, errors.Join(ErrUnsure, err)
		}
		late := time.Since(over)
		if late < 0 || opened == 1 && late < unwatched {
			continue
		}
		if max(gap, time.Since(seen)) > unwatched {
			return hardware.DoorUnknown, errors.Join(ErrUnsure, hardware.ErrTimeout)
		}
		return hardware.DoorClosed, nil
	}
}
