package scale_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	sim "holdfast.dev/firmware-sim/scale"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/scale"
)

const price = 199 // minor units for a kilogram

func rig(
	t *testing.T, spoil *hardwaretest.Spoil, protocol string,
) (hardwaretest.ScaleRig, *sim.Scale) {
	t.Helper()
	port, far := hardwaretest.Pipe(time.Second)
	device, err := sim.On(far, protocol)
	if err != nil {
		t.Fatal(err)
	}
	r := hardwaretest.ScaleRig{
		Put: device.Put, Shake: device.Shake, Unplug: func() { device.Close() },
	}
	if protocol == sim.Toledo {
		r.Scale = scale.NewToledo(spoil.On(port), scale.Config{})
		return r, device
	}
	driver := scale.NewDialog06(spoil.On(port), scale.Config{})
	if err := driver.SetUnitPrice(price); err != nil {
		t.Fatal(err)
	}
	r.Scale = driver
	return r, device
}

func TestScalesKeepTheContract(t *testing.T) {
	for _, protocol := range []string{sim.Toledo, sim.Dialog06} {
		t.Run(protocol, func(t *testing.T) {
			hardwaretest.TestScale(t,
				func(t *testing.T, spoil *hardwaretest.Spoil) hardwaretest.ScaleRig {
					r, _ := rig(t, spoil, protocol)
					return r
				})
		})
	}
}

// run runs a driver until the bubble ends.
func run(t *testing.T, r hardwaretest.ScaleRig) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, func(hardware.Weight) {}) }()
	synctest.Wait()
	t.Cleanup(func() { cancel(); <-ended; r.Unplug() })
}

func TestTheScalesOwnAmountIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, device := rig(t, &hardwaretest.Spoil{}, sim.Dialog06)
		run(t, r)
		device.Put(1250)
		w, err := r.Weigh(t.Context())
		if err != nil || w.Grams != 1250 || w.UnitPrice != price || w.Amount != 249 {
			t.Errorf("weighed %+v, %v; want 1250 g at %d for 249", w, err, price)
		}
		if _, err := r.Weigh(t.Context()); !errors.Is(err, scale.ErrSameLoad) {
			t.Errorf("the same load twice: %v, want ErrSameLoad", err)
		}
		driver := r.Scale.(*scale.Dialog06)
		device.SetPower(false)
		device.SetPower(true)
		device.Put(0)
		device.Put(500)
		if err := driver.SetUnitPrice(0); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Weigh(t.Context()); !errors.Is(err, scale.ErrNoPrice) {
			t.Errorf("without a price: %v, want ErrNoPrice", err)
		}
		for _, wrong := range []int{-1, scale.MaxUnitPrice + 1} {
			if driver.SetUnitPrice(wrong) == nil {
				t.Errorf("price %d is taken", wrong)
			}
		}
	})
}

func TestAScaleSwitchedOnWithALoadMustBeEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, device := rig(t, &hardwaretest.Spoil{}, sim.Toledo)
		run(t, r)
		device.SetPower(false)
		device.Put(5000)
		if w, err := r.Weigh(t.Context()); !errors.Is(err, hardware.ErrTimeout) ||
			w.State != hardware.ScaleSilent {
			t.Errorf("switched off it weighed %+v, %v", w, err)
		}
		device.SetPower(true)
		if w, err := r.Weigh(t.Context()); !errors.Is(err, scale.ErrNotZero) ||
			w.State != hardware.ScaleNotZero {
			t.Errorf("with a load from before it weighed %+v, %v", w, err)
		}
		device.Put(0)
		device.Put(5000)
		if w, err := r.Weigh(t.Context()); err != nil || w.Grams != 5000 {
			t.Errorf("emptied it weighed %+v, %v", w, err)
		}
	})
}

func TestAScaleThatSpeaksOtherwiseIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		driver func(hardware.Port, scale.Config) hardware.Scale
		says   string
		want   error
	}{
		"pounds": {func(p hardware.Port, cfg scale.Config) hardware.Scale {
			return scale.NewToledo(p, cfg)
		}, "\x0201.25\r", scale.ErrPounds},
		"checksum": {func(p hardware.Port, cfg scale.Config) hardware.Scale {
			return scale.NewDialog06(p, cfg)
		}, "\x0211\x1b2\x1b5\x03", scale.ErrChecksum},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				port, far := hardwaretest.Pipe(time.Second)
				driver := c.driver(port, scale.Config{EightBits: true})
				go func() {
					in := make([]byte, 64)
					for {
						if _, err := far.Read(in); err != nil {
							return
						}
						io.WriteString(far, c.says)
					}
				}()
				r := hardwaretest.ScaleRig{Scale: driver, Unplug: func() { far.Close() }}
				run(t, r)
				if _, err := driver.Weigh(t.Context()); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		})
	}
}

func TestOneWeightAloneIsNoWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port, far := hardwaretest.Pipe(time.Second)
		driver := scale.NewToledo(port, scale.Config{EightBits: true, Poll: time.Hour})
		answers := []string{"\x0200.000\r", "\x0201.000\r", "\x0201.245\r", "\x0201.250\r",
			"\x0201.250\r"}
		go func() {
			in := make([]byte, 1)
			for len(answers) > 0 {
				if _, err := far.Read(in); err != nil {
					return
				}
				io.WriteString(far, answers[0])
				answers = answers[1:]
			}
		}()
		run(t, hardwaretest.ScaleRig{Scale: driver, Unplug: func() { far.Close() }})
		if w, err := driver.Weigh(t.Context()); err != nil || w.Grams != 1250 {
			t.Errorf("weighed %+v, %v; want 1250 g", w, err)
		}
	})
}
