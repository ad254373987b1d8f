package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Backup writes a copy of the whole database, as it is at one moment, to a new
// file. Writers go on meanwhile. When it returns, the copy is on the disk; a
// copy that was cut short has the name path + ".partial".
func (j *Journal) Backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("back up to %s: %w", path, os.ErrExist)
	}
	partial := path + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("back up to %s: %w", path, err)
	}
	if err := j.vacuumInto(ctx, partial); err != nil {
		return fmt.Errorf("back up to %s: %w", path, errors.Join(err, removeIfThere(partial)))
	}
	if err := syncPath(partial); err != nil {
		return fmt.Errorf("back up to %s: %w", path, err)
	}
	if err := os.Rename(partial, path); err != nil {
		return fmt.Errorf("back up to %s: %w", path, err)
	}
	return syncPath(filepath.Dir(path))
}

// vacuumInto has a connection of its own: VACUUM refuses to run in a view.
func (j *Journal) vacuumInto(ctx context.Context, path string) (err error) {
	if j.path == "" {
		return errors.New("journal in memory has nothing to copy from")
	}
	slot, err := j.readers.borrow(ctx) // so that Close waits for the copy
	if err != nil {
		return err
	}
	defer j.readers.giveBack(slot, true)
	c, err := connect(fileURI(j.path)+"?mode=rw", readerCacheKiB)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	defer c.interruptAfter(ctx)()
	tx := newTx(ctx, c, writing)
	defer tx.end()
	_, err = tx.Exec(`VACUUM INTO ?`, path)
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
