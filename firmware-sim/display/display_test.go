package display_test

import (
	"bytes"
	"image/png"
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

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/display"
	"holdfast.dev/firmware-sim/wire"
)

const patience = 10 * time.Second

// on switches a display on and gives a way to send to it and wait.
func on(t *testing.T, dialect string) (*display.Display, func(string) display.State) {
	t.Helper()
	host, far := net.Pipe()
	d, err := display.On(far, dialect)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); d.Close() })
	return d, func(data string) display.State {
		t.Helper()
		if _, err := io.WriteString(host, data); err != nil {
			t.Fatal(err)
		}
		// The first byte that is no command is counted: then all before it was done.
		before := d.State().Unknown
		io.WriteString(host, "\x1b\xfe")
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
			changed := d.Cable.Watch()
			if s := d.State(); s.Unknown > before {
				s.Unknown = before
				return s
			}
			<-changed
		}
		t.Fatal("the display does not take its bytes")
		return display.State{}
	}
}

func TestCommandsLightTheRightCells(t *testing.T) {
	for _, c := range []struct{ name, dialect, in, top, bottom string }{
		{"text and a place", "epson", "\x0cCola 0,5l\x1f$\x0f\x02  1,50", "Cola 0,5l",
			"                1,50"},
		{"initialize clears", "epson", "Cola\x1b@", "", ""},
		{"a place outside is ignored", "epson", "\x1f$\x15\x01A", "A", ""},
		{"the line is cleared", "epson", "AB\x1f$\x01\x02CD\x18E", "AB", "E"},
		{"the bottom line", "epson", "AB\x1fBC", "AB", "C"},
		{"a full line goes on below", "epson", "0123456789abcdefghijXY", "0123456789abcdefghij", "XY"},
		{"a full display begins again", "epson", strings.Repeat("-", 40) + "X",
			"X" + strings.Repeat("-", 19), strings.Repeat("-", 20)},
		{"scrolling up", "epson", "\x1f\x02A\x1f$\x01\x02B\n" + "\rC", "B", "C"},
		{"scrolling sideways", "epson", "\x1f\x030123456789abcdefghijXY", "23456789abcdefghijXY", ""},
		{"code page 1252", "epson", "\x1bt\x10\x80 \xe9", "€ é", ""},
		{"code page 858", "epson", "\x1bt\x13\xd5", "€", ""},
		{"what is for the printer", "epson", "A\x1b=\x01lost\x1b=\x02B", "AB", ""},
		{"left and home", "epson", "AB\x08C\x0bD", "DC", ""},
		{"upper and lower line", "cd5220", "\x1bQAHello\r\x1bQBHi\r", "Hello", "Hi"},
		{"a line replaces all of the one before", "cd5220", "\x1bQAHello\r\x1bQAHi\r", "Hi", ""},
		{"after a line only clear is heard", "cd5220", "\x1bQAHi\rlost\x1b*\x01\x1bl\x01\x02lost",
			"Hi", ""},
		{"clear leaves the lines", "cd5220", "\x1bQAHi\r\x0c\x1bl\x03\x02A", "", "  A"},
		{"arrows", "cd5220", "A\x1b[BB\x1b[AC\x1b[LD\x1b[RE", "D C                E", " B"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, send := on(t, c.dialect)
			got := send(c.in)
			want := [2]string{c.top + strings.Repeat(" ", 20-len([]rune(c.top))),
				c.bottom + strings.Repeat(" ", 20-len([]rune(c.bottom)))}
			if diff := cmp.Diff(want, got.Lines); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBrightnessAndBlinking(t *testing.T) {
	_, send := on(t, "epson")
	if s := send("\x1fX\x02\x1fE\x0a"); s.Brightness != 2 || !s.Blinking {
		t.Errorf("got %+v", s)
	}
	if s := send("\x1fE\xff"); s.Brightness != 0 {
		t.Errorf("a display that is off has brightness %d", s.Brightness)
	}
	_, send = on(t, "cd5220")
	if s := send("\x1b*\x03"); s.Brightness != 3 {
		t.Errorf("got %+v", s)
	}
}

func TestUnknownCommandsAreCountedAndSkipped(t *testing.T) {
	if s := display.Play([]byte("\x1b!A\x01B"), false); s.Unknown != 2 || s.Lines[0][:2] != "AB" {
		t.Errorf("got %+v", s)
	}
	if _, err := display.On(nil, "vt100"); err == nil {
		t.Error("any dialect will do")
	}
}

func TestPageShowsAndObeys(t *testing.T) {
	link := filepath.Join(t.TempDir(), "tty")
	d, err := display.Start(display.Options{Options: wire.Options{Link: link, Baud: 9600}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	tty, err := os.OpenFile(link, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	began := time.Now()
	text := strings.Repeat("0123456789", 4)
	io.WriteString(tty, text)
	for d.State().Lines[1] != text[20:] {
		<-d.Cable.Watch()
	}
	if took := time.Since(began); took < 40*time.Millisecond {
		t.Errorf("40 bytes at 9600 baud took %v", took)
	}
	page := httptest.NewServer(d.Panel().Handler())
	defer page.Close()
	if got := get(t, page.URL+"/view"); !strings.Contains(got, `"value":"01234567890123456789"`) {
		t.Errorf("the view says %s", got)
	}
	picture, err := png.Decode(strings.NewReader(get(t, page.URL+"/picture.png")))
	if err != nil || picture.Bounds().Dx() < 500 {
		t.Errorf("picture: %v", err)
	}
	if _, err := http.PostForm(page.URL+"/do/power", url.Values{"on": {"false"}}); err != nil {
		t.Fatal(err)
	}
	if s := d.State(); s.Brightness != 0 || strings.TrimSpace(s.Lines[0]) != "" {
		t.Errorf("switched off it shows %+v", s)
	}
	dark, err := d.PNG()
	if err != nil || bytes.Equal(dark, nil) {
		t.Errorf("a dark picture: %v", err)
	}
}

func get(t *testing.T, address string) string {
	t.Helper()
	r, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", address, r.Status, err)
	}
	return string(body)
}

func FuzzDisplayTakesAnyBytes(f *testing.F) {
	f.Add([]byte("\x1b@\x1f$\x05\x02Hi\x1f\x03"), false)
	f.Add([]byte("\x1bQAHi\r\x0c\x1b[A"), true)
	f.Fuzz(func(t *testing.T, in []byte, cd bool) {
		got := display.Play(in, cd)
		for _, line := range got.Lines {
			if n := len([]rune(line)); n != 20 {
				t.Errorf("a line of %d characters: %q", n, line)
			}
		}
	})
}
