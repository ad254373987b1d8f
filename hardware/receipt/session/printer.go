package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast.dev/hardware"
)

// Printer is a hardware.Printer on one port. It never retries and never
// reconnects. Printed means that the printer answered a fence which stood
// behind the job in its buffer. A printer on a bare serial line that loses
// power and starts again within a job is not noticed.
type Printer struct {
	port    hardware.Port
	dialect Dialect
	timing  Timing
	// noSwitch says that nothing tells how the drawer is.
	noSwitch bool
	turn     chan struct{} // held by the one who writes to the port

	mu     sync.Mutex
	talk   *talk     // guarded by mu; nil while Run does not run
	ran    bool      // guarded by mu
	kicked time.Time // guarded by mu; when a coil was driven last
}

// New makes a driver of a printer on port, which Run will close. The dialect
// is for this driver alone.
func New(port hardware.Port, dialect Dialect, p Profile) *Printer {
	return &Printer{port: port, dialect: dialect, timing: p.Timing.withDefaults(),
		noSwitch: p.Drawer == NoSwitch, turn: make(chan struct{}, 1)}
}

var (
	errNotRunning = fmt.Errorf("%w: its driver is not running", hardware.ErrGone)
	errRan        = errors.New("printer driver ran already")
	errEmptyJob   = errors.New("print job is empty")
)

// Run reads what the printer says and asks for its state when idle, until ctx
// ends (nil) or the port fails (a fault). It calls status from one goroutine at
// a time. It runs once: the port is closed when it returns.
func (p *Printer) Run(ctx context.Context, status func(hardware.PrinterStatus)) error {
	t, err := p.begin(status)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { p.port.Close() }) // wakes a blocked Read or Write
	defer stop()

	var polls sync.WaitGroup
	polls.Go(func() { p.poll(ctx, t) })
	err = t.listen()
	ended := ctx.Err() != nil
	p.end(t)
	cancel()
	p.port.Close()
	polls.Wait()
	if ended {
		return nil
	}
	return fmt.Errorf("read printer: %w", err)
}

// begin takes the turn, so that the first poll comes before the first job.
func (p *Printer) begin(status func(hardware.PrinterStatus)) (*talk, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ran {
		return nil, errRan
	}
	p.ran = true
	p.turn <- struct{}{}
	p.talk = newTalk(p, status)
	return p.talk, nil
}

func (p *Printer) end(t *talk) {
	p.mu.Lock()
	p.talk = nil
	p.mu.Unlock()
	close(t.ended)
}

// poll clears what an earlier connection left in the printer, then asks for
// its state whenever no job is being printed. It starts with the turn.
func (p *Printer) poll(ctx context.Context, t *talk) {
	tick := time.NewTicker(p.timing.Poll)
	defer tick.Stop()
	t.clear(ctx)
	if !t.answers {
		<-p.turn
		return
	}
	for {
		t.ask(ctx) // silence is told as a state; a port fault reaches listen too
		<-p.turn
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if p.take(ctx, t) != nil {
			return
		}
	}
}

// take waits for the turn to write.
func (p *Printer) take(ctx context.Context, t *talk) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-t.ended:
		return hardware.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begun gives the conversation with its turn; done gives the turn back.
func (p *Printer) begun(ctx context.Context) (t *talk, done func(), err error) {
	p.mu.Lock()
	t = p.talk
	p.mu.Unlock()
	if t == nil {
		return nil, nil, errNotRunning
	}
	if err := p.take(ctx, t); err != nil {
		return nil, nil, fmt.Errorf("wait for printer: %w", err)
	}
	return t, func() { <-p.turn }, nil
}

// Print prints a job of receipt.Job, or the printer's own bytes as they are, and
// waits for the fence behind it. Failed means that no byte was sent. Once one
// was, everything but the fence's answer is Unknown.
func (p *Printer) Print(ctx context.Context, job []byte) (hardware.PrintState, error) {
	if len(job) == 0 {
		return hardware.Failed, p.notRunningOr(errEmptyJob)
	}
	t, done, err := p.begun(ctx)
	if err != nil {
		return hardware.Failed, err
	}
	defer done()
	if job, err = t.encode(job); err != nil {
		return hardware.Failed, fmt.Errorf("lay out receipt: %w", err)
	}
	if t.answers {
		if err := t.preflight(ctx); err != nil {
			return hardware.Failed, fmt.Errorf("ask printer: %w", err)
		}
	}
	return t.print(ctx, job)
}

func (p *Printer) notRunningOr(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.talk == nil {
		return errNotRunning
	}
	return err
}
