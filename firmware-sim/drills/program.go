package drills

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast.dev/firmware-sim/demo"
)

const (
	startPatience = 30 * time.Second
	stopPatience  = 25 * time.Second // longer than a program's own
	readyEvery    = 20 * time.Millisecond
	readyAsk      = 2 * time.Second
	maxSaid       = 1000 // of what a command printed, in an error

	// Ports are taken below the range that the system takes those of outgoing
	// connections from, so that nobody gets one between look and use.
	portsFrom  = 12000
	portsUntil = 20000
	portTries  = 200
)

// program is one real binary that is started, killed and stopped as told.
// Nobody starts it again unasked: a drill wants to see it end.
type program struct {
	name  string
	path  string
	log   string // file that it writes to
	admin string // host:port of its checks
	args  []string

	mu    sync.Mutex
	proc  *os.Process   // guarded by mu; nil when it does not run
	ended chan struct{} // closed when it has ended; guarded by mu
	exit  error         // guarded by mu
}

// start runs the program and waits until it is ready.
func (p *program) start(ctx context.Context) error {
	began := make(chan error, 1)
	go p.run(began)
	if err := <-began; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	var died error
	err := demo.Poll(ctx, readyEvery, func() error {
		if died = p.alive(); died != nil {
			return nil
		}
		return ready(ctx, p.admin)
	})
	if err = errors.Join(died, err); err != nil {
		return fmt.Errorf("%s does not start: %w\n%s", p.name, err, p.tail())
	}
	return nil
}

// run keeps its thread for itself while the program lives: the kernel's promise
// to kill a child with its parent is about the thread that started it.
func (p *program) run(began chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		began <- err
		return
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		began <- err
		return
	}
	ended := make(chan struct{})
	p.mu.Lock()
	p.proc, p.ended, p.exit = cmd.Process, ended, nil
	p.mu.Unlock()
	began <- nil
	err = cmd.Wait()
	p.mu.Lock()
	p.proc, p.exit = nil, err
	p.mu.Unlock()
	close(ended)
}

// alive is nil while the program runs.
func (p *program) alive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.proc != nil:
		return nil
	case p.exit != nil:
		return fmt.Errorf("%s ended: %w", p.name, p.exit)
	}
	return fmt.Errorf("%s does not run", p.name)
}

// exitCode is what the program ended with.
func (p *program) exitCode() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if exit := new(exec.ExitError); errors.As(p.exit, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// kill ends the program as a power cut would, without a word.
func (p *program) kill() error { return p.end(syscall.SIGKILL) }

// stop ends the program in an orderly way.
func (p *program) stop() error { return p.end(syscall.SIGTERM) }

func (p *program) end(signal syscall.Signal) error {
	p.mu.Lock()
	proc, ended := p.proc, p.ended
	p.mu.Unlock()
	if proc == nil {
		return nil
	}
	if err := proc.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end %s: %w", p.name, err)
	}
	select {
	case <-ended:
		return nil
	case <-time.After(stopPatience):
	}
	_ = proc.Kill() // it may have ended just now
	<-ended
	return fmt.Errorf("%s did not stop within %s and was killed", p.name, stopPatience)
}

// tail is the end of what the program said.
func (p *program) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	return last(string(text))
}

func last(text string) string {
	text = strings.TrimSpace(text)
	return text[max(0, len(text)-maxSaid):]
}

// ready asks a program's admin listener whether it can do its work.
func ready(ctx context.Context, admin string) error {
	ctx, cancel := context.WithTimeout(ctx, readyAsk)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s", admin, resp.Status)
	}
	return nil
}

// get asks a program's admin listener.
func (s *site) get(ctx context.Context, admin, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readyAsk)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s of %s: %s", path, admin, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
}

// command runs one of the project's programs to its end, as an operator would,
// and returns what it said.
func (s *site) command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	var said, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &progress
	if err := cmd.Run(); err != nil {
		return said.String(), fmt.Errorf("%s %s: %w: %s", name, args[0], err,
			last(said.String()+progress.String()))
	}
	return said.String(), nil
}

// port finds one that nothing listens on and that no other drill was given.
func (p *ports) port() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range portTries {
		n := portsFrom + rand.IntN(portsUntil-portsFrom)
		if p.taken[n] {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(n))
		probe, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		p.taken[n] = true
		return address, probe.Close()
	}
	return "", fmt.Errorf("no free port between %d and %d", portsFrom, portsUntil)
}

// ports are those that were given out; nothing may listen there yet.
type ports struct {
	mu    sync.Mutex
	taken map[int]bool // guarded by mu
}
