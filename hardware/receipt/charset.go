package receipt

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// unprintable stands for a character that has no spelling in the charset.
const unprintable = "?"

// spell writes text with characters of the charset alone. Letters lose accents
// that it lacks, other scripts are transliterated, and what is left shows as a
// question mark. Only marks without ink are dropped, such as text direction,
// because they could reorder a price.
func (c Charset) spell(text string) string {
	if plain(text) {
		return text
	}
	text = strings.ToValidUTF8(text, unprintable)
	if !norm.NFC.IsNormalString(text) {
		text = norm.NFC.String(text)
	}
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		c.spellRune(&b, r)
	}
	return b.String()
}

// plain tells whether every byte is ASCII with ink, or a blank.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > 0x7e {
			return false
		}
	}
	return true
}

func (c Charset) spellRune(b *strings.Builder, r rune) {
	switch {
	case r >= ' ' && r < 0x7f:
		b.WriteByte(byte(r))
	case r > 0xa0 && r < 0x250 && r != 0xad && c.has(r): // letters of Europe, the usual case
		b.WriteRune(r)
	case unicode.IsSpace(r) || unicode.Is(unicode.Zs, r):
		b.WriteByte(' ')
	case unicode.IsControl(r):
		b.WriteString(unprintable)
	case unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r):
	case c.has(r):
		b.WriteRune(r)
	default:
		c.transliterate(b, r)
	}
}

// transliterate writes a character that the charset lacks.
func (c Charset) transliterate(b *strings.Builder, r rune) {
	if s, ok := spellings[r]; ok {
		b.WriteString(c.known(s))
		return
	}
	parts := norm.NFKD.String(string(r))
	if parts == string(r) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteString(unprintable)
		}
		return
	}
	for _, part := range parts {
		switch s, ok := spellings[part]; {
		case unicode.Is(unicode.Mn, part):
		case c.has(part):
			b.WriteRune(part)
		case ok:
			b.WriteString(c.known(s))
		default:
			b.WriteString(unprintable)
		}
	}
}

// known spells what the charset lacks of a spelling as well.
func (c Charset) known(spelling string) string {
	if plain(spelling) {
		return spelling
	}
	var b strings.Builder
	for _, r := range spelling {
		if c.has(r) {
			b.WriteRune(r)
		} else if s := spellings[r]; s != "" && plain(s) {
			b.WriteString(s)
		} else {
			b.WriteString(unprintable)
		}
	}
	return b.String()
}

// spellings are for letters that have no decomposition, and for what western
// texts need on a page without it: Latin and signs, then Greek in the manner of
// ISO 843, then Cyrillic as English passports write it.
var spellings = map[rune]string{
	'Đ': "D", 'đ': "d", 'Ħ': "H", 'ħ': "h", 'ı': "i", 'ĸ': "k", 'Ł': "L", 'ł': "l", 'Ŋ': "Ng",
	'ŋ': "ng", 'Ŧ': "T", 'ŧ': "t", 'ẞ': "SS", 'ə': "e", 'Ə': "E", 'ſ': "s",
	'‐': "-", '‑': "-", '‒': "-", '―': "-", '−': "-", '⁄': "/", '∕': "/", '′': "'", '″': "\"",
	'€': "EUR", '£': "GBP", '¥': "JPY", '¢': "c", 'ƒ': "f", '©': "(c)", '®': "(R)", '™': "(TM)",
	'æ': "ae", 'Æ': "AE", 'ø': "oe", 'Ø': "OE", 'å': "aa", 'Å': "AA", 'œ': "oe", 'Œ': "OE", 'ß': "ss",
	'ð': "d", 'Ð': "D", 'þ': "th", 'Þ': "Th", '×': "x", '÷': ":", '±': "+-", '·': "-", '•': "*",
	'“': "\"", '”': "\"", '„': "\"", '‘': "'", '’': "'", '‚': "'", '«': "\"", '»': "\"", '‹': "'", '›': "'",
	'–': "-", '—': "-", '…': "...", '¡': "!", '¿': "?", '°': "o", '´': "'", '¨': "\"", '¸': ",", '§': "S",
	'¶': "P", '¦': "|", '¬': "-", '†': "+", '‡': "+", '‰': "o/oo", '¤': "*", '¯': "-", 'ª': "a", 'º': "o",
	'‛': "'", '‟': "\"", '→': "->", '←': "<-", '≤': "<=", '≥': ">=", '≈': "~", '≠': "!=", '√': "v",
	'✓': "v", '✔': "v", '✗': "x", '✘': "x", '★': "*", '☆': "*", '●': "•", '○': "o", '■': "•",
	'₤': "£", '₺': "TRY", '₽': "RUB", '₴': "UAH", '₹': "INR", '฿': "THB", '₩': "KRW", '₪': "ILS",

	'Α': "A", 'Β': "V", 'Γ': "G", 'Δ': "D", 'Ε': "E", 'Ζ': "Z", 'Η': "I", 'Θ': "Th", 'Ι': "I",
	'Κ': "K", 'Λ': "L", 'Μ': "M", 'Ν': "N", 'Ξ': "X", 'Ο': "O", 'Π': "P", 'Ρ': "R", 'Σ': "S",
	'Τ': "T", 'Υ': "Y", 'Φ': "F", 'Χ': "Ch", 'Ψ': "Ps", 'Ω': "O",
	'α': "a", 'β': "v", 'γ': "g", 'δ': "d", 'ε': "e", 'ζ': "z", 'η': "i", 'θ': "th", 'ι': "i",
	'κ': "k", 'λ': "l", 'μ': "m", 'ν': "n", 'ξ': "x", 'ο': "o", 'π': "p", 'ρ': "r", 'σ': "s",
	'ς': "s", 'τ': "t", 'υ': "y", 'φ': "f", 'χ': "ch", 'ψ': "ps", 'ω': "o",

	'А': "A", 'Б': "B", 'В': "V", 'Г': "G", 'Д': "D", 'Е': "E", 'Ж': "Zh", 'З': "Z", 'И': "I",
	'Й': "I", 'К': "K", 'Л': "L", 'М': "M", 'Н': "N", 'О': "O", 'П': "P", 'Р': "R", 'С': "S",
	'Т': "T", 'У': "U", 'Ф': "F", 'Х': "Kh", 'Ц': "Ts", 'Ч': "Ch", 'Ш': "Sh", 'Щ': "Shch",
	'Ъ': "'", 'Ы': "Y", 'Ь': "'", 'Э': "E", 'Ю': "Yu", 'Я': "Ya", 'Ё': "Yo", 'Є': "Ye", 'І': "I",
	'Ї': "Yi", 'Ґ': "G", 'Ђ': "Dj", 'Ј': "J", 'Љ': "Lj", 'Њ': "Nj", 'Ћ': "C", 'Џ': "Dz",
	'а': "a", 'б': "b", 'в': "v", 'г': "g", 'д': "d", 'е': "e", 'ж': "zh", 'з': "z", 'и': "i",
	'й': "i", 'к': "k", 'л': "l", 'м': "m", 'н': "n", 'о': "o", 'п': "p", 'р': "r", 'с': "s",
	'т': "t", 'у': "u", 'ф': "f", 'х': "kh", 'ц': "ts", 'ч': "ch", 'ш': "sh", 'щ': "shch",
	'ъ': "'", 'ы': "y", 'ь': "'", 'э': "e", 'ю': "yu", 'я': "ya", 'ё': "yo", 'є': "ye", 'і': "i",
	'ї': "yi", 'ґ': "g", 'ђ': "dj", 'ј': "j", 'љ': "lj", 'њ': "nj", 'ћ': "c", 'џ': "dz",
}
