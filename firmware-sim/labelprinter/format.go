package labelprinter

import (
	"encoding/hex"
	"image"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"holdfast.dev/firmware-sim/paint"
)

// settings are what stays from one label to the next.
type settings struct {
	width, length         int // dots
	homeX, homeY          int
	module, barHeight     int
	fontHeight, fontWidth int
	utf8                  bool
}

// format is a label that is being received.
type format struct {
	paper    *paint.Dots
	blank    bool // nothing was drawn yet
	copies   int
	text     []string
	symbols  []string
	warnings []string
	field    field
}

// field is what is known of the field that is being received.
type field struct {
	x, y          int
	baseline      bool // ^FT: y is where the text stands
	height, width int  // of the font; 0 is the default
	block         *block
	escape        byte // of ^FH; 0 without
	symbol        func(content string)
	data          string
}

// block is ^FB.
type block struct {
	width, lines, spacing int
	align                 byte
}

// label is what comes out of the printer.
func (f *format) label() Label {
	return Label{Width: f.paper.Width, Height: f.paper.Height, paper: f.paper,
		Text: strings.Join(f.text, "\n"), Symbols: f.symbols, Warnings: f.warnings}
}

func (f *format) warn(text string) { f.warnings = append(f.warnings, text) }

// execute obeys a command that began with ^.
func (m *machine) execute(raw []byte, _ time.Time) {
	text := strings.NewReplacer("\r", "", "\n", "").Replace(string(raw))
	if len(text) < 3 || text[0] != '^' {
		m.unknown++
		return
	}
	name, rest := text[1:3], text[3:]
	if text[1] == 'A' { // ^A and the font's name
		name, rest = "A", text[2:]
	}
	if name == "XA" {
		m.format = &format{blank: true, copies: 1}
		m.format.resize(m.set)
		return
	}
	if m.format == nil {
		m.unknown++
		return
	}
	if !m.setting(name, params(rest)) && !m.fieldCommand(name, rest) {
		m.unknown++
		m.format.warn("unknown command ^" + name)
	}
}

// params are what stands between commas; those that are missing are empty.
func params(rest string) []string { return append(strings.Split(rest, ","), make([]string, 8)...) }

// whole reads a parameter; what is not a number from least to most is otherwise.
func whole(text string, least, most, otherwise int) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < least || n > most {
		return otherwise
	}
	return n
}

// setting obeys what is about the whole label.
func (m *machine) setting(name string, p []string) bool {
	s, f := &m.set, m.format
	switch name {
	case "CI":
		s.utf8 = p[0] == "28"
	case "PW":
		s.width = whole(p[0], 1, largestSide, s.width)
		f.resize(*s)
	case "LL":
		s.length = whole(p[0], 1, largestSide, s.length)
		f.resize(*s)
	case "LH":
		s.homeX, s.homeY = whole(p[0], 0, largestSide, 0), whole(p[1], 0, largestSide, 0)
	case "CF":
		s.fontHeight, s.fontWidth = whole(p[1], 1, 1000, s.fontHeight), whole(p[2], 1, 1000, 0)
	case "BY":
		s.module = whole(p[0], 1, 10, s.module)
		s.barHeight = whole(p[2], 1, largestSide, s.barHeight)
	case "PQ":
		f.copies = whole(p[0], 1, maxBatch, 1)
	case "PO", "FW", "LS", "LT", "MM", "MN", "MD", "PR", "MT", "FX":
		// mechanics and remarks; nothing that shows here
	default:
		return false
	}
	return true
}

// resize gives the label the size that is set; what was drawn stays.
func (f *format) resize(s settings) {
	drawn := f.paper
	f.paper = paint.New(s.width, s.length)
	if !f.blank {
		f.paper.Put(drawn, 0, 0)
	}
}

// fieldCommand obeys what is about one field.
func (m *machine) fieldCommand(name, rest string) bool {
	f, p := &m.format.field, params(rest)
	switch name {
	case "FO", "FT":
		*f = field{baseline: name == "FT"}
		f.x = m.set.homeX + whole(p[0], 0, 32000, 0)
		f.y = m.set.homeY + whole(p[1], 0, 32000, 0)
	case "A":
		f.height, f.width = whole(p[1], 1, 1000, m.set.fontHeight), whole(p[2], 1, 1000, 0)
	case "FB":
		f.block = &block{whole(p[0], 0, 9999, 0), whole(p[1], 1, 9999, 1), whole(p[2], -999, 999, 0), 'L'}
		if p[3] != "" {
			f.block.align = p[3][0]
		}
	case "FH":
		f.escape = '_'
		if rest != "" {
			f.escape = rest[0]
		}
	case "FD":
		f.data = rest
	case "FS":
		m.endField()
	case "GB":
		m.box(p)
	case "BC", "BE", "B8":
		m.linear(name, p)
	case "BQ":
		m.qrCode(p)
	default:
		return false
	}
	return true
}

// box draws a frame.
func (m *machine) box(p []string) {
	f := m.format.field
	m.format.blank = false
	thick := whole(p[2], 1, 32000, 1)
	width, height := whole(p[0], thick, 32000, thick), whole(p[1], thick, 32000, thick)
	outer := image.Rect(f.x, f.y, f.x+width, f.y+height)
	for _, r := range []image.Rectangle{
		{Min: outer.Min, Max: image.Pt(outer.Max.X, outer.Min.Y+thick)},
		{Min: image.Pt(outer.Min.X, outer.Max.Y-thick), Max: outer.Max},
		{Min: outer.Min, Max: image.Pt(outer.Min.X+thick, outer.Max.Y)},
		{Min: image.Pt(outer.Max.X-thick, outer.Min.Y), Max: outer.Max},
	} {
		m.format.paper.Fill(r.Intersect(outer))
	}
}

// endField draws what was collected.
func (m *machine) endField() {
	f := m.format.field
	m.format.field = field{x: f.x, y: f.y}
	if f.data == "" {
		return
	}
	m.format.blank = false
	content := m.decoded(f)
	if f.symbol != nil {
		f.symbol(content)
		return
	}
	m.drawText(f, content)
}

// decoded takes the escapes of ^FH and the character set off field data.
func (m *machine) decoded(f field) string {
	data := []byte(f.data)
	if f.escape != 0 {
		data = unescaped(data, f.escape)
	}
	if m.set.utf8 && utf8.Valid(data) {
		return string(data)
	}
	text, err := charmap.CodePage850.NewDecoder().Bytes(data)
	if err != nil {
		return string(data)
	}
	return string(text)
}

func unescaped(data []byte, mark byte) []byte {
	var out []byte
	for i := 0; i < len(data); i++ {
		if data[i] == mark && i+2 < len(data) {
			if b, err := hex.DecodeString(string(data[i+1 : i+3])); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, data[i])
	}
	return out
}

// drawText draws a line, or a block of them.
func (m *machine) drawText(f field, content string) {
	height := f.height
	if height == 0 {
		height, f.width = m.set.fontHeight, m.set.fontWidth
	}
	if f.width == 0 {
		f.width = height
	}
	lines := []string{content}
	if f.block != nil {
		lines = m.wrapped(f, content)
	}
	for i, text := range lines {
		m.format.text = append(m.format.text, text)
		for _, r := range text {
			if !m.font.Has(r) {
				m.format.warn("no glyph for " + strconv.QuoteRune(r))
			}
		}
		line := m.font.Line(text, height, f.width)
		x, y := f.x, f.y+i*height
		if f.baseline {
			y -= height * 3 / 4
		}
		if f.block != nil {
			y = f.y + min(i, f.block.lines-1)*(height+f.block.spacing)
			x += f.block.indent(line.Width)
		}
		m.format.paper.Put(line, x, y)
		if x+line.Width > m.format.paper.Width || y+height > m.format.paper.Height {
			m.format.warn("text leaves the label: " + text)
		}
	}
}

func (b *block) indent(width int) int {
	switch b.align {
	case 'C':
		return max(0, (b.width-width)/2)
	case 'R':
		return max(0, b.width-width)
	}
	return 0
}

// wrapped breaks a block's text; lines that are too many are set on the last.
func (m *machine) wrapped(f field, content string) (lines []string) {
	const lineEnd, backslash = "\x00", "\x01"
	content = strings.ReplaceAll(content, `\\`, backslash)
	content = strings.ReplaceAll(content, `\&`, lineEnd)
	content = strings.ReplaceAll(content, backslash, `\`)
	for _, part := range strings.Split(content, lineEnd) {
		line := ""
		for _, word := range strings.Fields(part) {
			longer := strings.TrimLeft(line+" "+word, " ")
			if line != "" && m.font.Measure(longer, f.width) > f.block.width {
				lines = append(lines, line)
				longer = word
			}
			line = longer
		}
		lines = append(lines, line)
	}
	if len(lines) > f.block.lines {
		m.format.warn("text overprints its last line")
	}
	return lines
}
