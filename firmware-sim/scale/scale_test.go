package scale_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/scale"
	"holdfast.dev/firmware-sim/wire"
)

// at is a scale and the host's end of its line.
func at(t *testing.T, protocol string) (*scale.Scale, func(send, want string)) {
	t.Helper()
	host, far := net.Pipe()
	s, err := scale.On(far, protocol)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); s.Close() })
	host.SetDeadline(time.Now().Add(10 * time.Second))
	return s, func(send, want string) {
		t.Helper()
		if _, err := io.WriteString(host, send); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(host, got); err != nil {
			t.Fatalf("after % x: got % x, %v", send, got, err)
		}
		if string(got) != want {
			t.Errorf("after % x: got % x, want % x", send, got, want)
		}
	}
}

// Bytes are written with their parity bit: 57 has five ones, so even parity makes
// it D7.
const weight = "\xd7"

func TestAn8217ScaleAnswersWithEvenParity(t *testing.T) {
	s, ask := at(t, scale.Toledo)
	ask(weight, "\x82\x30\x30\x2e\x30\x30\x30\x8d") // STX 00.000 CR
	s.Put(1250)
	ask(weight, "\x82\x3f\x41\x8d") // STX ? motion CR
	s.Shake(true)
	s.Put(20000)
	ask(weight, "\x82\x3f\xc3\x8d") // motion and overload
	s.Put(-100)
	ask(weight, "\x82\x3f\xc5\x8d") // motion and under zero
	ask("\xc5", "\x82\xc5\x8d")     // echo on
	ask("\xd7\x41", "\xd7\x41")
	ask("\xc6", "\x82\xc6\x8d") // echo off
	if got := s.State(); !got.Under || !got.Moving || got.Unknown != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestADamagedByteIsNoCommand(t *testing.T) {
	s, ask := at(t, scale.Toledo)
	ask("\x57"+weight, "\x82\x30\x30\x2e\x30\x30\x30\x8d") // the first W has the wrong parity
	if got := s.State(); got.Unknown != 1 {
		t.Errorf("got %+v", got)
	}
	if _, err := scale.On(nil, "kitchen"); err == nil {
		t.Error("any protocol will do")
	}
}

func TestADialog06ScaleSaysWhyItHasNoWeight(t *testing.T) {
	s, ask := at(t, scale.Dialog06)
	status := func(code string) string { return odd("\x0209\x1b" + code + "\x03") }
	result, why := odd("\x04\x05"), odd("\x04\x0208\x03")
	ask(result, odd("\x15"))
	ask(why, status("22")) // no price
	ask(odd("\x04\x0201\x1b000199\x1b\x03"), odd("\x06"))
	ask(odd("\x04\x0201\x1b0001\x1b\x03"), odd("\x15"))
	ask(why, status("10"))
	s.Put(500)
	ask(result, odd("\x15"))
	ask(why, status("20")) // moving
	s.Put(20000)
	ask(result, odd("\x15"))
	ask(why, status("32")) // overload
}

func odd(text string) string {
	out := []byte(text)
	for i, b := range out {
		ones := 0
		for ; b > 0; b >>= 1 {
			ones += int(b & 1)
		}
		if ones%2 == 0 {
			out[i] |= 0x80
		}
	}
	return string(out)
}

func TestThePageWeighsAtTheSpeedOfTheLine(t *testing.T) {
	link := filepath.Join(t.TempDir(), "tty")
	s, err := scale.Start(scale.Options{Options: wire.Options{Link: link, Baud: 9600}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page := httptest.NewServer(s.Panel().Handler())
	defer page.Close()
	do(t, page.URL+"/do/put", url.Values{"grams": {"250"}}, http.StatusNoContent)
	do(t, page.URL+"/do/put", url.Values{"grams": {"much"}}, http.StatusConflict)
	do(t, page.URL+"/do/fly", nil, http.StatusNotFound)
	if got := s.State(); got.Load != 250 || !got.Moving {
		t.Errorf("got %+v", got)
	}
	tty, err := os.OpenFile(link, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	began := time.Now()
	for answer := ""; !strings.HasPrefix(answer, "\x82\x30\x30\x2e\xb2"); { // 00.2…
		io.WriteString(tty, weight)
		got := make([]byte, 4)
		if _, err := io.ReadFull(tty, got); err != nil {
			t.Fatal(err)
		}
		answer = string(got)
		if got[1] == '0' { // a weight, which is longer than a status
			if _, err := io.ReadFull(tty, got); err != nil {
				t.Fatal(err)
			}
			answer += string(got)
		}
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("a load comes to rest within %v", took)
	}
	do(t, page.URL+"/do/unplug", nil, http.StatusNoContent)
	if _, err := os.Lstat(link); err == nil {
		t.Error("an unplugged scale has its link still")
	}
	do(t, page.URL+"/do/plug", nil, http.StatusNoContent)
	do(t, page.URL+"/do/line", url.Values{"mute": {"true"}, "delay_ms": {"5"}}, http.StatusNoContent)
	if f := s.Cable.Faults(); !f.Mute || f.Delay != 5*time.Millisecond {
		t.Errorf("faults are %+v", f)
	}
}

func do(t *testing.T, address string, fields url.Values, want int) {
	t.Helper()
	r, err := http.PostForm(address, fields)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != want {
		t.Errorf("%s: %s, want %d", address, r.Status, want)
	}
}

func FuzzScaleTakesAnyBytes(f *testing.F) {
	f.Add([]byte("W"), false)
	f.Add([]byte("\x04\x0201\x1b000199\x1b\x03\x04\x05"), true)
	f.Fuzz(func(t *testing.T, in []byte, dialog bool) {
		if n := scale.Play(in, dialog); n > 64*len(in) {
			t.Errorf("%d bytes are answered by %d", len(in), n)
		}
	})
}
