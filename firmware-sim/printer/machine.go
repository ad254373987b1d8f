package printer

import "time"

const (
	bufferSize = 65536   // bytes of the receive buffer, as with USB and TCP models
	maxFrame   = 1 << 20 // bytes of one command; longer ones are skipped, not stored
	perMM      = 8       // dot rows, 203 dpi
)

// machine is the firmware: bytes in, answers and paper out. It has no clock
// and no I/O of its own.
type machine struct {
	faces [2]face
	strip *strip
	speed int // mm of paper per second; 0 is at once

	queue  []byte // receive buffer
	tail   []byte // last bytes received, where real-time commands are found
	frame  []byte // the command that is being collected
	length int    // of the command in frame; 0 if not known yet
	skip   int    // bytes left of a command too long to store
	busy   time.Time

	paperOut, paperLow, cover bool
	paperLeft                 int // dot rows until paper out; 0 is a whole roll
	unknown                   int // commands that no manual names
	pulses                    int // of the drawer's coil

	set   settings
	line  []glyph
	qr    qrSettings
	image *bitmap // stored by GS ( L
	auto  byte    // GS a
	told  [4]byte // last automatic status
	out   []byte
	cuts  []sheet
}

func newMachine(faces [2]face, dots, speed int) *machine {
	m := &machine{faces: faces, strip: newStrip(dots), speed: speed}
	m.powerUp()
	return m
}

// powerUp forgets everything but paper and faults.
func (m *machine) powerUp() {
	m.clear()
	m.tail, m.out, m.busy = nil, nil, time.Time{}
	m.initialize()
}

// initialize is ESC @.
func (m *machine) initialize() {
	m.set = defaults(m.strip.width)
	m.line = nil
	m.qr = qrSettings{module: 3, level: '0'}
	m.image = nil
	m.auto = 0
}

// clear empties the receive buffer and the line that is being collected.
func (m *machine) clear() {
	m.queue, m.frame, m.line = nil, nil, nil
	m.length, m.skip = 0, 0
}

func (m *machine) free() int { return bufferSize - len(m.queue) }

func (m *machine) offline() bool { return m.paperOut || m.cover }

// receive takes bytes from the line. Real-time commands work here, in front of
// the buffer, also when they stand in data and while the printer is offline.
func (m *machine) receive(in []byte) {
	for _, b := range in {
		m.queue = append(m.queue, b)
		m.tail = append(m.tail, b)
		if len(m.tail) > len(clearCommand) {
			m.tail = m.tail[1:]
		}
		m.realTime()
	}
}

// step works on the buffer until it is empty or the printer must wait.
func (m *machine) step(now time.Time) {
	m.tellStatus()
	done := 0
	for done < len(m.queue) && !m.offline() && !now.Before(m.busy) {
		m.take(m.queue[done], now)
		done++
	}
	m.queue = append(m.queue[:0], m.queue[min(done, len(m.queue)):]...)
	m.tellStatus()
}

// wake is when step has something to do again without new bytes.
func (m *machine) wake() (time.Time, bool) {
	return m.busy, len(m.queue) > 0 && !m.offline()
}

// take lets one byte out of the buffer.
func (m *machine) take(b byte, now time.Time) {
	if m.skip > 0 {
		m.skip--
		return
	}
	m.frame = append(m.frame, b)
	if m.length == 0 {
		length, known := frameLength(m.frame)
		if !known {
			m.unknown++
			m.strip.warn("unknown command " + hexBytes(m.frame))
			m.frame = nil
			return
		}
		m.length = length
	}
	switch {
	case m.length > maxFrame || len(m.frame) > maxFrame:
		m.strip.warn("command is too long: " + hexBytes(m.frame[:2]))
		m.skip = max(0, m.length-len(m.frame))
		m.frame, m.length = nil, 0
	case m.length == len(m.frame):
		frame := m.frame
		m.frame, m.length = nil, 0
		before := len(m.strip.rows)
		m.execute(frame)
		m.wear(len(m.strip.rows)-before, now)
	}
}

// wear counts the paper that a command moved, and the time it took.
func (m *machine) wear(rows int, now time.Time) {
	if rows <= 0 {
		return
	}
	if m.speed > 0 {
		m.busy = now.Add(time.Duration(rows) * time.Second / time.Duration(m.speed*perMM))
	}
	if m.paperLeft > 0 {
		m.paperLeft = max(0, m.paperLeft-rows)
		m.paperOut = m.paperOut || m.paperLeft == 0
	}
	if len(m.strip.rows) > maxStrip {
		m.strip.warn("no cut in 5 m: torn off")
		m.cut()
	}
}

func (m *machine) cut() {
	if piece, inked := m.strip.cut(); inked {
		m.cuts = append(m.cuts, piece)
	}
}

func hexBytes(b []byte) string {
	const digits = "0123456789ABCDEF"
	text := make([]byte, 0, 3*len(b))
	for i, c := range b {
		if i > 0 {
			text = append(text, ' ')
		}
		text = append(text, digits[c>>4], digits[c&15])
	}
	return string(text)
}
