package printer

import "time"

// drawer is the cash drawers on the printer's cable. They share one switch.
type drawer struct {
	pulses [2]int    // times each coil was driven
	open   bool      // one of them is out
	stuck  bool      // locked or blocked
	moves  time.Time // when a pulse will have opened it; zero: none
}

// kick drives a coil, 1 or 2, if the printer may.
func (m *machine) kick(number int) {
	m.drawer.pulses[number-1]++
	if m.model.Drawer != NoDrawer && !m.drawer.stuck && !m.drawer.open {
		m.drawer.moves = m.now.Add(drawerTime)
	}
}

// move opens the drawer when its time has come.
func (d *drawer) move(now time.Time) {
	if d.moves.IsZero() || now.Before(d.moves) {
		return
	}
	d.moves = time.Time{}
	d.open = d.open || !d.stuck
}

// pin is the level of the switch.
func (m *machine) pin() bool {
	switch m.model.Drawer {
	case DrawerHigh, "":
		return m.drawer.open
	case DrawerLow:
		return !m.drawer.open
	}
	return false
}
