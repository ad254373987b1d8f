package drawer_test

import (
	"errors"
	"testing"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/drawer"
)

// said is what a printer told: o open, c closed, - never spoke.
func said(levels string) (all []hardware.PrinterStatus) {
	for _, l := range levels {
		s := hardware.PrinterStatus{DrawerOpen: l == 'o', At: time.Unix(1, 0)}
		if l == '-' {
			s.At = time.Time{}
		}
		all = append(all, s)
	}
	return all
}

func TestCalibrationFindsTheLevelOfAnOpenDrawer(t *testing.T) {
	for _, c := range []struct {
		now, closed, opened, want string
		err                       error
	}{
		{drawer.OpenHigh, "ccc", "ooo", drawer.OpenHigh, nil},
		{drawer.OpenHigh, "ooo", "ccc", drawer.OpenLow, nil},
		{drawer.OpenLow, "cc", "oo", drawer.OpenLow, nil},
		{drawer.OpenLow, "oo", "cc", drawer.OpenHigh, nil},
		{drawer.OpenHigh, "cc", "cc", drawer.NoSwitch, nil},
		{drawer.OpenHigh, "oo", "oo", drawer.NoSwitch, nil},
		{drawer.OpenHigh, "-cc-", "oo", drawer.OpenHigh, nil},
		{drawer.OpenHigh, "c-", "oo", "", drawer.ErrSamples},
		{drawer.OpenHigh, "cc", "oco", "", drawer.ErrUnsteady},
		{drawer.OpenHigh, "coc", "oo", "", drawer.ErrUnsteady},
	} {
		got, err := drawer.Calibrate(c.now, said(c.closed), said(c.opened))
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s, closed %s, open %s: %q, %v; want %q", c.now, c.closed, c.opened, got, err, c.want)
		}
	}
	for _, now := range []string{"", drawer.NoSwitch} {
		if _, err := drawer.Calibrate(now, said("cc"), said("oo")); err == nil {
			t.Errorf("a printer with setting %q is calibrated", now)
		}
	}
}

func TestADrawerLeftOpenIsNoticedOnce(t *testing.T) {
	var a drawer.Ajar
	start := time.Unix(1000, 0)
	for _, c := range []struct {
		after time.Duration
		state hardware.DrawerState
		want  bool
	}{
		{0, hardware.DrawerOpen, false},
		{59 * time.Second, hardware.DrawerOpen, false},
		{60 * time.Second, hardware.DrawerOpen, true},
		{70 * time.Second, hardware.DrawerOpen, false},
		{80 * time.Second, hardware.DrawerClosed, false},
		{81 * time.Second, hardware.DrawerOpen, false},
		{150 * time.Second, hardware.DrawerUnknown, false},
		{160 * time.Second, hardware.DrawerOpen, false},
		{219 * time.Second, hardware.DrawerOpen, false},
		{220 * time.Second, hardware.DrawerOpen, true},
	} {
		if got := a.Look(start.Add(c.after), c.state); got != c.want {
			t.Errorf("after %v, %v: %v", c.after, c.state, got)
		}
	}
}
