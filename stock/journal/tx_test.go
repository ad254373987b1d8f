package journal

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type (
	number uint32
	word   string
	key    [4]byte
	flags  bool
)

func TestValuesComeBackAsTheyWere(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		type all struct {
			I    int64
			N    number
			W    word
			K    key
			B    []byte
			None []byte
			Nil  *int64
			Ptr  *number
			F    float64
			Yes  flags
			Any  any
			Null sql.NullInt64
		}
		n := number(7)
		want := all{I: -5, N: 4_000_000_000, W: "ø", K: key{1, 2, 3, 4}, B: []byte{}, Ptr: &n,
			F: 1.5, Yes: true, Any: "any", Null: sql.NullInt64{Int64: 3, Valid: true}}
		var got all
		err := j.View(context.Background(), func(tx *Tx) error {
			return tx.QueryRow(`SELECT ?,?,?,?,?,?,?,?,?,?,?,?`, want.I, want.N, want.W, want.K, want.B,
				want.None, want.Nil, want.Ptr, want.F, want.Yes, want.Any, want.Null).Scan(
				&got.I, &got.N, &got.W, &got.K, &got.B, &got.None, &got.Nil, &got.Ptr, &got.F, &got.Yes,
				&got.Any, &got.Null)
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestScanRefusesWhatDoesNotFit(t *testing.T) {
	j := openAt(t, "")
	for _, test := range []struct {
		name, q string
		dest    any
	}{
		{"negative into unsigned", `SELECT -1`, new(uint64)},
		{"large into small", `SELECT 300`, new(uint8)},
		{"null into number", `SELECT NULL`, new(int64)},
		{"text into number", `SELECT '1'`, new(int64)},
		{"short blob into array", `SELECT x'0102'`, new(Hash)},
		{"no pointer", `SELECT 1`, 1},
		{"two destinations short", `SELECT 1, 2`, new(int64)},
	} {
		err := j.View(context.Background(), func(tx *Tx) error { return tx.QueryRow(test.q).Scan(test.dest) })
		if err == nil {
			t.Errorf("%s: scanned", test.name)
		}
	}
	err := j.View(context.Background(), func(tx *Tx) error { return tx.QueryRow(`SELECT 1 WHERE 0`).Scan(new(int)) })
	if !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("got %v, want sql.ErrNoRows", err)
	}
}

func TestTextTellsWhatWrites(t *testing.T) {
	for q, want := range map[string]bool{
		"SELECT 1": false, "\n-- why\n /* and\nhow */ select 1": false, "WITH x AS (SELECT 1) SELECT 1": false,
		"WITH x AS (SELECT 1) INSERT INTO t SELECT 1": true, "update t SET x = 1": true, "-- nothing": false,
		"DELETE FROM t": true, "REPLACE INTO t VALUES (1)": true, "/* open": false,
	} {
		if got := writes(q); got != want {
			t.Errorf("%q: %t, want %t", q, got, want)
		}
	}
}

func TestSameQueryMayBeNested(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		const q = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3) SELECT i FROM n ORDER BY i`
		var pairs [][2]int
		err := j.View(context.Background(), func(tx *Tx) error {
			outer, err := tx.Query(q)
			if err != nil {
				return err
			}
			for outer.Next() {
				inner, err := tx.Query(q)
				if err != nil {
					return err
				}
				for inner.Next() {
					var p [2]int
					if err := errors.Join(outer.Scan(&p[0]), inner.Scan(&p[1])); err != nil {
						return err
					}
					pairs = append(pairs, p)
				}
			}
			return outer.Err()
		})
		want := [][2]int{{1, 1}, {1, 2}, {1, 3}, {2, 1}, {2, 2}, {2, 3}, {3, 1}, {3, 2}, {3, 3}}
		if diff := cmp.Diff(want, pairs); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}

func TestForgottenRowsDoNotHoldTheTransaction(t *testing.T) {
	everywhere(t, func(t *testing.T, j *Journal) {
		ctx := context.Background()
		mustAppend(t, j, say(uid(1), move(1, 1)))
		mustAppend(t, j, say(uid(2), move(2, 1)))
		var kept *Tx
		forget := func(tx *Tx) error {
			kept = tx
			rows, err := tx.Query(`SELECT sku FROM shelf ORDER BY sku`)
			rows.Next()
			return err
		}
		if err := errors.Join(j.Local(ctx, forget), j.View(ctx, forget)); err != nil {
			t.Fatal(err)
		}
		if len(kept.open) > 0 {
			t.Error("the result stayed open")
		}
		mustAppend(t, j, say(uid(3), move(1, 1)))
		if _, err := kept.Query(`SELECT 1`); !errors.Is(err, errTxEnded) {
			t.Errorf("a transaction that ended answers %v", err)
		}
	})
}

func TestViewStopsWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	file := openAt(t, t.TempDir()+"/books.db")
	err := file.View(ctx, func(tx *Tx) error {
		rows, err := tx.Query(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n`)
		if err != nil {
			return err
		}
		for rows.Next() {
			cancel()
		}
		return rows.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestReaderConnectionCannotWriteWhateverTheText(t *testing.T) {
	j := openAt(t, t.TempDir()+"/books.db")
	c, err := openReader(j.path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	tx := newTx(context.Background(), c, writing) // the text check is off
	if _, err := tx.Exec(upsertUnits, 1, 1); err == nil {
		t.Error("wrote through a reader")
	}
}
