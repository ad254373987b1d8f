package scanner

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An event is 24 bytes: seconds, microseconds, type, code, value. A report is
// one key's event and the one that ends it.
const (
	eventBytes  = 24
	reportBytes = 2 * eventBytes
)

// Types of events.
const (
	eventSync = 0
	eventKey  = 1
)

// Keys of all countries.
const (
	codeEnter = 28
	codeTab   = 15
	codeCtrl  = 29
	codeShift = 42
	codeAlt   = 56
	codeSpace = 57
	codeAltGr = 100
)

// The keys that type, as their rows lie under the hands: the digits; the rows
// below with the key at the right end of the middle one; the bottom row from
// the key beside Shift to the right.
var rows = [][]uint16{
	{41, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13},
	{16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27},
	{30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 43},
	{86, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53},
}

// keyboard is how a country's keyboard is printed: the rows alone, with Shift
// and with AltGr. A blank is a key that has nothing there.
type keyboard struct {
	alone, shift, altGr [4]string
	dead                string // characters that wait for the next one
}

// keyboards are the countries that a scanner can be set to.
var keyboards = map[string]keyboard{
	"us": {
		alone: [4]string{"`1234567890-=", "qwertyuiop[]", "asdfghjkl;'\\", " zxcvbnm,./"},
		shift: [4]string{"~!@#$%^&*()_+", "QWERTYUIOP{}", "ASDFGHJKL:\"|", " ZXCVBNM<>?"},
	},
	"de": {
		alone: [4]string{"^1234567890ß´", "qwertzuiopü+", "asdfghjklöä#", "<yxcvbnm,.-"},
		shift: [4]string{"°!\"§$%&/()=?`", "QWERTZUIOPÜ*", "ASDFGHJKLÖÄ'", ">YXCVBNM;:_"},
		altGr: [4]string{"  ²³   {[]}\\ ", "@ €        ~", "            ", "|      µ   "},
		dead:  "^´`",
	},
	"dk": {
		alone: [4]string{"½1234567890+´", "qwertyuiopå¨", "asdfghjklæø'", "<zxcvbnm,.-"},
		shift: [4]string{"§!\"#¤%&/()=?`", "QWERTYUIOPÅ^", "ASDFGHJKLÆØ*", ">ZXCVBNM;:_"},
		altGr: [4]string{"  @£$  {[]} |", "  €        ~", "            ", "\\      µ   "},
		dead:  "´`¨^~",
	},
	"nl": {
		alone: [4]string{"@1234567890/°", "qwertyuiop¨*", "asdfghjkl+´<", "]zxcvbnm,.-"},
		shift: [4]string{"§!\"#$%&_()'?~", "QWERTYUIOP^|", "ASDFGHJKL±`>", "[ZXCVBNM;:="},
		altGr: [4]string{"¬¹²³¼½¾£{} \\¸", "  €¶        ", " ß          ", "¦«»¢   µ · "},
		dead:  "~¸¨^´`",
	},
}

func keyboardOf(country string) (keyboard, error) {
	if country == "" {
		country = "us"
	}
	k, ok := keyboards[country]
	if !ok {
		return keyboard{}, fmt.Errorf("country %q is none of de, dk, nl, us", country)
	}
	return k, nil
}

// stroke is one key with what is held down meanwhile.
type stroke struct {
	code uint16
	held []uint16
}

// strokes gives what types a character; nil if the keyboard has no such key.
func (k keyboard) strokes(c rune) []stroke {
	switch {
	case c == '\r', c == '\n':
		return []stroke{{codeEnter, nil}}
	case c == '\t':
		return []stroke{{codeTab, nil}}
	case c == ' ':
		return []stroke{{codeSpace, nil}}
	case c < ' ': // such as GS: Ctrl with the key that a US keyboard has it on
		at := keyboards["us"].find(c | 0x40)
		return []stroke{{at[0].code, []uint16{codeCtrl}}}
	case c == 0x7F:
		return nil
	}
	found := k.find(c)
	if found != nil && strings.ContainsRune(k.dead, c) {
		found = append(found, stroke{codeSpace, nil})
	}
	return found
}

// find gives the key of a printed character.
func (k keyboard) find(c rune) []stroke {
	for _, level := range []struct {
		printed [4]string
		held    []uint16
	}{{k.alone, nil}, {k.shift, []uint16{codeShift}}, {k.altGr, []uint16{codeAltGr}}} {
		for row, printed := range level.printed {
			if at := slices.Index([]rune(printed), c); at >= 0 && c != ' ' {
				return []stroke{{rows[row][at], level.held}}
			}
		}
	}
	return nil
}

// Keys gives the events of a text that is typed on a country's keyboard. A
// character that has no key is typed by its number, with Alt on the number
// block, as far as there is such a character in Windows' code page 1252.
func Keys(country, text string) ([]byte, error) {
	k, err := keyboardOf(country)
	if err != nil {
		return nil, err
	}
	return k.events(text)
}

func (k keyboard) events(text string) ([]byte, error) {
	var out []byte
	for _, c := range text {
		strokes := k.strokes(c)
		if strokes == nil {
			if c > 0xFF || 0x80 <= c && c < 0xA0 {
				return nil, fmt.Errorf("no key types %q", c)
			}
			out = append(out, byNumber(c)...)
			continue
		}
		for _, s := range strokes {
			for _, held := range s.held {
				out = append(out, report(held, 1)...)
			}
			out = append(out, report(s.code, 1)...)
			out = append(out, report(s.code, 0)...)
			for _, held := range s.held {
				out = append(out, report(held, 0)...)
			}
		}
	}
	return out, nil
}

// pad are the keys of the number block.
var pad = [10]uint16{82, 79, 80, 81, 75, 76, 77, 71, 72, 73}

// byNumber types a character with Alt and four digits.
func byNumber(c rune) []byte {
	out := report(codeAlt, 1)
	for _, digit := range fmt.Sprintf("%04d", c) {
		out = append(out, report(pad[digit-'0'], 1)...)
		out = append(out, report(pad[digit-'0'], 0)...)
	}
	return append(out, report(codeAlt, 0)...)
}

// report gives the events of one key that goes down, 1, or up, 0.
func report(code uint16, value int32) []byte {
	return append(event(eventKey, code, value), event(eventSync, 0, 0)...)
}

func event(kind, code uint16, value int32) []byte {
	b := make([]byte, eventBytes)
	now := time.Now()
	binary.NativeEndian.PutUint64(b, uint64(now.Unix()))
	binary.NativeEndian.PutUint64(b[8:], uint64(now.Nanosecond()/1000))
	binary.NativeEndian.PutUint16(b[16:], kind)
	binary.NativeEndian.PutUint16(b[18:], code)
	binary.NativeEndian.PutUint32(b[20:], uint32(value))
	return b
}

// typeSymbol types a symbol. A USB cable checks what it carries, so nothing is
// damaged on it.
func (s *Scanner) typeSymbol(ctx context.Context, symbol Symbol, t faultsOnce) error {
	text := s.opts.Prefix
	if s.opts.SendAIM {
		text += symbol.AIM
	}
	events, err := s.layout.events(text + symbol.Code + s.opts.Suffix)
	if err != nil {
		return err
	}
	if t.garbage {
		junk, err := s.layout.events("\x01\x02" + s.opts.Suffix)
		if err == nil {
			err = s.transmit(ctx, junk, faultsOnce{})
		}
		if err != nil {
			return err
		}
	}
	t.damage = false
	return s.out(ctx, piece{events, symbol}, t)
}
