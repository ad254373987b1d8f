package hardwaretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
)

// Paper is a simulated printer as a bystander sees it.
type Paper interface {
	// Came counts the receipts that were cut and hold a text.
	Came(text string) int
	SetPaperOut(out bool)
	SetPaperLeft(mm int)
	SetCover(open bool)
	Unplug()
	Plug() error
	UnplugAfter(bytes int)
	PowerOff()
	PowerOn() error
	Address() string
	Close() error
}

// PrinterRig is a kind of printer with its driver.
type PrinterRig struct {
	// Start switches a new printer on, with a short roll of patience: the
	// driver waits a second at most for a fence, and longer for a refill.
	Start func(t *testing.T) Paper
	// Drive makes a driver on a port.
	Drive func(port hardware.Port) hardware.Printer
	// Job is a receipt with a text, which Came finds, and a picture.
	Job func(text string) []byte
	// Length is the bytes of a job on the wire with all that is asked before.
	Length int
	// Stride is every how many bytes the cable is pulled; 1 when not given.
	Stride int
}

// Cable is a hardware.Port over a connection to a simulated printer. It breaks
// after so many bytes of the host if that is not 0.
type Cable struct {
	io.ReadWriteCloser
	mu     sync.Mutex
	breaks int // guarded by mu
}

// Dial plugs a cable into the address of a simulated printer.
func Dial(t *testing.T, address string, breaks int) *Cable {
	t.Helper()
	if strings.Contains(address, ":") {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return &Cable{ReadWriteCloser: conn, breaks: breaks}
	}
	file, err := os.OpenFile(address, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &Cable{ReadWriteCloser: file, breaks: breaks}
}

// Read says gone when the cable was pulled.
func (c *Cable) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	if err != nil {
		return n, fmt.Errorf("%w: %w", hardware.ErrGone, err)
	}
	return n, nil
}

// Write breaks the cable after its byte.
func (c *Cable) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	part := p
	if c.breaks > 0 {
		part = p[:min(len(p), c.breaks)]
	}
	n, err := c.ReadWriteCloser.Write(part)
	if c.breaks > 0 {
		if c.breaks -= n; c.breaks == 0 {
			c.breaks = -1
		}
	}
	if err != nil || c.breaks < 0 {
		c.Close()
		return n, hardware.ErrGone
	}
	return n, nil
}

// At is a driver at work on a printer.
type At struct {
	hardware.Printer
	Statuses <-chan hardware.PrinterStatus
}

// Run starts a driver and stops it with the test.
func (r PrinterRig) Run(t *testing.T, port hardware.Port) At {
	t.Helper()
	driver := r.Drive(port)
	statuses := make(chan hardware.PrinterStatus, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	ended := start(func() error {
		return driver.Run(ctx, func(s hardware.PrinterStatus) { statuses <- s })
	})
	t.Cleanup(func() {
		cancel()
		if err := wait(ended); errors.Is(err, errLate) {
			t.Error("Run did not end")
		}
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err := driver.Print(t.Context(), nil); !strings.Contains(err.Error(), "not running") {
			return At{driver, statuses}
		}
	}
	t.Fatal("Run does not run")
	return At{}
}

// TestPrinter checks that a driver keeps the contract of hardware.Printer on a
// printer that can prove what it printed.
func TestPrinter(t *testing.T, r PrinterRig) {
	for claim, check := range map[string]func(*testing.T, PrinterRig){
		"printed means that the receipt came out":         printedCame,
		"nothing is sent to a printer that cannot print":  notSent,
		"a job goes on after the refill":                  refilled,
		"a printer that lost its power leaves it unknown": powerLost,
		"states are told":                                 statesAreTold,
		"a cable that breaks never makes it lie":          pulledAnywhere,
	} {
		t.Run(claim, func(t *testing.T) { check(t, r) })
	}
}

func printedCame(t *testing.T, r PrinterRig) {
	p := r.Start(t)
	at := r.Run(t, Dial(t, p.Address(), 0))
	for i := range 3 {
		text := fmt.Sprintf("receipt-%d", i)
		if got, err := at.Print(t.Context(), r.Job(text)); got != hardware.Printed ||
			p.Came(text) != 1 {
			t.Errorf("got %v, %v with %d receipts", got, err, p.Came(text))
		}
	}
}

func notSent(t *testing.T, r PrinterRig) {
	for name, set := range map[string]func(Paper, bool){
		"paper out": Paper.SetPaperOut, "cover open": Paper.SetCover,
	} {
		p := r.Start(t)
		at := r.Run(t, Dial(t, p.Address(), 0))
		set(p, true)
		if got, err := at.Print(t.Context(), r.Job("lost")); got != hardware.Failed || err == nil {
			t.Errorf("%s: got %v, %v; want failed", name, got, err)
		}
		set(p, false)
		if got, err := at.Print(t.Context(), r.Job("next")); got != hardware.Printed {
			t.Errorf("%s: got %v, %v; want printed", name, got, err)
		}
		if p.Came("lost") != 0 || p.Came("next") != 1 {
			t.Errorf("%s: %d lost and %d next came out", name, p.Came("lost"), p.Came("next"))
		}
	}
}

func refilled(t *testing.T, r PrinterRig) {
	p := r.Start(t)
	at := r.Run(t, Dial(t, p.Address(), 0))
	p.SetPaperLeft(8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range at.Statuses {
			if s.PaperOut {
				p.SetPaperOut(false)
				return
			}
		}
	}()
	got, err := at.Print(t.Context(), r.Job("long"))
	<-done
	if got != hardware.Printed || p.Came("long") != 1 {
		t.Errorf("got %v, %v with %d receipts; want one printed", got, err, p.Came("long"))
	}
}

func powerLost(t *testing.T, r PrinterRig) {
	p := r.Start(t)
	at := r.Run(t, Dial(t, p.Address(), 0))
	p.SetPaperLeft(8) // so that it stands still in the middle
	go func() {
		for s := range at.Statuses {
			if s.PaperOut {
				p.PowerOff()
				return
			}
		}
	}()
	if got, err := at.Print(t.Context(), r.Job("dark")); got != hardware.Unknown ||
		!errors.Is(err, hardware.ErrGone) {
		t.Errorf("got %v, %v; want unknown, gone", got, err)
	}
	if p.Came("dark") != 0 {
		t.Error("it came out")
	}
}

func statesAreTold(t *testing.T, r PrinterRig) {
	p := r.Start(t)
	at := r.Run(t, Dial(t, p.Address(), 0))
	for _, c := range []struct {
		what string
		set  func(bool)
		says func(hardware.PrinterStatus) bool
	}{
		{"paper out", p.SetPaperOut, func(s hardware.PrinterStatus) bool {
			return s.PaperOut && !s.Online
		}},
		{"cover open", p.SetCover, func(s hardware.PrinterStatus) bool {
			return s.CoverOpen && !s.Online
		}},
	} {
		c.set(true)
		at.until(t, c.what, c.says)
		c.set(false)
		at.until(t, "online", func(s hardware.PrinterStatus) bool {
			return s.Online && !s.PaperOut && !s.CoverOpen
		})
	}
}

func (a At) until(t *testing.T, what string, says func(hardware.PrinterStatus) bool) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case s := <-a.Statuses:
			if says(s) {
				return
			}
		case <-late:
			t.Fatalf("%s was not told", what)
		}
	}
}

// pulledAnywhere breaks the cable at every byte, on either side, and then
// prints another receipt over a new one.
func pulledAnywhere(t *testing.T, r PrinterRig) {
	states := map[hardware.PrintState]int{}
	for _, host := range []bool{false, true} {
		for at := 1; at < r.Length; at += max(1, r.Stride) {
			states[r.pulled(t, host, at)]++
			if t.Failed() {
				t.Fatalf("pulled by the host (%v) after byte %d", host, at)
			}
		}
	}
	if states[hardware.Failed] == 0 || states[hardware.Unknown] == 0 {
		t.Errorf("the cable was never pulled at all places: %v", states)
	}
}

func (r PrinterRig) pulled(t *testing.T, host bool, at int) hardware.PrintState {
	t.Helper()
	p := r.Start(t)
	defer p.Close()
	breaks := 0
	if host {
		breaks = at
	} else {
		p.UnplugAfter(at)
	}
	first, err := r.once(t, Dial(t, p.Address(), breaks), r.Job("first"))
	came := p.Came("first")
	if first == hardware.Printed && came != 1 || first == hardware.Failed && came != 0 ||
		first == hardware.Sent {
		t.Errorf("claims %v, %v with %d receipts", first, err, came)
	}
	p.UnplugAfter(0)
	p.Unplug()
	if err := p.Plug(); err != nil {
		t.Fatal(err)
	}
	second, err := r.once(t, Dial(t, p.Address(), 0), r.Job("second"))
	if second != hardware.Printed || p.Came("second") != 1 {
		t.Errorf("next receipt: %v, %v with %d receipts", second, err, p.Came("second"))
	}
	if n := p.Came("first"); n > 1 || first == hardware.Failed && n != 0 {
		t.Errorf("%d originals of a job that is %v", n, first)
	}
	return first
}

// once prints one job and stops the driver.
func (r PrinterRig) once(t *testing.T, port hardware.Port, job []byte) (hardware.PrintState,
	error) {
	t.Helper()
	driver := r.Drive(port)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- driver.Run(ctx, nil) }()
	defer func() {
		cancel()
		<-ended
	}()
	for {
		state, err := driver.Print(ctx, job)
		if state != hardware.Failed || !strings.Contains(err.Error(), "not running") {
			return state, err
		}
		select {
		case err := <-ended:
			ended <- err
			return state, err
		default:
		}
	}
}
