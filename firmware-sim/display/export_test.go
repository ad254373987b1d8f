package display

import "time"

// Play lets a display take bytes without a cable.
func Play(in []byte, cd5220 bool) State {
	m := newMachine(cd5220)
	m.Step(time.Time{}, in)
	return m.state()
}
