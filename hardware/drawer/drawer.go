// Package drawer finds out, once, which level of a cash drawer's switch means
// open, and notices a drawer that was left open. The drawer itself hangs on a
// printer's port, and the printer's driver kicks it.
package drawer

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast.dev/hardware"
)

// Settings of a printer's switch, as its profile names them.
const (
	OpenHigh = "high" // the level is high while the drawer is open
	OpenLow  = "low"
	NoSwitch = "none" // nothing tells how the drawer is
)

// leastSamples is how often the printer must say the same of each position.
const leastSamples = 2

// Why a calibration has no result.
var (
	ErrSamples  = errors.New("calibrate drawer: too few answers of the printer")
	ErrUnsteady = errors.New("calibrate drawer: the switch changed while nobody moved the drawer")
)

// Calibrate returns the setting that fits a drawer, from what a printer with
// setting now said while a person had closed the drawer, and then opened it. A
// switch that never changes is none: not wired, or a drawer without one.
func Calibrate(now string, closed, opened []hardware.PrinterStatus) (string, error) {
	if now != OpenHigh && now != OpenLow {
		return "", fmt.Errorf("calibrate drawer: setting %q says nothing, set %q first", now, OpenHigh)
	}
	whenClosed, err := steady(closed)
	if err != nil {
		return "", err
	}
	whenOpen, err := steady(opened)
	if err != nil {
		return "", err
	}
	other := map[string]string{OpenHigh: OpenLow, OpenLow: OpenHigh}
	switch {
	case whenClosed == whenOpen:
		return NoSwitch, nil
	case whenOpen:
		return now, nil
	}
	return other[now], nil
}

// steady is what all answers agree on. Those of a printer that is offline count:
// the switch is wired to it all the same.
func steady(said []hardware.PrinterStatus) (open bool, err error) {
	said = slices.DeleteFunc(slices.Clone(said), func(s hardware.PrinterStatus) bool {
		return s.At.IsZero()
	})
	if len(said) < leastSamples {
		return false, ErrSamples
	}
	for _, s := range said {
		if s.DrawerOpen != said[0].DrawerOpen {
			return false, ErrUnsteady
		}
	}
	return said[0].DrawerOpen, nil
}

// DefaultLimit is how long a drawer may stand open before somebody is told.
const DefaultLimit = time.Minute

// Ajar notices a drawer that stands open for too long. Its zero value watches
// with DefaultLimit.
type Ajar struct {
	Limit time.Duration
	since time.Time
	told  bool
}

// Look takes the drawer's state at a time. It returns true once for each time
// that the drawer stands open for longer than the limit.
func (a *Ajar) Look(now time.Time, s hardware.DrawerState) bool {
	limit := a.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	switch {
	case s != hardware.DrawerOpen:
		a.since, a.told = time.Time{}, false
	case a.since.IsZero():
		a.since = now
	case !a.told && now.Sub(a.since) >= limit:
		a.told = true
		return true
	}
	return false
}
