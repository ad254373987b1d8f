package printer

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// glass is a customer display of two lines of twenty, as its manuals tell it.
type glass struct {
	cells         [2][20]rune
	x, y          int
	mode          int // 1 overwrite, 2 vertical, 3 horizontal scroll
	blink         int // ms; -1: off
	bright        int // of 4
	bottom, reset bool
	scrolled      string
	unknown       []byte
}

func newGlass() *glass {
	g := &glass{}
	g.clear()
	g.mode, g.bright = 1, 4
	return g
}

func (g *glass) clear() {
	for y := range g.cells {
		for x := range g.cells[y] {
			g.cells[y][x] = ' '
		}
	}
	g.x, g.y = 0, 0
}

func (g *glass) line(y int) string { return strings.TrimRight(string(g.cells[y][:]), " ") }

func (g *glass) put(b byte) {
	g.cells[g.y][g.x] = rune(b)
	if g.x++; g.x == 20 {
		g.x, g.y = 0, 1-g.y
	}
}

func (g *glass) goTo(x, y byte) {
	if x >= 1 && x <= 20 && y >= 1 && y <= 2 {
		g.x, g.y = int(x)-1, int(y)-1
	}
}

// control does a code of one byte that both languages have.
func (g *glass) control(b byte) {
	switch b {
	case 0x08:
		g.x = max(0, g.x-1)
	case 0x09:
		g.x = min(19, g.x+1)
	case 0x0a:
		g.y = 1 - g.y
	case 0x0b:
		g.x, g.y = 0, 0
	case 0x0c:
		g.clear()
	case 0x0d:
		g.x = 0
	case 0x18:
		for x := range g.cells[g.y] {
			g.cells[g.y][x] = ' '
		}
		g.x = 0
	default:
		g.unknown = append(g.unknown, b)
	}
}

// epson reads bytes in the language of DM-D displays.
func (g *glass) epson(in []byte) {
	for i := 0; i < len(in); i++ {
		rest := in[i:]
		arg := func(n int) byte {
			if n < len(rest) {
				return rest[n]
			}
			return 0
		}
		switch {
		case rest[0] == 0x1b && arg(1) == '@':
			*g = *newGlass()
			g.reset = true
			i++
		case rest[0] == 0x1b && strings.IndexByte("tR=", arg(1)) >= 0:
			i += 2
		case rest[0] == 0x1f && arg(1) >= 1 && arg(1) <= 3:
			g.mode = int(arg(1))
			i++
		case rest[0] == 0x1f && arg(1) == '$':
			g.goTo(arg(2), arg(3))
			i += 3
		case rest[0] == 0x1f && arg(1) == 'B':
			g.y, g.bottom = 1, true
			i++
		case rest[0] == 0x1f && arg(1) == 'E':
			if g.blink = 50 * int(arg(2)); arg(2) == 0xff {
				g.blink = -1
			}
			i += 2
		case rest[0] == 0x1f && arg(1) == 'X':
			g.bright = int(arg(2))
			i += 2
		case rest[0] == 0x1f && strings.IndexByte("Cr.,;", arg(1)) >= 0:
			i += 2
		case rest[0] == 0x1f && arg(1) == 'T':
			i += 3
		case rest[0] == 0x1f:
			i++
		case rest[0] < ' ':
			g.control(rest[0])
		default:
			g.put(rest[0])
		}
	}
}

// cd5220 reads bytes in the language of CD5220 displays.
func (g *glass) cd5220(in []byte) {
	for i := 0; i < len(in); i++ {
		rest := in[i:]
		switch {
		case rest[0] == 0x1b && len(rest) > 2 && rest[1] == 'Q':
			text, _, _ := bytes.Cut(rest[3:], []byte{0x0d})
			g.show(rest[2], text)
			i += 3 + len(text)
		case rest[0] == 0x1b && len(rest) > 1 && rest[1] >= 0x11 && rest[1] <= 0x13:
			g.mode = int(rest[1]-0x11) + 1
			i++
		case rest[0] == 0x1b && len(rest) > 2 && rest[1] == '*':
			g.bright = int(rest[2])
			i += 2
		case rest[0] == 0x1b && len(rest) > 3 && rest[1] == 'l':
			g.goTo(rest[2], rest[3])
			i += 3
		case rest[0] == 0x1b && len(rest) > 1 && rest[1] == '@':
			*g = *newGlass()
			g.reset = true
			i++
		case rest[0] == 0x1b && len(rest) > 1 && rest[1] == 'W':
			i += 4
		case rest[0] == 0x1b && len(rest) > 2:
			i += 2
		case rest[0] < ' ':
			g.control(rest[0])
		default:
			g.put(rest[0])
		}
	}
}

func (g *glass) show(which byte, text []byte) {
	y := map[byte]int{'A': 0, 'B': 1, 'D': 0}[which]
	g.x, g.y = 0, y
	g.control(0x18)
	if which == 'D' {
		g.scrolled = string(text)
	}
	for i, b := range text[:min(20, len(text))] {
		g.cells[y][i] = rune(b)
	}
}

// displayClaims are read of the bytes after something was shown before.
var displayClaims = []struct {
	words *regexp.Regexp
	check func(g *glass, said []string) error
}{
	{regexp.MustCompile(`(?i)initialised|cleared, overwrite`), func(g *glass, _ []string) error {
		return is(g.reset && g.mode == 1 && g.x == 0 && g.y == 0 && g.line(0)+g.line(1) == "",
			"%+v", g)
	}},
	{regexp.MustCompile(`(?i)all 40 cells blank|clear screen`), func(g *glass, _ []string) error {
		return wants("what is shown", g.line(0)+g.line(1), "")
	}},
	{regexp.MustCompile(`cursor home|cursor at 1,1`), func(g *glass, _ []string) error {
		return wants("cursor", fmt.Sprint(g.x+1, g.y+1), "1 1")
	}},
	{regexp.MustCompile(`cursor to column (\d+), row (\d)`), func(g *glass, said []string) error {
		return wants("cursor", fmt.Sprint(g.x+1, g.y+1), said[1]+" "+said[2])
	}},
	{regexp.MustCompile(`out of range.*ignored`), func(g *glass, _ []string) error {
		return wants("cursor", fmt.Sprint(g.x+1, g.y+1), "4 2") // where it stood
	}},
	{regexp.MustCompile(`(?i)^(?:current )?(?:clear )?line (?:cleared|/)|clear line`),
		func(g *glass, _ []string) error {
			return is(g.line(1) == "" && g.line(0) != "" && g.x == 0, "shows %q %q", g.line(0),
				g.line(1))
		}},
	{regexp.MustCompile(`cursor to the bottom line`), func(g *glass, _ []string) error {
		return is(g.y == 1 && g.bottom, "cursor in line %d", g.y+1)
	}},
	{regexp.MustCompile(`blink every (\d+) ms`), func(g *glass, said []string) error {
		return wants("blink", g.blink, number(said[1]))
	}},
	{regexp.MustCompile(`^display off`), func(g *glass, _ []string) error {
		return wants("blink", g.blink, -1)
	}},
	{regexp.MustCompile(`^overwrite mode`), func(g *glass, _ []string) error {
		return wants("mode", g.mode, 1)
	}},
	{regexp.MustCompile(`^vertical scroll mode`), func(g *glass, _ []string) error {
		return wants("mode", g.mode, 2)
	}},
	{regexp.MustCompile(`^horizontal scroll mode`), func(g *glass, _ []string) error {
		return wants("mode", g.mode, 3)
	}},
	{regexp.MustCompile(`full brightness|100 ?%`), func(g *glass, _ []string) error {
		return wants("brightness", g.bright, 4)
	}},
	{regexp.MustCompile(`brightness (\d+) ?%`), func(g *glass, said []string) error {
		return wants("brightness", map[int]int{1: 20, 2: 40, 3: 60, 4: 100}[g.bright],
			number(said[1]))
	}},
	{regexp.MustCompile(`row (\d) "([^"]+)"`), func(g *glass, said []string) error {
		return wants("row "+said[1], g.line(number(said[1])-1), said[2])
	}},
	{regexp.MustCompile(`row (\d) price at columns (\d+)-(\d+)`),
		func(g *glass, said []string) error {
			cells := string(g.cells[number(said[1])-1][:])
			from, to := number(said[2])-1, number(said[3])
			return is(strings.Trim(cells[:from]+cells[to:], " ") == "" &&
				strings.ContainsAny(cells[from:to], "0123456789"),
				"row %q", cells)
		}},
}

// checkDisplay checks bytes that a host sends to a customer display.
func (r row) checkDisplay(t *testing.T) {
	g := newGlass()
	g.epson([]byte("before\x1f$\x01\x02abc")) // something to clear, and a cursor at column 4 of row 2
	if r.area == "DISPLAY-CD5220" {
		g.cd5220(r.bytes)
	} else {
		g.epson(r.bytes)
	}
	if len(g.unknown) > 0 {
		t.Errorf("codes that no display has: % X", g.unknown)
	}
	for _, c := range displayClaims {
		if said := c.words.FindStringSubmatch(r.expected); said != nil {
			if err := c.check(g, said); err != nil {
				t.Errorf("%q: %v", said[0], err)
			}
		}
	}
	text := regexp.MustCompile(`ESC Q ([ABD]) "([^"]+)"`).FindStringSubmatch(r.meaning)
	if text == nil {
		return
	}
	row := map[string]int{"A": 0, "B": 1, "D": 0}[text[1]]
	want := strings.TrimRight(text[2][:min(20, len(text[2]))], " ")
	if got := g.line(row); got != want {
		t.Errorf("row %d shows %q, want %q", row+1, got, want)
	}
	if upper := strings.Contains(r.expected, "upper"); strings.Contains(r.expected, " line") &&
		upper != (row == 0) {
		t.Errorf("%q went to row %d", r.expected, row+1)
	}
}

// lockerSum is the last byte of a frame: the sum of all before it.
func lockerSum(frame []byte) (sum byte) {
	for _, b := range frame {
		sum += b
	}
	return sum
}

// checkLocker checks a frame of KERONG CU16 boards.
func (r row) checkLocker(t *testing.T) {
	f := r.bytes
	if len(f) < 5 || f[0] != 0x02 {
		t.Fatalf("% X is not a frame", f)
	}
	if got := lockerSum(f[:len(f)-1]); got != f[len(f)-1] && !strings.Contains(r.all(), "wrong") &&
		!strings.Contains(r.all(), "bad") && !strings.Contains(r.all(), "error") {
		t.Errorf("sum %02X, want %02X", f[len(f)-1], got)
	}
	words := r.meaning + "; " + r.expected
	if r.dir == "host>dev" {
		r.checkLockerOrder(t, words)
		return
	}
	if len(f) != 9 {
		t.Fatalf("answer of %d bytes", len(f))
	}
	closed := int(f[3]) | int(f[4])<<8
	if strings.Contains(words, "same meaning") { // as an answer with all locks closed
		words += "; all 16 locks closed"
	}
	if said := regexp.MustCompile(`all (\d+) locks closed`).FindStringSubmatch(words); said != nil && closed != 1<<number(said[1])-1 {
		t.Errorf("locks %016b", closed)
	}
	for _, said := range regexp.MustCompile(`(?:lock|door) (\d+) (?:is )?(open|closed)`).FindAllStringSubmatch(words, -1) {
		if got := closed>>(number(said[1])-1)&1 == 1; got != (said[2] == "closed") {
			t.Errorf("lock %s is closed: %v", said[1], got)
		}
	}
	if said := regexp.MustCompile(`= ?([0-9A-F]{3})h`).FindStringSubmatch(words); said != nil {
		sum := 0
		for _, b := range f[:8] {
			sum += int(b)
		}
		if fmt.Sprintf("%03X", sum) != said[1] {
			t.Errorf("sum %03X, want %s", sum, said[1])
		}
	}
}

func (r row) checkLockerOrder(t *testing.T, words string) {
	f := r.bytes
	if len(f) != 5 || f[3] != 0x03 {
		t.Fatalf("% X is not an order", f)
	}
	if said := regexp.MustCompile(`lock (\d+) of board (\d+)`).FindStringSubmatch(words); said != nil {
		if lock, board := int(f[1]&0x0f)+1, int(f[1]>>4); lock != number(said[1]) ||
			board != number(said[2]) || f[2] != 0x31 {
			t.Errorf("order %02X for lock %d of board %d", f[2], lock, board)
		}
	}
	if said := regexp.MustCompile(`status, board (\d+)`).FindStringSubmatch(words); said != nil {
		if f[2] != 0x30 || int(f[1]>>4) != number(said[1]) {
			t.Errorf("order %02X for board %d", f[2], f[1]>>4)
		}
	}
	for word, order := range map[string]byte{"all boards": 0x32, "open all": 0x33} {
		if strings.Contains(words, word) && f[2] != order {
			t.Errorf("order %02X, want %02X", f[2], order)
		}
	}
}
