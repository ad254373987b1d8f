package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	storev1 "holdfast.dev/proto/store/v1"
)

const (
	startPatience = 90 * time.Second
	pollEvery     = 20 * time.Millisecond

	// Free ports are looked for below the range that the system takes the ports
	// of outgoing connections from.
	freeFrom, freeUntil = 20000, 32000
	freeTries           = 300

	// manyCalls a second may come from this one machine, which is all shoppers.
	manyCalls = "20000"
)

// ports gives out addresses of this machine that nothing listens on.
type ports map[string]bool

func (p ports) next() (string, error) {
	for range freeTries {
		port := freeFrom + rand.IntN(freeUntil-freeFrom)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if p[addr] {
			continue
		}
		probe, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err := probe.Close(); err != nil {
			return "", fmt.Errorf("look for a free port: %w", err)
		}
		p[addr] = true
		return addr, nil
	}
	return "", fmt.Errorf("no free port between %d and %d", freeFrom, freeUntil)
}

// all fills several addresses.
func (p ports) all(addrs ...*string) (err error) {
	for _, a := range addrs {
		if *a, err = p.next(); err != nil {
			return err
		}
	}
	return nil
}

// node is one store's process.
type node struct {
	*child
	store  uint32
	data   string
	listen string
	admin  string
	line   *cable // to the cloud, whichever member answers; nil on a fabric
	clouds string // where it finds the cloud
	api    *rest  // of somebody who inspects
}

// look asks the node for its standing.
func (n *node) look(ctx context.Context) (*storev1.Node, error) {
	state := new(storev1.Node)
	return state, n.api.get(ctx, "/v1/node", state)
}

// ready asks a program's admin listener whether the program can do its work.
func ready(ctx context.Context, admin place) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	asker := newREST(admin, time.Second)
	defer asker.close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, asker.base+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := asker.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s", admin.addr, resp.Status)
	}
	return nil
}

// awaitReady waits for a program; when it does not come its log says why.
func awaitReady(ctx context.Context, c *child, admin string) error {
	err := poll(ctx, startPatience, func() error { return ready(ctx, c.at(admin)) })
	if err != nil {
		return fmt.Errorf("%s does not start: %w\n%s", c.name, err, c.tail())
	}
	return nil
}

// poll tries until it works; the error is the last one.
func poll(ctx context.Context, within time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}

// runTool runs one of the programs to its end, where another one runs.
func runTool(ctx context.Context, beside *child, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	words := inside(beside.ns, append([]string{path}, args...))
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(path), args[0], err,
			out[max(0, len(out)-tailBytes):])
	}
	return string(out), nil
}

// wipe empties a folder.
func wipe(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var faults []error
	for _, e := range entries {
		faults = append(faults, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(faults...)
}
