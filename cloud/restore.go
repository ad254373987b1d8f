package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/internal/process"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/journal"
)

const (
	// restoringFile is in a folder that a backup is being restored to; it goes
	// when a new timeline has begun there.
	restoringFile = "restoring"
	// bumpWithin is how long a new timeline may take to begin.
	bumpWithin = time.Minute
)

// RestoreOptions say which backup to restore, and where to.
type RestoreOptions struct {
	Data   string `help:"Empty folder for the cloud." default:"/var/lib/holdfast/cloud"`
	Reason string `help:"Why, for whoever reads it later." default:"restored from a backup"`
	File   string `arg:"" help:"The backup; or, when all other processes are lost, the folder of one that was stopped." type:"path"`

	TrustNodes bool   `help:"Serve every store at once: nobody has replaced a node, or put its disk back, since the backup was made."`
	After      uint32 `help:"The newest timeline that any node shows, if the cloud was restored before."`
}

// source is what a cloud can be founded with.
type source interface {
	io.Closer
	// keyFiles are the cloud's keys, by their names.
	keyFiles() map[string][]byte
	// size is how much there is to unpack, in bytes.
	size() int64
	// unpack puts a checked database into a folder, and closes the bar. Tail is a log
	// whose entries come on top of it, or "".
	unpack(ctx context.Context, dir string, bar *process.Progress) (tail string, err error)
	// about says what it is, in words that begin a sentence.
	about() string
}

// Restore founds a cloud of one process with a backup, in a new timeline: the
// stores may know more than the backup. It returns a sentence.
func Restore(ctx context.Context, o RestoreOptions, progress io.Writer) (string, error) {
	from, err := openSource(o.File)
	if err != nil {
		return "", err
	}
	defer from.Close()
	kept, err := emptyFolder(o.Data, from.keyFiles())
	if err != nil {
		return "", err
	}
	begun, err := o.into(ctx, from, progress)
	if err != nil {
		return "", errors.Join(fmt.Errorf("restore %s: %w", o.File, err), clearFolder(o.Data, kept))
	}
	return fmt.Sprintf("%s is in %s, with everything up to entry %d. A new timeline has begun for %d stores: each "+
		"brings back what it knows as soon as it connects%s. Start it with holdfast-cloud run --data %s; other "+
		"processes join it with empty folders.", from.about(), o.Data, begun.index, begun.stores,
		admission(o.TrustNodes), o.Data), nil
}

// openSource opens a backup, or the folder of a process that was stopped.
func openSource(path string) (source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open the backup: %w", err)
	}
	if info.IsDir() {
		return openStopped(path)
	}
	a, err := openArchive(path)
	if err != nil {
		return nil, err
	}
	if err := a.readable(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *archive) keyFiles() map[string][]byte { return a.keys }

func (a *archive) about() string { return "The cloud of " + a.Made.Local().Format(time.DateTime) }

// readable refuses what a newer program made.
func (a *archive) readable() error {
	tables := len(new(headoffice.Machine).Migrations())
	switch {
	case a.Format > backupFormat, a.Version > headoffice.Version, a.Tables > tables:
		return fmt.Errorf("the backup is of a newer program (layout %d, commands %d, tables %d; this one knows "+
			"%d, %d, %d): restore it with that program", a.Format, a.Version, a.Tables, backupFormat,
			headoffice.Version, tables)
	case a.Format < 1:
		return errors.New("the file is no backup of a cloud")
	}
	return nil
}

// emptyFolder makes sure that nothing is in the way, and returns what may stay:
// the cloud's own keys.
func emptyFolder(dir string, keys map[string][]byte) (kept []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the cloud's folder: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		key, ours := keys[f.Name()]
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if ours && err == nil && bytes.Equal(raw, key) {
			kept = append(kept, f.Name())
			continue
		}
		return nil, fmt.Errorf("%s: a backup is restored to an empty folder only", whatIsIn(dir, f.Name()))
	}
	return kept, nil
}

// whatIsIn says in words what keeps a backup out of a folder.
func whatIsIn(dir, found string) string {
	if runsOn(dir) {
		return fmt.Sprintf("a cloud is running on %s", dir)
	}
	if _, err := os.Stat(filepath.Join(dir, restoringFile)); err == nil {
		return fmt.Sprintf("a restore to %s was cut short; remove what is in it", dir)
	}
	if _, err := os.Stat(filepath.Join(dir, memberLog)); err == nil {
		return fmt.Sprintf("%s holds the data of a cloud", dir)
	}
	return fmt.Sprintf("%s is in %s", found, dir)
}

// clearFolder removes what a restore left behind.
func clearFolder(dir string, kept []string) error {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if !slices.Contains(kept, f.Name()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, f.Name())))
		}
	}
	return err
}

// begun is what a restored cloud begins with.
type begun struct {
	index  uint64 // of its newest entry
	stores int64
}

// into founds a cloud and begins a new timeline. A marker says so until it has
// begun.
func (o RestoreOptions) into(ctx context.Context, from source, progress io.Writer) (b begun, err error) {
	marker := filepath.Join(o.Data, restoringFile)
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		return b, err
	}
	if err := syncDir(o.Data); err != nil {
		return b, err
	}
	for name, raw := range from.keyFiles() {
		if err := os.WriteFile(filepath.Join(o.Data, name), raw, 0o600); err != nil {
			return b, err
		}
	}
	tail, err := from.unpack(ctx, o.Data, process.NewProgress(progress, "restore", from.size()))
	if err != nil {
		return b, err
	}
	if b, err = o.beginTimeline(ctx, tail); err != nil {
		return b, err
	}
	if tail != "" {
		err = os.Remove(tail)
	}
	return b, errors.Join(err, os.Remove(marker), syncDir(o.Data))
}

func (a *archive) size() int64 { return a.Size }

func (a *archive) unpack(ctx context.Context, dir string, bar *process.Progress) (tail string, err error) {
	database := filepath.Join(dir, engine.Database)
	sum, err := copyTo(database, a.database, bar)
	bar.Close()
	if err == nil && (sum.size != a.Size || sum.hash != a.SHA256) {
		err = fmt.Errorf("the file is damaged: %d bytes with SHA-256 %s, it should have %d with %s", sum.size,
			sum.hash, a.Size, a.SHA256)
	}
	if err != nil {
		return "", err
	}
	applied, err := journal.Inspect(ctx, database)
	if err != nil {
		return "", err
	}
	return "", a.fits(applied)
}

// beginTimeline founds the cloud and lets its first command be a new timeline,
// before any node can reach it.
func (o RestoreOptions) beginTimeline(ctx context.Context, tail string) (b begun, err error) {
	ctx, cancel := context.WithTimeout(ctx, bumpWithin)
	defer cancel()
	e, err := engine.Open(ctx, engine.Options{Dir: o.Data, Adopt: true, Tail: tail})
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	b.index = e.Journal().Applied().Index
	if err := e.Sync(ctx); err != nil {
		return b, err
	}
	result, err := e.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_BumpTimeline{
		BumpTimeline: &recordv1.BumpTimeline{Reason: o.Reason, Freeze: !o.TrustNodes,
			After: o.After}}})
	if err != nil {
		return b, fmt.Errorf("begin a new timeline: %w", err)
	}
	b.stores = int64(result.GetCount().GetRows())
	return b, nil
}

// refuseHalfRestored refuses to run on a folder where no new timeline began.
func refuseHalfRestored(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, restoringFile)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a restore to %s was cut short: remove what is in it, and restore again", dir)
	}
	return nil
}
