package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/internal/identity"
	"holdfast.dev/internal/process"
	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	"holdfast.dev/stock/journal"
)

// RebuildOptions say which store to bring back on this machine.
type RebuildOptions struct {
	Data  string `help:"Folder of the node's database and identity." default:"/var/lib/holdfast/node"`
	Join  string `arg:"" help:"One-time join string from head office."`
	Cloud string `help:"host:port of the cloud; the join string's unless given." placeholder:"HOST:PORT"`
	Old   string `help:"Folder of the lost node's disk, if it can still be read: what it had not told is handed over." placeholder:"DIR"`
}

// asideFolder is where a former node's files go that stood in the data folder.
const asideFolder = "former-"

// Rebuild makes this machine the node of a store whose node is lost: a new key
// and a new epoch, the store's records as far as the cloud keeps them, and its
// books as of the last one. What a former node in the same folder, or on an old
// disk, had not told the cloud is handed over first. It returns a sentence for
// the person who typed it.
func Rebuild(ctx context.Context, o RebuildOptions, progress io.Writer, log *slog.Logger) (string, error) {
	if _, err := identity.ParseJoin(o.Join); err != nil {
		return "", err // before anything is moved
	}
	old, undo, err := putAside(o.Data)
	if err != nil {
		return "", err
	}
	if _, err := Enrol(ctx, EnrolOptions{Data: o.Data, Join: o.Join, Cloud: o.Cloud}); err != nil {
		return "", errors.Join(err, undo())
	}
	if o.Old != "" {
		old = o.Old
	}
	id, err := identity.OpenNodeKey(o.Data)
	if err != nil {
		return "", err
	}
	address := o.Cloud
	if address == "" {
		address = id.Addr()
	}
	remote, err := uplink.OpenRemote(address, id)
	if err != nil {
		return "", err
	}
	defer remote.Close()
	taken, err := handOver(ctx, old, id, remote)
	if err != nil {
		return "", err
	}
	records, err := rebuildHere(ctx, o.Data, id, remote, progress, log)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Store %d is back: %d records from the cloud, %d facts of the old disk handed over. "+
		"Start it with holdfast-node run --data %s.", id.Peer().Store, records, taken, o.Data), nil
}

// formerFiles are what a node that stood in a data folder leaves there.
var formerFiles = []string{journalFile, journalFile + "-wal", journalFile + "-shm", "node.key",
	"node.csr", "membership.json", storeFile}

// putAside moves a former node's files out of the way and returns the folder
// that they are in; "" when there was none. undo moves them back.
func putAside(data string) (aside string, undo func() error, err error) {
	if _, err := os.Stat(filepath.Join(data, journalFile)); errors.Is(err, fs.ErrNotExist) {
		return "", func() error { return nil }, nil
	}
	unlock, err := journal.Lock(filepath.Join(data, journalFile))
	if err != nil {
		return "", nil, fmt.Errorf("the node in %s still runs; stop it first: %w", data, err)
	}
	defer unlock()
	aside = filepath.Join(data, asideFolder+time.Now().UTC().Format("20060102T150405"))
	if err := os.Mkdir(aside, 0o700); err != nil {
		return "", nil, fmt.Errorf("put the former node aside: %w", err)
	}
	return aside, func() error { return moveFiles(aside, data) }, moveFiles(data, aside)
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

// handOver tells the cloud what an old disk knows and the cloud does not.
func handOver(ctx context.Context, old string, id *identity.NodeIdentity,
	remote *uplink.Remote) (uint64, error) {
	if old == "" {
		return 0, nil
	}
	floor := shopfloor.New(floorOptions(id.Peer(), shopfloor.ID{}, new(catalogue.Products), nil), localTables()...)
	j, err := journal.Open(ctx, journal.Options{Path: filepath.Join(old, journalFile), Machine: floor.Machine()})
	if err != nil {
		return 0, fmt.Errorf("the old disk: %w", err)
	}
	defer j.Close()
	first, err := firstOwn(ctx, j, 1, remote)
	if err != nil {
		return 0, err
	}
	return remote.Salvage(ctx, id.Peer().Epoch, uplink.SalvagePage(ctx, j), first)
}

func rebuildHere(ctx context.Context, data string, id *identity.NodeIdentity, remote *uplink.Remote,
	progress io.Writer, log *slog.Logger) (uint64, error) {
	raw, err := nodeID(id.Peer().NodeID)
	if err != nil {
		return 0, err
	}
	bar := process.NewProgress(progress, "rebuild", 0)
	defer bar.Close()
	shown := uint64(0)
	o := floorOptions(id.Peer(), raw, new(catalogue.Products), log)
	err = rebuildAt(ctx, data, o, remote, func(done, _ uint64) {
		bar.Add(int64(done - shown))
		shown = done
	})
	if err != nil {
		return 0, err
	}
	if err := takeRebuilt(data); err != nil {
		return 0, err
	}
	j, err := journal.Open(ctx, journal.Options{Path: filepath.Join(data, journalFile),
		Machine: shopfloor.New(o, localTables()...).Machine()})
	if err != nil {
		return 0, err
	}
	defer j.Close()
	return j.Head().Seq, nil
}
