package printer

import "time"

const (
	bufferSize = 65536   // bytes of the receive buffer, as with USB and TCP models
	maxFrame   = 1 << 20 // bytes of one command; longer ones are skipped, not stored
	perMM      = 8       // dot rows, 203 dpi
	dpi        = 203
	drawerTime = 80 * time.Millisecond // from the pulse until the drawer is out
)

// machine is the firmware: bytes in, answers and paper out. It has no clock
// and no I/O of its own.
type machine struct {
	faces [2]face
	strip *strip
	lang  *language
	model Model
	speed int // mm of paper per second; 0 is at once
	size  int // bytes of the receive buffer

	queue  []byte // receive buffer
	tail   []byte // last bytes received, where real-time commands are found
	frame  []byte // the command that is being collected
	length int    // of the command in frame; 0 if not known yet
	skip   int    // bytes left of a command too long to store
	busy   time.Time
	now    time.Time
	held   bool // the host was told to wait

	troubles
	paperLeft int // dot rows until paper out; 0 is a whole roll
	unknown   int // commands that no manual names
	lost      int // bytes that found no room
	drawer    drawer

	set     settings
	line    []glyph
	symbols map[byte]*symbolSettings // of GS ( k and ESC GS y, by cn
	image   *bitmap                  // stored by GS ( L
	stored  map[string]*bitmap       // by GS * and FS q; stays when ESC @ comes
	macros  [][]byte                 // what GS : recorded
	record  bool
	running bool   // a macro
	auto    byte   // GS a, or ESC RS a
	told    []byte // last automatic status
	blocks  int    // ETB counted
	out     []byte
	cuts    []sheet
	severed int       // times the knife went through
	knife   knifeMove // the last time
}

// knifeMove is how far the knife goes.
type knifeMove uint8

// Moves of the knife, as Star numbers them.
const (
	fullCut knifeMove = iota
	partialCut
)

// troubles are what a person, or chance, did to the printer.
type troubles struct {
	paperOut, paperLow, cover bool
	jam                       bool // something blocks the knife
	jammed                    bool // and a cut met it
	stalled                   bool // the motor is blocked
	hot                       bool // the head must cool
	broken                    bool // until power off
	feeding                   bool // the button is held
}

func newMachine(faces [2]face, dots, speed int) *machine {
	m := &machine{faces: faces, strip: newStrip(dots), lang: escposLanguage, speed: speed,
		size:   bufferSize,
		stored: make(map[string]*bitmap)}
	m.powerUp()
	return m
}

// powerUp forgets everything but paper and faults.
func (m *machine) powerUp() {
	m.clear()
	m.tail, m.out, m.busy, m.held = nil, nil, time.Time{}, false
	m.broken, m.blocks = false, 0
	m.macros, m.record, m.auto = nil, false, 0
	m.initialize()
}

// initialize is ESC @.
func (m *machine) initialize() {
	page := m.set.page
	m.set = defaults(m.strip.width)
	if m.model.KeepPage {
		m.set.page = page
	}
	m.line = nil
	m.symbols = make(map[byte]*symbolSettings)
	m.image = nil
	m.auto = 0
	if m.lang.reset != nil {
		m.lang.reset(m)
	}
}

// clear empties the receive buffer and the line that is being collected.
func (m *machine) clear() {
	m.queue, m.frame, m.line = nil, nil, nil
	m.length, m.skip = 0, 0
}

func (m *machine) free() int { return m.size - len(m.queue) }

func (m *machine) offline() bool {
	return m.paperOut || m.cover || m.failed() || m.feeding
}

// receive takes bytes from the line. Real-time commands work here, in front of
// the buffer, also when they stand in data and while the printer is offline.
func (m *machine) receive(in []byte, now time.Time) {
	m.now = now
	for _, b := range in {
		if m.free() == 0 {
			m.lost++
		} else {
			m.queue = append(m.queue, b)
		}
		m.tail = append(m.tail, b)
		if len(m.tail) > len(clearCommand) {
			m.tail = m.tail[1:]
		}
		m.lang.realTime(m)
	}
	m.flow(len(in))
}

// Thresholds of XON/XOFF: free bytes at which a host is told to wait, and to go
// on. A small buffer has small ones.
const (
	smallBuffer            = 64
	waitAt, waitAtSmall    = 128, 16
	resumeAt, resumeAtSmal = 256, 26
	xon, xoff              = 0x11, 0x13
)

// flow tells a host on a line with XON/XOFF to wait or to go on. XOFF comes
// again with every byte that arrives in spite of it.
func (m *machine) flow(came int) {
	if m.model.Flow != FlowXON {
		return
	}
	wait, resume := waitAt, resumeAt
	if m.size < smallBuffer {
		wait, resume = waitAtSmall, resumeAtSmal
	}
	switch {
	case m.free() <= wait && !m.held:
		m.held = true
		m.out = append(m.out, xoff)
	case m.free() <= wait && came > 0:
		for range came {
			m.out = append(m.out, xoff)
		}
	case m.free() >= resume && m.held:
		m.held = false
		m.out = append(m.out, xon)
	}
}

// step works on the buffer until it is empty or the printer must wait.
func (m *machine) step(now time.Time) {
	m.now = now
	m.drawer.move(now)
	m.lang.status(m)
	done := 0
	for done < len(m.queue) && !m.offline() && !now.Before(m.busy) {
		b := m.queue[done]
		done++
		m.take(b, now)
		if m.queue == nil { // a command emptied the buffer
			done = 0
		}
	}
	m.queue = append(m.queue[:0], m.queue[min(done, len(m.queue)):]...)
	m.flow(0)
	m.lang.status(m)
}

// wake is when step has something to do again without new bytes.
func (m *machine) wake() (at time.Time, waits bool) {
	if len(m.queue) > 0 && !m.offline() {
		at, waits = m.busy, true
	}
	if moves := m.drawer.moves; !moves.IsZero() && (!waits || moves.Before(at)) {
		at, waits = moves, true
	}
	return at, waits
}

// take lets one byte out of the buffer.
func (m *machine) take(b byte, now time.Time) {
	if m.skip > 0 {
		m.skip--
		return
	}
	m.frame = append(m.frame, b)
	if m.length == 0 {
		length, known := m.lang.frame(m.frame)
		if !known {
			m.unknown++
			m.strip.warn("UNKNOWN_COMMAND " + hexBytes(m.frame))
			m.strip.log(Parsed{Name: "unknown", Bytes: hexBytes(m.frame)})
			m.frame = nil
			return
		}
		m.length = length
	}
	switch {
	case m.length > maxFrame || len(m.frame) > maxFrame:
		m.strip.warn("COMMAND_TOO_LONG " + hexBytes(m.frame[:2]))
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

// execute does one whole command.
func (m *machine) execute(cmd []byte) {
	if m.set.deselected && !(len(cmd) == 3 && cmd[0] == esc && cmd[1] == '=') {
		return
	}
	if m.record && !(len(cmd) == 2 && cmd[0] == gs && cmd[1] == ':') {
		m.recordMacro(cmd)
	}
	if cmd[0] >= ' ' {
		if cmd[0] != 0x7f {
			m.character(cmd[0])
		}
		return
	}
	row, _ := m.lang.find(cmd)
	if row == nil {
		return
	}
	m.strip.log(Parsed{Name: row.name, Bytes: hexBytes(cmd), Ignored: row.do == nil})
	if row.do != nil {
		row.do(m, cmd)
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
		m.paperLow = m.paperLow || m.paperLeft < nearEnd
	}
	if len(m.strip.rows) > maxStrip {
		m.strip.warn("no cut in 5 m: torn off")
		m.sever()
	}
}

// nearEnd is how many dot rows are left when the near-end sensor sees it, 30 mm
// here; real rolls have some metres.
const nearEnd = 30 * perMM

// cut drives the knife, which something may block.
func (m *machine) cut(how knifeMove) {
	m.knife = how
	if m.jam {
		m.jammed = true
		return
	}
	m.sever()
}

func (m *machine) sever() {
	m.severed++
	if piece, inked := m.strip.cut(); inked {
		m.cuts = append(m.cuts, piece)
	}
}

// unjam takes away what blocks the knife, which then finishes its cut.
func (m *machine) unjam() {
	pending := m.jammed
	m.jam, m.jammed = false, false
	if pending {
		m.sever()
	}
}

func hexBytes(b []byte) string {
	const digits = "0123456789ABCDEF"
	const most = 24 // bytes shown
	text := make([]byte, 0, 3*len(b))
	for i, c := range b {
		if i == most {
			return string(text) + " …"
		}
		if i > 0 {
			text = append(text, ' ')
		}
		text = append(text, digits[c>>4], digits[c&15])
	}
	return string(text)
}
