package devices

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/locker"
	"holdfast.dev/hardware/receipt/session"
	"holdfast.dev/hardware/scale"
	"holdfast.dev/stock"
)

// find returns the device of this name if it is of one of the kinds.
func (s *Set) find(name string, kinds ...Kind) (*device, bool) {
	i := slices.IndexFunc(s.devices, func(d *device) bool {
		return d.cfg.Name == name && slices.Contains(kinds, d.cfg.Kind)
	})
	if i < 0 {
		return nil, false
	}
	return s.devices[i], true
}

// jobPrinter is what printers of receipts and of labels have in common.
type jobPrinter interface {
	Print(ctx context.Context, job []byte) (hardware.PrintState, error)
}

// Print prints a job on a printer of receipts or labels by name, after the jobs
// before it. A printer that is not ready refuses with stock.PrinterDown before
// anything is sent: hardware.Failed. Otherwise state and fault are what the
// driver knows for sure.
func (s *Set) Print(ctx context.Context, name string, job []byte) (hardware.PrintState, error) {
	d, ok := s.find(name, Printer, LabelPrinter)
	if !ok {
		return hardware.Failed, stock.Refuse(stock.PrinterDown, "no printer is called %q", name).
			With("state", "offline")
	}
	return d.print(ctx, job)
}

// print runs one job on the printer, in turn.
func (d *device) print(ctx context.Context, job []byte) (state hardware.PrintState, err error) {
	select {
	case d.printing <- struct{}{}:
		defer func() { <-d.printing }()
	case <-ctx.Done():
		return hardware.Failed, fmt.Errorf("wait for printer %s: %w", d.cfg.Name, ctx.Err())
	}
	printer, now, open := unitOf[jobPrinter](d)
	if trouble := now.Trouble(); trouble != "" || !open {
		return hardware.Failed, stock.Refuse(stock.PrinterDown, "printer %s is %s: %s",
			d.cfg.Name, now.Phase, now.LastError).With("state", trouble)
	}
	defer func() {
		if cause := recover(); cause != nil {
			d.logger.Error("driver panicked", "err", cause, "stack", string(debug.Stack()))
			state, err = hardware.Unknown, fmt.Errorf("print on %s: driver panicked: %v", d.cfg.Name, cause)
		}
		d.update(func(s *status) bool {
			s.Jobs.count(state)
			return true
		})
	}()
	if state, err = printer.Print(ctx, job); err != nil {
		return state, fmt.Errorf("print on %s: %w", d.cfg.Name, err)
	}
	return state, nil
}

// drawerDriver is a printer that can drive cash drawers, 1 and 2.
type drawerDriver interface {
	hardware.Printer
	Drawer(number int) *session.CashDrawer
}

// till is a printer with its two drawers, each of which there must be once.
type till struct {
	hardware.Printer
	first, second hardware.Drawer
}

// kick is a command that a drawer's coil was driven for.
type kick struct {
	id    string
	state hardware.DrawerState
	err   error
}

// rememberedKicks bounds how many commands a drawer knows again after its
// printer was opened anew.
const rememberedKicks = 64

// OpenDrawer opens a cash drawer on a printer, 1 or 2, once for each id. It
// returns what the drawer's switch says then, and refuses with
// stock.PrinterDown when nothing was sent.
func (s *Set) OpenDrawer(ctx context.Context, name string, number int, id string) (hardware.DrawerState, error) {
	d, ok := s.find(name, Printer)
	if !ok {
		return hardware.DrawerUnknown, stock.Refuse(stock.PrinterDown, "no printer is called %q", name).
			With("state", "offline")
	}
	if k, done := d.kicked(id); done {
		return k.state, k.err
	}
	t, now, open := unitOf[till](d)
	if trouble := now.Trouble(); !open || trouble != "" {
		return hardware.DrawerUnknown, stock.Refuse(stock.PrinterDown, "printer %s is %s: %s",
			name, now.Phase, now.LastError).With("state", trouble)
	}
	drawer := t.first
	if number == 2 {
		drawer = t.second
	}
	state, err := drawer.Open(ctx, id)
	d.keep(kick{id, state, err})
	if err != nil {
		return state, fmt.Errorf("drawer %d on %s: %w", number, name, err)
	}
	d.update(func(s *status) bool {
		s.Done++
		return true
	})
	return state, nil
}

func (d *device) kicked(id string) (kick, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.kicks, func(k kick) bool { return k.id == id })
	if i < 0 {
		return kick{}, false
	}
	return d.kicks[i], true
}

// keep remembers a command that reached the coil. One that did not may come
// again.
func (d *device) keep(k kick) {
	if k.err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kicks = append(d.kicks, k)
	d.kicks = d.kicks[max(0, len(d.kicks)-rememberedKicks):]
}

// OpenDoor opens a compartment of a locker and returns nil when its sensor says
// open. It refuses with stock.LockerDown: state "stuck" when the door was seen
// to stay closed, "unsure" when it may have opened, else when nothing was sent.
func (s *Set) OpenDoor(ctx context.Context, door Door) error {
	d, ok := s.find(door.Device, Locker)
	if !ok {
		return refuseDoor(door, "offline", "no locker is called %q", door.Device)
	}
	l, now, open := unitOf[hardware.Locker](d)
	if !open {
		return refuseDoor(door, "offline", "locker %s is %s: %s", door.Device, now.Phase, now.LastError)
	}
	at := hardware.Door{Board: door.Board, Lock: door.Lock}
	err := l.Open(ctx, at)
	stuck, unsure := errors.Is(err, locker.ErrStuck), errors.Is(err, locker.ErrUnsure)
	if err != nil && !stuck && !unsure {
		return refuseDoor(door, "offline", "%v", err)
	}
	var fault *DoorFault
	if err != nil {
		d.logger.Error("door did not open for sure", "err", err)
		fault = &DoorFault{Door: at, Unsure: unsure, At: time.Now()}
	}
	d.update(func(s *status) bool {
		s.tried(at, fault)
		return true
	})
	switch {
	case unsure:
		return refuseDoor(door, "unsure", "%v", err)
	case stuck:
		return refuseDoor(door, "stuck", "%v", err)
	}
	return nil
}

func refuseDoor(door Door, state, format string, args ...any) error {
	return stock.Refuse(stock.LockerDown, format, args...).With("shelf", door).With("state", state)
}

// scaleStates are the words for why a scale gave no weight.
var scaleStates = []struct {
	cause error
	state string
}{
	{scale.ErrMoving, "moving"}, {scale.ErrOver, "overload"}, {scale.ErrUnder, "underload"},
	{scale.ErrNotZero, "not_zero"}, {scale.ErrSameLoad, "same_load"}, {scale.ErrNoPrice, "no_price"},
	{scale.ErrPounds, "wrong_unit"}, {context.DeadlineExceeded, "moving"},
}

// Weigh takes the weight of what lies on a scale, when it is at rest. A scale
// that computes prices is told what a kilogram costs, in minor units. Without a
// weight it refuses with stock.ScaleDown.
func (s *Set) Weigh(ctx context.Context, name string, kilogram int) (hardware.Weight, error) {
	d, ok := s.find(name, Scale)
	if !ok {
		return hardware.Weight{}, stock.Refuse(stock.ScaleDown, "no scale is called %q", name).With("state", "offline")
	}
	sc, now, open := unitOf[hardware.Scale](d)
	if !open {
		return hardware.Weight{}, stock.Refuse(stock.ScaleDown, "scale %s is %s: %s", name, now.Phase,
			now.LastError).With("state", "offline")
	}
	if computing, ok := sc.(interface{ SetUnitPrice(minor int) error }); ok {
		if err := computing.SetUnitPrice(kilogram); err != nil {
			return hardware.Weight{}, fmt.Errorf("weigh on %s: %w", name, err)
		}
	}
	w, err := sc.Weigh(ctx)
	if err != nil {
		return w, refuseWeight(name, err)
	}
	if w.Grams <= 0 {
		return w, stock.Refuse(stock.ScaleDown, "nothing lies on %s", name).With("state", "empty_scale")
	}
	d.update(func(s *status) bool {
		s.Done++
		s.weighed(w)
		s.Taken = true
		return true
	})
	return w, nil
}

func refuseWeight(name string, err error) error {
	state := "offline"
	for _, c := range scaleStates {
		if errors.Is(err, c.cause) {
			state = c.state
		}
	}
	return stock.Refuse(stock.ScaleDown, "weigh on %s: %v", name, err).With("state", state)
}

// Refuse makes a scanner that can do so beep low, so that who scanned looks at
// the screen. It does nothing at others.
func (s *Set) Refuse(ctx context.Context, name string) error {
	const patience = 3 * time.Second
	d, ok := s.find(name, Scanner)
	if !ok {
		return nil
	}
	sc, _, ok := unitOf[interface{ Refuse(context.Context) error }](d)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return sc.Refuse(ctx)
}

// expectedScans bounds how many reads of an expected symbol wait for who expects
// it; more are dropped.
const expectedScans = 64

// Expect gives the reads of a symbol of this content until stop is called. They
// are no scans of anybody else: the proof that a printed symbol can be read.
func (s *Set) Expect(content string) (scans <-chan Scan, stop func()) {
	c := make(chan Scan, expectedScans)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected[content] = c
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.expected, content)
	}
}

func (s *Set) wasExpected(scan Scan) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.expected[string(scan.Data)]
	if !ok || scan.Garbage {
		return false
	}
	select {
	case c <- scan:
	default: // it was read often enough
	}
	return true
}
