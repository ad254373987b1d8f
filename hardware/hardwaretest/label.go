package hardwaretest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast.dev/hardware"
)

// LabelRig is a label printer's driver with the printer behind it, which takes
// more than a second for the label of Job.
type LabelRig struct {
	hardware.LabelPrinter
	Job     []byte
	Printed func() int // labels that came out
	Media   func(in bool)
	Head    func(open bool)
	Pause   func(paused bool)
	Power   func(on bool)
	Unplug  func()
}

// toPrint is how long a label may take to come out that was sent.
const toPrint = 20 * time.Second

// TestLabelPrinter checks that a driver keeps the contract of
// hardware.LabelPrinter: what it says of a label is true of the paper.
func TestLabelPrinter(t *testing.T, open func(t *testing.T, spoil *Spoil) LabelRig) {
	TestDriver(t, func(t *testing.T, spoil *Spoil) Subject {
		rig := open(t, spoil)
		var state hardware.PrintState
		before := 0
		return Subject{
			Run: func(ctx context.Context) error {
				return rig.Run(ctx, func(hardware.LabelStatus) {})
			},
			Do: func(ctx context.Context) (err error) {
				before = rig.Printed()
				state, err = rig.Print(ctx, rig.Job)
				if err == nil && state != hardware.Printed {
					err = errors.New("no proof that it was printed")
				}
				return err
			},
			Lie:     func(error) string { return rig.lie(state, before) },
			Answers: true,
			Unplug:  rig.Unplug,
		}
	})
	for _, c := range labelCases {
		t.Run(c.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.check(t, labels(t, open(t, &Spoil{}))) })
		})
	}
}

func (r LabelRig) lie(state hardware.PrintState, before int) string {
	now := r.Printed() - before
	if state == hardware.Printed && now != 1 {
		return lie("%d labels are out, and it says %v", now, state)
	}
	time.Sleep(toPrint)
	if later := r.Printed() - before; state == hardware.Failed && later > 0 || later > 1 {
		return lie("%d labels came out, and it said %v", later, state)
	}
	return ""
}

// labelAtWork is a label printer whose Run runs, with what it told.
type labelAtWork struct {
	LabelRig
	mu   sync.Mutex
	told hardware.LabelStatus // guarded by mu
}

func labels(t *testing.T, rig LabelRig) *labelAtWork {
	w := &labelAtWork{LabelRig: rig}
	ctx, cancel := context.WithCancel(t.Context())
	ended := start(func() error {
		return rig.Run(ctx, func(s hardware.LabelStatus) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = s
		})
	})
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		rig.Unplug()
		synctest.Wait()
	})
	synctest.Wait()
	return w
}

func (w *labelAtWork) status() hardware.LabelStatus {
	time.Sleep(20 * time.Second) // longer than any driver is idle
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told
}

// ends prints while things happen, and compares what is said with the paper.
func (w *labelAtWork) ends(t *testing.T, want hardware.PrintState, labels int, meanwhile func()) {
	t.Helper()
	over := start(func() error {
		time.Sleep(500 * time.Millisecond) // half the label is out
		meanwhile()
		return nil
	})
	before := w.Printed()
	state, err := w.Print(t.Context(), w.Job)
	<-over
	if state != want || (err == nil) != (want == hardware.Printed) {
		t.Errorf("it says %v, %v; want %v", state, err, want)
	}
	if got := w.Printed() - before; got != labels {
		t.Errorf("%d labels are out, want %d", got, labels)
	}
}

var labelCases = []struct {
	claim string
	check func(t *testing.T, w *labelAtWork)
}{
	{"each job is one label", func(t *testing.T, w *labelAtWork) {
		for range 3 {
			w.ends(t, hardware.Printed, 1, func() {})
		}
	}},
	{"an empty job is refused", func(t *testing.T, w *labelAtWork) {
		if state, err := w.Print(t.Context(), nil); state != hardware.Failed || err == nil {
			t.Errorf("it says %v, %v", state, err)
		}
	}},
	{"nothing is sent without labels", func(t *testing.T, w *labelAtWork) {
		w.Media(false)
		w.ends(t, hardware.Failed, 0, func() {})
		w.Media(true)
		w.ends(t, hardware.Printed, 1, func() {})
	}},
	{"nothing is sent while it pauses or its head is open", func(t *testing.T, w *labelAtWork) {
		w.Pause(true)
		w.ends(t, hardware.Failed, 0, func() {})
		w.Pause(false)
		w.Head(true)
		w.ends(t, hardware.Failed, 0, func() {})
	}},
	{"a label goes on when new ones are put in", func(t *testing.T, w *labelAtWork) {
		w.ends(t, hardware.Printed, 1, func() {
			w.Media(false)
			time.Sleep(time.Minute)
			w.Media(true)
		})
	}},
	{"a label goes on after a pause", func(t *testing.T, w *labelAtWork) {
		w.ends(t, hardware.Printed, 1, func() {
			w.Pause(true)
			time.Sleep(time.Minute)
			w.Pause(false)
		})
	}},
	{"a printer that was switched off knows nothing of its label", func(t *testing.T, w *labelAtWork) {
		w.ends(t, hardware.Unknown, 0, func() {
			w.Power(false)
			time.Sleep(5 * time.Second)
			w.Power(true)
		})
		w.status()
		w.ends(t, hardware.Printed, 1, func() {})
	}},
	{"a head that stays open ends the wait", func(t *testing.T, w *labelAtWork) {
		began := time.Now()
		w.ends(t, hardware.Unknown, 0, func() { w.Head(true) })
		if took := time.Since(began); took > longest {
			t.Errorf("it waited %v", took)
		}
	}},
	{"tells its state", func(t *testing.T, w *labelAtWork) {
		if s := w.status(); !s.Ready() || s.At.IsZero() {
			t.Errorf("a good printer says %+v", s)
		}
		w.Pause(true)
		if s := w.status(); !s.Online || !s.Paused || s.Ready() {
			t.Errorf("a printer that pauses says %+v", s)
		}
		w.Pause(false)
		w.Power(false)
		if s := w.status(); s.Online || s.Ready() {
			t.Errorf("of a printer that is off it says %+v", s)
		}
	}},
}
