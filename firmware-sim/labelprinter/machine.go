package labelprinter

import (
	"bytes"
	"fmt"
	"time"

	"holdfast.dev/firmware-sim/paint"
)

const (
	perMM       = 8       // dots, 203 dpi
	maxFormats  = 50      // that may wait; then the buffer is full
	maxCommand  = 8 << 10 // bytes of one command; longer ones are forgotten
	boots       = 3 * time.Second
	maxPrinted  = 200 // labels that are remembered
	maxBatch    = 999 // copies
	defaultWide = 832 // dots of the print head
	defaultLong = 600
	largestSide = 2400
)

// machine is the firmware with its roll of labels.
type machine struct {
	font  *paint.Font
	speed int // mm of labels per second; 0 is at once

	raw      []byte // since the last command
	set      settings
	format   *format // being received; nil between labels
	queue    []batch
	current  time.Time // when the label that is being printed will be out; zero: none is
	unknown  int       // commands that no manual names, or that are not drawn
	spoiled  int       // labels that were half printed when something failed
	printed  []Label
	count    int
	switched bool
	booted   time.Time

	mediaOut, ribbonOut, headOpen, paused bool
	// chatty answers ~HS also when labels are out or the head is open.
	chatty bool
}

// batch is a format with the copies that are left.
type batch struct {
	label Label
	left  int
}

func newMachine(font *paint.Font, speed int) *machine {
	m := &machine{font: font, speed: speed, switched: true}
	m.reset()
	return m
}

// reset forgets all but the paper, as switching it off does.
func (m *machine) reset() {
	m.raw, m.format, m.queue, m.current = nil, nil, nil, time.Time{}
	m.set = settings{width: defaultWide, length: defaultLong, module: 2, barHeight: 10, fontHeight: 20}
}

func (m *machine) stopped() bool {
	return m.mediaOut || m.ribbonOut || m.headOpen || m.paused || !m.switched
}

// Step takes what came in and prints what is due.
func (m *machine) Step(now time.Time, in []byte) (out []byte) {
	m.print(now)
	if !m.switched || now.Before(m.booted) {
		return nil
	}
	for _, b := range in {
		out = append(out, m.take(b, now)...)
	}
	m.print(now)
	return out
}

// Wake is when the label in the printer will be out.
func (m *machine) Wake() time.Time { return m.current }

// print moves the labels that are due by now out of the printer.
func (m *machine) print(now time.Time) {
	for {
		if m.stopped() {
			if !m.current.IsZero() {
				m.spoiled++ // it is printed again, in whole
				m.current = time.Time{}
			}
			return
		}
		if !m.current.IsZero() {
			if now.Before(m.current) {
				return
			}
			m.eject(m.current)
			m.current = time.Time{}
		}
		if len(m.queue) == 0 {
			return
		}
		m.current = now.Add(m.takes(m.queue[0].label))
	}
}

// takes is how long a label takes to print.
func (m *machine) takes(l Label) time.Duration {
	if m.speed == 0 {
		return 0
	}
	return time.Duration(l.Height) * time.Second / time.Duration(m.speed*perMM)
}

func (m *machine) eject(at time.Time) {
	first := &m.queue[0]
	m.count++
	label := first.label
	label.Number, label.At = m.count, at
	m.printed = append(m.printed, label)
	m.printed = m.printed[max(0, len(m.printed)-maxPrinted):]
	if first.left--; first.left == 0 {
		m.queue = m.queue[1:]
	}
}

// take collects commands: ~ and two letters act at once, ^ ends with the next
// command, ^XZ by itself.
func (m *machine) take(b byte, now time.Time) []byte {
	starts := b == '^' || b == '~'
	if starts && len(m.raw) > 0 {
		m.execute(m.raw, now)
		m.raw = m.raw[:0]
	}
	if len(m.raw) == 0 && !starts {
		return nil // between commands, such as the end of a line
	}
	m.raw = append(m.raw, b)
	if len(m.raw) > maxCommand {
		m.unknown++
		m.raw = m.raw[:0]
		return nil
	}
	if len(m.raw) != 3 {
		return nil
	}
	switch {
	case m.raw[0] == '~':
		command := string(m.raw[1:])
		m.raw = m.raw[:0]
		return m.immediate(command)
	case string(m.raw) == "^XZ":
		m.raw = m.raw[:0]
		m.endFormat()
		m.print(now)
	}
	return nil
}

// immediate obeys the commands that act when they come in.
func (m *machine) immediate(command string) []byte {
	switch command {
	case "HS":
		if !m.chatty && (m.mediaOut || m.ribbonOut || m.headOpen) {
			return nil
		}
		return m.hostStatus()
	case "HI":
		return []byte("\x02SIM203,V1.0,8,8192KB\x03\r\n")
	case "JA":
		m.queue, m.current, m.format = nil, time.Time{}, nil
	case "PS":
		m.paused = false
	case "PP":
		m.paused = true
	default:
		m.unknown++
	}
	return nil
}

func (m *machine) hostStatus() []byte {
	left, waiting := 0, len(m.queue)
	if !m.current.IsZero() {
		left, waiting = m.queue[0].left, waiting-1
	}
	flag := func(on bool) int {
		if on {
			return 1
		}
		return 0
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "\x02030,%d,%d,%04d,%03d,%d,0,%d,000,0,0,0\x03\r\n", flag(m.mediaOut),
		flag(m.paused), m.set.length, waiting, flag(len(m.queue) >= maxFormats), flag(m.format != nil))
	fmt.Fprintf(&out, "\x02001,0,%d,%d,0,2,4,0,%08d,1,000\x03\r\n", flag(m.headOpen),
		flag(m.ribbonOut), left)
	out.WriteString("\x021234,0\x03\r\n")
	return out.Bytes()
}

func (m *machine) endFormat() {
	f := m.format
	m.format = nil
	if f == nil || len(m.queue) >= maxFormats {
		m.unknown++
		return
	}
	m.queue = append(m.queue, batch{f.label(), f.copies})
}
