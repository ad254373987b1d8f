package cloud

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/internal/identity"
	"holdfast.dev/internal/process"
	"holdfast.dev/stock/journal"
)

// memberLog is where a process keeps its part of the log, in its folder.
const memberLog = "quorum/log.db"

// walSuffix ends the name of the file with what is not yet folded into a database.
const walSuffix = "-wal"

// runsOn tells whether a process has a folder open.
func runsOn(dir string) bool {
	log, err := os.Open(filepath.Join(dir, memberLog))
	if err != nil {
		return false
	}
	defer log.Close()
	return unix.Flock(int(log.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}

// stopped is the folder of the last process of a cloud that lost all others. It
// is only read: whoever comes back to life still has it.
type stopped struct {
	dir  string
	keys map[string][]byte
}

func openStopped(dir string) (*stopped, error) {
	if runsOn(dir) {
		return nil, fmt.Errorf("a cloud is running on %s: stop it first", dir)
	}
	later, err := identity.LaterSigningKeys(dir)
	if err != nil {
		return nil, err
	}
	s := &stopped{dir: dir, keys: make(map[string][]byte)}
	for _, name := range slices.Concat(sharedKeys, later) {
		if s.keys[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("%s is no folder of a cloud: %w", dir, err)
		}
	}
	for _, name := range []string{memberLog, engine.Database} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("%s is no folder of a cloud: %w", dir, err)
		}
	}
	return s, nil
}

// Close does nothing.
func (s *stopped) Close() error { return nil }

func (s *stopped) keyFiles() map[string][]byte { return s.keys }

func (s *stopped) about() string { return "What the process in " + s.dir + " had" }

// files are what there is to copy, by their names in the folder, and what they
// take. All may be folded into the database, which has no other file then.
func (s *stopped) files() (names []string, size int64) {
	for _, name := range []string{engine.Database, engine.Database + walSuffix, memberLog} {
		if info, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			names, size = append(names, name), size+info.Size()
		}
	}
	return names, size
}

func (s *stopped) size() int64 {
	_, size := s.files()
	return size
}

// unpack copies the database as it is, with what was not yet folded into it, and
// the log: others may have counted on entries that this process only kept.
func (s *stopped) unpack(ctx context.Context, dir string, bar *process.Progress) (tail string, err error) {
	defer bar.Close()
	tail = filepath.Join(dir, "tail.db")
	names, _ := s.files()
	for _, name := range names {
		to := filepath.Join(dir, name)
		if name == memberLog {
			to = tail
		}
		if err := copyFile(to, filepath.Join(s.dir, name), bar); err != nil {
			return "", err
		}
	}
	_, err = journal.Inspect(ctx, filepath.Join(dir, engine.Database))
	return tail, err
}

func copyFile(to, from string, bar *process.Progress) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = copyTo(to, f, bar)
	return err
}
