// Package hardware says what a store counter's devices can do, in words that
// know nothing of stock: a scanner reads, a printer prints, each with a status.
package hardware

import (
	"context"
	"errors"
	"time"
)

// ErrGone is returned by a port whose device was unplugged or switched off.
var ErrGone = errors.New("device gone")

// ErrTimeout is returned when a device did not answer or take bytes in time.
var ErrTimeout = errors.New("device timed out")

// Port carries bytes to and from one device. Read blocks until at least one
// byte, ErrGone, or Close. Write sends all bytes or says why not, and how many.
// Close returns within a second, may be called twice, and wakes a Read.
type Port interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Close() error
}

// Read is one frame that a scanner sent: one symbol, or what could not be one.
type Read struct {
	Data []byte    // the symbol's content as received, without suffix and AIM identifier
	AIM  string    // AIM symbology identifier such as "]E0"; empty when not sent
	At   time.Time // when its last byte came in
	// Garbage says that the bytes cannot be a symbol (wrong baud rate, noise,
	// an overrun); Data then holds at most the first 64 of them.
	Garbage bool
}

// Scanner reads symbols until ctx ends (nil) or the port fails (a fault).
type Scanner interface {
	Run(ctx context.Context, deliver func(Read)) error
}

// PrintState says how far a print job came. Only Printed claims paper.
type PrintState uint8

// States of a print job.
const (
	Queued  PrintState = 1 + iota // waiting; nothing was sent
	Sent                          // bytes were sent; the printer cannot or did not say more
	Printed                       // the printer said that it printed them
	Failed                        // known not to be on paper
	Unknown                       // may or may not be on paper; never repeated silently
)

// String gives the lower-case word for logs and pages.
func (s PrintState) String() string {
	return [...]string{"", "queued", "sent", "printed", "failed", "unknown"}[s]
}

// PrinterStatus is what a printer last said of itself.
type PrinterStatus struct {
	Online      bool
	CoverOpen   bool
	PaperOut    bool
	PaperLow    bool
	CutterError bool
	DrawerOpen  bool
	At          time.Time // when it said so; zero: never
}

// Printer prints one job at a time. Run owns the port until ctx ends (nil) or
// the port fails (a fault). Print may be called while Run runs; it returns the
// state that is known for sure, with the fault that stopped it, if any.
type Printer interface {
	Run(ctx context.Context, status func(PrinterStatus)) error
	Print(ctx context.Context, job []byte) (PrintState, error)
}
