package usblp

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
)

// wire is the printer's end of a terminal that stands for the device: poll,
// read and write behave as the driver's do.
type wire struct{ master, slave *os.File }

func (w wire) Read(p []byte) (int, error)  { return w.master.Read(p) }
func (w wire) Write(p []byte) (int, error) { return w.master.Write(p) }

func (w wire) Close() error {
	w.slave.Close()
	return w.master.Close()
}

func device(t *testing.T) wire {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	state, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	state.Iflag, state.Oflag, state.Lflag = 0, 0, 0
	state.Cc[unix.VMIN], state.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, state); err != nil {
		t.Fatal(err)
	}
	w := wire{master, slave}
	t.Cleanup(func() { w.Close() })
	return w
}

func TestPrinterFileIsAPort(t *testing.T) {
	hardwaretest.TestPort(t, func(t *testing.T) (hardware.Port, io.ReadWriteCloser) {
		w := device(t)
		port, err := Open(Config{Path: w.slave.Name(), WriteTimeout: 400 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return port, w
	})
}

// lines is the control part of the driver as its source describes it.
type lines struct {
	state byte
	id    string
	gone  bool
}

func (l *lines) status(int) (byte, error) {
	if l.gone {
		return 0, unix.ENODEV
	}
	return l.state, nil
}

func (l *lines) deviceID(int) ([]byte, error) {
	if l.gone {
		return nil, unix.ENODEV
	}
	raw := make([]byte, idBuffer)
	binary.BigEndian.PutUint16(raw, uint16(len(l.id)+2))
	copy(raw[2:], l.id)
	return raw, nil
}

func TestStatusLinesAreRead(t *testing.T) {
	l := &lines{}
	port, err := open(Config{Path: device(t).slave.Name()}, l)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	for state, want := range map[byte]Status{
		0x18: {Selected: true}, // idle
		0x38: {Selected: true, PaperOut: true},
		0x20: {Error: true, PaperOut: true},
		0x10: {Error: true, Selected: true},
	} {
		l.state = state
		if got, err := port.Status(); err != nil || got != want {
			t.Errorf("%02X means %+v, %v; want %+v", state, got, err, want)
		}
	}
	l.gone = true
	if _, err := port.Status(); !errors.Is(err, hardware.ErrGone) {
		t.Errorf("status of an unplugged printer: %v", err)
	}
}

func TestAPrinterNamesItself(t *testing.T) {
	l := &lines{id: "MFG:EPSON;CMD:ESC/POS;MDL:TM-T20III;CLS:PRINTER;"}
	port, err := open(Config{Path: device(t).slave.Name()}, l)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	got, err := port.DeviceID()
	want := map[string]string{"MFG": "EPSON", "CMD": "ESC/POS", "MDL": "TM-T20III",
		"CLS": "PRINTER"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, raw := range []string{"", "\x00", "\x00\x00", "\xff\xffMFG", "\x00\x05A:B",
		"\x00\x01x"} {
		parseDeviceID([]byte(raw)) // must not panic
	}
}

func TestAKernelThatDoesNotWakeTheReaderIsAsked(t *testing.T) {
	l := &lines{}
	port, err := open(Config{Path: device(t).slave.Name()}, l)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	l.gone = true
	if _, err := port.Read(make([]byte, 1)); !errors.Is(err, hardware.ErrGone) {
		t.Errorf("read = %v, want gone", err)
	}
}

func TestTheKernelsAnswerOfAnotherDeviceIsAnError(t *testing.T) {
	port, err := Open(Config{Path: device(t).slave.Name()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := port.Status(); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("status of a terminal: %v", err)
	}
	if _, err := port.DeviceID(); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("name of a terminal: %v", err)
	}
	port.Close()
	if _, err := port.Status(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("status after Close: %v", err)
	}
}

func TestNothingPluggedInDoesNotExist(t *testing.T) {
	_, err := Open(Config{Path: filepath.Join(t.TempDir(), "lp0")})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open = %v, want that it does not exist", err)
	}
}
