package evdev

import (
	"encoding/binary"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// An event is the time of day, 16 bytes, its type, a code and a value.
const (
	eventBytes   = 24
	eventsAtOnce = 64
)

// Types, codes and values of events.
const (
	typeSync = 0
	typeKey  = 1

	syncReport  = 0
	syncDropped = 3

	keyUp     = 0
	keyDown   = 1
	keyRepeat = 2 // a key that is held; a scanner holds none
)

// Keys that type nothing by themselves, or the same in every country.
const (
	keyTab        = 15
	keyEnter      = 28
	keyLeftCtrl   = 29
	keyLeftShift  = 42
	keyRightShift = 54
	keyLeftAlt    = 56
	keyCapsLock   = 58
	keyF8         = 66
	keyPadEnter   = 96
	keyRightCtrl  = 97
	keyAltGr      = 100
)

// groupSeparator is what scanners that type it on F8 mean by that.
const groupSeparator = 0x1D

// keypad are the keys of the number block. Scanners mean the numbers.
var keypad = map[uint16]byte{
	55: '*', 71: '7', 72: '8', 73: '9', 74: '-', 75: '4', 76: '5', 77: '6', 78: '+',
	79: '1', 80: '2', 81: '3', 82: '0', 83: '.', 98: '/',
}

// spoiled is typed in place of what is not known. It makes a frame garbage.
const spoiled = 0

// maxAltDigits is how many digits make a character by its number.
const maxAltDigits = 4

type event struct {
	kind  uint16
	code  uint16
	value int32
}

// decode reads the event that b begins with.
func decode(b []byte) event {
	return event{
		binary.NativeEndian.Uint16(b[16:]), binary.NativeEndian.Uint16(b[18:]),
		int32(binary.NativeEndian.Uint32(b[20:])),
	}
}

// typist turns events into the characters that they type.
type typist struct {
	layout Layout
	out    []byte

	down map[uint16]bool // of the keys that change what others type
	caps bool
	dead rune   // an accent that waits for its letter
	alt  []byte // digits of a character that is typed by its number
	// dropped says that events are missing up to the next report.
	dropped bool
}

// typed takes what was typed since it was asked last.
func (t *typist) typed() []byte {
	out := t.out
	t.out = nil
	return out
}

// forget drops what is half typed. The function tells which keys are down.
func (t *typist) forget(isDown func(code uint16) bool) {
	t.dead, t.alt = 0, nil
	t.down = make(map[uint16]bool)
	for _, code := range []uint16{
		keyLeftCtrl, keyRightCtrl, keyLeftShift, keyRightShift, keyLeftAlt, keyAltGr,
	} {
		t.down[code] = isDown(code)
	}
}

// take takes an event. It reports whether events were lost before it, so that
// the keys must be looked at.
func (t *typist) take(e event) (lost bool) {
	switch {
	case e.kind == typeSync && e.code == syncDropped:
		t.dropped = true
	case t.dropped:
		if e.kind == typeSync && e.code == syncReport {
			t.dropped = false
			t.out = append(t.out, spoiled)
			return true
		}
	case e.kind == typeKey && e.value == keyDown:
		t.press(e.code)
	case e.kind == typeKey && e.value == keyUp:
		t.release(e.code)
	}
	return false
}

func (t *typist) release(code uint16) {
	if _, ok := t.down[code]; ok {
		t.down[code] = false
	}
	if code == keyLeftAlt && len(t.alt) > 0 {
		t.write(byNumber(t.alt))
		t.alt = nil
	}
}

func (t *typist) press(code uint16) {
	if _, ok := t.down[code]; ok {
		t.down[code] = true
		return
	}
	digit, onPad := keypad[code]
	switch {
	case code == keyCapsLock:
		t.caps = !t.caps
	case code == keyEnter, code == keyPadEnter:
		t.write('\r')
	case code == keyTab:
		t.write('\t')
	case code == keyF8:
		t.write(groupSeparator)
	case onPad && t.down[keyLeftAlt]:
		if t.alt = append(t.alt, digit); len(t.alt) > maxAltDigits {
			t.alt = t.alt[:maxAltDigits]
		}
	case onPad:
		t.write(rune(digit))
	case t.down[keyLeftCtrl] || t.down[keyRightCtrl]:
		t.control(code)
	default:
		t.character(code)
	}
}

// character types what a key stands for in the layout.
func (t *typist) character(code uint16) {
	signs, ok := t.layout.keys[code]
	if !ok {
		return // no key of a text, such as an arrow
	}
	shift := t.down[keyLeftShift] || t.down[keyRightShift]
	if t.caps && !t.down[keyAltGr] && unicode.IsLetter(signs[plain].char) {
		shift = !shift
	}
	level := plain
	if shift {
		level |= shifted
	}
	if t.down[keyAltGr] {
		level |= altGr
	}
	s := signs[level]
	switch {
	case s.char == 0:
		t.write(spoiled)
	case !s.dead:
		t.write(s.char)
	case t.dead == 0:
		t.dead = s.char
	default: // the second accent stands for the first, and waits itself
		first := t.dead
		t.dead = 0
		t.write(accents[first])
		if first != s.char {
			t.dead = s.char
		}
	}
}

// control types a control character: what stands on the key, less its upper
// bits. Where the country has no such sign on it, the scanner means the key of
// the US keyboard.
func (t *typist) control(code uint16) {
	own, us := t.layout.keys[code], usLayout().keys[code]
	for _, s := range []sign{own[plain], us[plain], us[shifted]} {
		if c := unicode.ToUpper(s.char); '@' <= c && c <= '_' {
			t.write(c &^ 0x40)
			return
		}
	}
	t.write(spoiled)
}

// write types a character, on the accent that waits for it.
func (t *typist) write(c rune) {
	accent := t.dead
	t.dead = 0
	switch {
	case accent == 0:
	case c == ' ':
		c = accents[accent]
	default:
		both := norm.NFC.String(string([]rune{c, accent}))
		if composed, n := utf8.DecodeRuneInString(both); n == len(both) {
			c = composed
		} else {
			t.out = utf8.AppendRune(t.out, accents[accent])
		}
	}
	t.out = utf8.AppendRune(t.out, c)
}

// byNumber gives the character of a number that was typed with Alt: of code
// page 1252 if it begins with a zero, else of 437, which are ASCII below 128.
func byNumber(digits []byte) rune {
	n := 0
	for _, d := range digits {
		if d < '0' || d > '9' {
			return spoiled
		}
		n = n*10 + int(d-'0')
	}
	switch {
	case n > 255:
		return spoiled
	case n < 0x80:
		return rune(n)
	case digits[0] == '0':
		return charmap.Windows1252.DecodeByte(byte(n))
	}
	return charmap.CodePage437.DecodeByte(byte(n))
}
