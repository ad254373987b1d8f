package scale

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware"
)

func TestAnswersOfAn8217Scale(t *testing.T) {
	stable := func(grams int) hardware.Weight {
		return hardware.Weight{State: hardware.ScaleStable, Grams: grams}
	}
	is := func(s hardware.ScaleState) hardware.Weight { return hardware.Weight{State: s} }
	for _, c := range []struct {
		heard string
		found bool
		want  hardware.Weight
	}{
		{"\x0201.250\r", true, stable(1250)},
		{"\x02 1.250\r", true, stable(1250)},
		{"\x0200.000\r", true, stable(0)},
		{"\x0201.250N\r", true, hardware.Weight{State: hardware.ScaleStable, Grams: 1250, Net: true}},
		{"?\x00\x0201\x0200.005\r", true, stable(5)},
		{"\x02E\r\x0200.005\r", true, stable(5)},
		{"\x02?\x41\r", true, is(hardware.ScaleMoving)},
		{"\x02?\x42\r", true, is(hardware.ScaleOver)},
		{"\x02?\x43\r", true, is(hardware.ScaleOver)},
		{"\x02?\x44\r", true, is(hardware.ScaleUnder)},
		{"\x02?\x48\r", true, is(hardware.ScaleNotZero)},
		{"\x02?\x50\r", true, stable(0)},
		{"\x02?\x61\r", true, hardware.Weight{State: hardware.ScaleMoving, Net: true}},
		{"\x02?\x01\r", false, hardware.Weight{}},
		{"\x0201.2x0\r", false, hardware.Weight{}},
		{"\x0201.2500\r", false, hardware.Weight{}},
		{"\x0212345.250\r", false, hardware.Weight{}},
		{"\x0201.250", false, hardware.Weight{}},
		{"01.250\r", false, hardware.Weight{}},
		{"\x0201\x80250\r", false, hardware.Weight{}},
		{"", false, hardware.Weight{}},
	} {
		got, found, err := parseToledo([]byte(c.heard))
		if found != c.found || err != nil {
			t.Errorf("%q: found %v, %v", c.heard, found, err)
		}
		if found {
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%q: %s", c.heard, diff)
			}
		}
	}
	if _, _, err := parseToledo([]byte("\x0201.25\r")); !errors.Is(err, ErrPounds) {
		t.Errorf("pounds: %v", err)
	}
}

func TestAnswersOfADialog06Scale(t *testing.T) {
	record02 := "\x0202\x1b3\x1b01250\x1b000199\x1b000249\x03"
	want := hardware.Weight{State: hardware.ScaleStable, Grams: 1250, UnitPrice: 199, Amount: 249}
	for heard, kind := range map[string]byte{
		record02: result, "\xff\x02" + record02: result, "\x15": refused,
		"\x0211\x1b2\x1b5\x03": checksum,
		record02[:20]:          0, "": 0, strings.Replace(record02, "9\x1b", "\x1b9", 1): 0,
		strings.Replace(record02, "3\x1b", "1\x1b", 1): 0, // pounds
	} {
		got, k := parseDialog06([]byte(heard))
		if k != kind {
			t.Errorf("%q is of kind %d, want %d", heard, k, kind)
		}
		if diff := cmp.Diff(want, got); k == result && diff != "" {
			t.Errorf("%q: %s", heard, diff)
		}
	}
	for heard, code := range map[string]string{
		"\x0209\x1b20\x03": "20", "\x15\x0209\x1b00\x03": "00", "\x0209\x1b99\x03": "",
		"\x0209\x1b2": "", "\x0209\x1b\x0209\x1b32\x03": "32",
	} {
		if got := statusDialog06([]byte(heard)); got != code {
			t.Errorf("%q has status %q, want %q", heard, got, code)
		}
	}
}

func FuzzToledo(f *testing.F) {
	f.Add([]byte("\x0201.250\r"))
	f.Add([]byte("\x02?A\r"))
	f.Fuzz(func(t *testing.T, heard []byte) {
		w, found, err := parseToledo(heard)
		if found && err == nil && (w.State == 0 || w.Grams < 0 || w.Grams > 999999) {
			t.Errorf("%q gives %+v", heard, w)
		}
		if !found && w.Grams != 0 {
			t.Errorf("%q gives %+v and is no answer", heard, w)
		}
		good := []byte("\x0207.355\r")
		after, found, _ := parseToledo(append(bytes.Clone(heard), good...))
		if !found || w.State == 0 && after.Grams != 7355 && !bytes.Contains(heard, []byte{stx}) {
			t.Errorf("behind %q a weight is read as %+v", heard, after)
		}
	})
}

func FuzzDialog06(f *testing.F) {
	f.Add([]byte("\x0202\x1b3\x1b01250\x1b000199\x1b000249\x03"))
	f.Add([]byte("\x0209\x1b20\x03\x15"))
	f.Fuzz(func(t *testing.T, heard []byte) {
		w, kind := parseDialog06(heard)
		if kind == result && (w.Grams > 99999 || w.UnitPrice > MaxUnitPrice || w.Amount > 999999) {
			t.Errorf("%q gives %+v", heard, w)
		}
		if code := statusDialog06(heard); code != "" && statuses[code].state == 0 {
			t.Errorf("%q has status %q", heard, code)
		}
	})
}
