package zpl

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// printable leaves what a printer may set: composed characters and single
// spaces. Control characters become spaces; marks that turn the direction of
// text are dropped, because they could reorder a price.
func printable(text string) string {
	var b strings.Builder
	count := 0
	for _, r := range norm.NFC.String(strings.ToValidUTF8(text, "?")) {
		if count++; count > maxText {
			break
		}
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			b.WriteByte(' ')
		case unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r):
		default:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

const points = "..."

// set breaks a text into lines that surely fit, and cuts off what is too much. A
// printer could break lines too, but sets those that are too many on top of each
// other.
func set(text string, size, width, lines int) []string {
	var out []string
	words := strings.Fields(text)
	for len(words) > 0 && len(out) < lines {
		line, rest := firstLine(words, size, width)
		out = append(out, line)
		words = rest
	}
	if len(words) > 0 && len(out) > 0 {
		last := []rune(out[len(out)-1])
		for len(last) > 0 && wide(string(last)+points, size) > width {
			last = last[:len(last)-1]
		}
		out[len(out)-1] = strings.TrimRight(string(last), " ") + points
	}
	return out
}

// firstLine takes a line from words; a word that is too long is broken.
func firstLine(words []string, size, width int) (line string, rest []string) {
	line = words[0]
	if wide(line, size) > width {
		runes := []rune(line)
		n := len(runes) - 1
		for n > 1 && wide(string(runes[:n]), size) > width {
			n--
		}
		if n < 1 {
			return line, words[1:] // one character that is too wide
		}
		return string(runes[:n]), append([]string{string(runes[n:])}, words[1:]...)
	}
	for rest = words[1:]; len(rest) > 0; rest = rest[1:] {
		longer := line + " " + rest[0]
		if wide(longer, size) > width {
			break
		}
		line = longer
	}
	return line, rest
}

// wide is how wide a text is at most, in dots, in the printer's scalable font.
func wide(text string, size int) int {
	tenths := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune("iljI.,:;'!|", r):
			tenths += 4
		case strings.ContainsRune("mwMW@%—…", r):
			tenths += 9
		case r < 0x250 && unicode.IsUpper(r):
			tenths += 7
		case r < 0x250:
			tenths += 6
		default:
			tenths += 10
		}
	}
	return tenths * size / 10
}

// largest gives the largest size of several at which a text fits into lines.
func largest(text string, width, lines int, sizes ...int) int {
	for _, size := range sizes {
		plain := set(printable(text), size, width, lines)
		if len(plain) == 0 || !strings.HasSuffix(plain[len(plain)-1], points) {
			return size
		}
	}
	return sizes[len(sizes)-1]
}
