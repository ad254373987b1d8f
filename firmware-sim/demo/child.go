package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	restartAfter = time.Second      // pause before a crashed program is started again
	stopPatience = 25 * time.Second // for an orderly stop; longer than the program's own
	tailBytes    = 2000             // of a program's log, shown when it does not start
)

// ProgramState is what a bystander sees of one program.
type ProgramState struct {
	Running  bool
	PID      int
	Restarts int  // after crashes and kills
	Killed   bool // somebody killed it; it waits to be started
	Since    time.Time
	LastExit string // how it ended the last time; empty if it never did
}

// Program is one real binary that the demo runs, kills and starts again. It
// dies with the demo.
type Program struct {
	name    string
	path    string
	args    []string
	logPath string
	changed func()

	start chan struct{} // holds a token when a killed program shall start again
	quit  chan struct{} // closed when the demo stops
	ended chan struct{} // closed when the supervisor has returned

	mu       sync.Mutex
	started  bool         // guarded by mu
	stopping bool         // guarded by mu
	state    ProgramState // guarded by mu
	proc     *os.Process  // guarded by mu; nil when it does not run
}

// newProgram describes a program; Start runs it.
func newProgram(name, path, logPath string, changed func(), args ...string) *Program {
	return &Program{name: name, path: path, args: args, logPath: logPath, changed: changed,
		start: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{})}
}

// State is how the program is doing.
func (p *Program) State() ProgramState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Start runs the program, also after a kill. It does not wait until the
// program is ready.
func (p *Program) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started {
		if p.state.Running && !p.state.Killed {
			return nil
		}
		select {
		case p.start <- struct{}{}:
		default: // asked before
		}
		return nil
	}
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log of %s: %w", p.name, err)
	}
	p.started = true
	go p.supervise(log)
	return nil
}

// supervise starts the program again when it ends unasked. It keeps its thread
// for itself: the kernel's promise to kill the child with its parent is about
// the thread that started it.
func (p *Program) supervise(log *os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	defer log.Close()
	for {
		p.runOnce(log)
		if p.pause() {
			return
		}
		p.set(func(s *ProgramState) { s.Restarts++; s.Killed = false })
	}
}

// runOnce runs the program to its end.
func (p *Program) runOnce(log *os.File) {
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	// Its own group, so that a Ctrl-C reaches the demo alone, which stops the
	// programs in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(log, "start %s: %v\n", p.name, err)
		p.set(func(s *ProgramState) { s.LastExit = err.Error() })
		return
	}
	p.set(func(s *ProgramState) {
		p.proc = cmd.Process
		if p.stopping {
			_ = p.proc.Signal(syscall.SIGTERM) // it ends one way or the other
		}
		s.Running, s.PID, s.Since = true, cmd.Process.Pid, time.Now()
	})
	err := cmd.Wait()
	p.set(func(s *ProgramState) {
		p.proc = nil
		s.Running, s.PID, s.Since, s.LastExit = false, 0, time.Now(), exitText(err)
	})
}

func exitText(err error) string {
	if err == nil {
		return "ended"
	}
	return err.Error()
}

// pause waits until the program may start again: a moment after a crash, an
// order after a kill. It tells whether the demo stops.
func (p *Program) pause() (stops bool) {
	var soon <-chan time.Time
	if !p.State().Killed {
		timer := time.NewTimer(restartAfter)
		defer timer.Stop()
		soon = timer.C
	}
	select {
	case <-soon:
	case <-p.start:
	case <-p.quit:
		return true
	}
	return false
}

// set changes the state, and whatever else mu guards.
func (p *Program) set(change func(*ProgramState)) {
	p.mu.Lock()
	change(&p.state)
	p.mu.Unlock()
	p.changed()
}

// Kill ends the program as a power cut would, without a word. It stays down
// until Start.
func (p *Program) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proc == nil {
		return nil
	}
	p.state.Killed = true
	if err := p.proc.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	return nil
}

// AwaitDown waits until the program does not run.
func (p *Program) AwaitDown(ctx context.Context) error {
	return Poll(ctx, 5*time.Millisecond, func() error {
		if p.State().Running {
			return fmt.Errorf("%s still runs", p.name)
		}
		return nil
	})
}

// Stop asks the program to stop, waits, and kills it when it does not.
func (p *Program) Stop() error {
	p.mu.Lock()
	first := !p.stopping
	p.stopping = true
	if p.proc != nil {
		_ = p.proc.Signal(syscall.SIGTERM) // it may have ended by itself
	}
	started := p.started
	p.mu.Unlock()
	if first {
		close(p.quit)
	}
	if !started {
		return nil
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopPatience):
	}
	p.mu.Lock()
	if p.proc != nil {
		_ = p.proc.Kill()
	}
	p.mu.Unlock()
	<-p.ended
	return fmt.Errorf("%s did not stop within %s and was killed", p.name, stopPatience)
}

// Log gives the end of what the program said, for the person who looks why it
// does not start.
func (p *Program) Log() string {
	f, err := os.Open(p.logPath)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tailBytes {
		_, _ = f.Seek(-tailBytes, io.SeekEnd) // else all of it is shown
	}
	text, _ := io.ReadAll(io.LimitReader(f, tailBytes))
	return strings.TrimSpace(string(text))
}

// Poll tries until it works or ctx ends; the error is then the last one.
func Poll(ctx context.Context, every time.Duration, try func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}
