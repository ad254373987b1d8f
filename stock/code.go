package stock

import "fmt"

// Code says why the rules refused. Codes are stable: they travel in APIs and
// logs by name. The table in stock/words gives each one its sentence.
type Code uint16

// Codes of refusals. Numbers are never reused.
const (
	BadRequest         Code = 1 + iota // the request itself is malformed; Args: what
	BadUnits                           // a quantity is zero, negative or too large
	BadAccount                         // a movement from an account to itself or to none
	Short                              // not enough units; Args: available, wanted, product
	UnknownProduct                     // no product has this number; Args: gtin
	UnknownStore                       // no store has this number; Args: store
	UnknownReservation                 // no reservation has this id
	UnknownHold                        // no hold has this id, or it expired
	HoldExpired                        // the hold was released before it was confirmed
	AlreadyCollected                   // Args: at (RFC 3339), code
	AlreadyFinished                    // the reservation ended otherwise; Args: state
	NotReady                           // not every line is staged yet
	WrongItem                          // the scanned product is not on this order; Args: product, wanted
	LineComplete                       // this line needs no more units; Args: product
	WrongState                         // the step is not possible now; Args: state, step
	WrongStore                         // the code belongs to another store; Args: store
	BadSignature                       // a pickup code that we did not sign
	UnknownKey                         // signed with a key that this store has not heard of
	BadCheckDigit                      // Args: code
	Unreadable                         // bytes that are no code at all
	UnsupportedCode                    // a readable code of a kind that is no product; Args: kind
	IDReused                           // this request id was used for another request
	ManagerNeeded                      // the policy wants a manager; Args: level
	NotSignedIn                        // nobody is signed in at this screen
	WrongPIN                           // not the PIN of the name, or of the order; Args: left
	Locked                             // too many wrong PINs; Args: until
	PromisedOnline                     // the unit is promised to a shopper; Args: available, promised, risk
	NoPrice                            // the product has no price here; Args: product
	NeedWeight                         // sold by weight: a weight is needed; Args: product
	JoinUsed                           // the join string was used before
	JoinUnknown                        // the join string is not known or expired
	CAMismatch                         // the cloud's CA is not the one in the join string
	Fenced                             // a newer session or epoch took over
	Forked                             // two histories claim the same numbers
	RolledBack                         // this store's state is older than what the cloud has
	TooOld                             // the other side speaks an older protocol
	Busy                               // try again later; Args: after_ms
	Offline                            // the store cannot be reached now; Args: since
	RateLimited                        // too many requests; Args: after_ms
	TooMany                            // a bound was reached; Args: limit, what
	DocumentUsed                       // this delivery was booked before; Args: document
	FeatureRefused                     // a record or step that this version refuses; Args: what
	NotTrusted                         // the caller's certificate does not allow this
	ClockNotTrusted                    // the clock cannot be trusted for this
	PrinterDown                        // Args: state
	Frozen                             // head office has to admit the store's node first
	NeedPIN                            // the order has a PIN that the shopper has to say
	ScaleDown                          // the scale gave no weight; Args: state
	LockerDown                         // the compartment was not opened; Args: shelf, state
	ShelfTaken                         // the compartment holds another order, or none is free; Args: shelf
	NoRoom                             // the cloud's disk is all but full: no new promises
)

var codeNames = map[Code]string{
	BadRequest: "BAD_REQUEST", BadUnits: "BAD_UNITS", BadAccount: "BAD_ACCOUNT", Short: "SHORT",
	UnknownProduct: "UNKNOWN_PRODUCT", UnknownStore: "UNKNOWN_STORE",
	UnknownReservation: "UNKNOWN_RESERVATION", UnknownHold: "UNKNOWN_HOLD", HoldExpired: "HOLD_EXPIRED",
	AlreadyCollected: "ALREADY_COLLECTED", AlreadyFinished: "ALREADY_FINISHED", NotReady: "NOT_READY",
	WrongItem: "WRONG_ITEM", LineComplete: "LINE_COMPLETE", WrongState: "WRONG_STATE",
	WrongStore: "WRONG_STORE", BadSignature: "BAD_SIGNATURE", UnknownKey: "UNKNOWN_KEY",
	BadCheckDigit: "BAD_CHECK_DIGIT", Unreadable: "UNREADABLE", UnsupportedCode: "UNSUPPORTED_CODE",
	IDReused: "ID_REUSED", ManagerNeeded: "MANAGER_NEEDED", NotSignedIn: "NOT_SIGNED_IN",
	WrongPIN: "WRONG_PIN", Locked: "LOCKED", PromisedOnline: "PROMISED_ONLINE", NoPrice: "NO_PRICE",
	NeedWeight: "NEED_WEIGHT", JoinUsed: "JOIN_USED", JoinUnknown: "JOIN_UNKNOWN",
	CAMismatch: "CA_MISMATCH", Fenced: "FENCED", Forked: "FORKED", RolledBack: "ROLLED_BACK",
	TooOld: "TOO_OLD", Busy: "BUSY", Offline: "OFFLINE", RateLimited: "RATE_LIMITED",
	TooMany: "TOO_MANY", DocumentUsed: "DOCUMENT_USED", FeatureRefused: "FEATURE_REFUSED",
	NotTrusted: "NOT_TRUSTED", ClockNotTrusted: "CLOCK_NOT_TRUSTED", PrinterDown: "PRINTER_DOWN",
	Frozen: "FROZEN", NeedPIN: "NEED_PIN", ScaleDown: "SCALE_DOWN", LockerDown: "LOCKER_DOWN",
	ShelfTaken: "SHELF_TAKEN", NoRoom: "NO_ROOM",
}

// String gives the stable name, for example "SHORT".
func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return fmt.Sprintf("CODE_%d", uint16(c))
}

// Codes lists every code in order, for tables that must be complete.
func Codes() []Code {
	all := make([]Code, 0, len(codeNames))
	for c := BadRequest; c <= NoRoom; c++ {
		all = append(all, c)
	}
	return all
}

// ParseCode returns the code with this stable name.
func ParseCode(name string) (Code, bool) {
	for c, n := range codeNames {
		if n == name {
			return c, true
		}
	}
	return 0, false
}
