package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	ballast  = "ballast"
	fillWith = 64 << 10 // bytes at once, while that fits; then less and less
)

// Memory is a small file system in memory that can be full. It needs root.
type Memory struct{ dir string }

// NewMemory mounts a file system of a size in MiB.
func NewMemory(sizeMiB int) (*Memory, error) {
	dir, err := os.MkdirTemp("", "holdfast-memory-")
	if err != nil {
		return nil, fmt.Errorf("make a mount point: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", sizeMiB)); err != nil {
		return nil, errors.Join(fmt.Errorf("mount %d MiB of memory: %w", sizeMiB, err), os.Remove(dir))
	}
	return &Memory{dir: dir}, nil
}

// Dir is where the file system is mounted.
func (m *Memory) Dir() string { return m.dir }

// Fill takes all space that is left.
func (m *Memory) Fill() error {
	f, err := os.OpenFile(filepath.Join(m.dir, ballast), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("fill %s: %w", m.dir, err)
	}
	defer f.Close()
	for size := fillWith; size > 0; {
		switch _, err := f.Write(make([]byte, size)); {
		case errors.Is(err, unix.ENOSPC):
			size /= 2
		case err != nil:
			return fmt.Errorf("fill %s: %w", m.dir, err)
		}
	}
	return nil
}

// Free gives the space back.
func (m *Memory) Free() error {
	err := os.Remove(filepath.Join(m.dir, ballast))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("free %s: %w", m.dir, err)
	}
	return nil
}

// Close unmounts the file system.
func (m *Memory) Close() error {
	d := Disk{dir: m.dir}
	return errors.Join(d.unmount(), os.Remove(m.dir))
}
