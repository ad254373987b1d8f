package labelprinter

import (
	"time"

	"holdfast.dev/firmware-sim/paint"
)

// Play lets a printer of small labels take bytes without a cable.
func Play(in []byte) []Label {
	font, err := paint.LoadFont()
	if err != nil {
		return nil
	}
	m := newMachine(font, 0)
	m.set.width, m.set.length = 300, 100
	m.Step(time.Unix(0, 0), in)
	return m.printed
}
