package check

import (
	"fmt"
	"strings"

	"holdfast.dev/stock/journal"
)

// copied are the tables of the books that a store and the cloud's copy of it
// must have alike, and the order of their rows.
var copied = []struct{ table, columns, key string }{
	{"reservation", "hex(id), hex(reserve), accepted, code, pickup_until, finished_at, shelf, directive, state",
		"id"},
	{"reservation_line", "hex(id), line, sku, quantity, reserved, picked, staged, collected, released, short",
		"id, line"},
	{"document", "id, position, seq", "id, position"},
	{"cursor", "directives, hex(directives_hash), timeline", "store"},
}

// copies: when the cloud has every record, its copy of the store's books is
// the same, row for row.
func (p *pair) copies() error {
	if !p.level || p.office.Quarantined {
		return nil
	}
	for _, t := range copied {
		q := "SELECT " + t.columns + " FROM " + t.table + " WHERE store = ? ORDER BY " + t.key
		n := strings.Count(t.columns, ",") + 1
		here, err := texts(p.node, n, q, p.store)
		if err != nil {
			return err
		}
		there, err := texts(p.cloud, n, q, p.store)
		if err != nil {
			return err
		}
		p.f.check(len(here) == len(there), "INV-9", "store %d: %d rows of %s, the cloud has %d", p.store,
			len(here), t.table, len(there))
		for i := range min(len(here), len(there)) {
			p.f.check(here[i] == there[i], "INV-9", "store %d: %s has %s, the cloud has %s", p.store,
				t.table, here[i], there[i])
		}
	}
	return nil
}

// texts reads rows as text, to compare them.
func texts(tx *journal.Tx, columns int, q string, args ...any) ([]string, error) {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	values, into := make([]any, columns), make([]any, columns)
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprint(values...))
	}
	return all, rows.Err()
}
