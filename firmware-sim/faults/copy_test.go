//go:build faults

package faults_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Whoever starts a container while the power is off keeps the dead file system
// alive for as long as it runs.
func TestADiskRecoversWhileSomebodyHasACopyOfTheMounts(t *testing.T) {
	d := newDisk(t)
	flushed := filepath.Join(d.Dir(), "flushed")
	if err := write(flushed, true); err != nil {
		t.Fatal(err)
	}
	if err := d.Cut(); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("unshare", "--mount", "sh", "-c", "echo here; cat")
	in, inErr := other.StdinPipe()
	out, outErr := other.StdoutPipe()
	if inErr != nil || outErr != nil {
		t.Fatal(inErr, outErr)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer in.Close()
	if _, err := io.ReadFull(out, make([]byte, len("here\n"))); err != nil {
		t.Fatal(err)
	}
	if err := d.Recover(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(flushed); err != nil || string(got) != "kept" {
		t.Errorf("what was flushed: %q, %v", got, err)
	}
	if err := write(filepath.Join(d.Dir(), "after"), true); err != nil {
		t.Error(err)
	}
}
