// Package bench measures Holdfast against limits that are measured in the same
// run, on the same disk and in turns, so that its figures mean something on any
// machine: they are ratios.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"holdfast.dev/firmware-sim/program"
)

// Options say what to measure and how to tell it.
type Options struct {
	JSON  bool   `help:"Print a JSON array instead of a table."`
	Only  string `help:"Measure only the rows whose name matches." placeholder:"REGEXP"`
	Short bool   `help:"Use smaller counts and fewer rounds; the names say so."`

	Bin      string    `kong:"-"` // folder of holdfast-node and holdfast-cloud; "": this program's
	Out      io.Writer `kong:"-"`
	Progress io.Writer `kong:"-"` // nil: silent
}

// sizes are how much is measured.
type sizes struct {
	rounds   int           // an odd number; the median counts
	span     time.Duration // of a round that counts calls
	scans    int           // of a round that times them
	backlog  int           // sales that the cloud has not heard of
	products int           // of the large store
	records  int           // of the large store
	little   hoard         // of a cloud
	much     hoard         // of a cloud
	stores   int           // that tell of a backlog together
	kills    int           // of leaders
	hangs    int           // of leaders' disks
	nodes    int           // connected to one process of the cloud
	storm    int           // of them lose their line at once
	calm     time.Duration // in which they do nothing
}

var (
	fullSizes = sizes{rounds: 5, span: time.Second, scans: 1000, backlog: 40_000,
		products: 100_000, records: 1_000_000, little: hoard{20, 500}, much: hoard{500, 20_000},
		stores: 200, kills: 50, hangs: 3,
		nodes: 5000, storm: 2000, calm: 20 * time.Second}
	shortSizes = sizes{rounds: 3, span: 250 * time.Millisecond, scans: 200, backlog: 20_000,
		products: 10_000, records: 50_000, little: hoard{20, 50}, much: hoard{50, 20_000},
		stores: 200, kills: 5, hangs: 1,
		nodes: 500, storm: 200, calm: 5 * time.Second}
)

// bench is one run.
type bench struct {
	o       Options
	size    sizes
	only    *regexp.Regexp
	dir     string // on a file system with a disk behind it
	ports   program.Ports
	figures []Figure
}

// part measures rows that share their preparation.
type part struct {
	rows []string
	run  func(context.Context, *bench) error
}

// parts lists everything that is measured, in the order of the table.
func (b *bench) parts() []part {
	return []part{
		{[]string{b.name(saleRows[0].name)}, sales(saleRows[0])},
		{[]string{b.name(saleRows[1].name)}, sales(saleRows[1])},
		{[]string{b.name(saleRows[2].name)}, sales(saleRows[2])},
		{[]string{b.name(scanRow)}, scans},
		{[]string{b.name(restRow), b.name(grpcRow)}, reads},
		{[]string{b.name(uplinkRow)}, catchUp},
		{b.reserveRows(1), reservations(1)},
		{b.reserveRows(3), reservations(3)},
		{[]string{b.name(rqliteRow)}, againstRqlite},
		{[]string{b.manyRow()}, many},
		{[]string{b.hoardRow()}, hoards},
		{b.idleRows(), idle},
		{[]string{b.killRow()}, kills},
		{[]string{b.hangRow()}, hangs},
		{[]string{b.largeName(rssRow), b.largeName(startRow)}, large},
		{[]string{binaryRow("holdfast-node"), binaryRow("holdfast-cloud")}, binaries},
	}
}

// name is a row's name; a short run says so.
func (b *bench) name(row string) string {
	if b.o.Short {
		return row + " (short)"
	}
	return row
}

// Run measures and prints. A goal that is not met is no error; a row that
// could not be measured is one, after the others were printed.
func Run(ctx context.Context, o Options) error {
	if o.Short {
		return run(ctx, o, shortSizes)
	}
	return run(ctx, o, fullSizes)
}

func run(ctx context.Context, o Options, size sizes) error {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	only, err := regexp.Compile("(?i)" + o.Only)
	if err != nil {
		return fmt.Errorf("read --only: %w", err)
	}
	b := &bench{o: o, size: size, only: only}
	if b.dir, err = scratch(); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	var faults []error
	for _, p := range b.parts() {
		if err := b.runPart(ctx, p); err != nil {
			faults = append(faults, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.Join(append(faults, b.print())...)
}

func (b *bench) runPart(ctx context.Context, p part) error {
	wanted := ""
	for _, name := range p.rows {
		if b.only.MatchString(name) {
			wanted = name
		}
	}
	if wanted == "" {
		return nil
	}
	began := time.Now()
	if err := p.run(ctx, b); err != nil {
		return fmt.Errorf("measure %s: %w", p.rows[0], err)
	}
	fmt.Fprintf(b.o.Progress, "%s: %s\n", p.rows[0], time.Since(began).Round(100*time.Millisecond))
	return nil
}

// add keeps a figure that was asked for.
func (b *bench) add(f Figure) {
	if b.only.MatchString(f.Name) {
		b.figures = append(b.figures, f)
	}
}

// folder makes a folder for one part.
func (b *bench) folder(name string) (string, error) {
	return os.MkdirTemp(b.dir, name+"-")
}

// bin is the path of one of our programs.
func (b *bench) bin(program string) (string, error) {
	dir := b.o.Bin
	if dir == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find %s: %w", program, err)
		}
		dir = filepath.Dir(self)
	}
	path := filepath.Join(dir, program)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("find %s: %w", program, err)
	}
	return path, nil
}

// scratch makes a folder on the first file system that has a disk behind it:
// in memory a commit costs nothing, and ratios to it mean nothing.
func scratch() (string, error) {
	places := []string{os.TempDir()}
	if self, err := os.Executable(); err == nil {
		places = append(places, filepath.Dir(self))
	}
	if here, err := os.Getwd(); err == nil {
		places = append(places, here)
	}
	for _, place := range places {
		if inMemory(place) {
			continue
		}
		if dir, err := os.MkdirTemp(place, "holdfast-bench-"); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no folder on a disk among %q: set TMPDIR to one", places)
}

func inMemory(dir string) bool {
	const ramfs = 0x858458f6 // not in package unix
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return false // MkdirTemp will say what is wrong
	}
	return int64(fs.Type) == unix.TMPFS_MAGIC || int64(fs.Type) == ramfs
}
