package printer

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// checkScale checks what a host and a scale say to each other.
func (r row) checkScale(t *testing.T) {
	if r.area == "SCALE-DIALOG06" {
		r.checkDialog06(t)
		return
	}
	words := r.meaning + "; " + r.expected
	if r.dir == "host>dev" {
		for order, what := range map[byte]string{'W': "weight", 'Z': "zero", 'T': "tare",
			'C': "clear tare", 'H': "high"} {
			if r.bytes[0] == order && !strings.Contains(strings.ToLower(words), what) {
				t.Errorf("%q is %s", order, what)
			}
		}
		if len(r.bytes) != 1 {
			t.Errorf("% X is not an order", r.bytes)
		}
		return
	}
	body, ok := bytes.CutPrefix(r.bytes, []byte{0x02})
	if body, ok = cutSuffix(body, ok, 0x0d); !ok {
		t.Fatalf("% X is not an answer", r.bytes)
	}
	if state, is := bytes.CutPrefix(body, []byte("?")); is {
		r.checkScaleState(t, state, words)
		return
	}
	if said := regexp.MustCompile(`\b(\d+[.,]\d+)\b`).FindStringSubmatch(r.expected); said != nil {
		if got := strings.TrimLeft(strings.TrimRight(string(body), "N"),
			"0"); got != strings.TrimLeft(said[1], "0") {
			t.Errorf("weight %q, want %s", body, said[1])
		}
	}
	if net := bytes.HasSuffix(body, []byte("N")); strings.Contains(words, " net") != net {
		t.Errorf("net is %v", net)
	}
}

func cutSuffix(b []byte, ok bool, end byte) ([]byte, bool) {
	if !ok || len(b) == 0 || b[len(b)-1] != end {
		return b, false
	}
	return b[:len(b)-1], true
}

func (r row) checkScaleState(t *testing.T, state []byte, words string) {
	if len(state) != 1 || state[0]&0x80 != 0 {
		t.Fatalf("state % X", state)
	}
	if said := regexp.MustCompile(`status ([0-9A-F]{2})h`).FindStringSubmatch(words); said != nil &&
		unhex(said[1])[0] != state[0] {
		t.Errorf("state %02X, want %s", state[0], said[1])
	}
	if always := strings.Contains(words, "bit 6 always 1"); always && state[0]&0x40 == 0 {
		t.Errorf("bit 6 of %02X is 0", state[0])
	}
	for i, what := range []string{"motion", "over", "under", "outside zero", "centre of zero",
		"net weight"} {
		told := regexp.MustCompile(`\b` + what + `\b`).MatchString(r.expected)
		if told && state[0]>>i&1 == 0 {
			t.Errorf("%02X does not say %s", state[0], what)
		}
	}
}

// checkDialog06 checks records of the protocol that computes prices.
func (r row) checkDialog06(t *testing.T) {
	body, ok := bytes.CutPrefix(bytes.TrimPrefix(r.bytes, []byte{0x04}), []byte{0x02})
	if body, ok = cutSuffix(body, ok, 0x03); !ok || len(body) < 2 {
		if len(r.bytes) <= 2 { // EOT ENQ, ACK, NAK
			return
		}
		t.Fatalf("% X is not a record", r.bytes)
	}
	if said := regexp.MustCompile(`record (\d\d)`).FindStringSubmatch(r.meaning +
		r.expected); said != nil && string(body[:2]) != said[1] {
		t.Errorf("record %s, want %s", body[:2], said[1])
	}
	fields := strings.Split(strings.Trim(string(body[2:]), "\x1b"), "\x1b")
	got := map[string]string{}
	switch string(body[:2]) {
	case "01", "03", "04", "05":
		got["unit price"] = point(fields[0], 2)
	case "02":
		if len(fields) != 4 {
			t.Fatalf("fields %q", fields)
		}
		got["weight"], got["unit price"], got["total"] = point(fields[1], 3), point(fields[2],
			2), point(fields[3], 2)
		if kg := fields[0] == "3"; kg != strings.Contains(r.expected, "kg") {
			t.Errorf("unit %q", fields[0])
		}
	case "09":
		got["status"] = fields[0]
		if motion := fields[0] == "20"; motion != strings.Contains(r.expected, "in motion") {
			t.Errorf("status %s: %q", fields[0], r.expected)
		}
	}
	for _, said := range regexp.MustCompile(`(weight|unit price|total|status) (\d+(?:[.,]\d+)?)`).FindAllStringSubmatch(r.expected, -1) {
		if got[said[1]] != strings.ReplaceAll(said[2], ",", ".") {
			t.Errorf("%s is %q, want %s", said[1], got[said[1]], said[2])
		}
	}
}

// point puts a decimal point into digits: "000199" with 2 is "1.99".
func point(digits string, places int) string {
	if len(digits) <= places {
		return digits
	}
	whole := strings.TrimLeft(digits[:len(digits)-places], "0")
	return fmt.Sprintf("%0*s.%s", max(1, len(whole)), whole, digits[len(digits)-places:])
}

// Fields of the three answers to ~HS, as the letters of the guide name them.
var hostStatus = [3][]string{
	{"aaa", "b", "c", "dddd", "eee", "f", "g", "h", "iii", "j", "k", "l"},
	{"mmm", "n", "o", "p", "q", "r", "s", "t", "uuuuuuuu", "v", "www"},
	{"xxxx", "y"},
}

// checkLabel checks what a host and a label printer say to each other.
func (r row) checkLabel(t *testing.T) {
	if r.dir == "host>dev" {
		if bytes.Equal(r.bytes, []byte("~HS")) != strings.Contains(r.meaning, "host status") {
			t.Errorf("%q is %s", r.bytes, r.meaning)
		}
		if r.bytes[0] != '~' && r.bytes[0] != '^' {
			t.Errorf("%q begins with neither ~ nor ^", r.bytes)
		}
		return
	}
	which := regexp.MustCompile(`string (\d)`).FindStringSubmatch(r.meaning)
	body, ok := bytes.CutPrefix(r.bytes, []byte{0x02})
	body = bytes.TrimSuffix(body, []byte("\r\n"))
	if body, ok = cutSuffix(body, ok, 0x03); !ok || which == nil {
		t.Fatalf("% X is not a string of ~HS", r.bytes)
	}
	names := hostStatus[number(which[1])-1]
	values := strings.Split(string(body), ",")
	if len(values) != len(names) {
		t.Fatalf("%d fields, want %d", len(values), len(names))
	}
	at := make(map[string]string)
	for i, name := range names {
		at[name], at[name[:1]] = values[i], values[i]
	}
	for _, said := range regexp.MustCompile(`\b([a-y]{1,8})=(\w+)`).FindAllStringSubmatch(r.expected, -1) {
		if at[said[1]] != said[2] {
			t.Errorf("%s is %q, want %s", said[1], at[said[1]], said[2])
		}
	}
	for words, want := range map[string][2]string{
		"HEAD UP": {"o", "1"}, "head up": {"o", "1"}, "paper out": {"b", "1"}, "ribbon out": {"p",
			"1"},
		"static RAM not installed": {"y", "0"}, " labels left": {"u", ""},
	} {
		if strings.Contains(r.expected, words) && want[1] != "" && at[want[0]] != want[1] {
			t.Errorf("%s: %s is %q", words, want[0], at[want[0]])
		}
	}
	if said := regexp.MustCompile(`(\d+) labels left`).FindStringSubmatch(r.expected); said != nil && strings.TrimLeft(at["u"], "0") != strings.TrimLeft(said[1], "0") {
		t.Errorf("labels left %s, want %s", at["u"], said[1])
	}
	if said := regexp.MustCompile(`password (\d+)`).FindStringSubmatch(r.expected); said != nil &&
		at["x"] != said[1] {
		t.Errorf("password %s, want %s", at["x"], said[1])
	}
}
