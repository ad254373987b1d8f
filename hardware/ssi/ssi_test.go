package ssi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/ssi"
)

const (
	noType  = 0x00 // a type that no table has
	code128 = 0x03
	decode  = 0xF3
	more    = 0x02
	again   = 0x01

	ack    = "\x04\xd0\x04\x00\xff\x28"
	resend = "\x05\xd1\x04\x00\x01\xff\x25"
)

// symbolFrame gives the packets of a symbol as a decoder sends them.
func symbolFrame(aim, data string) []byte {
	return bytes.Join(scanner.SymbolPackets(aim+data, noType, 250), nil)
}

func TestScannerKeepsTheContract(t *testing.T) {
	damaged := symbolFrame("", "8710398500014")
	damaged[7] ^= 0x55
	var endless []byte
	for range 80 {
		piece := []byte(strings.Repeat("7", 250))
		endless = append(endless, scanner.Packet(decode, more, piece...)...)
	}
	endless = append(endless, scanner.Packet(decode, 0, []byte("7end")...)...)
	hardwaretest.TestScanner(t, func(*testing.T) (hardware.Scanner, hardwaretest.Wire) {
		port, device := hardwaretest.Pipe(time.Second)
		return ssi.New(port, ssi.Config{AsItIs: true}), hardwaretest.Wire{
			ReadWriteCloser: device, Frame: symbolFrame, Endless: endless,
			Noise: []string{
				"\x00\xff\x80\xf0", string(damaged), "\xc8\xf3\x00\x00", "8710398500014\r\n",
			},
		}
	})
}

// step is what a decoder sends, after a silence.
type step struct {
	after time.Duration
	send  []byte
}

// play runs a driver in virtual time. It gives what the driver delivered and
// what the decoder heard.
func play(t *testing.T, cfg ssi.Config, steps ...step) (got []string, heard string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		port, device := hardwaretest.Pipe(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		cfg.AsItIs = true
		go func() {
			done <- ssi.New(port, cfg).Run(ctx, func(r hardware.Read) {
				word := r.AIM + string(r.Data)
				if r.Garbage {
					word = "garbage"
				}
				got = append(got, word)
			})
		}()
		for _, step := range steps {
			time.Sleep(step.after)
			device.Write(step.send)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		all, _ := io.ReadAll(device)
		heard = string(all)
	})
	return got, heard
}

// packet is one packet of a Code 128 symbol.
func packet(status byte, text string) []byte {
	return scanner.Packet(decode, status, append([]byte{code128}, text...)...)
}

func broken(b []byte) []byte {
	b = bytes.Clone(b)
	b[6] ^= 0x01
	return b
}

func TestWhatIsSentAgainIsDeliveredOnce(t *testing.T) {
	const second = time.Second
	one, oneAgain := packet(0, "A1-long-enough"), packet(again, "A1-long-enough")
	two := packet(0, "B2")
	for _, c := range []struct {
		name  string
		steps []step
		want  []string
		heard string
	}{
		{"an acknowledgement that got lost",
			[]step{{0, one}, {2 * second, oneAgain}, {2 * second, oneAgain}},
			[]string{"]C0A1-long-enough"}, ack + ack + ack},
		{"a packet that got lost, after another",
			[]step{{0, two}, {2 * second, oneAgain}}, []string{"]C0B2", "]C0A1-long-enough"},
			ack + ack},
		{"the same item twice", []step{{0, one}, {0, one}},
			[]string{"]C0A1-long-enough", "]C0A1-long-enough"}, ack + ack},
		{"the same item again, damaged at first",
			[]step{{0, one}, {second, broken(one)}, {second, oneAgain}},
			[]string{"]C0A1-long-enough", "garbage", "]C0A1-long-enough"}, ack + resend + ack},
		{"the same item again, damaged, with no time to ask for it",
			[]step{{0, one}, {second, append(broken(one), oneAgain...)}},
			[]string{"]C0A1-long-enough", "garbage", "]C0A1-long-enough"}, ack + ack},
		{"a lost acknowledgement, with a little noise",
			[]step{{0, one}, {second, []byte{0, 0xFF}}, {second, oneAgain}},
			[]string{"]C0A1-long-enough", "garbage"}, ack + ack},
		{"the same item much later, lost at first", []step{{0, one}, {9 * second, oneAgain}},
			[]string{"]C0A1-long-enough", "]C0A1-long-enough"}, ack + ack},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, heard := play(t, ssi.Config{}, c.steps...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("reads (-want +got):\n%s", diff)
			}
			if heard != c.heard {
				t.Errorf("the decoder heard % x, want % x", heard, c.heard)
			}
		})
	}
}

func TestASymbolOfManyPacketsIsOne(t *testing.T) {
	const second = time.Second
	first, firstAgain := packet(more, "first,"), packet(more|again, "first,")
	last := packet(0, "last")
	otherKind := scanner.Packet(decode, 0, []byte("\x0b4006381333931")...)
	for _, c := range []struct {
		name  string
		steps []step
		want  []string
	}{
		{"in one piece", []step{{0, append(bytes.Clone(first), last...)}},
			[]string{"]C0first,last"}},
		{"of which one is sent again", []step{{0, first}, {2 * second, firstAgain}, {0, last}},
			[]string{"]C0first,last"}},
		{"with two that are equal", []step{{0, first}, {0, first}, {0, last}},
			[]string{"]C0first,first,last"}},
		{"whose end is sent again", []step{{0, first}, {4 * second, packet(again, "last")}},
			[]string{"]C0first,last"}},
		{"whose end the decoder gave up, for want of an answer",
			[]step{{0, first}, {2 * second, firstAgain}, {2 * second, firstAgain}, {2 * second,
				last}},
			[]string{"garbage", "]C0last"}},
		{"whose end the decoder gave up, and sent another again",
			[]step{{0, first}, {6 * second, packet(again, "last")}}, []string{"garbage",
				"]C0last"}},
		{"whose end is another symbol's", []step{{0, first}, {second, otherKind}},
			[]string{"garbage", "]E04006381333931"}},
		{"without text", []step{{0, packet(0, "")}, {0, scanner.Packet(decode, 0)}, {0, last}},
			[]string{"]C0last"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := play(t, ssi.Config{}, c.steps...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("reads (-want +got):\n%s", diff)
			}
		})
	}
	always := ssi.Config{AIM: barcode.AIMAlways}
	for _, c := range []struct {
		name  string
		steps []step
		want  []string
	}{
		{"after a long pause", []step{{0, packet(more, "]C1first,")}, {time.Hour, last}},
			[]string{"]C1first,last"}},
		{"given up for another", []step{{0, packet(more, "]C1first,")}, {0, packet(0, "]C1B2")}},
			[]string{"garbage", "]C1B2"}},
		{"without its beginning", []step{{0, first}, {0, last}, {0, packet(0, "]C1B2")}},
			[]string{"garbage", "]C1B2"}},
		{"with nothing but an identifier", []step{{0, packet(0, "]C1")}}, nil},
	} {
		t.Run("identified, "+c.name, func(t *testing.T) {
			got, _ := play(t, always, c.steps...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("reads (-want +got):\n%s", diff)
			}
		})
	}
	got, _ := play(t, ssi.Config{MaxFrame: 9}, step{0, append(bytes.Clone(first), last...)},
		step{0, packet(0, "123456789")}, step{0, packet(0, "1234567890")})
	if diff := cmp.Diff([]string{"garbage", "]C0123456789", "garbage"}, got); diff != "" {
		t.Errorf("symbols longer than the maximum (-want +got):\n%s", diff)
	}
}

func TestNoiseIsAskedForThreeTimesAtMost(t *testing.T) {
	noise := step{time.Second, []byte("noise at another speed")}
	got, heard := play(t, ssi.Config{}, noise, noise, noise, noise, noise)
	if heard != strings.Repeat(resend, 3) || len(got) != 5 {
		t.Errorf("the decoder heard % x after %q, want to be asked three times", heard, got)
	}
}

func TestWhatIsNoSymbolIsAnswered(t *testing.T) {
	const denied = "\x05\xd1\x04\x00\x06\xff\x20"
	for name, c := range map[string]struct {
		opcode byte
		heard  string
	}{
		"an event": {0xF6, ack}, "an image": {0xB1, denied}, "parameters": {0xC6, ack},
		"an acknowledgement": {0xD0, ""},
	} {
		got, heard := play(t, ssi.Config{}, step{0, scanner.Packet(c.opcode, 0, 1)})
		if heard != c.heard || got != nil {
			t.Errorf("%s: the decoder heard % x, and %q was delivered", name, heard, got)
		}
	}
}

func TestRescansAreDroppedOnlyWhereConfigured(t *testing.T) {
	steps := []step{{0, packet(0, "A1")}, {300 * time.Millisecond, packet(0, "A1")}}
	if got, _ := play(t, ssi.Config{}, steps...); len(got) != 2 {
		t.Errorf("without MinRescan %q", got)
	}
	got, heard := play(t, ssi.Config{MinRescan: 500 * time.Millisecond}, steps...)
	if len(got) != 1 || heard != ack+ack {
		t.Errorf("with MinRescan %q, and the decoder heard % x", got, heard)
	}
}

func TestIdentifiersInTheTextAreReadAsConfigured(t *testing.T) {
	gs1 := step{0, packet(0, "]C10104006381333931")}
	if got, _ := play(t, ssi.Config{}, gs1); got[0] != "]C10104006381333931" {
		t.Errorf("got %q", got)
	}
	got, _ := play(t, ssi.Config{AIM: barcode.AIMNever}, gs1)
	if got[0] != "]C0]C10104006381333931" {
		t.Errorf("got %q", got)
	}
}

// A stopped node may not have taken the symbol, so the scanner must complain.
func TestASymbolThatWasNotTakenIsNotAcknowledged(t *testing.T) {
	port, device := hardwaretest.Pipe(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	device.Write(packet(0, "A1"))
	err := ssi.New(port, ssi.Config{AsItIs: true}).Run(ctx, func(hardware.Read) { cancel() })
	if err != nil {
		t.Fatal(err)
	}
	if heard, _ := io.ReadAll(device); len(heard) > 0 {
		t.Errorf("the decoder heard % x", heard)
	}
}

// talk runs a driver against a decoder that the test plays by hand.
func talk(
	t *testing.T, cfg ssi.Config, decoder func(device io.ReadWriter),
) (got []string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		port, device := hardwaretest.Pipe(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			done <- ssi.New(port, cfg).Run(ctx, func(r hardware.Read) {
				got = append(got, r.AIM+string(r.Data))
			})
		}()
		go decoder(device)
		err = <-done
		device.Close()
	})
	return got, err
}

// hears reads a command of the host, after the byte that wakes a decoder.
func hears(device io.Reader) (opcode, status byte, data []byte) {
	head := make([]byte, 1)
	for head[0] == 0 {
		if _, err := io.ReadFull(device, head); err != nil {
			return 0, 0, nil
		}
	}
	rest := make([]byte, int(head[0])+1)
	io.ReadFull(device, rest)
	return rest[0], rest[2], rest[3 : len(rest)-2]
}

func TestADecoderIsSetUpFirst(t *testing.T) {
	const format, codeID = "\xff\xee\x01", "\xff\x2d\x01"
	acked := scanner.Packet(0xD0, 0x80)
	for _, c := range []struct {
		name     string
		answer   []byte // to the command for identifiers
		commands int
		want     string
	}{
		{"that obeys", acked, 2, "]C1A1"},
		{"that does not hear of identifiers", scanner.Packet(0xD1, 0, 1), 4, "]C1A1"},
		{"that knows no identifiers", scanner.Packet(0xD1, 0, 2), 2, "]C0]C1A1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := talk(t, ssi.Config{}, func(device io.ReadWriter) {
				for range c.commands {
					_, _, data := hears(device)
					device.Write(map[string][]byte{format: acked, codeID: c.answer}[string(data)])
				}
				time.Sleep(time.Second)
				device.Write(packet(0, "]C1A1"))
			})
			if err != nil {
				t.Errorf("Run = %v", err)
			}
			if diff := cmp.Diff([]string{c.want}, got); diff != "" {
				t.Errorf("reads (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADecoderThatCannotBeSetUpIsAFault(t *testing.T) {
	heard := 0
	_, err := talk(t, ssi.Config{}, func(device io.ReadWriter) {
		for {
			opcode, status, _ := hears(device)
			if opcode == 0 {
				return
			}
			if want := min(heard, 1); int(status) != want {
				t.Errorf("command %d has status %d, want %d", heard, status, want)
			}
			heard++
		}
	})
	if !errors.Is(err, hardware.ErrTimeout) || heard != 3 ||
		!strings.Contains(err.Error(), "no answer to packet format") {
		t.Errorf("Run = %v after %d commands, want ErrTimeout after three", err, heard)
	}
	_, err = talk(t, ssi.Config{}, func(device io.ReadWriter) {
		for range 2 {
			hears(device)
			device.Write(scanner.Packet(0xD1, 0, 6))
		}
	})
	if err == nil || !strings.Contains(err.Error(), "denies") {
		t.Errorf("Run = %v, want that it was denied", err)
	}
}

func TestADecoderThatForgotIsSetUpAgain(t *testing.T) {
	var commands []string
	_, err := talk(t, ssi.Config{}, func(device io.ReadWriter) {
		obey := func() {
			for range 2 {
				_, _, data := hears(device)
				commands = append(commands, string(data))
				device.Write(scanner.Packet(0xD0, 0))
			}
		}
		obey()
		time.Sleep(time.Minute) // it loses its power, and comes back
		device.Write([]byte("4006381333931\r"))
		if opcode, _, _ := hears(device); opcode != 0xD1 {
			t.Errorf("the host says %02x to noise, want NAK", opcode)
		}
		obey()
		device.Write([]byte("4006381333931\r")) // at once again: too soon
		hears(device)
	})
	want := []string{"\xff\xee\x01", "\xff\x2d\x01", "\xff\xee\x01", "\xff\x2d\x01"}
	if diff := cmp.Diff(want, commands); diff != "" || err != nil {
		t.Errorf("Run = %v; commands (-want +got):\n%s", err, diff)
	}
}

func TestAHeartbeatNoticesAScannerThatIsOff(t *testing.T) {
	beats := 0
	_, err := talk(t, ssi.Config{AsItIs: true, Heartbeat: time.Minute}, func(device io.ReadWriter) {
		for beats < 5 {
			if opcode, _, _ := hears(device); opcode != 0xA3 {
				t.Errorf("the host says %02x, want the revision asked for", opcode)
			}
			beats++
			device.Write(scanner.Packet(0xA4, 0, 'S'))
			hears(device) // its acknowledgement
		}
		for {
			if opcode, _, _ := hears(device); opcode == 0 {
				return
			}
		}
	})
	if !errors.Is(err, hardware.ErrTimeout) || beats != 5 {
		t.Errorf("Run = %v after %d beats, want ErrTimeout after five", err, beats)
	}
}

func TestARefusalBeeps(t *testing.T) {
	port, device := hardwaretest.Pipe(time.Second)
	s := ssi.New(port, ssi.Config{AsItIs: true})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, func(hardware.Read) {}) }()
	go func() {
		for _, answer := range [][]byte{scanner.Packet(0xD0, 0), scanner.Packet(0xD1, 0, 6)} {
			if opcode, _, data := hears(device); opcode != 0xE6 || len(data) != 1 {
				t.Errorf("the host says %02x % x, want a beep", opcode, data)
			}
			device.Write(answer)
		}
	}()
	if err := s.Refuse(t.Context()); err != nil {
		t.Errorf("Refuse = %v", err)
	}
	if err := s.Refuse(t.Context()); err == nil || !strings.Contains(err.Error(), "denies") {
		t.Errorf("Refuse of a scanner that will not beep = %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if err := s.Refuse(t.Context()); !errors.Is(err, hardware.ErrGone) {
		t.Errorf("Refuse after Run = %v, want ErrGone", err)
	}
}
