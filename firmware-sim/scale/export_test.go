package scale

import "time"

// Play lets a scale take bytes without a cable, and counts its answers' bytes.
func Play(in []byte, dialog bool) int {
	protocol := Toledo
	if dialog {
		protocol = Dialog06
	}
	s, err := newScale(protocol)
	if err != nil {
		return 0
	}
	said := s.machine.Step(time.Unix(0, 0), in)
	return len(said) + len(s.machine.Step(time.Unix(9, 0), parity(string(in), 1)))
}
