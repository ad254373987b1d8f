package printer

// execute does one whole command.
func (m *machine) execute(cmd []byte) {
	if m.set.deselected && !(len(cmd) == 3 && cmd[0] == esc && cmd[1] == '=') {
		return
	}
	switch cmd[0] {
	case esc:
		m.executeESC(cmd)
	case gs:
		m.executeGS(cmd)
	case fs, dle: // Kanji and stored images have no effect; real-time was obeyed on entry
	case lf:
		m.printLine(m.set.spacing)
	case 0x09:
		m.tab()
	default:
		if cmd[0] >= ' ' && cmd[0] != 0x7f {
			m.character(cmd[0])
		}
	}
}

// low is an argument that also comes as an ASCII digit.
func low(n byte) byte {
	if n >= '0' && n <= '9' {
		return n - '0'
	}
	return n
}

func (m *machine) executeESC(cmd []byte) {
	var n byte
	if len(cmd) > 2 {
		n = cmd[2]
	}
	switch cmd[1] {
	case '@':
		m.initialize()
	case '!':
		m.mode(n)
	case ' ':
		m.set.gap = int(n)
	case '-':
		m.set.underline = min(2, int(low(n)))
	case '2':
		m.set.spacing = 30
	case '3':
		m.set.spacing = int(n)
	case '=':
		m.set.deselected = n&1 == 0
	case 'D':
		m.set.tabs = nil
		for _, column := range cmd[2 : len(cmd)-1] {
			m.set.tabs = append(m.set.tabs, int(column))
		}
	case 'E':
		m.set.bold = n&1 != 0
	case 'G':
		m.set.double = n&1 != 0
	case 'J':
		m.feed(int(n))
	case 'M':
		m.set.font = int(low(n)) & 1
	case 'R':
		m.set.country = n
	case 'a':
		if len(m.line) == 0 {
			m.set.align = low(n)
		}
	case 'd':
		m.feedLines(int(n))
	case 'i', 'm':
		m.cutHere()
	case 'p':
		m.pulses++
	case 't':
		m.set.page = n
	case 'v':
		m.transmit(1)
	case '{':
		if len(m.line) == 0 {
			m.set.upside = n&1 != 0
		}
	case '$':
		m.moveTo(word(cmd, 2))
	case '\\':
		m.moveTo(m.end() + int(int16(word(cmd, 2))))
	case '*':
		m.bitImage(cmd)
	}
}

// mode is ESC !, several styles in one byte.
func (m *machine) mode(n byte) {
	m.set.font = int(n & 1)
	m.set.bold = n&0x08 != 0
	m.set.tall = 1 + int(n>>4&1)
	m.set.wide = 1 + int(n>>5&1)
	m.set.underline = int(n >> 7)
}

func (m *machine) executeGS(cmd []byte) {
	var n byte
	if len(cmd) > 2 {
		n = cmd[2]
	}
	switch cmd[1] {
	case '!':
		m.set.wide, m.set.tall = 1+int(n>>4&7), 1+int(n&7)
	case 'B':
		m.set.reverse = n&1 != 0
	case 'H':
		m.set.hri = int(low(n)) & 3
	case 'f':
		m.set.hriFont = int(low(n)) & 1
	case 'h':
		m.set.barHeight = max(1, int(n))
	case 'w':
		m.set.barDots = min(max(2, int(n)), 6)
	case 'I':
		m.identify(n)
	case 'a':
		m.enableStatus(n)
	case 'r':
		m.transmit(n)
	case 'L', 'W':
		m.layout(cmd[1], word(cmd, 2))
	case 'V':
		m.cutGS(cmd)
	case 'k':
		m.barcode(cmd)
	case 'v':
		m.printImage(dotRows(cmd[8:], 8*word(cmd, 4), word(cmd, 6)), cmd[3])
	case '(':
		m.extended(cmd)
	case '8':
		m.graphics(cmd[7:])
	}
}

// extended is GS ( c pL pH and its body.
func (m *machine) extended(cmd []byte) {
	switch cmd[2] {
	case 'H':
		m.process(cmd)
	case 'k':
		m.symbol2D(cmd[5:])
	case 'L':
		m.graphics(cmd[5:])
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
func (m *machine) cutHere() {
	if len(m.line) > 0 {
		m.strip.warn("cut within a line")
		return
	}
	m.cut()
}

func (m *machine) cutGS(cmd []byte) {
	if len(cmd) == 4 && len(m.line) == 0 {
		m.strip.feed(headToKnife + int(cmd[3]))
	}
	m.cutHere()
}

// dotRows reads a raster of whole bytes per row.
func dotRows(data []byte, width, height int) *bitmap {
	b := newBitmap(width, height)
	copy(b.dots, data)
	return b
}

// printImage is GS v 0; bit 0 of mode doubles the width, bit 1 the height.
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

// graphics is GS ( L and GS 8 L: function 112 stores a raster, 50 prints it.
func (m *machine) graphics(body []byte) {
	if len(body) < 2 || body[0] != '0' {
		return
	}
	switch fn := body[1]; {
	case fn == 112 && len(body) >= 10:
		width, height := word(body, 6), word(body, 8)
		if (width+7)/8*height > len(body)-10 {
			m.strip.warn("graphics data is short")
			return
		}
		image := dotRows(body[10:], width, height)
		m.image = image.scaled(min(max(1, int(body[3])), 2), min(max(1, int(body[4])), 2))
	case (fn == 50 || fn == 2) && m.image != nil:
		m.printImage(m.image, 0)
		m.image = nil
	}
}

// bitImage is ESC *: columns of 8 or 24 dots that stand in the line.
func (m *machine) bitImage(cmd []byte) {
	mode, columns := cmd[2], word(cmd, 3)
	tall := 1 // bytes per column
	if mode >= 32 {
		tall = 3
	}
	image := newBitmap(min(columns, m.set.area), 8*tall)
	for x := range image.width {
		for y := range image.height {
			if cmd[5+x*tall+y/8]&(0x80>>(y%8)) != 0 {
				image.set(x, y)
			}
		}
	}
	wide, high := 1, 1
	if mode == 0 || mode == 32 {
		wide = 2
	}
	if tall == 1 {
		high = 3
	}
	if m.end() < m.set.area && image.width > 0 {
		m.line = append(m.line, glyph{x: m.end(), picture: image.scaled(wide, high)})
	}
}
