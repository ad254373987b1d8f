package hardwaretest

import (
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

// scansInTrouble is how many symbols are scanned in each trouble. Most equal a
// neighbour, as items of one kind do: they must neither be lost nor doubled.
func scansInTrouble() int {
	if testing.Short() {
		return 15
	}
	return 30
}

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
			h.codes = make([]string, scansInTrouble())
			for i := range h.codes {
				h.codes[i] = fmt.Sprintf("%013d", 4006381333931+i/3)
			}
			h.scan()
			h.check(t, what)
		})
	}
	t.Run("a burst of 200 scans", func(t *testing.T) {
		h := hold(t, NoTrouble, open)
		h.codes = make([]string, burst)
		for i := range h.codes {
			h.codes[i] = fmt.Sprintf("%013d", 8710398500014+i/2) // each code twice
		}
		h.scan()
		h.check(t, NoTrouble)
	})
}

// held is a scanner in a hand and a driver at its line.
type held struct {
	gun    Gun
	reads  chan hardware.Read
	codes  []string // to scan
	failed int      // scans that the scanner could not send
}

func hold(
	t *testing.T, what Trouble, open func(*testing.T, Trouble) (hardware.Scanner, Gun),
) *held {
	t.Helper()
	scanner, gun := open(t, what)
	h := &held{gun: gun, reads: make(chan hardware.Read, 4096)}
	done, cancel := drive(t, scanner, h.reads)
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
func (h *held) scan() {
	for _, code := range h.codes {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if h.gun.Scan(ctx, code, "]E0") != nil {
			h.failed++
		}
		cancel()
	}
}

// settle is how long after the last symbol one too many may come in: longer
// than a scanner holds one back.
const settle = 100 * time.Millisecond

// check compares what was delivered with what left the scanner whole.
func (h *held) check(t *testing.T, what Trouble) {
	t.Helper()
	mayFail := what == Damage || what == NoAnswer || what == Everything
	if h.failed > 0 && !mayFail {
		t.Errorf("%d scans failed", h.failed)
	}
	var got []string
	damaged := 0
	for began := time.Now(); time.Since(began) < patience; {
		select {
		case read := <-h.reads:
			if read.Garbage {
				damaged++
				continue
			}
			if read.AIM != "]E0" {
				t.Errorf("%q has the identifier %q", read.Data, read.AIM)
			}
			got = append(got, string(read.Data))
			continue
		case <-time.After(settle):
		}
		if len(got) >= len(h.gun.Sent()) {
			break
		}
	}
	sent := h.gun.Sent()
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Errorf("delivered, of %d sent (-sent +delivered):\n%s", len(sent), diff)
	}
	if len(sent) < len(h.codes) && (!mayFail || damaged == 0) {
		t.Errorf("%d symbols left whole, and %d pieces of garbage came in", len(sent), damaged)
	}
}
