package locker_test

import (
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/locker"
)

// line is a locker and the host's end of its line: bytes in hex, both ways.
func line(t *testing.T, o locker.Options) (*locker.Locker, func(send, want string)) {
	t.Helper()
	host, far := net.Pipe()
	l, err := locker.On(far, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); l.Close() })
	host.SetDeadline(time.Now().Add(10 * time.Second))
	return l, func(send, want string) {
		t.Helper()
		if _, err := host.Write(unhex(t, send)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(unhex(t, want)))
		if _, err := io.ReadFull(host, got); err != nil {
			t.Fatalf("after %s: got % X, %v", send, got, err)
		}
		if string(got) != string(unhex(t, want)) {
			t.Errorf("after %s: got % X, want %s", send, got, want)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBoardsAnswerAsTheManualsSay(t *testing.T) {
	l, ask := line(t, locker.Options{})
	ask("02 00 30 03 35", "02 00 35 FF FF 00 00 03 38")
	l.Fill(0, 2, true)
	ask("02 00 31 03 36", "") // opens door 1, without an answer
	time.Sleep(100 * time.Millisecond)
	ask("02 00 30 03 35", "02 00 35 FE FF 02 00 03 39")
	l.Shut(0, 1)
	ask("99 02 00 30 03 35", "02 00 35 FF FF 02 00 03 3A")
	if n := l.Noise(); n != 1 {
		t.Errorf("%d bytes of noise, want 1", n)
	}
	_, ask = line(t, locker.Options{Legacy: true})
	ask("02 00 30 03 35", "02 00 35 FF FF 03 00 00 38")
	_, ask = line(t, locker.Options{Dialect: locker.CU48})
	ask("02 00 00 60 03 65", "02 00 00 75 06 FF FF FF FF FF FF 77")
	ask("02 00 00 61 03 66", "02 00 00 75 00 77")
	_, ask = line(t, locker.Options{Dialect: locker.Board24})
	ask("80 01 03 33 B1", "80 01 03 11 93")
	ask("80 01 00 33 B2", "80 01 FF FF FF 33 4D")
	ask("8A 01 03 11 99", "8A 01 03 11 99") // it answers before the spring did its work
}

func TestDoorsBehaveAsDoors(t *testing.T) {
	l, ask := line(t, locker.Options{Pulled: true, Doors: 2})
	l.Pull(0, 1)
	if l.Doors()[0].Closed == false {
		t.Error("a locked door can be pulled open")
	}
	ask("02 00 31 03 36", "")
	ask("02 00 30 03 35", "02 00 35 FF FF 00 00 03 38")
	l.Pull(0, 1)
	if l.Doors()[0].Closed {
		t.Error("an unlocked door does not open")
	}
	l.Hold(0, 1, true)
	l.Shut(0, 1)
	if l.Doors()[0].Closed {
		t.Error("a blocked door closes")
	}
	ask("02 00 31 03 36", "")
	ask("02 00 30 03 35", "02 00 35 FE FF 00 00 03 37")
	if d := l.Doors()[0]; d.Pulses != 2 || d.Useless != 1 {
		t.Errorf("got %+v", d)
	}
	if l.Shut(0, 3) == nil || l.SetBoard(7, false) == nil {
		t.Error("what is not there can be moved")
	}
}

func TestWrongLockersAreRefused(t *testing.T) {
	for _, o := range []locker.Options{{Dialect: "cu99"}, {Doors: 17}, {Doors: -1}} {
		if _, err := locker.On(nil, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestThePageMovesDoors(t *testing.T) {
	l, _ := line(t, locker.Options{Doors: 2})
	page := httptest.NewServer(l.Panel().Handler())
	defer page.Close()
	door := func(what, lock string) url.Values {
		return url.Values{"board": {"0"}, "lock": {lock}, "on": {what}}
	}
	for _, c := range []struct {
		do     string
		fields url.Values
		want   int
	}{
		{"stick", door("true", "2"), http.StatusNoContent},
		{"fill", door("true", "2"), http.StatusNoContent},
		{"hold", door("true", "1"), http.StatusNoContent},
		{"shut", door("", "9"), http.StatusConflict},
		{"shut", url.Values{"lock": {"one"}}, http.StatusConflict},
		{"board", url.Values{"board": {"0"}, "on": {"false"}}, http.StatusNoContent},
	} {
		r, err := http.PostForm(page.URL+"/do/"+c.do, c.fields)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != c.want {
			t.Errorf("%s %v: %s", c.do, c.fields, r.Status)
		}
	}
	if d := l.Doors(); !d[1].Stuck || !d[1].Item || !d[0].Held {
		t.Errorf("got %+v", d)
	}
	r, err := http.Get(page.URL + "/view")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	view, err := io.ReadAll(r.Body)
	if err != nil || !strings.Contains(string(view), "closed, stuck, full") ||
		!strings.Contains(string(view), "Revive board 0") {
		t.Errorf("the view says %s, %v", view, err)
	}
}

func FuzzBoardsTakeAnyBytes(f *testing.F) {
	f.Add([]byte("\x02\x00\x30\x03\x35"), uint8(0))
	f.Add([]byte("\x80\x01\x00\x33\xb2\x8a\x01\x03\x11\x99"), uint8(2))
	f.Fuzz(func(t *testing.T, in []byte, which uint8) {
		dialects := []string{locker.CU16, locker.CU48, locker.Board24}
		if n := locker.Play(in, dialects[int(which)%len(dialects)]); n > 3*len(in) {
			t.Errorf("%d bytes are answered by %d", len(in), n)
		}
	})
}
