package printer

import "time"

// starLanguage is StarPRNT and Star Line mode, which differ in how pictures are
// sent; this printer takes both.
var starLanguage = sealed(newLanguage("StarPRNT and Star Line mode", starText, starPaper, starCodes,
	starStatusRows, starIgnored), realTimeStar, tellStar, func(m *machine) {
	m.set.spacing = starSpacing
	m.set.pulseOn, m.set.pulseOff = starPulse, starPulse
})

// Line spacings in dots, 4 mm and 3 mm, and the usual pulse for a drawer.
const (
	starSpacing = 32
	starTight   = 24
	starPulse   = 200 * time.Millisecond
)

var starText = []command{
	{"\x0a", "LF", "print the line and feed", 1, nil, func(m *machine, _ []byte) {
		m.printLine(m.set.spacing)
	}},
	{"\x09", "HT", "go to the next tab stop", 1, nil, func(m *machine, _ []byte) { m.tab() }},
	{"\x0e", "SO", "double width", 1, nil, func(m *machine, _ []byte) { m.set.wide = 2 }},
	{"\x14", "DC4", "double width off", 1, nil, func(m *machine, _ []byte) { m.set.wide = 1 }},
	{"\x0f", "SI", "upside down", 1, nil, func(m *machine, _ []byte) { m.turn(true) }},
	{"\x12", "DC2", "upside down off", 1, nil, func(m *machine, _ []byte) { m.turn(false) }},
	{"\x18", "CAN", "drop what is in the line", 1, nil, func(m *machine, _ []byte) {
		m.line = nil
	}},
	{"\x1b@", "ESC @", "initialize; what is in the line is dropped", 2, nil,
		func(m *machine, _ []byte) {
			m.initialize()
		}},
	{"\x1bE", "ESC E", "bold", 2, nil, func(m *machine, _ []byte) { m.set.bold = true }},
	{"\x1bF", "ESC F", "bold off", 2, nil, func(m *machine, _ []byte) { m.set.bold = false }},
	{"\x1b4", "ESC 4", "white on black", 2, nil, func(m *machine, _ []byte) {
		m.set.reverse = true
	}},
	{"\x1b5", "ESC 5", "white on black off", 2, nil, func(m *machine, _ []byte) {
		m.set.reverse = false
	}},
	{"\x1b-", "ESC -", "underline", 3, nil, func(m *machine, c []byte) {
		m.set.underline = int(low(c[2]) & 1)
	}},
	{"\x1bi", "ESC i", "size: height-1 and width-1", 4, nil, func(m *machine, c []byte) {
		m.timesStar(low(c[3]), low(c[2]))
	}},
	{"\x1bW", "ESC W", "width-1", 3, nil, func(m *machine, c []byte) {
		m.timesStar(low(c[2]), byte(m.set.tall-1))
	}},
	{"\x1bh", "ESC h", "height-1", 3, nil, func(m *machine, c []byte) {
		m.timesStar(byte(m.set.wide-1), low(c[2]))
	}},
	{"\x1b ", "ESC SP", "dots right of each character", 3, nil, func(m *machine, c []byte) {
		m.set.gap = int(low(c[2]))
	}},
	{"\x1bR", "ESC R", "international characters", 3, nil, func(m *machine, c []byte) {
		m.set.country = low(c[2])
	}},
	{"\x1bM", "ESC M", "font of 12 dots", 2, nil, func(m *machine, _ []byte) { m.set.font = 0 }},
	{"\x1bP", "ESC P", "font of 9 dots", 2, nil, func(m *machine, _ []byte) { m.set.font = 1 }},
	{"\x1b\x1eF", "ESC RS F", "font A, B or C", 4, nil, func(m *machine, c []byte) {
		m.set.font = min(1, int(low(c[3])))
	}},
	{"\x1b\x1dt", "ESC GS t", "code page", 4, nil, func(m *machine, c []byte) {
		m.selectPage(c[3])
	}},
}

var starPaper = []command{
	{"\x1b0", "ESC 0", "line spacing of 3 mm", 2, nil, func(m *machine, _ []byte) {
		m.set.spacing = starTight
	}},
	{"\x1bz", "ESC z", "line spacing of 4 mm (1) or 3 mm (0)", 3, nil, func(m *machine, c []byte) {
		m.set.spacing = starTight + (starSpacing-starTight)*int(low(c[2])&1)
	}},
	{"\x1ba", "ESC a", "print and feed lines", 3, nil, func(m *machine, c []byte) {
		m.feedLines(int(c[2]))
	}},
	{"\x1bJ", "ESC J", "feed in quarters of a millimetre", 3, nil, func(m *machine, c []byte) {
		m.feed(2 * int(c[2]))
	}},
	{"\x1bI", "ESC I", "feed in eighths of a millimetre", 3, nil, func(m *machine, c []byte) {
		m.feed(int(c[2]))
	}},
	{"\x1bD", "ESC D", "tab stops, up to NUL", 0, until(0, 2), (*machine).setTabs},
	{"\x1bd", "ESC d", "cut: whole, partly; 2 and 3 feed to the knife first", 3, nil,
		(*machine).cutStar},
	{"\x1b\x0c\x00", "ESC FF NUL", "cut after a raster page", 3, nil, func(m *machine, _ []byte) {
		m.strip.feed(headToKnife)
		m.cutHere(partialCut)
	}},
	{"\x1bl", "ESC l", "left margin in columns", 3, nil, func(m *machine, c []byte) {
		m.layoutStar('L', c[2])
	}},
	{"\x1bQ", "ESC Q", "right margin in columns", 3, nil, func(m *machine, c []byte) {
		m.layoutStar('W', c[2])
	}},
	{"\x1b\x1da", "ESC GS a", "alignment, at the start of a line", 4, nil,
		func(m *machine, c []byte) {
			if n := low(c[3]); len(m.line) == 0 && n <= 2 {
				m.set.align = n
			}
		}},
	{"\x1b\x1dA", "ESC GS A", "position from the left", 5, nil, func(m *machine, c []byte) {
		m.moveTo(word(c, 3))
	}},
	{"\x1b\x1dR", "ESC GS R", "position from here", 5, nil, func(m *machine, c []byte) {
		m.moveTo(m.end() + int(int16(word(c, 3))))
	}},
	{"\x1b\x07", "ESC BEL", "length of the pulses", 4, nil, func(m *machine, c []byte) {
		m.set.pulseOn, m.set.pulseOff = time.Duration(c[2])*starPulseUnit, time.Duration(c[3])*starPulseUnit
	}},
	{"\x07", "BEL", "pulse on drawer 1", 1, nil, func(m *machine, _ []byte) { m.kickStar(1) }},
	{"\x1c", "FS", "pulse on drawer 1", 1, nil, func(m *machine, _ []byte) { m.kickStar(1) }},
	{"\x1a", "SUB", "pulse on drawer 2", 1, nil, func(m *machine, _ []byte) { m.kickStar(2) }},
	{"\x19", "EM", "pulse on drawer 2", 1, nil, func(m *machine, _ []byte) { m.kickStar(2) }},
}

var starCodes = []command{
	{"\x1bb", "ESC b", "barcode, up to RS", 0, until(0x1e, 6), (*machine).barcodeStar},
	{"\x1b\x1dyS0", "ESC GS y S 0", "model of QR codes", 6, nil, obeyedOnEntry},
	{"\x1b\x1dyS1", "ESC GS y S 1", "error correction of QR codes", 6, nil,
		func(m *machine, c []byte) {
			m.matrix(cnQR, 'E', []byte{'0' + low(c[5])})
		}},
	{"\x1b\x1dyS2", "ESC GS y S 2", "dots per module of QR codes", 6, nil,
		func(m *machine, c []byte) {
			m.matrix(cnQR, 'C', c[5:6])
		}},
	{"\x1b\x1dyD1", "ESC GS y D 1", "content of a QR code", 0, counted(6, 2),
		func(m *machine, c []byte) {
			m.symbol(cnQR).data = append([]byte{}, c[8:]...)
		}},
	{"\x1b\x1dyP", "ESC GS y P", "print the QR code", 4, nil, func(m *machine, _ []byte) {
		m.print2D(cnQR)
	}},
	{"\x1b\x1dxS0", "ESC GS x S 0", "rows and columns of PDF417", 8, nil, obeyedOnEntry},
	{"\x1b\x1dxS1", "ESC GS x S 1", "error correction of PDF417", 6, nil,
		func(m *machine, c []byte) {
			m.pdf417('E', []byte{'0', '0' + low(c[5])})
		}},
	{"\x1b\x1dxS2", "ESC GS x S 2", "dots per module of PDF417", 6, nil,
		func(m *machine, c []byte) {
			m.pdf417('C', c[5:6])
		}},
	{"\x1b\x1dxS3", "ESC GS x S 3", "modules per row of PDF417", 6, nil,
		func(m *machine, c []byte) {
			m.pdf417('D', c[5:6])
		}},
	{"\x1b\x1dxD", "ESC GS x D", "content of PDF417", 0, counted(4, 2), func(m *machine, c []byte) {
		m.symbol(cnPDF417).data = append([]byte{}, c[6:]...)
	}},
	{"\x1b\x1dxP", "ESC GS x P", "print PDF417", 4, nil, func(m *machine, _ []byte) {
		m.print2D(cnPDF417)
	}},
	{"\x1bK", "ESC K", "bit image of 8 dots, coarse", 0, columns(2, 1), func(m *machine, c []byte) {
		m.inLine(dotColumns(c[4:], word(c, 2), 1).scaled(2, 3))
	}},
	{"\x1bL", "ESC L", "bit image of 8 dots, fine", 0, columns(2, 1), func(m *machine, c []byte) {
		m.inLine(dotColumns(c[4:], word(c, 2), 1).scaled(1, 3))
	}},
	{"\x1bX", "ESC X", "bit image of 24 dots", 0, columns(2, 3), func(m *machine, c []byte) {
		m.inLine(dotColumns(c[4:], word(c, 2), 3))
	}},
	{"\x1bk", "ESC k", "raster of 24 rows in the line", 0, starImage, func(m *machine, c []byte) {
		m.inLine(dotRows(c[4:], 8*word(c, 2), 24))
	}},
	{"\x1b\x1dS", "ESC GS S", "raster image", 0, starRaster, func(m *machine, c []byte) {
		m.printImage(dotRows(c[9:], 8*word(c, 4), word(c, 6)), 0)
	}},
}

var starStatusRows = []command{
	{"\x17", "ETB", "count a block", 1, nil, func(m *machine, _ []byte) { m.endBlock() }},
	{"\x1b\x1d\x03", "ESC GS ETX", "answer when all before is printed", 6, nil,
		(*machine).answerGroup},
	{"\x1b\x1ea", "ESC RS a", "automatic status", 4, nil, func(m *machine, c []byte) {
		m.enableStar(low(c[3]))
	}},
	{"\x1b\x06", "ESC ACK", "status (SOH), at once", 3, nil, obeyedOnEntry},
}

var starIgnored = []command{
	{"\x0d", "CR", "nothing", 1, nil, nil},
	{"\x0c", "FF", "form feed", 1, nil, nil},
	{"\x0b", "VT", "vertical tab", 1, nil, nil},
	{"\x04", "EOT", "end of transmission", 1, nil, nil},
	{"\x05", "ENQ", "status of old models", 1, nil, nil},
	{"\x1e", "RS", "two-colour and stamp", 1, nil, nil},
	{"\x1bs", "ESC s", "space around characters", 4, nil, nil},
	{"\x1bC", "ESC C", "length of a page", 3, nil, nil},
	{"\x1bN", "ESC N", "bottom margin", 3, nil, nil},
	{"\x1bO", "ESC O", "no bottom margin", 2, nil, nil},
	{"\x1bB", "ESC B", "vertical tabs, up to NUL", 0, until(0, 2), nil},
	{"\x1bp", "ESC p", "two-byte characters on", 2, nil, nil},
	{"\x1bq", "ESC q", "two-byte characters off", 2, nil, nil},
	{"\x1b$", "ESC $", "two-byte characters", 3, nil, nil},
	{"\x1b:", "ESC :", "font of 15 dots", 2, nil, nil},
	{"\x1b6", "ESC 6", "table 1", 2, nil, nil},
	{"\x1b7", "ESC 7", "table 2", 2, nil, nil},
	{"\x1b_", "ESC _", "overline", 3, nil, nil},
	{"\x1b*r", "ESC * r", "raster mode: its orders without pictures", 0, starRasterMode, nil},
	{"\x1b\x1dP", "ESC GS P", "page mode and print start", 4, nil, nil},
	{"\x1b\x1dyI", "ESC GS y I", "ask for the size of a QR code", 4, nil, nil},
	{"\x1b\x1e", "ESC RS", "settings", 4, nil, nil},
	{"\x1b\x1d(", "ESC GS (", "by its length", 0, counted(4, 2), nil},
	{"\x1b\x1d)", "ESC GS )", "by its length", 0, counted(4, 2), nil},
}
