package zpl

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware"
)

const (
	first  = "\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n"
	second = "\x02001,0,0,0,0,2,4,0,00000000,1,000\x03\r\n"
	third  = "\x021234,0\x03\r\n"
)

func TestHostStatusIsRead(t *testing.T) {
	headUp := "\x02001,0,1,0,0,2,4,0,00000000,1,000\x03\r\n"
	online := func(change func(*hardware.LabelStatus)) hardware.LabelStatus {
		s := hardware.LabelStatus{Online: true}
		change(&s)
		return s
	}
	for _, c := range []struct {
		name, heard string
		want        hardware.LabelStatus
		why         error
	}{
		{"ready", first + second + third, online(func(*hardware.LabelStatus) {}), nil},
		{"behind noise", "\x00\x02junk\x03" + second + first + second + third,
			online(func(*hardware.LabelStatus) {}), nil},
		{"labels out", "\x02030,1,0,1245,000,0,0,0,000,0,0,0\x03\r\n" + second + third,
			online(func(s *hardware.LabelStatus) { s.MediaOut = true }), ErrMedia},
		{"paused, three formats, full", "\x02030,0,1,1245,003,1,0,0,000,0,0,0\x03\r\n" + second + third,
			online(func(s *hardware.LabelStatus) { s.Paused, s.BufferFull, s.Waiting = true, true, 3 }),
			ErrPaused},
		{"half a format", "\x02030,0,0,1245,000,0,0,1,000,0,0,0\x03\r\n" + second + third,
			online(func(s *hardware.LabelStatus) { s.Waiting = 1 }), nil},
		{"too hot", "\x02030,0,0,1245,000,0,0,0,000,0,0,1\x03\r\n" + second + third,
			online(func(s *hardware.LabelStatus) { s.Broken = true }), ErrBroken},
		{"head up", first + headUp + third,
			online(func(s *hardware.LabelStatus) { s.HeadOpen = true }), ErrHead},
		{"ribbon out, two labels left", first +
			"\x02001,0,0,1,1,2,4,0,00000002,1,000\x03\r\n" + third,
			online(func(s *hardware.LabelStatus) { s.RibbonOut, s.Waiting = true, 2 }), ErrRibbon},
		{"a peeled label waits", first + "\x02001,0,0,0,0,1,4,1,00000000,1,000\x03\r\n" + third,
			online(func(s *hardware.LabelStatus) { s.Waiting = 1 }), nil},
	} {
		got, found := parseStatus([]byte(c.heard))
		if !found {
			t.Errorf("%s: not found", c.name)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if why := fault(got); why != c.why {
			t.Errorf("%s: it stops for %v, want %v", c.name, why, c.why)
		}
	}
	for _, heard := range []string{
		"", first, first + second, second + third + first, first + third + second,
		"\x02030,x,0,1245,000,0,0,0,000,0,0,0\x03\r\n" + second + third,
		"\x02030,,0,1245,000,0,0,0,000,0,0,0\x03\r\n" + second + third,
	} {
		if s, found := parseStatus([]byte(heard)); found {
			t.Errorf("%q says %+v", heard, s)
		}
	}
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte(first + second + third))
	f.Add([]byte(first + "\x02"))
	f.Fuzz(func(t *testing.T, heard []byte) {
		s, found := parseStatus(heard)
		if s.Waiting < 0 || found != s.Online || !found && s != (hardware.LabelStatus{}) {
			t.Errorf("%q says %+v", heard, s)
		}
		if _, found := parseStatus(append(bytes.Clone(heard), first+second+third...)); !found {
			t.Errorf("behind %q a status is not found", heard)
		}
	})
}
