package model

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the counterexamples in testdata")

// needed is a rule with a scenario in which its older form goes wrong.
type needed struct {
	rule Rule
	can  Event
	of   func(*Scenario)
}

func two(sc *Scenario)   { sc.Quantities, sc.Units, sc.Grants = []int8{2, 1}, 3, 3 }
func one(sc *Scenario)   { sc.Quantities = []int8{1} }
func sales(sc *Scenario) { sc.Sales = 2 }
func plain(*Scenario)    {}

var neededRules = []needed{
	{FinishedByNumber, Dying, plain},
	{KnownTakesNothing, 0, two},
	{VoidByState, Voiding, plain},
	{VoidLooksAhead, Voiding, plain},
	{VoidEndsOnce, Voiding | Dying, one},
	{HoldsEndAtBump, NewTimeline, plain},
	{ReimportKeepsRight, NewTimeline, plain},
	{ResumeAtOwnCursor, Restoring | Returning, plain},
	{CountIsAbsolute, Dying | Salvaging | Counting, plain},
	{SaleOutlivesBump, Dying | Salvaging | Bumping, plain},
	{LateByUID, Dying | Salvaging, plain},
	{LateAcceptCounts, Dying | Salvaging | NewTimeline, one},
	{SuspectGrantsNot, Dying | Salvaging, plain},
	{PromiseIsKept, Dying | NewTimeline | BothTails, one},
	{TailIsFetched, Dying | NewTimeline, one},
	{HandsWaitForOrder, Dying | Resubmitting, plain},
	{TargetsOnlyRise, Returning | LateTargets, plain},
	{UIDsAreKept, Dying | Resubmitting, plain},
	{BorrowByAll, Surplus | Borrowing, sales},
	{LegacyByWindow, NewTimeline, one},
	{FindingsAnywhere, Picking | Shrinking, one},
	{AbandonDecidesNot, Abandoning | Dying, one},
	{CoverInTimeline, NewTimeline, one},
}

// neededIncarnations are those that only boxes and backups show.
var neededIncarnations = []struct {
	rule Rule
	sc   History
}{
	{EpochFirst, History{Replaces: true, Bumps: true}},
	{EpochByTimeline, History{Replaces: true, Bumps: true}},
	{OnlyBoxIsRebuilt, History{Restores: true}},
	{HeadIsWitnessed, History{Restores: true}},
	{WitnessByEpoch, History{Replaces: true}},
	{TailIsFetched, History{Replaces: true, Bumps: true}},
}

// TestEachRuleIsNeeded turns the rules off one by one. Each time the walk must
// find something wrong, by the way that is kept in testdata; and with the rule
// it must see every state of the same scenario and find nothing.
func TestEachRuleIsNeeded(t *testing.T) {
	for _, n := range neededRules {
		t.Run(n.rule.String(), func(t *testing.T) {
			sc := Scenario{Can: n.can, Units: 2, Quantities: []int8{1, 1}, Sales: 1, Hands: 2, Grants: 2,
				Returns: 1, Tail: 3, Directives: 4}
			n.of(&sc)
			with := Explore(sc, Bounds{})
			sc.Rules = sc.Rules.Without(n.rule)
			compare(t, n.rule.String(), with, Explore(sc, Bounds{}))
		})
	}
	for _, n := range neededIncarnations {
		t.Run(n.rule.String()+" of boxes", func(t *testing.T) {
			n.sc.Sales = 2
			with := ExploreIncarnations(n.sc, Bounds{})
			n.sc.Rules = n.sc.Rules.Without(n.rule)
			compare(t, n.rule.String()+"-boxes", with, ExploreIncarnations(n.sc, Bounds{}))
		})
	}
}

func compare(t *testing.T, name string, with, without Report) {
	t.Helper()
	t.Logf("with: %v; without: %v", with, without)
	if with.Wrong != "" || !with.Exhausted {
		t.Errorf("with the rule: %v\n%s", with, strings.Join(with.Trace, "\n"))
	}
	if without.Wrong == "" {
		t.Fatalf("without the rule: %v", without)
	}
	var got strings.Builder
	fmt.Fprintf(&got, "%s: %s\n", name, without.Wrong)
	for _, line := range without.Trace {
		fmt.Fprintln(&got, strings.TrimRight(line, " "))
	}
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the shortest way is another one (-want +got):\n%s", diff)
	}
}

// TestEveryRuleIsTurnedOff says so when a rule has no counterexample.
func TestEveryRuleIsTurnedOff(t *testing.T) {
	off := map[Rule]bool{}
	for _, n := range neededRules {
		off[n.rule] = true
	}
	for _, n := range neededIncarnations {
		off[n.rule] = true
	}
	for r := Rule(1); r < numRules; r++ {
		if !off[r] {
			t.Errorf("%s is never turned off", r)
		}
	}
}
