package main

import (
	"context"
	"strings"
	"testing"
)

func TestWhatIsAboutOneRunNeedsItsSeed(t *testing.T) {
	for name, o := range map[string]fleetOptions{
		"until":    {Seeds: "1", Until: 5},
		"verbose":  {Seeds: "1", Verbose: true},
		"minimise": {Seeds: "1", Minimise: true},
	} {
		if err := o.run(t.Context()); err == nil || !strings.Contains(err.Error(), "--seed") {
			t.Errorf("%s without a seed: %v", name, err)
		}
	}
	zero := uint64(0)
	if err := (fleetOptions{Seed: &zero, Until: 1}).run(t.Context()); err != nil {
		t.Errorf("seed 0: %v", err)
	}
}

func TestAFewSeedsNeedNotReachEveryState(t *testing.T) {
	if err := (fleetOptions{Seeds: "1", Marks: true, JSON: true}).run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAStoppedRunSaysHowFarItCame(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err := (fleetOptions{Seeds: "1..9", Failures: 1}).run(ctx)
	if err == nil || err.Error() != "stopped after 0 of 9 seeds" {
		t.Error(err)
	}
}
