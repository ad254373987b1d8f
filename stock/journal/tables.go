package journal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"strings"
)

const (
	localPrefix  = "local_"
	selectTables = `SELECT name FROM sqlite_schema
		WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
		AND name NOT IN ('journal', 'journal_migration', 'journal_origin', 'journal_applied')
		ORDER BY name`
	selectKey = `SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk`
)

// Digest returns a hash of each table that the records build: over all rows,
// in the order of the primary key. Equal digests mean equal tables.
func (j *Journal) Digest(ctx context.Context) (digests map[string]Hash, err error) {
	err = j.View(ctx, func(tx *Tx) (err error) {
		digests, err = digestTables(tx)
		return err
	})
	return digests, err
}

func digestTables(tx *Tx) (map[string]Hash, error) {
	names, err := machineTables(tx)
	if err != nil {
		return nil, err
	}
	digests := make(map[string]Hash)
	for _, name := range names {
		if digests[name], err = digestTable(tx, name); err != nil {
			return nil, fmt.Errorf("digest %s: %w", name, err)
		}
	}
	return digests, nil
}

// machineTables lists the tables that the records build, sorted.
func machineTables(tx *Tx) ([]string, error) {
	all, err := textColumn(tx, selectTables)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	names := all[:0]
	for _, name := range all {
		if !strings.HasPrefix(name, localPrefix) {
			names = append(names, name)
		}
	}
	return names, nil
}

func textColumn(tx *Tx, q string, args ...any) ([]string, error) {
	found, err := tx.Query(q, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var texts []string
	for found.Next() {
		var text string
		if err := found.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, found.Err()
}

// table is a table read row by row in the order of its key.
type table struct {
	rows *rows
	key  []int // columns of the key, by place among the row's columns
}

// openTable reads a whole table. Without a primary key its hidden row number
// is the key.
func openTable(tx *Tx, name string) (*table, error) {
	key, err := textColumn(tx, selectKey, name)
	if err != nil {
		return nil, err
	}
	columns := "*"
	if len(key) == 0 {
		key, columns = []string{"rowid"}, "rowid, *"
	}
	order := make([]string, len(key))
	for i, k := range key {
		order[i] = quote(k)
	}
	r := tx.query(fmt.Sprintf("SELECT %s FROM %s ORDER BY %s",
		columns, quote(name), strings.Join(order, ", ")), nil)
	if r.err != nil {
		return nil, r.err
	}
	t := &table{rows: r}
	r.values = make([]driver.Value, len(r.s.cells))
	for _, k := range key {
		for i, column := range r.s.columns() {
			if column == k {
				t.key = append(t.key, i)
				break
			}
		}
	}
	return t, nil
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// label names the current row, for example "balance[sku=5]".
func (t *table) label(name string) string {
	parts := make([]string, len(t.key))
	for i, k := range t.key {
		parts[i] = t.rows.s.columns()[k] + "=" + show(t.rows.values[k])
	}
	return name + "[" + strings.Join(parts, ",") + "]"
}

func show(v driver.Value) string {
	if b, ok := v.([]byte); ok {
		return fmt.Sprintf("x'%x'", b)
	}
	return fmt.Sprint(v)
}

// compareKeys orders the current rows of two tables with the same key.
func (t *table) compareKeys(other *table) int {
	for i, k := range t.key {
		if c := compareValues(t.rows.values[k], other.rows.values[other.key[i]]); c != 0 {
			return c
		}
	}
	return 0
}

// compareValues orders values as SQLite does: null, numbers, texts, blobs.
func compareValues(a, b driver.Value) int {
	if c := cmp.Compare(class(a), class(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
		return cmp.Compare(float64(a), b.(float64))
	case float64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, float64(b))
		}
		return cmp.Compare(a, b.(float64))
	case string:
		return strings.Compare(a, b.(string))
	case []byte:
		return bytes.Compare(a, b.([]byte))
	}
	return 0
}

func class(v driver.Value) int {
	switch v.(type) {
	case int64, float64:
		return 1
	case string:
		return 2
	case []byte:
		return 3
	}
	return 0
}

func digestTable(tx *Tx, name string) (Hash, error) {
	t, err := openTable(tx, name)
	if err != nil {
		return Hash{}, err
	}
	defer t.rows.Close()
	h := sha256.New()
	var space []byte
	for t.rows.Next() {
		space = digestRow(h, space[:0], t.rows.values)
	}
	return Hash(h.Sum(nil)[:16]), t.rows.Err()
}

// digestRow hashes each value with its class and length, so that no two
// different rows give the same bytes.
func digestRow(h hash.Hash, b []byte, values []driver.Value) []byte {
	for _, v := range values {
		b = append(b, byte(class(v)))
		switch v := v.(type) {
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
		case float64:
			b = binary.BigEndian.AppendUint64(append(b, 'f'), math.Float64bits(v))
		case string:
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
		}
	}
	h.Write(b) // never fails
	return b
}
