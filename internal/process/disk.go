package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// How much room is enough: each limit is a size, or a part of a small disk.
const (
	// A disk is low below this: people should make room.
	lowBytes, lowPart = 1 << 30, 10
	// Scarce below this: what can wait is refused.
	scarceBytes, scarcePart = 256 << 20, 33
	// Out of room below this: the ballast goes.
	outBytes, outPart = 16 << 20, 200
	// ballast is what then becomes free, so that people can act.
	ballastBytes, ballastPart = 64 << 20, 100

	ballastFile = "ballast"
	diskEvery   = time.Second
)

// Room says how much room a disk has.
type Room int

// The rooms of a disk, from the best to the worst.
const (
	RoomEnough Room = iota
	RoomLow         // people should make room
	RoomScarce      // what can wait is refused
)

// String is the name in logs and checks.
func (r Room) String() string { return [...]string{"enough", "low", "scarce"}[r] }

// Disk watches how much room is left where a program keeps its data, and keeps
// a ballast file there, which goes when the disk is all but full.
type Disk struct {
	dir  string
	log  *slog.Logger
	stat func(dir string) (free, size int64, err error)

	room atomic.Int32
	free atomic.Int64
	mu   sync.Mutex // one look at a time
}

// NewDisk looks at the disk of a folder that is there. Looking first, before
// anything is opened, is what lets a program start again on a full disk.
func NewDisk(dir string, log *slog.Logger) (*Disk, error) {
	d := &Disk{dir: dir, log: log, stat: diskSpace}
	return d, d.look()
}

func diskSpace(dir string) (free, size int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("ask how much room is left in %s: %w", dir, err)
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}

// Room is how much there was at the newest look.
func (d *Disk) Room() Room { return Room(d.room.Load()) }

// Free is how many bytes there were.
func (d *Disk) Free() int64 { return d.free.Load() }

// Run keeps looking until ctx ends.
func (d *Disk) Run(ctx context.Context) error {
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := d.look(); err != nil {
			d.log.Error("look at the disk", "err", err)
		}
	}
}

// look takes a fresh look, and makes or removes the ballast.
func (d *Disk) look() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	free, size, err := d.stat(d.dir)
	if err != nil {
		return err
	}
	low, ballast := min(lowBytes, size/lowPart), min(ballastBytes, size/ballastPart)
	now := RoomEnough
	switch {
	case free < min(scarceBytes, size/scarcePart):
		now = RoomScarce
	case free < low:
		now = RoomLow
	}
	d.free.Store(free)
	if was := Room(d.room.Swap(int32(now))); was != now {
		level := slog.LevelWarn
		if now == RoomEnough {
			level = slog.LevelInfo
		}
		d.log.Log(context.Background(), level, "room on the disk", "room", now, "was", was, "free", free, "dir", d.dir)
	}
	switch {
	case free < min(outBytes, size/outPart):
		return d.dropBallast(free)
	case free > low+ballast:
		return d.makeBallast(ballast)
	}
	return nil
}

func (d *Disk) path() string { return filepath.Join(d.dir, ballastFile) }

func (d *Disk) dropBallast(free int64) error {
	err := os.Remove(d.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		d.log.Error("the disk is full: the ballast is gone, make room now", "free", free, "dir", d.dir)
	}
	return err
}

// makeBallast makes the file anew unless it is there, in full.
func (d *Disk) makeBallast(size int64) error {
	if info, err := os.Stat(d.path()); err == nil && info.Size() >= size {
		return nil
	}
	part := d.path() + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make the ballast: %w", err)
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		_, err = f.Write(make([]byte, size))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("make the ballast: %w", errors.Join(err, os.Remove(part)))
	}
	return os.Rename(part, d.path())
}

// Warning is what /healthz says; empty while there is enough room.
func (d *Disk) Warning() string {
	if d.Room() == RoomEnough {
		return ""
	}
	return fmt.Sprintf("room on the disk of %s is %s: %d MiB are left", d.dir, d.Room(), d.Free()>>20)
}

// Register adds the disk's figures, and its warning.
func (d *Disk) Register(registry *prometheus.Registry, health *Health) {
	health.Warn("disk", d.Warning)
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_disk_free_bytes",
			Help: "Room that is left where the data is."}, func() float64 { return float64(d.Free()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_disk_room",
			Help: "0: enough; 1: low, make room; 2: scarce, what can wait is refused."},
			func() float64 { return float64(d.Room()) }))
}
