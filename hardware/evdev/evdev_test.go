package evdev_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
	"holdfast.dev/hardware/evdev"
	"holdfast.dev/hardware/hardwaretest"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func take(t *testing.T, device *hardwaretest.Input, cfg evdev.Config) *evdev.Keyboard {
	t.Helper()
	if cfg.Layout == "" {
		cfg.Layout = "us"
	}
	k, err := evdev.Take(device.Open(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// typed gives the events of a text; a test's own mistake ends it.
func typed(t *testing.T, country, text string) []byte {
	t.Helper()
	events, err := scanner.Keys(country, text)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// plugged is a keyboard as a wire: whatever is said to it is not heard.
type plugged struct{ *hardwaretest.Input }

func (plugged) Read([]byte) (int, error) { return 0, os.ErrClosed }

func TestScannerKeepsTheContract(t *testing.T) {
	for _, country := range evdev.Layouts() {
		t.Run(country, func(t *testing.T) {
			frame := func(aim, data string) []byte {
				events, err := scanner.Keys(country, aim+data+"\r")
				if err != nil {
					t.Error(err)
				}
				return events
			}
			hardwaretest.TestScanner(t, func(t *testing.T) (hardware.Scanner, hardwaretest.Wire) {
				device := hardwaretest.NewInput("ACME Barcode Scanner")
				port := take(t, device, evdev.Config{Layout: country})
				return barcode.New(port, barcode.Config{}), hardwaretest.Wire{
					ReadWriteCloser: plugged{device}, Frame: frame, Grain: 24, ASCII: true,
					Noise:   []string{string(frame("", "\x01\x02")), string(frame("", "????"))},
					Endless: frame("", strings.Repeat("7", 20<<10)),
				}
			})
		})
	}
}

// read gives what a keyboard types up to Enter.
func read(t *testing.T, k *evdev.Keyboard) string {
	t.Helper()
	var all []byte
	buffer := make([]byte, 16)
	done := make(chan error, 1)
	go func() {
		for {
			n, err := k.Read(buffer)
			all = append(all, buffer[:n]...)
			if err != nil || strings.HasSuffix(string(all), "\r") {
				done <- err
				return
			}
		}
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
	case <-time.After(patience):
		t.Fatalf("no Enter in time, only %q", all)
	}
	return strings.TrimSuffix(string(all), "\r")
}

// The tables of driver and simulator come from different sources.
func TestEveryCharacterIsReadAsItIsPrintedOnTheKeys(t *testing.T) {
	const ascii = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`" +
		"abcdefghijklmnopqrstuvwxyz{|}~\x1c\x1d\x1e\x1f\x04"
	for country, own := range map[string]string{
		"us": "", "de": "äöüßÄÖÜ§€°µ²³", "dk": "æøåÆØÅ§½€£¤µ", "nl": "€£§±¬ß¶¼½¾«»¢·µ¦¹²³°",
	} {
		t.Run(country, func(t *testing.T) {
			device := hardwaretest.NewInput("scanner")
			k := take(t, device, evdev.Config{Layout: country})
			device.Write(typed(t, country, ascii+own+"\r"))
			if diff := cmp.Diff(ascii+own, read(t, k)); diff != "" {
				t.Errorf("typed (-want +got):\n%s", diff)
			}
		})
	}
}

// A scanner that is set to another country types other characters: the check
// that field engineers make.
func TestTheWrongCountryShows(t *testing.T) {
	device := hardwaretest.NewInput("scanner")
	k := take(t, device, evdev.Config{Layout: "us"})
	device.Write(typed(t, "de", "https://y\r"))
	if got := read(t, k); got != "https>&&z" {
		t.Errorf("typed %q", got)
	}
}

// press gives the events of keys that go down (a code) or up (minus a code).
func press(codes ...int) (events []byte) {
	for _, code := range codes {
		event := make([]byte, 48)
		event[16], event[20] = 1, 1
		if code < 0 {
			code, event[20] = -code, 0
		}
		event[18] = byte(code)
		events = append(events, event...)
	}
	return events
}

const (
	keyA, key1, keyEnter, keyUp               = 30, 2, 28, 103
	keyShift, keyCtrl, keyAlt, keyCaps, keyF8 = 42, 29, 56, 58, 66

	pad0, pad1, pad2, pad3, pad9, padMinus, padEnter = 82, 79, 80, 81, 73, 74, 96
)

func TestKeysTypeWhatTheyMean(t *testing.T) {
	repeat := press(keyA)
	repeat[20] = 2
	for name, c := range map[string]struct {
		events []byte
		want   string
	}{
		"a key that is held types once":   {append(press(keyA), repeat...), "a"},
		"shift that is let go in between": {press(keyShift, keyA, -keyShift, keyA), "Aa"},
		"caps lock": {press(keyCaps, -keyCaps, keyA, key1, keyShift, keyA),
			"A1a"},
		"the number block":          {press(pad1, pad9, padMinus, pad0), "19-0"},
		"an arrow":                  {press(keyUp, keyA), "a"},
		"F8 for GS":                 {press(keyA, keyF8, keyA), "a\x1da"},
		"Ctrl and a letter":         {press(keyCtrl, keyA, -keyCtrl, keyA), "\x01a"},
		"Ctrl and what has no sign": {press(keyCtrl, key1, -keyCtrl), "\x00"},
		"Alt and 029 for GS": {press(keyAlt, pad0, pad2, pad9, -keyAlt, keyA),
			"\x1da"},
		"Alt and the number of a letter":    {press(keyAlt, pad0, pad2, pad3, pad3, -keyAlt), "é"},
		"Alt and a number of code page 437": {press(keyAlt, pad1, pad3, pad0, -keyAlt), "é"},
		"Alt and no number":                 {press(keyAlt, padMinus, -keyAlt), "\x00"},
		"Alt and a number that is none": {press(keyAlt, pad9, pad9, pad9, pad9, pad9, -keyAlt),
			"\x00"},
		"Alt alone": {press(keyAlt, -keyAlt, keyA), "a"},
	} {
		t.Run(name, func(t *testing.T) {
			device := hardwaretest.NewInput("scanner")
			k := take(t, device, evdev.Config{})
			device.Write(c.events)
			device.Write(press(padEnter))
			if got := read(t, k); got != c.want {
				t.Errorf("typed %q, want %q", got, c.want)
			}
		})
	}
}

func TestAccentsWaitForTheirLetter(t *testing.T) {
	const keyE, keyN, keyAcute, keyCircumflex, keySpace = 18, 49, 13, 41, 57
	for name, c := range map[string]struct {
		events []byte
		want   string
	}{
		"a letter that takes it": {press(keyAcute, keyE), "é"},
		"a letter that does not": {press(keyCircumflex, keyN), "^n"},
		"a space":                {press(keyCircumflex, keySpace, keyE), "^e"},
		"the same accent":        {press(keyCircumflex, keyCircumflex, keyE), "^e"},
		"another accent":         {press(keyCircumflex, keyAcute, keyE), "^é"},
		"with Shift: another":    {press(keyShift, keyAcute, -keyShift, keyE), "è"},
		"a capital":              {press(keyAcute, keyShift, keyE, -keyShift), "É"},
		"nothing, before Enter":  {press(keyE, keyAcute), "e´"},
	} {
		t.Run(name, func(t *testing.T) {
			device := hardwaretest.NewInput("scanner")
			k := take(t, device, evdev.Config{Layout: "de"})
			device.Write(append(c.events, press(keyEnter)...))
			if got := read(t, k); got != c.want {
				t.Errorf("typed %q, want %q", got, c.want)
			}
		})
	}
}

func TestNobodyElseSeesTheKeysOfAScanner(t *testing.T) {
	device := hardwaretest.NewInput("scanner")
	browser := device.Open()
	k := take(t, device, evdev.Config{})
	device.Write(press(keyA, -keyA, keyEnter, -keyEnter))
	if got := read(t, k); got != "a" {
		t.Errorf("typed %q", got)
	}
	_, err := evdev.Take(device.Open(), evdev.Config{Layout: "us"})
	if !errors.Is(err, evdev.ErrInUse) {
		t.Errorf("a second driver = %v, want ErrInUse", err)
	}
	k.Close()
	device.Write(press(key1))
	first := make([]byte, 1024)
	if n, err := browser.Read(first); n != 48 || first[18] != key1 {
		t.Errorf("the page sees % x, %v; want only what came after", first[:n], err)
	}
}

func TestLostEventsSpoilTheSymbolAndNoOther(t *testing.T) {
	device := hardwaretest.NewInput("scanner")
	port := take(t, device, evdev.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reads := make(chan hardware.Read, 8)
	go barcode.New(port, barcode.Config{}).Run(ctx, func(r hardware.Read) { reads <- r })
	next := func() hardware.Read {
		select {
		case r := <-reads:
			return r
		case <-time.After(patience):
			t.Fatal("no read in time")
			return hardware.Read{}
		}
	}
	device.Write(typed(t, "us", "8710398500014\r"))
	if r := next(); string(r.Data) != "8710398500014" {
		t.Fatalf("read %q", r.Data)
	}
	device.Write(typed(t, "us", "40063"))
	device.Overrun()
	device.Write(press(key1)) // its report ends the gap
	device.Write(typed(t, "us", "81\r"))
	if r := next(); !r.Garbage {
		t.Errorf("what lost a piece is the symbol %q", r.Data)
	}
	device.Overrun()
	device.Write(press(keyShift)) // goes down unseen
	device.Write(press(keyEnter))
	if r := next(); !r.Garbage {
		t.Errorf("what lost a piece is the symbol %q", r.Data)
	}
	device.Write(press(keyA, -keyShift, keyA, keyEnter))
	if r := next(); string(r.Data) != "Aa" {
		t.Errorf("read %q, want Aa", r.Data)
	}
}

func TestOnlyTheRightDeviceIsTaken(t *testing.T) {
	for name, c := range map[string]struct {
		device string
		cfg    evdev.Config
		says   string
	}{
		"another kind of device": {"USB Keyboard",
			evdev.Config{Layout: "us", Names: []string{"scanner", "barcode"}},
			`"USB Keyboard", which contains none of ["scanner" "barcode"]`},
		"a country that there is not": {"scanner", evdev.Config{Layout: "xx"},
			`layout "xx" is none of de, dk, nl, us`},
	} {
		t.Run(name, func(t *testing.T) {
			view := hardwaretest.NewInput(c.device).Open()
			_, err := evdev.Take(view, c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Take = %v, want it to say %q", err, c.says)
			}
			if _, err := view.Read(make([]byte, 24)); !errors.Is(err, os.ErrClosed) {
				t.Error("a refused device stays open")
			}
		})
	}
	k := take(t, hardwaretest.NewInput("ACME BARCODE reader"),
		evdev.Config{Names: []string{"barcode"}})
	if _, err := k.Write([]byte("x")); !errors.Is(err, evdev.ErrReadOnly) {
		t.Errorf("write = %v, want ErrReadOnly", err)
	}
}

func TestAKeyboardThatIsUnpluggedIsGone(t *testing.T) {
	device := hardwaretest.NewInput("scanner")
	k := take(t, device, evdev.Config{})
	done := make(chan error, 1)
	go func() { _, err := k.Read(make([]byte, 8)); done <- err }()
	device.Close()
	if err := <-done; !errors.Is(err, hardware.ErrGone) || !errors.Is(err, unix.ENODEV) {
		t.Errorf("read = %v, want ErrGone", err)
	}
	k = take(t, hardwaretest.NewInput("scanner"), evdev.Config{})
	go func() { _, err := k.Read(make([]byte, 8)); done <- err }()
	k.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("read during Close = %v, want os.ErrClosed", err)
	}
	if err := k.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "usb-ACME_Scanner-event-kbd")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		is   error
		says string
	}{
		"nothing plugged in": {filepath.Join(dir, "none"), fs.ErrNotExist, "none"},
		"no input device":    {file, unix.ENOTTY, "ask for its name"},
		"a number":           {"/dev/input/event3", nil, "/dev/input/by-id"},
	} {
		_, err := evdev.Open(evdev.Config{Path: c.path, Layout: "us"})
		if err == nil || c.is != nil && !errors.Is(err, c.is) ||
			!strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: open = %v, want %v and %q", name, err, c.is, c.says)
		}
	}
}

// BenchmarkTyping is the cost of one EAN-13, key by key.
func BenchmarkTyping(b *testing.B) {
	events, err := scanner.Keys("us", "4006381333931\r")
	if err != nil {
		b.Fatal(err)
	}
	device := hardwaretest.NewInput("scanner")
	k, err := evdev.Take(device.Open(), evdev.Config{Layout: "us"})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	buffer := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		device.Write(events)
		for typed := 0; typed < 14; {
			n, err := k.Read(buffer)
			if err != nil {
				b.Fatal(err)
			}
			typed += n
		}
	}
}

func BenchmarkIdleKeyboards(b *testing.B) {
	hardwaretest.BenchmarkIdle(b, func(b *testing.B) hardware.Scanner {
		device := hardwaretest.NewInput("scanner")
		k, err := evdev.Take(device.Open(), evdev.Config{Layout: "us"})
		if err != nil {
			b.Fatal(err)
		}
		return barcode.New(k, barcode.Config{})
	})
}
