package printer

// escposLanguage is ESC/POS as Epson writes it and others copy it. Arguments 0,
// 1 and 2 also come as the digits 30 to 32, but where one bit counts the digit
// is a number like any other: 30 is off and 31 is on.
var escposLanguage = sealed(newLanguage("ESC/POS", escposText, escposPaper, escposCodes,
	escposStatus,
	escposIgnored), realTimeESC, tellESC, nil)

func sealed(l *language, realTime, status, reset func(*machine)) *language {
	l.realTime, l.status, l.reset = realTime, status, reset
	return l
}

var escposText = []command{
	{"\x0a", "LF", "print the line and feed", 1, nil, func(m *machine, _ []byte) {
		m.printLine(m.set.spacing)
	}},
	{"\x0d", "CR", "print the line if automatic line feed is on", 1, nil,
		(*machine).carriageReturn},
	{"\x09", "HT", "go to the next tab stop", 1, nil, func(m *machine, _ []byte) { m.tab() }},
	{"\x1b@", "ESC @", "initialize; what is in the line is dropped", 2, nil,
		func(m *machine, _ []byte) {
			m.initialize()
		}},
	{"\x1b!", "ESC !", "print mode: font, bold, height, width, underline", 3, nil, (*machine).mode},
	{"\x1b ", "ESC SP", "dots right of each character", 3, nil, func(m *machine, c []byte) {
		m.set.gap = int(c[2])
	}},
	{"\x1b-", "ESC -", "underline of 0 to 2 dots", 3, nil, func(m *machine, c []byte) {
		m.set.underline = min(2, int(low(c[2])))
	}},
	{"\x1bE", "ESC E", "bold (bit 0)", 3, nil, func(m *machine, c []byte) {
		m.set.bold = c[2]&1 != 0
	}},
	{"\x1bG", "ESC G", "double strike (bit 0)", 3, nil, func(m *machine, c []byte) {
		m.set.double = c[2]&1 != 0
	}},
	{"\x1bM", "ESC M", "font A or B", 3, nil, func(m *machine, c []byte) {
		m.set.font = int(low(c[2])) & 1
	}},
	{"\x1bV", "ESC V", "turned by 90 degrees", 3, nil, func(m *machine, c []byte) {
		m.set.turned = low(c[2])&1 != 0
	}},
	{"\x1bR", "ESC R", "international characters", 3, nil, func(m *machine, c []byte) {
		m.set.country = c[2]
	}},
	{"\x1bt", "ESC t", "code page", 3, nil, func(m *machine, c []byte) { m.selectPage(c[2]) }},
	{"\x1b{", "ESC {", "upside down (bit 0), at the start of a line", 3, nil,
		func(m *machine, c []byte) {
			if len(m.line) == 0 {
				m.set.upside = c[2]&1 != 0
			}
		}},
	{"\x1da", "GS a", "automatic status for what the bits name", 3, nil,
		func(m *machine, c []byte) {
			m.enableStatus(c[2])
		}},
	{"\x1d!", "GS !", "size: width-1 in the high nibble, height-1 in the low", 3, nil,
		func(m *machine, c []byte) {
			m.set.wide, m.set.tall = 1+int(c[2]>>4&7), 1+int(c[2]&7)
		}},
	{"\x1dB", "GS B", "white on black (bit 0)", 3, nil, func(m *machine, c []byte) {
		m.set.reverse = c[2]&1 != 0
	}},
}

var escposPaper = []command{
	{"\x1b2", "ESC 2", "line spacing of 30 dots", 2, nil, func(m *machine, _ []byte) {
		m.set.spacing = 30
	}},
	{"\x1b3", "ESC 3", "line spacing in dots", 3, nil, func(m *machine, c []byte) {
		m.set.spacing = m.rows(int(c[2]))
	}},
	{"\x1b=", "ESC =", "select the printer (bit 0)", 3, nil, func(m *machine, c []byte) {
		m.set.deselected = c[2]&1 == 0
	}},
	{"\x1bD", "ESC D", "tab stops, up to NUL", 0, until(0, 2), (*machine).setTabs},
	{"\x1bJ", "ESC J", "print and feed dots", 3, nil, func(m *machine, c []byte) {
		m.feed(m.rows(int(c[2])))
	}},
	{"\x1bd", "ESC d", "print and feed lines", 3, nil, func(m *machine, c []byte) {
		m.feedLines(int(c[2]))
	}},
	{"\x1ba", "ESC a", "alignment, at the start of a line", 3, nil, func(m *machine, c []byte) {
		if n := low(c[2]); len(m.line) == 0 && n <= 2 {
			m.set.align = n
		}
	}},
	{"\x1b$", "ESC $", "position from the left", 4, nil, func(m *machine, c []byte) {
		m.moveTo(word(c, 2))
	}},
	{"\x1b\\", "ESC \\", "position from here", 4, nil, func(m *machine, c []byte) {
		m.moveTo(m.end() + int(int16(word(c, 2))))
	}},
	{"\x1dL", "GS L", "left margin, at the start of a line", 4, nil, func(m *machine, c []byte) {
		m.layout('L', word(c, 2))
	}},
	{"\x1dW", "GS W", "width of the print area, at the start of a line", 4, nil,
		func(m *machine, c []byte) {
			m.layout('W', word(c, 2))
		}},
	{"\x1dP", "GS P", "motion units per inch", 4, nil, func(m *machine, c []byte) {
		m.set.unitY = int(c[3])
	}},
	{"\x1dV", "GS V", "cut; 65 and 66 feed to the knife first", 0, cutting, (*machine).cutGS},
	{"\x1bi", "ESC i", "cut", 2, nil, func(m *machine, _ []byte) { m.cutHere(partialCut) }},
	{"\x1bm", "ESC m", "cut partly", 2, nil, func(m *machine, _ []byte) { m.cutHere(partialCut) }},
	{"\x1bp", "ESC p", "pulse on drawer 1 or 2", 5, nil, (*machine).kickESC},
}

var escposCodes = []command{
	{"\x1b*", "ESC *", "bit image of 8 or 24 dots", 0, bitImage, (*machine).bitImage},
	{"\x1dv0", "GS v 0", "raster image", 0, raster, func(m *machine, c []byte) {
		m.printImage(dotRows(c[8:], 8*word(c, 4), word(c, 6)), c[3])
	}},
	{"\x1d(L", "GS ( L", "graphics: store and print rasters and columns", 0, counted(3, 2),
		func(m *machine, c []byte) {
			m.graphics(c[5:])
		}},
	{"\x1d8L", "GS 8 L", "graphics with a length of four bytes", 0, counted(3, 4),
		func(m *machine, c []byte) {
			m.graphics(c[7:])
		}},
	{"\x1d*", "GS *", "store a downloaded image", 0, downloaded, (*machine).storeDownload},
	{"\x1d/", "GS /", "print the downloaded image", 3, nil, func(m *machine, c []byte) {
		m.printStored("GS *", c[2])
	}},
	{"\x1cq", "FS q", "store images 1 to n", 0, storedImages, (*machine).storeImages},
	{"\x1cp", "FS p", "print a stored image", 4, nil, func(m *machine, c []byte) {
		m.printStored(nvKey(int(c[2])), c[3])
	}},
	{"\x1dk", "GS k", "barcode, up to NUL or with a length", 0, barcode, (*machine).barcodeESC},
	{"\x1dh", "GS h", "height of barcodes", 3, nil, func(m *machine, c []byte) {
		m.set.barHeight = max(1, int(c[2]))
	}},
	{"\x1dw", "GS w", "dots per module of barcodes, 2 to 6", 3, nil, func(m *machine, c []byte) {
		if c[2] >= 2 && c[2] <= 6 {
			m.set.barDots = int(c[2])
		}
	}},
	{"\x1dH", "GS H", "text of barcodes: none, above, below, both", 3, nil,
		func(m *machine, c []byte) {
			m.set.hri = int(low(c[2])) & 3
		}},
	{"\x1df", "GS f", "font of that text", 3, nil, func(m *machine, c []byte) {
		m.set.hriFont = int(low(c[2])) & 1
	}},
	{"\x1d(k", "GS ( k", "QR code, PDF417, DataMatrix, Aztec", 0, counted(3, 2),
		func(m *machine, c []byte) {
			m.symbol2D(c[5:])
		}},
}

var escposStatus = []command{
	{"\x10\x04", "DLE EOT", "status, at once", 0, statusRequest, obeyedOnEntry},
	{"\x10\x05", "DLE ENQ", "go on after an error, or clear, at once", 3, nil, obeyedOnEntry},
	{"\x10\x14", "DLE DC4", "pulse, status, clear, at once", 0, realTimeRequest, obeyedOnEntry},
	{"\x1dr", "GS r", "sensor of paper or drawer, in turn", 3, nil, func(m *machine, c []byte) {
		m.transmit(c[2])
	}},
	{"\x1bv", "ESC v", "paper sensor, in turn", 2, nil, func(m *machine, _ []byte) {
		m.transmit(1)
	}},
	{"\x1bu", "ESC u", "drawer switch, in turn", 3, nil, func(m *machine, _ []byte) {
		m.transmit(2)
	}},
	{"\x1dI", "GS I", "who are you", 3, nil, func(m *machine, c []byte) { m.identify(c[2]) }},
	{"\x1d(H", "GS ( H", "answer when all before is printed", 0, counted(3, 2), (*machine).process},
	{"\x1d:", "GS :", "begin or end the macro", 2, nil, func(m *machine, _ []byte) { m.macro() }},
	{"\x1d^", "GS ^", "run the macro", 5, nil, (*machine).runMacro},
}

// obeyedOnEntry is for commands that worked before they came into the buffer.
func obeyedOnEntry(*machine, []byte) {}

var escposIgnored = []command{
	{"\x0c", "FF", "print and leave page mode", 1, nil, nil},
	{"\x18", "CAN", "clear the page", 1, nil, nil},
	{"\x1b\x0c", "ESC FF", "print the page", 2, nil, nil},
	{"\x1bL", "ESC L", "page mode; text goes on as in standard mode", 2, nil, nil},
	{"\x1bS", "ESC S", "standard mode", 2, nil, nil},
	{"\x1bT", "ESC T", "direction of the page", 3, nil, nil},
	{"\x1bW", "ESC W", "area of the page", 10, nil, nil},
	{"\x1d$", "GS $", "vertical position of the page", 4, nil, nil},
	{"\x1d\\", "GS \\", "vertical position of the page from here", 4, nil, nil},
	{"\x1bU", "ESC U", "one direction of printing", 3, nil, nil},
	{"\x1br", "ESC r", "colour", 3, nil, nil},
	{"\x1b<", "ESC <", "go home", 2, nil, nil},
	{"\x1b%", "ESC %", "use own characters", 3, nil, nil},
	{"\x1b&", "ESC &", "define own characters", 0, userCharacters, nil},
	{"\x1b?", "ESC ?", "drop own characters", 3, nil, nil},
	{"\x1bA", "ESC A", "line spacing of impact printers", 3, nil, nil},
	{"\x1bB", "ESC B", "buzzer of some clones", 4, nil, nil},
	{"\x1bK", "ESC K", "feed back", 3, nil, nil},
	{"\x1be", "ESC e", "feed lines back", 3, nil, nil},
	{"\x1bc", "ESC c", "paper sensors and panel keys", 4, nil, nil},
	{"\x1bf", "ESC f", "wait for a slip", 4, nil, nil},
	{"\x1b(", "ESC (", "buzzer (A) and others, by its length", 0, counted(3, 2), nil},
	{"\x1c&", "FS &", "two-byte characters on", 2, nil, nil},
	{"\x1c.", "FS .", "two-byte characters off", 2, nil, nil},
	{"\x1c!", "FS !", "mode of two-byte characters", 3, nil, nil},
	{"\x1c-", "FS -", "underline of two-byte characters", 3, nil, nil},
	{"\x1cC", "FS C", "code of two-byte characters", 3, nil, nil},
	{"\x1cW", "FS W", "size of two-byte characters", 3, nil, nil},
	{"\x1cS", "FS S", "space around two-byte characters", 4, nil, nil},
	{"\x1c?", "FS ?", "drop own two-byte characters", 4, nil, nil},
	{"\x1c2", "FS 2", "define a two-byte character", 76, nil, nil},
	{"\x1cg", "FS g", "read and write memory", 0, storedMemory, nil},
	{"\x1c(", "FS (", "by its length", 0, counted(3, 2), nil},
	{"\x1d(", "GS (", "test print (A), settings (E), response (D) and others, by its length", 0,
		counted(3, 2), nil},
	{"\x1d8", "GS 8", "by its length of four bytes", 0, counted(3, 4), nil},
	{"\x1dv", "GS v", "raster image of an unknown kind", 0, raster, nil},
	{"\x1dC", "GS C", "counters", 0, counter, nil},
	{"\x1dc", "GS c", "print the counter", 2, nil, nil},
	{"\x1dQ", "GS Q", "image in a variable place", 0, raster, nil},
	{"\x1dE", "GS E", "print quality", 3, nil, nil},
	{"\x1dT", "GS T", "go to the start of the line", 3, nil, nil},
	{"\x1db", "GS b", "smooth characters", 3, nil, nil},
	{"\x1dj", "GS j", "ink status", 3, nil, nil},
	{"\x1dz", "GS z 0", "waiting times", 5, nil, nil},
	{"\x1dg", "GS g", "maintenance counters", 6, nil, nil},
}
