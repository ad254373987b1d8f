package printer

import (
	"strings"
	"testing"
	"time"
)

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
		"\x1b*\x21\xff\x03" + strings.Repeat("\xaa", 3069) + "\n", "\x10\x04\x01\x10\x05\x02",
		"\x1d!\x77\x1b{\x01\x1b \xffAAAAAAA\n\x1dk\x0412\x00\x1dkI\x06{C{1\x01\x5f\x1dH3", "\x1b=\x00\x1d(H",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m := newMachine(faces, 384, 0)
		for len(in) > 0 {
			n := min(len(in), m.free())
			m.receive(in[:n], time.Time{})
			in = in[n:]
			m.step(time.Time{})
		}
		m.receive([]byte(clearCommand), time.Time{})
		m.cuts, m.out = nil, nil
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
