package display

import (
	"time"

	"golang.org/x/text/encoding/charmap"
)

// Size of the display in characters.
const (
	Columns = 20
	Rows    = 2
)

const maxString = 40 // characters that a string command of the CD5220 may bring

// mode says what happens at the end of a line.
type mode byte

const (
	overwrite  mode = 1
	vertical   mode = 2
	horizontal mode = 3
)

var pages = map[byte]*charmap.Charmap{
	0: charmap.CodePage437, 2: charmap.CodePage850, 3: charmap.CodePage860, 4: charmap.CodePage863,
	5: charmap.CodePage865, 16: charmap.Windows1252, 17: charmap.CodePage866, 18: charmap.CodePage852,
	19: charmap.CodePage858,
}

// machine is the firmware: bytes in, lamps on.
type machine struct {
	cd5220 bool

	cells      [Rows][Columns]rune
	x, y       int
	mode       mode
	page       byte
	brightness int // 1 to 4
	blink      int // unit 50 ms; 0 steady, 255 dark
	cursor     bool
	deselected bool // ESC = gave the line to a printer
	lines      bool // CD5220: a line was set, only text and clear are heard
	scrolling  string

	frame   []byte // the command that is being collected
	unknown int    // commands that no manual names
}

func newMachine(cd5220 bool) *machine {
	m := &machine{cd5220: cd5220}
	m.initialize()
	return m
}

// initialize is ESC @ and power-on.
func (m *machine) initialize() {
	m.clear()
	m.mode, m.page, m.brightness, m.blink = overwrite, 0, 4, 0
	m.cursor, m.deselected, m.lines, m.frame = true, false, false, nil
}

func (m *machine) clear() {
	for y := range m.cells {
		m.clearLine(y)
	}
	m.x, m.y, m.lines, m.scrolling = 0, 0, false, ""
}

func (m *machine) clearLine(y int) {
	for x := range m.cells[y] {
		m.cells[y][x] = ' '
	}
}

// Step takes bytes. A display says nothing.
func (m *machine) Step(_ time.Time, in []byte) []byte {
	for _, b := range in {
		m.take(b)
	}
	return nil
}

// Wake is never: a display has nothing to do by itself.
func (m *machine) Wake() time.Time { return time.Time{} }

func (m *machine) take(b byte) {
	m.frame = append(m.frame, b)
	whole, known := m.whole()
	if !known {
		m.unknown++
		m.frame = nil
		return
	}
	if whole {
		frame := m.frame
		m.frame = nil
		m.execute(frame)
	}
}

// whole tells whether the frame is a complete command, and whether it is one.
func (m *machine) whole() (whole, known bool) {
	switch first := m.frame[0]; {
	case first >= ' ':
		return true, true
	case first != 0x1b && (first != 0x1f || m.cd5220):
		_, ok := singles[first]
		return true, ok
	case len(m.frame) == 1:
		return false, true
	}
	if m.cd5220 && m.frame[1] == 'Q' {
		return m.wholeString()
	}
	lengths := epsonLengths
	if m.cd5220 {
		lengths = cdLengths
	}
	length, ok := lengths[[2]byte{m.frame[0], m.frame[1]}]
	return len(m.frame) == length, ok
}

// wholeString is ESC Q A, B or D with its text up to CR.
func (m *machine) wholeString() (whole, known bool) {
	switch n := len(m.frame); {
	case n == 2:
		return false, true
	case n == 3:
		return false, m.frame[2] == 'A' || m.frame[2] == 'B' || m.frame[2] == 'D'
	default:
		return m.frame[n-1] == '\r', n <= 4+maxString
	}
}

// singles are the commands of one byte, in both families.
var singles = map[byte]string{
	0x08: "left", 0x09: "right", 0x0a: "down", 0x0b: "home",
	0x0c: "clear", 0x0d: "start", 0x18: "line",
}

// epsonLengths and cdLengths say how long a command is, by its first two bytes.
var epsonLengths = map[[2]byte]int{
	{0x1b, '@'}: 2, {0x1b, 't'}: 3, {0x1b, 'R'}: 3, {0x1b, '='}: 3,
	{0x1f, 0x0a}: 2, {0x1f, 0x0d}: 2, {0x1f, 'B'}: 2, {0x1f, '$'}: 4, {0x1f, 'C'}: 3, {0x1f, 'E'}: 3,
	{0x1f, 'X'}: 3, {0x1f, 1}: 2, {0x1f, 2}: 2, {0x1f, 3}: 2, {0x1f, 'r'}: 3, {0x1f, '.'}: 3,
	{0x1f, ','}: 3, {0x1f, ';'}: 3, {0x1f, 'T'}: 4, {0x1f, 'U'}: 2, {0x1f, '@'}: 2,
}

var cdLengths = map[[2]byte]int{
	{0x1b, '@'}: 2, {0x1b, 0x11}: 2, {0x1b, 0x12}: 2, {0x1b, 0x13}: 2, {0x1b, 'l'}: 4, {0x1b, '['}: 3,
	{0x1b, 'W'}: 6, {0x1b, '*'}: 3, {0x1b, '_'}: 3, {0x1b, 'f'}: 3, {0x1b, 'c'}: 3, {0x1b, '='}: 3,
}

func (m *machine) execute(cmd []byte) {
	selects := len(cmd) == 3 && cmd[0] == 0x1b && cmd[1] == '='
	if m.deselected && !selects {
		return
	}
	switch {
	case cmd[0] >= ' ':
		if !m.lines {
			m.write(m.char(cmd[0]))
		}
	case len(cmd) == 1:
		m.single(cmd[0])
	case selects:
		m.deselected = cmd[2]&2 == 0
	case m.cd5220:
		m.cd(cmd)
	default:
		m.epson(cmd)
	}
}

func (m *machine) char(b byte) rune {
	if p := pages[m.page]; p != nil && b >= 0x80 {
		return p.DecodeByte(b)
	}
	return rune(b)
}

func (m *machine) single(b byte) {
	if m.lines && b != 0x0c && b != 0x18 {
		return
	}
	switch singles[b] {
	case "left":
		m.move(m.y*Columns + m.x - 1)
	case "right":
		m.move(m.y*Columns + m.x + 1)
	case "down":
		m.down()
	case "home":
		m.x, m.y = 0, 0
	case "clear":
		m.clear()
	case "start":
		m.x = 0
	case "line":
		m.clearLine(m.y)
		m.x, m.lines = 0, false
	}
}

// move sets the cursor to a cell, counted from home; beyond the ends it comes
// in again at the other.
func (m *machine) move(cell int) {
	cell = (cell + Rows*Columns) % (Rows * Columns)
	m.y, m.x = cell/Columns, cell%Columns
}

func (m *machine) down() {
	if m.mode == vertical && m.y == Rows-1 {
		m.scroll()
		return
	}
	m.y = (m.y + 1) % Rows
}

func (m *machine) scroll() {
	copy(m.cells[:], m.cells[1:])
	m.clearLine(Rows - 1)
}

// write shows a character at the cursor and moves on as the mode says.
func (m *machine) write(r rune) {
	if m.mode == horizontal {
		if m.x == Columns {
			copy(m.cells[m.y][:], m.cells[m.y][1:])
			m.x = Columns - 1
		}
		m.cells[m.y][m.x] = r
		m.x++
		return
	}
	if m.x == Columns { // left by horizontal mode
		m.x = Columns - 1
	}
	m.cells[m.y][m.x] = r
	if m.x++; m.x < Columns {
		return
	}
	m.x = 0
	m.down()
}

func (m *machine) epson(cmd []byte) {
	switch [2]byte{cmd[0], cmd[1]} {
	case [2]byte{0x1b, '@'}:
		m.initialize()
	case [2]byte{0x1b, 't'}:
		m.page = cmd[2]
	case [2]byte{0x1f, 0x0a}:
		m.y = (m.y + Rows - 1) % Rows
	case [2]byte{0x1f, 0x0d}:
		m.x = Columns - 1
	case [2]byte{0x1f, 'B'}:
		m.x, m.y = 0, Rows-1
	case [2]byte{0x1f, '$'}:
		m.place(int(cmd[2]), int(cmd[3]))
	case [2]byte{0x1f, 'C'}:
		m.cursor = cmd[2]&1 != 0
	case [2]byte{0x1f, 'E'}:
		m.blink = int(cmd[2])
	case [2]byte{0x1f, 'X'}:
		m.shine(int(cmd[2]))
	case [2]byte{0x1f, 1}, [2]byte{0x1f, 2}, [2]byte{0x1f, 3}:
		m.mode = mode(cmd[1])
	case [2]byte{0x1f, '.'}, [2]byte{0x1f, ','}, [2]byte{0x1f, ';'}:
		m.write(m.char(cmd[2])) // the point shares its cell
	} // clock, self test, reverse and country change no cell here
}

// place moves the cursor to a column and row from 1; a wrong place is ignored.
func (m *machine) place(column, row int) {
	if column >= 1 && column <= Columns && row >= 1 && row <= Rows {
		m.x, m.y = column-1, row-1
	}
}

func (m *machine) shine(level int) {
	if level >= 1 && level <= 4 {
		m.brightness = level
	}
}

func (m *machine) cd(cmd []byte) {
	if cmd[1] == 'Q' {
		m.setLine(cmd[2], cmd[3:len(cmd)-1])
		return
	}
	if m.lines && cmd[1] != '@' {
		return
	}
	switch cmd[1] {
	case '@':
		m.initialize()
	case 0x11, 0x12, 0x13:
		m.mode = mode(cmd[1] - 0x10)
	case 'l':
		m.place(int(cmd[2]), int(cmd[3]))
	case '[':
		m.arrow(cmd[2])
	case '*':
		m.shine(int(cmd[2]))
	case '_':
		m.cursor = cmd[2]&1 != 0
	}
}

func (m *machine) arrow(b byte) {
	switch b {
	case 'A':
		m.y = (m.y + Rows - 1) % Rows
	case 'B':
		m.down()
	case 'C':
		m.move(m.y*Columns + m.x + 1)
	case 'D':
		m.move(m.y*Columns + m.x - 1)
	case 'H':
		m.x, m.y = 0, 0
	case 'L':
		m.x = 0
	case 'R':
		m.x = Columns - 1
	case 'K':
		m.x, m.y = 0, Rows-1
	}
}

// setLine is ESC Q: a whole line at once; D scrolls a long one through the upper.
func (m *machine) setLine(which byte, text []byte) {
	y := 0
	if which == 'B' {
		y = 1
	}
	m.scrolling = ""
	if which == 'D' {
		m.scrolling = string(text)
	}
	m.clearLine(y)
	for x, b := range text[:min(len(text), Columns)] {
		m.cells[y][x] = m.char(b)
	}
	m.lines = true
}
