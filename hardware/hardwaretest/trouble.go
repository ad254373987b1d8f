package hardwaretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware"
)

// Trouble is what goes wrong with a scanner or its line.
type Trouble string

// Troubles. A scanner that cannot have one has none with it.
const (
	NoTrouble  Trouble = "none"
	Split      Trouble = "symbols in pieces, with pauses"
	Merged     Trouble = "symbols sent together"
	Garbage    Trouble = "noise between symbols"
	Damage     Trouble = "symbols that the line damages"
	NoAnswer   Trouble = "answers of the host that get lost"
	Refusals   Trouble = "commands that are refused at first"
	Doubled    Trouble = "items scanned twice"
	WrongCheck Trouble = "wrong check digits"
	SlowLine   Trouble = "pauses after each byte"
	Everything Trouble = "a bit of everything"
)

// Troubles lists them.
var Troubles = []Trouble{
	NoTrouble, Split, Merged, Garbage, Damage, NoAnswer, Refusals, Doubled, WrongCheck, SlowLine,
	Everything,
}

// Gun is a scanner that a test holds in its hand: a simulator.
type Gun interface {
	// Scan reads a symbol. It returns when the symbol was sent, as far as the
	// scanner knows.
	Scan(ctx context.Context, code, aim string) error
	// Sent lists the contents that left the scanner whole, in order.
	Sent() []string
	Close() error
}

// scansInTrouble is how many symbols are scanned in each trouble. Neighbours
// are often equal, so that a lost or doubled one can hide only behind another.
const scansInTrouble = 40

// burst is how many symbols are scanned without a pause.
const burst = 200

// TestScannerInTrouble checks that a driver delivers exactly what left the
// scanner whole, in every trouble: none lost, merged or doubled. Function open
// gives a fresh driver and the scanner at its line, in this trouble.
func TestScannerInTrouble(
	t *testing.T, open func(t *testing.T, what Trouble) (hardware.Scanner, Gun),
) {
	for _, what := range Troubles {
		t.Run(string(what), func(t *testing.T) {
			t.Parallel()
			h := hold(t, what, open)
			codes := make([]string, scansInTrouble)
			for i := range codes {
				codes[i] = fmt.Sprintf("%013d", 4006381333931+i/3)
			}
			h.scan(codes)
			h.check(t, what != Damage && what != Everything)
		})
	}
	t.Run("a burst of 200 scans", func(t *testing.T) {
		h := hold(t, NoTrouble, open)
		codes := make([]string, burst)
		for i := range codes {
			codes[i] = fmt.Sprintf("%013d", 8710398500014+i/2) // each code twice
		}
		h.scan(codes)
		h.check(t, true)
		if got := len(h.gun.Sent()); got != burst {
			t.Errorf("%d scans left the scanner, want %d", got, burst)
		}
	})
}

// held is a scanner in a hand and a driver at its line.
type held struct {
	gun     Gun
	reads   chan hardware.Read
	done    <-chan error
	scanned chan int // how many scans the scanner could not send
}

func hold(
	t *testing.T, what Trouble, open func(*testing.T, Trouble) (hardware.Scanner, Gun),
) *held {
	t.Helper()
	scanner, gun := open(t, what)
	h := &held{gun: gun, reads: make(chan hardware.Read, 4096), scanned: make(chan int, 1)}
	done, cancel := drive(t, scanner, h.reads)
	h.done = done
	t.Cleanup(func() {
		cancel()
		if err := wait(done); err != nil && !errors.Is(err, hardware.ErrGone) {
			t.Errorf("Run = %v", err)
		}
		gun.Close()
	})
	return h
}

// scan pulls the trigger again and again. Some scans may fail: the scanner
// then beeps, and its user knows.
func (h *held) scan(codes []string) {
	failed := 0
	for _, code := range codes {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if h.gun.Scan(ctx, code, "]E0") != nil {
			failed++
		}
		cancel()
	}
	h.scanned <- failed
}

// settle is how long after the last symbol another one may come in: longer
// than a scanner holds one back.
const settle = 400 * time.Millisecond

// check compares what was delivered with what left the scanner whole.
func (h *held) check(t *testing.T, allWhole bool) {
	t.Helper()
	if failed := <-h.scanned; failed > 0 && allWhole {
		t.Errorf("%d scans failed", failed)
	}
	var got []string
	damaged := 0
	for {
		select {
		case read := <-h.reads:
			if read.Garbage {
				damaged++
				continue
			}
			if read.AIM != "]E0" {
				t.Errorf("%q has the identifier %q", read.Data, read.AIM)
			}
			got = append(got, string(bytes.Clone(read.Data)))
			continue
		case <-time.After(settle):
		}
		break
	}
	sent := h.gun.Sent()
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Errorf("delivered, of %d sent (-sent +delivered):\n%s", len(sent), diff)
	}
	if whole := len(sent) >= scansInTrouble; !whole && (allWhole || damaged == 0) {
		t.Errorf("%d symbols left whole and %d pieces of garbage came in", len(sent), damaged)
	}
}
