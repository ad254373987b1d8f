// Package program starts, watches, breaks and stops the real programs, for
// everybody who simulates what happens to them.
package program

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	stopPatience = 25 * time.Second // for an orderly stop; longer than a program's own
	killPatience = 20 * time.Second // for the kernel to take a killed program away
	pipePatience = 2 * time.Second  // for the last words of one that has ended
)

// Options describe a program.
type Options struct {
	Name    string
	Command func() []string // the program and its arguments, asked at every start
	Log     string          // file that it writes to; empty: only the end is kept
	Restart time.Duration   // pause before it is started again when it ends unasked; zero: it is not
	Crashes int             // how often it may end while AwaitReady waits
	Changed func()          // called after each change of its state; nil: nobody
}

// State is what a bystander sees of a program.
type State struct {
	Running  bool
	PID      int // zero when it does not run
	Restarts int // starts after the first one, whatever the reason
	Killed   bool
	Since    time.Time // when it was started, or ended
	Ended    error     // how it ended the last time; nil: in order, or never
	Code     int       // what it ended with the last time; -1: by a signal
}

// Program is a real program that is started, killed and stopped as told. It
// dies with this process. Its methods may be called from anywhere; Start, Kill
// and Stop wait for each other.
type Program struct {
	o    Options
	said *said
	turn sync.Mutex // of those who start and end it

	mu    sync.Mutex
	state State       // guarded by mu
	proc  *os.Process // guarded by mu; nil when it does not run
	life  *life       // guarded by mu; nil before the first start
}

// life is from an order to start a program to the order to end it, or to its
// end if nobody starts it again.
type life struct {
	quit  chan struct{} // closed when it shall end
	again chan struct{} // holds a token when a pause shall be cut short
	over  chan struct{} // closed when the supervisor has returned
}

func (l *life) ending() bool { return isClosed(l.quit) }

func (l *life) ended() bool { return isClosed(l.over) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// New describes a program; nothing is started.
func New(o Options) *Program {
	if o.Changed == nil {
		o.Changed = func() {}
	}
	return &Program{o: o, said: &said{path: o.Log}}
}

// Name is what the program is called.
func (p *Program) Name() string { return p.o.Name }

// State is how the program is doing.
func (p *Program) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Alive is nil while the program runs.
func (p *Program) Alive() error {
	switch s := p.State(); {
	case s.Running:
		return nil
	case s.Ended != nil:
		return fmt.Errorf("%s ended: %w", p.o.Name, s.Ended)
	}
	return fmt.Errorf("%s does not run", p.o.Name)
}

// Over is closed when the present life of the program is over: it was told to
// end, or ended and is not started again.
func (p *Program) Over() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life == nil {
		return nil
	}
	return p.life.over
}

// Log is the end of what the program said.
func (p *Program) Log() string { return p.said.String() }

// Start starts the program if it does not run, also after a kill, and at once
// if it waits to be started again. It does not wait until the program is ready.
func (p *Program) Start() error {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	before := p.life
	if before != nil && !before.ended() {
		defer p.mu.Unlock()
		return p.wake(before)
	}
	l := &life{quit: make(chan struct{}), again: make(chan struct{}, 1), over: make(chan struct{})}
	p.life = l
	p.mu.Unlock()
	began := make(chan error, 1)
	go p.supervise(l, began, before != nil)
	if err := <-began; err != nil {
		return fmt.Errorf("start %s: %w", p.o.Name, err)
	}
	return nil
}

// wake cuts a pause short.
func (p *Program) wake(l *life) error {
	if l.ending() {
		return fmt.Errorf("start %s: it has not ended yet", p.o.Name)
	}
	if !p.state.Running {
		select {
		case l.again <- struct{}{}:
		default: // asked before
		}
	}
	return nil
}

// supervise runs the program until its life is over. It keeps its thread for
// itself: the kernel's promise to kill a child with its parent is about the
// thread that started it.
func (p *Program) supervise(l *life, began chan<- error, again bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(l.over)
	defer p.said.close()
	for {
		cmd, err := p.launch(l, again)
		if began != nil {
			began <- err
			if began = nil; err != nil {
				return
			}
		}
		p.attend(l, cmd, err)
		if p.o.Restart == 0 || l.pause(p.o.Restart) {
			return
		}
		again = true
	}
}

// launch starts the program unless its life is over. It holds the lock, so that
// whoever ends the program finds it, or it is not started.
func (p *Program) launch(l *life, again bool) (*exec.Cmd, error) {
	defer p.o.Changed()
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.ending() {
		return nil, nil
	}
	if err := p.said.open(); err != nil {
		return nil, err
	}
	command := p.o.Command()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = p.said, p.said, pipePatience
	// A group of its own, so that a Ctrl-C reaches this process alone, which
	// stops the programs in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	now := time.Now()
	if err := cmd.Start(); err != nil {
		p.state.Ended = err
		return nil, err
	}
	p.proc = cmd.Process
	p.state.Running, p.state.PID, p.state.Since = true, cmd.Process.Pid, now
	p.state.Killed = false
	if again {
		p.state.Restarts++
	}
	return cmd, nil
}

// attend waits until the program ends, if it was started.
func (p *Program) attend(l *life, cmd *exec.Cmd, err error) {
	if err != nil {
		fmt.Fprintf(p.said, "start %s: %v\n", p.o.Name, err)
	}
	if cmd == nil {
		return
	}
	err = cmd.Wait()
	if !l.ending() {
		fmt.Fprintf(p.said, "%s ended unasked: %v\n", p.o.Name, err)
	}
	p.mu.Lock()
	p.proc = nil
	p.state.Running, p.state.PID, p.state.Since = false, 0, time.Now()
	p.state.Ended, p.state.Code = err, cmd.ProcessState.ExitCode()
	p.mu.Unlock()
	p.o.Changed()
}

// pause waits until the program may start again, and tells whether it shall
// end instead.
func (l *life) pause(rest time.Duration) (ends bool) {
	soon := time.NewTimer(rest)
	defer soon.Stop()
	select {
	case <-soon.C:
	case <-l.again:
	case <-l.quit:
		return true
	}
	return false
}

// Kill ends the program as a power cut would, without a word, and waits until
// it is gone. It stays down until Start.
func (p *Program) Kill() error { return p.end(syscall.SIGKILL, killPatience) }

// Stop asks the program to end and waits. It kills one that takes too long, and
// says so. The program stays down until Start.
func (p *Program) Stop() error { return p.end(syscall.SIGTERM, stopPatience) }

func (p *Program) end(how syscall.Signal, within time.Duration) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	l := p.life
	if l == nil || l.ended() {
		p.mu.Unlock()
		return nil
	}
	if !l.ending() {
		close(l.quit)
	}
	p.state.Killed = how == syscall.SIGKILL
	p.mu.Unlock()
	defer p.o.Changed()
	err := p.Signal(how)
	if l.await(within) {
		return err
	}
	if how != syscall.SIGKILL {
		err = errors.Join(err, fmt.Errorf("%s did not stop within %s and was killed", p.o.Name, within),
			p.Signal(syscall.SIGKILL))
		if l.await(killPatience) {
			return err
		}
	}
	return errors.Join(err,
		fmt.Errorf("%s was killed and is still there after %s", p.o.Name, killPatience))
}

// await waits for the end, and tells whether it came.
func (l *life) await(within time.Duration) bool {
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-l.over:
		return true
	case <-late.C:
		return false
	}
}

// Signal tells the program something, such as to stop where it is. One that
// does not run is told nothing.
func (p *Program) Signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proc == nil {
		return nil
	}
	if err := p.proc.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s to %s: %w", s, p.o.Name, err)
	}
	return nil
}
