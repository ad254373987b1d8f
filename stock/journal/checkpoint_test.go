package journal

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheLogOfACopyStartsOverToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	j := openCopy(t, path, &copyShelf{})
	data := append(move(5, 1), make([]byte, 400_000)...)
	for n := range uint64(600) { // 60,000 pages
		mustApply(t, j, entry(n+2, Command{Data: data}))
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	const limit = 3 * relaxedFrames * 4096
	if info.Size() > limit {
		t.Errorf("the log has %d bytes, want at most %d", info.Size(), limit)
	}
}

// A command that must be undone, in a transaction that somebody else has written
// in before, takes back what its entry did and nothing more.
func TestUndoingAnEntryKeepsWhatOthersWrote(t *testing.T) {
	j := openCopy(t, filepath.Join(t.TempDir(), "books.db"), &copyShelf{})
	local := j.queue.newRequest()
	local.local = func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO local_note (id, text) VALUES (1, 'kept')`)
		return err
	}
	whole := j.queue.newRequest()
	var units int64
	whole.replay = func(tx *Tx, head Position) (Position, error) {
		if err := tx.mark(); err != nil {
			return head, err
		}
		if _, err := tx.Exec(upsertUnits, 5, 9); err != nil {
			return head, err
		}
		if err := tx.backToMark(); err != nil {
			return head, err
		}
		err := tx.QueryRow(`SELECT count(*) FROM shelf`).Scan(&units)
		if err == nil {
			err = tx.unmark()
		}
		return head, err
	}
	j.serve([]*request{local, whole})
	if local.err != nil || whole.err != nil || units != 0 {
		t.Fatalf("%v, %v, %d rows are left", local.err, whole.err, units)
	}
	var text string
	err := j.View(t.Context(), func(tx *Tx) error {
		return tx.QueryRow(`SELECT text FROM local_note`).Scan(&text)
	})
	if err != nil || text != "kept" {
		t.Errorf("%q, %v", text, err)
	}
}
