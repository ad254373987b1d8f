package scanner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/scanner"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/barcode"
	"holdfast.dev/hardware/serial"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func start(t *testing.T, opts scanner.Options) *scanner.Scanner {
	t.Helper()
	s, err := scanner.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// host is the product's driver at the other end of the line.
type host struct {
	reads chan hardware.Read
	done  chan error
}

func listen(t *testing.T, path string, baud int) host {
	t.Helper()
	port, err := serial.Open(serial.Config{Path: path, Baud: baud})
	if err != nil {
		t.Fatal(err)
	}
	h := host{make(chan hardware.Read, 256), make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		h.done <- barcode.New(port, barcode.Config{}).Run(ctx,
			func(r hardware.Read) { h.reads <- r })
	}()
	return h
}

func (h host) next(t *testing.T) hardware.Read {
	t.Helper()
	select {
	case r := <-h.reads:
		r.At = time.Time{}
		return r
	case <-time.After(patience):
		t.Fatal("no read in time")
		return hardware.Read{}
	}
}

func scan(t *testing.T, s *scanner.Scanner, code, aim string) {
	t.Helper()
	if err := s.Scan(t.Context(), code, aim); err != nil {
		t.Fatal(err)
	}
}

func TestABurstOfScansArrivesOnceEachAndInOrder(t *testing.T) {
	const scans = 200
	s := start(t, scanner.Options{Baud: 38400, SendAIM: true})
	h := listen(t, s.Path(), 38400)
	go func() {
		for i := range scans {
			s.Scan(t.Context(), fmt.Sprintf("%013d", i/2), "]E0") // each code twice
		}
	}()
	for i := range scans {
		want := hardware.Read{AIM: "]E0", Data: fmt.Appendf(nil, "%013d", i/2)}
		if diff := cmp.Diff(want, h.next(t)); diff != "" {
			t.Fatalf("scan %d (-want +got):\n%s", i, diff)
		}
	}
	scan(t, s, "end", "")
	if r := h.next(t); string(r.Data) != "end" {
		t.Errorf("after the burst came %q", r.Data)
	}
}

func TestScansLastAsLongAsTheLineNeeds(t *testing.T) {
	s := start(t, scanner.Options{Baud: 9600, NoSuffix: true})
	began := time.Now()
	scan(t, s, string(make([]byte, 96)), "")
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("96 bytes at 9600 baud took %v, want 100 ms", took)
	}
}

func TestTheLinkFollowsTheScannerThroughAReplug(t *testing.T) {
	link := filepath.Join(t.TempDir(), "pos", "scanner1")
	s := start(t, scanner.Options{Link: link, Baud: 115200})
	first := listen(t, link, 115200)
	scan(t, s, "before", "")
	if r := first.next(t); string(r.Data) != "before" {
		t.Fatalf("read %q", r.Data)
	}

	s.Unplug()
	s.Unplug()
	select {
	case err := <-first.done:
		if !errors.Is(err, hardware.ErrGone) {
			t.Errorf("the driver ended with %v, want ErrGone", err)
		}
	case <-time.After(patience):
		t.Fatal("the driver did not notice")
	}
	if _, err := serial.Open(serial.Config{Path: link}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of an unplugged scanner = %v, want fs.ErrNotExist", err)
	}
	if err := s.Scan(t.Context(), "lost", ""); !errors.Is(err, scanner.ErrUnplugged) {
		t.Errorf("scan while unplugged = %v, want ErrUnplugged", err)
	}

	if err := s.Plug(); err != nil {
		t.Fatal(err)
	}
	second := listen(t, link, 115200)
	scan(t, s, "after", "")
	if r := second.next(t); string(r.Data) != "after" {
		t.Errorf("read %q", r.Data)
	}
	s.Close()
	if _, err := os.Lstat(link); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link is left behind: %v", err)
	}
}

func TestTheLineOutlivesEachHost(t *testing.T) {
	s := start(t, scanner.Options{Baud: 115200})
	for range 3 {
		port, err := serial.Open(serial.Config{Path: s.Path(), Baud: 115200})
		if err != nil {
			t.Fatal(err)
		}
		scan(t, s, "8710398500014", "")
		if _, err := io.ReadFull(port, make([]byte, len("8710398500014\r\n"))); err != nil {
			t.Error(err)
		}
		port.Close()
	}
}

func TestPullingTheCableEndsAScan(t *testing.T) {
	s := start(t, scanner.Options{Baud: 300}) // a second and a half
	h := listen(t, s.Path(), 300)
	sent := make(chan error, 1)
	go func() { sent <- s.Scan(t.Context(), string(make([]byte, 50)), "") }()
	select {
	case err := <-sent:
		t.Fatalf("the scan is over: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	s.Unplug()
	if err := <-sent; !errors.Is(err, scanner.ErrUnplugged) {
		t.Errorf("scan = %v, want ErrUnplugged", err)
	}
	if err := <-h.done; !errors.Is(err, hardware.ErrGone) {
		t.Errorf("driver = %v, want ErrGone", err)
	}
}

func TestTheWrongSpeedNeverGivesASymbol(t *testing.T) {
	for _, c := range []struct{ scanner, host int }{
		{9600, 115200}, {115200, 9600}, {9600, 19200}, {38400, 9600},
	} {
		t.Run(fmt.Sprintf("%d read at %d", c.scanner, c.host), func(t *testing.T) {
			t.Parallel()
			s := start(t, scanner.Options{Baud: c.scanner})
			h := listen(t, s.Path(), c.host)
			for _, code := range []string{"8710398500014", "4006381333931", "5701234567899"} {
				scan(t, s, code, "")
			}
			for {
				select {
				case r := <-h.reads:
					if !r.Garbage {
						t.Errorf("noise gives the symbol %+q", r.Data)
					}
				case <-time.After(barcode.DefaultTornGap + 500*time.Millisecond):
					return
				}
			}
		})
	}
}

func TestStartRefusesWhatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]scanner.Options{
		"a link in place of a file": {Link: file},
		"a speed that no line has":  {Baud: 123},
		"a mode that there is not":  {Mode: "morse"},
		"a keyboard without events": {Mode: scanner.Keyboard},
		"a packet too long":         {Mode: scanner.SSI, PacketBytes: 251},
		"a link of a network port":  {TCP: "127.0.0.1:0", Link: filepath.Join(t.TempDir(), "x")},
	} {
		if s, err := scanner.Start(opts); err == nil {
			s.Close()
			t.Errorf("Start takes %s", name)
		}
	}
	if got, _ := os.ReadFile(file); string(got) != "data" {
		t.Error("the file is gone")
	}
}
