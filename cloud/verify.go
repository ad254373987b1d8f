package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/internal/process"
	"holdfast.dev/stock/journal"
)

var (
	errDiffers  = errors.New("the tables differ from the log")
	errUnproven = errors.New("the tables are not proven")
)

const (
	// verifyFolder begins the name of the folder with the copy that is replayed.
	verifyFolder = "verify.part-"
	// earlierFolder is where the earlier backup goes in it.
	earlierFolder = "earlier"
)

// VerifyOptions say which tables to prove, and from what.
type VerifyOptions struct {
	Data string `help:"Folder of a process that was stopped, unless a backup is named." default:"/var/lib/holdfast/cloud"`
	From string `help:"An earlier backup of the same cloud, to begin with where old commands are forgotten." placeholder:"FILE"`
	Work string `help:"Folder with room for two copies of the database; beside it unless given." placeholder:"DIR"`
	File string `arg:"" optional:"" help:"A backup, or the folder of a process that was stopped; that of --data unless given." type:"path"`
}

// Verify replays the commands of a backup, or of a process that was stopped, and
// compares what they build with its tables, row for row. It works on a copy. It
// returns a sentence; a difference is an error.
func Verify(ctx context.Context, o VerifyOptions, progress io.Writer) (said string, err error) {
	if o.File == "" {
		o.File = o.Data
	}
	from, err := openSource(o.File)
	if err != nil {
		return "", err
	}
	defer from.Close()
	dir, err := os.MkdirTemp(o.workIn(), verifyFolder)
	if err != nil {
		return "", fmt.Errorf("make room for a copy, see --work: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if _, err := from.unpack(ctx, dir, process.NewProgress(progress, "copy", from.size())); err != nil {
		return "", fmt.Errorf("copy %s: %w", o.File, err)
	}
	base, err := o.earlier(ctx, from, dir, progress)
	if err != nil {
		return "", err
	}
	return o.replay(ctx, filepath.Join(dir, engine.Database), base, progress)
}

// earlier is what a replay begins with: nothing, or the database of a backup.
type earlier struct {
	database string
	records  uint64
}

// workIn is where the copy goes.
func (o VerifyOptions) workIn() string {
	if o.Work != "" {
		return o.Work
	}
	if info, err := os.Stat(o.File); err == nil && info.IsDir() {
		return o.File
	}
	return filepath.Dir(o.File)
}

// earlier unpacks the backup to begin with, if one is named. It must be of the
// same cloud.
func (o VerifyOptions) earlier(ctx context.Context, of source, dir string, progress io.Writer) (base earlier, err error) {
	if o.From == "" {
		return base, nil
	}
	from, err := openSource(o.From)
	if err != nil {
		return base, err
	}
	defer from.Close()
	a, isFile := from.(*archive)
	if !isFile {
		return base, fmt.Errorf("%s is a folder: --from names a backup", o.From)
	}
	if !bytes.Equal(of.keyFiles()[caCertificate], a.keys[caCertificate]) {
		return base, fmt.Errorf("%s is a backup of another cloud", o.From)
	}
	dir = filepath.Join(dir, earlierFolder)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return base, err
	}
	if _, err := a.unpack(ctx, dir, process.NewProgress(progress, "copy", a.size())); err != nil {
		return base, fmt.Errorf("copy %s: %w", o.From, err)
	}
	return earlier{database: filepath.Join(dir, engine.Database), records: a.Records}, nil
}

// replay proves the tables of a copy.
func (o VerifyOptions) replay(ctx context.Context, database string, base earlier, progress io.Writer) (string, error) {
	j, err := journal.Open(ctx, journal.Options{Path: database, Machine: new(headoffice.Machine), Replicated: true})
	if errors.Is(err, journal.ErrNewer) {
		return "", fmt.Errorf("%s is of a newer program, verify it with that one: %w", o.File, err)
	}
	if err != nil {
		return "", err
	}
	defer j.Close()
	head := j.Head().Seq
	switch version := j.Applied().Version; {
	case version > headoffice.Version:
		return "", fmt.Errorf("%s has commands of version %d, this program knows %d: verify it with a newer one",
			o.File, version, headoffice.Version)
	case base.records > head:
		return "", fmt.Errorf("%s has %d commands, %s only %d: --from names an earlier backup", o.From, base.records,
			o.File, head)
	}
	first, err := j.First(ctx)
	if err != nil {
		return "", err
	}
	if base.records+1 < first {
		base = earlier{} // it ends before the log begins
	}
	bar, shown := process.NewProgress(progress, "replay", int64(head-base.records)), base.records
	show := func(done, _ uint64) {
		bar.Add(int64(done - shown))
		shown = done
	}
	var r journal.Report
	if base.database == "" {
		r, err = j.Verify(ctx, show)
	} else {
		r, err = j.VerifyFrom(ctx, base.database, show)
	}
	bar.Close()
	if err != nil {
		return "", fmt.Errorf("%s: %w", o.File, err)
	}
	return o.say(r, first)
}

// say tells what a replay found. First is the oldest command that is left.
func (o VerifyOptions) say(r journal.Report, first uint64) (string, error) {
	switch {
	case !r.OK():
		return "", fmt.Errorf("%w:\n  %s", errDiffers, strings.Join(r.Mismatches, "\n  "))
	case r.ChainOnly:
		return "", fmt.Errorf("%w: the commands before number %d are forgotten. The others, up to number %d, follow each "+
			"other without a gap. Name a backup that has number %d, or some of the later ones, with --from", errUnproven,
			first, r.Records, first-1)
	case o.From != "":
		return fmt.Sprintf("The commands since %s were replayed, up to number %d: %d rows in %d tables are as they say.",
			o.From, r.Records, r.Rows, r.Tables), nil
	}
	return fmt.Sprintf("%d commands were replayed: %d rows in %d tables are as they say.", r.Records, r.Rows, r.Tables), nil
}
