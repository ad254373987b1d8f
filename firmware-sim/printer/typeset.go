package printer

import (
	"strings"
	"time"
)

// settings are what commands change and ESC @ restores.
type settings struct {
	font               int // index of faces
	bold, double       bool
	underline          int // dots
	reverse, upside    bool
	turned             bool // by 90 degrees
	wide, tall         int
	gap                int // dots right of each character
	page, country      byte
	align              byte
	spacing            int // dot rows per line
	margin, area       int // dots
	unitY              int // vertical motion units per inch; 0: dots
	tabs               []int
	barHeight, barDots int
	hri, hriFont       int
	deselected         bool
	pulseOn, pulseOff  time.Duration // of Star's drawers
}

func defaults(dots int) settings {
	s := settings{wide: 1, tall: 1, spacing: 30, area: dots, barHeight: 162, barDots: 3}
	for column := 8; column < 48; column += 8 {
		s.tabs = append(s.tabs, column)
	}
	return s
}

// glyph is something that stands in the line buffer.
type glyph struct {
	x       int
	picture *bitmap
	char    rune // 0 for a bit image
	columns int  // width in characters of normal size
}

// end is where the next glyph of the line goes.
func (m *machine) end() int {
	if len(m.line) == 0 {
		return 0
	}
	last := m.line[len(m.line)-1]
	return last.x + last.picture.width
}

// character adds a character to the line, which wraps at the print area.
func (m *machine) character(b byte) {
	char := m.decode(b)
	m.strip.logText(char)
	f := m.faces[m.set.font]
	rows, ok := f.rows[char]
	if !ok || char == '\uFFFD' {
		rows = f.rows['?']
		m.strip.warn("NO_GLYPH for byte " + hexBytes([]byte{b}))
	}
	picture := m.drawn(f, rows)
	if len(m.line) > 0 && m.end()+picture.width > m.set.area {
		m.printLine(m.set.spacing)
	}
	m.line = append(m.line, glyph{m.end(), picture, char, m.set.wide})
}

// drawn is a glyph with the style of the moment.
func (m *machine) drawn(f face, rows []uint16) *bitmap {
	cell := newBitmap(f.width, f.height)
	for y, row := range rows {
		for x := range f.width {
			if row&(0x8000>>x) == 0 {
				continue
			}
			cell.set(x, y)
			if m.set.bold || m.set.double {
				cell.set(x+1, y)
			}
		}
	}
	if m.set.turned {
		cell = cell.quarterTurned()
	}
	cell = cell.scaled(m.set.wide, m.set.tall)
	if gap := m.set.gap * m.set.wide; gap > 0 {
		wider := newBitmap(cell.width+gap, cell.height)
		wider.put(cell, 0, 0)
		cell = wider
	}
	if m.set.reverse {
		return cell.inverted()
	}
	cell.fill(0, cell.height-m.set.underline, cell.width, m.set.underline)
	return cell
}

// moveTo sets where the next character of the line goes.
func (m *machine) moveTo(x int) {
	if x >= 0 && x < m.set.area {
		m.line = append(m.line, glyph{x: x, picture: newBitmap(0, 1)})
	}
}

func (m *machine) tab() {
	cell := m.faces[m.set.font].width + m.set.gap
	for _, column := range m.set.tabs {
		if column*cell > m.end() {
			m.moveTo(column * cell)
			return
		}
	}
}

// printLine prints the line buffer and feeds at least the given rows in all.
func (m *machine) printLine(rows int) {
	width, height := 0, 0
	for _, g := range m.line {
		width, height = max(width, g.x+g.picture.width), max(height, g.picture.height)
	}
	if len(m.line) == 0 {
		m.strip.say("")
		m.strip.feed(rows)
		return
	}
	content := newBitmap(width, height)
	for _, g := range m.line {
		content.put(g.picture, g.x, height-g.picture.height)
	}
	m.place(content, m.transcript())
	m.line = nil
	m.strip.feed(max(0, rows-height))
}

// place prints a picture in the print area, aligned.
func (m *machine) place(content *bitmap, text string) {
	x := 0
	switch m.set.align {
	case 1:
		x = (m.set.area - content.width) / 2
	case 2:
		x = m.set.area - content.width
	}
	across := newBitmap(m.set.area, content.height)
	across.put(content, max(0, x), 0)
	if m.set.upside {
		across = across.turned()
	}
	full := newBitmap(m.strip.width, content.height)
	full.put(across, m.set.margin, 0)
	indent := (m.set.margin + max(0, x)) / m.faces[0].width
	m.strip.say(strings.TrimRight(strings.Repeat(" ", indent)+text, " "))
	m.strip.burn(full)
}

// transcript is the line as text, with a column for every 12 dots. Characters
// that touch stay together in it even if they are wide.
func (m *machine) transcript() string {
	var b strings.Builder
	column, end := 0, -1
	for _, g := range m.line {
		if g.x != end {
			for ; column < g.x/m.faces[0].width; column++ {
				b.WriteByte(' ')
			}
		}
		end = g.x + g.picture.width
		switch {
		case g.char == ' ':
			b.WriteString(strings.Repeat(" ", g.columns))
			column += g.columns
		case g.char != 0:
			b.WriteRune(g.char)
			column++
		case g.picture.width > 0:
			b.WriteString("[image]")
			column += len("[image]")
		}
	}
	return b.String()
}
