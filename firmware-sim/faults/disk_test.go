//go:build faults

package faults_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast.dev/firmware-sim/faults"
)

func newDisk(t *testing.T) *faults.Disk {
	t.Helper()
	d, err := faults.NewDisk("ext4", 32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// write writes a file and perhaps waits until it is on the disk.
func write(path string, flush bool) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString("kept"); err != nil || !flush {
		return err
	}
	return f.Sync()
}

func TestACutTakesWhatWasNotFlushed(t *testing.T) {
	d := newDisk(t)
	flushed, not := filepath.Join(d.Dir(), "flushed"), filepath.Join(d.Dir(), "not")
	if err := write(flushed, true); err != nil {
		t.Fatal(err)
	}
	if err := write(not, false); err != nil {
		t.Fatal(err)
	}
	if err := d.Cut(); err != nil {
		t.Fatal(err)
	}
	if err := write(filepath.Join(d.Dir(), "after"), false); err == nil {
		t.Error("a disk without power takes a file")
	}
	if err := d.Recover(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(flushed); err != nil || string(got) != "kept" {
		t.Errorf("what was flushed: %q, %v", got, err)
	}
	if got, err := os.ReadFile(not); err == nil && len(got) > 0 {
		t.Errorf("what was not flushed is there: %q", got)
	}
}

func TestAHungDiskAnswersOnlyWhenItResumes(t *testing.T) {
	d := newDisk(t)
	if err := d.Hang(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- write(filepath.Join(d.Dir(), "file"), true) }()
	select {
	case err := <-done:
		t.Errorf("a hung disk has answered: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := d.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after it resumed: %v", err)
	}
}
