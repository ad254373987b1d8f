package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
)

const ownTables = `
CREATE TABLE IF NOT EXISTS journal (
	seq   INTEGER PRIMARY KEY CHECK (seq > 0),
	uid   BLOB CHECK (length(uid) = 16),
	data  BLOB NOT NULL,
	hash  BLOB NOT NULL CHECK (length(hash) = 16),
	reply BLOB
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS journal_uid ON journal (uid) WHERE uid IS NOT NULL;
CREATE TABLE IF NOT EXISTS journal_migration (
	version INTEGER PRIMARY KEY,
	hash    BLOB NOT NULL
) STRICT;`

// originTable says up to where records are kept that were never applied here:
// those of before a rebuild.
const originTable = `
CREATE TABLE IF NOT EXISTS journal_origin (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	seq  INTEGER NOT NULL,
	hash BLOB NOT NULL CHECK (length(hash) = 16)
) STRICT;`

const (
	selectMigrations = `SELECT version, hash FROM journal_migration ORDER BY version`
	insertMigration  = `INSERT INTO journal_migration (version, hash) VALUES (?, ?)`
	selectHead       = `SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1`
)

// migrate makes the journal's own tables and brings the machine's to their
// newest version, in one transaction.
func migrate(c *conn, migrations []string) error {
	if err := c.begin.run(); err != nil {
		return err
	}
	tx := newTx(context.Background(), c, writing)
	err := migrateIn(tx, migrations)
	tx.end()
	if err != nil {
		return errors.Join(err, c.rollback.run())
	}
	return c.commit.run()
}

// ErrNewer means that a newer program wrote the file.
var ErrNewer = errors.New("the file is of a newer program")

func migrateIn(tx *Tx, migrations []string) error {
	var version int
	if err := tx.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("%w: tables of version %d, this program knows %d", ErrNewer, version, len(migrations))
	}
	if err := tx.c.script(originTable); err != nil {
		return fmt.Errorf("make table of the origin: %w", err)
	}
	if version == len(migrations) && version > 0 {
		return checkMigrations(tx, migrations)
	}
	if err := tx.c.script(ownTables); err != nil {
		return fmt.Errorf("make journal tables: %w", err)
	}
	if err := checkMigrations(tx, migrations); err != nil {
		return err
	}
	for i := version; i < len(migrations); i++ {
		if err := tx.c.script(migrations[i]); err != nil {
			return fmt.Errorf("migrate to version %d: %w", i+1, err)
		}
		sum := sha256.Sum256([]byte(migrations[i]))
		if _, err := tx.Exec(insertMigration, i+1, sum[:]); err != nil {
			return err
		}
	}
	return tx.c.script(fmt.Sprintf("PRAGMA user_version = %d", len(migrations)))
}

// checkMigrations refuses a program whose old migrations differ from those
// that made the file: its tables would not be what the program thinks.
func checkMigrations(tx *Tx, migrations []string) error {
	applied, err := tx.Query(selectMigrations)
	if err != nil {
		return err
	}
	defer applied.Close()
	for applied.Next() {
		var version int
		var hash []byte
		if err := applied.Scan(&version, &hash); err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(migrations[version-1]))
		if !bytes.Equal(hash, sum[:]) {
			return fmt.Errorf("migration %d was edited after it was applied", version)
		}
	}
	return applied.Err()
}

// readHead returns the last record's position and checks the record itself.
func readHead(c *conn) (Position, error) {
	tx := newTx(context.Background(), c, reading)
	defer tx.end()
	var head Position
	err := tx.QueryRow(selectHead).Scan(&head.Seq, &head.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, fmt.Errorf("read the last record: %w", err)
	}
	var before Position
	if head.Seq > 1 {
		before, err = positionAt(tx, head.Seq-1)
		if origin, originErr := readOrigin(tx); originErr == nil && origin == head {
			return head, nil // kept, not applied: what was before may not be here
		}
		if err != nil {
			return Position{}, err
		}
	}
	last, err := entriesFrom(tx, head.Seq, 1, 0)
	if err != nil {
		return Position{}, err
	}
	return head, last[0].follows(before)
}
