package barcode_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/serial"
)

func TestScannerKeepsTheContractInMemory(t *testing.T) {
	for name, end := range map[string]struct {
		suffix barcode.Suffix
		bytes  string
	}{
		"auto with CR":    {barcode.Auto, "\r"},
		"auto with LF":    {barcode.Auto, "\n"},
		"auto with CR LF": {barcode.Auto, "\r\n"},
		"CR":              {barcode.CR, "\r"},
		"LF":              {barcode.LF, "\n"},
		"CR LF":           {barcode.CRLF, "\r\n"},
		"TAB":             {barcode.TAB, "\t"},
		"ETX":             {barcode.ETX, "\x03"},
	} {
		t.Run(name, func(t *testing.T) {
			hardwaretest.TestScanner(t, func(*testing.T) (hardware.Scanner, hardwaretest.Wire) {
				port, device := hardwaretest.Pipe(time.Second)
				scanner := barcode.New(port, barcode.Config{Suffix: end.suffix})
				return scanner, hardwaretest.Lined(device, end.bytes)
			})
		})
	}
}

// unheard is a line whose host says nothing. A read that waits would keep the
// line open after Close.
type unheard struct{ *os.File }

func (unheard) Read([]byte) (int, error) { return 0, io.EOF }

func TestScannerKeepsTheContractOnASerialLine(t *testing.T) {
	hardwaretest.TestScanner(t, func(t *testing.T) (hardware.Scanner, hardwaretest.Wire) {
		master, line, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer line.Close()
		port, err := serial.Open(serial.Config{Path: line.Name()})
		if err != nil {
			t.Fatal(err)
		}
		return barcode.New(port, barcode.Config{}), hardwaretest.Lined(unheard{master}, "\r\n")
	})
}

// step is what a scanner sends, after a silence.
type step struct {
	after time.Duration
	send  string
}

// play runs a driver in virtual time and gives what it delivered.
func play(t *testing.T, cfg barcode.Config, steps ...step) (got []string, s *barcode.Scanner) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		port, device := hardwaretest.Pipe(time.Second)
		s = barcode.New(port, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- s.Run(ctx, func(r hardware.Read) {
				word := string(r.Data)
				if r.Garbage {
					word = "garbage " + word
				}
				got = append(got, word)
			})
		}()
		for _, step := range steps {
			time.Sleep(step.after)
			io.WriteString(device, step.send)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return got, s
}

func TestSilenceEndsAFrame(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name  string
		cfg   barcode.Config
		steps []step
		want  []string
	}{
		{"of a scanner without suffix", barcode.Config{Suffix: barcode.Silent},
			[]step{{0, "87103"}, {99 * ms, "98500014"}, {101 * ms, "A1"}},
			[]string{"8710398500014", "A1"}},
		{"after a gap that is configured", barcode.Config{Suffix: barcode.Silent, IdleGap: 20 * ms},
			[]step{{0, "87103"}, {21 * ms, "98500014"}}, []string{"87103", "98500014"}},
		{"never where a suffix is still due soon", barcode.Config{},
			[]step{{0, "87103"}, {900 * ms, "98500014\r"}}, []string{"8710398500014"}},
		{"as garbage where the suffix never came", barcode.Config{},
			[]step{{0, "87103"}, {5 * time.Second, "A1\r"}}, []string{"garbage 87103", "A1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := play(t, c.cfg, c.steps...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("reads (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRescansAreDroppedOnlyWhereConfigured(t *testing.T) {
	const ms = time.Millisecond
	steps := []step{
		{0, "A1\r"}, {300 * ms, "A1\r"}, {300 * ms, "A1\r"}, // lies in view
		{0, "B2\r"}, {0, "A1\r"}, // another item between
		{600 * ms, "A1\r"}, // a new scan
	}
	got, _ := play(t, barcode.Config{}, steps...)
	if len(got) != len(steps) {
		t.Errorf("without MinRescan %d of %d scans arrive: %q", len(got), len(steps), got)
	}
	got, s := play(t, barcode.Config{MinRescan: 500 * ms}, steps...)
	if diff := cmp.Diff([]string{"A1", "B2", "A1", "A1"}, got); diff != "" {
		t.Errorf("with MinRescan (-want +got):\n%s", diff)
	}
	if s.Suppressed() != 2 {
		t.Errorf("Suppressed = %d, want 2", s.Suppressed())
	}
}

// conversation runs a driver with handshake and gives what the scanner heard.
func conversation(t *testing.T, sends ...string) (heard string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		port, device := hardwaretest.Pipe(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			s := barcode.New(port, barcode.Config{Handshake: true})
			done <- s.Run(ctx, func(hardware.Read) { time.Sleep(time.Second) })
		}()
		for _, send := range sends {
			io.WriteString(device, send)
			time.Sleep(time.Minute)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		all, _ := io.ReadAll(device)
		heard = string(all)
	})
	return heard
}

func TestAScannerWithHandshakeHearsOfEachRead(t *testing.T) {
	const ack, nak, noise = "\x06", "\x15", "\x00\x01\r"
	for _, c := range []struct {
		name  string
		sends []string
		want  string
	}{
		{"a symbol is acknowledged", []string{"A1\r", "B2\r"}, ack + ack},
		{"noise is asked for again", []string{noise, "A1\r"}, nak + ack},
		{"half a symbol is asked for again", []string{"A", "A1\r"}, nak + ack},
		{"noise is asked for three times at most", []string{noise, noise, noise, noise, noise},
			nak + nak + nak},
		{"a symbol starts the count over", []string{noise, noise, noise, noise, "A1\r", noise},
			nak + nak + nak + ack + nak},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := conversation(t, c.sends...); got != c.want {
				t.Errorf("the scanner heard % x, want % x", got, c.want)
			}
		})
	}
}

// deaf is a port whose device takes no bytes.
type deaf struct{ hardware.Port }

func (deaf) Write([]byte) (int, error) { return 0, hardware.ErrTimeout }

func TestAnAnswerThatCannotBeSentEndsTheRun(t *testing.T) {
	port, device := hardwaretest.Pipe(time.Second)
	io.WriteString(device, "A1\r")
	reads := 0
	s := barcode.New(deaf{port}, barcode.Config{Handshake: true})
	err := s.Run(t.Context(), func(hardware.Read) { reads++ })
	if !errors.Is(err, hardware.ErrTimeout) || reads != 1 {
		t.Errorf("Run = %v after %d reads, want ErrTimeout after one", err, reads)
	}
}

// A screen that is busy holds up delivery; the bytes wait in the kernel.
func TestASlowListenerTearsNoSymbol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port, device := hardwaretest.Pipe(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan error, 1)
		go func() {
			done <- barcode.New(port, barcode.Config{}).Run(ctx, func(r hardware.Read) {
				time.Sleep(5 * time.Second)
				got = append(got, string(r.Data))
			})
		}()
		for _, piece := range []string{"A1\r", "B", "2", "\rC", "3", "\r"} {
			io.WriteString(device, piece)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		cancel()
		<-done
		if diff := cmp.Diff([]string{"A1", "B2", "C3"}, got); diff != "" {
			t.Errorf("reads (-want +got):\n%s", diff)
		}
	})
}

func TestSettingsAreReadByTheirNames(t *testing.T) {
	for name, want := range map[string]barcode.Suffix{
		"": barcode.Auto, "crlf": barcode.CRLF, "none": barcode.Silent,
	} {
		if got, err := barcode.ParseSuffix(name); got != want || err != nil {
			t.Errorf("ParseSuffix(%q) = %d, %v", name, got, err)
		}
	}
	if _, err := barcode.ParseSuffix("enter"); err == nil {
		t.Error("ParseSuffix takes a name that it does not know")
	}
	for name, want := range map[string]barcode.AIM{
		"": barcode.AIMAuto, "always": barcode.AIMAlways, "never": barcode.AIMNever,
	} {
		if got, err := barcode.ParseAIM(name); got != want || err != nil {
			t.Errorf("ParseAIM(%q) = %d, %v", name, got, err)
		}
	}
	if _, err := barcode.ParseAIM("sometimes"); err == nil {
		t.Error("ParseAIM takes a name that it does not know")
	}
}
