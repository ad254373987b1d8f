package barcode

import (
	"bytes"
	"time"
	"unicode"
	"unicode/utf8"

	"holdfast.dev/hardware"
)

// garbageBytes is how much of a frame that is no symbol is worth keeping.
const garbageBytes = 64

// Control characters that frame symbols or belong to them.
const (
	stx = 0x02
	etx = 0x03
	eot = 0x04 // ends an ISO 15434 message
	ack = 0x06
	nak = 0x15
	tab = '\t'
	lf  = '\n'
	cr  = '\r'
	del = 0x7F
	// Separators of ISO 15434 and, GS, of GS1.
	fileSeparator = 0x1C
	unitSeparator = 0x1F
)

// framer cuts a stream of bytes into reads. It has no clock: the same bytes
// and gaps give the same reads, however they were cut into chunks.
type framer struct {
	cfg     Config
	deliver func(hardware.Read)

	frame    []byte
	previous byte
	overrun  bool // the frame is longer than MaxFrame; the rest of it is dropped
}

// push takes the next byte of the stream, which came in at this time.
func (f *framer) push(b byte, at time.Time) {
	switch {
	case len(f.frame) == 0 && f.leads(b):
	case f.cfg.Suffix == ETX && b == stx: // the frame before has lost its end
		f.finish(at, true)
	case f.ends(b):
		if f.cfg.Suffix == CRLF || f.cfg.Suffix == LF {
			f.frame = bytes.TrimSuffix(f.frame, []byte{cr})
		}
		f.finish(at, false)
	case len(f.frame) > f.longest(): // one more than fits leaves room for the CR of a CR LF
		f.overrun = true
	default:
		f.frame = append(f.frame, b)
	}
	f.previous = b
}

// gap says that nothing came for a while after the last byte at this time.
func (f *framer) gap(last time.Time) { f.finish(last, f.cfg.Suffix != Silent) }

// leads tells whether b, before a frame, is no part of any.
func (f *framer) leads(b byte) bool {
	switch b {
	case cr, lf: // the rest of an end, or an empty frame
		return true
	case stx:
		return f.cfg.Suffix == ETX
	}
	return f.ends(b)
}

// ends tells whether b ends the frame.
func (f *framer) ends(b byte) bool {
	switch f.cfg.Suffix {
	case Auto:
		return b == cr || b == lf
	case CR:
		return b == cr
	case LF:
		return b == lf
	case CRLF:
		return b == lf && f.previous == cr
	case TAB:
		return b == tab
	case ETX:
		return b == etx
	}
	return false
}

// longest is how many bytes a frame may have.
func (f *framer) longest() int { return f.cfg.MaxFrame + len(f.cfg.Prefix) }

// finish delivers the frame as a symbol, or as garbage if it cannot be one.
func (f *framer) finish(at time.Time, torn bool) {
	frame, overrun := f.frame, f.overrun || len(f.frame) > f.longest()
	f.frame, f.overrun = nil, false
	if len(frame) == 0 {
		return
	}
	aim, data, ok := f.cfg.content(frame)
	if torn || overrun || !ok || !plausible(data) {
		f.deliver(hardware.Read{Data: frame[:min(len(frame), garbageBytes)], At: at, Garbage: true})
		return
	}
	f.deliver(hardware.Read{Data: data, AIM: aim, At: at})
}

// content takes off a frame what the scanner has put before the symbol. It is
// not ok if something is missing that is always sent.
func (c Config) content(frame []byte) (aim string, data []byte, ok bool) {
	data, ok = bytes.CutPrefix(frame, []byte(c.Prefix))
	if !ok {
		return "", frame, false
	}
	if c.AIM != AIMNever {
		if aim, data = SplitAIM(data); aim != "" {
			return aim, data, true
		}
	}
	longest := ""
	for id := range c.CodeIDs {
		if len(id) > len(longest) && bytes.HasPrefix(data, []byte(id)) {
			longest = id
		}
	}
	aim = c.CodeIDs[longest]
	return aim, data[len(longest):], c.AIM != AIMAlways || aim != ""
}

// SplitAIM takes a symbology identifier off a frame: a bracket, a letter for
// the symbology and a letter or digit for its options (ISO/IEC 15424).
func SplitAIM(frame []byte) (aim string, data []byte) {
	if len(frame) < 3 || frame[0] != ']' || !letter(frame[1]) ||
		!letter(frame[2]) && !digit(frame[2]) {
		return "", frame
	}
	return string(frame[:3]), frame[3:]
}

// plausible tells whether bytes can be the content of a symbol: text in UTF-8
// or ISO 8859-1 with a letter or a digit in it, and no control characters but
// those that structure symbols.
func plausible(data []byte) bool {
	text := utf8.Valid(data)
	readable, high := false, 0
	for _, r := range decode(data, text) {
		switch {
		case r < ' ' && !structures(r), del <= r && r < 0xA0, r == utf8.RuneError:
			return false
		case r >= 0xA0:
			high++
		}
		readable = readable || unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	// Latin letters beyond ASCII are few in a text; noise has as many as not.
	return readable && (text || high*4 <= len(data))
}

func decode(data []byte, isUTF8 bool) []rune {
	if isUTF8 {
		return []rune(string(data))
	}
	runes := make([]rune, len(data))
	for i, b := range data {
		runes[i] = rune(b)
	}
	return runes
}

func structures(r rune) bool {
	return r == tab || r == lf || r == cr || r == eot || fileSeparator <= r && r <= unitSeparator
}

func letter(b byte) bool { return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' }

func digit(b byte) bool { return '0' <= b && b <= '9' }
