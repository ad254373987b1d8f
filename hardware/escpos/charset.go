package escpos

import (
	"strings"
	"unicode"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// unprintable stands for a character that has no spelling in the code page.
const unprintable = "?"

// printable spells text with characters of code page 1252 alone. Letters lose
// accents that the page lacks, other scripts are transliterated, and what is
// left shows as a question mark. Only marks without ink are dropped, such as
// text direction, because they could reorder a price.
func printable(text string) string {
	var b strings.Builder
	for _, r := range norm.NFC.String(strings.ToValidUTF8(text, unprintable)) {
		b.WriteString(spelled(r))
	}
	return b.String()
}

func spelled(r rune) string {
	switch {
	case r >= ' ' && r < 0x7f:
		return string(r)
	case unicode.IsSpace(r) || unicode.Is(unicode.Zs, r):
		return " "
	case unicode.IsControl(r):
		return unprintable
	case unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r):
		return ""
	}
	if onPage(r) {
		return string(r)
	}
	if s, ok := spellings[r]; ok {
		return s
	}
	return decomposed(r)
}

func onPage(r rune) bool {
	b, ok := charmap.Windows1252.EncodeRune(r)
	return ok && b >= ' ' && b != 0x7f
}

// decomposed keeps what the page has of a composed character.
func decomposed(r rune) string {
	parts := norm.NFKD.String(string(r))
	if parts == string(r) {
		if unicode.Is(unicode.Mn, r) {
			return ""
		}
		return unprintable
	}
	var b strings.Builder
	for _, part := range parts {
		switch {
		case unicode.Is(unicode.Mn, part):
		case onPage(part):
			b.WriteRune(part)
		default:
			if s, ok := spellings[part]; ok {
				b.WriteString(s)
			} else {
				b.WriteString(unprintable)
			}
		}
	}
	return b.String()
}

// paged gives the bytes of a printable text in code page 1252.
func paged(text string) []byte {
	page := make([]byte, 0, len(text))
	for _, r := range text {
		b, ok := charmap.Windows1252.EncodeRune(r)
		if !ok || b < ' ' || b == 0x7f {
			b = unprintable[0]
		}
		page = append(page, b)
	}
	return page
}

// spellings are for letters that have no decomposition: Latin, then Greek in
// the manner of ISO 843, then Cyrillic as English passports write it.
var spellings = map[rune]string{
	'Đ': "D", 'đ': "d", 'Ħ': "H", 'ħ': "h", 'ı': "i", 'ĸ': "k", 'Ł': "L", 'ł': "l", 'Ŋ': "Ng",
	'ŋ': "ng", 'Ŧ': "T", 'ŧ': "t", 'ẞ': "SS", 'ə': "e", 'Ə': "E", 'ſ': "s",
	'‐': "-", '‑': "-", '‒': "-", '―': "-", '−': "-", '⁄': "/", '∕': "/", '′': "'", '″': "\"",
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
