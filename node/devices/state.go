package devices

import (
	"log/slog"
	"time"

	"holdfast.dev/hardware"
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
	Width     int // characters on a line of a printer
	Phase     Phase
	LastSeen  time.Time               // when it last said something, or was opened
	LastError string                  // why it is not ready; empty when it is
	Scans     uint64                  // symbols read since the start
	Garbage   uint64                  // frames that were no symbols
	Printer   *hardware.PrinterStatus // what a printer last said; nil: nothing yet
}

// trouble is the word for what keeps a printer from printing, as the sentence
// of stock.PrinterDown names it; empty when nothing does.
func (s State) trouble() string {
	switch s.Phase {
	case Ready:
		return ""
	case Degraded:
		return troubleOf(*s.Printer)
	}
	return "offline"
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

// status is a device's state and what leads from one to the next.
type status struct {
	State
	worked bool // it was ready or degraded once
	noisy  int
	noise  time.Time // when the last garbage came
}

// become enters a phase; the cause says why it is not ready.
func (s *status) become(phase Phase, cause string) {
	s.Phase, s.LastError = phase, cause
	s.worked = s.worked || phase == Ready || phase == Degraded
}

// opened says that the port is open now.
func (s *status) opened(at time.Time, waitForAnswer bool) {
	s.LastSeen, s.noisy = at, 0
	if waitForAnswer {
		s.become(Connecting, "")
		return
	}
	s.become(Ready, "")
}

// closed says that the port could not be opened, or failed.
func (s *status) closed(cause error, missing bool) {
	if s.Printer != nil {
		gone := *s.Printer
		gone.Online = false
		s.Printer = &gone
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
	if !p.At.IsZero() {
		s.LastSeen = p.At
	}
	if trouble := troubleOf(p); trouble == "" {
		s.become(Ready, "")
	} else {
		s.become(Degraded, trouble)
	}
	if before.Printer == nil {
		return true
	}
	same := *before.Printer
	same.At = p.At
	return same != p || before.Phase != s.Phase
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
