package hardwaretest

import (
	"encoding/binary"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// What the kernel keeps of an input device.
const (
	eventBytes  = 24
	queueEvents = 4096
	keysBytes   = 96

	typeKey     = 1
	syncDropped = 3
)

// Input is an input device of the kernel, in memory: what is written to it are
// its events, and each Open gives a program's view of it.
type Input struct {
	name string

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	keys    [keysBytes]byte
	views   []*InputView
	grabbed *InputView
	gone    bool
}

// NewInput plugs a device in that calls itself so.
func NewInput(name string) *Input { return &Input{name: name, changed: make(chan struct{})} }

// InputView is one program's view of a device. It does what the kernel does.
type InputView struct {
	device *Input
	queue  []byte // guarded by the device
	closed bool
}

// Open opens the device once more.
func (d *Input) Open() *InputView {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := &InputView{device: d}
	d.views = append(d.views, v)
	return v
}

// Write sends whole events to who may see them. It waits while a program does
// not read, where the kernel would drop: see Overrun.
func (d *Input) Write(events []byte) (int, error) {
	if len(events)%eventBytes != 0 {
		return 0, unix.EINVAL
	}
	for sent := 0; sent < len(events); sent += eventBytes {
		if err := d.send(events[sent : sent+eventBytes]); err != nil {
			return sent, err
		}
	}
	return len(events), nil
}

func (d *Input) send(event []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.full() && !d.gone {
		changed := d.changed
		d.mu.Unlock()
		<-changed
		d.mu.Lock()
	}
	if d.gone {
		return os.ErrClosed
	}
	kind, code := binary.NativeEndian.Uint16(event[16:]), binary.NativeEndian.Uint16(event[18:])
	if at := int(code / 8); kind == typeKey && at < keysBytes {
		d.keys[at] &^= 1 << (code % 8)
		if event[20] != 0 {
			d.keys[at] |= 1 << (code % 8)
		}
	}
	for _, v := range d.seeing() {
		v.queue = append(v.queue, event...)
	}
	d.tell()
	return nil
}

// Overrun does what the kernel does to a program that did not read in time: it
// drops what is queued and says so. The next report ends the gap.
func (d *Input) Overrun() {
	dropped := make([]byte, eventBytes)
	binary.NativeEndian.PutUint16(dropped[18:], syncDropped)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.seeing() {
		v.queue = dropped
	}
	d.tell()
}

// Close unplugs the device.
func (d *Input) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	d.tell()
	return nil
}

func (d *Input) full() bool {
	for _, v := range d.seeing() {
		if len(v.queue) >= queueEvents*eventBytes {
			return true
		}
	}
	return false
}

// seeing are the views that get events now.
func (d *Input) seeing() []*InputView {
	if d.grabbed != nil {
		return []*InputView{d.grabbed}
	}
	var open []*InputView
	for _, v := range d.views {
		if !v.closed {
			open = append(open, v)
		}
	}
	return open
}

func (d *Input) tell() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// Read gives whole events, and waits for one.
func (v *InputView) Read(p []byte) (int, error) {
	d := v.device
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch {
		case v.closed:
			return 0, os.ErrClosed
		case len(p) < eventBytes:
			return 0, unix.EINVAL
		case d.gone:
			return 0, unix.ENODEV
		case len(v.queue) > 0:
			n := copy(p[:len(p)/eventBytes*eventBytes], v.queue)
			v.queue = v.queue[n:]
			d.tell()
			return n, nil
		}
		changed := d.changed
		d.mu.Unlock()
		<-changed
		d.mu.Lock()
	}
}

// Close ends the view, and its grab.
func (v *InputView) Close() error {
	v.device.mu.Lock()
	defer v.device.mu.Unlock()
	v.closed = true
	if v.device.grabbed == v {
		v.device.grabbed = nil
	}
	v.device.tell()
	return nil
}

// Ioctl knows what the kernel calls EVIOCGRAB, EVIOCGNAME and EVIOCGKEY.
func (v *InputView) Ioctl(request uint32, data []byte) (int, error) {
	const write, read = 1, 2
	d := v.device
	d.mu.Lock()
	defer d.mu.Unlock()
	way, size := request>>30, int(request>>16&0x3FFF)
	kind, number := request>>8&0xFF, request&0xFF
	switch {
	case v.closed:
		return 0, os.ErrClosed
	case d.gone:
		return 0, unix.ENODEV
	case kind != 'E' || size > len(data) && number != 0x90:
		return 0, unix.EINVAL
	case way == write && number == 0x90 && size == 4:
		return 0, v.grab(data != nil)
	case way == read && number == 0x06:
		return copy(data[:size], d.name+"\x00"), nil
	case way == read && number == 0x18:
		return copy(data[:size], d.keys[:]), nil
	}
	return 0, unix.EINVAL
}

func (v *InputView) grab(on bool) error {
	d := v.device
	switch {
	case on && d.grabbed != nil:
		return unix.EBUSY
	case !on && d.grabbed != v:
		return unix.EINVAL
	case on:
		d.grabbed = v
	default:
		d.grabbed = nil
	}
	return nil
}
