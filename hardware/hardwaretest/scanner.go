package hardwaretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast.dev/hardware"
)

// Wire is the scanner's end of the line to a driver. Closing it unplugs the
// scanner. Suffix is what both sides put after each symbol.
type Wire struct {
	io.WriteCloser
	Suffix string
}

// TestScanner checks that a driver keeps the contract of hardware.Scanner.
// Function open gives a fresh driver and the other end of its line.
func TestScanner(t *testing.T, open func(t *testing.T) (hardware.Scanner, Wire)) {
	for _, c := range scannerCases {
		t.Run(c.claim, func(t *testing.T) {
			r := listen(t, open)
			for _, piece := range c.send {
				r.send(t, strings.ReplaceAll(piece, "<end>", r.wire.Suffix))
			}
			for _, want := range c.want {
				if diff := cmp.Diff(want, r.next(t), ignoreTime, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("read (-want +got):\n%s", diff)
				}
			}
			r.stop(t)
			r.nothingMore(t)
		})
	}
	t.Run("unplugging ends Run with a fault and delivers no half symbol", func(t *testing.T) {
		r := listen(t, open)
		r.send(t, "8710398500014"+r.wire.Suffix)
		r.next(t)
		r.send(t, "87103985")
		r.wire.Close()
		if err := wait(r.done); !errors.Is(err, hardware.ErrGone) {
			t.Errorf("Run = %v, want ErrGone", err)
		}
		r.nothingMore(t)
	})
	t.Run("a thousand symbols arrive once each and in order", func(t *testing.T) {
		r := listen(t, open)
		go func() {
			for i := range 1000 {
				fmt.Fprintf(r.wire, "ITEM-%04d%s", i, r.wire.Suffix)
			}
		}()
		for i := range 1000 {
			if got, want := string(r.next(t).Data), fmt.Sprintf("ITEM-%04d", i); got != want {
				t.Fatalf("read %q, want %q", got, want)
			}
		}
		r.stop(t)
		r.nothingMore(t)
	})
}

var ignoreTime = cmpopts.IgnoreFields(hardware.Read{}, "At")

var scannerCases = []struct {
	claim string
	send  []string
	want  []hardware.Read
}{
	{"a symbol is delivered without its suffix",
		[]string{"8710398500014<end>"}, []hardware.Read{symbol("", "8710398500014")}},
	{"a symbol that comes byte by byte is one symbol",
		append(strings.Split("8710398500014", ""), "<end>"),
		[]hardware.Read{symbol("", "8710398500014")}},
	{"symbols that come in one piece are many",
		[]string{"5701234567899<end>4006381333931<end>87", "10398500014<end>"},
		[]hardware.Read{symbol("", "5701234567899"), symbol("", "4006381333931"), symbol("", "8710398500014")}},
	{"a burst of one code is as many reads",
		[]string{strings.Repeat("4006381333931<end>", 3)},
		slices.Repeat([]hardware.Read{symbol("", "4006381333931")}, 3)},
	{"the AIM identifier is told apart from the data",
		[]string{"]E04006381333931<end>]d20104006381333931<end>"},
		[]hardware.Read{symbol("]E0", "4006381333931"), symbol("]d2", "0104006381333931")}},
	{"a bracket that is no AIM identifier is data",
		[]string{"]00 aisle<end>"}, []hardware.Read{symbol("", "]00 aisle")}},
	{"separators of GS1 and ISO 15434 are data",
		[]string{"]C10104006381333931\x1d10AB<end>[)>\x1e06\x1d1P55\x1e\x04<end>"},
		[]hardware.Read{symbol("]C1", "0104006381333931\x1d10AB"), symbol("", "[)>\x1e06\x1d1P55\x1e\x04")}},
	{"text of other languages is data",
		[]string{"Smørrebrød 北<end>caf\xe9 creme<end>"},
		[]hardware.Read{symbol("", "Smørrebrød 北"), symbol("", "caf\xe9 creme")}},
	{"empty frames are dropped",
		[]string{"<end><end>4006381333931<end><end>"}, []hardware.Read{symbol("", "4006381333931")}},
	{"noise is delivered as garbage and does not harm the next symbol",
		[]string{"\x00\xff\x80\xf0<end>????<end>4006\x00381<end>4006381333931<end>"},
		[]hardware.Read{
			garbage("\x00\xff\x80\xf0"), garbage("????"), garbage("4006\x00381"),
			symbol("", "4006381333931"),
		}},
	{"a frame without end is one piece of garbage",
		[]string{strings.Repeat("7", 20<<10), "<end>4006381333931<end>"},
		[]hardware.Read{garbage(strings.Repeat("7", 64)), symbol("", "4006381333931")}},
	{"the largest QR code fits",
		[]string{strings.Repeat("7", 7089), "<end>"},
		[]hardware.Read{symbol("", strings.Repeat("7", 7089))}},
}

func symbol(aim, data string) hardware.Read { return hardware.Read{AIM: aim, Data: []byte(data)} }

func garbage(data string) hardware.Read { return hardware.Read{Data: []byte(data), Garbage: true} }

// run is a driver at work.
type run struct {
	wire   Wire
	reads  chan hardware.Read
	cancel context.CancelFunc
	done   <-chan error
}

func listen(t *testing.T, open func(t *testing.T) (hardware.Scanner, Wire)) *run {
	t.Helper()
	scanner, wire := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{wire: wire, reads: make(chan hardware.Read, 64), cancel: cancel}
	r.done = start(func() error {
		return scanner.Run(ctx, func(read hardware.Read) { r.reads <- read })
	})
	t.Cleanup(func() { cancel(); wire.Close() })
	return r
}

func (r *run) send(t *testing.T, s string) {
	t.Helper()
	if err := within(func() error { _, err := io.WriteString(r.wire, s); return err }); err != nil {
		t.Fatalf("send %q: %v", s, err)
	}
}

func (r *run) next(t *testing.T) hardware.Read {
	t.Helper()
	select {
	case read := <-r.reads:
		if read.At.IsZero() || time.Since(read.At) > patience {
			t.Errorf("read at %v, want now", read.At)
		}
		return read
	case <-time.After(patience):
		t.Fatal("no read in time")
		return hardware.Read{}
	}
}

// stop ends Run as a process that shuts down does.
func (r *run) stop(t *testing.T) {
	t.Helper()
	began := time.Now()
	r.cancel()
	if err := wait(r.done); err != nil {
		t.Errorf("Run = %v after its context ended, want nil", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Run took %v to end", took)
	}
}

func (r *run) nothingMore(t *testing.T) {
	t.Helper()
	select {
	case read := <-r.reads:
		t.Errorf("one read too many: %+q", read.Data)
	default:
	}
}
