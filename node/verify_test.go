package node_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"holdfast.dev/node"
)

func TestAFolderWithoutAJournalIsNotProvenAndStaysAsItIs(t *testing.T) {
	dir := t.TempDir()
	said, err := node.Verify(t.Context(), node.VerifyOptions{Data: dir}, io.Discard)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %q, %v", said, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("verify left %v in it, %v", left, err)
	}
}
