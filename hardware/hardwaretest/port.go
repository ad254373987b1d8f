// Package hardwaretest holds the contracts that every port and every driver
// must pass, and a port in memory that breaks as told, to test without a device.
package hardwaretest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"holdfast.dev/hardware"
)

// patience is how long a test waits for what must happen. It is far above the
// second that a contract allows, so that a busy machine fails no test.
const patience = 10 * time.Second

// stallBytes is more than any wire holds on its way to a device that does not
// read: the buffers of a TCP connection grow to some megabytes.
const stallBytes = 64 << 20

// TestPort checks that a port keeps the contract of hardware.Port. Function open
// gives a fresh port and the device at its other end, whose Close unplugs it.
// The port's write time-out must be between 300 ms and a second.
func TestPort(t *testing.T, open func(t *testing.T) (hardware.Port, io.ReadWriteCloser)) {
	checks := map[string]func(*testing.T, hardware.Port, io.ReadWriteCloser){
		"carries every byte both ways":            carriesBytes,
		"Close wakes a waiting Read":              closeWakesRead,
		"Close wakes a waiting Write":             closeWakesWrite,
		"Close may be called twice":               closeTwice,
		"says gone after the last byte":           goneAfterLastByte,
		"says gone to a writer":                   goneToWriter,
		"gives up on a device that does not read": givesUpOnStall,
	}
	for claim, check := range checks {
		t.Run(claim, func(t *testing.T) {
			port, device := open(t)
			t.Cleanup(func() { port.Close(); device.Close() })
			check(t, port, device)
		})
	}
}

func carriesBytes(t *testing.T, port hardware.Port, device io.ReadWriteCloser) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for name, way := range map[string]struct {
		to   io.Writer
		from io.Reader
	}{"to the host": {device, port}, "to the device": {port, device}} {
		if n, err := way.to.Write(every); n != len(every) || err != nil {
			t.Fatalf("%s: write = %d, %v", name, n, err)
		}
		got := make([]byte, len(every))
		read := func() error { _, err := io.ReadFull(way.from, got); return err }
		if err := within(read); err != nil {
			t.Fatalf("%s: read: %v", name, err)
		}
		if !bytes.Equal(got, every) {
			t.Errorf("%s: got % x", name, got)
		}
	}
}

func closeWakesRead(t *testing.T, port hardware.Port, _ io.ReadWriteCloser) {
	read := start(func() error { _, err := port.Read(make([]byte, 8)); return err })
	stillWaits(t, read)
	closeInTime(t, port)
	err := wait(read)
	if err == nil || errors.Is(err, hardware.ErrGone) || errors.Is(err, errLate) {
		t.Errorf("the read that waited got %v, want an error that is not 'gone'", err)
	}
	if _, err := port.Read(make([]byte, 8)); err == nil {
		t.Error("a closed port can be read")
	}
	if _, err := port.Write([]byte("x")); err == nil {
		t.Error("a closed port can be written")
	}
}

func closeWakesWrite(t *testing.T, port hardware.Port, _ io.ReadWriteCloser) {
	write := start(func() error { _, err := port.Write(make([]byte, stallBytes)); return err })
	stillWaits(t, write)
	closeInTime(t, port)
	if err := wait(write); err == nil || errors.Is(err, errLate) {
		t.Errorf("the write that waited got %v, want an error", err)
	}
}

func closeTwice(t *testing.T, port hardware.Port, _ io.ReadWriteCloser) {
	closeInTime(t, port)
	closeInTime(t, port)
}

func goneAfterLastByte(t *testing.T, port hardware.Port, device io.ReadWriteCloser) {
	if _, err := device.Write([]byte("last")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if err := within(func() error { _, err := io.ReadFull(port, got); return err }); err != nil {
		t.Fatal(err)
	}
	device.Close()
	for range 3 {
		err := within(func() error { _, err := port.Read(got); return err })
		if !errors.Is(err, hardware.ErrGone) {
			t.Fatalf("read from an unplugged device: %v, want ErrGone", err)
		}
	}
	closeInTime(t, port)
}

func goneToWriter(t *testing.T, port hardware.Port, device io.ReadWriteCloser) {
	device.Close()
	err := within(func() error {
		for { // a network finds out some writes later
			if _, err := port.Write([]byte("receipt")); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, hardware.ErrGone) {
		t.Errorf("write to an unplugged device: %v, want ErrGone", err)
	}
}

func givesUpOnStall(t *testing.T, port hardware.Port, _ io.ReadWriteCloser) {
	sent := 0
	err := within(func() error {
		n, err := port.Write(make([]byte, stallBytes))
		sent = n
		return err
	})
	if !errors.Is(err, hardware.ErrTimeout) || sent == 0 || sent == stallBytes {
		t.Errorf("write to a stalled device = %d, %v; want some bytes and ErrTimeout", sent, err)
	}
	closeInTime(t, port)
}

// closeInTime holds Close to the second that the contract allows.
func closeInTime(t *testing.T, port hardware.Port) {
	t.Helper()
	began := time.Now()
	if err := within(port.Close); err != nil {
		t.Errorf("close: %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("close took %v, want a second at most", took)
	}
}

var errLate = errors.New("nothing happened in time")

func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// stillWaits gives a call time to begin, and checks that it does not end.
func stillWaits(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("a call that must wait returned %v", err)
	case <-time.After(50 * time.Millisecond):
	}
}

func wait(done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return errLate
	}
}

func within(f func() error) error { return wait(start(f)) }
