// Package serial opens a serial line as a hardware.Port that no device can
// hang: it hides what github.com/tarm/serial does on time-out, unplug and Close.
//
// tarm/serial sets the line and reads it. Beside it stands a companion, a
// second, non-blocking descriptor of the same line, which can do what tarm
// cannot: wait with a wake-up, notice a hang-up, write without blocking, and
// lock the line. The package is for Linux, and is tested on pseudo terminals:
// what a USB bridge does when it is pulled was not tried on a real one.
package serial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
)

// ErrInUse says that another process, or another part of this one, has the line.
var ErrInUse = errors.New("serial line in use")

// DefaultBaud is the rate when the configuration names none.
const DefaultBaud = 9600

// DefaultWriteTimeout is how long a device may take no byte at all before a
// write gives up. A printer that is out of paper stops taking bytes.
const DefaultWriteTimeout = 3 * time.Second

const (
	// tarmReadTimeout bounds a tarm read that finds nothing. Without it, tarm
	// asks the line for at least one byte, and Close waits for that byte.
	tarmReadTimeout = 100 * time.Millisecond
	// closeWait leaves room for the kernel, which may hold a line for half a
	// minute while it waits for output that a stuck device never takes.
	closeWait = 800 * time.Millisecond
)

// Config says which line to open and how. The zero value of all but the path
// is 8N1 at DefaultBaud without flow control.
type Config struct {
	Path         string // such as /dev/serial/by-id/usb-…
	Baud         int    // zero: DefaultBaud
	DataBits     int    // 5 to 8; zero: 8
	Parity       Parity
	StopBits     int // 1 or 2; zero: 1
	Flow         Flow
	WriteTimeout time.Duration // longest time without progress; zero: DefaultWriteTimeout
}

// Port is an open serial line. One goroutine may read while another writes.
type Port struct {
	path         string
	tarm         *serial.Port
	companion    int
	wake         [2]int // a pipe: a byte in it ends every wait
	writeTimeout time.Duration

	mu     sync.Mutex
	closed bool          // no new call may use the descriptors
	calls  int           // calls that use them now
	idle   chan struct{} // closed when closed and calls == 0

	closing sync.Once
	done    chan struct{} // closed when the descriptors are closed
}

// Open opens and locks a line and drops what stood in its buffers, so that a
// frame that was half received before is never completed by another. The error
// is fs.ErrNotExist when nothing is plugged in, ErrInUse when it is taken.
func Open(cfg Config) (*Port, error) {
	if cfg.Baud == 0 {
		cfg.Baud = DefaultBaud
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = DefaultWriteTimeout
	}
	companion, err := openCompanion(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open serial line %s: %w", cfg.Path, err)
	}
	p := &Port{
		path: cfg.Path, companion: companion, writeTimeout: cfg.WriteTimeout,
		idle: make(chan struct{}), done: make(chan struct{}),
	}
	if err := p.openTarm(cfg); err != nil {
		unix.Close(companion)
		return nil, fmt.Errorf("open serial line %s at %d baud: %w", cfg.Path, cfg.Baud, err)
	}
	return p, nil
}

// openCompanion opens and locks the line before anything is set on it: tarm
// would set the speed of a line that another process is using. The lock is
// advisory: TIOCEXCL would outlive a killed process on a line that the other
// side holds open, and would then shut its successor out.
func openCompanion(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fault(err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrInUse
		}
		return -1, err
	}
	return fd, nil
}

func (p *Port) openTarm(cfg Config) error {
	settings, err := settingsOf(cfg)
	if err != nil {
		return err
	}
	// The companion's own name in /proc leads to the very same device, also
	// when the path is a link that was moved to another one a moment ago.
	settings.Name = fmt.Sprintf("/proc/self/fd/%d", p.companion)
	tarm, err := serial.OpenPort(settings)
	if err != nil {
		return fault(err)
	}
	if err := finish(p.companion, cfg); err != nil {
		tarm.Close()
		return err
	}
	if err := tarm.Flush(); err != nil {
		tarm.Close()
		return fault(err)
	}
	if err := unix.Pipe2(p.wake[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		tarm.Close()
		return err
	}
	p.tarm = tarm
	return nil
}

// Read returns at least one byte, hardware.ErrGone when the device was
// unplugged, or os.ErrClosed after Close. It waits for as long as that takes.
func (p *Port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if err := p.begin(); err != nil {
		return 0, fmt.Errorf("read serial line %s: %w", p.path, err)
	}
	defer p.end()
	for {
		events, err := p.wait(unix.POLLIN, -1)
		if err != nil {
			return 0, fmt.Errorf("read serial line %s: %w", p.path, err)
		}
		n, err := p.tarm.Read(b)
		if n > 0 {
			return n, nil
		}
		// tarm reports "nothing yet" as io.EOF; a line that hung up says EIO
		// once and io.EOF for ever after, so only the poll can tell them apart.
		if events&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
			return 0, fmt.Errorf("read serial line %s: %w", p.path, hardware.ErrGone)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("read serial line %s: %w", p.path, fault(err))
		}
	}
}

// Write sends all of b, or says how many bytes the line took and why no more:
// hardware.ErrTimeout, hardware.ErrGone or os.ErrClosed. It goes through the
// companion, since a write through tarm blocks until the device takes it all.
func (p *Port) Write(b []byte) (int, error) {
	if err := p.begin(); err != nil {
		return 0, fmt.Errorf("write serial line %s: %w", p.path, err)
	}
	defer p.end()
	sent := 0
	for sent < len(b) {
		events, err := p.wait(unix.POLLOUT, p.writeTimeout)
		if err == nil && events&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
			err = hardware.ErrGone
		}
		if err != nil {
			return sent, fmt.Errorf("write serial line %s: %w", p.path, err)
		}
		n, err := unix.Write(p.companion, b[sent:])
		sent += max(n, 0)
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return sent, fmt.Errorf("write serial line %s: %w", p.path, fault(err))
		}
	}
	return sent, nil
}

// Close ends every call that waits and frees the line. It returns within a
// second even if the kernel still holds output; that ends in the background.
func (p *Port) Close() error {
	p.closing.Do(func() {
		p.mu.Lock()
		p.closed = true
		if p.calls == 0 {
			close(p.idle)
		}
		p.mu.Unlock()
		// The byte stays in the pipe, so that every waiting call sees it.
		unix.Write(p.wake[1], []byte{0})
		go p.release()
	})
	select {
	case <-p.done:
	case <-time.After(closeWait):
	}
	return nil
}

// release closes the descriptors when nobody uses them: a closed number may be
// given to another file at once, and a late call would then read that file.
func (p *Port) release() {
	defer close(p.done)
	<-p.idle
	p.tarm.Close()
	unix.Close(p.companion)
	unix.Close(p.wake[0])
	unix.Close(p.wake[1])
}

func (p *Port) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	p.calls++
	return nil
}

func (p *Port) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls--
	if p.closed && p.calls == 0 {
		close(p.idle)
	}
}

// wait returns what is true of the line once it is ready for what is wanted,
// hung up, closed (os.ErrClosed) or not ready in time (hardware.ErrTimeout).
func (p *Port) wait(wanted int16, limit time.Duration) (int16, error) {
	deadline := time.Now().Add(limit)
	for {
		timeoutMS := -1
		if limit >= 0 {
			timeoutMS = max(int(time.Until(deadline).Milliseconds()), 0)
		}
		fds := []unix.PollFd{
			{Fd: int32(p.companion), Events: wanted},
			{Fd: int32(p.wake[0]), Events: unix.POLLIN},
		}
		n, err := unix.Poll(fds, timeoutMS)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case fds[1].Revents != 0:
			return 0, os.ErrClosed
		case n == 0:
			return 0, hardware.ErrTimeout
		}
		return fds[0].Revents, nil
	}
}

// fault adds hardware.ErrGone to what the kernel says of an unplugged device.
func fault(err error) error {
	for _, gone := range []syscall.Errno{unix.EIO, unix.ENXIO, unix.ENODEV} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w (%w)", hardware.ErrGone, err)
		}
	}
	return err
}
