package books

import (
	"database/sql"
	"errors"
	"fmt"

	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// Migration is the SQL of the first version of the tables. Every row belongs
// to a store. The first CHECK is the double entry; the others are the rule that
// only sellable may go below zero.
func Migration() string { return migration }

const migration = `
CREATE TABLE acct (
  store INTEGER NOT NULL, sku INTEGER NOT NULL,
  sellable INTEGER NOT NULL, online INTEGER NOT NULL, reserved INTEGER NOT NULL,
  picked INTEGER NOT NULL, staged INTEGER NOT NULL, to_shelve INTEGER NOT NULL,
  damaged INTEGER NOT NULL, in_transfer INTEGER NOT NULL, suspense INTEGER NOT NULL,
  supplier INTEGER NOT NULL, sold INTEGER NOT NULL, collected INTEGER NOT NULL,
  returned INTEGER NOT NULL, missing INTEGER NOT NULL, found INTEGER NOT NULL,
  transfer_out INTEGER NOT NULL, writeoff INTEGER NOT NULL,
  timeline INTEGER NOT NULL, granted INTEGER NOT NULL, returned_rights INTEGER NOT NULL,
  assigned INTEGER NOT NULL,
  PRIMARY KEY (store, sku),
  CHECK (sellable+online+reserved+picked+staged+to_shelve+damaged+in_transfer+suspense+supplier
    +sold+collected+returned+missing+found+transfer_out+writeoff = 0),
  CHECK (online >= 0 AND reserved >= 0 AND picked >= 0 AND staged >= 0 AND to_shelve >= 0
    AND damaged >= 0 AND in_transfer >= 0),
  CHECK (granted >= 0 AND returned_rights >= 0 AND assigned >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX acct_to_shelve ON acct (store, sku) WHERE to_shelve > 0;
CREATE TABLE legacy (
  store INTEGER NOT NULL, timeline INTEGER NOT NULL, sku INTEGER NOT NULL,
  granted INTEGER NOT NULL, returned_rights INTEGER NOT NULL, assigned INTEGER NOT NULL,
  PRIMARY KEY (store, timeline, sku)
) STRICT, WITHOUT ROWID;
CREATE TABLE reservation (
  store INTEGER NOT NULL, id BLOB NOT NULL, reserve BLOB NOT NULL, accepted INTEGER NOT NULL,
  code TEXT NOT NULL, pickup_until INTEGER NOT NULL, finished_at INTEGER NOT NULL,
  shelf TEXT NOT NULL, directive INTEGER NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (store, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservation_open ON reservation (store, pickup_until) WHERE finished_at = 0;
CREATE INDEX reservation_finished ON reservation (store, finished_at) WHERE finished_at > 0;
CREATE INDEX reservation_code ON reservation (store, code);
CREATE TABLE reservation_line (
  store INTEGER NOT NULL, id BLOB NOT NULL, line INTEGER NOT NULL, sku INTEGER NOT NULL,
  quantity INTEGER NOT NULL, reserved INTEGER NOT NULL, picked INTEGER NOT NULL,
  staged INTEGER NOT NULL, collected INTEGER NOT NULL, released INTEGER NOT NULL,
  short INTEGER NOT NULL,
  PRIMARY KEY (store, id, line),
  CHECK (reserved+picked+staged+collected+released+short = quantity),
  CHECK (reserved >= 0 AND picked >= 0 AND staged >= 0)
) STRICT, WITHOUT ROWID;
CREATE TABLE document (
  store INTEGER NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (store, id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE cursor (
  store INTEGER PRIMARY KEY, directives INTEGER NOT NULL, directives_hash BLOB NOT NULL,
  timeline INTEGER NOT NULL
) STRICT;
`

const accountColumns = `sku, sellable, online, reserved, picked, staged, to_shelve, damaged,
  in_transfer, suspense, supplier, sold, collected, returned, missing, found, transfer_out,
  writeoff, timeline, granted, returned_rights, assigned`

const (
	selectAccount  = `SELECT ` + accountColumns + ` FROM acct WHERE store = ? AND sku = ?`
	selectAccounts = `SELECT ` + accountColumns + ` FROM acct
  WHERE store = ? AND sku > ? ORDER BY sku LIMIT ?`
	selectToShelve = `SELECT ` + accountColumns + ` FROM acct
  WHERE store = ? AND to_shelve > 0 ORDER BY sku LIMIT ?`
	insertAccount = `INSERT INTO acct (store, ` + accountColumns + `)
  VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	updateSold    = `UPDATE acct SET sellable=?, sold=? WHERE store=? AND sku=?`
	updateAccount = `UPDATE acct SET sellable=?, online=?, reserved=?, picked=?, staged=?,
  to_shelve=?, damaged=?, in_transfer=?, suspense=?, supplier=?, sold=?, collected=?, returned=?,
  missing=?, found=?, transfer_out=?, writeoff=?, timeline=?, granted=?, returned_rights=?,
  assigned=? WHERE store=? AND sku=?`
	selectDocument = `SELECT seq FROM document WHERE store = ? AND id = ? AND position = ?`
	insertDocument = `INSERT INTO document (store, id, position, seq) VALUES (?,?,?,?)`
	lastPosition   = `SELECT coalesce(max(position), 0), count(*), coalesce(min(seq), 0)
  FROM document WHERE store = ? AND id = ?`
	selectCursor = `SELECT directives, directives_hash, timeline FROM cursor WHERE store = ?`
	upsertCursor = `INSERT INTO cursor (store, directives, directives_hash, timeline)
  VALUES (?,?,?,?) ON CONFLICT (store) DO UPDATE SET directives = excluded.directives,
  directives_hash = excluded.directives_hash, timeline = excluded.timeline`
)

// scanner is a row that can be read once.
type scanner interface{ Scan(dest ...any) error }

func scanAccount(row scanner) (*Account, error) {
	a := &Account{stored: true}
	b, r := &a.Balances, &a.Rights
	err := row.Scan(&a.SKU, &b[ledger.Sellable], &b[ledger.Online], &b[ledger.Reserved],
		&b[ledger.Picked], &b[ledger.Staged], &b[ledger.ToShelve], &b[ledger.Damaged],
		&b[ledger.InTransfer], &b[ledger.Suspense], &b[ledger.Supplier], &b[ledger.Sold],
		&b[ledger.Collected], &b[ledger.Returned], &b[ledger.Missing], &b[ledger.Found],
		&b[ledger.TransferOut], &b[ledger.Writeoff],
		&r.Timeline, &r.Granted, &r.Returned, &r.Assigned)
	return a, err
}

func (b *Book) saveAccount(a *Account) error {
	var q string
	args := make([]any, 0, ledger.NumAccounts+6)
	switch {
	case !a.stored:
		q, args = insertAccount, a.columns(append(args, b.store, a.SKU))
	case a.wide:
		q, args = updateAccount, append(a.columns(args), b.store, a.SKU)
	default:
		q, args = updateSold, append(args, int64(a.Balances[ledger.Sellable]),
			int64(a.Balances[ledger.Sold]), b.store, a.SKU)
	}
	_, err := b.tx.Exec(q, args...)
	a.stored, a.dirty, a.wide = true, false, false
	return err
}

// columns appends the values of the columns after the SKU.
func (a *Account) columns(args []any) []any {
	for acct := ledger.Sellable; acct <= ledger.Writeoff; acct++ {
		args = append(args, int64(a.Balances[acct]))
	}
	r := a.Rights
	return append(args, uint32(r.Timeline), int64(r.Granted), int64(r.Returned), int64(r.Assigned))
}

// Accounts lists the books of a store in the order of SKU, after a SKU.
func Accounts(tx *journal.Tx, store stock.StoreID, after stock.SKU, limit int) ([]Account, error) {
	return listAccounts(tx, store, selectAccounts, store, after, limit)
}

// ToShelve lists the books with units that wait for a shelf scan.
func ToShelve(tx *journal.Tx, store stock.StoreID, limit int) ([]Account, error) {
	return listAccounts(tx, store, selectToShelve, store, limit)
}

func listAccounts(tx *journal.Tx, store stock.StoreID, q string, args ...any) ([]Account, error) {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return nil, fmt.Errorf("list accounts of store %d: %w", store, err)
	}
	defer rows.Close()
	var all []Account
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, fmt.Errorf("read account of store %d: %w", store, err)
		}
		all = append(all, *a)
	}
	return all, rows.Err()
}

// document is a delivery note or transfer; each position is booked once.
type document struct {
	id       string
	position uint32
	seq      uint64
}

// claim makes sure that a position of a document is booked once.
func (b *Book) claim(id string, position uint32) error {
	if id == "" {
		return nil
	}
	seq, err := b.documentSeq(id, position)
	switch {
	case err != nil:
		return err
	case seq == 0:
		b.documents = append(b.documents, document{id, position, b.seq})
		return nil
	case b.rules == Strict:
		return stock.Refuse(stock.DocumentUsed, "document %q position %d is record %d", id, position, seq).
			With("document", id)
	}
	b.note(stock.DocumentUsed, "document %q position %d was record %d", id, position, seq)
	return nil
}

// documentSeq returns the record that booked a position of a document; zero if
// none did.
func (b *Book) documentSeq(id string, position uint32) (seq uint64, err error) {
	for _, d := range b.documents {
		if d.id == id && d.position == position {
			return d.seq, nil
		}
	}
	err = b.tx.QueryRow(selectDocument, b.store, id, position).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("load document %q: %w", id, err)
	}
	return seq, nil
}

// booked tells whether a position of a document was booked before.
func (b *Book) booked(id string, position uint32) (bool, error) {
	if id == "" {
		return false, nil
	}
	seq, err := b.documentSeq(id, position)
	return seq > 0, err
}

// DocumentState says what is booked of a delivery note: its last position, how
// many positions, and the first record. Zeros: nothing yet.
type DocumentState struct {
	Last  uint32
	Count int
	First uint64
}

// Document returns what is booked of a delivery note or transfer.
func Document(tx *journal.Tx, store stock.StoreID, id string) (DocumentState, error) {
	var d DocumentState
	err := tx.QueryRow(lastPosition, store, id).Scan(&d.Last, &d.Count, &d.First)
	return d, err
}

// Cursor is how many directives of a timeline are applied, and their chain.
type Cursor struct {
	Directives uint64
	Hash       journal.Hash
	Timeline   stock.Timeline
}

// CursorOf returns the cursor of a store; zero when no directive was applied.
func CursorOf(tx *journal.Tx, store stock.StoreID) (Cursor, error) {
	c, hash := Cursor{Timeline: 1}, []byte{}
	err := tx.QueryRow(selectCursor, store).Scan(&c.Directives, &hash, &c.Timeline)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	copy(c.Hash[:], hash)
	return c, err
}

func (b *Book) saveCursor() error {
	c := b.cursor
	_, err := b.tx.Exec(upsertCursor, b.store, c.Directives, c.Hash[:], c.Timeline)
	if err != nil {
		return fmt.Errorf("save cursor of store %d: %w", b.store, err)
	}
	return nil
}
