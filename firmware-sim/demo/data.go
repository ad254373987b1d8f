package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockData makes the data folder and takes it for this demo alone.
func lockData(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another demo runs in %s: stop it, or choose another folder with --data", dir)
	}
	return f, nil
}

// Reset deletes what a demo has kept. It refuses a folder that no demo made,
// and one that a demo runs in.
func Reset(dir string) error {
	_, err := os.Stat(filepath.Join(dir, lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("%s holds no demo: nothing was deleted", dir)
	}
	if err != nil {
		return fmt.Errorf("look into %s: %w", dir, err)
	}
	lock, err := lockData(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("delete the demo's data: %w", err)
	}
	return nil
}
