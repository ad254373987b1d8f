package devices

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"holdfast.dev/hardware"
)

// fakeScale is a scale that says what the test wants.
type fakeScale chan hardware.Weight

func (f fakeScale) Run(ctx context.Context, changed func(hardware.Weight)) error {
	for {
		select {
		case w := <-f:
			changed(w)
		case <-ctx.Done():
			return nil
		}
	}
}

func (fakeScale) Weigh(context.Context) (hardware.Weight, error) { return hardware.Weight{}, nil }

func TestAScaleIsSilentOnlyWhenItStaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		says := make(fakeScale)
		s := New(Options{Devices: []Config{{Name: "one", Kind: Scale, Driver: "8217-serial", Path: "/dev/none"}}})
		s.devices[0].driver = driver{open: openPipe, scale: func(hardware.Port, Config) hardware.Scale { return says }}
		stop := run(t, s)
		defer stop()
		says <- hardware.Weight{State: hardware.ScaleStable, Grams: 350}
		for _, c := range []struct {
			silent time.Duration
			want   Phase
		}{{time.Second, Ready}, {2 * time.Second, Degraded}, {time.Second, Ready}} {
			says <- hardware.Weight{State: hardware.ScaleSilent}
			time.Sleep(c.silent)
			synctest.Wait()
			if got := s.States()[0]; got.Phase != c.want {
				t.Errorf("after %v of silence it is %s, want %s", c.silent, got.Phase, c.want)
			}
			says <- hardware.Weight{State: hardware.ScaleStable, Grams: 350}
			synctest.Wait()
			time.Sleep(time.Minute)
			if got := s.States()[0]; got.Phase != Ready {
				t.Errorf("after it spoke again it is %s", got.Phase)
			}
		}
	})
}
