package printer

import "bytes"

// clearCommand is DLE DC4 8, which works in front of the buffer.
const clearCommand = "\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"

// realTime obeys a real-time command that the last byte completed.
func (m *machine) realTime() {
	t := m.tail
	n := len(t)
	switch {
	case n >= 3 && t[n-3] == dle && t[n-2] == 0x04:
		if m.answerStatus(t[n-1]) {
			m.tail = m.tail[:0]
		}
	case n >= 3 && t[n-3] == dle && t[n-2] == 0x05 && t[n-1] == 2 && m.offline():
		m.clear()
	case n >= 4 && bytes.Equal(t[n-4:], []byte{dle, 0x14, 7, 1}):
		status := m.autoStatus()
		m.out = append(m.out, status[:]...)
	case n >= 5 && t[n-5] == dle && t[n-4] == 0x14 && t[n-3] == 1 && t[n-2] <= 1:
		if t[n-1] >= 1 && t[n-1] <= 8 && !m.offline() {
			m.pulses++
		}
	case n == len(clearCommand) && string(t) == clearCommand:
		m.clear()
		m.out = append(m.out, 0x37, 0x25, 0)
	}
}

// answerStatus answers DLE EOT n; every answer has bits 1 and 4 set.
func (m *machine) answerStatus(n byte) bool {
	answer := byte(0x12)
	switch n {
	case 1:
		answer |= bit(m.offline(), 0x08)
	case 2:
		answer |= bit(m.cover, 0x04) | bit(m.paperOut, 0x20)
	case 3:
	case 4:
		answer |= bit(m.paperLow || m.paperOut, 0x0c) | bit(m.paperOut, 0x60)
	default:
		return false
	}
	m.out = append(m.out, answer)
	return true
}

func bit(on bool, mask byte) byte {
	if on {
		return mask
	}
	return 0
}

// autoStatus is the four bytes of automatic status back.
func (m *machine) autoStatus() [4]byte {
	return [4]byte{
		0x10 | bit(m.offline(), 0x08) | bit(m.cover, 0x20),
		0,
		bit(m.paperLow || m.paperOut, 0x03) | bit(m.paperOut, 0x0c),
		0x0f,
	}
}

// tellStatus sends the automatic status if it is on and changed.
func (m *machine) tellStatus() {
	if now := m.autoStatus(); m.auto != 0 && now != m.told {
		m.told = now
		m.out = append(m.out, now[:]...)
	}
}

// enableStatus is GS a n; it tells the status at once.
func (m *machine) enableStatus(n byte) {
	m.auto = n
	if n != 0 {
		m.told = m.autoStatus()
		m.out = append(m.out, m.told[:]...)
	}
}

// transmit is GS r n, answered in its turn among the print data.
func (m *machine) transmit(n byte) {
	switch n {
	case 1, '1':
		m.out = append(m.out, bit(m.paperLow, 0x03)|bit(m.paperOut, 0x0c))
	case 2, '2':
		m.out = append(m.out, 0)
	}
}

// identify is GS I n.
func (m *machine) identify(n byte) {
	texts := map[byte]string{65: "1.00 SIM", 66: "SIMULATED", 67: "RP-80", 68: "SIM0001", 69: ""}
	switch n {
	case 1, '1':
		m.out = append(m.out, 0x20)
	case 2, '2':
		m.out = append(m.out, 0x02) // has a cutter
	case 3, '3':
		m.out = append(m.out, 0x01)
	default:
		if text, ok := texts[n]; ok {
			m.out = append(m.out, "\x5f"+text+"\x00"...)
		}
	}
}

// process is GS ( H: the answer says that everything before it was printed.
func (m *machine) process(cmd []byte) {
	if len(cmd) == 11 && cmd[5] == '0' && cmd[6] == '0' {
		m.out = append(m.out, 0x37, 0x22)
		m.out = append(m.out, cmd[7:]...)
		m.out = append(m.out, 0)
	}
}
