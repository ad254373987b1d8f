package escpos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/escpos"
	"holdfast.dev/hardware/receipt"
	"holdfast.dev/hardware/receipt/session"
)

// cable is a port over a connection to the simulated printer; it breaks after
// so many bytes of the host if breaks is not 0.
type cable struct {
	io.ReadWriteCloser
	mu     sync.Mutex
	breaks int // guarded by mu
}

func (c *cable) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	if err != nil {
		return n, fmt.Errorf("%w: %w", hardware.ErrGone, err)
	}
	return n, nil
}

func (c *cable) Write(p []byte) (int, error) {
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

func open(t *testing.T, p *printer.Printer) *cable {
	t.Helper()
	address := p.State().Address
	if strings.Contains(address, ":") {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return &cable{ReadWriteCloser: conn}
	}
	file, err := os.OpenFile(address, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &cable{ReadWriteCloser: file}
}

func plugIn(t *testing.T, o printer.Options) *printer.Printer {
	t.Helper()
	o.OutDir = t.TempDir()
	if o.TCP == "" {
		o.Link = filepath.Join(o.OutDir, "tty")
	}
	p, err := printer.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// came counts the receipts that name a job.
func came(p *printer.Printer, text string) int {
	n := 0
	for _, r := range p.Receipts() {
		n += strings.Count(r.Text, "[QR code "+text+"]")
	}
	return n
}

func TestPrintedMeansThatTheReceiptCameOut(t *testing.T) {
	for name, o := range map[string]printer.Options{
		"serial line": {}, "slow serial line": {Baud: 38400, Speed: 200}, "network": {TCP: "127.0.0.1:0", Dots: 384},
	} {
		t.Run(name, func(t *testing.T) {
			p := plugIn(t, o)
			profile := epson
			profile.Timing.Fence = patience
			driver, _ := run(t, open(t, p), profile)
			for i := range 3 {
				text := fmt.Sprintf("receipt %d", i)
				got, err := driver.Print(t.Context(), job(t, text))
				if got != hardware.Printed || came(p, text) != 1 {
					t.Errorf("got %v, %v with %d receipts", got, err, came(p, text))
				}
			}
			if s := p.State(); s.Unknown != 0 || s.Pulses != 0 {
				t.Errorf("printer did not understand the driver: %+v", s)
			}
		})
	}
}

func TestTranscriptsOfDriverAndPrinterAgree(t *testing.T) {
	p := plugIn(t, printer.Options{})
	driver, _ := run(t, open(t, p), epson)
	d := saleReceipt(48)
	d.Blocks = d.Blocks[1:] // wide text stands elsewhere in a plain transcript
	bytes, err := escpos.Encode(d, epson)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := driver.Print(t.Context(), bytes); got != hardware.Printed {
		t.Fatalf("%v, %v", got, err)
	}
	flat := func(text string) string {
		var lines []string
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, " \n")
			if line != "" && !strings.Contains(line, "[") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "\n")
	}
	cut := p.Receipts()[0]
	if want, got := flat(receipt.Text(d)), flat(cut.Text); got != want {
		t.Errorf("printer wrote\n%s\nwant\n%s", got, want)
	}
	if len(cut.Warnings) != 0 {
		t.Errorf("warnings %q", cut.Warnings)
	}
}

func TestNothingIsSentToAPrinterThatCannotPrint(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(*printer.Printer)
		fault error
	}{
		"paper out":  {func(p *printer.Printer) { p.SetPaperOut(true) }, session.ErrPaperOut},
		"cover open": {func(p *printer.Printer) { p.SetCover(true) }, session.ErrCover},
	} {
		t.Run(name, func(t *testing.T) {
			p := plugIn(t, printer.Options{})
			driver, _ := run(t, open(t, p), epson)
			c.set(p)
			if got, err := driver.Print(t.Context(), job(t, "lost")); got != hardware.Failed || !errors.Is(err, c.fault) {
				t.Errorf("got %v, %v; want failed, %v", got, err, c.fault)
			}
			p.SetPaperOut(false)
			p.SetCover(false)
			if got, err := driver.Print(t.Context(), job(t, "next")); got != hardware.Printed {
				t.Errorf("got %v, %v; want printed", got, err)
			}
			if came(p, "lost") != 0 || came(p, "next") != 1 {
				t.Errorf("receipts %+v", p.Receipts())
			}
		})
	}
}

func longJob(t *testing.T) []byte {
	t.Helper()
	d := receipt.Document{Width: 48}
	for range 30 {
		d.Blocks = append(d.Blocks, receipt.Rule{})
	}
	d.Blocks = append(d.Blocks, receipt.QR{Content: "long"}, receipt.Cut{})
	bytes, err := escpos.Encode(d, epson)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestAJobThatRunsOutOfPaperGoesOnAfterTheRefill(t *testing.T) {
	p := plugIn(t, printer.Options{})
	driver, statuses := run(t, open(t, p), epson)
	p.SetPaperLeft(40)
	refilled := make(chan struct{})
	go func() {
		defer close(refilled)
		for s := range statuses {
			if s.PaperOut {
				p.SetPaperOut(false)
				return
			}
		}
	}()
	got, err := driver.Print(t.Context(), longJob(t))
	<-refilled
	if got != hardware.Printed || came(p, "long") != 1 || len(p.Receipts()) != 1 {
		t.Errorf("got %v, %v with %d receipts; want one printed", got, err, len(p.Receipts()))
	}
}

func TestAJobThatStaysWithoutPaperIsUnknown(t *testing.T) {
	p := plugIn(t, printer.Options{})
	profile := epson
	profile.Timing.Refills = 100 * time.Millisecond
	driver, _ := run(t, open(t, p), profile)
	p.SetPaperLeft(40)
	got, err := driver.Print(t.Context(), longJob(t))
	if got != hardware.Unknown || !errors.Is(err, session.ErrPaperOut) || !errors.Is(err, hardware.ErrTimeout) {
		t.Errorf("got %v, %v; want unknown for want of paper", got, err)
	}
	if len(p.Receipts()) != 0 {
		t.Errorf("receipts %+v", p.Receipts())
	}
}

func TestPowerLossDuringAJobIsUnknown(t *testing.T) {
	p := plugIn(t, printer.Options{Speed: 100})
	driver, _ := run(t, open(t, p), epson)
	time.AfterFunc(100*time.Millisecond, p.PowerOff)
	if got, err := driver.Print(t.Context(), longJob(t)); got != hardware.Unknown || !errors.Is(err, hardware.ErrGone) {
		t.Errorf("got %v, %v; want unknown, gone", got, err)
	}
}

// TestACablePulledAtAnyByteNeverLies pulls the cable at every byte, on either
// side, and then prints another receipt on a new connection.
func TestACablePulledAtAnyByteNeverLies(t *testing.T) {
	length := len(job(t, "first")) + 80 // with the questions around it
	states := map[hardware.PrintState]int{}
	for _, side := range []string{"printer", "host"} {
		for at := 1; at < length; at++ {
			p := plugIn(t, printer.Options{TCP: "127.0.0.1:0"})
			port := open(t, p)
			if side == "host" {
				port.breaks = at
			} else {
				p.UnplugAfter(at)
			}
			state := pulled(t, p, port)
			states[state]++
			if t.Failed() {
				t.Fatalf("pulled on the side of the %s after byte %d", side, at)
			}
			p.Close()
		}
	}
	for _, state := range []hardware.PrintState{hardware.Failed, hardware.Unknown, hardware.Printed} {
		if states[state] == 0 {
			t.Errorf("no cable was pulled so that the job was %v: %v", state, states)
		}
	}
}

// pulled prints a first receipt over a cable that breaks, then a second one.
func pulled(t *testing.T, p *printer.Printer, port hardware.Port) hardware.PrintState {
	t.Helper()
	first, err := printOnce(t, port, job(t, "first"))
	came1 := came(p, "first")
	switch {
	case first == hardware.Printed && came1 != 1, first == hardware.Failed && came1 != 0, first == hardware.Sent:
		t.Errorf("claims %v, %v with %d receipts", first, err, came1)
	}
	p.UnplugAfter(0)
	p.Unplug()
	if err := p.Plug(); err != nil {
		t.Fatal(err)
	}
	second, err := printOnce(t, open(t, p), job(t, "second"))
	if second != hardware.Printed || came(p, "second") != 1 {
		t.Errorf("next receipt: %v, %v with %d receipts", second, err, came(p, "second"))
	}
	if n := came(p, "first"); n > 1 || first == hardware.Failed && n != 0 {
		t.Errorf("%d originals of a job that is %v", n, first)
	}
	return first
}

func printOnce(t *testing.T, port hardware.Port, bytes []byte) (hardware.PrintState, error) {
	t.Helper()
	driver := escpos.New(port, epson)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- driver.Run(ctx, nil) }()
	defer func() {
		cancel()
		<-ended
	}()
	for {
		state, err := driver.Print(ctx, bytes)
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
