package zpl

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/exchange"
)

// Config says what a model can do. Zero durations mean the defaults.
type Config struct {
	WriteOnly bool          // does not answer ~HS: a job ends in Sent
	Answer    time.Duration // wait for an answer; 1 s
	Poll      time.Duration // between two looks when idle; 5 s
	Finish    time.Duration // wait for a ready printer to finish a job; 30 s
	Refills   time.Duration // wait for labels, head or pause during a job; 3 min
}

// watchEvery is the pause between two looks at a printer that prints.
const watchEvery = 250 * time.Millisecond

var errEmptyJob = errors.New("label job is empty")

// Printer is a hardware.LabelPrinter on one port. It never retries.
//
// Printed means that the printer said that a label waits, then twice that none
// does, and answered all the time between. One that never said that a label
// waits did not say enough: that is Sent. One that fell silent while a label
// waited, and has none left when it speaks again, may have been switched off:
// that is Unknown. Many models fall silent when labels are out or the head is
// open.
type Printer struct {
	line     *exchange.Line
	cfg      Config
	printing chan struct{} // held by the job that is being printed

	mu     sync.Mutex
	status func(hardware.LabelStatus) // guarded by mu; nil unless Run runs
}

// New makes a driver of a printer on a port that is open. It serves one Run,
// which closes the port.
func New(port hardware.Port, cfg Config) *Printer {
	for _, d := range []struct {
		set *time.Duration
		to  time.Duration
	}{
		{&cfg.Answer, time.Second},
		{&cfg.Poll, 5 * time.Second},
		{&cfg.Finish, 30 * time.Second},
		{&cfg.Refills, 3 * time.Minute},
	} {
		if *d.set <= 0 {
			*d.set = d.to
		}
	}
	return &Printer{line: exchange.New(port, 0), cfg: cfg, printing: make(chan struct{}, 1)}
}

// Run asks for the printer's status when it is idle, until ctx ends (nil) or the
// port fails (a fault).
func (p *Printer) Run(ctx context.Context, status func(hardware.LabelStatus)) error {
	defer p.use(nil)
	return p.line.Run(ctx, func(ctx context.Context) {
		p.use(status)
		tick := time.NewTicker(p.cfg.Poll)
		defer tick.Stop()
		for ctx.Err() == nil && !p.cfg.WriteOnly {
			select {
			case p.printing <- struct{}{}:
				p.ask(ctx) // silence is told as a state; a port fault reaches Run too
				<-p.printing
			default: // the job that is being printed asks
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
}

func (p *Printer) use(status func(hardware.LabelStatus)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

// ask asks for the status and tells it.
func (p *Printer) ask(ctx context.Context) (s hardware.LabelStatus, err error) {
	_, err = p.line.Ask(ctx, []byte(askStatus), p.cfg.Answer, func(heard []byte) (found bool) {
		s, found = parseStatus(heard)
		return found
	})
	if err != nil {
		s = hardware.LabelStatus{}
	}
	s.At = time.Now()
	if ctx.Err() != nil {
		return s, err // the silence of a printer that was not waited for
	}
	p.mu.Lock()
	status := p.status
	p.mu.Unlock()
	if status != nil {
		status(s)
	}
	return s, err
}

// Print sends a job of Encode and waits until nothing waits any more. Failed
// means that no byte was sent.
func (p *Printer) Print(ctx context.Context, job []byte) (hardware.PrintState, error) {
	if len(job) == 0 {
		return hardware.Failed, errEmptyJob
	}
	select {
	case p.printing <- struct{}{}:
		defer func() { <-p.printing }()
	case <-ctx.Done():
		return hardware.Failed, fmt.Errorf("wait for label printer: %w", ctx.Err())
	}
	if !p.cfg.WriteOnly {
		if err := p.preflight(ctx); err != nil {
			return hardware.Failed, fmt.Errorf("ask label printer: %w", err)
		}
	}
	if sent, err := p.line.Tell(ctx, job); err != nil {
		state := hardware.Unknown
		if sent == 0 && !errors.Is(err, hardware.ErrTimeout) {
			state = hardware.Failed // a write that timed out may still arrive
		}
		return state, fmt.Errorf("send label: %w", err)
	}
	if p.cfg.WriteOnly {
		return hardware.Sent, nil
	}
	state, err := p.finish(ctx)
	if err != nil {
		return hardware.Unknown, fmt.Errorf("wait until the label is printed: %w", err)
	}
	return state, nil
}

// preflight refuses a printer that is not ready, or that has a label of someone
// else: behind that one, ours could not be told apart.
func (p *Printer) preflight(ctx context.Context) error {
	s, err := p.ask(ctx)
	switch {
	case errors.Is(err, hardware.ErrTimeout):
		return fmt.Errorf("%w: %w", ErrOffline, err)
	case err != nil:
		return err
	case fault(s) != nil:
		return fault(s)
	case s.Waiting > 0:
		return fmt.Errorf("%w: %d labels wait in it", ErrFull, s.Waiting)
	}
	return nil
}

var errSilent = errors.New("printer fell silent, and has nothing left now")

// sight is what was seen of a job so far.
type sight struct {
	waited bool // a label was said to wait
	silent bool // since then, an answer did not come
	clear  int  // answers in a row that nothing waits
}

// take adds an answer, or its absence.
func (j *sight) take(s hardware.LabelStatus, err error) {
	switch {
	case err != nil:
		j.silent, j.clear = true, 0
	case s.Waiting > 0:
		*j = sight{waited: true} // it kept its memory
	case fault(s) == nil:
		j.clear++
	default:
		j.clear = 0
	}
}

// finish watches the printer until nothing waits.
func (p *Printer) finish(ctx context.Context) (hardware.PrintState, error) {
	began := time.Now()
	ready, job := began, sight{}
	for {
		s, err := p.ask(ctx)
		if err != nil && !errors.Is(err, hardware.ErrTimeout) {
			return hardware.Unknown, err
		}
		job.take(s, err)
		switch {
		case job.clear < 2:
		case job.silent:
			return hardware.Unknown, errSilent
		case job.waited:
			return hardware.Printed, nil
		default:
			return hardware.Sent, nil
		}
		now := time.Now()
		stopped := err != nil || fault(s) != nil
		if stopped && now.Sub(began) < p.cfg.Refills {
			ready = now
		}
		if now.Sub(ready) >= p.cfg.Finish {
			return hardware.Unknown, errors.Join(hardware.ErrTimeout, fault(s))
		}
		if err := p.line.Sleep(ctx, watchEvery); err != nil {
			return hardware.Unknown, err
		}
	}
}
