package scale_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	sim "holdfast.dev/firmware-sim/scale"
	"holdfast.dev/firmware-sim/wire"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/scale"
	"holdfast.dev/hardware/serial"
)

// TestScalesWeighOverASerialLine uses a line of eight bits, on which the driver
// adds the parity that the scale wants.
func TestScalesWeighOverASerialLine(t *testing.T) {
	for _, protocol := range []string{sim.Toledo, sim.Dialog06} {
		t.Run(protocol, func(t *testing.T) {
			link := filepath.Join(t.TempDir(), "tty")
			device, err := sim.Start(sim.Options{
				Options: wire.Options{Link: link, Baud: 9600}, Protocol: protocol})
			if err != nil {
				t.Fatal(err)
			}
			defer device.Close()
			port, err := serial.Open(serial.Config{Path: link, Baud: 9600})
			if err != nil {
				t.Fatal(err)
			}
			cfg := scale.Config{Answer: 2 * time.Second, Settle: 20 * time.Second} // a busy machine
			var driver hardware.Scale = scale.NewToledo(port, cfg)
			if protocol == sim.Dialog06 {
				priced := scale.NewDialog06(port, cfg)
				if err := priced.SetUnitPrice(price); err != nil {
					t.Fatal(err)
				}
				driver = priced
			}
			ctx, cancel := context.WithCancel(t.Context())
			told, ended := make(chan struct{}, 100), make(chan error, 1)
			go func() {
				ended <- driver.Run(ctx, func(hardware.Weight) { told <- struct{}{} })
			}()
			<-told
			device.Put(735)
			if w, err := driver.Weigh(ctx); err != nil || w.Grams != 735 {
				t.Errorf("weighed %+v, %v", w, err)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
}
