// Package shopfloor is the store's state machine: what a scan, a sale, a
// receipt, a count, a pick or a collection does in this store.
package shopfloor

import (
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

// Machine builds a store's books from its journal. It is pure: the same
// records give the same rows.
type Machine struct {
	Store stock.StoreID
	// Local is SQL for tables beside the books, whose names begin with local_.
	Local []string
}

const settingTable = `
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE local_setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
`

const (
	selectSetting = `SELECT value FROM setting WHERE name = ?`
	upsertSetting = `INSERT INTO setting (name, value) VALUES (?,?)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	selectLocal = `SELECT value FROM local_setting WHERE name = ?`
	upsertLocal = `INSERT INTO local_setting (name, value) VALUES (?,?)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value`
)

// Names of settings.
const (
	settingPolicy = "policy"
	settingKeys   = "keys"
)

// Migrations returns the SQL of the books and of the local tables.
func (m *Machine) Migrations() []string {
	all := append([]string{books.Migration(), settingTable}, m.Local...)
	return append(all, books.RecoveryMigration(), forecastTable)
}

// Apply books one record, or refuses it before anything is written.
func (m *Machine) Apply(tx *journal.Tx, seq uint64, data []byte) ([]byte, error) {
	var rec recordv1.Record
	if err := proto.Unmarshal(data, &rec); err != nil {
		return nil, fmt.Errorf("decode record %d: %w", seq, err)
	}
	if rec.GetSeq() != seq {
		return nil, fmt.Errorf("record %d says that it is %d", seq, rec.GetSeq())
	}
	b := books.Open(tx, m.Store)
	if err := b.Apply(&rec, books.Strict); err != nil {
		return nil, err
	}
	if err := b.Save(); err != nil {
		return nil, err
	}
	if c := rec.GetCheckpoint(); c != nil {
		return nil, applySettings(tx, c)
	}
	return nil, applySettings(tx, rec.GetApplyDirective())
}

// settings are what a directive or a checkpoint may bring.
type settings interface {
	GetPolicy() *recordv1.Policy
	GetKeys() *recordv1.KeySet
}

// applySettings keeps the policy and the keys that a record brought.
func applySettings(tx *journal.Tx, d settings) error {
	if p := d.GetPolicy(); p != nil {
		if err := putMessage(tx, upsertSetting, settingPolicy, p); err != nil {
			return err
		}
	}
	if k := d.GetKeys(); k != nil {
		return putMessage(tx, upsertSetting, settingKeys, k)
	}
	return nil
}

func putMessage(tx *journal.Tx, q, name string, m proto.Message) error {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(q, name, raw); err != nil {
		return fmt.Errorf("save setting %s: %w", name, err)
	}
	return nil
}

// getMessage loads a setting into m; m is left alone when there is none.
func getMessage(tx *journal.Tx, q, name string, m proto.Message) error {
	raw, err := getBytes(tx, q, name)
	if err != nil || raw == nil {
		return err
	}
	return proto.Unmarshal(raw, m)
}

func getBytes(tx *journal.Tx, q, name string) ([]byte, error) {
	var raw []byte
	err := tx.QueryRow(q, name).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load setting %s: %w", name, err)
	}
	return raw, nil
}
