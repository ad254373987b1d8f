package cloud

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/internal/process"
	"holdfast.dev/stock/journal"
)

const (
	// backupWithin bounds a backup, from the question to its last byte.
	backupWithin = 6 * time.Hour
	// manifestHeader carries what the cloud says of the copy that it sends.
	manifestHeader = "Holdfast-Backup"
	// copyFolder is where the cloud makes a copy, beside its database.
	copyFolder = "backup.part"
	// partSuffix marks a backup that is not whole.
	partSuffix = ".part"
)

// BackupOptions say what to back up, and where to.
type BackupOptions struct {
	AdminAt
	Data string `help:"Folder of the cloud's keys, which go into the backup." default:"/var/lib/holdfast/cloud"`
	File string `arg:"" help:"New file for the backup. Whoever reads it is the cloud: keep it as its keys."`
}

// Backup copies the database of a running cloud and its keys to a file, checks
// the copy, and returns a sentence.
func Backup(ctx context.Context, o BackupOptions, progress io.Writer) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, backupWithin)
	defer cancel()
	if _, err := os.Lstat(o.File); !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is there already: a backup overwrites nothing", o.File)
	}
	pin, err := pinOf(o.Data)
	if err != nil {
		return "", fmt.Errorf("the cloud's keys go into its backup: name its folder with --data: %w", err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(o.File), filepath.Base(o.File)+partSuffix)
	if err != nil {
		return "", fmt.Errorf("make room beside the backup: %w", err)
	}
	defer os.RemoveAll(dir)
	database := filepath.Join(dir, engine.Database)
	m, err := o.fetch(ctx, database, progress)
	if err != nil {
		return "", err
	}
	if m.CA != pin {
		return "", fmt.Errorf("the keys in %s are not those of the cloud at %s", o.Data, o.Admin)
	}
	a, err := journal.Inspect(ctx, database)
	if err == nil {
		err = m.fits(a)
	}
	if err != nil {
		return "", fmt.Errorf("the copy that arrived is damaged: %w", err)
	}
	whole := filepath.Join(dir, "whole")
	if err := writeBackup(whole, m, o.Data, database); err != nil {
		return "", fmt.Errorf("write the backup: %w", err)
	}
	if err := os.Link(whole, o.File); err != nil { // a rename would overwrite
		return "", fmt.Errorf("write the backup: %w", err)
	}
	return fmt.Sprintf("%s has everything up to entry %d, command %d, and the keys; it was read again and is whole.",
		o.File, m.Index, m.Records), syncDir(filepath.Dir(o.File))
}

// pinOf is the pin of the authority in a folder, which must have all keys.
func pinOf(dir string) (string, error) {
	for _, name := range sharedKeys {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, caCertificate))
	if err != nil {
		return "", err
	}
	return pinIn(raw)
}

const caCertificate = "ca.crt"

// pinIn is the pin of the certificate in a PEM text.
func pinIn(raw []byte) (string, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return "", fmt.Errorf("%s is no certificate", caCertificate)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(cert.RawSubjectPublicKeyInfo)), nil
}

// fetch gets a copy of the database from the running cloud.
func (o BackupOptions) fetch(ctx context.Context, to string, progress io.Writer) (*manifest, error) {
	fmt.Fprintln(progress, "The cloud makes a copy …")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+o.Admin+"/v1/backup", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the cloud at %s: %w", o.Admin, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the status says enough without
		return nil, fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	m := new(manifest)
	if err := json.Unmarshal([]byte(resp.Header.Get(manifestHeader)), m); err != nil {
		return nil, fmt.Errorf("hear the cloud at %s: %w", o.Admin, err)
	}
	bar := process.NewProgress(progress, "backup", m.Size)
	defer bar.Close()
	sum, err := copyTo(to, resp.Body, bar)
	if err == nil && sum.size != m.Size {
		err = fmt.Errorf("%d bytes of %d arrived", sum.size, m.Size)
	}
	if err != nil {
		return nil, fmt.Errorf("fetch the copy: %w", err)
	}
	m.SHA256 = sum.hash
	return m, nil
}

// summed is what was copied.
type summed struct {
	size int64
	hash string
}

// copyTo writes a new file that survives a power cut, and shows how far it is.
func copyTo(path string, from io.Reader, bar *process.Progress) (s summed, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return s, err
	}
	hash := sha256.New()
	s.size, err = io.Copy(io.MultiWriter(f, hash, counted{bar}), from)
	s.hash = fmt.Sprintf("%x", hash.Sum(nil))
	return s, errors.Join(err, f.Sync(), f.Close())
}

// counted shows how many bytes were written.
type counted struct{ bar *process.Progress }

func (c counted) Write(b []byte) (int, error) {
	c.bar.Add(int64(len(b)))
	return len(b), nil
}

// serveBackup sends a copy of the database as it is at one moment. It has
// everything that anybody was told of before it was asked for.
func (c *cloud) serveBackup(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/json" { // see serveMembers
		http.Error(w, "send application/json", http.StatusUnsupportedMediaType)
		return
	}
	if !c.copying.TryLock() {
		http.Error(w, "a backup is being made already", http.StatusConflict)
		return
	}
	defer c.copying.Unlock()
	err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(backupWithin))
	dir := filepath.Join(c.o.Data, copyFolder)
	if err == nil {
		err = errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700))
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, engine.Database)
	var m *manifest
	if err == nil {
		m, err = c.copyNow(r.Context(), path)
	}
	if err != nil {
		c.log.Error("make a backup", "err", err)
		http.Error(w, "make a copy: "+err.Error(), http.StatusInternalServerError)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer f.Close()
	text, err := json.Marshal(m)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set(manifestHeader, string(text))
	w.Header().Set("Content-Length", fmt.Sprint(m.Size))
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := io.Copy(w, f); err != nil {
		c.log.Error("send a backup", "err", err)
		return
	}
	c.log.Info("backup made", "index", m.Index, "bytes", m.Size)
}

// copyNow makes a copy of a fresh database and says what is in it.
func (c *cloud) copyNow(ctx context.Context, path string) (*manifest, error) {
	if err := c.engine.Sync(ctx); err != nil {
		return nil, err
	}
	j := c.engine.Journal()
	m := &manifest{Format: backupFormat, Made: time.Now().UTC().Truncate(time.Second), Tables: j.Tables(),
		CA: fmt.Sprintf("%x", c.ca.Pin())}
	if err := j.Backup(ctx, path); err != nil {
		return nil, err
	}
	a, err := journal.Inspect(ctx, path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	m.Index, m.Digest, m.Version = a.Index, fmt.Sprintf("%x", a.Digest[:]), a.Version
	m.Records, m.Size = j.Head().Seq, info.Size()
	return m, nil
}
