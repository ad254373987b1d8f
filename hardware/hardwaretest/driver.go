package hardwaretest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast.dev/hardware"
)

// Subject is a driver on a line to its device, with one thing that it can do.
type Subject struct {
	Run func(ctx context.Context) error
	Do  func(ctx context.Context) error
	// Lie compares what Do said with what the device did: it is empty when both
	// agree. An error may always mean that the driver does not know.
	Lie func(said error) string
	// Answers tells that the device answers Do. Without it, Do succeeds in silence.
	Answers bool
	// FlipsUnseen tells that the protocol has no checksum, so that a turned bit
	// may change a value.
	FlipsUnseen bool
	// Unplug takes the device away.
	Unplug func()
}

// Open makes a fresh driver whose line is spoiled, and its device. It is called
// inside a synctest bubble, where time costs nothing.
type Open func(t *testing.T, spoil *Spoil) Subject

// everyByte is how many bytes a short test tries one by one; then it tries each
// stride.
const (
	everyByte = 48
	stride    = 11
)

func next(byte int) int {
	if testing.Short() && byte >= everyByte {
		return byte + stride
	}
	return byte + 1
}

// maxBytes bounds the search for the end of an exchange, cut by cut.
const maxBytes = 6000

// longest is how long any Do may take, whatever happens to the line.
const longest = 5 * time.Minute

// TestDriver checks what every driver owes its supervisor: it ends when it is
// told to, says when the device is gone, never waits for ever, and never claims
// what the device did not do, wherever the line breaks.
func TestDriver(t *testing.T, open Open) {
	bubble := func(claim string, check func(t *testing.T)) {
		t.Run(claim, func(t *testing.T) { synctest.Test(t, check) })
	}
	for claim, spoil := range map[string]*Spoil{
		"works on a good line":                {},
		"takes an answer that comes in bytes": {Split: true},
		"finds an answer behind noise":        {Noise: "\x00\xff\x7fA\x9b\x80"},
		"takes an answer that comes late":     {Hold: 20 * time.Millisecond},
	} {
		bubble(claim, func(t *testing.T) { works(t, open, spoil) })
	}
	bubble("ends when it is told to", func(t *testing.T) { endsWhenTold(t, open) })
	bubble("says gone when the device is", func(t *testing.T) { saysGone(t, open) })
	bubble("goes on after a silence", func(t *testing.T) { outlivesSilence(t, open) })
	bubble("lets its caller give up", func(t *testing.T) { letsGiveUp(t, open) })
	t.Run("survives a cut at every byte", func(t *testing.T) { cutEverywhere(t, open) })
	t.Run("does not believe a turned bit", func(t *testing.T) { flipEverywhere(t, open) })
}

// atWork is a subject whose Run runs.
type atWork struct {
	Subject
	cancel context.CancelFunc
	ended  chan error
}

func begin(t *testing.T, open Open, spoil *Spoil) *atWork {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &atWork{Subject: open(t, spoil), cancel: cancel, ended: make(chan error, 1)}
	go func() { w.ended <- w.Run(ctx) }()
	synctest.Wait()
	return w
}

// end stops the driver and takes the device away.
func (w *atWork) end() {
	w.cancel()
	<-w.ended
	w.Unplug()
	synctest.Wait()
}

// try does it, holds it to its time, and looks for a lie.
func (w *atWork) try(ctx context.Context, t *testing.T) error {
	t.Helper()
	return w.tryWithin(ctx, t, longest)
}

func (w *atWork) tryWithin(ctx context.Context, t *testing.T, limit time.Duration) error {
	t.Helper()
	began := time.Now()
	err := w.Do(ctx)
	if took := time.Since(began); took > limit {
		t.Errorf("it took %v, want %v at most", took, limit)
	}
	if lie := w.Lie(err); lie != "" {
		t.Errorf("said %v: %s", err, lie)
	}
	return err
}

func works(t *testing.T, open Open, spoil *Spoil) {
	w := begin(t, open, spoil)
	defer w.end()
	if err := w.try(t.Context(), t); err != nil {
		t.Errorf("got %v, want it done", err)
	}
}

func endsWhenTold(t *testing.T, open Open) {
	w := begin(t, open, &Spoil{})
	if err := w.Run(t.Context()); err == nil {
		t.Error("a driver that runs can be run again")
	}
	w.try(t.Context(), t)
	began := time.Now()
	w.cancel()
	err := <-w.ended
	if err != nil {
		t.Errorf("Run = %v after its context ended, want nil", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("Run took %v to end", took)
	}
	if w.try(t.Context(), t) == nil {
		t.Error("a driver that ended still works")
	}
	w.Unplug()
	synctest.Wait()
	idle := open(t, &Spoil{})
	if err := idle.Do(t.Context()); err == nil {
		t.Error("a driver works before it runs")
	}
	idle.Unplug()
}

func saysGone(t *testing.T, open Open) {
	w := begin(t, open, &Spoil{})
	w.Unplug()
	select {
	case err := <-w.ended:
		if !errors.Is(err, hardware.ErrGone) {
			t.Errorf("Run = %v, want ErrGone", err)
		}
	case <-time.After(longest):
		t.Error("Run goes on without a device")
		w.cancel()
		<-w.ended
	}
	if err := w.Do(t.Context()); err == nil {
		t.Error("it works without a device")
	}
	w.cancel()
}

func outlivesSilence(t *testing.T, open Open) {
	spoil := &Spoil{}
	w := begin(t, open, spoil)
	defer w.end()
	if !w.Answers {
		return
	}
	spoil.Mute(true)
	if err := w.try(t.Context(), t); err == nil {
		t.Error("it works with a device that says nothing")
	}
	spoil.Mute(false)
	time.Sleep(longest) // a device may need a while, and a person
	if err := w.try(t.Context(), t); err != nil {
		t.Errorf("after a silence: %v", err)
	}
}

func letsGiveUp(t *testing.T, open Open) {
	for _, ms := range []int{0, 1, 30, 300} {
		patience := time.Duration(ms) * time.Millisecond
		spoil := &Spoil{}
		spoil.Mute(true)
		w := begin(t, open, spoil)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		w.tryWithin(ctx, t, patience+time.Second)
		cancel()
		w.end()
	}
}

// cutEverywhere pulls the cable after one byte, two bytes, … until it is done.
func cutEverywhere(t *testing.T, open Open) {
	for after := 1; after < maxBytes; after = next(after) {
		whole := false
		synctest.Test(t, func(t *testing.T) {
			w := begin(t, open, &Spoil{CutAfter: after})
			err := w.try(t.Context(), t)
			whole = err == nil
			if !whole {
				cutIsGone(t, w, after)
				return
			}
			w.end()
		})
		if t.Failed() {
			t.Fatalf("cut after %d bytes", after)
		}
		if whole {
			return
		}
	}
	t.Errorf("not done after %d bytes", maxBytes)
}

func cutIsGone(t *testing.T, w *atWork, after int) {
	t.Helper()
	select {
	case err := <-w.ended:
		if !errors.Is(err, hardware.ErrGone) {
			t.Errorf("cut after %d bytes: Run = %v, want ErrGone", after, err)
		}
		w.ended <- err
	case <-time.After(longest):
		t.Errorf("cut after %d bytes: Run goes on", after)
	}
	w.end()
}

// flipEverywhere turns a bit of each byte that comes in, one byte at a time.
func flipEverywhere(t *testing.T, open Open) {
	more := true
	for at := 1; more && at <= maxBytes; at = next(at) {
		synctest.Test(t, func(t *testing.T) {
			spoil := &Spoil{FlipAt: at}
			w := begin(t, open, spoil)
			err := w.Do(t.Context())
			more = spoil.flipped()
			if lie := w.Lie(err); lie != "" && !w.FlipsUnseen {
				t.Errorf("byte %d: said %v: %s", at, err, lie)
			}
			w.end()
		})
		if t.Failed() {
			return
		}
	}
}

// lie words a difference between what a driver said and what is.
func lie(format string, args ...any) string { return fmt.Sprintf(format, args...) }
