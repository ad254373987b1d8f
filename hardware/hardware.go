// Package hardware says what a store counter's devices can do, in words that
// know nothing of stock: a scanner reads, a printer prints, a locker opens a
// door, a scale weighs, a display shows, each with a status.
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

// LabelStatus is what a label printer last said of itself.
type LabelStatus struct {
	Online     bool // it answers
	MediaOut   bool
	RibbonOut  bool
	HeadOpen   bool
	Paused     bool // by its button
	BufferFull bool
	Broken     bool      // too hot, too cold, or its memory was lost
	Waiting    int       // labels that it has and did not print yet
	At         time.Time // when it said so; zero: never
}

// Ready tells whether a label sent in this state would be printed at once.
func (s LabelStatus) Ready() bool {
	return s.Online && !s.MediaOut && !s.RibbonOut && !s.HeadOpen &&
		!s.Paused && !s.BufferFull && !s.Broken
}

// LabelPrinter prints one label job at a time, as Printer prints receipts.
type LabelPrinter interface {
	Run(ctx context.Context, status func(LabelStatus)) error
	Print(ctx context.Context, job []byte) (PrintState, error)
}

// Display shows a customer two lines of text. Most never answer, so nil means
// that the bytes left, not that somebody can read them. Run owns the port until
// ctx ends (nil) or the port fails (a fault). A new driver shows nothing: what
// was shown before a cable was pulled must be shown again.
type Display interface {
	Run(ctx context.Context) error
	Show(ctx context.Context, top, bottom string) error
	Clear(ctx context.Context) error
	Brightness(ctx context.Context, level int) error // 1 to 4
}

// Door is one compartment of a pickup locker, by its place on the cable.
type Door struct {
	Board int // address of the board
	Lock  int // on the board, from 1
}

// DoorState is what is known of a door.
type DoorState uint8

// States of a door.
const (
	DoorUnknown DoorState = 1 + iota // its board does not answer
	DoorClosed                       // the lock has caught
	DoorOpen
)

// String gives the lower-case word for logs and pages.
func (s DoorState) String() string { return [...]string{"", "unknown", "closed", "open"}[s] }

// DoorStatus is what a locker's board last said of one door.
type DoorStatus struct {
	Door  Door
	State DoorState
	Item  bool      // the sensor sees something inside; always false without one
	At    time.Time // when this was found
}

// Locker is a line of boards with doors. Run watches the doors until ctx ends
// (nil) or the port fails (a fault), and reports each door once and then when it
// changes. Open may be called while Run runs. It returns nil only when the
// door's own sensor says open; the command alone proves nothing.
type Locker interface {
	Run(ctx context.Context, changed func(DoorStatus)) error
	Open(ctx context.Context, door Door) error
}

// ScaleState says what a scale makes of its load.
type ScaleState uint8

// States of a scale. Only ScaleStable comes with a weight.
const (
	ScaleSilent  ScaleState = 1 + iota // it does not answer
	ScaleStable                        // at rest
	ScaleMoving                        // not at rest, or no weight yet
	ScaleOver                          // more than it can weigh
	ScaleUnder                         // below zero, or less than it may weigh
	ScaleNotZero                       // switched on with a load: it must be emptied
)

// String gives the lower-case words for logs and pages.
func (s ScaleState) String() string {
	return [...]string{"", "silent", "stable", "moving", "overload", "underload", "not zeroed"}[s]
}

// Weight is one answer of a scale. UnitPrice and Amount, in minor units, are
// what a scale that computes prices said; they are passed on unchanged.
type Weight struct {
	State     ScaleState
	Grams     int
	Net       bool // a tare was taken off
	UnitPrice int
	Amount    int
	At        time.Time
}

// Scale weighs. Run owns the port until ctx ends (nil) or the port fails (a
// fault), and reports what the scale says when it changes. Weigh waits until
// the load is at rest; it may be called while Run runs.
type Scale interface {
	Run(ctx context.Context, changed func(Weight)) error
	Weigh(ctx context.Context) (Weight, error)
}

// DrawerState is what is known of a cash drawer.
type DrawerState uint8

// States of a drawer.
const (
	DrawerUnknown DrawerState = 1 + iota // no sensor, or its printer is silent
	DrawerClosed
	DrawerOpen
)

// String gives the lower-case word for logs and pages.
func (s DrawerState) String() string { return [...]string{"", "unknown", "closed", "open"}[s] }

// Drawer is a cash drawer, which hangs on a printer's port. Open drives its coil
// once per id, and returns what the sensor says then; twice with one id is once.
type Drawer interface {
	Open(ctx context.Context, id string) (DrawerState, error)
	State() DrawerState
}
