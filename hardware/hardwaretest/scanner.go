package hardwaretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast.dev/hardware"
)

// Wire is the scanner's end of the line to a driver, and how a scanner uses
// it. Closing it unplugs the scanner; what the driver says is read and dropped.
type Wire struct {
	io.ReadWriteCloser
	// Frame gives the bytes by which the scanner sends one symbol.
	Frame func(aim, data string) []byte
	// Noise are bytes that are no symbol: each is garbage at least once, and
	// the symbol after it is whole.
	Noise []string
	// Endless is more than a symbol can be.
	Endless []byte
	// Grain is how many bytes the line carries at once; zero: one.
	Grain int
	// ASCII says that the scanner can send nothing else.
	ASCII bool
}

// Lined gives a wire of a scanner that sends each symbol with this suffix.
func Lined(line io.ReadWriteCloser, suffix string) Wire {
	return Wire{
		ReadWriteCloser: line,
		Frame:           func(aim, data string) []byte { return []byte(aim + data + suffix) },
		Noise: []string{"\x00\xff\x80\xf0" + suffix, "????" + suffix,
			"4006\x00381" + suffix},
		Endless: []byte(strings.Repeat("7", 20<<10) + suffix),
	}
}

// symbols is what a driver must deliver of them.
func symbols(all ...hardware.Read) []hardware.Read { return all }

// TestScanner checks that a driver keeps the contract of hardware.Scanner.
// Function open gives a fresh driver and the other end of its line.
func TestScanner(t *testing.T, open func(t *testing.T) (hardware.Scanner, Wire)) {
	for _, c := range contents {
		t.Run(c.claim, func(t *testing.T) {
			r := listen(t, open)
			want := slices.DeleteFunc(slices.Clone(c.want), func(read hardware.Read) bool {
				return r.wire.ASCII && !isASCII(read.Data)
			})
			for _, read := range want {
				r.send(t, r.frame(read))
			}
			r.receive(t, want)
			r.stop(t)
			r.nothingMore(t)
		})
	}
	for claim, check := range map[string]func(*testing.T, *run){
		"a symbol that comes bit by bit is one symbol":                 piecemeal,
		"symbols that come in one piece are many":                      merged,
		"however the bytes are cut, the symbols are the same":          anyCut,
		"noise is garbage and does not harm the next symbol":           noisy,
		"a frame without end is garbage":                               endless,
		"unplugging ends Run with a fault and delivers no half symbol": unplugged,
		"a thousand symbols arrive once each and in order":             thousand,
		"a stop in the middle of a symbol delivers none":               stoppedMidway,
	} {
		t.Run(claim, func(t *testing.T) { check(t, listen(t, open)) })
	}
}

var ignoreTime = cmpopts.IgnoreFields(hardware.Read{}, "At")

var contents = []struct {
	claim string
	want  []hardware.Read
}{
	{"a symbol is delivered as its content", symbols(symbol("", "8710398500014"))},
	{"a burst of one code is as many reads",
		slices.Repeat([]hardware.Read{symbol("", "4006381333931")}, 3)},
	{"the AIM identifier is told apart from the data",
		symbols(symbol("]E0", "4006381333931"), symbol("]d2", "0104006381333931"))},
	{"a bracket that is no AIM identifier is data", symbols(symbol("", "]00 aisle"))},
	{"separators of GS1 and ISO 15434 are data",
		symbols(symbol("]C1", "0104006381333931\x1d10AB"),
			symbol("", "[)>\x1e06\x1d1P55\x1e\x04"))},
	{"text of every script is data",
		symbols(symbol("", "Smørrebrød 北"), symbol("", "caf\xe9 creme"),
			symbol("", `https://id.gs1.org/01/09506000134352?"17"=271231`),
			symbol("", "~!@#$%^*()_+{}|:<>[]\\;',.-=`A"))},
	{"the largest QR code fits", symbols(symbol("]Q1", strings.Repeat("7", 7089)))},
}

func symbol(aim, data string) hardware.Read { return hardware.Read{AIM: aim, Data: []byte(data)} }

func isASCII(data []byte) bool {
	return !slices.ContainsFunc(data, func(b byte) bool { return b >= 0x80 })
}

// three symbols of which two are equal.
var three = symbols(
	symbol("]E0", "5701234567899"), symbol("]E0", "4006381333931"), symbol("]E0", "4006381333931"))

func piecemeal(t *testing.T, r *run) {
	for _, piece := range cutBy(r.frame(three[0]), max(1, r.wire.Grain)) {
		r.send(t, piece)
	}
	r.receive(t, three[:1])
	r.stop(t)
	r.nothingMore(t)
}

func merged(t *testing.T, r *run) {
	var all []byte
	for _, s := range three {
		all = append(all, r.frame(s)...)
	}
	r.send(t, all)
	r.receive(t, three)
	r.stop(t)
	r.nothingMore(t)
}

// cutSeeds is how many ways of cutting are tried at once.
const cutSeeds = 20

func anyCut(t *testing.T, r *run) {
	grain := max(1, r.wire.Grain)
	for seed := range uint64(cutSeeds) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var all []byte
		for _, s := range three {
			all = append(all, r.frame(s)...)
		}
		for len(all) > 0 {
			n := min((1+rng.IntN(len(all)/grain))*grain, len(all))
			r.send(t, all[:n])
			all = all[n:]
		}
		r.receive(t, three)
	}
	r.stop(t)
	r.nothingMore(t)
}

func noisy(t *testing.T, r *run) {
	for i, noise := range r.wire.Noise {
		r.send(t, []byte(noise))
		r.afterGarbage(t, symbol("]E0", fmt.Sprintf("%013d", i)))
	}
	r.stop(t)
	r.nothingMore(t)
}

func endless(t *testing.T, r *run) {
	r.send(t, r.wire.Endless)
	r.afterGarbage(t, three[0])
	r.stop(t)
	r.nothingMore(t)
}

func unplugged(t *testing.T, r *run) {
	r.send(t, r.frame(three[0]))
	r.next(t)
	half := r.frame(three[1])
	grain := max(1, r.wire.Grain)
	r.send(t, half[:len(half)/2/grain*grain])
	r.wire.Close()
	if err := wait(r.done); !errors.Is(err, hardware.ErrGone) {
		t.Errorf("Run = %v, want ErrGone", err)
	}
	r.nothingMore(t)
}

func thousand(t *testing.T, r *run) {
	go func() {
		for i := range 1000 {
			r.wire.Write(r.frame(symbol("]C0", fmt.Sprintf("ITEM-%04d", i))))
		}
	}()
	for i := range 1000 {
		if got, want := string(r.next(t).Data), fmt.Sprintf("ITEM-%04d", i); got != want {
			t.Fatalf("read %q, want %q", got, want)
		}
	}
	r.stop(t)
	r.nothingMore(t)
}

func stoppedMidway(t *testing.T, r *run) {
	r.send(t, r.frame(three[0]))
	r.next(t)
	half := r.frame(three[1])
	grain := max(1, r.wire.Grain)
	r.send(t, half[:len(half)/2/grain*grain])
	r.stop(t)
	r.nothingMore(t)
}

// cutBy cuts data into pieces of so many bytes.
func cutBy(data []byte, grain int) [][]byte { return slices.Collect(slices.Chunk(data, grain)) }

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
	r := &run{wire: wire, reads: make(chan hardware.Read, 64)}
	r.done, r.cancel = drive(t, scanner, r.reads)
	go io.Copy(io.Discard, wire)
	t.Cleanup(func() { r.cancel(); wire.Close() })
	return r
}

// drive runs a driver until the test is over or cancels it.
func drive(
	t *testing.T, scanner hardware.Scanner, reads chan<- hardware.Read,
) (done <-chan error, cancel context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	done = start(func() error {
		return scanner.Run(ctx, func(read hardware.Read) {
			select {
			case reads <- read:
			case <-ctx.Done():
			}
		})
	})
	return done, cancel
}

func (r *run) frame(s hardware.Read) []byte { return r.wire.Frame(s.AIM, string(s.Data)) }

func (r *run) send(t *testing.T, b []byte) {
	t.Helper()
	if err := within(func() error { _, err := r.wire.Write(b); return err }); err != nil {
		t.Fatalf("send %+q: %v", b[:min(len(b), 64)], err)
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

func (r *run) receive(t *testing.T, want []hardware.Read) {
	t.Helper()
	for _, w := range want {
		if diff := cmp.Diff(w, r.next(t), ignoreTime, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("read (-want +got):\n%s", diff)
		}
	}
}

// afterGarbage sends a symbol, and wants garbage and then the symbol.
func (r *run) afterGarbage(t *testing.T, want hardware.Read) {
	t.Helper()
	r.send(t, r.frame(want))
	pieces := 0
	for {
		read := r.next(t)
		if read.Garbage {
			if pieces++; len(read.Data) == 0 || len(read.Data) > 64 {
				t.Errorf("%d bytes of garbage are kept, want 1 to 64", len(read.Data))
			}
			continue
		}
		if diff := cmp.Diff(want, read, ignoreTime, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("after noise (-want +got):\n%s", diff)
		}
		break
	}
	if pieces == 0 {
		t.Error("noise went unnoticed")
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
