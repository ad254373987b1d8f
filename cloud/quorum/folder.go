package quorum

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/hashicorp/raft"

	"holdfast.dev/cloud/quorum/logstore"
	"holdfast.dev/stock/journal"
)

const (
	ownFolder    = "quorum"   // in Options.Dir
	logFile      = "log.db"   // entries, term, vote and the member's id
	foundingFile = "founding" // is there while a cluster is being founded

	localAddress = "local" // of a member that no other one can reach

	keyMember = "holdfast-member"
	keyTerm   = "CurrentTerm" // raft's own name for it
	firstTerm = 1
)

// folder is where a member's own files are.
type folder struct {
	database string // path of the SQLite file; "": in memory
	own      string // folder of everything else
}

func (f folder) memory() bool     { return f.database == "" }
func (f folder) founding() string { return filepath.Join(f.own, foundingFile) }

// openFolder opens what the member keeps and makes it fit to run: a restore or
// a founding that was cut short is finished first.
func (m *Member) openFolder(ctx context.Context) error {
	if m.o.Dir != "" {
		m.folder = folder{database: filepath.Join(m.o.Dir, m.o.File),
			own: filepath.Join(m.o.Dir, ownFolder)}
		if err := makeFolder(m.folder.own); err != nil {
			return err
		}
	}
	if m.folder.memory() && (m.o.Net != nil || m.o.Join != "") {
		return errors.New("a member in memory is alone")
	}
	if err := m.openLog(); err != nil {
		return err
	}
	var err error
	if m.snaps, err = openSnapshots(m); err != nil {
		return err
	}
	if err = m.finishRestore(ctx); err != nil {
		return err
	}
	j, err := m.openJournal(ctx)
	if err != nil {
		return err
	}
	m.books.replace(j)
	if err := m.begin(ctx, j); err != nil {
		return err
	}
	m.applied.moved(j.Applied().Index)
	return nil
}

// makeFolder makes the folder and sees to it that its name is on the disk.
func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (m *Member) openLog() error {
	b := logstore.Memory()
	if !m.folder.memory() {
		var err error
		if b, err = logstore.Bolt(filepath.Join(m.folder.own, logFile)); err != nil {
			return err
		}
	}
	if m.o.wrapLog != nil {
		b = m.o.wrapLog(b)
	}
	m.store = logstore.Guard(b, logstore.Options{Limit: m.o.Timing.Disk, Fatal: m.fail})
	return nil
}

func (m *Member) openJournal(ctx context.Context) (*journal.Journal, error) {
	j, err := journal.Open(ctx, journal.Options{Path: m.folder.database, Machine: m.o.Machine,
		Logger: m.log, Sync: "NORMAL", Replicated: true})
	if errors.Is(err, journal.ErrNewer) {
		return nil, fmt.Errorf("%w: %w", ErrTooOld, err)
	}
	if err != nil {
		return nil, err
	}
	if err := m.knows(j.Applied().Version, j.Tables()); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	m.wait.Go(func() {
		select {
		case <-j.Fault():
			m.fail(j.Err())
		case <-m.ctx.Done():
		}
	})
	return j, nil
}

// begin decides what this folder is: a member that goes on, one that founds a
// cluster, or one that waits to be taken in. Anything else lost something.
func (m *Member) begin(ctx context.Context, j *journal.Journal) error {
	id, err := m.store.Get([]byte(keyMember))
	if err != nil && err.Error() != "not found" {
		return err
	}
	m.id = raft.ServerID(id)
	started, err := raft.HasExistingState(m.store, m.store, m.snaps)
	if err != nil {
		return err
	}
	holds := j.Applied().Index > 0 || j.Head().Seq > 0 && m.o.Join != ""
	switch {
	case m.isFounding():
		return m.found(ctx, j)
	case started:
		return m.checkState(j)
	case m.id != "" && m.o.Join != "" && j.Applied().Index == 0:
		m.outside = true // waits to be taken in, again
		return nil
	case m.id != "":
		return errors.New("this member was not taken in by any cluster yet: name a member to join")
	case m.o.Adopt && m.o.Join == "":
		if err := m.replayTail(ctx, j); err != nil {
			return err
		}
		return m.found(ctx, j)
	case holds && m.o.Join == "":
		return errors.New("the database belongs to a member whose log is gone: " +
			"it cannot go on; join the cluster with an empty folder")
	case holds:
		return errors.New("the folder holds a database: only an empty folder can join a cluster")
	case m.o.Join == "":
		return m.found(ctx, j)
	}
	m.outside = true
	return m.makeID()
}

// tailBatch is how many entries of another member's log are applied at once.
const tailBatch = 256

// replayTail applies what another member's log has beyond the database.
func (m *Member) replayTail(ctx context.Context, j *journal.Journal) error {
	if m.o.Tail == "" {
		return nil
	}
	log, err := logstore.Bolt(m.o.Tail)
	if err != nil {
		return err
	}
	defer log.Close()
	last, err := log.LastIndex()
	if err != nil {
		return err
	}
	var batch []journal.LogEntry
	for index := j.Applied().Index + 1; index <= last; index++ {
		var l raft.Log
		if err := log.GetLog(index, &l); err != nil {
			return fmt.Errorf("entry %d of the log: %w", index, err)
		}
		entry, err := decodeEntry(&l)
		if err == nil {
			err = m.knows(entry.Version, entry.Tables)
		}
		if err != nil {
			return err
		}
		if batch = append(batch, entry); len(batch) == tailBatch || index == last {
			if _, err := j.ApplyLog(ctx, batch); err != nil {
				return err
			}
			batch = nil
		}
	}
	return nil
}

// checkState refuses a database that is older than what the log builds on.
func (m *Member) checkState(j *journal.Journal) error {
	if m.id == "" {
		return errors.New("the log has no member's id")
	}
	newest := m.snaps.newest()
	if newest == nil {
		return errors.New("the log has no snapshot to begin after: " +
			"it is not whole; join the cluster with an empty folder")
	}
	if j.Applied().Index < newest.Index {
		return fmt.Errorf("the database has entry %d, the log begins after %d: "+
			"the database was lost or is an old copy; join the cluster with an empty folder",
			j.Applied().Index, newest.Index)
	}
	return nil
}

// makeID gives the member its id, for ever: it lives with the votes and the
// log that it must not be parted from.
func (m *Member) makeID() error {
	id := uuid.New().String()
	if err := m.store.Set([]byte(keyMember), []byte(id)); err != nil {
		return err
	}
	m.id = raft.ServerID(id)
	return nil
}

func (m *Member) isFounding() bool {
	if m.folder.memory() {
		return false
	}
	_, err := os.Lstat(m.folder.founding())
	return !errors.Is(err, fs.ErrNotExist)
}

// found makes what the database holds, nothing perhaps, the state after the
// first entry of a log that this member alone keeps. Each step may be the last
// before a crash; then all are done again.
func (m *Member) found(ctx context.Context, j *journal.Journal) error {
	steps := []struct {
		name string
		do   func() error
	}{
		{"mark", m.markFounding},
		{"id", func() error {
			if m.id != "" {
				return nil
			}
			return m.makeID()
		}},
		{"state", func() error {
			if j.Applied().Index > 0 { // adopted, or done before a crash
				_, err := j.Harden(ctx)
				return err
			}
			return j.Found(ctx, j.Head().Seq+1, firstTerm, m.o.Machine.Version())
		}},
		{"snapshot", func() error { return m.snaps.found(j.Applied().Index) }},
		{"term", func() error { return m.store.SetUint64([]byte(keyTerm), firstTerm) }},
		{"unmark", m.unmarkFounding},
	}
	for _, step := range steps {
		if m.o.halt != nil {
			if err := m.o.halt(step.name); err != nil {
				return err
			}
		}
		if err := step.do(); err != nil {
			return fmt.Errorf("found a cluster: %s: %w", step.name, err)
		}
	}
	return nil
}

func (m *Member) markFounding() error {
	if m.folder.memory() {
		return nil
	}
	f, err := os.OpenFile(m.folder.founding(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncFolder(m.folder.own))
}

func (m *Member) unmarkFounding() error {
	if m.folder.memory() {
		return nil
	}
	return errors.Join(os.Remove(m.folder.founding()), syncFolder(m.folder.own))
}

// address is where others reach this member.
func (m *Member) address() raft.ServerAddress {
	if m.o.Net == nil {
		return localAddress
	}
	return raft.ServerAddress(m.o.Net.Addr())
}

// alone tells whether this member is the only one with a vote.
func (m *Member) alone() bool {
	voters := m.voters()
	return len(voters) == 1 && voters[0].ID == m.id
}

// voters are the members with a vote, as this one knows.
func (m *Member) voters() []raft.Server {
	var voters []raft.Server
	for _, s := range m.servers() {
		if s.Suffrage == raft.Voter {
			voters = append(voters, s)
		}
	}
	return voters
}

func (m *Member) servers() []raft.Server {
	return m.raft.Load().GetConfiguration().Configuration().Servers
}
