package receipt

import (
	"strings"
	"unicode/utf8"
)

const minShared = 8 // columns that a sharing cell keeps while others can give way

// fitted is the width that each cell gets, in columns.
func fitted(cells []Cell, width int) []int {
	widths := make([]int, len(cells))
	left, sharing := width-(len(cells)-1), 0
	for i, c := range cells {
		switch {
		case c.Width == Fit:
			widths[i] = max(1, utf8.RuneCountInString(c.Text))
		case c.Width == 0:
			sharing++
		default:
			widths[i] = c.Width
		}
		left -= widths[i]
	}
	for least := sharing * min(minShared, width/len(cells)); left < least; left++ {
		if !narrow(widths) {
			break
		}
	}
	share(cells, widths, left, sharing)
	return widths
}

// narrow takes one column from the widest cell; false if none can give one.
func narrow(widths []int) bool {
	widest := 0
	for i, w := range widths {
		if w > widths[widest] {
			widest = i
		}
	}
	if widths[widest] <= 1 {
		return false
	}
	widths[widest]--
	return true
}

// share gives what is left to the sharing cells, or to the first one if none shares.
func share(cells []Cell, widths []int, left, sharing int) {
	if sharing == 0 {
		widths[0] += max(0, left)
		return
	}
	for i, c := range cells {
		if c.Width != 0 {
			continue
		}
		widths[i] = left / sharing
		left -= widths[i]
		sharing--
	}
}

// wrapped cuts a printable text into lines of at most width runes, at spaces if it can.
func wrapped(text string, width int) []string {
	text = strings.TrimRight(text, " ")
	if utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	var lines []string
	rest := []rune(text)
	for len(rest) > width {
		at := width
		for at > 0 && rest[at] != ' ' {
			at--
		}
		if at == 0 || strings.TrimSpace(string(rest[:at])) == "" {
			at = width // one long word
		}
		lines = append(lines, strings.TrimRight(string(rest[:at]), " "))
		for at < len(rest) && rest[at] == ' ' {
			at++
		}
		rest = rest[at:]
	}
	return append(lines, string(rest))
}

// padded fills a text of at most width runes up to exactly width.
func padded(text string, width int, align Align) string {
	blank := max(0, width-utf8.RuneCountInString(text))
	before := 0
	switch align {
	case Centre:
		before = blank / 2
	case Right:
		before = blank
	}
	return strings.Repeat(" ", before) + text + strings.Repeat(" ", blank-before)
}

// rowLines sets the cells beside each other; each line has exactly width runes.
func rowLines(cells []Cell, width int) []string {
	widths := fitted(cells, width)
	columns := make([][]string, len(cells))
	height := 0
	for i, c := range cells {
		columns[i] = wrapped(c.Text, widths[i])
		height = max(height, len(columns[i]))
	}
	lines := make([]string, height)
	for y := range lines {
		parts := make([]string, len(cells))
		for i, c := range cells {
			text := ""
			if y < len(columns[i]) {
				text = columns[i][y]
			}
			parts[i] = padded(text, widths[i], c.Align)
		}
		lines[y] = strings.Join(parts, " ")
	}
	return lines
}
