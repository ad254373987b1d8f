package devices

import (
	"context"
	"fmt"
	"io/fs"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/evdev"
	"holdfast.dev/hardware/serial"
	"holdfast.dev/hardware/usblp"
)

func TestADeviceSaysWhatKeepsTheNodeOutOfItsPort(t *testing.T) {
	for _, c := range []struct {
		cause error
		want  string
	}{
		{serial.ErrInUse, BarredInUse}, {usblp.ErrInUse, BarredInUse}, {evdev.ErrInUse, BarredInUse},
		{&fs.PathError{Op: "open", Path: "/dev/x", Err: unix.EACCES}, BarredNoRights}, {unix.EPERM, BarredNoRights},
		{fs.ErrNotExist, ""}, {unix.EIO, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			var over atomic.Bool
			s := New(Options{Devices: []Config{{Name: "one", Kind: Scanner, Driver: "serial", Path: "/dev/none"}}})
			s.devices[0].driver = driver{scanner: newScanner,
				open: func(ctx context.Context, cfg Config) (hardware.Port, error) {
					if over.Load() {
						return openPipe(ctx, cfg)
					}
					return nil, fmt.Errorf("open it: %w", c.cause)
				}}
			stop := run(t, s)
			defer stop()
			synctest.Wait()
			if got := s.States()[0]; got.Barred != c.want || got.LastError == "" {
				t.Errorf("%v: barred %q, last error %q, want %q", c.cause, got.Barred, got.LastError, c.want)
			}
			over.Store(true)
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := s.States()[0]; got.Barred != "" || got.Phase != Ready {
				t.Errorf("%v is over: %s, barred %q", c.cause, got.Phase, got.Barred)
			}
		})
	}
}
