package printer

import (
	"bytes"
	"time"
)

// clearCommand is DLE DC4 8, which works in front of the buffer.
const clearCommand = "\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"

// realTimeESC obeys a real-time command that the last byte completed.
func realTimeESC(m *machine) {
	t := m.tail
	n := len(t)
	switch {
	case n >= 3 && t[n-3] == dle && t[n-2] == 0x04:
		if m.answerStatus(t[n-1]) {
			m.tail = m.tail[:0]
		}
	case n >= 3 && t[n-3] == dle && t[n-2] == 0x05:
		m.recover(t[n-1])
	case n >= 4 && bytes.Equal(t[n-4:], []byte{dle, 0x14, 7, 1}):
		m.say(m.statusESC()...)
	case n >= 5 && t[n-5] == dle && t[n-4] == 0x14 && t[n-3] == 1 && t[n-2] <= 1:
		if t[n-1] >= 1 && t[n-1] <= 8 && !m.offline() {
			m.kick(1+int(t[n-2]), time.Duration(t[n-1])*realTimeUnit,
				time.Duration(t[n-1])*realTimeUnit)
		}
	case n == len(clearCommand) && string(t) == clearCommand:
		m.clear()
		if !m.model.NoProcessID {
			m.say(0x37, 0x25, 0)
		}
	}
}

// recover is DLE ENQ after an error: 2 drops what was sent. What caused the
// error must be gone before the printer goes on, so 1 changes nothing here.
func (m *machine) recover(n byte) {
	if m.offline() && n == 2 {
		m.clear()
	}
}

func (m *machine) say(b ...byte) {
	if !m.model.Mute {
		m.out = append(m.out, b...)
	}
}

// answerStatus answers DLE EOT n; every answer has bits 1 and 4 set.
func (m *machine) answerStatus(n byte) bool {
	answer := byte(0x12)
	switch n {
	case 1:
		answer |= bit(m.pin(), 0x04) | bit(m.offline(), 0x08) | bit(m.jammed, 0x20) | bit(m.feeding,
			0x40)
	case 2:
		answer |= bit(m.cover, 0x04) | bit(m.feeding, 0x08) | bit(m.paperOut,
			0x20) | bit(m.failed(), 0x40)
	case 3:
		answer |= bit(m.stalled, 0x04) | bit(m.jammed, 0x08) | bit(m.broken, 0x20) | bit(m.hot,
			0x40)
	case 4:
		answer |= bit(m.paperLow || m.paperOut && !m.model.NoNearEnd, 0x0c) | bit(m.paperOut, 0x60)
	default:
		return false
	}
	m.say(answer)
	return true
}

// failed is an error that is neither cover nor paper.
func (m *machine) failed() bool { return m.jammed || m.stalled || m.broken || m.hot }

func bit(on bool, mask byte) byte {
	if on {
		return mask
	}
	return 0
}

// statusESC is the four bytes of automatic status back.
func (m *machine) statusESC() []byte {
	return []byte{
		0x10 | bit(m.pin(), 0x04) | bit(m.offline(), 0x08) | bit(m.cover, 0x20) | bit(m.feeding,
			0x40),
		bit(m.jammed, 0x01) | bit(m.feeding, 0x02) | bit(m.stalled, 0x04) | bit(m.jammed, 0x08) |
			bit(m.broken, 0x20) | bit(m.hot, 0x40),
		bit(m.paperLow || m.paperOut && !m.model.NoNearEnd, 0x03) | bit(m.paperOut, 0x0c),
		0x0f,
	}
}

// watched are the bits of the automatic status that GS a names.
func (m *machine) watched(status []byte) []byte {
	var mask [4]byte
	if m.auto&0x01 != 0 {
		mask[0] |= 0x04
	}
	if m.auto&0x02 != 0 {
		mask[0] |= 0x68
	}
	if m.auto&0x04 != 0 {
		mask[1] |= 0x6d
	}
	if m.auto&0x08 != 0 {
		mask[2] |= 0x0f
	}
	if m.auto&0x40 != 0 {
		mask[1] |= 0x02
	}
	seen := make([]byte, len(mask))
	for i := range mask {
		seen[i] = status[i] & mask[i]
	}
	return seen
}

// tellESC sends the automatic status if it is on and what it watches changed.
func tellESC(m *machine) {
	if m.auto == 0 {
		return
	}
	status := m.statusESC()
	if seen := m.watched(status); !bytes.Equal(seen, m.told) {
		m.told = seen
		m.say(status...)
	}
}

// enableStatus is GS a n; it tells the status at once.
func (m *machine) enableStatus(n byte) {
	m.auto = n
	if n != 0 {
		status := m.statusESC()
		m.told = m.watched(status)
		m.say(status...)
	}
}

// transmit is GS r n, answered in its turn among the print data.
func (m *machine) transmit(n byte) {
	if m.model.NoSensor {
		return
	}
	switch n {
	case 1, '1':
		m.say(bit(m.paperLow, 0x03) | bit(m.paperOut, 0x0c))
	case 2, '2':
		m.say(bit(m.pin(), 0x01))
	}
}

// identify is GS I n.
func (m *machine) identify(n byte) {
	name := m.model.Name
	if name == "" {
		name = "RP-80"
	}
	texts := map[byte]string{65: "1.00 SIM", 66: "SIMULATED", 67: name, 68: "SIM0001", 69: ""}
	switch n {
	case 1, '1':
		m.say(0x20)
	case 2, '2':
		m.say(bit(!m.model.NoCutter, 0x02))
	case 3, '3':
		m.say(0x01)
	default:
		if text, ok := texts[n]; ok {
			m.say([]byte("\x5f" + text + "\x00")...)
		}
	}
}

// process is GS ( H: the answer says that everything before it was printed.
func (m *machine) process(cmd []byte) {
	if m.model.NoProcessID || len(cmd) != 11 || cmd[5] != '0' || cmd[6] != '0' {
		return
	}
	m.say(append([]byte{0x37, 0x22}, append(cmd[7:], 0)...)...)
}
