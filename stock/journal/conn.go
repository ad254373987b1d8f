package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	writerCacheKiB = 8 << 10
	readerCacheKiB = 2 << 10
	maxStatements  = 256 // prepared statements kept per connection
)

// conn is one connection to SQLite and its prepared statements. It goes
// beneath database/sql, whose pool, locks and conversions cost more than most
// statements do. One goroutine uses it at a time.
type conn struct {
	raw        driver.Conn
	statements map[string]*statement
	args       []driver.NamedValue // reused; the driver copies while it binds

	begin, commit, rollback *statement
}

// statement is prepared SQL. A cached one that is in use is not shared: the
// same SQL nested inside its own result gets a statement of its own.
type statement struct {
	raw    driver.Stmt
	exec   driver.StmtExecContext
	query  driver.StmtQueryContext
	cached bool
	inUse  bool
	writes bool // changes the database, as far as its text tells
}

// pragmas that every connection gets; mmap stays off because a fault in
// mapped memory cannot be told from a fault of the program.
const commonPragmas = `PRAGMA mmap_size = 0;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 67108864;`

func connect(ctx context.Context, dsn string, cacheKiB int) (*conn, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	raw, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{raw: raw, statements: make(map[string]*statement)}
	if err := c.script(fmt.Sprintf("%s\nPRAGMA cache_size = -%d;", commonPragmas, cacheKiB)); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// openWriter opens the only connection that writes. A path of "" opens a
// database in memory.
func openWriter(ctx context.Context, o Options) (*conn, error) {
	path, sync := o.Path, o.Sync
	if sync == "" {
		sync = "FULL"
	}
	if path != "" && len(o.Image) > 0 {
		return nil, errNoImage
	}
	level, ok := map[string]int64{"FULL": 2, "NORMAL": 1}[sync]
	if !ok {
		return nil, fmt.Errorf("sync %q is neither FULL nor NORMAL", sync)
	}
	dsn, mode := "file::memory:?", "memory"
	if path != "" {
		dsn, mode = fileURI(path)+"?", "wal"
	}
	c, err := connect(ctx, dsn+"_busy_timeout=5000&_defensive=1&_dqs=0", writerCacheKiB)
	if err != nil {
		return nil, err
	}
	if err := c.restore(o.Image); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if err := c.makeDurable(sync, mode, level); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if err := c.prepareBounds("BEGIN IMMEDIATE"); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// prepareBounds prepares what begins and ends transactions.
func (c *conn) prepareBounds(begin string) (err error) {
	if c.begin, err = c.prepare(begin); err != nil {
		return err
	}
	if c.commit, err = c.prepare("COMMIT"); err != nil {
		return err
	}
	c.rollback, err = c.prepare("ROLLBACK")
	return err
}

// makeDurable sets the journal mode and reads it back: some file systems
// silently stay in another mode, and then a commit would promise too much.
func (c *conn) makeDurable(sync, mode string, level int64) error {
	if err := c.script("PRAGMA journal_mode = " + mode + "; PRAGMA synchronous = " + sync + ";"); err != nil {
		return err
	}
	tx := newTx(context.Background(), c, writing)
	defer tx.end()
	var gotMode string
	var gotLevel int64
	if err := tx.QueryRow("PRAGMA journal_mode").Scan(&gotMode); err != nil {
		return err
	}
	if err := tx.QueryRow("PRAGMA synchronous").Scan(&gotLevel); err != nil {
		return err
	}
	if gotMode != mode || gotLevel != level {
		return fmt.Errorf("journal mode is %s with synchronous %d, need %s with %d",
			gotMode, gotLevel, mode, level)
	}
	return nil
}

// openReader opens a connection that cannot write.
func openReader(ctx context.Context, path string) (*conn, error) {
	c, err := connect(ctx, fileURI(path)+"?mode=ro&_busy_timeout=5000&_query_only=1&_defensive=1&_dqs=0",
		readerCacheKiB)
	if err != nil {
		return nil, err
	}
	if err := c.prepareBounds("BEGIN"); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// fileURI escapes what has a meaning in a URI. Without the prefix SQLite would
// ignore every parameter.
func fileURI(path string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// script runs several statements without arguments.
func (c *conn) script(sql string) error {
	execer, ok := c.raw.(driver.ExecerContext)
	if !ok {
		return errors.New("driver cannot run a script")
	}
	_, err := execer.ExecContext(context.Background(), sql, nil)
	return err
}

// prepare returns a free statement for the SQL, from the cache if it can.
func (c *conn) prepare(sql string) (*statement, error) {
	s, ok := c.statements[sql]
	if ok && !s.inUse {
		return s, nil
	}
	raw, err := c.raw.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", sql, err)
	}
	s = &statement{raw: raw, writes: writes(sql)}
	s.exec, _ = raw.(driver.StmtExecContext)
	s.query, _ = raw.(driver.StmtQueryContext)
	if s.exec == nil || s.query == nil {
		return nil, errors.Join(errors.New("driver lacks contexts"), raw.Close())
	}
	if !ok && len(c.statements) < maxStatements {
		c.statements[sql] = s
		s.cached = true
	}
	return s, nil
}

// done gives a statement back.
func (s *statement) done() error {
	s.inUse = false
	if s.cached {
		return nil
	}
	return s.raw.Close()
}

// run executes one of the connection's own statements.
func (s *statement) run() error {
	_, err := s.exec.ExecContext(context.Background(), nil)
	return err
}

// writes tells whether the SQL changes the database. It knows the statements
// that machines use; what it does not know counts as a change.
func writes(sql string) bool {
	words := strings.Fields(strings.ToUpper(afterComments(sql)))
	if len(words) == 0 {
		return false
	}
	switch words[0] {
	case "SELECT", "VALUES", "EXPLAIN", "PRAGMA":
		return false
	case "WITH":
		for _, w := range words {
			if w == "INSERT" || w == "UPDATE" || w == "DELETE" || w == "REPLACE" {
				return true
			}
		}
		return false
	}
	return true
}

func afterComments(sql string) string {
	for {
		sql = strings.TrimSpace(sql)
		var found bool
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, found = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			_, sql, found = strings.Cut(sql, "*/")
		}
		if !found {
			return sql
		}
	}
}

// bind turns arguments into what the driver takes.
func (c *conn) bind(args []any) ([]driver.NamedValue, error) {
	c.args = c.args[:0]
	for i, arg := range args {
		v, err := toValue(arg)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args, nil
}

// framesWritten returns the pages this connection wrote since the last call.
func (c *conn) framesWritten() int {
	status, ok := c.raw.(sqlite.DBStatus)
	if !ok {
		return 0
	}
	n, _, err := status.Status(sqlite.DBStatusCacheWrite, true)
	if err != nil {
		return 0
	}
	return n
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.raw.Close())
	}
	clear(c.statements)
	return errors.Join(append(errs, c.raw.Close())...)
}

// environmental tells whether err is the world breaking under the writer, after
// which nothing is known about the file, rather than a statement that is wrong.
func environmental(err error) bool {
	code, ok := primaryCode(err)
	if !ok {
		return false
	}
	switch code {
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH,
		sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_INTERRUPT:
		return false
	}
	return true
}

// brokenFile tells whether err means that the file cannot be trusted.
func brokenFile(err error) bool {
	code, ok := primaryCode(err)
	return ok && (code == sqlite3.SQLITE_IOERR || code == sqlite3.SQLITE_CORRUPT ||
		code == sqlite3.SQLITE_NOTADB)
}

func primaryCode(err error) (int, bool) {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return 0, false
	}
	return e.Code() & 0xff, true
}
