package journal

import (
	"context"
	"path/filepath"
	"testing"
)

// history returns the records of a journal from a number on.
func history(t *testing.T, j *Journal, from uint64) []Entry {
	t.Helper()
	es, err := j.Entries(context.Background(), from, 1000, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return es
}

func TestSplicedRecordsBuildTheSameBooks(t *testing.T) {
	ctx := context.Background()
	whole := openAt(t, filepath.Join(t.TempDir(), "whole.db"))
	behind := openAt(t, filepath.Join(t.TempDir(), "behind.db"))
	for i := range uint64(10) {
		mustAppend(t, whole, say(uid(i+1), move(i, 1)))
		if i < 4 {
			mustAppend(t, behind, say(uid(i+1), move(i, 1)))
		}
	}
	if err := behind.Splice(ctx, history(t, whole, 6)); err == nil {
		t.Error("a gap was spliced over")
	}
	if err := behind.Splice(ctx, history(t, whole, 5)); err != nil {
		t.Fatal(err)
	}
	if behind.Head() != whole.Head() {
		t.Errorf("head %v, want %v", behind.Head(), whole.Head())
	}
	if report, err := behind.Verify(ctx, nil); err != nil || !report.OK() {
		t.Errorf("verify: %v %v", report, err)
	}
	out, err := behind.Append(ctx, say(uid(9), move(1, 1)))
	if err != nil || !out.Repeated || out.Seq != 9 {
		t.Errorf("an id of a spliced record: %+v %v", out, err)
	}
}

func TestImportedRecordsAreKeptAndNotApplied(t *testing.T) {
	ctx := context.Background()
	whole := openAt(t, "")
	for i := range uint64(10) {
		mustAppend(t, whole, say(uid(i+1), move(i, 1)))
	}
	at5, err := whole.At(ctx, 5)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rebuilt.db")
	j := openAt(t, path)
	if err := j.Import(ctx, at5, history(t, whole, 6)[:3]); err != nil {
		t.Fatal(err)
	}
	if err := j.Import(ctx, Position{}, history(t, whole, 9)); err != nil {
		t.Fatal(err)
	}
	digests, err := j.Digest(ctx)
	if err != nil || len(digests) == 0 {
		t.Fatal(digests, err)
	}
	empty, _ := openAt(t, "").Digest(ctx)
	if digests["shelf"] != empty["shelf"] {
		t.Error("imported records changed the books")
	}
	out, err := j.Append(ctx, say(uid(9), move(1, 1)))
	if err != nil || !out.Repeated || out.Seq != 9 {
		t.Errorf("an id of an imported record: %+v %v", out, err)
	}
	mustAppend(t, j, say(uid(11), move(3, 2)))
	if err := j.Import(ctx, Position{}, history(t, whole, 10)); err == nil {
		t.Error("records were imported behind applied ones")
	}
	if first, err := j.First(ctx); err != nil || first != 6 {
		t.Errorf("first record %d %v", first, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openAt(t, path)
	if report, err := j.Verify(ctx, nil); err != nil || !report.OK() || report.Records != 11 {
		t.Errorf("verify: %+v %v", report, err)
	}
}
