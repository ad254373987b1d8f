package journal

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"path/filepath"
	"testing"

	"holdfast.dev/stock"
)

// shelf is a small machine: records move units on and off shelves. A record
// is a SKU, a change and, if wanted, padding. Its reply is the new balance.
type shelf struct {
	migrations []string
	broken     error // what Apply returns for the trap SKU
	lateNo     bool  // refuse after the first write
}

var errBroken = errors.New("machine broke")

const trapSKU = 1 << 40

const (
	createShelf = `CREATE TABLE shelf (sku INTEGER PRIMARY KEY, units INTEGER NOT NULL) STRICT;
		CREATE TABLE local_note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;`
	selectUnits = `SELECT units FROM shelf WHERE sku = ?`
	upsertUnits = `INSERT INTO shelf (sku, units) VALUES (?, ?)
		ON CONFLICT (sku) DO UPDATE SET units = excluded.units`
)

func (m *shelf) Migrations() []string { return append([]string{createShelf}, m.migrations...) }

func (m *shelf) Apply(tx *Tx, seq uint64, data []byte) ([]byte, error) {
	sku := binary.BigEndian.Uint64(data)
	change := int64(binary.BigEndian.Uint64(data[8:]))
	if sku == trapSKU {
		return nil, m.broken
	}
	var units int64
	err := tx.QueryRow(selectUnits, sku).Scan(&units)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	short := units+change < 0
	if short && !m.lateNo {
		return nil, stock.Refuse(stock.Short, "%d units, need %d", units, -change)
	}
	if _, err := tx.Exec(upsertUnits, sku, units+change); err != nil {
		return nil, err
	}
	if short {
		return nil, stock.Refuse(stock.Short, "too late")
	}
	return binary.BigEndian.AppendUint64(nil, uint64(units+change)), nil
}

func move(sku uint64, change int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, sku), uint64(change))
}

func uid(n uint64) (id [16]byte) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// say proposes data as it is.
func say(id [16]byte, data []byte) Proposal {
	return Proposal{UID: id, Decide: func(*Tx, uint64) ([]byte, error) { return data, nil }}
}

func openAt(t testing.TB, path string) *Journal {
	t.Helper()
	return openWith(t, Options{Path: path, Machine: &shelf{broken: errBroken}})
}

func openWith(t testing.TB, o Options) *Journal {
	t.Helper()
	j, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// everywhere runs the test on a file and in memory.
func everywhere(t *testing.T, test func(t *testing.T, j *Journal)) {
	t.Run("file", func(t *testing.T) { test(t, openAt(t, filepath.Join(t.TempDir(), "books.db"))) })
	t.Run("memory", func(t *testing.T) { test(t, openAt(t, "")) })
}

func mustAppend(t testing.TB, j *Journal, p Proposal) Outcome {
	t.Helper()
	out, err := j.Append(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func units(t testing.TB, j *Journal, sku uint64) (n int64) {
	t.Helper()
	err := j.View(context.Background(), func(tx *Tx) error { return tx.QueryRow(selectUnits, sku).Scan(&n) })
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return n
}
