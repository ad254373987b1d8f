package locker

import "time"

// Play lets a locker take bytes without a cable, and counts its answers' bytes.
func Play(in []byte, dialect string) int {
	l, err := newLocker(Options{Dialect: dialect})
	if err != nil {
		return 0
	}
	return len(l.machine.Step(time.Unix(0, 0), in))
}
