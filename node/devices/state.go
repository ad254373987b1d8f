package devices

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/evdev"
	"holdfast.dev/hardware/receipt/session"
	"holdfast.dev/hardware/serial"
	"holdfast.dev/hardware/usblp"
)

// Phase says how a device is doing.
type Phase string

// Phases of a device.
const (
	Absent     Phase = "absent"     // never seen since the start: not plugged in
	Connecting Phase = "connecting" // being opened for the first time, or has not answered yet
	Ready      Phase = "ready"      // works
	Degraded   Phase = "degraded"   // talks, but cannot do its work: see LastError
	Lost       Phase = "lost"       // worked, and is gone; it is being reopened
)

// What may keep the node out of a port that is there.
const (
	BarredInUse    = "in_use"    // another program has it open
	BarredNoRights = "no_rights" // the node's user may not open it
)

// barredBy tells whether a port could not be opened although it is there.
func barredBy(cause error) string {
	switch {
	case errors.Is(cause, serial.ErrInUse), errors.Is(cause, usblp.ErrInUse), errors.Is(cause, evdev.ErrInUse):
		return BarredInUse
	case errors.Is(cause, fs.ErrPermission):
		return BarredNoRights
	}
	return ""
}

// A scanner is degraded when noisyFrames in a row are garbage, each within
// noisyWithin of the one before: a wrong speed or a broken cable, not one bad read.
const (
	noisyFrames = 3
	noisyWithin = 10 * time.Second
)

// State is what is known of a device.
type State struct {
	Name      string
	Kind      Kind
	Driver    string
	Path      string
	Width     int // characters on a line of a receipt
	Phase     Phase
	Since     time.Time // when it entered the phase
	Opened    time.Time // since when its port is open; zero: it is not
	LastSeen  time.Time // when it last said something, or was opened
	LastError string    // why it is not ready; empty when it is
	Barred    string    // what keeps the node out of its port: BarredInUse, BarredNoRights, or empty
	Fault     string    // the last trouble, also when it is over
	FaultAt   time.Time // when that began; zero: there was none

	Scans      uint64 // symbols read since the start
	Garbage    uint64 // frames that were no symbols
	Suppressed uint64 // reads of a symbol that lay there, dropped
	Losses     uint64 // times that it was lost
	Jobs       Jobs   // of a printer of receipts or labels
	Done       uint64 // doors opened, weights taken, texts shown

	Printer *hardware.PrinterStatus // what a printer last said; nil: nothing yet
	Label   *hardware.LabelStatus   // the same of a label printer
	Doors   []hardware.DoorStatus   // of a locker, in the order of its boards and locks
	Stuck   []DoorFault             // doors that did not open when they were last told to
	Weight  *hardware.Weight        // what a scale last said
	Taken   bool                    // what lies on the scale was weighed for somebody already
	Shown   [2]string               // what stands on a display, as far as it is known

	// DrawerSwitch is the level of a drawer's switch that means open, on a printer
	// of receipts: high, low, or none if it does not tell.
	DrawerSwitch string
}

// DoorFault is a door that did not open for sure when it was last told to.
type DoorFault struct {
	Door   hardware.Door
	Unsure bool // it may have opened; else it was seen to stay closed
	At     time.Time
}

// Jobs counts what became of the jobs of a printer since the start.
type Jobs struct{ Printed, Sent, Failed, Unknown uint64 }

// count adds a job that ended in a state.
func (j *Jobs) count(state hardware.PrintState) {
	switch state {
	case hardware.Printed:
		j.Printed++
	case hardware.Sent:
		j.Sent++
	case hardware.Failed:
		j.Failed++
	case hardware.Unknown:
		j.Unknown++
	}
}

// Prints tells whether the device prints jobs, on receipts or on labels.
func (s State) Prints() bool { return s.Kind == Printer || s.Kind == LabelPrinter }

// Drawer is what the printer's switch says of the cash drawer.
func (s State) Drawer() hardware.DrawerState {
	switch {
	case s.DrawerSwitch == string(session.NoSwitch) || s.Opened.IsZero() || s.Printer == nil || s.Printer.At.IsZero():
		return hardware.DrawerUnknown
	case s.Printer.DrawerOpen:
		return hardware.DrawerOpen
	}
	return hardware.DrawerClosed
}

// Trouble is a word for what keeps the device from its work; empty when nothing
// does. Sentences and pages have a text for each.
func (s State) Trouble() string {
	switch {
	case s.Phase == Ready:
		return ""
	case s.Phase != Degraded:
		return "offline"
	case s.Printer != nil:
		return troubleOf(*s.Printer)
	case s.Label != nil:
		return labelTrouble(*s.Label)
	case s.Weight != nil:
		return scaleTrouble(*s.Weight)
	case s.Doors != nil:
		return "board_silent"
	}
	return "noise"
}

// troubleOf names the cause that a person can remove before its consequence:
// a printer without paper is offline too.
func troubleOf(p hardware.PrinterStatus) string {
	switch {
	case p.CoverOpen:
		return "cover_open"
	case p.PaperOut:
		return "paper_out"
	case p.CutterError:
		return "cutter_error"
	case !p.Online:
		return "offline"
	}
	return ""
}

func labelTrouble(l hardware.LabelStatus) string {
	switch {
	case l.Ready():
		return ""
	case l.HeadOpen:
		return "head_open"
	case l.MediaOut:
		return "labels_out"
	case l.RibbonOut:
		return "ribbon_out"
	case l.Paused:
		return "paused"
	case l.Broken:
		return "printer_error"
	}
	return "offline"
}

func scaleTrouble(w hardware.Weight) string {
	switch w.State {
	case hardware.ScaleSilent:
		return "offline"
	case hardware.ScaleNotZero:
		return "not_zero"
	}
	return ""
}

// status is a device's state and what leads from one to the next.
type status struct {
	State
	worked bool // it was ready or degraded once
	noisy  int
	noise  time.Time // when the last garbage came
	hushed time.Time // when a scale fell silent, if it has said nothing since
}

// become enters a phase; the cause says why it is not ready.
func (s *status) become(phase Phase, cause string) {
	now := time.Now()
	if s.Phase != phase {
		s.Since = now
	}
	if cause != "" && (cause != s.LastError || s.Phase != phase) {
		s.Fault, s.FaultAt = cause, now
	}
	if phase == Lost && s.Phase != Lost {
		s.Losses++
	}
	s.Phase, s.LastError = phase, cause
	s.worked = s.worked || phase == Ready || phase == Degraded
}

// judge is become for a device that said how it is.
func (s *status) judge(trouble string) {
	if trouble == "" {
		s.become(Ready, "")
		return
	}
	s.become(Degraded, trouble)
}

// opened says that the port is open now.
func (s *status) opened(at time.Time, waitForAnswer bool) {
	s.LastSeen, s.Opened, s.noisy, s.hushed, s.Barred = at, at, 0, time.Time{}, ""
	if waitForAnswer {
		s.become(Connecting, "")
		return
	}
	s.become(Ready, "")
}

// closed says that the port could not be opened, or failed. What a device said
// of itself is no longer known.
func (s *status) closed(cause error, missing bool) {
	s.Opened, s.Barred = time.Time{}, barredBy(cause)
	if s.Printer != nil {
		gone := *s.Printer
		gone.Online = false
		s.Printer = &gone
	}
	s.Label, s.Weight, s.Taken, s.Shown = nil, nil, false, [2]string{}
	s.Doors = slices.Clone(s.Doors) // a snapshot may still hold the old ones
	for i := range s.Doors {
		s.Doors[i].State, s.Doors[i].Item = hardware.DoorUnknown, false
	}
	switch {
	case s.worked:
		s.become(Lost, cause.Error())
	case missing:
		s.become(Absent, cause.Error())
	default:
		s.become(Connecting, cause.Error())
	}
}

// scanned says that the device sent a frame.
func (s *status) scanned(read hardware.Read) {
	s.LastSeen = read.At
	if !read.Garbage {
		s.Scans++
		s.noisy = 0
		s.become(Ready, "")
		return
	}
	s.Garbage++
	if read.At.Sub(s.noise) > noisyWithin {
		s.noisy = 0
	}
	s.noise = read.At
	if s.noisy++; s.noisy >= noisyFrames {
		s.become(Degraded, "reads are noise: check speed and cable")
	}
}

// told says that a printer told its state. It reports whether that is news.
func (s *status) told(p hardware.PrinterStatus) bool {
	before := s.State
	s.Printer = &p
	s.seen(p.At)
	s.judge(troubleOf(p))
	if before.Printer == nil {
		return true
	}
	same := *before.Printer
	same.At = p.At
	return same != p || before.Phase != s.Phase
}

func (s *status) seen(at time.Time) {
	if !at.IsZero() {
		s.LastSeen = at
	}
}

// labelled is told for a label printer.
func (s *status) labelled(l hardware.LabelStatus) bool {
	before := s.State
	s.Label = &l
	if l.Online {
		s.seen(l.At)
	}
	s.judge(labelTrouble(l))
	if before.Label == nil {
		return true
	}
	same := *before.Label
	same.At = l.At
	return same != l || before.Phase != s.Phase
}

// sameLoad is how far a load that nobody touched may drift, in grams.
const sameLoad = 5

// weighed is told for a scale. A load that changed may be weighed again.
func (s *status) weighed(w hardware.Weight) bool {
	before := s.State
	if s.Weight != nil && (w.State != hardware.ScaleStable || abs(w.Grams-s.Weight.Grams) > sameLoad) {
		s.Taken = false
	}
	s.Weight = &w
	if w.State != hardware.ScaleSilent {
		s.seen(w.At)
	}
	s.judge(scaleTrouble(w))
	if before.Weight == nil {
		return true
	}
	same := *before.Weight
	same.At = w.At
	return same != w || before.Phase != s.Phase
}

func abs(n int) int { return max(n, -n) }

// tried notes what became of an attempt to open a door; nil is an open one.
func (s *status) tried(door hardware.Door, fault *DoorFault) {
	s.Stuck = slices.DeleteFunc(slices.Clone(s.Stuck), func(f DoorFault) bool { return f.Door == door })
	if fault != nil {
		s.Stuck = append(s.Stuck, *fault)
		return
	}
	s.Done++
}

// moved is told for one door of a locker.
func (s *status) moved(d hardware.DoorStatus) {
	i, known := slices.BinarySearchFunc(s.Doors, d.Door, func(a hardware.DoorStatus, b hardware.Door) int {
		return cmp.Or(cmp.Compare(a.Door.Board, b.Board), cmp.Compare(a.Door.Lock, b.Lock))
	})
	doors := slices.Clone(s.Doors) // a snapshot may still hold the old ones
	if known {
		doors[i] = d
	} else {
		doors = slices.Insert(doors, i, d)
	}
	s.Doors = doors
	if d.State != hardware.DoorUnknown {
		s.seen(d.At)
	}
	for _, each := range doors {
		if each.State == hardware.DoorUnknown {
			s.become(Degraded, fmt.Sprintf("board %d does not answer", each.Door.Board))
			return
		}
	}
	s.become(Ready, "")
}

// log writes one line when the phase or its cause has changed.
func (s *status) log(logger *slog.Logger, before State) {
	switch {
	case s.Phase == before.Phase && s.LastError == before.LastError:
	case s.LastError == "":
		logger.Info("device " + string(s.Phase))
	default:
		logger.Warn("device "+string(s.Phase), "err", s.LastError)
	}
}
