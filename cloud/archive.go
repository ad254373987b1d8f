package cloud

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/internal/identity"
	"holdfast.dev/stock/journal"
)

const (
	// backupFormat is the layout of a backup; a new one gets a new number.
	backupFormat = 1
	// manifestFile comes first in a backup, then the keys, then the database.
	manifestFile = "backup.json"
	// maxSmall bounds each of the files that are not the database, in bytes.
	maxSmall = 64 << 10
	// maxKeyFiles bounds how many keys a backup has.
	maxKeyFiles = 64
)

// manifest is what a backup says of itself. The backup is a tar, so that
// anybody can look into it.
type manifest struct {
	Format  int       `json:"format"`
	Made    time.Time `json:"made"`
	Index   uint64    `json:"index"`   // the newest entry that it has
	Digest  string    `json:"digest"`  // over all entries and what came of them
	Records uint64    `json:"records"` // number of its newest command
	Version uint32    `json:"version"` // of commands that it may hold
	Tables  int       `json:"tables"`  // version of its tables
	Size    int64     `json:"size"`    // of the database, in bytes
	SHA256  string    `json:"sha256"`  // of the database
	CA      string    `json:"ca"`      // pin of the authority that the nodes trust
}

// fits refuses a database that is not the one of the manifest.
func (m *manifest) fits(a journal.Applied) error {
	if got := fmt.Sprintf("%x", a.Digest[:]); a.Index != m.Index || got != m.Digest {
		return fmt.Errorf("the copy has entry %d with digest %s, it should have %d with %s", a.Index, got,
			m.Index, m.Digest)
	}
	return nil
}

// writeBackup writes a whole backup to a new file that nobody else may read.
func writeBackup(path string, m *manifest, keys, database string) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	t := tar.NewWriter(f)
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	if err := writeEntry(t, manifestFile, m, text); err != nil {
		return err
	}
	later, err := identity.LaterSigningKeys(keys)
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(sharedKeys, later) {
		raw, err := os.ReadFile(filepath.Join(keys, name))
		if err == nil {
			err = writeEntry(t, name, m, raw)
		}
		if err != nil {
			return err
		}
	}
	db, err := os.Open(database)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := t.WriteHeader(header(engine.Database, m.Size, m.Made)); err != nil {
		return err
	}
	if _, err := io.Copy(t, db); err != nil {
		return err
	}
	return errors.Join(t.Close(), f.Sync())
}

func header(name string, size int64, made time.Time) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: size, ModTime: made}
}

func writeEntry(t *tar.Writer, name string, m *manifest, raw []byte) error {
	if err := t.WriteHeader(header(name, int64(len(raw)), m.Made)); err != nil {
		return err
	}
	_, err := t.Write(raw)
	return err
}

// archive is a backup that is read, up to its database.
type archive struct {
	manifest
	keys     map[string][]byte
	database io.Reader
	file     *os.File
}

// openArchive reads a backup up to its database. Close it after use.
func openArchive(path string) (a *archive, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the backup: %w", err)
	}
	a = &archive{keys: make(map[string][]byte), file: f}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s is no whole backup: %w", path, err), f.Close())
		}
	}()
	t := tar.NewReader(f)
	text, err := readEntry(t, manifestFile)
	if err == nil {
		err = json.Unmarshal(text, &a.manifest)
	}
	if err != nil {
		return nil, err
	}
	if a.Format != backupFormat {
		return a, nil // its other files may be others
	}
	if err := a.readKeys(t); err != nil {
		return nil, err
	}
	a.database = t
	return a, nil
}

// readKeys reads the keys, and stops before the database.
func (a *archive) readKeys(t *tar.Reader) error {
	for range maxKeyFiles {
		h, err := t.Next()
		if err != nil {
			return err
		}
		if h.Name == engine.Database {
			return a.hasAllKeys()
		}
		if filepath.Base(h.Name) != h.Name || filepath.Ext(h.Name) != ".key" && h.Name != caCertificate {
			return fmt.Errorf("%q is no key", h.Name)
		}
		if a.keys[h.Name], err = readSmall(t, h.Name); err != nil {
			return err
		}
	}
	return fmt.Errorf("more than %d keys", maxKeyFiles)
}

func (a *archive) hasAllKeys() error {
	for _, name := range sharedKeys {
		if a.keys[name] == nil {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return nil
}

func (a *archive) Close() error { return a.file.Close() }

func readEntry(t *tar.Reader, name string) ([]byte, error) {
	h, err := t.Next()
	if err == nil && h.Name != name {
		err = fmt.Errorf("%q stands where %s should be", h.Name, name)
	}
	if err != nil {
		return nil, err
	}
	return readSmall(t, name)
}

func readSmall(t *tar.Reader, name string) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(t, maxSmall+1))
	if err == nil && len(raw) > maxSmall {
		err = fmt.Errorf("%s is too large", name)
	}
	return raw, err
}

// syncDir puts the names of a folder on the disk.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
