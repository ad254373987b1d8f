package star

import (
	"strings"

	"holdfast.dev/hardware/receipt"
)

// Commands, named as in Star's manuals of Line mode and StarPRNT.
const (
	lf         = "\x0a"
	initialize = "\x1b@\x18"        // ESC @, CAN
	codePage   = "\x1b\x1dt"        // ESC GS t n
	centred    = "\x1b\x1da\x01"    // ESC GS a 1
	boldOn     = "\x1bE"            // ESC E
	boldOff    = "\x1bF"            // ESC F
	underline  = "\x1b-"            // ESC - n
	inverseOn  = "\x1b4"            // ESC 4
	inverseOff = "\x1b5"            // ESC 5
	size       = "\x1bi"            // ESC i n1 n2: height-1, width-1
	cut        = "\x1bd\x03"        // ESC d 3: feed to the knife, partial cut; ESC/POS feeds by it
	tearFeed   = "\n\n\n\n"         // to tear the paper off where there is no knife
	barcode    = "\x1bb"            // ESC b n1 n2 n3 n4 data RS
	barEnd     = "\x1e"             // RS
	qrModel2   = "\x1b\x1dyS0\x02"  // ESC GS y S 0 n
	qrLevelM   = "\x1b\x1dyS1\x01"  // ESC GS y S 1 n
	qrModule   = "\x1b\x1dyS2"      // ESC GS y S 2 n
	qrStore    = "\x1b\x1dyD1\x00"  // ESC GS y D 1 0 nL nH data
	qrPrint    = "\x1b\x1dyP"       // ESC GS y P
	rasterPRNT = "\x1b\x1dS\x01"    // ESC GS S 1 xL xH yL yH 0 data: StarPRNT only
	tight      = "\x1b0"            // ESC 0: lines of 24 dots
	loose      = "\x1bz\x01"        // ESC z 1: usual lines
	rasterLine = "\x1bk"            // ESC k nL nH data: 24 rows; Line mode
	pulse      = "\x1b\x07\x14\x14" // ESC BEL n1 n2: 200 ms on and off, in units of 10 ms
	kick1      = "\x07"             // BEL
	kick2      = "\x1a"             // SUB
	maxTimes   = 6                  // how much larger a character can be
	maxCommand = 2048               // the longest command that Encode writes
	stripe     = 24                 // rows of ESC k
)

// barcodes are the n1 of ESC b.
var barcodes = map[receipt.Kind]byte{
	receipt.UPCA: 1, receipt.EAN8: 2, receipt.EAN13: 3, receipt.Code39: 4, receipt.ITF: 5,
	receipt.Code128: 6,
}

// Encode gives the bytes that print the document on a printer. Every byte below
// 20 and every 7F in them is part of a command; none comes from a text.
func Encode(d receipt.Document, p Profile) ([]byte, error) {
	pieces, err := receipt.Compose(d, p.Paper())
	if err != nil {
		return nil, err
	}
	w := &writer{profile: p, charset: p.Charset(), out: make([]byte, 0, 64*len(pieces)+256)}
	w.str(initialize + codePage)
	w.out = append(w.out, p.Pages[0].Number)
	w.str(loose + centred)
	w.now = receipt.Style{Wide: 1, Tall: 1}
	for _, piece := range pieces {
		w.piece(piece)
	}
	return w.out, nil
}

type writer struct {
	profile Profile
	charset receipt.Charset
	out     []byte
	page    int
	now     receipt.Style
}

func (w *writer) str(s string) { w.out = append(w.out, s...) }

func (w *writer) piece(piece receipt.Piece) {
	switch piece := piece.(type) {
	case receipt.TextLine:
		for _, run := range piece.Runs {
			w.style(run.Style)
			w.text(run.Text)
		}
		w.str(lf)
	case receipt.Picture:
		w.picture(piece.Image)
	case receipt.Matrix:
		w.matrix(piece)
	case receipt.Bars:
		w.bars(piece)
	case receipt.Blank:
		w.plain()
		w.str(strings.Repeat(lf, piece.Lines))
	case receipt.Knife:
		w.plain()
		if w.profile.NoCutter {
			w.str(tearFeed)
		} else {
			w.str(cut)
		}
	case receipt.Pulse:
		w.str(kick(piece.Drawer))
	}
}

func kick(drawer int) string {
	if drawer == 2 {
		return pulse + kick2
	}
	return pulse + kick1
}

// plain ends large letters, whose lines would be high.
func (w *writer) plain() { w.style(receipt.Style{Wide: 1, Tall: 1}) }

// style switches what is different from the characters before.
func (w *writer) style(s receipt.Style) {
	s.Wide, s.Tall = min(s.Wide, maxTimes), min(s.Tall, maxTimes)
	if s.Bold != w.now.Bold {
		w.str(choose(s.Bold, boldOn, boldOff))
	}
	if s.Underline != w.now.Underline {
		w.str(underline + choose(s.Underline, "\x01", "\x00"))
	}
	if s.Inverse != w.now.Inverse {
		w.str(choose(s.Inverse, inverseOn, inverseOff))
	}
	if s.Wide != w.now.Wide || s.Tall != w.now.Tall {
		w.str(size)
		w.out = append(w.out, byte(s.Tall-1), byte(s.Wide-1))
	}
	w.now = s
}

func choose(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// text writes characters of the charset and changes the page where it must.
func (w *writer) text(text string) {
	for _, r := range text {
		if r < 0x7f {
			w.out = append(w.out, byte(r))
			continue
		}
		page, b, ok := w.charset.Find(r, w.page)
		if !ok {
			b = '?'
		} else if page != w.page {
			w.page = page
			w.str(codePage)
			w.out = append(w.out, w.profile.Pages[page].Number)
		}
		w.out = append(w.out, b)
	}
}

func (w *writer) matrix(m receipt.Matrix) {
	w.plain()
	w.str(lf + qrModel2 + qrLevelM + qrModule)
	w.out = append(w.out, byte(m.Module))
	w.str(qrStore)
	w.out = append(w.out, byte(len(m.Content)), byte(len(m.Content)>>8))
	w.str(m.Content + qrPrint + lf)
}

func (w *writer) bars(b receipt.Bars) {
	data := b.Content
	if b.Kind == receipt.Code128 {
		data = strings.ReplaceAll(data, "%", "%0") // the sign leads functions
	}
	w.plain()
	w.str(lf + barcode)
	// n2: 2 writes the content below and feeds.
	w.out = append(w.out, barcodes[b.Kind], 2, mode(b.Kind, b.Module), byte(b.Height))
	w.str(data + barEnd + lf)
}

// mode is n3 of ESC b for modules of 2 or 3 dots.
func mode(kind receipt.Kind, module int) byte {
	switch {
	case kind == receipt.ITF && module == 3:
		return 8
	case kind == receipt.Code39:
		return byte(module + 2)
	}
	return byte(module - 1)
}

func (w *writer) picture(image receipt.Image) {
	w.plain()
	stride := (image.Width + 7) / 8
	if w.profile.Language == PRNT {
		slice := min(255, (maxCommand-9)/stride)
		for top := 0; top < image.Height; top += slice {
			rows := min(slice, image.Height-top)
			w.str(rasterPRNT)
			w.out = append(w.out, byte(stride), byte(stride>>8), byte(rows), byte(rows>>8), 0)
			w.rows(image, top, rows)
		}
		return
	}
	w.str(tight)
	for top := 0; top < image.Height; top += stripe {
		rows := min(stripe, image.Height-top)
		w.str(rasterLine)
		w.out = append(w.out, byte(stride), byte(stride>>8))
		w.rows(image, top, rows)
		w.out = append(w.out, make([]byte, stride*(stripe-rows))...)
		w.str(lf)
	}
	w.str(loose)
}

// rows writes dots. One more is burnt where they would read as a real-time
// command (1B 06), which printers may obey also within an image.
func (w *writer) rows(image receipt.Image, top, rows int) {
	begin := len(w.out)
	for y := range rows {
		w.out = append(w.out, image.Row(top+y)...)
	}
	dots := w.out[begin:]
	for i := 1; i < len(dots); i++ {
		if dots[i-1] == 0x1b && dots[i] == 0x06 {
			dots[i] |= 0x08
		}
	}
}
