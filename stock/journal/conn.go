package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"
)

const (
	writerCacheKiB = 8 << 10
	readerCacheKiB = 2 << 10
	maxStatements  = 256 // prepared statements kept per connection
)

// conn is one connection to SQLite and its prepared statements. One goroutine
// uses it at a time.
type conn struct {
	*engine
	statements map[string]*statement
	imaged     bool // in memory, see overwrite

	begin, commit, rollback *statement
}

// pragmas that every connection gets; mmap stays off because a fault in
// mapped memory cannot be told from a fault of the program. What a savepoint
// would restore is kept in memory: in a file it is two writes a page, for each
// command, from the first large one on.
const commonPragmas = `PRAGMA mmap_size = 0;
PRAGMA temp_store = MEMORY;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 67108864;`

func connect(uri string, cacheKiB int) (*conn, error) {
	e, err := openEngine(uri)
	if err != nil {
		return nil, err
	}
	c := &conn{engine: e, statements: make(map[string]*statement)}
	if err := c.script(fmt.Sprintf("%s\nPRAGMA cache_size = -%d;", commonPragmas, cacheKiB)); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// openWriter opens the only connection that writes. A path of "" opens a
// database in memory.
func openWriter(o Options) (*conn, error) {
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
	begin := o.Image
	if path == "" && o.Spare != nil {
		spare, blank, err := o.Spare.open(o.Image)
		if spare != nil || err != nil {
			return spare, err
		}
		begin = blank
	}
	uri, mode := "file::memory:", "memory"
	if path != "" {
		uri, mode = fileURI(path), "wal"
	}
	c, err := connect(uri, writerCacheKiB)
	if err != nil {
		return nil, err
	}
	if len(begin) > 0 {
		if err := c.deserialize(begin); err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.imaged = true
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
func openReader(path string) (*conn, error) {
	c, err := connect(fileURI(path)+"?mode=ro", readerCacheKiB)
	if err != nil {
		return nil, err
	}
	err = c.script("PRAGMA query_only = ON;")
	if err == nil {
		err = c.prepareBounds("BEGIN")
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// fileURI escapes what has a meaning in a URI. Without the prefix SQLite would
// ignore every parameter.
func fileURI(path string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// prepare returns a free statement for the SQL, from the cache if it can.
func (c *conn) prepare(sql string) (*statement, error) {
	s, ok := c.statements[sql]
	if ok && !s.inUse {
		return s, nil
	}
	s, err := c.engine.prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", sql, err)
	}
	s.writes = writes(sql)
	if !ok && len(c.statements) < maxStatements {
		c.statements[sql] = s
		s.cached = true
	}
	return s, nil
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

func (c *conn) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.close())
	}
	clear(c.statements)
	for _, s := range []*statement{c.begin, c.commit, c.rollback} {
		if s != nil { // SQLite keeps a database open as long as it has statements
			errs = append(errs, s.close())
		}
	}
	return errors.Join(append(errs, c.engine.close())...)
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
	e, ok := errors.AsType[*sqliteError](err)
	if !ok {
		return 0, false
	}
	return e.code & 0xff, true
}
