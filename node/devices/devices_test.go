package devices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/stock"
)

// scanFunc and fakePrinter are drivers without a device.
type scanFunc func(context.Context, func(hardware.Read)) error

func (f scanFunc) Run(ctx context.Context, deliver func(hardware.Read)) error { return f(ctx, deliver) }

type fakePrinter struct {
	says  chan hardware.PrinterStatus
	print func(job []byte) (hardware.PrintState, error)
}

func (p fakePrinter) Run(ctx context.Context, status func(hardware.PrinterStatus)) error {
	for {
		select {
		case s, ok := <-p.says:
			if !ok {
				return hardware.ErrGone
			}
			status(s)
		case <-ctx.Done():
			return nil
		}
	}
}

func (p fakePrinter) Print(_ context.Context, job []byte) (hardware.PrintState, error) {
	return p.print(job)
}

// openPipe opens a port in memory.
func openPipe(context.Context, Config) (hardware.Port, error) {
	port, _ := hardwaretest.Pipe(time.Second)
	return port, nil
}

// rig is a set with one device whose driver is the test's own.
func rig(kind Kind, d driver, log *bytes.Buffer) *Set {
	opts := Options{}
	if log != nil {
		opts.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
	name := map[Kind]string{Scanner: "serial", Printer: "escpos-serial"}[kind]
	opts.Devices = []Config{{Name: "one", Kind: kind, Driver: name, Path: "/dev/none"}}
	s := New(opts)
	s.devices[0].driver = d
	return s
}

// run runs a set until the test calls what it returns.
func run(t *testing.T, s *Set) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v after its context ended", err)
		}
	}
}

func TestADeviceIsOpenedAgainForEverAtAGentlePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		began := time.Now()
		var tries []time.Duration
		s := rig(Scanner, driver{open: func(context.Context, Config) (hardware.Port, error) {
			tries = append(tries, time.Since(began))
			return nil, fs.ErrNotExist
		}}, &log)
		stop := run(t, s)
		time.Sleep(time.Hour)
		stop()
		if len(tries) < 250 || len(tries) > 500 {
			t.Errorf("%d tries in an hour, want one in about ten seconds", len(tries))
		}
		for i, want := range []time.Duration{500, 1000, 2000, 4000, 8000, 10000, 10000} {
			pause := tries[i+1] - tries[i]
			if least, most := want*8/10, want*12/10; pause < least*time.Millisecond || pause > most*time.Millisecond {
				t.Errorf("pause %d is %v, want %v to %v ms", i, pause, int(least), int(most))
			}
		}
		if got := s.States()[0]; got.Phase != Absent || got.LastError == "" {
			t.Errorf("state = %+v, want absent with a reason", got)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 1 {
			t.Errorf("%d log lines, want one for the one change:\n%s", lines, &log)
		}
	})
}

func TestPausesStartOverAfterADeviceHasWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened, ended []time.Time
		s := rig(Scanner, driver{
			open: func(ctx context.Context, cfg Config) (hardware.Port, error) {
				opened = append(opened, time.Now())
				return openPipe(ctx, cfg)
			},
			scanner: func(hardware.Port, Config) hardware.Scanner {
				return scanFunc(func(context.Context, func(hardware.Read)) error {
					time.Sleep(time.Minute)
					ended = append(ended, time.Now())
					return hardware.ErrGone
				})
			},
		}, nil)
		stop := run(t, s)
		time.Sleep(time.Hour)
		if got := s.States()[0].Phase; got != Ready && got != Lost {
			t.Errorf("phase = %s", got)
		}
		stop()
		for i := range len(opened) - 1 {
			if pause := opened[i+1].Sub(ended[i]); pause > 600*time.Millisecond {
				t.Errorf("pause %d after a minute of work is %v", i, pause)
			}
		}
	})
}

func TestACableThatIsPutBackIsNoticedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scanner")
	synctest.Test(t, func(t *testing.T) {
		var opened time.Time
		s := rig(Scanner, driver{
			file: true,
			open: func(ctx context.Context, cfg Config) (hardware.Port, error) {
				if _, err := os.Stat(cfg.Path); err != nil {
					return nil, err
				}
				opened = time.Now()
				return openPipe(ctx, cfg)
			},
			scanner: func(hardware.Port, Config) hardware.Scanner {
				return scanFunc(func(ctx context.Context, _ func(hardware.Read)) error {
					<-ctx.Done()
					return nil
				})
			},
		}, nil)
		s.devices[0].cfg.Path = path
		stop := run(t, s)
		time.Sleep(time.Minute) // pauses are ten seconds by now
		plugged := time.Now()
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		stop()
		if took := opened.Sub(plugged); took < settle || took > settle+lookEvery {
			t.Errorf("opened %v after it was plugged in, want %v to %v", took, settle, settle+lookEvery)
		}
	})
}

func TestADriverThatPanicsIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		s := rig(Scanner, driver{open: openPipe, scanner: func(hardware.Port, Config) hardware.Scanner {
			return scanFunc(func(ctx context.Context, deliver func(hardware.Read)) error {
				if runs++; runs <= 2 {
					panic("index out of range")
				}
				deliver(hardware.Read{Data: []byte("8710398500014"), At: time.Now()})
				<-ctx.Done()
				return nil
			})
		}}, nil)
		stop := run(t, s)
		synctest.Wait()
		if got := s.States()[0]; got.Phase != Lost || !strings.Contains(got.LastError, "index out of range") {
			t.Errorf("state after a panic = %+v, want lost with its cause", got)
		}
		if got := <-s.Scans(); string(got.Data) != "8710398500014" || got.Device != "one" {
			t.Errorf("scan = %+v", got)
		}
		stop()
	})
}

func TestNoScanIsDroppedWhileNobodyTakesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sent = 3 * scanQueue
		s := rig(Scanner, driver{open: openPipe, scanner: func(hardware.Port, Config) hardware.Scanner {
			return scanFunc(func(ctx context.Context, deliver func(hardware.Read)) error {
				for i := range sent {
					deliver(hardware.Read{Data: fmt.Append(nil, i), At: time.Now()})
				}
				<-ctx.Done()
				return nil
			})
		}}, nil)
		stop := run(t, s)
		time.Sleep(time.Minute)
		if got := len(s.Scans()); got != scanQueue {
			t.Errorf("%d scans wait, want %d", got, scanQueue)
		}
		for i := range sent {
			if got := <-s.Scans(); string(got.Data) != fmt.Sprint(i) {
				t.Fatalf("scan %d is %q", i, got.Data)
			}
		}
		if got := s.States()[0].Scans; got != sent {
			t.Errorf("Scans = %d, want %d", got, sent)
		}
		stop()
		if _, open := <-s.Scans(); open {
			t.Error("Scans stays open after Run")
		}
	})
}

func TestAFullQueueDoesNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rig(Scanner, driver{open: openPipe, scanner: func(hardware.Port, Config) hardware.Scanner {
			return scanFunc(func(ctx context.Context, deliver func(hardware.Read)) error {
				for ctx.Err() == nil {
					deliver(hardware.Read{Data: []byte("1"), At: time.Now()})
				}
				return nil
			})
		}}, nil)
		stop := run(t, s)
		time.Sleep(time.Minute)
		stop()
	})
}

func TestALineOfNoiseIsDegradedUntilASymbolComes(t *testing.T) {
	at := time.Now()
	garbage := func(s *status, after time.Duration) {
		at = at.Add(after)
		s.scanned(hardware.Read{Garbage: true, At: at})
	}
	var s status
	s.opened(at, false)
	garbage(&s, time.Second)
	garbage(&s, time.Second)
	garbage(&s, time.Hour)
	garbage(&s, time.Second)
	if s.Phase != Ready {
		t.Errorf("phase = %s after single bad reads, want ready", s.Phase)
	}
	garbage(&s, time.Second)
	if s.Phase != Degraded || s.LastError == "" {
		t.Errorf("phase = %s (%q) after three in a row, want degraded", s.Phase, s.LastError)
	}
	s.scanned(hardware.Read{Data: []byte("1"), At: at})
	if s.Phase != Ready || s.LastError != "" || s.Garbage != 5 || s.Scans != 1 || !s.LastSeen.Equal(at) {
		t.Errorf("state after a symbol = %+v", s.State)
	}
	garbage(&s, time.Second)
	if s.Phase != Ready {
		t.Errorf("phase = %s after a bad read that follows a symbol, want ready", s.Phase)
	}
}

func TestWatchersSeeEachChangeWithoutFallingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		ctx, cancel := context.WithCancel(t.Context())
		one, two := s.Watch(ctx), s.Watch(t.Context())
		<-one
		<-two
		for range 100 {
			s.changed()
		}
		<-one
		<-two
		select {
		case <-one:
			t.Error("a hundred changes gave more than one token")
		default:
		}
		cancel()
		synctest.Wait()
		if _, open := <-one; open {
			t.Error("a watch outlives its context")
		}
		s.changed()
		<-two
	})
}

func TestAPrinterThatCannotPrintRefusesBeforeAnythingIsSent(t *testing.T) {
	online := hardware.PrinterStatus{Online: true}
	for _, c := range []struct {
		name  string
		says  []hardware.PrinterStatus
		phase Phase
		state string // of the refusal; empty: it prints
	}{
		{"ready", []hardware.PrinterStatus{online}, Ready, ""},
		{"paper low", []hardware.PrinterStatus{{Online: true, PaperLow: true}}, Ready, ""},
		{"silent so far", nil, Connecting, "offline"},
		{"offline", []hardware.PrinterStatus{online, {}}, Degraded, "offline"},
		{"cover open", []hardware.PrinterStatus{{CoverOpen: true, PaperOut: true}}, Degraded, "cover_open"},
		{"paper out", []hardware.PrinterStatus{{PaperOut: true}}, Degraded, "paper_out"},
		{"cutter", []hardware.PrinterStatus{{Online: true, CutterError: true}}, Degraded, "cutter_error"},
		{"refilled", []hardware.PrinterStatus{{PaperOut: true}, online}, Ready, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				printed := 0
				p := fakePrinter{make(chan hardware.PrinterStatus), func([]byte) (hardware.PrintState, error) {
					printed++
					return hardware.Printed, nil
				}}
				s := rig(Printer, driver{open: openPipe,
					printer: func(hardware.Port, Config) hardware.Printer { return p }}, nil)
				stop := run(t, s)
				defer stop()
				for _, status := range c.says {
					p.says <- status
				}
				synctest.Wait()
				if got := s.States()[0].Phase; got != c.phase {
					t.Errorf("phase = %s, want %s", got, c.phase)
				}
				state, err := s.Print(t.Context(), "one", []byte("job"))
				if c.state == "" {
					if state != hardware.Printed || err != nil || printed != 1 {
						t.Errorf("Print = %s, %v, %d times", state, err, printed)
					}
					return
				}
				r, ok := stock.AsRefusal(err)
				if state != hardware.Failed || printed != 0 || !ok || r.Code != stock.PrinterDown {
					t.Fatalf("Print = %s, %v, %d times; want a refusal", state, err, printed)
				}
				if r.Args["state"] != c.state {
					t.Errorf("the refusal says %q, want %q", r.Args["state"], c.state)
				}
			})
		})
	}
}

func TestAPrinterThatIsLostRefusesUntilItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fakePrinter{make(chan hardware.PrinterStatus), func([]byte) (hardware.PrintState, error) {
			return hardware.Sent, nil
		}}
		s := rig(Printer, driver{open: openPipe,
			printer: func(hardware.Port, Config) hardware.Printer { return p }}, nil)
		stop := run(t, s)
		defer stop()
		p.says <- hardware.PrinterStatus{Online: true}
		close(p.says)
		synctest.Wait()
		if got := s.States()[0]; got.Phase != Lost || got.Printer == nil || got.Printer.Online {
			t.Errorf("state = %+v, want lost and offline", got)
		}
		state, err := s.Print(t.Context(), "one", nil)
		if state != hardware.Failed || !stock.Refused(err, stock.PrinterDown) {
			t.Errorf("Print = %s, %v", state, err)
		}
		state, err = s.Print(t.Context(), "two", nil)
		if state != hardware.Failed || !stock.Refused(err, stock.PrinterDown) {
			t.Errorf("Print on an unknown printer = %s, %v", state, err)
		}
	})
}

func TestAPrintThatPanicsMayBeOnPaper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := 0
		p := fakePrinter{make(chan hardware.PrinterStatus), func([]byte) (hardware.PrintState, error) {
			if jobs++; jobs == 1 {
				panic("nil pointer")
			}
			return hardware.Unknown, hardware.ErrTimeout
		}}
		s := rig(Printer, driver{open: openPipe,
			printer: func(hardware.Port, Config) hardware.Printer { return p }}, nil)
		stop := run(t, s)
		defer stop()
		p.says <- hardware.PrinterStatus{Online: true}
		synctest.Wait()
		if state, err := s.Print(t.Context(), "one", nil); state != hardware.Unknown || err == nil {
			t.Errorf("Print = %s, %v; want unknown and the cause", state, err)
		}
		state, err := s.Print(t.Context(), "one", nil)
		if state != hardware.Unknown || !errors.Is(err, hardware.ErrTimeout) {
			t.Errorf("Print after it = %s, %v; want what the driver says", state, err)
		}
	})
}

func TestJobsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy, most := 0, 0
		p := fakePrinter{make(chan hardware.PrinterStatus), func([]byte) (hardware.PrintState, error) {
			busy++
			most = max(most, busy)
			time.Sleep(time.Second)
			busy--
			return hardware.Printed, nil
		}}
		s := rig(Printer, driver{open: openPipe,
			printer: func(hardware.Port, Config) hardware.Printer { return p }}, nil)
		stop := run(t, s)
		defer stop()
		p.says <- hardware.PrinterStatus{Online: true}
		synctest.Wait()
		for range 3 {
			go s.Print(t.Context(), "one", nil)
		}
		synctest.Wait()
		hurried, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		state, err := s.Print(hurried, "one", nil)
		if state != hardware.Failed || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a job that gave up waiting = %s, %v; want failed", state, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if most != 1 {
			t.Errorf("%d jobs were printed at once", most)
		}
	})
}

func TestCheckNamesEveryMistake(t *testing.T) {
	good := Config{Name: "a", Kind: Scanner, Driver: "serial", Path: "/dev/x"}
	slips := Config{
		Name: "p", Kind: Printer, Driver: "escpos-tcp", Path: "x:9100", Profile: "write-only",
	}
	if err := Check([]Config{good, slips}); err != nil {
		t.Errorf("Check = %v", err)
	}
	bad := []Config{
		good, good,
		{Kind: Scanner, Driver: "serial", Path: "/dev/x"},
		{Name: "b", Kind: "drawer", Driver: "serial", Path: "/dev/x"},
		{Name: "c", Kind: Printer, Driver: "serial", Path: "/dev/x"},
		{Name: "d", Kind: Scanner, Driver: "tcp"},
		{Name: "e", Kind: Scanner, Driver: "serial", Path: "/dev/x", Suffix: "enter"},
		{Name: "f", Kind: Printer, Driver: "escpos-tcp", Path: "x:1", Profile: "star"},
		{Name: "g", Kind: Printer, Driver: "escpos-tcp", Path: "192.0.2.10"},
		{Name: "h", Kind: Scanner, Driver: "serial", Path: "ttyUSB0"},
	}
	err := Check(bad)
	for _, want := range []string{
		`two devices are called "a"`, "device 3 has no name", `"b": kind "drawer"`,
		`"c": a printer has no driver "serial"`, `"d": driver tcp needs a path`,
		`"e": suffix "enter"`, `"f": profile "star"`, `"g": driver escpos-tcp needs an address with a port`,
		`"h": driver serial needs the whole path of a device file`, "only escpos-serial, escpos-tcp, escpos-usb",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, want it to say %s", err, want)
		}
	}
	s := New(Options{Devices: bad})
	if err := s.Run(t.Context()); err == nil {
		t.Error("Run takes a configuration that Check refuses")
	}
	if diff := cmp.Diff([]string{"evdev", "serial", "ssi", "tcp"}, Drivers(Scanner)); diff != "" {
		t.Errorf("Drivers (-want +got):\n%s", diff)
	}
}
