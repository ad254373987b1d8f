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

	"golang.org/x/sys/unix"

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
	File   string `arg:"" help:"The backup." type:"existingfile"`

	TrustNodes bool   `help:"Serve every store at once: nobody has replaced a node, or put its disk back, since the backup was made."`
	After      uint32 `help:"The newest timeline that any node shows, if the cloud was restored before."`
}

// Restore founds a cloud of one process with a backup, in a new timeline: the
// stores may know more than the backup. It returns a sentence.
func Restore(ctx context.Context, o RestoreOptions, progress io.Writer) (string, error) {
	a, err := openArchive(o.File)
	if err != nil {
		return "", err
	}
	defer a.Close()
	if err := a.readable(); err != nil {
		return "", err
	}
	kept, err := emptyFolder(o.Data, a)
	if err != nil {
		return "", err
	}
	stores, err := o.into(ctx, a, progress)
	if err != nil {
		return "", errors.Join(fmt.Errorf("restore %s: %w", o.File, err), clearFolder(o.Data, kept))
	}
	return fmt.Sprintf("The cloud of %s is in %s, with everything up to entry %d. A new timeline has begun for %d "+
		"stores: each brings back what it knows as soon as it connects%s. Start it with holdfast-cloud run --data %s; "+
		"other processes join it with empty folders.", a.Made.Local().Format(time.DateTime), o.Data, a.Index, stores,
		admission(o.TrustNodes), o.Data), nil
}

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
func emptyFolder(dir string, a *archive) (kept []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the cloud's folder: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		key, ours := a.keys[f.Name()]
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
	log, err := os.Open(filepath.Join(dir, "quorum", "log.db"))
	if err == nil {
		defer log.Close()
		if unix.Flock(int(log.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil {
			return fmt.Sprintf("a cloud is running on %s", dir)
		}
	}
	switch _, err := os.Stat(filepath.Join(dir, restoringFile)); {
	case err == nil:
		return fmt.Sprintf("a restore to %s was cut short; remove what is in it", dir)
	case log != nil:
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

// into unpacks the backup, founds a cloud with it, and begins a new timeline.
func (o RestoreOptions) into(ctx context.Context, a *archive, progress io.Writer) (stores int64, err error) {
	marker := filepath.Join(o.Data, restoringFile)
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		return 0, err
	}
	if err := syncDir(o.Data); err != nil {
		return 0, err
	}
	for name, raw := range a.keys {
		if err := os.WriteFile(filepath.Join(o.Data, name), raw, 0o600); err != nil {
			return 0, err
		}
	}
	database := filepath.Join(o.Data, engine.Database)
	bar := process.NewProgress(progress, "restore", a.Size)
	sum, err := copyTo(database, a.database, bar)
	bar.Close()
	if err == nil && (sum.size != a.Size || sum.hash != a.SHA256) {
		err = fmt.Errorf("the file is damaged: %d bytes with SHA-256 %s, it should have %d with %s", sum.size,
			sum.hash, a.Size, a.SHA256)
	}
	if err != nil {
		return 0, err
	}
	applied, err := journal.Inspect(ctx, database)
	if err == nil {
		err = a.fits(applied)
	}
	if err != nil {
		return 0, err
	}
	if stores, err = o.beginTimeline(ctx); err != nil {
		return 0, err
	}
	return stores, errors.Join(os.Remove(marker), syncDir(o.Data))
}

// beginTimeline founds the cloud and lets its first command be a new timeline,
// before any node can reach it.
func (o RestoreOptions) beginTimeline(ctx context.Context) (stores int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, bumpWithin)
	defer cancel()
	e, err := engine.Open(ctx, engine.Options{Dir: o.Data, Adopt: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := e.Sync(ctx); err != nil {
		return 0, err
	}
	result, err := e.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_BumpTimeline{
		BumpTimeline: &recordv1.BumpTimeline{Reason: o.Reason, Freeze: !o.TrustNodes,
			After: o.After}}})
	if err != nil {
		return 0, fmt.Errorf("begin a new timeline: %w", err)
	}
	return int64(result.GetCount().GetRows()), nil
}

// refuseHalfRestored refuses to run on a folder where no new timeline began.
func refuseHalfRestored(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, restoringFile)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a restore to %s was cut short: remove what is in it, and restore again", dir)
	}
	return nil
}
