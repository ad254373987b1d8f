package printer

import "time"

// drawer is the cash drawers on the printer's cable. They share one switch.
type drawer struct {
	pulses [2]int           // times each coil was driven
	on     [2]time.Duration // how long at the last pulse
	off    [2]time.Duration // and the pause that must follow
	open   bool             // one of them is out
	stuck  bool             // locked or blocked
	moves  time.Time        // when a pulse will have opened it; zero: none
}

// kick drives a coil, 1 or 2.
func (m *machine) kick(number int, on, off time.Duration) {
	m.drawer.pulses[number-1]++
	m.drawer.on[number-1], m.drawer.off[number-1] = on, max(on, off)
	if m.model.Drawer != NoDrawer && !m.drawer.stuck && !m.drawer.open {
		m.drawer.moves = m.now.Add(drawerTime)
	}
}

// Units of the times of a pulse.
const (
	pulseUnit     = 2 * time.Millisecond   // ESC p
	realTimeUnit  = 100 * time.Millisecond // DLE DC4 1
	starPulseUnit = 10 * time.Millisecond  // ESC BEL
)

// kickESC is ESC p m t1 t2.
func (m *machine) kickESC(cmd []byte) {
	m.kick(1+int(low(cmd[2])&1), time.Duration(cmd[3])*pulseUnit, time.Duration(cmd[4])*pulseUnit)
}

// kickStar is BEL and the others, as long as ESC BEL said.
func (m *machine) kickStar(number int) { m.kick(number, m.set.pulseOn, m.set.pulseOff) }

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
