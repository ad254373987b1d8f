package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast.dev/firmware-sim/faults"
)

// Kinds of disks of their own that a scenario may ask for.
const (
	onExt4   = "ext4"   // can lose power, and hang
	onXFS    = "xfs"    // the same
	onMemory = "memory" // can be full

	powerMiB = 320 // xfs wants no less
	smallMiB = 24  // of a node
	broadMiB = 160 // of a member
)

// spare is the disk of one program's folder.
type spare struct {
	disk   *faults.Disk
	memory *faults.Memory
}

func (s spare) dir() string {
	if s.disk != nil {
		return filepath.Join(s.disk.Dir(), "data")
	}
	return filepath.Join(s.memory.Dir(), "data")
}

func (s spare) close() error {
	switch {
	case s.disk != nil:
		return s.disk.Close()
	case s.memory != nil:
		return s.memory.Close()
	}
	return nil
}

// plugIn makes the disks that a scenario wants.
func (w *world) plugIn(kinds map[string]string) (err error) {
	w.spares = make(map[string]spare)
	for folder, kind := range kinds {
		var s spare
		if kind == onMemory {
			size := smallMiB
			if strings.HasPrefix(folder, "cloud") {
				size = broadMiB
			}
			s.memory, err = faults.NewMemory(size)
		} else {
			s.disk, err = faults.NewDisk(kind, powerMiB)
		}
		if err != nil {
			return err
		}
		w.spares[folder] = s
		if err := os.Mkdir(s.dir(), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// plugOut takes the disks away; nobody may use them any more.
func (w *world) plugOut() error {
	var faults []error
	for _, s := range w.spares {
		faults = append(faults, s.close())
	}
	w.spares = nil
	return errors.Join(faults...)
}

// power takes the power from programs and from the disks that they are on.
func power(ctx context.Context, w *world, e Event) (mend, error) {
	all, err := w.programs(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	failed := make([]error, len(all))
	var gone sync.WaitGroup
	for i, c := range all {
		s, ok := w.spares[c.Name()]
		if !ok || s.disk == nil {
			return nil, fmt.Errorf("%s has no disk of its own", c.Name())
		}
		gone.Go(func() { failed[i] = errors.Join(s.disk.Cut(), c.Kill()) })
	}
	gone.Wait()
	return func(context.Context) error {
		var errs []error
		for _, c := range all {
			errs = append(errs, w.spares[c.Name()].disk.Recover(), c.Start())
		}
		return errors.Join(errs...)
	}, errors.Join(failed...)
}

// hang lets a program's disk not answer.
func hang(ctx context.Context, w *world, e Event) (mend, error) {
	c, err := w.program(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	s, ok := w.spares[c.Name()]
	if !ok || s.disk == nil {
		return nil, fmt.Errorf("%s has no disk of its own", c.Name())
	}
	return func(context.Context) error { return s.disk.Resume() }, s.disk.Hang()
}

// full leaves programs no space on their disks.
func full(ctx context.Context, w *world, e Event) (mend, error) {
	all, err := w.programs(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	each := func(do func(*faults.Memory) error) (err error) {
		for _, c := range all {
			s, ok := w.spares[c.Name()]
			if !ok || s.memory == nil {
				return fmt.Errorf("%s has no small disk", c.Name())
			}
			err = errors.Join(err, do(s.memory))
		}
		return err
	}
	return func(context.Context) error { return each((*faults.Memory).Free) },
		each((*faults.Memory).Fill)
}

// dragBy is how long each flush takes on a disk that drags; less than what a
// member takes for a disk that hangs.
const dragBy = 250 * time.Millisecond

// drag lets every flush of a program take long.
func drag(ctx context.Context, w *world, e Event) (mend, error) {
	c, err := w.program(ctx, e.Who)
	if err != nil {
		return nil, err
	}
	late := fmt.Sprintf("inject=fsync,fdatasync:delay_enter=%d", dragBy.Microseconds())
	tracer := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
		"-e", late, "-p",
		strconv.Itoa(c.pid()))
	tracer.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := tracer.Start(); err != nil {
		return nil, fmt.Errorf("slow the disk of %s down: %w", c.Name(), err)
	}
	return func(context.Context) error {
		err := tracer.Process.Signal(syscall.SIGTERM) // it lets go of the program
		_ = tracer.Wait()                             // ends by that signal
		if errors.Is(err, os.ErrProcessDone) {
			return nil
		}
		return err
	}, nil
}
