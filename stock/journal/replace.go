package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	incomingSuffix = ".incoming"
	swapSuffix     = ".swap" // of the file that says: the incoming one is whole
)

// Incoming returns where a database must be written that is to replace the one
// at path.
func Incoming(path string) string { return path + incomingSuffix }

// Inspect checks the structure of a database that no journal has open, and
// returns how far it came in its log.
func Inspect(ctx context.Context, path string) (a Applied, err error) {
	c, err := openReader(path)
	if err != nil {
		return a, fmt.Errorf("inspect %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	defer c.interruptAfter(ctx)()
	tx := newTx(ctx, c, reading)
	defer tx.end()
	var verdict string
	if err := tx.QueryRow(`PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return a, fmt.Errorf("inspect %s: %w", path, err)
	}
	if verdict != "ok" {
		return a, fmt.Errorf("inspect %s: %s", path, verdict)
	}
	if a, err = appliedIn(tx); err != nil {
		return a, fmt.Errorf("inspect %s: %w", path, err)
	}
	return a, nil
}

// InspectTables returns what Digest does, of a database that no journal has
// open.
func InspectTables(ctx context.Context, path string) (digests map[string]Hash, err error) {
	c, err := openReader(path)
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	defer c.interruptAfter(ctx)()
	tx := newTx(ctx, c, reading)
	defer tx.end()
	if digests, err = digestTables(tx); err != nil {
		return nil, fmt.Errorf("inspect %s: %w", path, err)
	}
	return digests, nil
}

// Replace puts the database at Incoming(path) in the place of the one at path,
// which must be closed. If it is cut short, the next Open finishes it.
func Replace(path string) error {
	if err := syncPath(Incoming(path)); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	f, err := os.OpenFile(path+swapSuffix, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	if err := errors.Join(f.Sync(), f.Close(), syncPath(filepath.Dir(path))); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return finishReplace(path)
}

// finishReplace does what the swap file asks for, from any point on. The old
// database's write-ahead log must go first: it would be read into the new one.
func finishReplace(path string) error {
	if _, err := os.Lstat(path + swapSuffix); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	incoming := Incoming(path)
	if _, err := os.Lstat(incoming); err == nil {
		err := errors.Join(removeIfThere(path+"-wal"), removeIfThere(path+"-shm"))
		if err == nil {
			err = os.Rename(incoming, path)
		}
		if err != nil {
			return fmt.Errorf("replace %s: %w", path, err)
		}
	}
	dir := filepath.Dir(path)
	if err := errors.Join(syncPath(dir), os.Remove(path+swapSuffix), syncPath(dir)); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}
