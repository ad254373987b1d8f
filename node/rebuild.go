package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

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
	Cloud string `help:"host:port of the cloud, several with commas; the join string's unless given." placeholder:"HOST:PORT"`
	Old   string `help:"Folder of the lost node's disk, if it can still be read: what it had not told is handed over." placeholder:"DIR"`
}

// Rebuild makes this machine the node of a store whose node is lost: a new epoch,
// the store's records as far as the cloud keeps them, and its books as of the
// last one. What a former node in the same folder, or on an old disk, had not
// told the cloud is handed over first. It can be repeated after any failure. It
// returns a sentence for the person who typed it.
func Rebuild(ctx context.Context, o RebuildOptions, progress io.Writer,
	log *slog.Logger) (string, error) {
	join, err := identity.ParseJoin(o.Join)
	if err != nil {
		return "", err // before anything is moved
	}
	if o.Cloud != "" {
		join.Addr = o.Cloud
	}
	if err := sameStore(o.Data, join); err != nil {
		return "", err
	}
	if o.Old != "" {
		if err := copyFormer(ctx, o.Old, o.Data, join); err != nil {
			return "", err
		}
	}
	undo, err := putAside(o.Data)
	if err != nil {
		return "", err
	}
	id, err := redeem(ctx, o.Data, join)
	if err != nil {
		return "", errors.Join(err, undo())
	}
	remote, err := uplink.OpenRemote(join.Addr, id)
	if err != nil {
		return "", err
	}
	defer remote.Close()
	taken, lost, err := handOver(ctx, o.Data, id, remote)
	if err != nil {
		return "", err
	}
	records, err := rebuildHere(ctx, o.Data, id, remote, progress, log)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Store %d is back: %d records from the cloud, %d facts of the old disk "+
		"handed over.%s Start it with holdfast-node run --data %s.", id.Peer().Store, records, taken,
		lost, o.Data), nil
}

// sameStore refuses a folder whose node belongs to another store.
func sameStore(data string, join identity.Join) error {
	id, err := identity.OpenNodeKey(data)
	if err == nil && id.Enrolled() && id.Peer().Store != join.Store {
		err = fmt.Errorf("the node in %s belongs to store %d, the join string is for store %d", data,
			id.Peer().Store, join.Store)
	}
	return err
}

// redeem redeems a join string for the key in a data folder. A rebuild that was
// interrupted goes on with the key that it had made, so that its string is not
// taken for used.
func redeem(ctx context.Context, data string, join identity.Join) (*identity.NodeIdentity, error) {
	id, err := identity.OpenNodeKey(data)
	if err != nil {
		return nil, err
	}
	info, err := uplink.Enrol(ctx, id, join)
	if err != nil {
		return nil, err
	}
	return id, saveStoreInfo(data, info)
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
