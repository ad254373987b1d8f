// Package usblp opens a printer that the kernel's usblp driver shows as
// /dev/usb/lp0, as a hardware.Port that no printer can hang.
//
// It is tested on pseudo terminals and against the driver's documented numbers;
// a real printer was not at hand. The kernel lets one process at a time open the
// device. It takes up to 8 KiB before the printer has them, so a write that
// succeeded says nothing of paper.
package usblp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
)

// ErrInUse says that another process has the printer.
var ErrInUse = errors.New("printer in use")

// DefaultWriteTimeout is how long a printer may take no byte at all before a
// write gives up. A printer without paper takes none.
const DefaultWriteTimeout = 3 * time.Second

// Numbers of the kernel's usblp driver.
const (
	lpGetStatus = 0x060b     // LPGETSTATUS: the port's status lines
	getDeviceID = 0x80005001 // IOCNR_GET_DEVICE_ID, with the buffer's size at bit 16
	idBuffer    = 1024       // bytes
	notError    = 0x08
	selected    = 0x10
	paperOut    = 0x20
)

const (
	writeBytes = 8192        // one transfer of the driver
	lookEvery  = time.Second // old kernels do not wake a reader when the cable is pulled
	closeWait  = 800 * time.Millisecond
)

// Config says which printer to open.
type Config struct {
	Path         string        // such as /dev/usb/lp0
	WriteTimeout time.Duration // longest time without progress; zero: DefaultWriteTimeout
}

// Status is the three lines that every printer on this kind of port has.
type Status struct {
	Error    bool
	Selected bool // ready to print
	PaperOut bool
}

// control is what the driver does beside reading and writing.
type control interface {
	status(fd int) (byte, error)
	deviceID(fd int) ([]byte, error)
}

// Port is an open printer. One goroutine may read while another writes.
type Port struct {
	path         string
	fd           int
	wake         [2]int // a pipe: a byte in it ends every wait
	writeTimeout time.Duration
	control      control

	mu     sync.Mutex
	closed bool          // no new call may use the descriptors
	calls  int           // calls that use them now
	idle   chan struct{} // closed when closed and calls == 0

	closing sync.Once
	done    chan struct{} // closed when the descriptors are closed
}

// Open opens a printer and drops what it said before. The error is
// fs.ErrNotExist when nothing is plugged in, ErrInUse when it is taken.
func Open(cfg Config) (*Port, error) { return open(cfg, kernel{}) }

func open(cfg Config, c control) (*Port, error) {
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = DefaultWriteTimeout
	}
	fd, err := unix.Open(cfg.Path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("open printer %s: %w", cfg.Path, fault(err))
	}
	p := &Port{path: cfg.Path, fd: fd, writeTimeout: cfg.WriteTimeout, control: c,
		idle: make(chan struct{}), done: make(chan struct{})}
	if err := unix.Pipe2(p.wake[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open printer %s: %w", cfg.Path, err)
	}
	p.drain()
	return p, nil
}

// stale bounds what an earlier program can have left unread.
const stale = 64

func (p *Port) drain() {
	var buf [256]byte
	for range stale {
		if n, err := unix.Read(p.fd, buf[:]); n <= 0 || err != nil {
			return
		}
	}
}

// Read returns at least one byte, hardware.ErrGone when the printer was
// unplugged, or os.ErrClosed after Close. A printer without a back channel
// never says anything: Read then waits until one of the two.
func (p *Port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if err := p.begin(); err != nil {
		return 0, fmt.Errorf("read printer %s: %w", p.path, err)
	}
	defer p.end()
	wanted := int16(unix.POLLIN)
	for {
		events, err := p.wait(wanted, lookEvery)
		switch {
		case errors.Is(err, hardware.ErrTimeout):
			if p.gone() {
				return 0, fmt.Errorf("read printer %s: %w", p.path, hardware.ErrGone)
			}
			continue
		case err != nil:
			return 0, fmt.Errorf("read printer %s: %w", p.path, err)
		}
		n, err := unix.Read(p.fd, b)
		switch {
		case n > 0:
			return n, nil
		case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			if events&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
				return 0, fmt.Errorf("read printer %s: %w", p.path, hardware.ErrGone)
			}
		case errors.Is(err, unix.EINVAL): // one way only
			wanted = 0
		default:
			return 0, fmt.Errorf("read printer %s: %w", p.path, fault(err))
		}
	}
}

// gone asks the driver whether the printer is still there.
func (p *Port) gone() bool {
	_, err := p.control.status(p.fd)
	return errors.Is(fault(err), hardware.ErrGone)
}

// Write hands all of b to the kernel, or says how many bytes it took and why no
// more: hardware.ErrTimeout, hardware.ErrGone or os.ErrClosed.
func (p *Port) Write(b []byte) (int, error) {
	if err := p.begin(); err != nil {
		return 0, fmt.Errorf("write printer %s: %w", p.path, err)
	}
	defer p.end()
	sent := 0
	for sent < len(b) {
		events, err := p.wait(unix.POLLOUT, p.writeTimeout)
		if err == nil && events&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
			err = hardware.ErrGone
		}
		if err != nil {
			return sent, fmt.Errorf("write printer %s: %w", p.path, err)
		}
		n, err := unix.Write(p.fd, b[sent:min(sent+writeBytes, len(b))])
		sent += max(n, 0)
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return sent, fmt.Errorf("write printer %s: %w", p.path, fault(err))
		}
	}
	return sent, nil
}

// Status reads the port's own lines, which say less than the printer does.
func (p *Port) Status() (Status, error) {
	if err := p.begin(); err != nil {
		return Status{}, fmt.Errorf("status of printer %s: %w", p.path, err)
	}
	defer p.end()
	b, err := p.control.status(p.fd)
	if err != nil {
		return Status{}, fmt.Errorf("status of printer %s: %w", p.path, fault(err))
	}
	return Status{Error: b&notError == 0, Selected: b&selected != 0, PaperOut: b&paperOut != 0}, nil
}

// DeviceID is how the printer names itself: fields such as MFG, MDL and CMD.
func (p *Port) DeviceID() (map[string]string, error) {
	if err := p.begin(); err != nil {
		return nil, fmt.Errorf("name of printer %s: %w", p.path, err)
	}
	defer p.end()
	raw, err := p.control.deviceID(p.fd)
	if err != nil {
		return nil, fmt.Errorf("name of printer %s: %w", p.path, fault(err))
	}
	return parseDeviceID(raw), nil
}

// parseDeviceID reads "MFG:EPSON;MDL:TM-T20III;" behind its length, which is
// two bytes, the highest first, and counts itself.
func parseDeviceID(raw []byte) map[string]string {
	fields := make(map[string]string)
	if len(raw) < 2 {
		return fields
	}
	size := min(int(binary.BigEndian.Uint16(raw)), len(raw))
	for field := range strings.SplitSeq(string(raw[2:max(2, size)]), ";") {
		if name, value, ok := strings.Cut(field, ":"); ok {
			fields[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return fields
}

// Close ends every call that waits and frees the printer. It returns within a
// second even if the kernel still holds output.
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
	unix.Close(p.fd)
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

// wait returns what is true of the device once it is ready for what is wanted,
// hung up, closed (os.ErrClosed) or not ready in time (hardware.ErrTimeout).
func (p *Port) wait(wanted int16, limit time.Duration) (int16, error) {
	deadline := time.Now().Add(limit)
	for {
		fds := []unix.PollFd{
			{Fd: int32(p.fd), Events: wanted},
			{Fd: int32(p.wake[0]), Events: unix.POLLIN},
		}
		n, err := unix.Poll(fds, max(int(time.Until(deadline).Milliseconds()), 0))
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

// fault adds hardware.ErrGone to what the kernel says of an unplugged printer.
func fault(err error) error {
	for _, gone := range []syscall.Errno{unix.EIO, unix.ENXIO, unix.ENODEV} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w (%w)", hardware.ErrGone, err)
		}
	}
	return err
}

// kernel is the control of a real device.
type kernel struct{}

func (kernel) status(fd int) (byte, error) {
	lines, err := unix.IoctlGetInt(fd, lpGetStatus)
	return byte(lines), err
}

func (kernel) deviceID(fd int) ([]byte, error) {
	raw := make([]byte, idBuffer)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), getDeviceID|idBuffer<<16,
		uintptr(unsafe.Pointer(&raw[0])))
	if errno != 0 {
		return nil, errno
	}
	return raw, nil
}
