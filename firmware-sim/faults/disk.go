// Package faults breaks disks on purpose: a file system of its own that loses
// power, as the real one would.
package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// ioctlShutdown stops a file system; ext4 and xfs share the number.
	ioctlShutdown = 0x8004587d
	// noLogFlush drops what is not on the disk yet, the file system's own log
	// included: what a power cut leaves.
	noLogFlush = 2
	// Writers to a frozen file system wait, and whoever wants it flushed.
	ioctlFreeze = 0xc0045877
	ioctlThaw   = 0xc0045878

	commandWait  = 20 * time.Second
	unmountTries = 100
	unmountPause = 20 * time.Millisecond
)

// Disk is a file system on an image in memory. It needs root, loop devices and
// the file system's mkfs.
type Disk struct {
	dir   string // mount point
	root  string // of everything
	image string
	loop  string
}

// NewDisk makes and mounts a file system ("ext4" or "xfs") of a size in MiB.
func NewDisk(kind string, sizeMiB int) (d *Disk, err error) {
	root, err := os.MkdirTemp(memory(), "holdfast-disk-")
	if err != nil {
		return nil, fmt.Errorf("make a disk: %w", err)
	}
	d = &Disk{root: root, dir: filepath.Join(root, "mnt"), image: filepath.Join(root, "image")}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(int64(sizeMiB)<<20), f.Close()); err != nil {
		return nil, err
	}
	if d.loop, err = run("losetup", "--find", "--show", d.image); err != nil {
		return nil, err
	}
	quiet := map[string]string{"ext4": "-Fq", "xfs": "-fq"}[kind]
	if quiet == "" {
		return nil, fmt.Errorf("file system %q is neither ext4 nor xfs", kind)
	}
	if _, err := run("mkfs."+kind, quiet, d.loop); err != nil {
		return nil, err
	}
	return d, d.mount()
}

// memory is where the image lives: cuts are about what was flushed, not about
// how fast.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// Dir is where the file system is mounted.
func (d *Disk) Dir() string { return d.dir }

func (d *Disk) mount() error {
	_, err := run("mount", d.loop, d.dir)
	return err
}

// Cut drops everything that was not made durable. Whoever has files open gets
// errors from here on.
func (d *Disk) Cut() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), ioctlShutdown, noLogFlush); err != nil {
		return fmt.Errorf("cut the power of %s: %w", d.dir, err)
	}
	return nil
}

// Hang lets the disk not answer any more: who writes waits, and cannot even be
// killed, until Resume.
func (d *Disk) Hang() error { return d.control(ioctlFreeze, "freeze") }

// Resume lets a disk that hangs answer again.
func (d *Disk) Resume() error { return d.control(ioctlThaw, "thaw") }

func (d *Disk) control(request uint, what string) error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetInt(int(f.Fd()), request, 0); err != nil {
		return fmt.Errorf("%s %s: %w", what, d.dir, err)
	}
	return nil
}

// Recover mounts the file system again: its own recovery runs. Nobody may have
// files open any more. The disk comes back as another device: a program that got
// a copy of the table of mounts meanwhile still has the one without power.
func (d *Disk) Recover() (err error) {
	if err := d.unmount(); err != nil {
		return err
	}
	if _, err := run("losetup", "--detach", d.loop); err != nil {
		return err
	}
	if d.loop, err = run("losetup", "--find", "--show", d.image); err != nil {
		return err
	}
	return d.mount()
}

func (d *Disk) unmount() (err error) {
	for range unmountTries {
		if err = unix.Unmount(d.dir, 0); !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(unmountPause) // a killed process lets go of its files a little later
	}
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount %s: %w", d.dir, err)
	}
	return nil
}

// Close removes the disk.
func (d *Disk) Close() error {
	err := d.unmount()
	if d.loop != "" {
		_, detach := run("losetup", "--detach", d.loop)
		err = errors.Join(err, detach)
	}
	return errors.Join(err, os.RemoveAll(d.root))
}

func run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandWait)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text)
	}
	return text, nil
}
