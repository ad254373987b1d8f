package model

import "fmt"

// Rule is one rule of the protocol that can be turned off, to its older form.
type Rule uint8

// Rules, numbered as in PROOF.md. Behind each stands its older form.
const (
	FinishedByNumber   Rule = 1 + iota // P1: a rebuilt store knows open reservations only
	KnownTakesNothing                  // P2: a Reserve takes the units of an open one again
	VoidByState                        // P3: a Void takes units, whatever became of the promise
	HoldsEndAtBump                     // P4: old holds are confirmed in the new timeline
	ReimportKeepsRight                 // P5: a forgotten reservation is promised anew
	ResumeAtOwnCursor                  // P6: directives resume where the old backup stood
	CountIsAbsolute                    // P7: what comes late is booked although it was counted
	SaleOutlivesBump                   // P8: a late sale goes with its late bump
	LateByUID                          // P9: a late hand-over of an ended promise is dropped
	SuspectGrantsNot                   // P10: a rebuilt store grants at once
	PromiseIsKept                      // P11: a promise that online does not cover is refused
	TailIsFetched                      // P12: a rebuilt box has no record from before
	EpochFirst                         // P13: the timeline is looked at before the epoch
	EpochByTimeline                    // P14: epochs are plain numbers
	OnlyBoxIsRebuilt                   // P15: of a fork the cloud's side wins, and has no box
	HeadIsWitnessed                    // P16: a journal that fits is believed
	WitnessByEpoch                     // P17: a till compares numbers and hashes alone
	TargetsOnlyRise                    // P18: a late target takes back what was returned
	UIDsAreKept                        // P19: a rebuilt store has the newest uids only
	BorrowByAll                        // P20: borrowing looks at online alone
	LegacyByWindow                     // P21: drained when the cloud knows of no old promise
	AbandonDecidesNot                  // P22: the cloud ends an abandoned store's promises
	CoverInTimeline                    // P23: cover is asked of forgotten timelines too
	VoidLooksAhead                     // P3b: a Void waits behind what it is about
	FindingsAnywhere                   // P21b: a unit off the shelf cannot be found missing
	HandsWaitForOrder                  // P17b: a till's hand-over comes before its reservation
	VoidEndsOnce                       // P3c: a Void takes the units of a forgotten row again
	LateAcceptCounts                   // P9b: what was accepted in an ended timeline is lost

	numRules
)

var ruleNames = [numRules]string{"", "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10",
	"P11", "P12", "P13", "P14", "P15", "P16", "P17", "P18", "P19", "P20", "P21", "P22", "P23",
	"P3b", "P21b", "P17b", "P3c", "P9b"}

// String gives the rule's number in PROOF.md, for example "P3b".
func (r Rule) String() string {
	if r == 0 || r >= numRules {
		return fmt.Sprintf("rule %d", uint8(r))
	}
	return ruleNames[r]
}

// Rules are those of the protocol, less the ones that are turned off. The zero
// value is the protocol as it is.
type Rules uint32

// Without returns the rules with r turned off.
func (all Rules) Without(r Rule) Rules { return all | 1<<r }

// on tells whether r holds.
func (all Rules) on(r Rule) bool { return all&(1<<r) == 0 }
