package printer

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// fence makes a printer that is in step say so.
const fence = "\x1d(H\x06\x0000sync"

// checkPrint checks bytes that a host sends to an ESC/POS printer.
func (r row) checkPrint(t *testing.T) {
	h := &heard{r, newBench(escposLanguage)}
	r.arrange(h.bench)
	h.feed(r.bytes)
	if h.unknown != 0 && r.area != "ROBUST" && !strings.Contains(r.all(), "nknown") {
		t.Errorf("%d unknown commands: %s", h.unknown, h.warnings())
	}
	if !strings.Contains(r.all(), "waits for more") && !swallows(r.all()) {
		h.carriedOutWhatIsNamed(t)
	}
	h.holds(t, quotedClaims, r.expected)
	h.holds(t, paperClaims, r.expected)
	h.holds(t, styleClaims, r.expected)
	h.holds(t, answerClaims, r.expected)
	h.holds(t, noteClaims, r.note)
	switch r.area {
	case "BARCODE":
		h.holds(t, barcodeClaims, r.expected+"; "+r.note)
	case "QR", "PDF417":
		h.holds(t, symbolClaims, r.expected)
	case "RASTER", "GRAPHICS":
		h.holds(t, rasterClaims, r.expected)
	case "DRAWER":
		h.holds(t, drawerClaims, r.expected)
	}
	h.staysInStep(t)
}

// arrange brings the printer into the state that a row speaks of.
func (r row) arrange(b *bench) {
	switch {
	case r.area == "DLE-ENQ" || r.area == "DLE-DC4":
		b.jam, b.jammed = true, true // an error that a host may clear
		b.feed([]byte("waits in the buffer\n"))
	case strings.Contains(r.expected, "queue") && strings.Contains(r.expected, "offline"):
		b.cover = true
	}
}

var mnemonic = regexp.MustCompile(`\b(?:ESC|GS|FS|DLE) (?:\( |8 )?(?:SP\b|EOT\b|ENQ\b|DC4\b|[!-~])`)

// carriedOutWhatIsNamed checks that each command that the meaning names was seen.
func (h *heard) carriedOutWhatIsNamed(t *testing.T) {
	seen := h.names()
	for _, name := range mnemonic.FindAllString(h.meaning, -1) {
		found := seen[name]
		for full := range seen {
			found = found || strings.HasPrefix(full, name+" ")
		}
		if name == "ESC (" || name == "ESC ( A" || name == "GS ( A" {
			found = found || seen["ESC ("] || seen["GS ("]
		}
		if name == "DLE EOT" || name == "DLE ENQ" || name == "DLE DC4" {
			found = true // obeyed on entry, maybe without a trace
		}
		if !found {
			t.Errorf("%q was not carried out; carried out: %v", name, seen)
		}
	}
}

// swallows tells of a length that takes what follows for its data.
func swallows(words string) bool {
	return strings.Contains(words, "everything that follows") &&
		strings.Contains(words, "swallowed")
}

// staysInStep checks that the next job prints. Rows that end in the middle of a
// command, or drop what follows, say so.
func (h *heard) staysInStep(t *testing.T) {
	t.Helper()
	h.jam, h.jammed, h.cover, h.paperOut = false, false, false, false
	swallowed := swallows(h.all())
	waits := strings.Contains(h.all(), "waits for more") || strings.Contains(h.all(), "eaten")
	switch {
	case swallowed:
		h.feed([]byte("eaten\n" + fence))
		if strings.Contains(h.text(), "eaten") || bytes.Contains(h.out, []byte("sync")) {
			t.Error("what follows was not swallowed")
		}
		h.feed([]byte(clearCommand))
	case waits:
		h.feed([]byte("\x1b@\x1b@"))
		if h.names()["ESC @"] {
			if first := h.strip.done[0].Name; first == "ESC @" {
				t.Error("the first bytes of the next job were not eaten")
			}
		}
	}
	h.out = nil
	h.feed([]byte("\x1b=\x01\x1b@\nin step\n" + fence))
	if !strings.HasSuffix(h.text(), "in step\n") ||
		!bytes.HasSuffix(h.out, []byte("\x37\x22sync\x00")) {
		t.Errorf("out of step afterwards: %q, answers % X", h.text(), h.out)
	}
}

var quotedClaims = []claim{
	rule(`"([^"]+)"`, func(h *heard, said []string) error {
		shown := h.text() + h.warnings() + string(h.out)
		return is(strings.Contains(shown, said[1]), "printed and said %q", shown)
	}),
	rule(`\bAB was only in the line buffer`, func(h *heard, _ []string) error {
		return is(!strings.Contains(h.text(), "AB"), "printed %q", h.text())
	}),
}

// paperClaims are about lines, feeds and cuts.
var paperClaims = []claim{
	rule(`(?i)(feeds? |by )?\bone (?:printed )?line\b( spacing| feed)?`,
		func(h *heard, said []string) error {
			if said[1]+said[2] != "" {
				return nil // a distance
			}
			return wants("number of lines", len(h.texts()), 1)
		}),
	rule(`two printed lines: (\d+) \+ (\d+)`, func(h *heard, said []string) error {
		lines := h.texts()
		if err := wants("number of lines", len(lines), 2); err != nil {
			return err
		}
		return wants("their lengths", fmt.Sprint(utf8.RuneCountInString(lines[0]),
			utf8.RuneCountInString(lines[1])),
			said[1]+" "+said[2])
	}),
	// The row of a table that was seen says 48 and has 45 characters between
	// its ESC t and its LF. A printer can only print what is sent: compared is
	// that no character is lost and none is added.
	rule(`exactly (\d+) characters`, func(h *heard, _ []string) error {
		sent := bytes.TrimRight(h.bytes[3:], "\r\n")
		return wants("length", utf8.RuneCountInString(h.texts()[0]), len(sent))
	}),
	rule(`^(?:nothing (?:is )?printed|prints nothing)`, func(h *heard, _ []string) error {
		return is(len(h.texts()) == 0, "printed %q", h.text())
	}),
	rule(`with the DIP/memory switch auto LF on it prints`, func(h *heard, _ []string) error {
		b := newBench(escposLanguage)
		b.model.AutoLF = true
		b.feed(h.bytes)
		return is(len(b.texts()) > 0, "printed nothing")
	}),
	rule(`([A-Z]) at column (\d+)`, func(h *heard, said []string) error {
		return h.at(said[1], 12*(number(said[2])-1))
	}),
	rule(`"?([A-Za-z€])[^"]{0,8}"? (?:starts )?at dot (?:[\d+]+=)?(\d+)`,
		func(h *heard, said []string) error {
			return h.at(said[1], number(said[2]))
		}),
	rule(`(\d+) dots gap between ([A-Z]) and ([A-Z])`, func(h *heard, said []string) error {
		a, b := h.char(said[2]), h.char(said[3])
		if a == nil || b == nil {
			return fmt.Errorf("%s or %s was not printed", said[2], said[3])
		}
		return wants("gap", b.x-a.x-a.cell.width, number(said[1]))
	}),
	rule(`left margin (\d+) dots`, func(h *heard, said []string) error {
		return wants("margin", h.set.margin, number(said[1]))
	}),
	rule(`print area (\d+) dots`, func(h *heard, said []string) error {
		return wants("area", h.set.area, number(said[1]))
	}),
	rule(`\bfeed (\d+) lines`, func(h *heard, said []string) error {
		return wants("rows", len(h.strip.rows)-headToKnife, 30*number(said[1]))
	}),
	rule(`\bfeed (\d+) (?:dots|units|motion units)`, func(h *heard, said []string) error {
		return wants("rows", len(h.strip.rows)-headToKnife, number(said[1]))
	}),
	rule(`line spacing:? (\d+) (?:dots|units)`, func(h *heard, said []string) error {
		return wants("line spacing", h.set.spacing, number(said[1]))
	}),
	rule(`lines of font A touch`, func(h *heard, _ []string) error {
		return wants("height of a line", h.lines[0].picture.height, 24)
	}),
	rule(`\bfull cut\b`, func(h *heard, _ []string) error { return h.cutBy(fullCut) }),
	rule(`\bpartial cut\b`, func(h *heard, _ []string) error { return h.cutBy(partialCut) }),
	rule(`feed to (?:the )?cut(?:ting)? position`, func(h *heard, _ []string) error {
		return is(h.severed == 1 && len(h.cuts) == 0, "cut %d times",
			h.severed) // the paper that was fed is blank
	}),
	rule(`\bno cut\b`, func(h *heard, _ []string) error { return wants("cuts", h.severed, 0) }),
	rule(`same as ([0-9A-F]{2})h(?:$|[^-\w])`, func(h *heard, said []string) error {
		return h.sameWith(byte(unhex(said[1])[0]))
	}),
	rule(`same as ((?:[0-9A-F]{2} )+[0-9A-F]{2})\b`, func(h *heard, said []string) error {
		return h.sameAs(unhex(said[1]))
	}),
	rule(`(3[0-9A-F])h-(3[0-9A-F])h (?:mean|equal|are) the same|(3[0-9A-F])h[-/](3[0-9A-F])h equal`,
		func(h *heard, _ []string) error { return h.digitsEqualNumbers() }),
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func unhex(s string) []byte {
	b, _ := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	return b
}

// char is the first place of a character.
func (h *heard) char(s string) *placed {
	want, _ := utf8.DecodeRuneInString(s)
	for i := range h.chars {
		if h.chars[i].char == want {
			return &h.chars[i]
		}
	}
	return nil
}

func (h *heard) at(char string, dot int) error {
	p := h.char(char)
	if p == nil {
		return fmt.Errorf("%s was not printed", char)
	}
	return wants("place of "+char, p.x, dot)
}

// cutBy checks the last cut. What ESC i and ESC m cut differs between makers.
func (h *heard) cutBy(how knifeMove) error {
	if err := is(h.severed > 0, "no cut"); err != nil {
		return err
	}
	seen := h.names()
	if seen["ESC i"] || seen["ESC m"] {
		return nil
	}
	return wants("knife", h.knife, how)
}

// outcome is what matters of a run, to compare two.
func (b *bench) outcome() string {
	return fmt.Sprintf("%q % X %v %d %d %+v", b.text(), b.out, b.drawer.pulses, b.severed, b.knife,
		b.set)
}

// sameWith runs the bytes with another argument in place of a digit.
func (h *heard) sameWith(n byte) error {
	for i := 2; i < len(h.bytes); i++ {
		if h.bytes[i] == '0'+n {
			other := bytes.Clone(h.bytes)
			other[i] = n
			return h.sameAs(other)
		}
	}
	return fmt.Errorf("no argument %02X in % X", '0'+n, h.bytes)
}

func (h *heard) sameAs(other []byte) error {
	one, two := newBench(escposLanguage), newBench(escposLanguage)
	one.feed(h.bytes)
	two.feed(other)
	return wants("outcome", one.outcome(), two.outcome())
}

// digitsEqualNumbers runs the bytes with digits in place of the numbers 0 to 2.
func (h *heard) digitsEqualNumbers() error {
	other := bytes.Clone(h.bytes)
	for i := 2; i < len(other); i++ {
		lead := other[i-2] == esc || other[i-2] == gs
		if lead && other[i] <= 2 {
			other[i] += '0'
		}
	}
	one, two := newBench(escposLanguage), newBench(escposLanguage)
	one.feed(h.bytes)
	two.feed(other)
	return wants("text and ink", one.text()+dump(one.lines), two.text()+dump(two.lines))
}

func dump(lines []printedLine) string {
	var all strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&all, "%x ", l.picture.dots)
	}
	return all.String()
}

// answerClaims are about what the printer says.
var answerClaims = []claim{
	rule(`\b(?:answers?|reply) ((?:[0-9A-F]{2} )+[0-9A-F]{2})(?:$|[;,.)]|\s+[a-z(])`,
		func(h *heard, said []string) error {
			return wants("answer", fmt.Sprintf("% X", h.out), said[1])
		}),
	rule(`reply 5F <ASCII> 00`, func(h *heard, _ []string) error {
		return is(regexp.MustCompile("^\x5f[ -~]*\x00$").Match(h.out), "answer % X", h.out)
	}),
	rule(`reply 37 36 <`, func(h *heard, _ []string) error {
		return is(regexp.MustCompile("^76[0-9]+\x1f[0-9]+\x1f.*\x1f[12]\x00$").Match(h.out),
			"answer %q", h.out)
	}),
	rule(`\bone byte\b|^(?:one )?status byte sent`, func(h *heard, _ []string) error {
		return wants("bytes said", len(h.out), 1)
	}),
	rule(`bit 1 auto-?cutter fitted`, func(h *heard, _ []string) error {
		return is(len(h.out) == 1 && h.out[0]&2 != 0, "answer % X", h.out)
	}),
	rule(`^status byte sent`, func(h *heard, _ []string) error {
		return is(h.out[0]&0x93 == 0x12, "answer % X", h.out)
	}),
	rule(`\bno answer\b`, func(h *heard, _ []string) error {
		return is(len(h.out) == 0, "answer % X", h.out)
	}),
	rule(`answers the embedded DLE EOT`, func(h *heard, _ []string) error {
		return wants("answer", fmt.Sprintf("% X", h.out), "12")
	}),
	rule(`answered with paper status`, func(h *heard, _ []string) error {
		return wants("answer", fmt.Sprintf("% X", h.out), "00")
	}),
	rule(`current 4 bytes sent at once, later on every change`, func(h *heard, _ []string) error {
		first := len(h.out)
		h.cover = true
		h.feed([]byte("x"))
		h.cover = false
		return wants("bytes said", fmt.Sprint(first, len(h.out)), "4 8")
	}),
	rule(`ASB off`, func(h *heard, _ []string) error {
		h.out = nil
		h.cover = true
		h.step(h.clock)
		h.cover = false
		return is(len(h.out) == 0, "said % X", h.out)
	}),
	rule(`send basic ASB status now`, func(h *heard, _ []string) error {
		return is(len(h.out) == 4 && h.out[0]&0x93 == 0x10, "said % X", h.out)
	}),
	rule(`(?i)(?:both )?(?:receive and print )?buffers?(?: are)? cleared|CLEAR receive and print buffers`,
		func(h *heard, _ []string) error {
			h.jam, h.jammed = false, false
			h.step(h.clock)
			return is(!strings.Contains(h.text(), "waits"), "printed %q", h.text())
		}),
	rule(`(?i)resumes?|from the line`, func(h *heard, _ []string) error {
		if h.area != "DLE-ENQ" {
			return nil
		}
		h.jam, h.jammed = false, false
		h.step(h.clock)
		return is(strings.Contains(h.text(), "waits"), "printed %q", h.text())
	}),
}

var knownFlags = map[string]bool{"LINE_NOT_EMPTY": true, "BARCODE_INVALID": true,
	"BARCODE_TOO_WIDE": true,
	"UNKNOWN_COMMAND":  true, "COMMAND_TOO_LONG": true, "NO_GLYPH": true}

// noteClaims are what notes add.
var noteClaims = []claim{
	rule(`simulator flag (\w+)`, func(h *heard, said []string) error {
		if !knownFlags[said[1]] { // of another simulator: some warning must be there
			return is(h.warnings() != "", "no flag")
		}
		return is(strings.Contains(h.warnings(), said[1]), "flags: %s", h.warnings())
	}),
	rule(`^(\d) bytes$`, func(h *heard, said []string) error {
		return wants("bytes said", len(h.out), number(said[1]))
	}),
}

var drawerClaims = []claim{
	rule(`pin (\d)(?: for|,)? ?(\d+)? ?(?:ms)?`, func(h *heard, said []string) error {
		coil, ok := map[string]int{"2": 0, "5": 1}[said[1]]
		if !ok {
			return fmt.Errorf("a connector has no coil at pin %s", said[1])
		}
		want := [2]int{}
		want[coil] = 1
		if err := wants("pulses", h.drawer.pulses, want); err != nil || said[2] == "" {
			return err
		}
		return wants("pulse", h.drawer.on[coil], time.Duration(number(said[2]))*time.Millisecond)
	}),
	rule(`off at least (\d+) ms`, func(h *heard, said []string) error {
		off := max(h.drawer.off[0], h.drawer.off[1])
		return wants("pause", off, time.Duration(number(said[1]))*time.Millisecond)
	}),
	rule(`even with a full receive buffer`, func(h *heard, _ []string) error {
		b := newBench(escposLanguage)
		b.size = 4
		b.receive([]byte("full"), b.clock)
		b.receive(h.bytes, b.clock)
		return wants("pulses", b.drawer.pulses, h.drawer.pulses)
	}),
}
