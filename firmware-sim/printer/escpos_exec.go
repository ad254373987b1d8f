package printer

import "strconv"

// low is an argument that also comes as an ASCII digit.
func low(n byte) byte {
	if n >= '0' && n <= '9' {
		return n - '0'
	}
	return n
}

// rows turns vertical motion units into dots. Without GS P a unit is a dot.
func (m *machine) rows(n int) int {
	if m.set.unitY == 0 {
		return n
	}
	return n * dpi / m.set.unitY
}

func (m *machine) carriageReturn([]byte) {
	if m.model.AutoLF {
		m.printLine(m.set.spacing)
	}
}

// mode is ESC !, several styles in one byte.
func (m *machine) mode(cmd []byte) {
	n := cmd[2]
	m.set.font = int(n & 1)
	m.set.bold = n&0x08 != 0
	m.set.tall = 1 + int(n>>4&1)
	m.set.wide = 1 + int(n>>5&1)
	m.set.underline = int(n >> 7)
}

func (m *machine) setTabs(cmd []byte) {
	m.set.tabs = nil
	for _, column := range cmd[2 : len(cmd)-1] {
		m.set.tabs = append(m.set.tabs, int(column))
	}
}

// layout is GS L and GS W, at the start of a line only.
func (m *machine) layout(which byte, dots int) {
	if len(m.line) > 0 {
		return
	}
	if which == 'L' {
		m.set.margin = min(dots, m.strip.width-1)
	} else {
		m.set.area = max(1, dots)
	}
	m.set.area = min(m.set.area, m.strip.width-m.set.margin)
}

// feed prints the line, if any, and feeds rows in all.
func (m *machine) feed(rows int) {
	if len(m.line) > 0 {
		m.printLine(rows)
		return
	}
	m.strip.feed(rows)
}

func (m *machine) feedLines(n int) {
	if n == 0 {
		m.feed(0)
	}
	for range n {
		m.printLine(m.set.spacing)
	}
}

// cutHere cuts where the paper stands, at the start of a line only.
func (m *machine) cutHere(how knifeMove) {
	if len(m.line) > 0 {
		m.strip.warn("LINE_NOT_EMPTY: cut within a line")
		return
	}
	m.cut(how)
}

func (m *machine) cutGS(cmd []byte) {
	if len(cmd) == 4 && len(m.line) == 0 {
		m.strip.feed(headToKnife + m.rows(int(cmd[3])))
	}
	how := partialCut
	switch cmd[2] {
	case 0, '0', 65, 97, 103:
		how = fullCut
	}
	m.cutHere(how)
}

// maxMacro bounds the commands of a macro.
const maxMacro = 2048

// macro is GS :, which begins to record or ends it.
func (m *machine) macro() {
	if m.record = !m.record; m.record {
		m.macros = nil
	}
}

func (m *machine) recordMacro(cmd []byte) {
	if !m.running && len(m.macros) < maxMacro {
		m.macros = append(m.macros, cmd)
	}
}

// runMacro is GS ^ r t m: it runs the macro r times. What the macro itself runs
// is left out.
func (m *machine) runMacro(cmd []byte) {
	if m.running || m.record {
		return
	}
	m.running = true
	defer func() { m.running = false }()
	const mostRuns = 20
	for range min(int(cmd[2]), mostRuns) {
		for _, c := range m.macros {
			m.execute(c)
		}
	}
}

// dotRows reads a raster of whole bytes per row.
func dotRows(data []byte, width, height int) *bitmap {
	b := newBitmap(width, height)
	copy(b.dots, data)
	return b
}

// dotColumns reads columns of tall bytes, the highest bit on top.
func dotColumns(data []byte, width, tall int) *bitmap {
	b := newBitmap(width, 8*tall)
	for x := range width {
		for y := range 8 * tall {
			if at := x*tall + y/8; at < len(data) && data[at]&(0x80>>(y%8)) != 0 {
				b.set(x, y)
			}
		}
	}
	return b
}

// printImage prints an image; bit 0 of mode doubles the width, bit 1 the height.
func (m *machine) printImage(image *bitmap, mode byte) {
	if image.width == 0 || image.height == 0 {
		return
	}
	if len(m.line) > 0 {
		m.printLine(m.set.spacing)
	}
	mode = low(mode)
	m.place(image.scaled(1+int(mode&1), 1+int(mode>>1&1)), "[image]")
}

// Functions of graphics, GS ( L and GS 8 L.
const (
	printGraphics  = 50
	defineNV       = 67
	printNV        = 69
	defineDownload = 83
	printDownload  = 85
	storeRaster    = 112
	storeColumns   = 113
)

// graphics is GS ( L and GS 8 L.
func (m *machine) graphics(body []byte) {
	if len(body) < 2 || body[0] != '0' {
		return
	}
	switch fn := body[1]; {
	case (fn == storeRaster || fn == storeColumns) && len(body) >= 10:
		m.storeGraphics(body)
	case (fn == printGraphics || fn == 2) && m.image != nil:
		m.printImage(m.image, 0)
		m.image = nil
	case (fn == defineNV || fn == defineDownload) && len(body) >= 11:
		m.defineGraphics(body)
	case (fn == printNV || fn == printDownload) && len(body) >= 6:
		m.printStored(string(body[2:4]), (body[4]-1)&1|(body[5]-1)&1<<1)
	}
}

// storeGraphics is m fn a bx by c xL xH yL yH and data.
func (m *machine) storeGraphics(body []byte) {
	width, height, data := word(body, 6), word(body, 8), body[10:]
	var image *bitmap
	if body[1] == storeRaster {
		if (width+7)/8*height > len(data) {
			m.strip.warn("graphics data is short")
			return
		}
		image = dotRows(data, width, height)
	} else {
		if width*((height+7)/8) > len(data) {
			m.strip.warn("graphics data is short")
			return
		}
		image = dotColumns(data, width, (height+7)/8)
	}
	m.image = image.scaled(min(max(1, int(body[3])), 2), min(max(1, int(body[4])), 2))
}

// defineGraphics is m fn a kc1 kc2 b xL xH yL yH c and data.
func (m *machine) defineGraphics(body []byte) {
	width, height, data := word(body, 6), word(body, 8), body[11:]
	if (width+7)/8*height > len(data) {
		m.strip.warn("graphics data is short")
		return
	}
	m.keepImage(string(body[3:5]), dotRows(data, width, height))
}

// maxStored bounds how many images a printer keeps.
const maxStored = 64

func (m *machine) keepImage(key string, image *bitmap) {
	if _, known := m.stored[key]; known || len(m.stored) < maxStored {
		m.stored[key] = image
	}
}

// printStored prints an image that was kept, or nothing.
func (m *machine) printStored(key string, mode byte) {
	if image, ok := m.stored[key]; ok {
		m.printImage(image, mode)
	}
}

func nvKey(n int) string { return "FS q " + strconv.Itoa(n) }

func (m *machine) storeDownload(cmd []byte) {
	m.keepImage("GS *", dotColumns(cmd[4:], 8*int(cmd[2]), int(cmd[3])))
}

func (m *machine) storeImages(cmd []byte) {
	at := 3
	for n := range int(cmd[2]) {
		wide, tall := word(cmd, at), word(cmd, at+2)
		at += 4
		m.keepImage(nvKey(n+1), dotColumns(cmd[at:at+8*wide*tall], 8*wide, tall))
		at += 8 * wide * tall
	}
}

// bitImage is ESC *: columns of 8 or 24 dots that stand in the line.
func (m *machine) bitImage(cmd []byte) {
	mode := low(cmd[2])
	tall := 1 // bytes per column
	if mode >= 32 {
		tall = 3
	}
	wide, high := 1, 1
	if mode == 0 || mode == 32 {
		wide = 2
	}
	if tall == 1 {
		high = 3
	}
	m.inLine(dotColumns(cmd[5:], min(word(cmd, 3), m.set.area), tall).scaled(wide, high))
}

// inLine puts an image into the line, as far as there is room.
func (m *machine) inLine(image *bitmap) {
	if m.end() < m.set.area && image.width > 0 {
		m.line = append(m.line, glyph{x: m.end(), picture: image})
	}
}
