package printer

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
)

// starIdle is the status of a Star printer that is well.
var starIdle = []byte{0x23, 0x06, 0, 0, 0, 0, 0, 0, 0}

// checkStar checks bytes that a host sends to a Star printer.
func (r row) checkStar(t *testing.T) {
	b := newBench(starLanguage)
	b.feed(r.bytes)
	if b.unknown != 0 {
		t.Errorf("unknown commands: %s", b.warnings())
	}
	words := r.meaning + "; " + r.expected
	if strings.Contains(words, "counter +1") {
		if b.blocks != 1 || len(b.out) == 0 || b.out[7] != fiveBits(1) {
			t.Errorf("counted %d blocks, said % X", b.blocks, b.out)
		}
	}
	if said := regexp.MustCompile(`counter = (.*?) of byte 8`).FindString(r.expected +
		r.note); said != "" {
		for n := range starBlocks {
			if c := fiveBits(n); int(c&0x60)>>2|int(c&0x0e)>>1 != n || c&0x91 != 0 {
				t.Errorf("block %d stands as %02X", n, c)
			}
		}
	}
	if said := regexp.MustCompile(`answer ((?:(?:[0-9A-F]{2}|<counter>)\s?)+)`).FindStringSubmatch(words); said != nil {
		want := strings.ReplaceAll(strings.TrimSpace(said[1]), "<counter>", "..")
		got := strings.ToUpper(hex.EncodeToString(b.out))
		if !regexp.MustCompile("^" + strings.ReplaceAll(want, " ", "") + "$").MatchString(got) {
			t.Errorf("said %s, want %s", got, want)
		}
	}
	if strings.Contains(words, "Hello") && !strings.Contains(b.text(), "Hello") {
		t.Errorf("printed %q", b.text())
	}
	if regexp.MustCompile(`\bcut\b`).MatchString(r.meaning) && b.severed != 1 {
		t.Errorf("cut %d times", b.severed)
	}
	if strings.Contains(strings.ToLower(words), "asb") && len(b.out) > 0 &&
		(b.out[0]&0x91 != 1 || len(b.out) < 7) {
		t.Errorf("said % X", b.out)
	}
	if pulse := regexp.MustCompile(`drawer (1|2)`).FindStringSubmatch(words); pulse != nil &&
		b.drawer.pulses[number(pulse[1])-1] != 1 {
		t.Errorf("pulses %v", b.drawer.pulses)
	}
	b.out = nil
	b.feed([]byte("\x1b@\x18in step\n\x1b\x1d\x03\x01ok"))
	if !strings.HasSuffix(b.text(), "in step\n") ||
		!bytes.HasPrefix(b.out, []byte("\x1b\x1d\x03\x01ok")) {
		t.Errorf("out of step afterwards: %q, answers % X", b.text(), b.out)
	}
}

// checkStarAnswer checks what a Star printer says: by the driver and against
// the simulated one.
func (r row) checkStarAnswer(t *testing.T) {
	if r.bytes[0] == 0x1b {
		b := newBench(starLanguage)
		b.feed(r.bytes[:6])
		if len(b.out) != len(r.bytes) || !bytes.Equal(b.out[:6], r.bytes[:6]) {
			t.Errorf("said % X, want % X", b.out, r.bytes)
		}
		return
	}
	c := converse(t, func(q []byte) []byte {
		if bytes.HasPrefix(q, []byte("\x1b\x06\x01")) {
			return starIdle
		}
		return nil
	}, openStar)
	c.status(t)
	c.say <- r.bytes
	r.means(t, c.status(t))
}
