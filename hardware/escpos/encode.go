package escpos

import (
	"strings"

	"holdfast.dev/hardware/receipt"
)

// Commands, named as in the ESC/POS command reference.
const (
	lf         = "\x0a"
	initialize = "\x1b@"         // ESC @
	kanjiOff   = "\x1c."         // FS . ; Chinese models start with it on
	codePage   = "\x1bt"         // ESC t n
	setUSA     = "\x1bR\x00"     // ESC R 0: brackets stay brackets
	centred    = "\x1ba\x01"     // ESC a 1
	bold       = "\x1bE"         // ESC E n
	underline  = "\x1b-"         // ESC - n: dots
	inverse    = "\x1dB"         // GS B n
	size       = "\x1d!"         // GS ! n: high nibble width-1, low nibble height-1
	feed       = "\x1bd"         // ESC d n: lines
	cut        = "\x1dV\x42\x00" // GS V 66 0: feed to the knife, cut
	raster     = "\x1dv0\x00"    // GS v 0 0 xL xH yL yH data: bytes and rows
	barHeight  = "\x1dh"         // GS h n: dots
	barModule  = "\x1dw"         // GS w n: dots per module
	barText    = "\x1dH\x02"     // GS H 2: content below
	barFont    = "\x1df\x00"     // GS f 0: font A
	barPrint   = "\x1dk"         // GS k m n data
	qrModel    = "\x1d(k\x04\x001A2\x00"
	qrModule   = "\x1d(k\x03\x001C"
	qrLevelM   = "\x1d(k\x03\x001E1"
	qrPrint    = "\x1d(k\x03\x001Q0"
	kickDrawer = "\x1bp"     // ESC p m t1 t2
	kickPulse  = "\x19\xfa"  // 50 ms on, at least 500 ms off, in units of 2 ms
	tearFeed   = "\x1bd\x04" // to tear the paper off where there is no knife
)

// maxCommand is the longest command that Encode writes: a printer that lost a
// connection in the middle of one waits for at most so many bytes.
const maxCommand = 1024

// barcodes are the m of GS k, form B.
var barcodes = map[receipt.Kind]byte{
	receipt.UPCA: 65, receipt.EAN13: 67, receipt.EAN8: 68, receipt.Code39: 69, receipt.ITF: 70,
	receipt.Code128: 73,
}

// Encode gives the bytes that print the document on a printer. Every byte below
// 20 and every 7F in them is part of a command; none comes from a text.
func Encode(d receipt.Document, p Profile) ([]byte, error) {
	pieces, err := receipt.Compose(d, p.Paper())
	if err != nil {
		return nil, err
	}
	w := &writer{profile: p, charset: p.Charset(), out: make([]byte, 0, 64*len(pieces)+256)}
	// All lines are padded to the document's width and centred, so that 42
	// columns stand in the middle of a printer that has 48.
	w.str(initialize + kanjiOff + codePage)
	w.out = append(w.out, p.Pages[0].Number)
	w.str(setUSA + centred)
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
		w.feed(piece.Lines)
	case receipt.Knife:
		if w.profile.NoCutter {
			w.str(tearFeed)
		} else {
			w.str(cut)
		}
	case receipt.Pulse:
		w.str(kick(piece.Drawer))
	}
}

func kick(drawer int) string { return kickDrawer + string(rune(drawer-1)) + kickPulse }

func (w *writer) feed(lines int) {
	w.str(feed)
	w.out = append(w.out, byte(lines))
}

// style switches what is different from the characters before.
func (w *writer) style(s receipt.Style) {
	w.toggle(bold, w.now.Bold, s.Bold)
	w.toggle(underline, w.now.Underline, s.Underline)
	w.toggle(inverse, w.now.Inverse, s.Inverse)
	if s.Wide != w.now.Wide || s.Tall != w.now.Tall {
		w.str(size)
		w.out = append(w.out, byte(s.Wide-1)<<4|byte(s.Tall-1))
	}
	w.now = s
}

func (w *writer) toggle(command string, was, is bool) {
	switch {
	case is && !was:
		w.str(command + "\x01")
	case was && !is:
		w.str(command + "\x00")
	}
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
	stored := len(m.Content) + 3
	w.feed(1)
	w.str(qrModel + qrModule)
	w.out = append(w.out, byte(m.Module))
	w.str(qrLevelM)
	w.out = append(w.out, 0x1d, '(', 'k', byte(stored), byte(stored>>8), '1', 'P', '0')
	w.str(m.Content + qrPrint)
	w.feed(1)
}

func (w *writer) bars(b receipt.Bars) {
	data := b.Content
	if b.Kind == receipt.Code128 {
		// Set B alone: in set C pairs of digits would travel as control bytes.
		data = "{B" + strings.ReplaceAll(data, "{", "{{")
	}
	w.feed(1)
	w.str(barHeight)
	w.out = append(w.out, byte(b.Height))
	w.str(barModule)
	w.out = append(w.out, byte(b.Module))
	w.str(barText + barFont + barPrint)
	w.out = append(w.out, barcodes[b.Kind], byte(len(data)))
	w.str(data)
	w.feed(1)
}

// picture writes an image in slices, which print without a seam.
func (w *writer) picture(image receipt.Image) {
	stride := (image.Width + 7) / 8
	slice := min(255, (maxCommand-8)/stride)
	for top := 0; top < image.Height; top += slice {
		rows := min(slice, image.Height-top)
		w.str(raster)
		w.out = append(w.out, byte(stride), byte(stride>>8), byte(rows), byte(rows>>8))
		begin := len(w.out)
		for y := range rows {
			w.out = append(w.out, image.Row(top+y)...)
		}
		defuse(w.out[begin:])
	}
}

// defuse burns one dot more where dots would read as a real-time command, which
// printers obey also within an image: 10 04, 10 05 and 10 14.
func defuse(dots []byte) {
	for i := 1; i < len(dots); i++ {
		if dots[i-1] == 0x10 && (dots[i] == 0x04 || dots[i] == 0x05 || dots[i] == 0x14) {
			dots[i] |= 0x08
		}
	}
}
