package journal

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAJournalOpenedFromAnImageGoesOnFromThere(t *testing.T) {
	ctx := t.Context()
	j := openAt(t, "")
	for n := uint64(1); n <= 3; n++ {
		if _, err := j.Append(ctx, say(uid(n), move(n, 5))); err != nil {
			t.Fatal(err)
		}
	}
	image, err := j.Image(ctx)
	if err != nil {
		t.Fatal(err)
	}
	copied := openWith(t, Options{Machine: &shelf{broken: errBroken}, Image: image})
	kept, err := j.Digest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := copied.Digest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kept, got); diff != "" || j.Head() != copied.Head() {
		t.Errorf("head %v, copy %v: %s", j.Head(), copied.Head(), diff)
	}
	again, err := copied.Append(ctx, say(uid(2), move(2, 5)))
	if err != nil || !again.Repeated {
		t.Errorf("an id of the image gave %+v, %v", again, err)
	}
	if _, err := copied.Append(ctx, say(uid(9), move(9, 1))); err != nil {
		t.Fatal(err)
	}
	if j.Head().Seq != 3 || copied.Head().Seq != 4 {
		t.Errorf("heads are %d and %d, want 3 and 4", j.Head().Seq, copied.Head().Seq)
	}
	if report, err := copied.Verify(ctx, nil); err != nil || !report.OK() {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

func TestAFullDiskStopsTheJournalAndLeavesAnImage(t *testing.T) {
	ctx := t.Context()
	j := openAt(t, "")
	if _, err := j.Append(ctx, say(uid(1), move(1, 5))); err != nil {
		t.Fatal(err)
	}
	before := j.Head()
	if err := j.View(ctx, func(tx *Tx) error {
		var pages int
		return tx.QueryRow("PRAGMA max_page_count = 1").Scan(&pages)
	}); err != nil {
		t.Fatal(err)
	}
	long := append(move(2, 1), make([]byte, 100_000)...)
	if _, err := j.Append(ctx, say(uid(2), long)); !errors.Is(err, ErrUnknown) {
		t.Fatalf("a record that does not fit gave %v", err)
	}
	image, err := j.Image(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again := openWith(t, Options{Machine: &shelf{broken: errBroken}, Image: image})
	if again.Head() != before {
		t.Errorf("head is %v, was %v", again.Head(), before)
	}
	if _, err := again.Append(ctx, say(uid(2), long)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestOnlyAJournalInMemoryHasAnImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.db")
	j := openAt(t, path)
	if _, err := j.Image(t.Context()); err == nil {
		t.Error("a file gave an image")
	}
	if _, err := Open(t.Context(), Options{Path: path + "2", Machine: &shelf{},
		Image: []byte("x")}); err == nil {
		t.Error("a file took an image")
	}
	if _, err := Open(t.Context(), Options{Machine: &shelf{}, Image: []byte("x")}); err == nil {
		t.Error("an image of one byte was opened")
	}
}
