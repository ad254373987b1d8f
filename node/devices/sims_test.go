package devices_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/hardware"
	document "holdfast.dev/hardware/receipt"
	"holdfast.dev/node/devices"
	"holdfast.dev/stock"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// start runs a set for the length of a test.
func start(t *testing.T, list ...devices.Config) *devices.Set {
	t.Helper()
	s := devices.New(devices.Options{Devices: list, MaxBackoff: 50 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return s
}

// await waits until a device is in a phase.
func await(t *testing.T, s *devices.Set, name string, phase devices.Phase) devices.State {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range s.Watch(ctx) {
		for _, state := range s.States() {
			if state.Name == name && state.Phase == phase {
				return state
			}
		}
	}
	t.Fatalf("%s is not %s in time: %+v", name, phase, s.States())
	return devices.State{}
}

func next(t *testing.T, s *devices.Set) devices.Scan {
	t.Helper()
	select {
	case scan := <-s.Scans():
		return scan
	case <-time.After(patience):
		t.Fatal("no scan in time")
		return devices.Scan{}
	}
}

func TestScannersComeAndGoWhileOthersWork(t *testing.T) {
	dir := t.TempDir()
	counter, hand := filepath.Join(dir, "counter"), filepath.Join(dir, "hand")
	s := start(t,
		devices.Config{Name: "counter", Kind: devices.Scanner, Driver: "serial", Path: counter, Baud: 115200},
		devices.Config{Name: "hand", Kind: devices.Scanner, Driver: "serial", Path: hand, Baud: 115200},
	)
	await(t, s, "counter", devices.Absent)
	sims := map[string]*scanner.Scanner{}
	for name, link := range map[string]string{"counter": counter, "hand": hand} {
		sim, err := scanner.Start(scanner.Options{Link: link, Baud: 115200, SendAIM: true})
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		sims[name] = sim
		await(t, s, name, devices.Ready)
	}
	for round := range 3 {
		for name, sim := range sims {
			code := fmt.Sprintf("%s-%d", name, round)
			if err := sim.Scan(t.Context(), code, "]C0"); err != nil {
				t.Fatal(err)
			}
			if got := next(t, s); got.Device != name || string(got.Data) != code || got.AIM != "]C0" {
				t.Errorf("scan = %+v, want %s from %s", got, code, name)
			}
		}
		sims["counter"].Unplug()
		if got := await(t, s, "counter", devices.Lost); got.LastError == "" {
			t.Error("a lost device does not say why")
		}
		await(t, s, "hand", devices.Ready)
		if err := sims["counter"].Plug(); err != nil {
			t.Fatal(err)
		}
		await(t, s, "counter", devices.Ready)
	}
	if got := s.States()[0]; got.Scans != 3 || got.Garbage != 0 || got.LastSeen.IsZero() {
		t.Errorf("state = %+v, want three scans", got)
	}
}

func TestNoiseReachesTheScreenAndTheState(t *testing.T) {
	sim, err := scanner.Start(scanner.Options{Baud: 9600})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	s := start(t, devices.Config{
		Name: "counter", Kind: devices.Scanner, Driver: "serial", Path: sim.Path(), Baud: 9600,
	})
	await(t, s, "counter", devices.Ready)
	for range 3 {
		if err := sim.Raw(t.Context(), []byte("\x00\xff\xfe\r")); err != nil {
			t.Fatal(err)
		}
		if got := next(t, s); !got.Garbage {
			t.Errorf("noise gives the scan %+q", got.Data)
		}
	}
	if got := await(t, s, "counter", devices.Degraded); got.Garbage != 3 {
		t.Errorf("Garbage = %d, want 3", got.Garbage)
	}
	if err := sim.Scan(t.Context(), "8710398500014", ""); err != nil {
		t.Fatal(err)
	}
	next(t, s)
	await(t, s, "counter", devices.Ready)
}

func TestAScannerOnTheNetworkIsFoundAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s := start(t, devices.Config{
		Name: "tunnel", Kind: devices.Scanner, Driver: "tcp", Path: listener.Addr().String(), Suffix: "etx",
	})
	for range 2 {
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "\x028710398500014\x03")
		if got := next(t, s); string(got.Data) != "8710398500014" {
			t.Errorf("scan = %+v", got)
		}
		conn.Close()
	}
}

// receipt is a job of one line.
func receipt(t *testing.T, text string) []byte {
	t.Helper()
	job, err := document.Job(document.Document{Width: 42, Blocks: []document.Block{
		document.Line{Text: text}, document.Cut{},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestAPrinterPrintsRefusesAndComesBack(t *testing.T) {
	link := filepath.Join(t.TempDir(), "printer")
	for name, c := range map[string]struct {
		sim    printer.Options
		driver string
	}{
		"on a serial line": {printer.Options{Link: link}, "escpos-serial"},
		"on the network":   {printer.Options{TCP: "127.0.0.1:0"}, "escpos-tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			c.sim.OutDir = t.TempDir()
			sim, err := printer.Start(c.sim)
			if err != nil {
				t.Fatal(err)
			}
			defer sim.Close()
			s := start(t, devices.Config{
				Name: "slips", Kind: devices.Printer, Driver: c.driver, Path: sim.State().Address, Baud: 38400,
			})
			if got := await(t, s, "slips", devices.Ready); got.Width != devices.DefaultWidth || got.Printer == nil {
				t.Errorf("state = %+v", got)
			}
			state, err := s.Print(t.Context(), "slips", receipt(t, "first"))
			if state != hardware.Printed || err != nil {
				t.Fatalf("Print = %s, %v", state, err)
			}

			sim.SetPaperOut(true)
			await(t, s, "slips", devices.Degraded)
			state, err = s.Print(t.Context(), "slips", receipt(t, "second"))
			if state != hardware.Failed || !stock.Refused(err, stock.PrinterDown) {
				t.Errorf("Print without paper = %s, %v; want a refusal", state, err)
			}
			sim.SetPaperOut(false)
			await(t, s, "slips", devices.Ready)

			sim.Unplug()
			await(t, s, "slips", devices.Lost)
			if err := sim.Plug(); err != nil {
				t.Fatal(err)
			}
			await(t, s, "slips", devices.Ready)
			state, err = s.Print(t.Context(), "slips", receipt(t, "third"))
			if state != hardware.Printed || err != nil {
				t.Errorf("Print after a replug = %s, %v", state, err)
			}
			if got := len(sim.Receipts()); got != 2 {
				t.Errorf("%d receipts came out, want 2", got)
			}
		})
	}
}
