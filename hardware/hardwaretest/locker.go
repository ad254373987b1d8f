package hardwaretest

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast.dev/hardware"
)

// LockerRig is a locker driver with the locker behind it, and one door of it.
type LockerRig struct {
	hardware.Locker
	Door, Other hardware.Door
	IsOpen      func() bool
	Pulses      func() int           // times the coil of Door was driven
	Useless     func() int           // of these, while Door stood open
	Closest     func() time.Duration // shortest time between two coils of the line
	Shut        func()               // closes Door by hand
	Stick       func(stuck bool)     // the lock of Door does not let go
	// Untouched tells whether an error of Open claims that no coil was driven,
	// and Stuck whether it claims that the door stayed closed.
	Untouched, Stuck func(err error) bool
	Unplug           func()
}

// TestLocker checks that a driver keeps the contract of hardware.Locker.
func TestLocker(t *testing.T, open func(t *testing.T, spoil *Spoil) LockerRig) {
	TestDriver(t, func(t *testing.T, spoil *Spoil) Subject {
		rig := open(t, spoil)
		before := 0
		return Subject{
			Run: func(ctx context.Context) error { return rig.Run(ctx, func(hardware.DoorStatus) {}) },
			Do: func(ctx context.Context) error {
				rig.Shut()
				before = rig.Pulses()
				return rig.Open(ctx, rig.Door)
			},
			Lie:     func(said error) string { return rig.lie(said, before) },
			Answers: true,
			Unplug:  rig.Unplug,
		}
	})
	for _, c := range lockerCases {
		t.Run(c.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spoil := &Spoil{}
				c.check(t, lockers(t, open(t, spoil)), spoil)
			})
		})
	}
}

func (r LockerRig) lie(said error, before int) string {
	driven := r.Pulses() - before
	switch {
	case said == nil && !r.IsOpen():
		return "it says open, and the door is closed"
	case r.Useless() > 0:
		return "it drove the coil of a door that stood open"
	case driven > 2:
		return lie("it drove the coil %d times", driven)
	case said != nil && r.Untouched(said) && driven > 0:
		return "it says that it did nothing, and it drove the coil"
	case said != nil && r.Stuck(said) && r.IsOpen():
		return "it says that the door stayed closed, and it is open"
	}
	return ""
}

// lockerAtWork is a locker whose Run runs, with what it told.
type lockerAtWork struct {
	LockerRig
	mu   sync.Mutex
	told []hardware.DoorStatus // guarded by mu
}

func lockers(t *testing.T, rig LockerRig) *lockerAtWork {
	w := &lockerAtWork{LockerRig: rig}
	ctx, cancel := context.WithCancel(t.Context())
	ended := start(func() error {
		return rig.Run(ctx, func(d hardware.DoorStatus) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, d)
		})
	})
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		rig.Unplug()
		synctest.Wait()
	})
	synctest.Wait()
	return w
}

// of gives what was told of one door, in order.
func (w *lockerAtWork) of(door hardware.Door) (states []hardware.DoorState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.told {
		if d.Door == door {
			states = append(states, d.State)
		}
	}
	return states
}

func (w *lockerAtWork) wantStates(t *testing.T, want ...hardware.DoorState) {
	t.Helper()
	time.Sleep(30 * time.Second)
	got := w.of(w.Door)
	same := len(got) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = got[i] == want[i]
	}
	if !same {
		t.Errorf("of its door it told %v, want %v", got, want)
	}
}

// whenPulsed does something as soon as the coil was driven.
func (w *lockerAtWork) whenPulsed(do func()) (stop func()) {
	ended := make(chan struct{})
	over := start(func() error {
		for {
			select {
			case <-ended:
				return nil
			case <-time.After(time.Millisecond):
			}
			if w.Pulses() > 0 {
				do()
				return nil
			}
		}
	})
	return func() { close(ended); <-over }
}

var lockerCases = []struct {
	claim string
	check func(t *testing.T, w *lockerAtWork, spoil *Spoil)
}{
	{"a door that stands open is not opened again", func(t *testing.T, w *lockerAtWork, _ *Spoil) {
		for range 2 {
			if err := w.Open(t.Context(), w.Door); err != nil {
				t.Error(err)
			}
		}
		if got := w.Pulses(); got != 1 {
			t.Errorf("the coil was driven %d times, want once", got)
		}
	}},
	{"a lock that sticks is tried twice and named", func(t *testing.T, w *lockerAtWork, _ *Spoil) {
		w.Stick(true)
		err := w.Open(t.Context(), w.Door)
		if err == nil || !w.Stuck(err) || w.Pulses() != 2 {
			t.Errorf("got %v after %d pulses, want a stuck door after 2", err, w.Pulses())
		}
		w.Stick(false)
		if err := w.Open(t.Context(), w.Door); err != nil {
			t.Errorf("once it lets go: %v", err)
		}
	}},
	{"a door out of sight is not opened again", func(t *testing.T, w *lockerAtWork, spoil *Spoil) {
		stop := w.whenPulsed(func() { spoil.Mute(true) })
		err := w.Open(t.Context(), w.Door)
		stop()
		if err == nil || w.Untouched(err) || w.Stuck(err) || w.Pulses() != 1 {
			t.Errorf("got %v after %d pulses, want unsure after 1", err, w.Pulses())
		}
	}},
	{"a look that came back proves nothing of the time before",
		func(t *testing.T, w *lockerAtWork, spoil *Spoil) {
			w.Stick(true)
			stop := w.whenPulsed(func() {
				spoil.Mute(true)
				time.Sleep(5 * time.Second)
				spoil.Mute(false)
			})
			err := w.Open(t.Context(), w.Door)
			stop()
			if err == nil || w.Untouched(err) || w.Stuck(err) || w.Pulses() != 1 {
				t.Errorf("got %v after %d pulses, want unsure after 1", err, w.Pulses())
			}
		}},
	{"two doors are not opened at once", func(t *testing.T, w *lockerAtWork, _ *Spoil) {
		first := start(func() error { return w.Open(t.Context(), w.Door) })
		second := start(func() error { return w.Open(t.Context(), w.Other) })
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		if gap := w.Closest(); gap < 300*time.Millisecond {
			t.Errorf("two coils within %v", gap)
		}
	}},
	{"a door that no board has is refused", func(t *testing.T, w *lockerAtWork, _ *Spoil) {
		for _, wrong := range []hardware.Door{{}, {Board: w.Door.Board}, {Board: 99, Lock: 1},
			{Board: w.Door.Board, Lock: 200}, {Board: w.Door.Board, Lock: -1}} {
			if err := w.Open(t.Context(), wrong); err == nil || !w.Untouched(err) {
				t.Errorf("door %+v: %v", wrong, err)
			}
		}
	}},
	{"tells of each change once and in order", func(t *testing.T, w *lockerAtWork, _ *Spoil) {
		w.wantStates(t, hardware.DoorClosed)
		if err := w.Open(t.Context(), w.Door); err != nil {
			t.Error(err)
		}
		w.wantStates(t, hardware.DoorClosed, hardware.DoorOpen)
		w.Shut()
		w.wantStates(t, hardware.DoorClosed, hardware.DoorOpen, hardware.DoorClosed)
		if got := w.of(w.Other); len(got) != 1 {
			t.Errorf("of a door that nobody touched it told %v", got)
		}
	}},
	{"a board that says nothing makes its doors unknown",
		func(t *testing.T, w *lockerAtWork, spoil *Spoil) {
			w.wantStates(t, hardware.DoorClosed)
			spoil.Mute(true)
			w.wantStates(t, hardware.DoorClosed, hardware.DoorUnknown)
			spoil.Mute(false)
			w.wantStates(t, hardware.DoorClosed, hardware.DoorUnknown, hardware.DoorClosed)
		}},
}
