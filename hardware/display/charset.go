package display

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// spellings are for signs that have no decomposition and that not every page
// has.
var spellings = map[rune]string{
	'€': "EUR", '“': "\"", '”': "\"", '„': "\"", '‘': "'", '’': "'", '‚': ",", '–': "-", '—': "-",
	'⁄': "/", '…': "...", '•': "*", '×': "x", '−': "-", 'ø': "o", 'Ø': "O",
	'œ': "oe", 'Œ': "OE", 'ł': "l",
	'Ł': "L", 'đ': "d", 'Đ': "D", 'ı': "i", 'ß': "ss", 'æ': "ae", 'Æ': "AE", 'þ': "th", 'ð': "d",
}

// paged gives the bytes of a text in the display's code page. Letters lose
// accents that the page lacks; what is left shows as a question mark. No byte
// is below 20, so that no text becomes a command.
func (d *Display) paged(text string) []byte {
	var out []byte
	for _, r := range norm.NFC.String(strings.ToValidUTF8(text, "?")) {
		out = append(out, d.spelled(r)...)
	}
	return out
}

func (d *Display) spelled(r rune) []byte {
	switch {
	case unicode.IsSpace(r):
		return []byte{' '}
	case unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Mn, r):
		return nil // without ink; a text direction could reorder a price
	}
	if b, ok := d.cell(r); ok {
		return []byte{b}
	}
	if s, ok := spellings[r]; ok {
		return []byte(s)
	}
	var out []byte
	parts := norm.NFKD.String(string(r))
	if strings.ContainsRune(parts, '⁄') {
		out = append(out, ' ') // 2⅓ must not become 21/3
	}
	for _, part := range parts {
		b, ok := d.cell(part)
		switch s := spellings[part]; {
		case ok:
			out = append(out, b)
		case s != "":
			out = append(out, s...)
		case !unicode.Is(unicode.Mn, part):
			return []byte{'?'} // half a character could be another number
		}
	}
	if len(out) == 0 {
		return []byte{'?'}
	}
	return out
}

// cell gives the byte that shows a character, if the page has it.
func (d *Display) cell(r rune) (byte, bool) {
	b, ok := d.page.EncodeRune(r)
	return b, ok && b >= ' ' && b != 0x7f
}
