package bench

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
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// Free ports are looked for below the range that the system takes the ports
	// of outgoing connections from, so that a program finds its own again.
	freeFrom, freeUntil = 20000, 32000
	freeTries           = 300

	tailBytes = 3000 // of a program's log, shown when it does not do as it should
)

// program is one of the real programs, started and ended by us. It dies with
// this process.
type program struct {
	path string
	cmd  *exec.Cmd
	log  *tail         // of the last start
	over chan struct{} // closed when it ended
	err  error         // why; valid when it is over
}

// start runs the program and returns when that was. The kernel counts the
// thread that started it as its parent.
func (p *program) start(args ...string) (time.Time, error) {
	p.log = new(tail)
	p.cmd = exec.Command(p.path, args...)
	p.cmd.Stderr = p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.over = make(chan struct{})
	launched := make(chan error)
	var began time.Time
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		began = time.Now()
		err := p.cmd.Start()
		launched <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.over)
		}
	}()
	err := <-launched
	return began, err
}

// stop asks the program to end, and waits.
func (p *program) stop() error {
	if err := p.end(syscall.SIGTERM, patience); err != nil {
		return err
	}
	return p.err
}

// kill ends the program as a power cut would.
func (p *program) kill() error { return p.end(syscall.SIGKILL, patience) }

func (p *program) end(how syscall.Signal, within time.Duration) error {
	if err := p.cmd.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s to %s: %w", how, p.path, err)
	}
	select {
	case <-p.over:
		return nil
	case <-time.After(within):
		return errors.Join(fmt.Errorf("%s did not end within %s", p.path, within), p.cmd.Process.Kill())
	}
}

// tail is the end of what a program said.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

// Write keeps the end of it.
func (t *tail) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, text...)
	t.text = append(t.text[:0], t.text[max(0, len(t.text)-tailBytes):]...)
	return len(text), nil
}

// String is what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}

// memory is a line of the kernel's about the program's memory, in MiB: VmRSS is
// what it has now, VmHWM the most that it ever had.
func (p *program) memory(line string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for text := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(text, line+":"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 64)
			return n / 1024, err
		}
	}
	return 0, fmt.Errorf("the kernel does not tell %s", line)
}

// cpu is how long the program has computed so far.
func (p *program) cpu() (time.Duration, error) {
	const ticks = 100 // a second, on every Linux
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	after := string(raw[bytes.LastIndexByte(raw, ')')+1:])
	var sum int64
	for i, field := range strings.Fields(after) {
		if i == 11 || i == 12 { // user and system time, counted after the name
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return time.Duration(sum) * time.Second / ticks, nil
}

func freeAddr() (string, error) {
	for range freeTries {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(freeFrom+rand.IntN(freeUntil-freeFrom)))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		return addr, l.Close()
	}
	return "", fmt.Errorf("no free port between %d and %d", freeFrom, freeUntil)
}

// freeAddrs fills several addresses.
func freeAddrs(addrs ...*string) (err error) {
	for _, a := range addrs {
		if *a, err = freeAddr(); err != nil {
			return err
		}
	}
	return nil
}

func call(r *http.Request) ([]byte, error) { return callBy(http.DefaultClient, r) }

func callBy(client *http.Client, r *http.Request) ([]byte, error) {
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", r.Method, r.URL, resp.Status, body)
	}
	return body, err
}

// poll tries until it works; the error is the last one.
func poll(ctx context.Context, every time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}
