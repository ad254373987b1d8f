package journal

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// createPrivate makes the database file readable for this user alone if it is
// new; SQLite's other files take over its mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// lockFile takes the lock that keeps a second process out. The lock ends with
// the process, however it ends. It is a file of its own because closing any
// descriptor of the database file would drop SQLite's locks on it.
func lockFile(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f.Close, nil
}

// Lock keeps the journal at a path from being opened until it is unlocked, or
// the process ends. It gives ErrLocked while another process has it open.
func Lock(path string) (unlock func() error, err error) { return lockFile(path + lockSuffix) }

// lockSuffix names the lock beside the database file.
const lockSuffix = ".lock"
