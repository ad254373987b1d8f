package fleet

// mark is a state that runs must reach, or they prove little.
type mark uint8

// Marks. The first forty are the races and faults that the protocol must
// decide; the others are states on the way to them.
const (
	markLastUnits mark = 1 + iota
	markRecalled
	markRecallRefused
	markPromisedOffline
	markAskedStore
	markCrossing
	markAskRepeated
	markCancelLost
	markCancelWon
	markExpiredWon
	markTokenFirst
	markTwice
	markWrongStore
	markPartly
	markTokenOffline
	markTwoTills
	markTillRepeated
	markRecordsUnheard
	markCommitUnheard
	markRequestRepeated
	markAckLost
	markPowerLoss
	markRestoredOnline
	markRestoredOffline
	markCloned
	markRebuilt
	markOldBox
	markCloudRestored
	markNoQuorum
	markShrink
	markPickShort
	markClockDistrusted
	markUnknownSKU
	markFullDisk
	markTooNew
	markPoison
	markReturned
	markWeighed
	markBundleRefused
	markSagaReleased

	markHoldExpired
	markConfirmLate
	markSuperseded
	markLateBatch
	markRecallTooLate
	markPromisedRefused
	markLent
	markBumped
	markFound
	markReplaced
	markExtendedDebt
	markForked
	markOldDisk
	markDrained
	markLateHello
	markBothLost
	markEnrolledAnew
	numMarks
)

// markNames says what each mark means.
var markNames = [numMarks]string{
	markLastUnits:       "store and cloud give away their last unit at the same time",
	markRecalled:        "a till gets units back that the cloud does not need",
	markRecallRefused:   "a till asks for units that the cloud has just promised",
	markPromisedOffline: "a till without a line needs a unit that the cloud may have promised",
	markAskedStore:      "a cart waits until the store grants what the pool lacks",
	markCrossing:        "a grant and a return pass each other",
	markAskRepeated:     "the store is asked for units that it has granted before",
	markCancelLost:      "a cancellation arrives after the order was collected",
	markCancelWon:       "a code is shown after the order was cancelled",
	markExpiredWon:      "a code is shown after the order expired",
	markTokenFirst:      "an order is collected before the store heard of it",
	markTwice:           "a code is shown again after it was honoured",
	markWrongStore:      "a code is shown in another store",
	markPartly:          "a part of an order is collected, the rest is given up",
	markTokenOffline:    "an order is collected that was promised after the line was cut",
	markTwoTills:        "two tills want the same last unit",
	markTillRepeated:    "a till asks again because the answer was lost",
	markRecordsUnheard:  "records are applied and the ack is lost",
	markCommitUnheard:   "records are committed and nobody hears of it",
	markRequestRepeated: "a shopper's request is repeated because the answer was lost",
	markAckLost:         "directives are applied and the ack is lost",
	markPowerLoss:       "a box loses its power",
	markRestoredOnline:  "a box comes back from a backup, with a line",
	markRestoredOffline: "a box comes back from a backup, and only its tills can know",
	markCloned:          "a box is copied and both copies run",
	markRebuilt:         "a box is lost and a new one takes its place",
	markOldBox:          "a replaced box comes back",
	markCloudRestored:   "the cloud comes back from a backup",
	markNoQuorum:        "the cloud cannot commit, and stores go on",
	markShrink:          "a count shows that promised units are gone",
	markPickShort:       "a picker cannot find a unit and there is no other",
	markClockDistrusted: "orders are due by a clock that nobody trusts",
	markUnknownSKU:      "a promised product is not in the store's catalogue yet",
	markFullDisk:        "a box's disk is full in the middle of a commit",
	markTooNew:          "a box is newer than the cloud",
	markPoison:          "a record that the cloud cannot explain",
	markReturned:        "goods of a collected order come back",
	markWeighed:         "more is handed over than was reserved, by weight",
	markBundleRefused:   "one line is short, so the whole cart is refused",
	markSagaReleased:    "the second of two stores refuses, so the first is given up",

	markHoldExpired:     "a forgotten cart gives its units back",
	markConfirmLate:     "a cart is confirmed after its time",
	markSuperseded:      "a session takes over from one that did not notice its end",
	markLateBatch:       "records of an old session arrive after the new one opened",
	markRecallTooLate:   "a till gives up waiting for units",
	markPromisedRefused: "a customer is told that the unit is promised",
	markLent:            "a person lends a unit that the cloud may have promised",
	markBumped:          "a person gives a known order's unit away",
	markFound:           "a customer has a unit that the books do not know",
	markReplaced:        "a picker takes another unit for one that is gone",
	markForked:          "a box finds that its past is another one, and is rebuilt where it stands",
	markOldDisk:         "an old disk is read, and what it knew is booked",
	markDrained:         "units of an old timeline are taken back",
	markEnrolledAnew:    "a person enrols a box anew that the cloud refuses for its history",
	markBothLost:        "store and cloud have both lost what they knew of a promise",
	markLateHello:       "a greeting that was overtaken is taken for a loss",
	markExtendedDebt:    "more is promised than is there, because a person decided so",
}

// marks counts how often each state was reached.
type marks [numMarks]uint64

func (m *marks) hit(k mark) { m[k]++ }

func (m *marks) add(o *marks) {
	for i := range m {
		m[i] += o[i]
	}
}
