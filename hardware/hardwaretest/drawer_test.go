package hardwaretest_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
)

// fake is a drawer and the shortest driver that is right.
type fake struct {
	blind bool

	mu      sync.Mutex
	open    bool
	jammed  bool
	kicks   int
	cooling bool
	done    map[string]error
}

var errCooling, errJammed = errors.New("coil cools"), errors.New("drawer did not open")

func (f *fake) State() hardware.DrawerState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state()
}

func (f *fake) state() hardware.DrawerState {
	switch {
	case f.blind:
		return hardware.DrawerUnknown
	case f.open:
		return hardware.DrawerOpen
	}
	return hardware.DrawerClosed
}

func (f *fake) Open(ctx context.Context, id string) (hardware.DrawerState, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err, ok := f.done[id]; ok {
		if err == nil && !f.blind {
			return hardware.DrawerOpen, nil
		}
		return hardware.DrawerUnknown, err
	}
	switch {
	case ctx.Err() != nil:
		return f.state(), ctx.Err()
	case f.state() == hardware.DrawerOpen:
		return hardware.DrawerOpen, nil
	case f.cooling:
		return f.state(), errCooling
	}
	f.kicks++
	f.cooling, f.open = true, !f.jammed
	f.done[id] = nil
	if f.jammed && !f.blind {
		f.done[id] = errJammed
	}
	return f.state(), f.done[id]
}

func TestTheContractOfDrawersCanBeKept(t *testing.T) {
	for name, blind := range map[string]bool{"with a switch": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			hardwaretest.TestDrawer(t, func(*testing.T) hardwaretest.DrawerRig {
				f := &fake{blind: blind, done: map[string]error{}}
				set := func(change func()) func() {
					return func() {
						f.mu.Lock()
						defer f.mu.Unlock()
						change()
					}
				}
				return hardwaretest.DrawerRig{
					Drawer: f, Blind: blind,
					Kicks: func() int { f.mu.Lock(); defer f.mu.Unlock(); return f.kicks },
					Shut:  set(func() { f.open = false }),
					Cool:  set(func() { f.cooling = false }),
					Jam:   func(jammed bool) { set(func() { f.jammed = jammed })() },
				}
			})
		})
	}
}
