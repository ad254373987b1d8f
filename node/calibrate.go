package node

import (
	"context"
	"fmt"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/drawer"
	"holdfast.dev/node/devices"
)

// The switch of a drawer is looked at so often, so far apart, once somebody has
// moved the drawer.
const (
	drawerLooks = 4
	drawerEvery = 250 * time.Millisecond
)

// calibrate finds out which level of a drawer's switch means open, with
// somebody who closes the drawer and opens it. Each may take half of the wait.
func (t selfTest) calibrate(ctx context.Context, printer string) {
	f := Finding{Check: "drawer " + printer, State: Bad}
	now, closed, err := t.position(ctx, printer, "close")
	var opened []hardware.PrinterStatus
	if err == nil {
		_, opened, err = t.position(ctx, printer, "open")
	}
	var right string
	if err == nil {
		right, err = drawer.Calibrate(now, closed, opened)
	}
	switch {
	case err != nil:
		f.Says, f.Todo = err.Error(), "See what is said of the printer, leave the drawer alone while it is "+
			"looked at, and try again."
	case right == now:
		f.State, f.Says = Sound, fmt.Sprintf("the switch says %s while it is open, as configured", right)
	case right == drawer.NoSwitch:
		f.State, f.Says = Doubt, "the switch never changed: it is not wired, or the drawer did not move"
		f.Todo = fmt.Sprintf("If it has no switch, write drawer_switch = %q to the device %q in the configuration.",
			right, printer)
	default:
		f.Says = fmt.Sprintf("the switch says %s while it is open, and %s is configured", right, now)
		f.Todo = fmt.Sprintf("Write drawer_switch = %q to the device %q in the configuration, and start the node again.",
			right, printer)
	}
	t.tell(f)
}

// position asks somebody to move the drawer, gives him time, and takes what the
// printer says then. It ends early when the switch has changed.
func (t selfTest) position(ctx context.Context, printer, move string) (
	setting string, said []hardware.PrinterStatus, err error) {
	before, err := t.drawerOn(printer)
	if err != nil {
		return "", nil, err
	}
	wait := t.wait / 2
	t.tell(Finding{Check: "drawer " + printer, State: Asks,
		Says: fmt.Sprintf("%s the cash drawer on %s within %s, by hand or with its key", move, printer, wait)})
	late := time.After(wait)
	tick := time.NewTicker(drawerEvery)
	defer tick.Stop()
	for moved := false; !moved && late != nil; {
		select {
		case <-tick.C:
			d, err := t.drawerOn(printer)
			moved = err == nil && d.Printer.DrawerOpen != before.Printer.DrawerOpen
		case <-late:
			late = nil
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
	}
	for range drawerLooks {
		<-tick.C // within drawerEvery
		d, err := t.drawerOn(printer)
		if err != nil {
			return "", nil, err
		}
		said = append(said, *d.Printer)
	}
	return before.DrawerSwitch, said, nil
}

// drawerOn is the printer that a drawer hangs on.
func (t selfTest) drawerOn(printer string) (devices.State, error) {
	for _, d := range t.set.States() {
		switch {
		case d.Name != printer || d.Kind != devices.Printer:
		case d.Opened.IsZero() || d.Printer == nil || d.Printer.At.IsZero():
			return d, fmt.Errorf("printer %s has not said how it is", printer)
		default:
			return d, nil
		}
	}
	return devices.State{}, fmt.Errorf("no printer is called %q", printer)
}
