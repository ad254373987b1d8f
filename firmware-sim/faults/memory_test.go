//go:build faults

package faults_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast.dev/firmware-sim/faults"
)

func TestFullMemoryTakesNothingUntilItIsFreed(t *testing.T) {
	m, err := faults.NewMemory(1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(m.Dir(), "file")
	page := bytes.Repeat([]byte{1}, 4096)
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Fill(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"2", page, 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a full file system took a page: %v", err)
	}
	if err := m.Free(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"3", page, 0o600); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, page) {
		t.Errorf("what was there: %d bytes, %v", len(got), err)
	}
}
