package fleet

import (
	"fmt"
	"strings"
)

// FaultSet is a set of kinds of faults.
type FaultSet uint64

// Kinds of faults.
const (
	faultCut FaultSet = 1 << iota
	faultHalfOpen
	faultStall
	faultFlap
	faultSlow
	faultLate
	faultCrash
	faultFullDisk
	faultLostAnswers
	faultDoubleTap
	faultClockJump
	faultClockDrift
	faultClockStop
	faultLeader
	faultCloudRestart
	faultMinority
	faultCloudClock
	faultTheft
	faultAppear
	faultMiscount
	faultShortPick
	faultOverride
	faultCatalogueLag
	faultPoison
	faultSkew
	faultRestore
	faultLoss
	faultClone
	faultCloudRestore
	faultTillRestart
)

// faults lists the kinds: how often a run has them, in permille (0: see newMix),
// and how often a day at most. Those without a deed change how other things go.
var faults = []struct {
	bit   FaultSet
	name  string
	deed  deed
	often int
	aDay  int
}{
	{faultCut, "cut", deedCut, 600, 4},
	{faultHalfOpen, "half-open", deedHalfOpen, 400, 3},
	{faultStall, "stall", deedStall, 400, 3},
	{faultFlap, "flap", deedFlap, 250, 2},
	{faultSlow, "slow", deedSlow, 250, 2},
	{faultLate, "late-frames", 0, 300, 0},
	{faultCrash, "crash", deedCrash, 450, 3},
	{faultFullDisk, "full-disk", deedFullDisk, 200, 1},
	{faultLostAnswers, "lost-answers", 0, 450, 0},
	{faultDoubleTap, "double-tap", 0, 350, 0},
	{faultClockJump, "clock-jump", deedClockJump, 250, 2},
	{faultClockDrift, "clock-drift", 0, 250, 0},
	{faultClockStop, "clock-stop", deedClockStop, 150, 1},
	{faultLeader, "leader", deedLeader, 450, 4},
	{faultCloudRestart, "cloud-restart", deedCloudRestart, 300, 2},
	{faultMinority, "minority", deedMinority, 250, 2},
	{faultCloudClock, "cloud-clock", deedCloudClock, 200, 2},
	{faultTheft, "theft", deedTheft, 350, 6},
	{faultAppear, "appear", deedAppear, 250, 4},
	{faultMiscount, "miscount", 0, 250, 0},
	{faultShortPick, "short-pick", 0, 250, 0},
	{faultOverride, "override", 0, 400, 0},
	{faultCatalogueLag, "catalogue-lag", 0, 250, 0},
	{faultPoison, "poison", deedPoison, 200, 2},
	{faultSkew, "skew", deedSkew, 150, 1},
	{faultRestore, "restore", deedRestore, 250, 2},
	{faultLoss, "loss", deedLoss, 250, 1},
	{faultClone, "clone", deedClone, 200, 1},
	{faultCloudRestore, "cloud-restore", deedCloudRestore, 200, 1},
	{faultTillRestart, "till-restart", deedTillRestart, 0, 6},
}

// has tells whether all of these kinds are in the set.
func (s FaultSet) has(f FaultSet) bool { return s&f == f }

// String lists the kinds by name.
func (s FaultSet) String() string {
	var names []string
	for _, f := range faults {
		if s.has(f.bit) {
			names = append(names, f.name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ",")
}

// ParseFaults reads kinds of faults by name, with commas between them.
func ParseFaults(names string) (set FaultSet, err error) {
	for name := range strings.SplitSeq(names, ",") {
		if name == "" {
			continue
		}
		known := false
		for _, f := range faults {
			if f.name == name {
				set, known = set|f.bit, true
			}
		}
		if !known {
			return 0, fmt.Errorf("no kind of fault is called %q", name)
		}
	}
	return set, nil
}
