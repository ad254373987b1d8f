package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asParent makes this test's program start a program and wait to be killed.
const asParent = "HOLDFAST_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(asParent) != "" {
		os.Exit(parent())
	}
	os.Exit(m.Run())
}

// parent says which program it started.
func parent() int {
	p := New(Options{Name: "child", Command: sh("exec sleep 60")})
	if err := p.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(p.State().PID)
	<-p.Over()
	return 1
}

func sh(script string) func() []string {
	return func() []string { return []string{"/bin/sh", "-c", script} }
}

// started starts a script, which is started again a moment after it crashes.
func started(t *testing.T, script string) *Program {
	t.Helper()
	p := New(Options{Name: "script", Command: sh(script), Log: filepath.Join(t.TempDir(), "log"),
		Restart: 10 * time.Millisecond})
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

func await(t *testing.T, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := Poll(ctx, time.Millisecond, try); err != nil {
		t.Fatal(err)
	}
}

// saying waits until the program has said something.
func saying(t *testing.T, p *Program, want string) {
	t.Helper()
	await(t, func() error {
		if got := p.Log(); !strings.Contains(got, want) {
			return fmt.Errorf("log %q has no %q", got, want)
		}
		return nil
	})
}

func TestAKilledProgramStaysDownUntilItIsStarted(t *testing.T) {
	p := started(t, "exec sleep 60")
	first := p.State().PID
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	s := p.State()
	if s.Running || !s.Killed || s.Code != -1 || fmt.Sprint(s.Ended) != "signal: killed" {
		t.Errorf("after the kill: %+v", s)
	}
	if !isClosed(p.Over()) || p.Alive() == nil {
		t.Error("it is not over")
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if s := p.State(); !s.Running || s.PID == first || s.Restarts != 1 || s.Killed {
		t.Errorf("not started again: %+v", s)
	}
	if err := p.Alive(); err != nil {
		t.Error(err)
	}
}

func TestACrashedProgramIsStartedAgain(t *testing.T) {
	p := started(t, "exec sleep 60")
	if err := p.Signal(syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	await(t, func() error {
		if s := p.State(); s.Restarts != 1 || !s.Running {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	saying(t, p, "script ended unasked: signal: segmentation fault")
}

func TestStartCutsAPauseShort(t *testing.T) {
	p := New(Options{Name: "script", Command: sh("sleep 0.05; exit 7"), Restart: time.Hour})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, func() error {
		if s := p.State(); s.Code != 7 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, func() error {
		if s := p.State(); s.Restarts != 1 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}

func TestAProgramThatIsNotSupervisedStaysDownAndSaysWithWhat(t *testing.T) {
	p := New(Options{Name: "script", Command: sh("exit 3")})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	<-p.Over()
	if s := p.State(); s.Running || s.Code != 3 || s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
	if err := p.Alive(); fmt.Sprint(err) != "script ended: exit status 3" {
		t.Error(err)
	}
	if err := errors.Join(p.Kill(), p.Stop()); err != nil {
		t.Errorf("what does not run cannot be ended: %v", err)
	}
}

func TestAMissingProgramIsAFaultAtStart(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Hour} {
		p := New(Options{Name: "nothing", Restart: pause,
			Command: func() []string { return []string{"/no/such/program"} }})
		if err := p.Start(); err == nil || !strings.Contains(err.Error(), "start nothing: ") {
			t.Errorf("pause %s: %v", pause, err)
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestAProgramThatDoesNotBecomeReadySaysWhy(t *testing.T) {
	never := func(context.Context) error { return errors.New("nobody listens") }
	for name, o := range map[string]Options{
		"once":  {},
		"twice": {Restart: time.Millisecond, Crashes: 1},
	} {
		o.Name, o.Command = name, sh("echo no luck; exit 3")
		p := New(o)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		err := p.AwaitReady(t.Context(), time.Minute, never)
		for _, want := range []string{name + " does not start", "no luck", "exit status 3"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %q", err, want)
			}
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
	p := started(t, "exec sleep 60")
	err := p.AwaitReady(t.Context(), time.Millisecond, never)
	if err == nil || !strings.Contains(err.Error(), "not within 1ms") ||
		!strings.Contains(err.Error(), "nobody listens") {
		t.Error(err)
	}
}

func TestReadyAsksTheAdminListener(t *testing.T) {
	status := http.StatusServiceUnavailable
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(status)
	}))
	defer web.Close()
	ready := Ready(http.DefaultClient, strings.TrimPrefix(web.URL, "http://"))
	if err := ready(t.Context()); err == nil || !strings.Contains(err.Error(), "503") {
		t.Error(err)
	}
	status = http.StatusOK
	if err := ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStopAsksBeforeItKills(t *testing.T) {
	p := started(t, "trap 'echo goodbye; exit 0' TERM; echo hello; while :; do sleep 0.05; done")
	saying(t, p, "hello")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if got, want := p.Log(), "hello\ngoodbye"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}
	if s := p.State(); s.Running || s.Killed || s.Ended != nil || s.Code != 0 {
		t.Errorf("after the stop: %+v", s)
	}
}

func TestAProgramThatDoesNotStopIsKilled(t *testing.T) {
	p := started(t, "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
	saying(t, p, "deaf")
	err := p.end(syscall.SIGTERM, 20*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "did not stop within 20ms and was killed") {
		t.Error(err)
	}
	if s := p.State(); s.Running || fmt.Sprint(s.Ended) != "signal: killed" {
		t.Errorf("%+v", s)
	}
}

func TestAFrozenProgramCanBeKilled(t *testing.T) {
	p := started(t, "exec sleep 60")
	if err := errors.Join(p.Signal(syscall.SIGSTOP), p.Kill()); err != nil {
		t.Fatal(err)
	}
	if p.Alive() == nil {
		t.Error("it still runs")
	}
}

func TestTheLogIsAddedToAndHasABound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &said{path: path}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	chunk := append(bytes.Repeat([]byte("x"), 1<<20-1), '\n')
	for i := range 2*maxLog>>20 + 1 {
		if _, err := fmt.Fprintf(s, "%d%s", i, chunk); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{path, path + oldTail} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > maxLog || info.Size() == 0 {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
	}
	if got := len(s.String()); got > tailBytes || got < tailBytes/2 {
		t.Errorf("the tail has %d bytes", got)
	}
}

func TestNoProgramIsLeftBehindWhenItsParentDies(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asParent+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 32)
	n, err := out.Read(text)
	child, numErr := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err := errors.Join(err, numErr, syscall.Kill(child, 0), cmd.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	await(t, func() error {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child)); err == nil &&
			!strings.Contains(string(stat), ") Z ") {
			return fmt.Errorf("the child lives on: %s", stat)
		}
		return nil
	})
}

func TestACommandThatGoesWrongSaysWhatItPrinted(t *testing.T) {
	out, err := Run(t.Context(), nil, "/bin/sh", "-c", "echo said; echo why >&2; exit 2")
	if err == nil || !strings.Contains(err.Error(), "sh: exit status 2: said\nwhy") {
		t.Error(err)
	}
	if out != (Output{Said: "said\n", Progress: "why\n"}) {
		t.Errorf("%+v", out)
	}
	var progress bytes.Buffer
	out, err = Run(t.Context(), &progress, "/bin/sh", "-c", "echo said; echo bar >&2")
	if err != nil || out != (Output{Said: "said\n"}) || progress.String() != "bar\n" {
		t.Errorf("%+v %q %v", out, &progress, err)
	}
}

func TestPortsAreGivenOutOnce(t *testing.T) {
	var given Ports
	seen := make(map[string]bool)
	for range 100 {
		var a, b string
		if err := given.Fill(&a, &b); err != nil {
			t.Fatal(err)
		}
		if a == b || seen[a] || seen[b] {
			t.Fatalf("%s, %s: given out before", a, b)
		}
		seen[a], seen[b] = true, true
	}
	for port := freeFrom; port < freeUntil; port++ {
		given.Take(port)
	}
	if port, err := given.Next(); err == nil {
		t.Errorf("port %d was taken", port)
	}
}
