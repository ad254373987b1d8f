package uplink

import (
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock/journal"
)

// Input is something that happened; see Core.Step.
type Input interface{ input() }

// Effect is something that is to be done; its doer reports back with the input
// that its comment names. What belongs to one stream carries its Attempt.
type Effect interface{ effect() }

type ofAttempt interface{ number() uint64 }

// Inputs.
type (
	// Tick says that time has passed.
	Tick struct{}
	// Grew says that the own journal's head is now here.
	Grew struct{ Head uint64 }
	// Ask is a till that needs units back from the cloud, when the journal had
	// Head records. The cloud is asked once it has applied those: a grant that
	// is still on its way up cannot be returned.
	Ask struct {
		Head  uint64
		Wants []*uplinkv1.Want
	}
	// Again ends a session so that the next Hello says what has changed.
	Again struct{}
	// Dialed says that the stream is open, and what the node has to say.
	Dialed struct {
		Attempt uint64
		Hello   *recordv1.Hello
	}
	// Lost says that a stream could not be opened, or has ended.
	Lost struct {
		Attempt uint64
		Err     error
	}
	// Received is a frame of the cloud.
	Received struct {
		Attempt uint64
		Frame   *uplinkv1.CloudFrame
	}
	// Greeted says that the store took the Welcome in, or why not.
	Greeted struct {
		Attempt uint64
		Err     error
	}
	// Recovered says that the store has come back, or why not.
	Recovered struct {
		Attempt uint64
		Err     error
	}
	// ReadBack brings the records that were asked for.
	ReadBack struct {
		Attempt uint64
		From    uint64 // as in Read
		Entries []journal.Entry
		Err     error
	}
	// Applied says up to where directives are applied and durable.
	Applied struct {
		Attempt   uint64
		Directive uint64
		Err       error
	}
	// Granted says what the counters are after a Grant.
	Granted struct {
		Attempt uint64
		Got     []*uplinkv1.Got
		Err     error
	}
	// Acknowledged says that an Acknowledge is done.
	Acknowledged struct{}
)

// Effects.
type (
	// Dial opens a stream to an address; answer: Dialed or Lost.
	Dial struct {
		Attempt uint64
		Address string
	}
	// Send sends a frame; frames arrive in the order of their effects.
	Send struct {
		Attempt uint64
		Frame   *uplinkv1.NodeFrame
	}
	// Hangup ends a stream; no answer.
	Hangup struct {
		Attempt uint64
		Reason  string
	}
	// Greet gives the Welcome to the store; answer: Greeted.
	Greet struct {
		Attempt uint64
		Welcome *uplinkv1.Welcome
	}
	// Recover brings the store back as the cloud decided; the stream is over.
	// Answer: Recovered, however long it takes.
	Recover struct {
		Attempt uint64
		Welcome *uplinkv1.Welcome
	}
	// Read reads records from the own journal; answer: ReadBack.
	Read struct {
		Attempt    uint64
		From       uint64
		MaxEntries int
		MaxBytes   int
	}
	// Apply applies directives; answer: Applied.
	Apply struct {
		Attempt    uint64
		Directives *uplinkv1.Directives
	}
	// Grant grants units that shoppers wait for; answer: Granted.
	Grant struct {
		Attempt uint64
		Wants   []*uplinkv1.Want
	}
	// Acknowledge tells the store up to where the cloud has applied its
	// journal; answer: Acknowledged.
	Acknowledge struct{ Seq uint64 }
	// Fetch says that the catalogue has this version now; no answer.
	Fetch struct{ Version uint64 }
	// Sample is the cloud's clock, in Unix ms; no answer.
	Sample struct{ CloudMS int64 }
	// Answer is what the cloud says to a till's Ask; no answer.
	Answer struct{ Got []*uplinkv1.Got }
)

func (Tick) input()         {}
func (Grew) input()         {}
func (Ask) input()          {}
func (Again) input()        {}
func (Dialed) input()       {}
func (Lost) input()         {}
func (Received) input()     {}
func (Greeted) input()      {}
func (Recovered) input()    {}
func (ReadBack) input()     {}
func (Applied) input()      {}
func (Granted) input()      {}
func (Acknowledged) input() {}

func (Dial) effect()        {}
func (Send) effect()        {}
func (Hangup) effect()      {}
func (Greet) effect()       {}
func (Recover) effect()     {}
func (Sample) effect()      {}
func (Read) effect()        {}
func (Apply) effect()       {}
func (Grant) effect()       {}
func (Acknowledge) effect() {}
func (Fetch) effect()       {}
func (Answer) effect()      {}

func (in Dialed) number() uint64    { return in.Attempt }
func (in Lost) number() uint64      { return in.Attempt }
func (in Received) number() uint64  { return in.Attempt }
func (in Greeted) number() uint64   { return in.Attempt }
func (in ReadBack) number() uint64  { return in.Attempt }
func (in Applied) number() uint64   { return in.Attempt }
func (in Granted) number() uint64   { return in.Attempt }
func (in Recovered) number() uint64 { return in.Attempt }
