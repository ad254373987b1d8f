package chaos

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/firmware-sim/program"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	startPatience = 90 * time.Second
	restartAfter  = 300 * time.Millisecond // as a service manager would, after a crash
	// mostCrashes of a program that starts: it may wait for one that is broken.
	mostCrashes = int(startPatience / restartAfter)
	toolWithin  = time.Minute
	pollEvery   = 20 * time.Millisecond

	// manyCalls a second may come from this one machine, which is all shoppers.
	manyCalls = "20000"
)

// child is one program that a run starts, freezes, kills and starts again. It
// is started anew when it ends unasked.
type child struct {
	*program.Program
	ns string // where it runs; see place
}

// newChild describes a program; nothing is started. command gives the program
// and its arguments, at each start anew.
func (w *world) newChild(name string, command func() []string) *child {
	c := new(child)
	c.Program = program.New(program.Options{Name: name, Log: w.path("logs", name+".log"),
		Command: func() []string { return inside(c.ns, command()) },
		Restart: restartAfter, Crashes: mostCrashes})
	return c
}

// pid is zero while the program does not run.
func (c *child) pid() int { return c.State().PID }

// at is an address of the program's, where it runs.
func (c *child) at(addr string) place { return place{c.ns, addr} }

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

// awaitReady waits for a program; when it does not come its log says why.
func awaitReady(ctx context.Context, c *child, admin string) error {
	asker := newREST(c.at(admin), time.Second)
	defer asker.close()
	return c.AwaitReady(ctx, startPatience, program.Ready(asker.client, admin))
}

// poll tries until it works; the error is the last one.
func poll(ctx context.Context, within time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return program.Poll(ctx, pollEvery, try)
}

// runTool runs one of the programs to its end, where another one runs.
func runTool(ctx context.Context, beside *child, command ...string) error {
	ctx, cancel := context.WithTimeout(ctx, toolWithin)
	defer cancel()
	_, err := program.Run(ctx, nil, inside(beside.ns, command)...)
	return err
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
