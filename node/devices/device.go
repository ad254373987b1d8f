package devices

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const (
	// firstBackoff is the pause after a device was lost. Pauses double from here.
	firstBackoff = 500 * time.Millisecond
	// steady is how long a device must have worked for its pauses to start over.
	steady = 10 * time.Second
	// lookEvery is how often a missing device file is looked for, which costs
	// nothing and finds a cable that was put back long before the pause ends.
	lookEvery = 200 * time.Millisecond
	// settle lets the system set a new file's permissions before it is opened.
	settle = 300 * time.Millisecond
)

// device supervises one device: one goroutine opens it, runs its driver and
// opens it again.
type device struct {
	cfg        Config
	driver     driver
	answers    bool
	set        *Set
	logger     *slog.Logger
	maxBackoff time.Duration
	printing   chan struct{}  // holds a token while a job is being printed
	wanted     chan [2]string // of a display: holds what should stand there, if that is new

	mu     sync.Mutex
	status status    // guarded by mu
	unit   any       // guarded by mu; the driver; nil unless its port is open
	kicks  []kick    // guarded by mu; the newest last
	text   [2]string // guarded by mu; what should stand on a display
}

func newDevice(cfg Config, set *Set, opts Options) *device {
	d := drivers[cfg.Kind][cfg.Driver]
	return &device{
		cfg: cfg, driver: d, answers: answers(cfg), set: set,
		logger: opts.Logger.With("device", cfg.Name), maxBackoff: opts.MaxBackoff,
		printing: make(chan struct{}, 1), wanted: make(chan [2]string, 1),
		status: status{State: State{
			Name: cfg.Name, Kind: cfg.Kind, Driver: cfg.Driver, Path: cfg.Path, Width: cfg.Width,
			Phase: Connecting, Since: time.Now(),
			DrawerSwitch: drawerSwitch(d, cfg),
		}},
	}
}

// run opens the device again and again until ctx ends.
func (d *device) run(ctx context.Context) {
	pause := min(firstBackoff, d.maxBackoff)
	for {
		began := time.Now()
		err := d.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		d.update(func(s *status) bool {
			s.closed(err, errors.Is(err, fs.ErrNotExist))
			return true
		})
		if time.Since(began) >= steady {
			pause = min(firstBackoff, d.maxBackoff)
		}
		appeared := d.wait(ctx, jitter(pause))
		pause = min(2*pause, d.maxBackoff)
		if appeared {
			pause = min(firstBackoff, d.maxBackoff)
		}
	}
}

// serve opens the device and runs its driver until one of them fails or ctx ends.
func (d *device) serve(ctx context.Context) error {
	return d.guarded(func() error {
		port, err := d.driver.open(ctx, d.cfg)
		if err != nil {
			return err
		}
		defer port.Close()
		return orEnded(d.drive(ctx, port))
	})
}

// guarded calls a driver. One that panics is one that failed.
func (d *device) guarded(call func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			d.logger.Error("driver panicked", "err", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("driver panicked: %v", cause)
		}
	}()
	return call()
}

func (d *device) opened() {
	d.update(func(s *status) bool {
		s.opened(time.Now(), d.answers)
		return true
	})
}

// orEnded gives a driver that stops by itself a reason.
func orEnded(err error) error {
	if err == nil {
		return errors.New("driver ended")
	}
	return err
}

// update changes the state, logs a new phase, and tells the watchers if the
// change is news.
func (d *device) update(change func(*status) bool) {
	d.mu.Lock()
	before := d.status.State
	news := change(&d.status)
	now := d.status
	d.mu.Unlock()
	now.log(d.logger, before)
	if news {
		d.set.changed()
	}
}

func (d *device) snapshot() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status.State
	s.Printer, s.Label, s.Weight = copyOf(s.Printer), copyOf(s.Label), copyOf(s.Weight)
	s.Doors, s.Stuck = slices.Clone(s.Doors), slices.Clone(s.Stuck)
	if u, ok := d.unit.(interface{ Suppressed() uint64 }); ok {
		s.Suppressed += u.Suppressed()
	}
	return s
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// wait pauses, but no longer than until a missing device file is there. It
// reports whether one appeared.
func (d *device) wait(ctx context.Context, pause time.Duration) bool {
	over := time.NewTimer(pause)
	defer over.Stop()
	look := time.NewTicker(min(lookEvery, d.maxBackoff))
	defer look.Stop()
	missing := d.missing()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-over.C:
			return false
		case <-look.C:
			was := missing
			if missing = d.missing(); was && !missing {
				over.Reset(min(settle, d.maxBackoff))
				select {
				case <-over.C:
				case <-ctx.Done():
				}
				return true
			}
		}
	}
}

func (d *device) missing() bool {
	if !d.driver.file {
		return false
	}
	_, err := os.Stat(d.cfg.Path)
	return errors.Is(err, fs.ErrNotExist)
}

// jitter spreads pauses by a fifth either way, so that devices which fail
// together, as on one hub, are not all opened at once.
func jitter(pause time.Duration) time.Duration {
	return time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64()))
}
