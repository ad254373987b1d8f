package journal

import (
	"context"
	"path/filepath"
	"testing"
)

func TestAShortenedJournalKeepsIdsAndIsProvenFromWhereItBegins(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "store.db")
	j := openAt(t, path)
	for i := range uint64(6) {
		mustAppend(t, j, say(uid(i+1), move(i, 1)))
	}
	begin := j.Head()
	for i := range uint64(6) { // the same once more, from nothing
		mustAppend(t, j, say(uid(i+7), move(i+6, 1)))
	}
	if _, err := j.Shorten(ctx, begin, begin.Seq+2); err == nil {
		t.Error("records that replay needs were dropped")
	}
	if _, err := j.Shorten(ctx, Position{Seq: 6, Hash: Hash{1}}, 4); err == nil {
		t.Error("replay begins after a record of another history")
	}
	if more, err := j.Shorten(ctx, begin, 4); err != nil || more {
		t.Fatalf("%v, more %t", err, more)
	}
	if first, err := j.First(ctx); err != nil || first != 4 {
		t.Errorf("the first record is %d, %v", first, err)
	}
	if out, err := j.Append(ctx, say(uid(5), move(4, 1))); err != nil || !out.Repeated || out.Seq != 5 {
		t.Errorf("an id that is kept: %+v %v", out, err)
	}
	if _, known, err := j.Find(ctx, uid(2)); known || err != nil {
		t.Errorf("an id that was dropped: %t %v", known, err)
	}
	if _, err := j.Shorten(ctx, Position{}, 1); err == nil {
		t.Error("replay begins earlier than it can")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openAt(t, path)
	if out, err := j.Append(ctx, say(uid(20), move(20, 1))); err != nil || out.Seq != 13 {
		t.Errorf("after a restart: %+v %v", out, err)
	}
}
