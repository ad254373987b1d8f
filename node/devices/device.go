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
	"sync"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/stock"
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
	printing   chan struct{} // holds a token while a job is being printed

	mu      sync.Mutex
	status  status           // guarded by mu
	printer hardware.Printer // guarded by mu; nil unless its port is open
}

func newDevice(cfg Config, set *Set, opts Options) *device {
	return &device{
		cfg: cfg, driver: drivers[cfg.Kind][cfg.Driver], answers: answers(cfg), set: set,
		logger: opts.Logger.With("device", cfg.Name), maxBackoff: opts.MaxBackoff,
		printing: make(chan struct{}, 1),
		status: status{State: State{
			Name: cfg.Name, Kind: cfg.Kind, Width: cfg.Width, Phase: Connecting,
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
// A driver that panics is a driver that failed.
func (d *device) serve(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			d.logger.Error("driver panicked", "err", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("driver panicked: %v", cause)
		}
	}()
	port, err := d.driver.open(ctx, d.cfg)
	if err != nil {
		return err
	}
	defer port.Close()
	if d.driver.printer != nil {
		return d.servePrinter(ctx, port)
	}
	scanner := d.driver.scanner(port, d.cfg)
	d.opened()
	return orEnded(scanner.Run(ctx, func(read hardware.Read) { d.deliver(ctx, read) }))
}

func (d *device) servePrinter(ctx context.Context, port hardware.Port) error {
	printer := d.driver.printer(port, d.cfg)
	d.use(printer)
	defer d.use(nil)
	d.opened()
	return orEnded(printer.Run(ctx, func(p hardware.PrinterStatus) {
		d.update(func(s *status) bool { return s.told(p) })
	}))
}

func (d *device) opened() {
	d.update(func(s *status) bool {
		s.opened(time.Now(), d.answers)
		return true
	})
}

func (d *device) use(p hardware.Printer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.printer = p
}

// orEnded gives a driver that stops by itself a reason.
func orEnded(err error) error {
	if err == nil {
		return errors.New("driver ended")
	}
	return err
}

// deliver counts a read and queues it. It waits while the queue is full.
func (d *device) deliver(ctx context.Context, read hardware.Read) {
	d.update(func(s *status) bool {
		s.scanned(read)
		return true
	})
	select {
	case d.set.scans <- Scan{Device: d.cfg.Name, Read: read}:
	case <-ctx.Done():
	}
}

// print runs one job on the printer, in turn.
func (d *device) print(ctx context.Context, job []byte) (state hardware.PrintState, err error) {
	select {
	case d.printing <- struct{}{}:
		defer func() { <-d.printing }()
	case <-ctx.Done():
		return hardware.Failed, fmt.Errorf("wait for printer %s: %w", d.cfg.Name, ctx.Err())
	}
	d.mu.Lock()
	printer, now := d.printer, d.status.State
	d.mu.Unlock()
	if trouble := now.trouble(); trouble != "" || printer == nil {
		return hardware.Failed, stock.Refuse(stock.PrinterDown, "printer %s is %s: %s",
			d.cfg.Name, now.Phase, now.LastError).With("state", trouble)
	}
	defer func() {
		if cause := recover(); cause != nil {
			d.logger.Error("driver panicked", "err", cause, "stack", string(debug.Stack()))
			state, err = hardware.Unknown, fmt.Errorf("print on %s: driver panicked: %v", d.cfg.Name, cause)
		}
	}()
	if state, err = printer.Print(ctx, job); err != nil {
		return state, fmt.Errorf("print on %s: %w", d.cfg.Name, err)
	}
	return state, nil
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
	if s.Printer != nil {
		p := *s.Printer
		s.Printer = &p
	}
	return s
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
