package printer

import (
	"bytes"
	"strings"
)

// mostTimesStar is how large characters of a Star printer can be.
const mostTimesStar = 6

func (m *machine) timesStar(wide, tall byte) {
	m.set.wide, m.set.tall = min(mostTimesStar, 1+int(wide)), min(mostTimesStar, 1+int(tall))
}

func (m *machine) turn(upside bool) {
	if len(m.line) == 0 {
		m.set.upside = upside
	}
}

// cutStar is ESC d n: 0 whole, 1 partly; 2 and 3 the same behind the last line.
func (m *machine) cutStar(cmd []byte) {
	if len(m.line) > 0 {
		m.printLine(m.set.spacing)
	}
	n := low(cmd[2])
	if n >= 2 {
		m.strip.feed(headToKnife)
	}
	m.cut(knifeMove(n & 1))
}

// layoutStar is ESC l and ESC Q, margins in columns of the font.
func (m *machine) layoutStar(which, columns byte) {
	if len(m.line) > 0 {
		return
	}
	dots := int(columns) * (m.faces[m.set.font].width + m.set.gap)
	if which == 'L' {
		right := m.set.margin + m.set.area
		m.set.margin = min(dots, m.strip.width-1)
		m.set.area = max(1, right-m.set.margin)
		return
	}
	m.set.area = max(1, min(dots, m.strip.width)-m.set.margin)
}

// starSymbologies are n1 of ESC b.
var starSymbologies = [...]byte{upcE, upcA, ean8, ean13, code39m, itf, code128m, code93m, codabarm,
	gs1128,
	75, 76, 77, 78}

// barcodeStar is ESC b n1 n2 n3 n4 data RS.
func (m *machine) barcodeStar(cmd []byte) {
	n1, n2, n3, data := low(cmd[2]), low(cmd[3]), low(cmd[4]), string(cmd[6:len(cmd)-1])
	if int(n1) >= len(starSymbologies) {
		m.strip.warn("BARCODE_INVALID kind " + hexBytes(cmd[2:3]))
		return
	}
	kind := starSymbologies[n1]
	m.set.barDots, m.set.barHeight, m.set.hri, m.set.hriFont = starModule(kind, n3), max(1,
		int(cmd[5])), 0, 0
	if n2 == 2 || n2 == 4 {
		m.set.hri = 2
	}
	if kind == code128m {
		m.printBars(starCode128(data))
	} else {
		m.printBars(linear(kind, data))
	}
	if n2 <= 2 {
		m.strip.feed(m.set.spacing)
	}
}

// starModule is n3 in dots. ITF, Code 39 and Codabar have modes of their own.
func starModule(kind, n3 byte) int {
	modes := map[byte]int{1: 2, 2: 3, 3: 4}
	switch kind {
	case itf:
		modes = map[byte]int{1: 2, 8: 3, 2: 4, 3: 3}
	case code39m, codabarm:
		modes = map[byte]int{1: 2, 2: 3, 3: 4, 4: 2, 5: 3, 6: 4}
	}
	if dots, ok := modes[n3]; ok {
		return dots
	}
	return 3
}

// starCode128 reads Star's escapes: %0 is a percent sign, %1 to %4 are
// functions, %5 is DEL, and %A to %_ the control codes.
func starCode128(data string) (bars, error) {
	var plain strings.Builder
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case b == '{':
			plain.WriteString("{{")
		case b != '%' || i+1 == len(data):
			plain.WriteByte(b)
		default:
			i++
			plain.WriteString(starEscape(data[i]))
		}
	}
	return code128Bars("{B" + plain.String())
}

func starEscape(b byte) string {
	switch {
	case b == '0':
		return "%"
	case b == '1':
		return "{1"
	case b == '5':
		return "\x7f"
	case b >= '@' && b <= '_':
		return string(rune(b - '@'))
	}
	return ""
}

// realTimeStar answers ESC ACK SOH in front of the buffer.
func realTimeStar(m *machine) {
	if t := m.tail; len(t) >= 3 && bytes.Equal(t[len(t)-3:], []byte{esc, 0x06, 0x01}) {
		m.say(m.statusStar()...)
	}
}

// fiveBits spreads a number over a byte so that it is neither XON nor XOFF.
func fiveBits(n int) byte { return byte(n&0x18<<2 | n&0x07<<1) }

const (
	starStatusBytes = 9
	starVersion     = 0x06
	starBlocks      = 32
)

// statusStar is the automatic status: its first byte says its length.
func (m *machine) statusStar() []byte {
	return []byte{
		0x01 | fiveBits(starStatusBytes), starVersion,
		bit(m.pin(), 0x04) | bit(m.offline(), 0x08) | bit(m.cover, 0x20) | bit(m.feeding, 0x40),
		bit(m.stalled, 0x04) | bit(m.jammed, 0x08) | bit(m.broken, 0x20) | bit(m.hot, 0x40),
		0,
		bit(m.paperLow || m.paperOut && !m.model.NoNearEnd, 0x04) | bit(m.paperOut, 0x08),
		0, fiveBits(m.blocks), 0,
	}
}

// tellStar sends the automatic status if it is on and changed.
func tellStar(m *machine) {
	if m.auto == 0 {
		return
	}
	if status := m.statusStar(); !bytes.Equal(status, m.told) {
		m.told = status
		m.say(status...)
	}
}

// enableStar is ESC RS a n; it tells the status at once.
func (m *machine) enableStar(n byte) {
	m.auto = n
	if n != 0 {
		m.told = m.statusStar()
		m.say(m.told...)
	}
}

// endBlock is ETB: the new count goes out with the automatic status.
func (m *machine) endBlock() {
	m.blocks = (m.blocks + 1) % starBlocks
	m.told = m.statusStar()
	m.say(m.told...)
}

// answerGroup is ESC GS ETX s n1 n2.
func (m *machine) answerGroup(cmd []byte) {
	if m.model.NoProcessID {
		return
	}
	m.say(0x1b, 0x1d, 0x03, cmd[3], cmd[4], cmd[5], fiveBits(m.blocks), 0)
}
