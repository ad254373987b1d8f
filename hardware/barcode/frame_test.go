package barcode

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware"
)

// reads gives what a framer makes of a stream; "~" in it stands for a gap.
func reads(suffix Suffix, maxFrame int, stream string) []hardware.Read {
	return readsWith(Config{Suffix: suffix, MaxFrame: maxFrame}, stream)
}

func readsWith(cfg Config, stream string) []hardware.Read {
	var got []hardware.Read
	f := framer{cfg: cfg, deliver: func(r hardware.Read) { got = append(got, r) }}
	for _, b := range []byte(stream) {
		if b == '~' {
			f.gap(time.Time{})
			continue
		}
		f.push(b, time.Time{})
	}
	return got
}

// words gives reads in a line: symbols as they are, garbage in braces.
func words(all []hardware.Read) string {
	var line []string
	for _, r := range all {
		if r.Garbage {
			line = append(line, "{"+string(r.Data)+"}")
		} else {
			line = append(line, strings.TrimLeft(r.AIM+" "+string(r.Data), " "))
		}
	}
	return strings.Join(line, " | ")
}

func TestEachSuffixEndsSymbols(t *testing.T) {
	for _, c := range []struct {
		name   string
		suffix Suffix
		stream string
		want   string
	}{
		{"auto takes CR, LF and CR LF", Auto, "A1\rB2\nC3\r\nD4\r\n", "A1 | B2 | C3 | D4"},
		{"auto takes a tab as data", Auto, "A\t1\r", "A\t1"},
		{"CR keeps a line feed in the symbol", CR, "A1\nB2\rC3\r\nD4\r", "A1\nB2 | C3 | D4"},
		{"LF drops the CR before it", LF, "A1\nB2\r\nC\r3\n", "A1 | B2 | C\r3"},
		{"CRLF keeps a lone CR and LF", CRLF, "A1\rB\n2\r\nC3\r\n", "A1\rB\n2 | C3"},
		{"TAB keeps lines", TAB, "A1\tBEGIN:VCARD\r\nN:B\r\n\tC3\t",
			"A1 | BEGIN:VCARD\r\nN:B\r\n | C3"},
		{"ETX drops the STX", ETX, "\x02A1\x03\x02B\r\n2\x03", "A1 | B\r\n2"},
		{"a second STX ends what has lost its ETX", ETX, "\x02A1\x02B2\x03", "{A1} | B2"},
		{"silence ends a symbol without suffix", Silent, "A1~B2~~C3~", "A1 | B2 | C3"},
		{"silence before the suffix is garbage", Auto, "A1~B2\r~C3\r", "{A1} | B2 | C3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := words(reads(c.suffix, 100, c.stream)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAFrameHoldsNoMoreThanItsMaximum(t *testing.T) {
	full, over := strings.Repeat("7", 100), strings.Repeat("7", 101)
	for suffix, end := range map[Suffix]string{Auto: "\r", CRLF: "\r\n", Silent: "~"} {
		if got := words(reads(suffix, 100, full+end)); got != full {
			t.Errorf("suffix %d: a full frame gives %q", suffix, got)
		}
		want := "{" + strings.Repeat("7", 64) + "} | B2"
		for _, long := range []string{over, over + over} {
			if got := words(reads(suffix, 100, long+end+"B2"+end)); got != want {
				t.Errorf("suffix %d: %d bytes give %q, want %q", suffix, len(long), got, want)
			}
		}
	}
}

func TestOnlyTextIsASymbol(t *testing.T) {
	for _, c := range []struct {
		data string
		want bool
	}{
		{"8710398500014", true}, {"https://id.gs1.org/01/09506000134352", true}, {"a", true},
		{"0104006381333931\x1d10AB", true}, {"[)>\x1e06\x1d1P55\x1e\x04", true},
		{"Smørrebrød", true}, {"北京", true}, {"cr\xe8me br\xfbl\xe9e \xe0 la carte", true},
		{"", false}, {"????", false}, {"\xff\xff\xff", false}, {"\x00", false}, {"87\x0010", false},
		{"87\x7f10", false}, {"\x1b[A", false}, {"abc\x9fdef", false}, {"a\xe9\xe8\xfb", false},
		{"  ", false}, {"--", false}, {"\x1d\x1d", false},
	} {
		if got := plausible([]byte(c.data)); got != c.want {
			t.Errorf("plausible(%+q) = %v, want %v", c.data, got, c.want)
		}
	}
}

func TestAIMIdentifiersAreSplitOff(t *testing.T) {
	for _, c := range []struct{ frame, aim, data string }{
		{"]E04006381333931", "]E0", "4006381333931"},
		{"]C10104006381333931", "]C1", "0104006381333931"},
		{"]XAodd", "]XA", "odd"},
		{"]E-4006", "", "]E-4006"},
		{"]1E4006", "", "]1E4006"},
		{"]E", "", "]E"},
		{"4006", "", "4006"},
	} {
		aim, data := SplitAIM([]byte(c.frame))
		if aim != c.aim || string(data) != c.data {
			t.Errorf("SplitAIM(%q) = %q, %q; want %q, %q", c.frame, aim, data, c.aim, c.data)
		}
	}
	if got := words(reads(Auto, 100, "]E0\r")); got != "{]E0}" {
		t.Errorf("an identifier without data gives %q, want garbage", got)
	}
}

func TestWhatStandsBeforeASymbolIsTakenOff(t *testing.T) {
	vendor := map[string]string{"A": "]E0", "AB": "]E4", "#": ""}
	for _, c := range []struct {
		name   string
		cfg    Config
		stream string
		want   string
	}{
		{"a prefix", Config{Prefix: "P1"}, "P1A1\rP1P1\r", "A1 | P1"},
		{"no prefix where one is always sent", Config{Prefix: "P1"}, "1A1\rP1B2\r", "{1A1} | B2"},
		{"a prefix, then the identifier", Config{Prefix: "P1"}, "P1]E04006\r", "]E0 4006"},
		{"an identifier that is always sent", Config{AIM: AIMAlways}, "]C1A1\r14\r",
			"]C1 A1 | {14}"},
		{"data that looks like an identifier", Config{AIM: AIMNever}, "]C1A1\r", "]C1A1"},
		{"a code identifier of the vendor", Config{CodeIDs: vendor}, "A4006\rAB1234\r",
			"]E0 4006 | ]E4 1234"},
		{"a code identifier that stands for none", Config{CodeIDs: vendor}, "#4006\r", "4006"},
		{"a code identifier that is not in the table", Config{CodeIDs: vendor}, "X4006\r", "X4006"},
		{"neither where one is always sent", Config{CodeIDs: vendor, AIM: AIMAlways},
			"A4006\rX4006\r#4006\r", "]E0 4006 | {X4006} | {#4006}"},
		{"the longest symbol does not count it", Config{Prefix: "P1", MaxFrame: 4},
			"P11234\rP112345\r",
			"1234 | {P112345}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.cfg.MaxFrame == 0 {
				c.cfg.MaxFrame = 100
			}
			if got := words(readsWith(c.cfg, c.stream)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("]E04006381333931\r\n8710398500014\r"), uint8(Auto))
	f.Add([]byte("\x02A1\x03\x00\xff\x80"), uint8(ETX))
	f.Add([]byte("A1\r\r\nB2\n\r"), uint8(CRLF))
	f.Add(bytes.Repeat([]byte("7"), 80), uint8(Silent))
	ends := []string{Auto: "\r", CR: "\r", LF: "\n", CRLF: "\r\n", TAB: "\t", ETX: "\x03",
		Silent: "~"}
	f.Fuzz(func(t *testing.T, noise []byte, kind uint8) {
		suffix := Suffix(kind % uint8(len(ends)))
		stream := string(noise)
		got := reads(suffix, 70, stream+"~")
		for _, r := range got {
			if len(r.Data) == 0 || len(r.Data) > 70 || r.Garbage && len(r.Data) > garbageBytes {
				t.Errorf("a read of %d bytes, garbage %v", len(r.Data), r.Garbage)
			}
			at := strings.Index(stream, r.AIM+string(r.Data))
			if at < 0 {
				t.Fatalf("%+q does not come out of %+q, or not in this order", r.Data, stream)
			}
			stream = stream[at+len(r.AIM)+len(r.Data):]
		}
		next := reads(suffix, 70, string(noise)+"~4006381333931"+ends[suffix])
		if len(next) != len(got)+1 {
			t.Fatalf("after %d reads of noise a symbol makes %d", len(got), len(next))
		}
		want := hardware.Read{Data: []byte("4006381333931")}
		if diff := cmp.Diff(want, next[len(got)]); diff != "" {
			t.Errorf("the symbol after noise (-want +got):\n%s", diff)
		}
	})
}
