package journal

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVerifyFindsWhatWasEdited(t *testing.T) {
	for _, test := range []struct{ name, edit, want string }{
		{"nothing", `SELECT 1`, ""},
		{"a record", `UPDATE journal SET data = zeroblob(16) WHERE seq = 3`, "record 3: hash is"},
		{"a record that is gone", `DELETE FROM journal WHERE seq = 3`, "record 4 follows record 2"},
		{"a reply", `UPDATE journal SET reply = x'00' WHERE seq = 3`, "record 3: reply is 00, replay says"},
		{"a balance", `UPDATE shelf SET units = 9 WHERE sku = 2`, "shelf[sku=2]: units is 9, replay says 1"},
		{"a row too many", `INSERT INTO shelf VALUES (77, 4)`, "shelf[sku=77] is not in the replay"},
		{"a row too few", `DELETE FROM shelf WHERE sku = 7`, "shelf[sku=7] is only in the replay"},
		{"a table too many", `CREATE TABLE extra (x)`, "tables are [extra shelf], replay says [shelf]"},
		{"a local table", `INSERT INTO local_note VALUES (1, 'x')`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, j *Journal) {
				ctx := context.Background()
				for i := range uint64(10) {
					mustAppend(t, j, say(uid(i+1), move(i, 1)))
				}
				if err := j.Local(ctx, func(tx *Tx) error { _, err := tx.Exec(test.edit); return err }); err != nil {
					t.Fatal(err)
				}
				report, err := j.Verify(ctx, nil)
				if err != nil {
					t.Fatal(err)
				}
				got := strings.Join(report.Mismatches, "\n")
				if test.want == "" && got != "" || !strings.Contains(got, test.want) || len(report.Mismatches) > 1 {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		})
	}
}

func TestVerifyWhileWritersGoOn(t *testing.T) {
	j := openAt(t, filepath.Join(t.TempDir(), "books.db"))
	for i := range uint64(2500) {
		mustAppend(t, j, say([16]byte{}, move(i%10, 1)))
	}
	calls := 0
	report, err := j.Verify(context.Background(), func(done, total uint64) {
		calls++
		// The replay holds a view; the writer must not wait for it.
		mustAppend(t, j, say([16]byte{}, move(3, 1)))
		if done > total {
			t.Errorf("%d of %d done", done, total)
		}
	})
	if err != nil || !report.OK() || report.Records < 2500 || calls < 3 {
		t.Errorf("%+v, %v, %d calls", report, err, calls)
	}
}

func TestDigestDependsOnTheBooksAlone(t *testing.T) {
	ctx := context.Background()
	a, b := openAt(t, ""), openAt(t, filepath.Join(t.TempDir(), "books.db"))
	for i := range uint64(10) {
		mustAppend(t, a, say(uid(i+1), move(i, 1)))
		mustAppend(t, b, say([16]byte{}, move(9-i, 1)))
	}
	if err := b.Local(ctx, func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO local_note VALUES (1, 'x')`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	digest := func(j *Journal) map[string]Hash {
		d, err := j.Digest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if diff := cmp.Diff(digest(a), digest(b)); diff != "" || len(digest(a)) != 1 {
		t.Error(diff)
	}
	mustAppend(t, b, say([16]byte{}, move(3, 1)))
	if digest(a)["shelf"] == digest(b)["shelf"] {
		t.Error("another balance gives the same digest")
	}
}

func TestChainIsPinned(t *testing.T) {
	// Stored hashes must mean the same in every version of the program.
	first := Chain(Hash{}, 1, []byte("one"))
	second := Chain(first, 2, make([]byte, 1000))
	want := []string{"02d02676553ab74136c04347d23b2552", "e7d90f0b8890af8c802e52c8b099666f"}
	if diff := cmp.Diff(want, []string{first.String(), second.String()}); diff != "" {
		t.Error(diff)
	}
}
