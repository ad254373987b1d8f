package chaos

import (
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
	restartAfter = 300 * time.Millisecond // as a service manager would, after a crash
	stopPatience = 20 * time.Second
	tailBytes    = 3000 // of a program's log, shown when it does not do as it should
)

// child is one program that a run starts, freezes, kills and starts again. It
// is started anew when it ends unasked. It dies with its parent.
type child struct {
	name string
	logs string // path
	ns   string // where it runs; see place
	args func() []string

	mu     sync.Mutex
	wanted bool          // guarded by mu
	proc   *os.Process   // guarded by mu; nil: it does not run
	wake   chan struct{} // guarded by mu; closed to cut a pause short
	done   chan struct{} // guarded by mu; closed when its supervisor ended
	code   int           // guarded by mu: what it ended with last
}

// start starts the program if it does not run. args give the program and its
// arguments, at each start anew.
func (c *child) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted {
		return nil
	}
	out, err := os.OpenFile(c.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log of %s: %w", c.name, err)
	}
	c.wanted, c.wake, c.done = true, make(chan struct{}), make(chan struct{})
	go c.supervise(out, c.wake, c.done)
	return nil
}

// supervise keeps its thread for itself: the kernel's promise to kill the child
// with its parent is about the thread that started it.
func (c *child) supervise(out *os.File, wake, done chan struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(done)
	defer out.Close()
	for {
		c.runOnce(out)
		select {
		case <-wake:
			return
		case <-time.After(restartAfter):
		}
	}
}

func (c *child) runOnce(out *os.File) {
	args := inside(c.ns, c.args())
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	c.mu.Lock()
	if !c.wanted {
		c.mu.Unlock()
		return
	}
	if err := cmd.Start(); err != nil {
		c.mu.Unlock()
		fmt.Fprintf(out, "start %s: %v\n", c.name, err)
		return
	}
	c.proc = cmd.Process
	c.mu.Unlock()
	err := cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proc, c.code = nil, cmd.ProcessState.ExitCode()
	if c.wanted {
		fmt.Fprintf(out, "%s ended unasked: %v\n", c.name, err)
	}
}

// pid is zero while the program does not run.
func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proc == nil {
		return 0
	}
	return c.proc.Pid
}

// at is an address of the program's, where it runs.
func (c *child) at(addr string) place { return place{c.ns, addr} }

// lastCode is what the program ended with last.
func (c *child) lastCode() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code
}

// kill ends the program as a power cut would, and waits until it is gone.
func (c *child) kill() error { return c.end(syscall.SIGKILL) }

// stop asks the program to end, and waits.
func (c *child) stop() error { return c.end(syscall.SIGTERM) }

func (c *child) end(how syscall.Signal) error {
	c.mu.Lock()
	if !c.wanted {
		c.mu.Unlock()
		return nil
	}
	c.wanted = false
	close(c.wake)
	done := c.done
	c.mu.Unlock()
	err := c.signal(how)
	select {
	case <-done:
		return err
	case <-time.After(stopPatience):
	}
	err = errors.Join(err, fmt.Errorf("%s did not end within %s", c.name, stopPatience))
	err = errors.Join(err, c.signal(syscall.SIGKILL))
	<-done
	return err
}

func (c *child) freeze() error { return c.signal(syscall.SIGSTOP) }

func (c *child) thaw() error { return c.signal(syscall.SIGCONT) }

func (c *child) signal(s syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proc == nil {
		return nil
	}
	if err := c.proc.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s to %s: %w", s, c.name, err)
	}
	return nil
}

// tail is the end of what the program said.
func (c *child) tail() string {
	f, err := os.Open(c.logs)
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
