package escpos

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast.dev/hardware"
)

// Profile says what a model can do. Zero durations and sizes mean the defaults.
type Profile struct {
	Name        string
	BackChannel bool // answers DLE EOT; without it a job ends in Sent
	ProcessID   bool // answers GS ( H, the only proof of printing; needs BackChannel
	DrawerLow   bool // the drawer switch pulls its pin low when the drawer is open

	Chunk   int           // bytes per write; 128, the room that a full printer still has
	Answer  time.Duration // wait for a status byte; 500 ms
	Poll    time.Duration // between status polls when idle; 5 s
	Fence   time.Duration // wait for a ready printer to finish a job; 15 s
	Refills time.Duration // wait for paper, cover or XON during a job; 3 min
}

// Profiles are the kinds of printers that were thought of; look them up by Name.
var Profiles = []Profile{
	{Name: "epson", BackChannel: true, ProcessID: true},
	{Name: "status-only", BackChannel: true},
	{Name: "write-only"},
}

// Printer is a hardware.Printer on one port. It never retries and never
// reconnects. Printed means that the printer answered a fence which stood
// behind the job in its buffer. A printer on a bare serial line that loses
// power and starts again within a job is not noticed.
type Printer struct {
	port    hardware.Port
	profile Profile
	turn    chan struct{} // held by the one who writes to the port

	mu      sync.Mutex
	session *session // guarded by mu; nil while Run does not run
	ran     bool     // guarded by mu
	fence   uint32   // guarded by mu; number of the last fence
}

// New makes a driver of a printer on port, which Run will close.
func New(port hardware.Port, profile Profile) *Printer {
	if profile.Chunk <= 0 {
		profile.Chunk = 128
	}
	for _, d := range []struct {
		set *time.Duration
		to  time.Duration
	}{
		{&profile.Answer, 500 * time.Millisecond},
		{&profile.Poll, 5 * time.Second},
		{&profile.Fence, 15 * time.Second},
		{&profile.Refills, 3 * time.Minute},
	} {
		if *d.set <= 0 {
			*d.set = d.to
		}
	}
	return &Printer{port: port, profile: profile, turn: make(chan struct{}, 1)}
}

var (
	errNotRunning = errors.New("printer driver is not running")
	errRan        = errors.New("printer driver ran already")
	errEmptyJob   = errors.New("print job is empty")
)

// Run reads what the printer says and asks for its state when idle, until ctx
// ends (nil) or the port fails (a fault). It calls status from one goroutine at
// a time. It runs once: the port is closed when it returns.
func (p *Printer) Run(ctx context.Context, status func(hardware.PrinterStatus)) error {
	s, err := p.begin(status)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { p.port.Close() }) // wakes a blocked Read or Write
	defer stop()

	var polls sync.WaitGroup
	if p.profile.BackChannel {
		polls.Go(func() { p.poll(ctx, s) })
	}
	err = s.listen(p.port)
	ended := ctx.Err() != nil
	p.end(s)
	cancel()
	p.port.Close()
	polls.Wait()
	if ended {
		return nil
	}
	return fmt.Errorf("read printer: %w", err)
}

func (p *Printer) begin(status func(hardware.PrinterStatus)) (*session, error) {
	var first [4]byte
	rand.Read(first[:])
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ran {
		return nil, errRan
	}
	p.ran = true
	if p.profile.BackChannel {
		p.turn <- struct{}{} // poll comes first: no job before the buffers are clear
	}
	// A random start: a late answer to an earlier process must not match.
	p.fence = uint32(first[0])<<24 | uint32(first[1])<<16 | uint32(first[2])<<8 | uint32(first[3])
	p.session = newSession(p.port, p.profile, status)
	return p.session, nil
}

func (p *Printer) end(s *session) {
	p.mu.Lock()
	p.session = nil
	p.mu.Unlock()
	close(s.ended)
}

// poll clears what an earlier connection left in the printer, then asks for
// its state whenever no job is being printed. It starts with the turn.
func (p *Printer) poll(ctx context.Context, s *session) {
	tick := time.NewTicker(p.profile.Poll)
	defer tick.Stop()
	s.reset(ctx)
	for {
		s.ask(ctx) // silence is told as a state; a port fault reaches listen too
		<-p.turn
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if p.take(ctx, s) != nil {
			return
		}
	}
}

// take waits for the turn to write.
func (p *Printer) take(ctx context.Context, s *session) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-s.ended:
		return hardware.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Print sends a job of Encode and waits for the fence behind it. Failed means
// that no byte was sent. Once one was, everything but the fence's answer is Unknown.
func (p *Printer) Print(ctx context.Context, job []byte) (hardware.PrintState, error) {
	p.mu.Lock()
	s := p.session
	p.mu.Unlock()
	switch {
	case s == nil:
		return hardware.Failed, errNotRunning
	case len(job) == 0:
		return hardware.Failed, errEmptyJob
	}
	if err := p.take(ctx, s); err != nil {
		return hardware.Failed, fmt.Errorf("wait for printer: %w", err)
	}
	defer func() { <-p.turn }()
	if p.profile.BackChannel {
		if err := s.preflight(ctx); err != nil {
			return hardware.Failed, fmt.Errorf("ask printer: %w", err)
		}
	}
	if !p.profile.BackChannel || !p.profile.ProcessID {
		return s.send(ctx, job)
	}
	return s.sendFenced(ctx, job, p.nextFence())
}

// nextFence gives an identification of four printable characters.
func (p *Printer) nextFence() [4]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fence++
	var id [4]byte
	n := p.fence
	for i := range id {
		id[i] = '!' + byte(n%93) // GS ( H allows 20 to 7E
		n /= 93
	}
	return id
}
