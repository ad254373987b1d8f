package zpl_test

import (
	"context"
	"testing"
	"time"

	sim "holdfast.dev/firmware-sim/labelprinter"
	"holdfast.dev/firmware-sim/wire"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/tcp"
	"holdfast.dev/hardware/zpl"
)

func TestALabelIsPrintedOverANetwork(t *testing.T) {
	device, err := sim.Start(sim.Options{Options: wire.Options{TCP: "127.0.0.1:0"}, Speed: 150})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	port, err := tcp.Open(t.Context(), tcp.Config{Addr: device.Cable.Address()})
	if err != nil {
		t.Fatal(err)
	}
	driver := zpl.New(port, zpl.Config{Answer: 5 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan hardware.LabelStatus, 100), make(chan error, 1)
	go func() { ended <- driver.Run(ctx, func(s hardware.LabelStatus) { told <- s }) }()
	if s := <-told; !s.Ready() {
		t.Errorf("at first it says %+v", s)
	}
	state, err := driver.Print(ctx, encode(t, bag()))
	if state != hardware.Printed || err != nil || len(device.Labels()) != 1 {
		t.Errorf("it says %v, %v; %d labels are out", state, err, len(device.Labels()))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
}
