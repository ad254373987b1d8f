// Package evdev turns a scanner that poses as a keyboard into a hardware.Port
// of the characters that it types, whatever keyboard the computer itself has.
//
// It reads the kernel's input events, so neither a screen nor its keymap has a
// part in it, and it grabs the device, so that no page receives the digits. The
// driver is barcode.New on such a port: Enter is read as CR, Tab as HT. The
// package is tested on a device in memory that does what the kernel does; no
// real keyboard was at hand.
package evdev

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast.dev/hardware"
)

// ErrInUse says that another program has grabbed the device.
var ErrInUse = errors.New("input device in use")

// ErrReadOnly says that a keyboard takes no bytes.
var ErrReadOnly = errors.New("a keyboard cannot be written")

// Device is an input device of the kernel. Read gives whole events, and waits
// for one; Close wakes it. Ioctl is the system call on it: data is what its
// argument points at, nil for a null pointer, and the result is what the
// kernel returned, such as how many bytes it filled in.
type Device interface {
	io.ReadCloser
	Ioctl(request uint32, data []byte) (int, error)
}

// Requests of input devices, without the length that some carry.
const (
	requestGrab = 0x40044590
	requestName = 0x80004506
	requestKeys = 0x80004518 // which keys are down

	lengthShift = 16
	nameBytes   = 256
	keysBytes   = 96 // a bit for each of the kernel's 768 keys
)

// Config says which device types, and how.
type Config struct {
	Path   string // below /dev/input/by-id or by-path
	Layout string // of the country that the scanner is set to; see Layouts
	// Names are words of which the device's name must contain one, in any
	// case, so that a cable in another socket never grabs a cashier's
	// keyboard. Empty: any name will do.
	Names []string
}

// Keyboard is a grabbed device. It is a hardware.Port that cannot be written.
type Keyboard struct {
	device Device
	path   string
	typist typist
	typed  []byte // and not read
	events []byte // the beginning of an event
	buffer []byte
}

// numbered finds names that the kernel gives out anew at each start.
var numbered = regexp.MustCompile(`^event[0-9]+$`)

// Open opens a device, checks that it is the right one and grabs it. The error
// is fs.ErrNotExist when nothing is plugged in, ErrInUse when it is taken.
func Open(cfg Config) (*Keyboard, error) {
	if numbered.MatchString(filepath.Base(cfg.Path)) {
		return nil, fmt.Errorf("open keyboard %s: this name may be another device's after a "+
			"restart, take one below /dev/input/by-id", cfg.Path)
	}
	f, err := os.OpenFile(cfg.Path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open keyboard %s: %w", cfg.Path, gone(err))
	}
	return Take(file{f}, cfg)
}

// Take is Open for a device that is open. It closes a device that it refuses.
func Take(device Device, cfg Config) (*Keyboard, error) {
	layout, err := FindLayout(cfg.Layout)
	if err == nil {
		err = check(device, cfg.Names)
	}
	k := &Keyboard{
		device: device, path: cfg.Path, typist: typist{layout: layout},
		buffer: make([]byte, eventBytes*eventsAtOnce),
	}
	if err == nil {
		err = k.lookAtKeys()
	}
	if err != nil {
		device.Close()
		return nil, fmt.Errorf("open keyboard %s: %w", cfg.Path, err)
	}
	return k, nil
}

// check compares the device's name and grabs it.
func check(device Device, words []string) error {
	name := make([]byte, nameBytes)
	n, err := device.Ioctl(requestName|nameBytes<<lengthShift, name)
	if err != nil {
		return fmt.Errorf("ask for its name: %w", gone(err))
	}
	called := strings.TrimRight(string(name[:min(n, len(name))]), "\x00")
	if !contains(called, words) {
		return fmt.Errorf("it is called %q, which contains none of %q", called, words)
	}
	if _, err := device.Ioctl(requestGrab, make([]byte, 4)); err != nil {
		if errors.Is(err, unix.EBUSY) {
			err = ErrInUse
		}
		return fmt.Errorf("grab it: %w", gone(err))
	}
	return nil
}

func contains(name string, words []string) bool {
	for _, w := range words {
		if strings.Contains(strings.ToLower(name), strings.ToLower(w)) {
			return true
		}
	}
	return len(words) == 0
}

// lookAtKeys learns which keys are down, when events did not tell.
func (k *Keyboard) lookAtKeys() error {
	down := make([]byte, keysBytes)
	if _, err := k.device.Ioctl(requestKeys|keysBytes<<lengthShift, down); err != nil {
		return fmt.Errorf("ask for its keys: %w", gone(err))
	}
	k.typist.forget(func(code uint16) bool {
		at := int(code / 8)
		return at < len(down) && down[at]>>(code%8)&1 == 1
	})
	return nil
}

// Read returns at least one character of what was typed, hardware.ErrGone when
// the device was unplugged, or os.ErrClosed after Close.
func (k *Keyboard) Read(p []byte) (int, error) {
	for len(k.typed) == 0 && len(p) > 0 {
		n, err := k.device.Read(k.buffer)
		k.events = append(k.events, k.buffer[:n]...)
		for len(k.events) >= eventBytes {
			lost := k.typist.take(decode(k.events))
			k.events = k.events[eventBytes:]
			if lost && err == nil {
				err = k.lookAtKeys()
			}
		}
		k.typed = k.typist.typed()
		if err != nil && len(k.typed) == 0 {
			return 0, fmt.Errorf("read keyboard %s: %w", k.path, gone(err))
		}
	}
	n := copy(p, k.typed)
	k.typed = k.typed[n:]
	return n, nil
}

// Write refuses: a keyboard has no use for bytes.
func (k *Keyboard) Write([]byte) (int, error) {
	return 0, fmt.Errorf("write keyboard %s: %w", k.path, ErrReadOnly)
}

// Close lets the device go and ends a Read that waits. It may be called twice.
func (k *Keyboard) Close() error {
	if err := k.device.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("close keyboard %s: %w", k.path, err)
	}
	return nil
}

// gone adds hardware.ErrGone to what the kernel says of an unplugged device.
func gone(err error) error {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EIO) ||
		errors.Is(err, io.EOF) {
		return fmt.Errorf("%w (%w)", hardware.ErrGone, err)
	}
	return err
}

// file is a Device of the kernel that runs.
type file struct{ *os.File }

// Ioctl is the system call.
func (f file) Ioctl(request uint32, data []byte) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n uintptr
	var errno unix.Errno
	err = raw.Control(func(fd uintptr) {
		n, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request),
			uintptr(unsafe.Pointer(unsafe.SliceData(data))))
	})
	if err == nil && errno != 0 {
		err = errno
	}
	return int(n), err
}
