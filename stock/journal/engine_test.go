package journal

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBytesOfAllKindsComeBackAsTheyWere(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		type row struct {
			Text  string
			Bytes []byte
			None  []byte
			Hash  Hash
			N     int64
			Yes   bool
		}
		want := row{Text: "a\x00é", Bytes: []byte{}, Hash: Hash{1, 0, 2}, N: -1 << 63, Yes: true}
		var got row
		var kind string
		err := j.View(context.Background(), func(tx *Tx) error {
			return tx.QueryRow(`SELECT ?, ?, ?, ?, ?, ?, typeof(?3)`, want.Text, want.Bytes, want.None,
				want.Hash, want.N, want.Yes).Scan(&got.Text, &got.Bytes, &got.None, &got.Hash, &got.N,
				&got.Yes, &kind)
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || kind != "null" {
			t.Errorf("no bytes are %s; %s", kind, diff)
		}
	})
}

func TestStatementsAreOneWithItsArguments(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		err := j.View(context.Background(), func(tx *Tx) error {
			for _, q := range []string{`SELECT ?`, `SELECT ?, ?, ?`, `SELECT ?, ?; SELECT 1`, ``} {
				if _, err := tx.Query(q, 1, 2); err == nil {
					t.Errorf("%q with two arguments was run", q)
				}
			}
			rows, err := tx.Query(`SELECT ?, ? ; `, 1, 2)
			return errors.Join(err, rows.Close())
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestStatementThatNeverEndsEndsWithItsContext(t *testing.T) {
	j := openAt(t, t.TempDir()+"/books.db")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	endless := func(tx *Tx) error {
		var n int
		return tx.QueryRow(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n)
  SELECT count(*) FROM n`).Scan(&n)
	}
	if err := j.View(ctx, endless); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	for range readerCount + 1 {
		if err := j.View(context.Background(), func(tx *Tx) error {
			_, err := positionAt(tx, 1)
			return err
		}); !errors.Is(err, ErrNoRecord) {
			t.Errorf("the next view got %v", err)
		}
	}
}
