package hardwaretest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"holdfast.dev/hardware"
)

// DisplayRig is a display driver with the display behind it.
type DisplayRig struct {
	hardware.Display
	Screen func() [2]string // what a customer reads: twenty characters each
	Level  func() int       // its brightness
	Unplug func()
}

// TestDisplay checks that a driver keeps the contract of hardware.Display.
func TestDisplay(t *testing.T, open func(t *testing.T, spoil *Spoil) DisplayRig) {
	TestDriver(t, func(t *testing.T, spoil *Spoil) Subject {
		rig := open(t, spoil)
		return Subject{
			Run: rig.Run,
			Do:  func(ctx context.Context) error { return rig.Show(ctx, "Cola 0,5 l", "total  1,50") },
			Lie: func(said error) string {
				if said != nil || spoil.CutAfter > 0 {
					return "" // a display never says what it shows
				}
				return rig.differs("Cola 0,5 l", "total  1,50")
			},
			Unplug: rig.Unplug,
		}
	})
	for _, c := range displayCases {
		t.Run(c.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := open(t, &Spoil{})
				ctx, cancel := context.WithCancel(t.Context())
				ended := start(func() error { return rig.Run(ctx) })
				synctest.Wait()
				c.do(ctx, t, rig)
				if diff := rig.differs(c.top, c.bottom); diff != "" {
					t.Error(diff)
				}
				cancel()
				<-ended
				rig.Unplug()
			})
		})
	}
}

// differs compares the screen with what should be read, once all bytes arrived.
func (r DisplayRig) differs(top, bottom string) string {
	time.Sleep(time.Second)
	want := [2]string{filled(top), filled(bottom)}
	if got := r.Screen(); got != want {
		return lie("it shows %q, want %q", got, want)
	}
	return ""
}

func filled(text string) string {
	runes := []rune(text)
	for len(runes) < 20 {
		runes = append(runes, ' ')
	}
	return string(runes)
}

// displayStep is what a test does with a display.
type displayStep func(ctx context.Context, t *testing.T, rig DisplayRig)

var displayCases = []struct {
	claim       string
	do          displayStep
	top, bottom string
}{
	{"a new text leaves nothing of the old one",
		func(ctx context.Context, t *testing.T, rig DisplayRig) {
			show(ctx, t, rig, "abcdefghijklmnopqrst", "01234567890123456789")
			show(ctx, t, rig, "Tea", "2,10")
		}, "Tea", "2,10"},
	{"a long text does not run into the other line",
		func(ctx context.Context, t *testing.T, rig DisplayRig) {
			show(ctx, t, rig, "abcdefghijklmnopqrstuvw", "0123456789012345678999")
		}, "abcdefghijklmnopqrst", "01234567890123456789"},
	{"no text becomes a command",
		func(ctx context.Context, t *testing.T, rig DisplayRig) {
			show(ctx, t, rig, "a\x0cb\x1b@c\x1f$\x01\x01d", "\x18e\r\nf\x1bQAg\r\x7f")
		}, "a b?@c?$??d", "?e  f?QAg ?"},
	{"letters that the display lacks are spelled",
		func(ctx context.Context, t *testing.T, rig DisplayRig) {
			show(ctx, t, rig, "Çédille ñandú", "Ōta 北 2⅓")
		}, "Çédille ñandú", "Ota ? 2 1/3"},
	{"clearing leaves nothing",
		func(ctx context.Context, t *testing.T, rig DisplayRig) {
			show(ctx, t, rig, "Tea", "2,10")
			if err := rig.Clear(ctx); err != nil {
				t.Error(err)
			}
		}, "", ""},
	{"another brightness leaves the text",
		func(ctx context.Context, t *testing.T, rig DisplayRig) {
			show(ctx, t, rig, "Tea", "2,10")
			if err := rig.Brightness(ctx, 2); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			if got := rig.Level(); got != 2 {
				t.Errorf("brightness is %d, want 2", got)
			}
			for _, wrong := range []int{-1, 0, 5} {
				if rig.Brightness(ctx, wrong) == nil {
					t.Errorf("brightness %d is taken", wrong)
				}
			}
		}, "Tea", "2,10"},
}

func show(ctx context.Context, t *testing.T, rig DisplayRig, top, bottom string) {
	t.Helper()
	if err := rig.Show(ctx, top, bottom); err != nil {
		t.Fatalf("show: %v", err)
	}
}
