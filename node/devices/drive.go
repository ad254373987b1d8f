package devices

import (
	"context"
	"time"

	"holdfast.dev/hardware"
)

// heartbeat is how often a scanner that can answer is asked whether it is there.
const heartbeat = 30 * time.Second

// drive runs the driver of a port that is open until one of them fails or ctx
// ends.
func (d *device) drive(ctx context.Context, port hardware.Port) error {
	switch row := d.driver; {
	case row.printer != nil:
		return d.drivePrinter(ctx, row.printer(port, d.cfg))
	case row.label != nil:
		return d.driveLabels(ctx, row.label(port, d.cfg))
	case row.display != nil:
		return d.driveDisplay(ctx, port)
	case row.locker != nil:
		l, err := row.locker(port, d.cfg)
		if err != nil {
			return err
		}
		return d.driveLocker(ctx, l)
	case row.scale != nil:
		return d.driveScale(ctx, row.scale(port, d.cfg))
	}
	return d.driveScanner(ctx, d.driver.scanner(port, d.cfg))
}

// use lends a driver to those who call the device, until it is given back.
func (d *device) use(unit any) (giveBack func()) {
	d.mu.Lock()
	d.unit = unit
	d.mu.Unlock()
	d.opened()
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if u, ok := d.unit.(interface{ Suppressed() uint64 }); ok {
			d.status.Suppressed += u.Suppressed()
		}
		d.unit = nil
	}
}

// unitOf is the driver of a device, and the state that it was lent in; false
// unless its port is open.
func unitOf[T any](d *device) (unit T, now State, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	unit, ok = d.unit.(T)
	return unit, d.status.State, ok
}

func (d *device) driveScanner(ctx context.Context, s hardware.Scanner) error {
	defer d.use(s)()
	return s.Run(ctx, func(read hardware.Read) { d.deliver(ctx, read) })
}

func (d *device) drivePrinter(ctx context.Context, p hardware.Printer) error {
	unit := any(p)
	if p, drives := p.(drawerDriver); drives {
		unit = till{p, p.Drawer(1), p.Drawer(2)}
	}
	defer d.use(unit)()
	return p.Run(ctx, func(p hardware.PrinterStatus) {
		d.update(func(s *status) bool { return s.told(p) })
	})
}

func (d *device) driveLabels(ctx context.Context, p hardware.LabelPrinter) error {
	defer d.use(p)()
	return p.Run(ctx, func(l hardware.LabelStatus) {
		d.update(func(s *status) bool { return s.labelled(l) })
	})
}

func (d *device) driveLocker(ctx context.Context, l hardware.Locker) error {
	defer d.use(l)()
	return l.Run(ctx, func(door hardware.DoorStatus) {
		d.update(func(s *status) bool {
			s.moved(door)
			return true
		})
	})
}

func (d *device) driveScale(ctx context.Context, sc hardware.Scale) error {
	defer d.use(sc)()
	return sc.Run(ctx, func(w hardware.Weight) {
		if w.State == hardware.ScaleSilent {
			d.hush(w)
			return
		}
		d.update(func(s *status) bool {
			s.hushed = time.Time{}
			return s.weighed(w)
		})
	})
}

// hushFor is how long a scale may be silent before somebody is told: one answer
// that came late on a busy machine is no trouble.
const hushFor = 1500 * time.Millisecond

// hush believes a scale's silence when it lasts.
func (d *device) hush(w hardware.Weight) {
	began := time.Now()
	d.update(func(s *status) bool {
		s.hushed = began
		return false
	})
	time.AfterFunc(hushFor, func() {
		d.update(func(s *status) bool { return s.hushed.Equal(began) && !s.Opened.IsZero() && s.weighed(w) })
	})
}

// deliver counts a read and queues it, or hands it to who expects it. It waits
// while the queue is full.
func (d *device) deliver(ctx context.Context, read hardware.Read) {
	d.update(func(s *status) bool {
		s.scanned(read)
		return true
	})
	scan := Scan{Device: d.cfg.Name, Read: read}
	if d.set.wasExpected(scan) {
		return
	}
	select {
	case d.set.scans <- scan:
	case <-ctx.Done():
	}
}
