package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// bare is the limit of everything that is durable: the same SQLite driver on
// one connection of its own, with the same promises to the disk, prepared
// statements, and nothing else. The driver is registered by stock/journal.
type bare struct {
	db                            *sql.DB
	begin, entry, balance, commit *sql.Stmt
	archive                       *sql.Stmt
	seq                           int64
	data, hash                    []byte
}

const (
	bareTables = `CREATE TABLE entry (seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE balance (sku INTEGER PRIMARY KEY, units INTEGER NOT NULL) STRICT;
CREATE TABLE archive (
  store INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (store, seq)
) STRICT, WITHOUT ROWID;`
	bareRows = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO balance (sku, units) SELECT i, 0 FROM n`
	bareEntry   = `INSERT INTO entry (seq, data) VALUES (?, ?)`
	bareBalance = `UPDATE balance SET units = units - 1 WHERE sku = ?`
	bareArchive = `INSERT INTO archive (store, seq, data, hash) VALUES (1, ?, ?, ?)`
)

// openBare makes a database whose entries have as many bytes as a record.
func openBare(ctx context.Context, dir string, entryBytes int) (*bare, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "bare.db")+
		"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_defensive=1&_dqs=0")
	if err != nil {
		return nil, fmt.Errorf("open the bare limit: %w", err)
	}
	l := &bare{db: db, data: make([]byte, entryBytes), hash: make([]byte, 16)}
	if err := l.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare the bare limit: %w", errors.Join(err, db.Close()))
	}
	return l, nil
}

func (l *bare) prepare(ctx context.Context) error {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, bareTables); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, bareRows, assortment); err != nil {
		return err
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&l.begin, "BEGIN IMMEDIATE"}, {&l.commit, "COMMIT"},
		{&l.entry, bareEntry}, {&l.balance, bareBalance}, {&l.archive, bareArchive},
	} {
		if *p.stmt, err = conn.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}

func (l *bare) Close() error { return l.db.Close() }

// transact is one durable transaction of two statements: an entry and the
// balance that it changes.
func (l *bare) transact(ctx context.Context) error {
	l.seq++
	if _, err := l.begin.ExecContext(ctx); err != nil {
		return err
	}
	if _, err := l.entry.ExecContext(ctx, l.seq, l.data); err != nil {
		return err
	}
	if _, err := l.balance.ExecContext(ctx, 1+l.seq%assortment); err != nil {
		return err
	}
	_, err := l.commit.ExecContext(ctx)
	return err
}

// timed is transact with how long it took.
func (l *bare) timed(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := l.transact(ctx)
	return time.Since(began), err
}

// bareBatch is how many rows of a batched insert share a transaction.
const bareBatch = 1000

// insert writes rows in durable batches and returns rows a second.
func (l *bare) insert(ctx context.Context, rows int) (float64, error) {
	began := time.Now()
	for done := 0; done < rows; done += bareBatch {
		if _, err := l.begin.ExecContext(ctx); err != nil {
			return 0, err
		}
		for range bareBatch {
			l.seq++
			if _, err := l.archive.ExecContext(ctx, l.seq, l.data, l.hash); err != nil {
				return 0, err
			}
		}
		if _, err := l.commit.ExecContext(ctx); err != nil {
			return 0, err
		}
	}
	return float64(rows) / time.Since(began).Seconds(), nil
}
