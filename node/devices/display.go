package devices

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast.dev/hardware"
)

// showWithin bounds how long a display may take to take two lines.
const showWithin = 3 * time.Second

// Show says what should stand on a display from now on, also after its cable
// was out. It never waits; a newer text replaces one that was not shown yet.
func (s *Set) Show(name, top, bottom string) {
	d, ok := s.find(name, Display)
	if !ok {
		return
	}
	for {
		select {
		case d.wanted <- [2]string{top, bottom}:
			return
		default:
		}
		select {
		case <-d.wanted:
		default:
		}
	}
}

// readPort tells when it is read for the first time: its driver runs then, and
// may be called.
type readPort struct {
	hardware.Port
	once sync.Once
	read chan struct{} // closed at the first Read
}

// Read reads the port.
func (p *readPort) Read(b []byte) (int, error) {
	p.once.Do(func() { close(p.read) })
	return p.Port.Read(b)
}

// driveDisplay shows what is wanted, now and whenever that changes.
func (d *device) driveDisplay(ctx context.Context, port hardware.Port) error {
	line := &readPort{Port: port, read: make(chan struct{})}
	display := d.driver.display(line, d.cfg)
	defer d.use(display)()
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		return d.guarded(func() error { return orEnded(display.Run(ctx)) })
	})
	both.Go(func() error {
		select {
		case <-line.read:
		case <-ctx.Done():
			return nil
		}
		return d.guarded(func() error { return d.keepShowing(ctx, display) })
	})
	return both.Wait()
}

func (d *device) keepShowing(ctx context.Context, display hardware.Display) error {
	for {
		if err := d.show(ctx, display); err != nil {
			return err
		}
		select {
		case text := <-d.wanted:
			d.want(text)
		case <-ctx.Done():
			return nil
		}
	}
}

func (d *device) want(text [2]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text = text
}

// show brings the wanted text to the display, unless it stands there.
func (d *device) show(ctx context.Context, display hardware.Display) error {
	d.mu.Lock()
	text, shown := d.text, d.status.Shown
	d.mu.Unlock()
	if text == shown {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, showWithin)
	defer cancel()
	if err := display.Show(ctx, text[0], text[1]); err != nil {
		return fmt.Errorf("show text: %w", err)
	}
	d.update(func(s *status) bool {
		s.Shown, s.LastSeen, s.Done = text, time.Now(), s.Done+1
		return true
	})
	return nil
}
