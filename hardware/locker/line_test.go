package locker_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	sim "holdfast.dev/firmware-sim/locker"
	"holdfast.dev/firmware-sim/wire"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/locker"
	"holdfast.dev/hardware/serial"
)

func TestLockersOpenOverASerialLine(t *testing.T) {
	for _, d := range locker.Dialects {
		t.Run(d.Name, func(t *testing.T) {
			k := made(d.Name)
			k.driver.Answer = 2 * time.Second // this machine may be busy
			k.sim.Options = wire.Options{Link: filepath.Join(t.TempDir(), "tty"), Baud: d.Baud}
			device, err := sim.Start(k.sim)
			if err != nil {
				t.Fatal(err)
			}
			defer device.Close()
			port, err := serial.Open(serial.Config{Path: k.sim.Link, Baud: d.Baud})
			if err != nil {
				t.Fatal(err)
			}
			driver, err := locker.New(port, k.driver)
			if err != nil {
				t.Fatal(err)
			}
			told, ended := make(chan hardware.DoorStatus, 100), make(chan error, 1)
			go func() {
				ended <- driver.Run(context.WithoutCancel(t.Context()),
					func(s hardware.DoorStatus) { told <- s })
			}()
			<-told
			if err := driver.Open(t.Context(), door); err != nil || at(device).Closed {
				t.Errorf("open: %v, the door is %+v", err, at(device))
			}
			device.Cable.Unplug()
			if err := <-ended; !errors.Is(err, hardware.ErrGone) {
				t.Errorf("Run = %v, want ErrGone", err)
			}
		})
	}
}
