package quorum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"github.com/klauspost/compress/zstd"

	"holdfast.dev/stock/journal"
)

const (
	snapshotFolder = "snapshots"
	metaSuffix     = ".json"
	dataSuffix     = ".zst" // a received database, until it is restored
	partSuffix     = ".part"
	copyPrefix     = "copy-" // of the database, for a follower

	keptSnapshots    = 2
	snapshotInterval = 30 * time.Second
)

// snapshots is raft's store of snapshots. The snapshot is the database itself:
// what is kept here only says that the database has the entries up to an index
// for good, so a snapshot costs one fsync. A copy is made when a follower needs
// one. It may be newer than the snapshot; entries that it has are skipped.
type snapshots struct {
	m   *Member
	dir string // "": in memory

	mu    sync.Mutex
	kept  []keptSnapshot // guarded by mu, newest first
	fresh int            // guarded by mu: makes ids unique
}

// keptSnapshot is what stands in a snapshot's file.
type keptSnapshot struct {
	raft.SnapshotMeta
	Received bool // its database has not replaced this member's yet
}

func openSnapshots(m *Member) (*snapshots, error) {
	s := &snapshots{m: m}
	if m.folder.memory() {
		return s, nil
	}
	s.dir = filepath.Join(m.folder.own, snapshotFolder)
	if err := makeFolder(s.dir); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), copyPrefix) || strings.HasSuffix(f.Name(), partSuffix) {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, f.Name())))
		}
		if !strings.HasSuffix(f.Name(), metaSuffix) {
			continue
		}
		kept, readErr := readSnapshot(filepath.Join(s.dir, f.Name()))
		if readErr != nil {
			return nil, readErr
		}
		s.kept = append(s.kept, kept)
	}
	s.sort()
	return s, err
}

func readSnapshot(path string) (kept keptSnapshot, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return kept, fmt.Errorf("read snapshot %s: %w", filepath.Base(path), err)
	}
	return kept, nil
}

func (s *snapshots) sort() {
	slices.SortFunc(s.kept, func(a, b keptSnapshot) int {
		if a.Index != b.Index {
			return int(min(max(int64(b.Index)-int64(a.Index), -1), 1))
		}
		return strings.Compare(b.ID, a.ID)
	})
}

// newest returns the newest snapshot, or nil.
func (s *snapshots) newest() *keptSnapshot {
	return s.find(func(keptSnapshot) bool { return true })
}

// received returns the snapshot whose database is to replace this member's, or
// nil.
func (s *snapshots) received() *keptSnapshot {
	return s.find(func(k keptSnapshot) bool { return k.Received })
}

func (s *snapshots) find(fits func(keptSnapshot) bool) *keptSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.kept, fits)
	if i < 0 {
		return nil
	}
	kept := s.kept[i]
	return &kept
}

// List returns what is kept, newest first.
func (s *snapshots) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	metas := make([]*raft.SnapshotMeta, len(s.kept))
	for i := range s.kept {
		meta := s.kept[i].SnapshotMeta
		metas[i] = &meta
	}
	return metas, nil
}

// found keeps the snapshot that a cluster begins with.
func (s *snapshots) found(index uint64) error {
	if s.newest() != nil {
		return nil
	}
	self := raft.Server{Suffrage: raft.Voter, ID: s.m.id, Address: s.m.address()}
	sink := s.newSink(raft.SnapshotMeta{Version: raft.SnapshotVersionMax, Index: index,
		Term: firstTerm, Configuration: raft.Configuration{Servers: []raft.Server{self}}, ConfigurationIndex: index})
	return sink.keep(false)
}

// Create begins a snapshot: raft writes to it what it receives, the database
// only marks it.
func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration,
	configIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	return s.newSink(raft.SnapshotMeta{Version: version, Index: index, Term: term, Configuration: c,
		ConfigurationIndex: configIndex}), nil
}

func (s *snapshots) newSink(meta raft.SnapshotMeta) *sinkFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh++
	meta.ID = fmt.Sprintf("%020d-%d-%d-%d", meta.Index, meta.Term, time.Now().UnixMilli(), s.fresh)
	return &sinkFile{s: s, meta: meta}
}

// Open returns a snapshot's database: a received one as it came, any other as
// a copy that is made now.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	i := slices.IndexFunc(s.kept, func(k keptSnapshot) bool { return k.ID == id })
	var kept keptSnapshot
	if i >= 0 {
		kept = s.kept[i]
	}
	s.mu.Unlock()
	if i < 0 || s.dir == "" {
		return nil, nil, fmt.Errorf("open snapshot %s: %w", id, fs.ErrNotExist)
	}
	meta := kept.SnapshotMeta
	if kept.Received {
		f, err := os.Open(filepath.Join(s.dir, id+dataSuffix))
		return &meta, f, err
	}
	f, size, err := s.copyNow()
	if err != nil {
		return nil, nil, fmt.Errorf("copy the database for a follower: %w", err)
	}
	meta.Size = size
	return &meta, f, nil
}

// copyNow makes a compressed copy of the database, which goes on meanwhile.
// Raft wants to know the exact size beforehand, so the copy goes to a file.
func (s *snapshots) copyNow() (io.ReadCloser, int64, error) {
	s.mu.Lock()
	s.fresh++
	plain := filepath.Join(s.dir, fmt.Sprintf("%s%d.db", copyPrefix, s.fresh))
	s.mu.Unlock()
	defer os.Remove(plain)
	if err := s.m.books.current().Backup(s.m.ctx, plain); err != nil {
		return nil, 0, err
	}
	packed := &temporary{path: plain + dataSuffix}
	size, err := packed.pack(plain)
	if err != nil {
		return nil, 0, errors.Join(err, packed.Close())
	}
	return packed, size, nil
}

// temporary is a file that goes when it is closed.
type temporary struct {
	*os.File
	path string
}

// pack fills the file with a compressed copy and rewinds it.
func (t *temporary) pack(from string) (size int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if t.File, err = os.OpenFile(t.path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600); err != nil {
		return 0, err
	}
	z, err := zstd.NewWriter(t.File, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(1))
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(z, in); err != nil {
		return 0, errors.Join(err, z.Close())
	}
	if err := z.Close(); err != nil {
		return 0, err
	}
	if size, err = t.Seek(0, io.SeekEnd); err != nil {
		return 0, err
	}
	_, err = t.Seek(0, io.SeekStart)
	return size, err
}

// Close closes and removes the file.
func (t *temporary) Close() error {
	if t.File == nil {
		return nil
	}
	return errors.Join(t.File.Close(), os.Remove(t.path))
}

// restored says that a received database has replaced this member's.
func (s *snapshots) restored(kept keptSnapshot) error {
	kept.Received = false
	sink := &sinkFile{s: s, meta: kept.SnapshotMeta}
	if err := sink.keep(false); err != nil {
		return err
	}
	return os.Remove(filepath.Join(s.dir, kept.ID+dataSuffix))
}

// forget removes a received database that cannot be used.
func (s *snapshots) forget(id string) error {
	s.mu.Lock()
	s.kept = slices.DeleteFunc(s.kept, func(k keptSnapshot) bool { return k.ID == id })
	s.mu.Unlock()
	return errors.Join(removeIfThere(filepath.Join(s.dir, id+metaSuffix)),
		removeIfThere(filepath.Join(s.dir, id+dataSuffix)), syncFolder(s.dir))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sinkFile is a snapshot that is being written.
type sinkFile struct {
	s      *snapshots
	meta   raft.SnapshotMeta
	marked bool     // the database itself is the snapshot
	part   *os.File // nil: nothing was received
	done   bool
}

// ID returns the snapshot's id.
func (k *sinkFile) ID() string { return k.meta.ID }

// Write keeps a piece of a database that is received.
func (k *sinkFile) Write(b []byte) (int, error) {
	if k.part == nil {
		var err error
		path := filepath.Join(k.s.dir, k.meta.ID+partSuffix)
		if k.part, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return 0, err
		}
	}
	n, err := k.part.Write(b)
	k.meta.Size += int64(n)
	return n, err
}

// Close keeps the snapshot. Closing twice is fine.
func (k *sinkFile) Close() error {
	if k.done {
		return nil
	}
	k.done = true
	if k.part == nil {
		if !k.marked {
			return errors.New("an empty snapshot")
		}
		return k.keep(false)
	}
	err := errors.Join(k.part.Sync(), k.part.Close())
	if err == nil {
		err = os.Rename(k.part.Name(), filepath.Join(k.s.dir, k.meta.ID+dataSuffix))
	}
	if err != nil {
		return k.s.broken(fmt.Errorf("keep a received database: %w", err))
	}
	return k.keep(true)
}

// Cancel gives the snapshot up.
func (k *sinkFile) Cancel() error {
	if k.done {
		return nil
	}
	k.done = true
	if k.part == nil {
		return nil
	}
	return errors.Join(k.part.Close(), os.Remove(k.part.Name()))
}

// keep writes the snapshot's file and lets old snapshots go.
func (k *sinkFile) keep(received bool) error {
	kept := keptSnapshot{SnapshotMeta: k.meta, Received: received}
	if k.s.dir != "" {
		text, err := json.MarshalIndent(kept, "", "\t")
		if err == nil {
			err = writeDurably(filepath.Join(k.s.dir, k.meta.ID+metaSuffix), text)
		}
		if err != nil {
			return k.s.broken(fmt.Errorf("keep snapshot %s: %w", k.meta.ID, err))
		}
	}
	k.s.mu.Lock()
	k.s.kept = slices.DeleteFunc(k.s.kept, func(o keptSnapshot) bool { return o.ID == k.meta.ID })
	k.s.kept = append(k.s.kept, kept)
	k.s.sort()
	old := slices.Clone(k.s.kept[min(len(k.s.kept), keptSnapshots):])
	k.s.mu.Unlock()
	old = slices.DeleteFunc(old, func(o keptSnapshot) bool { return o.Received })
	for _, o := range old {
		if err := k.s.drop(o); err != nil {
			return err
		}
	}
	return nil
}

// broken ends the member: what a disk says after a failed fsync proves nothing.
func (s *snapshots) broken(err error) error {
	s.m.fail(err)
	return err
}

// drop lets an old snapshot go.
func (s *snapshots) drop(old keptSnapshot) error {
	if s.dir != "" {
		return s.forget(old.ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = slices.DeleteFunc(s.kept, func(k keptSnapshot) bool { return k.ID == old.ID })
	return nil
}

// writeDurably replaces a file as one step that survives a power cut.
func writeDurably(path string, text []byte) error {
	f, err := os.OpenFile(path+partSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+partSuffix, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// unpack writes a received database to where it can replace this member's, and
// checks it.
func unpack(ctx context.Context, from io.Reader, to string) (journal.Applied, error) {
	var none journal.Applied
	if err := removeIfThere(to); err != nil {
		return none, err
	}
	z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return none, err
	}
	defer z.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return none, err
	}
	_, err = io.Copy(f, z)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return none, err
	}
	return journal.Inspect(ctx, to)
}
