package uplink

import (
	"time"

	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
)

// Standing is how a store stands with the office at one moment.
type Standing struct {
	Session    uint64 // the newest one that was opened
	Node       []byte // of the box that may connect; 16 bytes, empty: none
	Epoch      stock.Epoch
	Timeline   stock.Timeline
	Applied    uint64 // records of the store's journal
	Directives uint64 // the last one written
	Policy     *recordv1.Policy
	Keys       uint32 // version
	Catalogue  uint64 // version
	Pools      map[stock.SKU]escrow.Pool
}

// Chain is a stretch of a store's directives as they are stored.
type Chain struct {
	From uint64
	Prev journal.Hash // of the directive before From
	Data [][]byte
}

// Input is something that happened; see Session.Step.
type Input interface{ input() }

// Effect is something that is to be done; its doer reports back with the input
// that its comment names.
type Effect interface{ effect() }

// Inputs.
type (
	// Tick says that time has passed.
	Tick struct{}
	// Received is a frame of the node.
	Received struct{ Frame *uplinkv1.NodeFrame }
	// Gone says that the stream has ended.
	Gone struct{}
	// Proposed is what became of a proposal.
	Proposed struct {
		Number uint64
		Result *recordv1.Result
		Err    error
	}
	// Looked is how the store stands now; due whenever that has changed.
	Looked struct {
		Standing Standing
		Err      error
	}
	// Read brings the directives that were asked for.
	Read struct {
		Chain Chain
		Err   error
	}
	// Asked wants units for shoppers who wait.
	Asked struct{ Wants []*uplinkv1.Want }
	// Superseded says that the store has a newer session here.
	Superseded struct{}
	// Leaving says that this member is about to stop.
	Leaving struct{ Within time.Duration }
)

// Effects.
type (
	// Propose gives a command to the office; answer: Proposed.
	Propose struct {
		Number  uint64
		Command *recordv1.Command
	}
	// Send sends a frame; frames arrive in the order of their effects.
	Send struct{ Frame *uplinkv1.CloudFrame }
	// Look asks how the store stands; answer: Looked.
	Look struct{}
	// ReadDirectives asks for directives; answer: Read.
	ReadDirectives struct {
		From     uint64
		Most     int
		MaxBytes int
	}
	// Opened says that the session is open: Looked and Asked are welcome.
	Opened struct{ Session uint64 }
	// Answered is what the store says to Asked.
	Answered struct{ Got []*uplinkv1.Got }
	// Notice is something that people should know.
	Notice struct {
		Grave bool
		Text  string
	}
	// Close ends the stream once everything before it is sent; no answer.
	Close struct{ Why string }
)

func (Tick) input()       {}
func (Received) input()   {}
func (Gone) input()       {}
func (Proposed) input()   {}
func (Looked) input()     {}
func (Read) input()       {}
func (Asked) input()      {}
func (Superseded) input() {}
func (Leaving) input()    {}

func (Propose) effect()        {}
func (Send) effect()           {}
func (Look) effect()           {}
func (ReadDirectives) effect() {}
func (Opened) effect()         {}
func (Answered) effect()       {}
func (Notice) effect()         {}
func (Close) effect()          {}
