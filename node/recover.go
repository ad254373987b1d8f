package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	uplinkv1 "holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const (
	rebuiltFile = journalFile + ".rebuilt" // complete; takes the journal's place at the next start
	buildFile   = journalFile + ".building"
	asideSuffix = ".before-" // of a journal that a rebuilt one replaced
)

// errRebuilt ends a run whose journal was rebuilt; the next run uses the new
// one.
var errRebuilt = errors.New("the store was rebuilt from the cloud")

// Recover brings the store back as the cloud decided.
func (f uplinkFloor) Recover(ctx context.Context, w *uplinkv1.Welcome, remote *uplink.Remote) error {
	epoch := stock.Epoch{Timeline: stock.Timeline(w.GetEpoch().GetTimeline()),
		Counter: w.GetEpoch().GetCounter()}
	f.Meet(w.GetResumeFrom() - 1)
	switch w.GetMode() {
	case recordv1.SessionMode_SESSION_MODE_FAST_FORWARD:
		if err := f.fastForward(ctx, w.GetResumeFrom()-1, remote); err != nil {
			return err
		}
		return f.Recovered(ctx, epoch)
	case recordv1.SessionMode_SESSION_MODE_REBUILD:
		if _, err := f.salvage(ctx, w.GetSalvageFrom(), remote); err != nil {
			return err
		}
		progress := func(done, total uint64) {
			f.node.log.Info("rebuild", "done", done, "total", total)
		}
		if err := f.node.rebuild(ctx, epoch, remote, progress); err != nil {
			return err
		}
		f.node.restart(errRebuilt)
		<-ctx.Done()
		return ctx.Err()
	case recordv1.SessionMode_SESSION_MODE_SALVAGE:
		taken, err := f.salvage(ctx, w.GetSalvageFrom(), remote)
		if err != nil {
			return err
		}
		return shutOut(ctx, taken, f.node.link.State().Refused)
	}
	return stock.Refuse(stock.FeatureRefused, "session mode %s", w.GetMode()).With("what", "session mode")
}

// betweenGreetings is how long a box that was replaced, and has nothing new to
// hand over, leaves head office alone: each greeting asks somebody there to look.
const betweenGreetings = 10 * time.Minute

// shutOut refuses to go on as the store. Only the first time says so at once:
// from then on the refusal shows until the line is tried again.
func shutOut(ctx context.Context, taken uint64, before string) error {
	if taken == 0 && before == stock.Fenced.String() {
		select {
		case <-time.After(betweenGreetings):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return stock.Refuse(stock.Fenced, "this box was replaced; what it knew was handed over")
}

// fastForward appends what the cloud has of this store's own records.
func (f uplinkFloor) fastForward(ctx context.Context, last uint64, remote *uplink.Remote) error {
	from := f.Head().Seq + 1
	if from > last {
		return nil
	}
	return remote.Tail(ctx, from, last, func(prev journal.Position, raws [][]byte) error {
		return f.FastForward(ctx, prev, raws)
	})
}

// salvage hands over what this box has written and the cloud does not have. It
// finds the last common record first: from is only where to look. It returns how
// much of it the cloud had not heard before.
func (f uplinkFloor) salvage(ctx context.Context, from uint64, remote *uplink.Remote) (taken uint64, err error) {
	if from == 0 {
		return 0, nil
	}
	first, err := firstOwn(ctx, f.node.journal, from, remote)
	if err != nil {
		return 0, err
	}
	taken, err = remote.Salvage(ctx, f.Epoch(), uplink.SalvagePage(ctx, f.node.journal), first)
	if err == nil {
		f.node.log.Warn("handed over what the cloud did not know", "seq", first, "taken", taken)
	}
	return taken, err
}

var errDiffers = errors.New("from here on the histories differ")

// positions is a journal whose records are compared with the cloud's.
type positions interface {
	At(ctx context.Context, seq uint64) (journal.Position, error)
	First(ctx context.Context) (uint64, error)
}

// firstOwn finds the first record, from a number on, that is not what the
// cloud has there.
func firstOwn(ctx context.Context, j positions, from uint64, remote *uplink.Remote) (uint64, error) {
	kept, err := j.First(ctx)
	if err != nil {
		return 0, err
	}
	from = max(from, kept)
	first := from
	err = remote.Tail(ctx, from, 0, func(prev journal.Position, raws [][]byte) error {
		for _, raw := range raws {
			prev = journal.Position{Seq: prev.Seq + 1, Hash: journal.Chain(prev.Hash, prev.Seq+1, raw)}
			own, err := j.At(ctx, prev.Seq)
			if errors.Is(err, journal.ErrNoRecord) || err == nil && own.Hash != prev.Hash {
				return errDiffers
			}
			if err != nil {
				return err
			}
			first = prev.Seq + 1
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDiffers) {
		return 0, err
	}
	return first, nil
}

// rebuild makes a new journal from what the cloud has, beside the one in use.
func (n *node) rebuild(ctx context.Context, epoch stock.Epoch, remote *uplink.Remote,
	progress func(done, total uint64)) error {
	peer := n.id.Peer()
	id, err := nodeID(peer.NodeID)
	if err != nil {
		return err
	}
	o := n.floorOptions(id)
	o.Epoch = epoch
	return rebuildAt(ctx, n.o.Data, o, remote, progress)
}

// rebuildAt builds a store's journal in a data folder: its own records as far
// as the cloud keeps them, then its books as of the last one. Whatever happens
// before the end, nothing but a leftover file is there.
func rebuildAt(ctx context.Context, data string, o shopfloor.Options, remote *uplink.Remote,
	progress func(done, total uint64)) (err error) {
	path := filepath.Join(data, buildFile)
	if err := removeJournal(path); err != nil {
		return err
	}
	floor := shopfloor.New(o, localTables()...)
	j, err := journal.Open(ctx, journal.Options{Path: path, Machine: floor.Machine(), Logger: o.Logger})
	if err != nil {
		return err
	}
	err = fill(ctx, j, floor, remote, progress)
	if err = errors.Join(err, j.Close()); err != nil {
		return fmt.Errorf("rebuild the store: %w", err)
	}
	return errors.Join(os.Rename(path, filepath.Join(data, rebuiltFile)), removeJournal(path))
}

func fill(ctx context.Context, j *journal.Journal, floor *shopfloor.Floor, remote *uplink.Remote,
	progress func(done, total uint64)) error {
	err := remote.Tail(ctx, 0, 0, func(prev journal.Position, raws [][]byte) error {
		return floor.Seed(ctx, j, prev, raws)
	})
	if err != nil {
		return err
	}
	at, parts, err := remote.Snapshot(ctx, progress)
	if err != nil {
		return err
	}
	if err := floor.Open(ctx, j); err != nil {
		return err
	}
	if err := floor.Restore(ctx, at, parts); err != nil {
		return err
	}
	return floor.Recovered(ctx, floor.Epoch())
}

// removeJournal removes a journal's files, if they are there.
func removeJournal(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what an earlier rebuild left: %w", err)
		}
	}
	return nil
}

// takeRebuilt puts a rebuilt journal in the place of the old one, which is kept
// beside it.
func takeRebuilt(data string) error {
	rebuilt, path := filepath.Join(data, rebuiltFile), filepath.Join(data, journalFile)
	if _, err := os.Stat(rebuilt); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	aside := path + asideSuffix + time.Now().UTC().Format("20060102T150405")
	for _, suffix := range []string{"-wal", "-shm", ""} {
		err := os.Rename(path+suffix, aside+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("put the old journal aside: %w", err)
		}
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(rebuilt + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("take the rebuilt journal: %w", err)
		}
	}
	if err := os.Rename(rebuilt, path); err != nil {
		return fmt.Errorf("take the rebuilt journal: %w", err)
	}
	dir, err := os.Open(data)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
