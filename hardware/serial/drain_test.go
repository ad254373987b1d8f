package serial

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
)

// Habit: tarm cannot tell whether a line has sent what it was given. A pseudo
// terminal sends at once, so the count of unsent bytes is the test's own.
func TestDrainWaitsUntilTheLineHasSentItAll(t *testing.T) {
	master, line, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	p, err := Open(Config{Path: line.Name()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	line.Close()

	left := atomic.Int32{}
	left.Store(5)
	counting := func() (int, error) { return int(left.Add(-1)), nil }
	if err := p.drain(time.Minute, counting); err != nil || left.Load() != 0 {
		t.Errorf("drain = %v with %d bytes left", err, left.Load())
	}
	stuck := func() (int, error) { return 7, nil }
	if err := p.drain(20*time.Millisecond, stuck); !errors.Is(err, hardware.ErrTimeout) {
		t.Errorf("drain of a stuck line = %v, want ErrTimeout", err)
	}
	master.Close()
	if err := p.drain(time.Minute, stuck); !errors.Is(err, hardware.ErrGone) {
		t.Errorf("drain of an unplugged line = %v, want ErrGone", err)
	}
	unix.Write(p.wake[1], []byte{0}) // as Close does
	if err := p.drain(time.Minute, stuck); !errors.Is(err, os.ErrClosed) {
		t.Errorf("drain during Close = %v, want os.ErrClosed", err)
	}
}
