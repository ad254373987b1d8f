package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/receipt"
)

// talk is what is known of a printer while its port is open. All but listen
// runs in the turn of Printer, one at a time.
type talk struct {
	port      hardware.Port
	timing    Timing
	status    func(hardware.PrinterStatus)
	questions []string
	answers   bool // the printer has a back channel
	ended     chan struct{}
	cleared   chan struct{}
	telling   sync.Mutex // one status call at a time

	mu      sync.Mutex
	dialect Dialect       // guarded by mu
	now     Condition     // guarded by mu
	asked   int           // guarded by mu; the question that waits, or -1
	answer  chan struct{} // guarded by mu; closed at the answer to it
	passed  chan struct{} // guarded by mu; closed when the last fence was answered
	held    bool          // guarded by mu; the printer wants no more bytes
	changed chan struct{} // guarded by mu; closed when it wants bytes again
}

func newTalk(p *Printer, status func(hardware.PrinterStatus)) *talk {
	questions := p.dialect.Questions()
	return &talk{
		port: p.port, timing: p.timing, status: status, dialect: p.dialect,
		questions: questions, answers: len(questions) > 0, asked: -1,
		ended:   make(chan struct{}),
		cleared: make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
}

// listen reads until the port fails.
func (t *talk) listen() error {
	buf := make([]byte, 256)
	for {
		n, err := t.port.Read(buf)
		for _, b := range buf[:n] {
			t.hear(b)
		}
		if err != nil {
			return err
		}
	}
}

func (t *talk) hear(b byte) {
	t.mu.Lock()
	event := t.dialect.Hear(b, t.asked, &t.now)
	if t.passed != nil && t.dialect.Passed() {
		close(t.passed)
		t.passed = nil
	}
	switch event {
	case Answered:
		if t.answer != nil {
			close(t.answer)
			t.answer, t.asked = nil, -1
		}
	case Held:
		t.held = true
	case Resumed:
		if t.held {
			close(t.changed)
			t.changed = make(chan struct{})
		}
		t.held = false
	case Cleared:
		select {
		case t.cleared <- struct{}{}:
		default:
		}
	case Nothing, Noise, Told, Fenced:
	}
	t.mu.Unlock()
	if event == Told {
		t.tell(true)
	}
}

// tell passes the state on; heard says that the printer itself just spoke.
func (t *talk) tell(heard bool) {
	t.telling.Lock()
	defer t.telling.Unlock()
	t.mu.Lock()
	if heard {
		t.now.At = time.Now()
	} else {
		t.now.Online = false
	}
	now := t.now.PrinterStatus
	t.mu.Unlock()
	if t.status != nil {
		t.status(now)
	}
}

func (t *talk) condition() Condition {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// clear empties the printer's buffers, where an earlier connection may have
// left half a job or half a command that would swallow the next one.
func (t *talk) clear(ctx context.Context) {
	t.mu.Lock()
	request, answered := t.dialect.Clear()
	listen := t.dialect.Listen()
	t.mu.Unlock()
	if request == "" {
		return
	}
	if _, err := t.port.Write([]byte(request)); err != nil {
		return // the reader meets the same fault
	}
	if answered {
		select {
		case <-t.cleared:
		case <-time.After(t.timing.Answer):
			return // it does not know the request, so it may not know the next
		case <-t.ended:
			return
		case <-ctx.Done():
			return
		}
	}
	if listen != "" {
		t.port.Write([]byte(listen)) // as above
	}
}

// ask polls the whole state once.
func (t *talk) ask(ctx context.Context) error {
	for i, question := range t.questions {
		answer := make(chan struct{})
		t.mu.Lock()
		t.asked, t.answer = i, answer
		t.mu.Unlock()
		if err := t.askOne(ctx, question, answer); err != nil {
			t.mu.Lock()
			t.asked, t.answer = -1, nil
			t.mu.Unlock()
			return err
		}
	}
	t.tell(true)
	return nil
}

func (t *talk) askOne(ctx context.Context, question string, answer <-chan struct{}) error {
	if _, err := t.port.Write([]byte(question)); err != nil {
		return err
	}
	late := time.NewTimer(t.timing.Answer)
	defer late.Stop()
	select {
	case <-answer:
		return nil
	case <-late.C:
		t.tell(false)
		return hardware.ErrTimeout
	case <-t.ended:
		return hardware.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fault is what the printer last said that keeps it from printing.
func (t *talk) fault() error {
	now := t.condition()
	return now.Fault()
}

func (t *talk) preflight(ctx context.Context) error {
	if err := t.ask(ctx); err != nil {
		return err
	}
	return t.fault()
}

// encode gives the bytes of a job.
func (t *talk) encode(job []byte) ([]byte, error) {
	d, err := receipt.ParseJob(job)
	if errors.Is(err, receipt.ErrNotADocument) {
		return job, nil
	}
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dialect.Encode(d)
}

// send writes bytes in chunks and stops where the printer stops taking them.
func (t *talk) send(ctx context.Context, job []byte) (hardware.PrintState, error) {
	sent := 0
	for sent < len(job) {
		if err := t.clearToSend(ctx); err != nil {
			return stateAfter(sent), fmt.Errorf("send to printer: %w", err)
		}
		n, err := t.port.Write(job[sent:min(len(job), sent+t.timing.Chunk)])
		sent += n
		if err != nil {
			if n == 0 && !errors.Is(err, hardware.ErrGone) {
				sent++ // a write that was given up may still reach the printer
			}
			return stateAfter(sent), fmt.Errorf("send to printer: %w", err)
		}
	}
	return hardware.Sent, nil
}

func stateAfter(sent int) hardware.PrintState {
	if sent == 0 {
		return hardware.Failed
	}
	return hardware.Unknown
}

// clearToSend waits while the printer asks to.
func (t *talk) clearToSend(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	held, changed := t.held, t.changed
	t.mu.Unlock()
	if !held {
		return nil
	}
	select {
	case <-changed:
		return nil
	case <-time.After(t.timing.Refills):
		return hardware.ErrTimeout
	case <-t.ended:
		return hardware.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

// slowest is how long a byte takes at 9600 baud, the usual speed of a line that
// has one; inFlight is how many bytes can be on their way after the last write.
const (
	slowest  = time.Second / 960
	inFlight = 8192
)

// print sends a job and a fence behind it, if there is one, and waits for it.
// Automatic status is switched on again in between, since the job resets it.
func (t *talk) print(ctx context.Context, job []byte) (hardware.PrintState, error) {
	passed := make(chan struct{})
	t.mu.Lock()
	fence, listen := t.dialect.Fence(), t.dialect.Listen()
	if fence != "" {
		t.passed = passed
	}
	t.mu.Unlock()
	if fence == "" {
		return t.send(ctx, job)
	}
	defer func() {
		t.mu.Lock()
		t.passed = nil
		t.mu.Unlock()
	}()
	if state, err := t.send(ctx, append(job[:len(job):len(job)], listen+fence...)); err != nil {
		return state, err
	}
	patience := t.timing.Fence + min(time.Duration(len(job)), inFlight)*slowest
	return t.await(ctx, passed, patience)
}

// await gives a ready printer so much patience to finish, and one that lacks
// paper or has its cover open up to Refills: it keeps the job and goes on by itself.
func (t *talk) await(ctx context.Context, passed <-chan struct{}, patience time.Duration) (
	hardware.PrintState, error) {
	start := time.Now()
	ready := start
	tick := time.NewTicker(min(time.Second, t.timing.Fence/4+1))
	defer tick.Stop()
	for {
		select {
		case <-passed:
			return t.confirm(ctx, tick.C, start)
		case <-t.ended:
			return t.last(passed, hardware.ErrGone)
		case <-ctx.Done():
			return t.last(passed, ctx.Err())
		case <-tick.C:
		}
		asked := t.ask(ctx)
		stopped := t.fault()
		now := time.Now()
		if asked == nil && stopped != nil && now.Sub(start) < t.timing.Refills {
			ready = now
		}
		if now.Sub(ready) >= patience {
			return t.last(passed, overdue(stopped))
		}
	}
}

// confirm believes a strong fence. After a weak one, paper that ended or a
// knife that stuck in the last lines still shows in the state.
func (t *talk) confirm(ctx context.Context, tick <-chan time.Time,
	start time.Time) (hardware.PrintState, error) {
	t.mu.Lock()
	weak := t.dialect.Weak()
	t.mu.Unlock()
	if !weak {
		return hardware.Printed, nil
	}
	for {
		err := t.preflight(ctx)
		if err == nil {
			return hardware.Printed, nil
		}
		if errors.Is(err, hardware.ErrTimeout) || errors.Is(err, hardware.ErrGone) ||
			ctx.Err() != nil ||
			time.Since(start) >= t.timing.Refills {
			return hardware.Unknown, fmt.Errorf("wait until printed: %w", err)
		}
		select {
		case <-tick:
		case <-t.ended:
		case <-ctx.Done():
		}
	}
}

func overdue(stopped error) error {
	if stopped == nil {
		return hardware.ErrTimeout
	}
	return fmt.Errorf("%w: %w", hardware.ErrTimeout, stopped)
}

// last looks once more for the answer before giving up on it. A weak fence
// that was answered just then proves too little.
func (t *talk) last(passed <-chan struct{}, cause error) (hardware.PrintState, error) {
	t.mu.Lock()
	weak := t.dialect.Weak()
	t.mu.Unlock()
	select {
	case <-passed:
		if !weak {
			return hardware.Printed, nil
		}
	default:
	}
	return hardware.Unknown, fmt.Errorf("wait until printed: %w", cause)
}
