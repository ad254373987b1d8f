package hardwaretest

import (
	"context"
	"testing"
	"time"

	"holdfast.dev/hardware"
)

// DrawerRig is a drawer's driver with the drawer behind it.
type DrawerRig struct {
	hardware.Drawer
	Kicks func() int // times the coil was driven
	Shut  func()     // closes the drawer by hand
	Jam   func(jammed bool)
	// Cool waits until the coil may be driven again.
	Cool func()
	// Blind tells that the drawer has no switch.
	Blind bool
}

// TestDrawer checks that a driver keeps the contract of hardware.Drawer. The
// drawer is closed at first, and the driver knows it.
func TestDrawer(t *testing.T, open func(t *testing.T) DrawerRig) {
	for claim, check := range map[string]func(*testing.T, DrawerRig){
		"opens, and says so by its switch":      drawerOpens,
		"one id is one kick":                    drawerOnce,
		"an open drawer is not kicked":          drawerOpenAlready,
		"two kicks never follow at once":        drawerCools,
		"a drawer that jams is not called open": drawerJams,
		"its caller may give up":                drawerGivenUp,
	} {
		t.Run(claim, func(t *testing.T) { check(t, open(t)) })
	}
}

// seen is what a drawer with or without a switch says when it is in a state.
func (r DrawerRig) seen(s hardware.DrawerState) hardware.DrawerState {
	if r.Blind {
		return hardware.DrawerUnknown
	}
	return s
}

func (r DrawerRig) opens(t *testing.T, id string, want hardware.DrawerState, kicks int) {
	t.Helper()
	state, err := r.Open(t.Context(), id)
	if err != nil || state != r.seen(want) || r.Kicks() != kicks {
		t.Errorf("%s: %v, %v after %d kicks; want %v after %d",
			id, state, err, r.Kicks(), r.seen(want), kicks)
	}
}

func drawerOpens(t *testing.T, r DrawerRig) {
	if got := r.State(); got != r.seen(hardware.DrawerClosed) {
		t.Errorf("at first it is %v", got)
	}
	r.opens(t, "sale 1", hardware.DrawerOpen, 1)
	if got := r.State(); got != r.seen(hardware.DrawerOpen) {
		t.Errorf("opened it is %v", got)
	}
}

func drawerOnce(t *testing.T, r DrawerRig) {
	r.opens(t, "sale 1", hardware.DrawerOpen, 1)
	r.Shut()
	r.Cool()
	r.opens(t, "sale 1", hardware.DrawerOpen, 1)
	r.opens(t, "sale 2", hardware.DrawerOpen, 2)
}

func drawerOpenAlready(t *testing.T, r DrawerRig) {
	if r.Blind {
		return
	}
	r.opens(t, "sale 1", hardware.DrawerOpen, 1)
	r.Cool()
	r.opens(t, "sale 2", hardware.DrawerOpen, 1)
}

func drawerCools(t *testing.T, r DrawerRig) {
	began := time.Now() // the first kick comes after it
	r.opens(t, "sale 1", hardware.DrawerOpen, 1)
	r.Shut()
	_, err := r.Open(t.Context(), "sale 2")
	if took := time.Since(began); err == nil && took < time.Second {
		t.Errorf("two kicks within %v", took)
	}
}

func drawerJams(t *testing.T, r DrawerRig) {
	if r.Blind {
		return
	}
	r.Jam(true)
	state, err := r.Open(t.Context(), "sale 1")
	if err == nil || state == hardware.DrawerOpen || r.Kicks() != 1 {
		t.Errorf("%v, %v after %d kicks", state, err, r.Kicks())
	}
	again, err := r.Open(t.Context(), "sale 1")
	if err == nil || again == hardware.DrawerOpen || r.Kicks() != 1 {
		t.Errorf("asked again: %v, %v after %d kicks", again, err, r.Kicks())
	}
}

func drawerGivenUp(t *testing.T, r DrawerRig) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := within(func() error {
		if _, err := r.Open(ctx, "sale 1"); err != nil && r.Kicks() <= 1 {
			return nil
		}
		return errLate
	})
	if err != nil {
		t.Errorf("with a caller that gave up it says that it opened, after %d kicks", r.Kicks())
	}
}
