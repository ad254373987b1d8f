package drills

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"holdfast.dev/firmware-sim/program"
)

const (
	startPatience = 30 * time.Second
	adminAsk      = 2 * time.Second
)

// daemon is one real program with its checks. Nobody starts it again unasked:
// a drill wants to see it end.
type daemon struct {
	*program.Program
	path  string // of what it runs; another one after an upgrade
	admin string // host:port of its checks
}

// newDaemon describes a program; nothing runs yet.
func (s *site) newDaemon(name, binary, admin string, args ...string) *daemon {
	d := &daemon{path: filepath.Join(s.bin, binary), admin: admin}
	d.Program = program.New(program.Options{Name: name, Log: filepath.Join(s.dir, name+".log"),
		Command: func() []string { return append([]string{d.path}, args...) }})
	return d
}

// startReady runs the program and waits until it is ready.
func (d *daemon) startReady(ctx context.Context) error {
	if err := d.Start(); err != nil {
		return err
	}
	return d.AwaitReady(ctx, startPatience, program.Ready(http.DefaultClient, d.admin))
}

// get asks a program's admin listener.
func (s *site) get(ctx context.Context, admin, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, adminAsk)
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
	out, err := program.Run(ctx, nil, append([]string{filepath.Join(s.bin, name)}, args...)...)
	return out.Said, err
}
