package fleet

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"holdfast.dev/stock"
)

// someSeeds are run by every test; the rest is for the program.
const someSeeds, fewSeeds = 60, 12

// eventsADay is how many frames, deadlines and steps of people make a store-day.
const eventsADay = 200

func TestNoPromiseLacksItsUnit(t *testing.T) {
	o := SwarmOptions{From: 1, To: someSeeds}
	if testing.Short() {
		o.To = fewSeeds
	}
	report, err := Swarm(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Failed {
		t.Errorf("%s", f)
	}
	if report.Fewest < eventsADay {
		t.Errorf("a seed has %d events in a store-day, want %d at least", report.Fewest, eventsADay)
	}
}

func TestTheSameSeedIsTheSameRunOnAnyMachine(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		var first Result
		for i, cores := range []int{runtime.GOMAXPROCS(0), 1, 7} {
			before := runtime.GOMAXPROCS(cores)
			r, err := Run(t.Context(), Options{Seed: seed, Days: 1, Stores: 2})
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = r
			}
			if r != first {
				t.Errorf("seed %d ran in two ways, with %d cores:\n%v, trace %x\n%v, trace %x", seed, cores,
					first, first.Trace, r, r.Trace)
			}
		}
	}
}

func TestListeningChangesNothing(t *testing.T) {
	quiet, err := Run(t.Context(), Options{Seed: 2, Days: 1, Stores: 1})
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	loud, err := Run(t.Context(), Options{Seed: 2, Days: 1, Stores: 1, Log: &all})
	if err != nil {
		t.Fatal(err)
	}
	if quiet != loud {
		t.Errorf("who listens changes the run: %v, and %v", quiet, loud)
	}
	half := quiet.Steps / 2
	var begin bytes.Buffer
	if _, err := Run(t.Context(), Options{Seed: 2, Days: 1, Stores: 1, Until: half, Log: &begin}); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(all.Bytes(), begin.Bytes()) || begin.Len() == 0 {
		t.Errorf("what happens until step %d is not how the whole run begins", half)
	}
	lines := strings.Split(strings.TrimSpace(begin.String()), "\n")
	last := strings.Fields(lines[len(lines)-1])
	if n, err := strconv.ParseUint(last[0], 10, 64); err != nil || n > half || n < half/2 {
		t.Errorf("the last line before step %d is %q", half, last)
	}
}

// TestMinimisingLeavesTheCause calls a theft of one product a violation: one
// deed and one kind of fault are to blame for it.
func TestMinimisingLeavesTheCause(t *testing.T) {
	const dear = stock.SKU(3)
	o := Options{Days: 1, Stores: 1, Busy: fullDay, also: func(w *World) {
		if c := w.stores[0].cell(dear); c.stolen > 0 {
			w.fail("THEFT", "%d are stolen", c.stolen)
		}
	}}
	first := firstToFail(t, &o)
	least, err := Minimise(t.Context(), o, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if least.Violation.Invariant != "THEFT" || len(least.Keep) != 1 || least.Faults != "theft" {
		t.Errorf("seed %d of %d deeds has %d left, faults %q, and fails with %v", o.Seed, first.Deeds,
			len(least.Keep), least.Faults, least.Violation)
	}
	o.Without, o.Keep = least.Without, least.Keep
	if r, err := Run(t.Context(), o); err != nil || r.Violation == nil || r.Steps != least.Steps {
		t.Errorf("what is left runs as %v, %v", r, err)
	}
}

// firstToFail finds a seed that fails, and is more than its cause.
func firstToFail(t *testing.T, o *Options) Result {
	t.Helper()
	for o.Seed = 1; o.Seed <= 200; o.Seed++ {
		if newPlan(*o).mix.faults&faultTheft == 0 {
			continue
		}
		r, err := Run(t.Context(), *o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Violation != nil {
			return r
		}
	}
	t.Fatal("nobody steals")
	return Result{}
}

func TestWhatHoldsCannotBeMinimised(t *testing.T) {
	_, err := Minimise(t.Context(), Options{Seed: 1, Days: 1, Stores: 1}, func() {})
	if err == nil {
		t.Error("a seed that violates nothing is minimised")
	}
}

// TestSeedsThatOnceFailedHold runs testdata/seeds.txt: a line is a seed, how
// much people do on a day (0: what the seed says), and why it failed, with spaces
// between. The short form runs the newest.
func TestSeedsThatOnceFailedHold(t *testing.T) {
	text, err := os.ReadFile("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if line := lines.Text(); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	if testing.Short() {
		all = all[max(0, len(all)-1):]
	}
	for _, line := range all {
		var o Options
		if _, err := fmt.Sscan(line, &o.Seed, &o.Busy); err != nil || len(strings.Fields(line)) < 3 {
			t.Fatalf("%q is no seed with its cause: %v", line, err)
		}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Violation != nil {
			t.Errorf("%s\n  it failed before: %s", r, line)
		}
	}
}
