// Package session holds a conversation with one receipt printer: it asks how
// the printer is, sends one job at a time, and says how much of it is certain.
package session

import (
	"errors"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/receipt"
)

// What keeps a printer from printing.
var (
	ErrOffline  = errors.New("printer offline")
	ErrPaperOut = errors.New("paper out")
	ErrCover    = errors.New("cover open")
	ErrCutter   = errors.New("cutter blocked")
	ErrBroken   = errors.New("printer error")
)

// Condition is what a printer last said of itself.
type Condition struct {
	hardware.PrinterStatus
	Broken bool // an error that is neither paper nor cover nor cutter
	Pin    bool // level of the drawer's switch
}

// Fault names the cause that a person can remove before its consequence, or is
// nil if the printer is ready.
func (c *Condition) Fault() error {
	switch {
	case c.CoverOpen:
		return ErrCover
	case c.PaperOut:
		return ErrPaperOut
	case c.CutterError:
		return ErrCutter
	case c.Broken:
		return ErrBroken
	case !c.Online:
		return ErrOffline
	}
	return nil
}

// Event is what a byte from the printer meant.
type Event uint8

// Events.
const (
	Nothing  Event = iota
	Noise          // no printer says that: wrong speed, broken cable
	Answered       // the question that was asked
	Told           // its state, unasked
	Cleared        // its buffers are empty
	Held           // it wants no more bytes now
	Resumed        // it wants bytes again
	Fenced         // it came past a fence; Passed tells whether it was the last
)

// Dialect is the language of a printer in one conversation. Its methods are
// called one at a time.
type Dialect interface {
	// Encode gives the bytes that print a document.
	Encode(d receipt.Document) ([]byte, error)
	// Questions ask for the whole state; each is asked when the one before
	// has its answer. A printer without a back channel has none.
	Questions() []string
	// Hear takes one byte from the printer. Asked is the question that waits
	// for its answer, or -1. What the printer says of itself goes into c.
	Hear(b byte, asked int, c *Condition) Event
	// Fence gives a new request to answer when all before it is done; it is
	// empty if the printer knows none.
	Fence() string
	// Passed tells whether the printer came past the last fence.
	Passed() bool
	// Weak tells whether a fence proves only that the printer has read what
	// stands before it. Then its state must be good after that too.
	Weak() bool
	// Clear empties the printer of what an earlier conversation left in it.
	// It tells whether the printer says when that is done.
	Clear() (request string, answered bool)
	// Listen switches on what the printer tells unasked; a job switches it off.
	Listen() string
	// Kick drives the coil of a drawer, 1 or 2.
	Kick(drawer int) string
}

// Timing is how long to wait for a printer. Zero means the default.
type Timing struct {
	Chunk   int           // bytes per write; 128, the room that a full printer still has
	Answer  time.Duration // wait for a status byte; 500 ms
	Poll    time.Duration // between status polls when idle; 5 s
	Fence   time.Duration // wait for a ready printer to finish a job; 15 s
	Refills time.Duration // wait for paper, cover or room during a job; 3 min
	Drawer  time.Duration // wait for a drawer to move; 2 s, also between two kicks
}

func (t Timing) withDefaults() Timing {
	if t.Chunk <= 0 {
		t.Chunk = 128
	}
	for _, d := range []struct {
		set *time.Duration
		to  time.Duration
	}{
		{&t.Answer, 500 * time.Millisecond},
		{&t.Poll, 5 * time.Second},
		{&t.Fence, 15 * time.Second},
		{&t.Refills, 3 * time.Minute},
		{&t.Drawer, 2 * time.Second},
	} {
		if *d.set <= 0 {
			*d.set = d.to
		}
	}
	return t
}
