package locker

import "time"

// dialect is how boards of one make speak.
type dialect struct {
	bytes  int // of a question
	locks  int // on a board, at most
	parse  func(frame []byte) (command, bool)
	answer func(m *machine, b *board, c command, now time.Time) []byte
}

var dialects = map[string]dialect{
	CU16:    {5, 16, parseCU16, answerCU16},
	CU48:    {6, 48, parseCU48, answerCU48},
	Board24: {5, 24, parseBoard24, answerBoard24},
}

func total(b []byte) (t byte) {
	for _, x := range b {
		t += x
	}
	return t
}

// parseCU16 takes 02, board and lock, command, 03, total.
func parseCU16(f []byte) (command, bool) {
	if f[0] != 0x02 || f[3] != 0x03 || total(f[:4]) != f[4] {
		return command{}, false
	}
	c := command{board: int(f[1] >> 4)}
	switch f[2] {
	case 0x30:
	case 0x31:
		c.lock, c.pulse = int(f[1]&15)+1, true
	case 0x33: // all doors of a board
		c.pulse = true
	default:
		return command{}, false
	}
	return c, true
}

func answerCU16(m *machine, b *board, c command, now time.Time) []byte {
	if c.pulse {
		return nil
	}
	closed, items := m.bits(b, now)
	a := []byte{0x02, byte(b.address << 4), 0x35, byte(closed), byte(closed >> 8)}
	if m.legacy {
		a = append(a, 0x03, 0, 0)
	} else {
		a = append(a, byte(items), byte(items>>8), 0x03)
	}
	return append(a, total(a))
}

// parseCU48 takes 02, board, lock from 0, command, 03, total.
func parseCU48(f []byte) (command, bool) {
	if f[0] != 0x02 || f[4] != 0x03 || total(f[:5]) != f[5] {
		return command{}, false
	}
	switch f[3] {
	case 0x60:
		return command{board: int(f[1])}, true
	case 0x61:
		return command{board: int(f[1]), lock: int(f[2]) + 1, pulse: true}, true
	}
	return command{}, false
}

func answerCU48(m *machine, b *board, c command, now time.Time) []byte {
	if c.pulse {
		a := []byte{0x02, byte(b.address), byte(c.lock - 1), 0x75, 0x00}
		return append(a, total(a))
	}
	closed, _ := m.bits(b, now)
	a := []byte{0x02, byte(b.address), 0, 0x75, 0x06}
	for i := range 6 {
		a = append(a, byte(closed>>(8*i)))
	}
	return append(a, total(a))
}

// parseBoard24 takes head, board, lock, value, and their exclusive or.
func parseBoard24(f []byte) (command, bool) {
	if f[0]^f[1]^f[2]^f[3] != f[4] {
		return command{}, false
	}
	c := command{board: int(f[1]), lock: int(f[2])}
	switch {
	case f[0] == 0x8a && f[3] == 0x11:
		c.pulse = true
	case f[0] == 0x80 && f[3] == 0x33:
	default:
		return command{}, false
	}
	return c, true
}

func answerBoard24(m *machine, b *board, c command, now time.Time) []byte {
	if c.lock == 0 {
		closed, _ := m.bits(b, now)
		a := []byte{0x80, byte(b.address), byte(closed >> 16), byte(closed >> 8), byte(closed), 0x33}
		return append(a, a[0]^a[1]^a[2]^a[3]^a[4]^a[5])
	}
	head, state := byte(0x80), byte(0x00)
	if m.sensed(&b.doors[c.lock-1], now) {
		state = 0x11
	}
	if c.pulse {
		head = 0x8a
	}
	a := []byte{head, byte(b.address), byte(c.lock), state}
	return append(a, a[0]^a[1]^a[2]^a[3])
}
