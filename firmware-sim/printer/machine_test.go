package printer

import (
	"strings"
	"testing"
	"time"
)

// mostFuzzed bounds what a run feeds: a longer input shows nothing new.
const mostFuzzed = 400

// FuzzMachine claims that no bytes stop the firmware: after any of them, a
// cleared buffer prints again and answers its fence.
func FuzzMachine(f *testing.F) {
	faces, err := loadFaces()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"Hello\n\x1dV\x42\x00", "\x1d(k\xff\xff1P0", "\x1b&\x03\x20\xff\xff", "\x1cq\xff\xff\xff",
		"\x1dv0\x03\xff\xff\x01\x00", "\x1d8L\xff\xff\xff\xff", "\x1d(L\x0c\x000p0\xff\xff1\xff\xff\xff\xff",
		"\x1b*\x21\x03\x00" + strings.Repeat("\xaa", 9) + "\n", "\x10\x04\x01\x10\x05\x02",
		"\x1d!\x77\x1b{\x01\x1b \xffAAAAAAA\n\x1dk\x0412\x00\x1dkI\x06{C{1\x01\x5f\x1dH3", "\x1b=\x00\x1d(H",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m := newMachine(faces, 384, 0)
		in = in[:min(len(in), mostFuzzed)]
		for len(in) > 0 {
			n := min(len(in), m.free())
			m.receive(in[:n], time.Time{})
			in = in[n:]
			m.step(time.Time{})
		}
		m.receive([]byte(clearCommand), time.Time{})
		m.cuts, m.out, m.strip = nil, nil, newStrip(384) // what came out does not matter
		m.receive([]byte("\x1b=\x01\x1b@\nafter\n\x1dV\x42\x00\x1d(H\x06\x0000fuzz"), time.Time{})
		m.step(time.Time{})
		if len(m.cuts) != 1 || !strings.HasSuffix(m.cuts[0].text, "after\n") {
			t.Errorf("cut %d receipts, want one that ends in after", len(m.cuts))
		}
		if !strings.HasSuffix(string(m.out), "\x37\x22fuzz\x00") {
			t.Errorf("answered % X, want the fence", m.out)
		}
	})
}

// FuzzStar claims the same of the other language: whatever came, what a host
// sends after a broken connection brings the printer back in step.
func FuzzStar(f *testing.F) {
	for _, seed := range []string{
		"Hello\n\x1bd\x02", "\x1bb\x06\x02\x02\x40100%\x1e", "\x1b\x1dyD1\x00\xff\xff", "\x1bk\xff\xff", "\x1bX\x01\x00abc",
		"\x1b\x1dS\x01\x01\x00\x01\x00\x00\xff", "\x1b*rA\x1b*rY3\x00", "\x1bD\x01\x02\x00\x09x", "\x1b\x06\x01\x17",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m := newMachine(testFaces, 384, 0)
		m.lang = starLanguage
		m.powerUp()
		in = in[:min(len(in), mostFuzzed)]
		for len(in) > 0 {
			n := min(len(in), m.free())
			m.receive(in[:n], time.Time{})
			in = in[n:]
			m.step(time.Time{})
		}
		m.clear()                                        // a power cut, or so many zeros that any command ends
		m.cuts, m.out, m.strip = nil, nil, newStrip(384) // what came out does not matter
		m.receive([]byte("\x1b@\x18\nafter\n\x1bd\x02\x1b\x1d\x03\x01ok"), time.Time{})
		m.step(time.Time{})
		if len(m.cuts) != 1 || !strings.HasSuffix(m.cuts[0].text, "after\n") {
			t.Errorf("cut %d receipts, want one that ends in after", len(m.cuts))
		}
		if !strings.Contains(string(m.out), "\x1b\x1d\x03\x01ok") {
			t.Errorf("answered % X, want the fence", m.out)
		}
	})
}
