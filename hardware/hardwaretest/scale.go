package hardwaretest

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast.dev/hardware"
)

// ScaleRig is a scale driver with the scale behind it, which shows steps of five
// grams up to 15 kg.
type ScaleRig struct {
	hardware.Scale
	Put    func(grams int)  // replaces what lies on it, and lets it come to rest
	Shake  func(shake bool) // keeps it from coming to rest
	Unplug func()
}

const onScale = 1250 // grams

// TestScale checks that a driver keeps the contract of hardware.Scale.
func TestScale(t *testing.T, open func(t *testing.T, spoil *Spoil) ScaleRig) {
	TestDriver(t, func(t *testing.T, spoil *Spoil) Subject {
		rig := open(t, spoil)
		var got hardware.Weight
		return Subject{
			Run: func(ctx context.Context) error { return rig.Run(ctx, func(hardware.Weight) {}) },
			Do: func(ctx context.Context) (err error) {
				rig.Put(0)
				rig.Put(onScale)
				got, err = rig.Weigh(ctx)
				return err
			},
			Lie:     func(said error) string { return weightLie(got, said) },
			Answers: true,
			Unplug:  rig.Unplug,
		}
	})
	for _, c := range scaleCases {
		t.Run(c.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.check(t, weigh(t, open(t, &Spoil{}))) })
		})
	}
}

func weightLie(got hardware.Weight, said error) string {
	switch {
	case said == nil && (got.State != hardware.ScaleStable || got.Grams != onScale):
		return lie("it weighed %+v, and %d g lie there", got, onScale)
	case said != nil && got.State == hardware.ScaleStable:
		return lie("a stable weight with an error: %+v", got)
	}
	return ""
}

// weighing is a scale at work, with what Run told.
type weighing struct {
	ScaleRig
	mu   sync.Mutex
	told []hardware.Weight // guarded by mu
}

func weigh(t *testing.T, rig ScaleRig) *weighing {
	w := &weighing{ScaleRig: rig}
	ctx, cancel := context.WithCancel(t.Context())
	ended := start(func() error {
		return rig.Run(ctx, func(now hardware.Weight) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, now)
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

// states gives what Run told, each state once in a row.
func (w *weighing) states() []hardware.ScaleState {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []hardware.ScaleState
	for _, now := range w.told {
		if len(all) == 0 || all[len(all)-1] != now.State {
			all = append(all, now.State)
		}
	}
	return all
}

// refused weighs what cannot be weighed.
func (w *weighing) refused(t *testing.T, want hardware.ScaleState) {
	t.Helper()
	got, err := w.Weigh(t.Context())
	if err == nil || got.State != want || got.Grams != 0 {
		t.Errorf("weighed %+v, %v; want an error and %v", got, err, want)
	}
}

var scaleCases = []struct {
	claim string
	check func(t *testing.T, w *weighing)
}{
	{"waits until the load is at rest", func(t *testing.T, w *weighing) {
		for _, grams := range []int{500, 14995, 40} {
			w.Put(grams)
			got, err := w.Weigh(t.Context())
			if err != nil || got.Grams != grams || got.State != hardware.ScaleStable {
				t.Errorf("weighed %+v, %v; want %d g", got, err, grams)
			}
		}
	}},
	{"gives no weight of a load that moves", func(t *testing.T, w *weighing) {
		w.Put(500)
		w.Shake(true)
		w.refused(t, hardware.ScaleMoving)
		w.Shake(false)
		if got, err := w.Weigh(t.Context()); err != nil || got.Grams != 500 {
			t.Errorf("at rest again it weighed %+v, %v", got, err)
		}
	}},
	{"gives no weight of too much", func(t *testing.T, w *weighing) {
		w.Put(15200)
		w.refused(t, hardware.ScaleOver)
	}},
	{"gives no weight below zero", func(t *testing.T, w *weighing) {
		w.Put(-200)
		w.refused(t, hardware.ScaleUnder)
	}},
	{"reports what a person should see", func(t *testing.T, w *weighing) {
		w.Put(20000)
		time.Sleep(10 * time.Second)
		w.Put(-200)
		time.Sleep(10 * time.Second)
		var over, under bool
		for _, s := range w.states() {
			over = over || s == hardware.ScaleOver
			under = under || over && s == hardware.ScaleUnder
		}
		if !over || !under {
			t.Errorf("it reported %v, want overload, then underload", w.states())
		}
	}},
	{"weighs for one caller at a time", func(t *testing.T, w *weighing) {
		w.Put(500)
		w.Shake(true)
		first := start(func() error { _, err := w.Weigh(t.Context()); return err })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := w.Weigh(ctx); err == nil {
			t.Error("two weigh at once")
		}
		<-first
	}},
}
