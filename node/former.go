package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/internal/identity"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

const (
	// asideFolder is how the folders are called that a former node's files go to.
	asideFolder = "former-"
	// toldFile is in such a folder when what it knows was handed over.
	toldFile = "told"
)

// databaseFiles are what a copy of a journal is made of.
var databaseFiles = []string{journalFile, journalFile + "-wal"}

// formerFiles are what a node that stood in a data folder leaves there.
var formerFiles = []string{journalFile, journalFile + "-wal", journalFile + "-shm", "node.key",
	"node.csr", "membership.json", storeFile}

// putAside moves a former node's files out of the way; undo moves them back.
func putAside(data string) (undo func() error, err error) {
	if _, err := os.Stat(filepath.Join(data, journalFile)); errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil
	}
	unlock, err := journal.Lock(filepath.Join(data, journalFile))
	if err != nil {
		return nil, fmt.Errorf("the node in %s still runs; stop it first: %w", data, err)
	}
	defer unlock()
	aside, err := os.MkdirTemp(data, asideFolder+time.Now().UTC().Format("20060102T150405")+"-")
	if err != nil {
		return nil, fmt.Errorf("put the former node aside: %w", err)
	}
	undo = func() error { return errors.Join(moveFiles(aside, data), os.Remove(aside)) }
	return undo, moveFiles(data, aside)
}

func moveFiles(from, to string) error {
	for _, name := range formerFiles {
		err := os.Rename(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("put the former node aside: %w", err)
		}
	}
	return nil
}

// copyFormer copies the database of an old disk beside the new one, so that the
// disk itself is only read. One that cannot be read is refused.
func copyFormer(ctx context.Context, old, data string, join identity.Join) error {
	if _, err := os.Stat(filepath.Join(old, journalFile)); err != nil {
		return fmt.Errorf("the old disk: %w", err)
	}
	// A disk that nobody can write to has no lock, and nobody who writes.
	unlock, err := journal.Lock(filepath.Join(old, journalFile))
	if err == nil {
		defer unlock()
	} else if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("the node in %s still runs; stop it first: %w", old, err)
	}
	// A rebuild that is repeated copies the same disk again, not a second one.
	aside := filepath.Join(data, fmt.Sprintf("%sdisk-%.4x", asideFolder, sha256.Sum256([]byte(old))))
	if err = os.RemoveAll(aside); err == nil {
		err = os.Mkdir(aside, 0o700)
	}
	for _, name := range databaseFiles {
		if err == nil {
			err = copyFile(filepath.Join(old, name), filepath.Join(aside, name))
		}
	}
	if err == nil {
		err = hasBooks(ctx, aside, join.Store)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the old disk: %w", err), os.RemoveAll(aside))
	}
	return nil
}

// hasBooks refuses a database that cannot be opened, or is another store's:
// facts of one store must not be booked in another.
func hasBooks(ctx context.Context, dir string, store stock.StoreID) error {
	j, err := openFormer(ctx, dir, store)
	if err != nil {
		return err
	}
	err = j.View(ctx, func(tx *journal.Tx) error {
		own, err := books.Accounts(tx, store, 0, 1)
		if err == nil && len(own) == 0 {
			err = fmt.Errorf("it has no books of store %d", store)
		}
		return err
	})
	return errors.Join(err, j.Close())
}

// copyFile copies a file, if it is there, durably.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// openFormer opens the journal of a former node, to read it.
func openFormer(ctx context.Context, dir string, store stock.StoreID) (*journal.Journal, error) {
	machine := &shopfloor.Machine{Store: store, Local: localTables()}
	return journal.Open(ctx, journal.Options{Path: filepath.Join(dir, journalFile), Machine: machine})
}

// handOver tells the cloud what former nodes know and the cloud does not, each
// once. It returns how many facts were taken, and a sentence about what could
// not be read: a damaged database must not keep a store from coming back.
func handOver(ctx context.Context, data string, id *identity.NodeIdentity,
	remote *uplink.Remote) (taken uint64, lost string, err error) {
	dirs, err := filepath.Glob(filepath.Join(data, asideFolder+"*"))
	if err != nil {
		return 0, "", err
	}
	for _, dir := range dirs {
		if told, err := wasTold(dir); err != nil {
			return 0, "", err
		} else if told {
			continue
		}
		n, unread, err := handOne(ctx, dir, id, remote)
		if err != nil {
			return 0, "", err
		}
		taken += n
		if unread != nil {
			lost += fmt.Sprintf(" Not everything in %s could be read: %v.", dir, unread)
		}
		if err := os.WriteFile(filepath.Join(dir, toldFile), nil, 0o600); err != nil {
			return 0, "", fmt.Errorf("note what was handed over: %w", err)
		}
	}
	return taken, lost, nil
}

// wasTold tells whether a former node's folder holds nothing more to tell.
func wasTold(dir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dir, journalFile)); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	_, err := os.Stat(filepath.Join(dir, toldFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// handOne hands over what is in one folder, as far as it can be read.
func handOne(ctx context.Context, dir string, id *identity.NodeIdentity,
	remote *uplink.Remote) (taken uint64, unread, err error) {
	j, err := openFormer(ctx, dir, id.Peer().Store)
	if err != nil {
		return 0, err, nil
	}
	defer j.Close()
	old := &readable{Journal: j}
	first, err := firstOwn(ctx, old, 1, remote)
	if err != nil {
		return 0, nil, err
	}
	taken, err = remote.Salvage(ctx, id.Peer().Epoch, old.pages(ctx), first)
	return taken, old.unread, err
}

// readable is a journal that ends where it cannot be read.
type readable struct {
	*journal.Journal
	unread error
}

// At gives the place of a record.
func (r *readable) At(ctx context.Context, seq uint64) (journal.Position, error) {
	at, err := r.Journal.At(ctx, seq)
	if err == nil || ctx.Err() != nil || errors.Is(err, journal.ErrNoRecord) {
		return at, err
	}
	r.unread = err
	return at, journal.ErrNoRecord
}

// pages gives records to hand over, as far as they can be read.
func (r *readable) pages(ctx context.Context) func(from uint64) ([]journal.Entry, error) {
	page := uplink.SalvagePage(ctx, r.Journal)
	return func(from uint64) ([]journal.Entry, error) {
		entries, err := page(from)
		if err == nil || ctx.Err() != nil {
			return entries, err
		}
		r.unread = err
		return nil, nil
	}
}
