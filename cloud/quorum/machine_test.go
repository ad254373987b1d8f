package quorum

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// counters is a small machine: a command adds to a counter, which never falls
// below zero; its reply is the new value and the version that it was sealed
// with. A command that adds nothing is idle and answers the value.
type counters struct {
	version uint32
	newer   []string
	stray   *atomic.Int64 // added to what is written: a member that computes wrongly
	slow    func()        // is called by Apply
}

const (
	createCounter = `CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL,
		CHECK (n < 1000000)) STRICT;`
	selectCounter = `SELECT n FROM counter WHERE id = ?`
	upsertCounter = `INSERT INTO counter (id, n) VALUES (?, ?)
		ON CONFLICT (id) DO UPDATE SET n = excluded.n`
)

func (c *counters) Migrations() []string { return append([]string{createCounter}, c.newer...) }

func (c *counters) Version() uint32 { return max(c.version, 1) }

// add makes a command.
func add(id uint64, n int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, id), uint64(n))
}

func value(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

func (c *counters) Seal(data []byte, version uint32) ([]byte, error) {
	if len(data) != 16 {
		return nil, stock.Refuse(stock.BadRequest, "a command of %d bytes", len(data))
	}
	return binary.BigEndian.AppendUint32(data[:16:16], version), nil
}

func (c *counters) Idle(tx *journal.Tx, data []byte) ([]byte, bool, error) {
	if value(data[8:]) != 0 {
		return nil, false, nil
	}
	n, err := count(tx, binary.BigEndian.Uint64(data))
	return binary.BigEndian.AppendUint64(nil, uint64(n)), true, err
}

func count(tx *journal.Tx, id uint64) (n int64, err error) {
	err = tx.QueryRow(selectCounter, id).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return n, err
}

func (c *counters) Apply(tx *journal.Tx, _ uint64, data []byte) ([]byte, error) {
	if c.slow != nil {
		c.slow()
	}
	if len(data) != 20 {
		return nil, fmt.Errorf("a command of %d bytes", len(data))
	}
	id, by := binary.BigEndian.Uint64(data), value(data[8:])
	n, err := count(tx, id)
	if err != nil {
		return nil, err
	}
	if n += by; n < 0 {
		return nil, stock.Refuse(stock.Short, "counter %d would be %d", id, n)
	}
	if c.stray != nil {
		n += c.stray.Load()
	}
	if _, err := tx.Exec(upsertCounter, id, n); err != nil {
		return nil, err
	}
	reply := binary.BigEndian.AppendUint64(nil, uint64(n))
	return append(reply, data[16:]...), nil
}
