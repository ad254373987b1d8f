package escpos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast.dev/hardware"
)

const (
	statusRequest = "\x10\x04"                                 // DLE EOT n
	clearBuffers  = "\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08" // DLE DC4 8
	autoStatusOn  = "\x1da\x0f"                                // GS a: drawer, online, errors, paper
	fenceRequest  = "\x1d(H\x06\x0000"                         // GS ( H function 48, then four bytes
)

// session is what is known of a printer while its port is open. All but listen
// runs in the turn of Printer, one at a time.
type session struct {
	port    hardware.Port
	profile Profile
	status  func(hardware.PrinterStatus)
	ended   chan struct{}
	statusB chan byte     // answers to DLE EOT
	cleared chan struct{} // answers to DLE DC4 8
	telling sync.Mutex    // one status call at a time

	mu      sync.Mutex
	now     condition     // guarded by mu
	fence   [4]byte       // guarded by mu; the fence waited for
	passed  chan struct{} // guarded by mu; closed when fence was answered
	held    bool          // guarded by mu; the printer sent XOFF
	changed chan struct{} // guarded by mu; closed at the next XON
}

func newSession(port hardware.Port, profile Profile, status func(hardware.PrinterStatus)) *session {
	return &session{
		port: port, profile: profile, status: status,
		ended:   make(chan struct{}),
		statusB: make(chan byte, 16),
		cleared: make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
}

// listen reads until the port fails.
func (s *session) listen(port hardware.Port) error {
	var parse answers
	buf := make([]byte, 256)
	for {
		n, err := port.Read(buf)
		for _, b := range buf[:n] {
			if a, ok := parse.next(b); ok {
				s.hear(a)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) hear(a answer) {
	switch a.kind {
	case realTime:
		select {
		case s.statusB <- a.data[0]:
		default: // more answers than questions: nobody waits for them
		}
	case cleared:
		select {
		case s.cleared <- struct{}{}:
		default:
		}
	case autoStatus:
		s.mu.Lock()
		s.now.adopt(a.data, s.profile.DrawerLow)
		s.mu.Unlock()
		s.tell(true)
	case processID:
		s.mu.Lock()
		if s.passed != nil && s.fence == a.data {
			close(s.passed)
			s.passed = nil
		}
		s.mu.Unlock()
	case flowOff, flowOn:
		s.hold(a.kind == flowOff)
	}
}

func (s *session) hold(held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held && !held {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.held = held
}

// tell passes the state on; heard says that the printer itself just spoke.
func (s *session) tell(heard bool) {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	if heard {
		s.now.At = time.Now()
	} else {
		s.now.Online = false
	}
	now := s.now.PrinterStatus
	s.mu.Unlock()
	if s.status != nil {
		s.status(now)
	}
}

// reset empties the printer's buffers, where an earlier connection may have
// left half a job or half a command that would swallow the next one.
func (s *session) reset(ctx context.Context) {
	if !s.profile.ProcessID {
		return
	}
	if _, err := s.port.Write([]byte(clearBuffers)); err != nil {
		return // the reader meets the same fault
	}
	select {
	case <-s.cleared:
		s.port.Write([]byte(autoStatusOn))
	case <-time.After(s.profile.Answer):
	case <-s.ended:
	case <-ctx.Done():
	}
}

// ask polls the whole state once.
func (s *session) ask(ctx context.Context) error {
	for len(s.statusB) > 0 {
		<-s.statusB // late answers to questions that were given up
	}
	for i := range len(questions) {
		if _, err := s.port.Write([]byte(statusRequest + questions[i:i+1])); err != nil {
			return err
		}
		select {
		case b := <-s.statusB:
			s.mu.Lock()
			s.now.learn(questions[i], b, s.profile.DrawerLow)
			s.mu.Unlock()
		case <-time.After(s.profile.Answer):
			s.tell(false)
			return hardware.ErrTimeout
		case <-s.ended:
			return hardware.ErrGone
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.tell(true)
	return nil
}

// fault is what the printer last said that keeps it from printing.
func (s *session) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.fault()
}

func (s *session) preflight(ctx context.Context) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	return s.fault()
}

// send writes a job in chunks and stops where the printer stops taking it.
func (s *session) send(ctx context.Context, job []byte) (hardware.PrintState, error) {
	sent := 0
	for sent < len(job) {
		if err := s.clearToSend(ctx); err != nil {
			return stateAfter(sent), fmt.Errorf("send to printer: %w", err)
		}
		n, err := s.port.Write(job[sent:min(len(job), sent+s.profile.Chunk)])
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

// clearToSend waits while the printer asks to by XOFF.
func (s *session) clearToSend(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	held, changed := s.held, s.changed
	s.mu.Unlock()
	if !held {
		return nil
	}
	select {
	case <-changed:
		return nil
	case <-time.After(s.profile.Refills):
		return hardware.ErrTimeout
	case <-s.ended:
		return hardware.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sendFenced sends a job and a fence behind it, and waits for the fence.
// Automatic status is switched on again in between, since the job resets it.
func (s *session) sendFenced(
	ctx context.Context, job []byte, id [4]byte,
) (hardware.PrintState, error) {
	passed := make(chan struct{})
	s.mu.Lock()
	s.fence, s.passed = id, passed
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.passed = nil
		s.mu.Unlock()
	}()
	fenced := append(append(job[:len(job):len(job)], autoStatusOn+fenceRequest...), id[:]...)
	if state, err := s.send(ctx, fenced); err != nil {
		return state, err
	}
	return s.await(ctx, passed)
}

// await gives a ready printer Fence to finish, and one that lacks paper or has
// its cover open up to Refills: it keeps the job and goes on by itself.
func (s *session) await(ctx context.Context, passed <-chan struct{}) (hardware.PrintState, error) {
	start := time.Now()
	ready := start
	tick := time.NewTicker(min(time.Second, s.profile.Fence/4+1))
	defer tick.Stop()
	for {
		select {
		case <-passed:
			return hardware.Printed, nil
		case <-s.ended:
			return s.last(passed, hardware.ErrGone)
		case <-ctx.Done():
			return s.last(passed, ctx.Err())
		case <-tick.C:
		}
		asked := s.ask(ctx)
		stopped := s.fault()
		now := time.Now()
		if asked == nil && stopped != nil && now.Sub(start) < s.profile.Refills {
			ready = now
		}
		if now.Sub(ready) >= s.profile.Fence {
			return s.last(passed, overdue(stopped))
		}
	}
}

func overdue(stopped error) error {
	if stopped == nil {
		return hardware.ErrTimeout
	}
	return fmt.Errorf("%w: %w", hardware.ErrTimeout, stopped)
}

// last looks once more for the answer before giving up on it.
func (s *session) last(passed <-chan struct{}, cause error) (hardware.PrintState, error) {
	select {
	case <-passed:
		return hardware.Printed, nil
	default:
		return hardware.Unknown, fmt.Errorf("wait until printed: %w", cause)
	}
}
