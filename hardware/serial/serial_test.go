package serial_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	tarm "github.com/tarm/serial"
	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/serial"
)

// writeTimeout of the ports under test.
const writeTimeout = 300 * time.Millisecond

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// device is a serial device on a pty: the master is its end of the line.
type device struct {
	*os.File
	line *os.File // kept open, so that the device outlives each port
	path string
}

func plugIn(t *testing.T) device {
	t.Helper()
	master, line, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	d := device{master, line, line.Name()}
	t.Cleanup(func() { d.Close() })
	return d
}

// Close unplugs the device.
func (d device) Close() error {
	d.line.Close()
	return d.File.Close()
}

func open(t *testing.T, path string) *serial.Port {
	t.Helper()
	p, err := serial.Open(serial.Config{Path: path, WriteTimeout: writeTimeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func openTarm(t *testing.T, path string, timeout time.Duration) *tarm.Port {
	t.Helper()
	p, err := tarm.OpenPort(&tarm.Config{Name: path, Baud: 9600, ReadTimeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func wait(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("nothing happened in time")
		return nil
	}
}

func TestPortKeepsTheContract(t *testing.T) {
	hardwaretest.TestPort(t, func(t *testing.T) (hardware.Port, io.ReadWriteCloser) {
		d := plugIn(t)
		return open(t, d.path), d
	})
}

// Habit: tarm reports a line on which nothing came as io.EOF.
func TestAnIdleLineIsNotAnEndOfFile(t *testing.T) {
	d := plugIn(t)
	raw := openTarm(t, d.path, 100*time.Millisecond)
	if n, err := raw.Read(make([]byte, 8)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("tarm reads %d, %v on an idle line; the workaround may go", n, err)
	}
	raw.Close()

	p := open(t, d.path)
	got := make([]byte, 8)
	read := start(func() error { _, err := p.Read(got); return err })
	select {
	case err := <-read:
		t.Fatalf("read of an idle line returned %v, want it to wait", err)
	case <-time.After(350 * time.Millisecond): // three of tarm's time-outs
	}
	d.Write([]byte("A"))
	if err := wait(t, read); err != nil || got[0] != 'A' {
		t.Errorf("read = %q, %v", got[0], err)
	}
}

// Habit: without a read time-out, tarm's Close waits for a byte to arrive.
func TestCloseDoesNotWaitForAByte(t *testing.T) {
	d := plugIn(t)
	raw := openTarm(t, d.path, 0)
	pending := start(func() error { _, err := raw.Read(make([]byte, 8)); return err })
	select {
	case err := <-pending:
		t.Fatalf("tarm's read did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	closed := start(raw.Close)
	select {
	case <-closed:
		t.Fatal("tarm's Close returned while a read waits; the workaround may go")
	case <-time.After(200 * time.Millisecond):
	}
	d.Write([]byte("x"))
	wait(t, pending)
	wait(t, closed)

	p := open(t, d.path)
	read := start(func() error { _, err := p.Read(make([]byte, 8)); return err })
	select {
	case err := <-read:
		t.Fatalf("read of a silent line returned %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := wait(t, start(p.Close)); err != nil {
		t.Errorf("Close of a line that is read: %v", err)
	}
	if err := wait(t, read); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the waiting read got %v, want os.ErrClosed", err)
	}
}

// Habit: tarm says EIO once after an unplug and io.EOF for ever after, which
// looks like an idle line that answers at once.
func TestUnpluggedStaysGone(t *testing.T) {
	d := plugIn(t)
	raw := openTarm(t, d.path, 100*time.Millisecond)
	defer raw.Close()
	p := open(t, d.path)
	d.Close()

	got := make([]byte, 8)
	for range 3 {
		if _, err := p.Read(got); !errors.Is(err, hardware.ErrGone) {
			t.Fatalf("read = %v, want ErrGone", err)
		}
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, hardware.ErrGone) {
		t.Errorf("write = %v, want ErrGone", err)
	}
	for range 3 {
		if _, err := raw.Read(got); errors.Is(err, io.EOF) {
			return
		}
	}
	t.Error("tarm no longer says io.EOF after an unplug; the workaround may go")
}

// Habit: tarm's Write blocks for ever when the device takes no more bytes.
func TestWriteGivesUpOnAStuckDevice(t *testing.T) {
	d := plugIn(t)
	raw := openTarm(t, d.path, 100*time.Millisecond)
	stuck := start(func() error { _, err := raw.Write(make([]byte, 1<<20)); return err })
	select {
	case err := <-stuck:
		t.Fatalf("tarm's write returned %v; the workaround may go", err)
	case <-time.After(300 * time.Millisecond):
	}
	d.Close() // frees it
	wait(t, stuck)
	raw.Close()

	d = plugIn(t)
	p := open(t, d.path)
	n, err := p.Write(make([]byte, 1<<20))
	if !errors.Is(err, hardware.ErrTimeout) {
		t.Fatalf("write = %d, %v; want ErrTimeout", n, err)
	}
	taken := start(func() error { _, err := io.CopyN(io.Discard, d, int64(n)); return err })
	if err := wait(t, taken); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Write([]byte("next")); n != 4 || err != nil {
		t.Errorf("write after the device woke up = %d, %v", n, err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(d, got); err != nil || string(got) != "next" {
		t.Errorf("the device got %q, %v after the %d counted bytes", got, err, n)
	}
}

// Habit: tarm opens a line that is open, and sets its speed for both.
func TestALineHasOneOwner(t *testing.T) {
	d := plugIn(t)
	p := open(t, d.path)
	_, err := serial.Open(serial.Config{Path: d.path, Baud: 115200})
	if !errors.Is(err, serial.ErrInUse) {
		t.Fatalf("second open = %v, want ErrInUse", err)
	}
	if got := speed(t, d); got != unix.B9600 {
		t.Errorf("the refused open set the speed to %#x", got)
	}
	openTarm(t, d.path, 100*time.Millisecond).Close() // tarm alone would be let in

	p.Close()
	open(t, d.path)
}

// Habit: tarm leaves what came in before it opened, such as half a symbol.
func TestOpenDropsWhatCameBefore(t *testing.T) {
	d := plugIn(t)
	open(t, d.path).Close() // sets the line raw, as a port before this one did
	d.Write([]byte("87103"))
	raw := openTarm(t, d.path, 100*time.Millisecond)
	if n, _ := raw.Read(make([]byte, 2)); n == 0 {
		t.Fatal("tarm dropped what came before; the workaround may go")
	}
	raw.Close()

	p := open(t, d.path)
	d.Write([]byte("new"))
	got := make([]byte, 16)
	if n, err := p.Read(got); string(got[:n]) != "new" {
		t.Errorf("read %q, %v; want only what came after Open", got[:n], err)
	}
}

// Habit: tarm's errors name neither the line nor the rate.
func TestOpenSaysWhatIsWrong(t *testing.T) {
	d := plugIn(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  serial.Config
		is   error
		says []string
	}{
		"nothing plugged in": {serial.Config{Path: dir + "/none"}, fs.ErrNotExist,
			[]string{dir + "/none"}},
		"no serial line": {serial.Config{Path: file}, unix.ENOTTY, []string{file}},
		"odd rate": {serial.Config{Path: d.path, Baud: 123}, nil,
			[]string{d.path, "123 baud"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := serial.Open(c.cfg)
			if err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("open = %v, want %v", err, c.is)
			}
			for _, word := range c.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
		})
	}
	open(t, d.path) // a refused open leaves no lock behind
}

func TestOpenFollowsAStableName(t *testing.T) {
	d := plugIn(t)
	link := filepath.Join(t.TempDir(), "usb-ACME_Scanner-if00")
	if err := os.Symlink(d.path, link); err != nil {
		t.Fatal(err)
	}
	p, err := serial.Open(serial.Config{Path: link, Baud: 115200})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := speed(t, d); got != unix.B115200 {
		t.Errorf("speed = %#x, want 115200 baud", got)
	}
}

func speed(t *testing.T, d device) uint32 {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(d.line.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Cflag & (unix.CBAUD | unix.CBAUDEX)
}
