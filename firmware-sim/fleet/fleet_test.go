package fleet

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
)

// someSeeds are run by every test; the rest is for the program.
const someSeeds, fewSeeds = 12, 3

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
	if days := uint64(report.StoreDays); report.Records+report.Commands < eventsADay*days {
		t.Errorf("%d records and %d commands in %d store-days, want %d in each", report.Records, report.Commands,
			days, eventsADay)
	}
}

func TestTheSameSeedIsTheSameRun(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		var traces [2]uint64
		for i := range traces {
			r, err := Run(t.Context(), Options{Seed: seed, Days: 1, Stores: 2})
			if err != nil {
				t.Fatal(err)
			}
			traces[i] = r.Trace
		}
		if traces[0] != traces[1] {
			t.Errorf("seed %d ran in two ways: %x and %x", seed, traces[0], traces[1])
		}
	}
}

// TestSeedsThatOnceFailedHold runs testdata/seeds.txt: a line is a seed, a
// space, and why it failed.
func TestSeedsThatOnceFailedHold(t *testing.T) {
	file, err := os.Open("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		number, why, _ := strings.Cut(lines.Text(), " ")
		if number == "" || number == "#" {
			continue
		}
		seed, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(t.Context(), Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if r.Violation != nil {
			t.Errorf("%s\n  it failed before: %s", r, why)
		}
	}
}
