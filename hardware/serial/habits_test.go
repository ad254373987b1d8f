package serial_test

import (
	"errors"
	"os"
	"testing"
	"time"

	tarm "github.com/tarm/serial"
	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/serial"
)

// settings are what is set on a line now.
func settings(t *testing.T, d device) *unix.Termios {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(d.line.Fd()), unix.TCGETS2)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openWith(t *testing.T, cfg serial.Config) *serial.Port {
	t.Helper()
	p, err := serial.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// Habit: tarm sees no byte for less than a tenth of a second, and cuts what it
// is asked for down to whole tenths. Only the poll before it waits.
func TestTarmIsNeverAskedToWaitForAByte(t *testing.T) {
	d := plugIn(t)
	raw, err := tarm.OpenPort(&tarm.Config{Name: d.path, Baud: 9600,
		ReadTimeout: 250 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got := settings(t, d).Cc[unix.VTIME]; got != 2 {
		t.Fatalf("tarm asks for %d tenths of a second; the workaround may go", got)
	}
	raw.Close()
	open(t, d.path)
	if s := settings(t, d); s.Cc[unix.VMIN] != 0 || s.Cc[unix.VTIME] != 1 {
		t.Errorf("VMIN %d, VTIME %d; want 0 and 1", s.Cc[unix.VMIN], s.Cc[unix.VTIME])
	}
}

// Habit: tarm knows a list of rates, and 14400 and 128000 are not on it.
func TestRatesThatTarmDoesNotKnowAreSet(t *testing.T) {
	for _, baud := range []int{14400, 128000, 256000} {
		d := plugIn(t)
		if raw, err := tarm.OpenPort(&tarm.Config{Name: d.path, Baud: baud}); err == nil {
			raw.Close()
			t.Errorf("tarm runs at %d; the workaround may go", baud)
		}
		openWith(t, serial.Config{Path: d.path, Baud: baud})
		if got := settings(t, d).Ospeed; got != uint32(baud) {
			t.Errorf("the line runs at %d, want %d", got, baud)
		}
	}
}

// Habit: tarm drops bytes whose parity is wrong, and reads on as if none were.
func TestABrokenByteIsNotDropped(t *testing.T) {
	d := plugIn(t)
	openTarm(t, d.path, 100*time.Millisecond).Close()
	if settings(t, d).Iflag&unix.IGNPAR == 0 {
		t.Fatal("tarm keeps broken bytes; the workaround may go")
	}
	open(t, d.path)
	if got := settings(t, d).Iflag; got&unix.IGNPAR != 0 || got&unix.INPCK == 0 ||
		got&unix.PARMRK != 0 {
		t.Errorf("input flags %#x, want broken bytes read as zeros", got)
	}
}

// Habit: tarm knows no flow control and zeroes the bytes that would do it.
func TestFlowControlIsSet(t *testing.T) {
	d := plugIn(t)
	openTarm(t, d.path, 100*time.Millisecond).Close()
	if s := settings(t, d); s.Cflag&unix.CRTSCTS != 0 || s.Cc[unix.VSTOP] != 0 {
		t.Fatal("tarm sets flow control; the workaround may go")
	}
	openWith(t, serial.Config{Path: d.path, Flow: serial.RTSCTS}).Close()
	if settings(t, d).Cflag&unix.CRTSCTS == 0 {
		t.Error("RTS/CTS is not set")
	}

	p := openWith(t, serial.Config{Path: d.path, Flow: serial.XONXOFF, WriteTimeout: writeTimeout})
	if settings(t, d).Cflag&unix.CRTSCTS != 0 {
		t.Error("RTS/CTS is left over from the port before")
	}
	d.Write([]byte{0x13}) // XOFF
	d.Write([]byte("A"))  // is read after it, so XOFF has worked by then
	got := make([]byte, 4)
	if n, err := p.Read(got); n != 1 || got[0] != 'A' {
		t.Fatalf("read %q, %v; want what is no XOFF", got[:n], err)
	}
	if _, err := p.Write([]byte("full")); !errors.Is(err, hardware.ErrTimeout) {
		t.Errorf("write after XOFF = %v, want ErrTimeout", err)
	}
	d.Write([]byte{0x11}) // XON
	d.Write([]byte("B"))
	p.Read(got)
	if n, err := p.Write([]byte("next")); n != 4 || err != nil {
		t.Errorf("write after XON = %d, %v", n, err)
	}
}

// Habit: tarm knows neither signals nor breaks. A pseudo terminal has none, so
// this only shows that asking is safe.
func TestALineWithoutSignalsSaysSo(t *testing.T) {
	d := plugIn(t)
	p := open(t, d.path)
	if _, ok, err := p.Lines(); ok || err != nil {
		t.Errorf("Lines = %v, %v; want none", ok, err)
	}
	if err := p.Drain(patience); err != nil {
		t.Errorf("Drain = %v", err)
	}
	if err := p.Break(); err != nil {
		t.Errorf("Break = %v", err)
	}
	p.Close()
	if _, _, err := p.Lines(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Lines after Close = %v, want os.ErrClosed", err)
	}
	if err := p.Drain(patience); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Drain after Close = %v, want os.ErrClosed", err)
	}
	if err := p.Break(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Break after Close = %v, want os.ErrClosed", err)
	}
}

func TestParityAndStopBitsReachTheLine(t *testing.T) {
	d := plugIn(t)
	openWith(t, serial.Config{Path: d.path, Parity: serial.Odd, StopBits: 2})
	// A pseudo terminal forgets that there is parity, but not which.
	if got := settings(t, d).Cflag; got&unix.PARODD == 0 || got&unix.CSTOPB == 0 {
		t.Errorf("control flags %#x, want odd parity and two stop bits", got)
	}
}
