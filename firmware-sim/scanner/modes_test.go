package scanner_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/ssi"
)

// run runs a driver for the length of a test.
func run(t *testing.T, driver hardware.Scanner) host {
	t.Helper()
	h := host{make(chan hardware.Read, 256), make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { h.done <- driver.Run(ctx, func(r hardware.Read) { h.reads <- r }) }()
	return h
}

func TestAnSSIScannerObeysItsDriver(t *testing.T) {
	s := start(t, scanner.Options{Mode: scanner.SSI, Baud: lineBaud})
	driver := ssi.New(openSerial(t, s), ssi.Config{})
	h := run(t, driver)
	if err := driver.Refuse(t.Context()); err != nil || s.Beeps() != 1 {
		t.Errorf("Refuse = %v and %d beeps, want one", err, s.Beeps())
	}
	scan(t, s, "0104006381333931\x1d10AB", "]C1") // packets, as the driver has asked
	want := hardware.Read{AIM: "]C1", Data: []byte("0104006381333931\x1d10AB")}
	if diff := cmp.Diff(want, h.next(t)); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}

	s.Restart()
	scan(t, s, "4006381333931", "]E0") // it sends text again, which is no packet
	if r := h.next(t); !r.Garbage {
		t.Errorf("read %+v, want garbage", r)
	}

	s.Unplug()
	if err := s.Plug(); err != nil {
		t.Fatal(err)
	}
	raw := run(t, barcode.New(openSerial(t, s), barcode.Config{}))
	scan(t, s, "4006381333931", "]E0")
	if r := raw.next(t); string(r.Data) != "4006381333931" || r.AIM != "" {
		t.Errorf("read %+v", r)
	}
}

func TestAHostThatDoesNotAnswerIsComplainedAbout(t *testing.T) {
	const wait = 20 * time.Millisecond
	for name, opts := range map[string]scanner.Options{
		"in SSI mode":      {Mode: scanner.SSI, Packets: true, Baud: lineBaud, AnswerWait: wait},
		"with a handshake": {Handshake: true, Baud: lineBaud, AnswerWait: wait},
	} {
		s := start(t, opts)
		openSerial(t, s)
		if err := s.Scan(t.Context(), "A1", ""); !errors.Is(err, scanner.ErrNotAcknowledged) {
			t.Errorf("%s: scan = %v, want ErrNotAcknowledged", name, err)
		}
	}
}

func TestScanningThatIsSwitchedOffReadsNothing(t *testing.T) {
	s := start(t, scanner.Options{Mode: scanner.SSI, Baud: lineBaud})
	port := openSerial(t, s)
	defer port.Close()
	port.Write([]byte("\x04\xea\x04\x00\xff\x0e"))
	if _, err := io.ReadFull(port, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if err := s.Scan(t.Context(), "A1", ""); !errors.Is(err, scanner.ErrDisabled) {
		t.Errorf("scan = %v, want ErrDisabled", err)
	}
}

func TestAHalfOpenLineSaysNothing(t *testing.T) {
	s := start(t, scanner.Options{Baud: lineBaud})
	h := listen(t, s.Path(), lineBaud)
	if err := s.SetFaults(scanner.Faults{HalfOpen: true}); err != nil {
		t.Fatal(err)
	}
	scan(t, s, "lost", "")
	if err := s.SetFaults(scanner.Faults{}); err != nil {
		t.Fatal(err)
	}
	scan(t, s, "heard", "")
	if r := h.next(t); string(r.Data) != "heard" {
		t.Errorf("read %q", r.Data)
	}
	if diff := cmp.Diff([]scanner.Symbol{{Code: "heard"}}, s.Sent()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	select {
	case err := <-h.done:
		t.Errorf("the driver ended with %v", err)
	default:
	}
}

func TestANetworkScannerServesOneHost(t *testing.T) {
	s := start(t, scanner.Options{TCP: "127.0.0.1:0", Baud: lineBaud})
	address := s.Path()
	if err := s.Scan(t.Context(), "A1", ""); !errors.Is(err, scanner.ErrNotRead) {
		t.Errorf("scan without a host = %v, want ErrNotRead", err)
	}
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		return conn
	}
	read := func(conn net.Conn) string {
		b := make([]byte, 4)
		n, _ := io.ReadFull(conn, b)
		return string(b[:n])
	}
	first := dial()
	for s.Scan(t.Context(), "A1", "") != nil { // until it has noticed its host
		time.Sleep(time.Millisecond)
	}
	if got := read(first); got != "A1\r\n" {
		t.Errorf("the host reads %q", got)
	}
	if got := read(dial()); got != "" {
		t.Errorf("a second host reads %q", got)
	}
	s.Unplug()
	if got := read(first); got != "" {
		t.Errorf("after the cable was pulled the host reads %q", got)
	}
	if err := s.Plug(); err != nil || s.Path() != address {
		t.Errorf("plugged in again at %s, %v; want %s", s.Path(), err, address)
	}
}

func TestTheSameSeedGivesTheSameFaults(t *testing.T) {
	sent := func(seed uint64) string {
		s := start(t, scanner.Options{Baud: 921600})
		listen(t, s.Path(), 921600)
		if err := s.SetFaults(scanner.Faults{
			Seed: seed, Damage: 0.3, Double: 0.3, WrongCheck: 0.3, Garbage: 0.3,
		}); err != nil {
			t.Fatal(err)
		}
		var codes []string
		for range 30 {
			scan(t, s, "4006381333931", "")
		}
		for _, symbol := range s.Sent() {
			codes = append(codes, symbol.Code)
		}
		return strings.Join(codes, " ")
	}
	if one, same, other := sent(1), sent(1), sent(2); one != same || one == other {
		t.Errorf("seed 1 sent\n%s and then\n%s; seed 2\n%s", one, same, other)
	}
}

// A keyboard driver's device is a fake, so its events are checked by hand.
func TestKeysAreTheKernelsEvents(t *testing.T) {
	events, err := scanner.Keys("us", "A\r")
	if err != nil {
		t.Fatal(err)
	}
	var got []uint16
	for i := 0; i < len(events); i += 24 {
		kind, code, value := events[i+16], uint16(events[i+18]), events[i+20]
		if i/24%2 == 1 {
			if kind != 0 || code != 0 {
				t.Errorf("event %d is no report", i/24)
			}
			continue
		}
		got = append(got, code<<1|uint16(value))
	}
	want := []uint16{42<<1 | 1, 30<<1 | 1, 30 << 1, 42 << 1, 28<<1 | 1, 28 << 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys down (odd) and up (-want +got):\n%s", diff)
	}
	if _, err := scanner.Keys("us", "北"); err == nil {
		t.Error("a key types 北")
	}
	if _, err := scanner.Keys("fr", "a"); err == nil {
		t.Error("there is a French keyboard")
	}
}

func TestUnpluggingAKeyboardClosesItsEvents(t *testing.T) {
	device := hardwaretest.NewInput("scanner")
	s := start(t, scanner.Options{Mode: scanner.Keyboard, Events: device})
	s.Unplug()
	if err := s.Scan(t.Context(), "A1", ""); !errors.Is(err, scanner.ErrUnplugged) {
		t.Errorf("scan = %v, want ErrUnplugged", err)
	}
}
