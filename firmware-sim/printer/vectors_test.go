package printer

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// row is one line of a file of vectors: bytes and, in words, what they do.
type row struct {
	id, area, dir  string
	bytes          []byte
	meaning        string
	expected, note string
}

// all is what a row says in words.
func (r row) all() string { return r.meaning + "; " + r.expected + "; " + r.note }

// TestVectors runs the rows of the file that ESCPOS_VECTORS names, and the
// project's own ones. A row is read by the rules of its area: what its words
// claim is compared with what the simulated printer, the drivers or a reader of
// the neighbouring protocols make of its bytes.
func TestVectors(t *testing.T) {
	rows := readRows(t, "testdata/facts.tsv")
	if path := os.Getenv("ESCPOS_VECTORS"); path != "" {
		rows = append(rows, readRows(t, path)...)
	}
	for _, r := range rows {
		t.Run(r.id, func(t *testing.T) { r.check(t) })
	}
}

func readRows(t *testing.T, path string) (rows []row) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "\t")
		if len(cells) < 6 || strings.HasPrefix(cells[0], "#") || cells[0] == "id" {
			continue
		}
		cells = append(cells, "")
		b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(cells[3]), " ", ""))
		if err != nil {
			t.Fatalf("%s: row %s: %v", path, cells[0], err)
		}
		rows = append(rows, row{id: cells[0], area: cells[1], dir: cells[2], bytes: b,
			meaning:  cells[4],
			expected: cells[5], note: cells[6]})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no rows", path)
	}
	return rows
}

// check runs the rules of the row's area.
func (r row) check(t *testing.T) {
	t.Helper()
	said := r.dir == "dev>host"
	area, _, _ := strings.Cut(r.area, "-")
	switch {
	case strings.HasPrefix(r.area, "DISPLAY"):
		r.checkDisplay(t)
	case area == "LOCKER":
		r.checkLocker(t)
	case area == "SCALE":
		r.checkScale(t)
	case area == "ZPL":
		r.checkLabel(t)
	case area == "STAR" && said:
		r.checkStarAnswer(t)
	case area == "STAR":
		r.checkStar(t)
	case said:
		r.checkAnswer(t)
	default:
		r.checkPrint(t)
	}
}

// bench is a printer whose every step a test sees.
type bench struct {
	*machine
	chars []placed
	lines []printedLine
	clock time.Time
}

// placed is a character as it came into the line.
type placed struct {
	char  rune
	x     int // in the print area
	style settings
	cell  *bitmap
	line  int // lines printed before it
}

// printedLine is what one step added to the paper.
type printedLine struct {
	picture *bitmap
	align   byte
	upside  bool
	margin  int
}

var testFaces = func() [2]face {
	faces, err := loadFaces()
	if err != nil {
		panic(err)
	}
	return faces
}()

func newBench(lang *language) *bench {
	b := &bench{machine: newMachine(testFaces, 576, 0), clock: time.Unix(1e9, 0)}
	b.machine.lang = lang
	b.machine.powerUp()
	return b
}

// feed sends bytes one by one and notes what each of them did.
func (b *bench) feed(bytes []byte) {
	for i := range bytes {
		before, rows, style := len(b.line), len(b.strip.rows), b.set
		var last *bitmap
		if before > 0 {
			last = b.line[before-1].picture
		}
		b.receive(bytes[i:i+1], b.clock)
		b.step(b.clock)
		if added := len(b.strip.rows) - rows; added > 0 {
			b.lines = append(b.lines, printedLine{dotsOf(b.strip, rows, added), style.align,
				style.upside, style.margin})
		}
		if n := len(b.line); n > 0 && b.line[n-1].picture != last && b.line[n-1].picture.width > 0 {
			g := b.line[n-1]
			b.chars = append(b.chars, placed{g.char, g.x, b.set, g.picture, len(b.lines)})
		}
	}
}

func dotsOf(s *strip, from, count int) *bitmap {
	b := newBitmap(s.width, count)
	for y, row := range s.rows[from : from+count] {
		copy(b.dots[y*b.stride:], row)
	}
	return b
}

// text is the transcript of all that was printed, cut or not.
func (b *bench) text() string {
	var all strings.Builder
	for _, c := range b.cuts {
		all.WriteString(c.text)
	}
	return all.String() + b.strip.text(len(b.strip.rows)+1)
}

// texts are its lines with ink.
func (b *bench) texts() (lines []string) {
	for line := range strings.Lines(b.text()) {
		if line = strings.TrimRight(line, "\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// warnings are all flags that came up.
func (b *bench) warnings() string {
	var all []string
	for _, m := range b.strip.marks {
		if m.warning {
			all = append(all, m.text)
		}
	}
	for _, c := range b.cuts {
		all = append(all, c.warnings...)
	}
	return strings.Join(all, "\n")
}

// symbols are the contents of the codes that were printed.
func (b *bench) symbolTexts() (all []string) {
	for _, c := range b.cuts {
		all = append(all, c.symbols...)
	}
	for _, m := range b.strip.marks {
		if m.symbol != "" {
			all = append(all, m.symbol)
		}
	}
	return all
}

// names are the commands that were carried out.
func (b *bench) names() map[string]bool {
	all := make(map[string]bool)
	for _, c := range b.cuts {
		for _, p := range c.done {
			all[p.Name] = true
		}
	}
	for _, p := range b.strip.done {
		all[p.Name] = true
	}
	return all
}

// inkOf is the box around the dots of a picture: left, top, right, bottom.
func inkOf(b *bitmap) (left, top, right, bottom int, any bool) {
	left, top = b.width, b.height
	for y := range b.height {
		for x := range b.width {
			if b.at(x, y) {
				left, right = min(left, x), max(right, x+1)
				top, bottom = min(top, y), max(bottom, y+1)
				any = true
			}
		}
	}
	return left, top, right, bottom, any
}

// claim is a rule: words and what they mean.
type claim struct {
	words *regexp.Regexp
	check func(h *heard, said []string) error
}

// heard is a row with what came of its bytes.
type heard struct {
	row
	*bench
}

func rule(words string, check func(h *heard, said []string) error) claim {
	return claim{regexp.MustCompile(words), check}
}

// holds checks all claims that a text makes, each as often as it is made.
func (h *heard) holds(t *testing.T, claims []claim, text string) (made int) {
	t.Helper()
	for _, c := range claims {
		for _, said := range c.words.FindAllStringSubmatch(text, -1) {
			made++
			if err := c.check(h, said); err != nil {
				t.Errorf("%q: %v", said[0], err)
			}
		}
	}
	return made
}

// wants is an error unless two values are equal.
func wants[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}

func is(truth bool, what string, args ...any) error {
	if !truth {
		return fmt.Errorf(what, args...)
	}
	return nil
}
