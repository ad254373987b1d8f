package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/google/uuid"

	"holdfast.dev/firmware-sim/program"
)

const (
	rqliteGoal    = 3
	rqliteClients = 64
	rqliteProgram = "rqlited"
	rqliteRow     = "reservations by three processes over HTTP, against rqlite"
)

// againstRqlite measures reservations a second of three processes of the cloud
// against the same writes, each a transaction, of three processes of rqlite.
func againstRqlite(ctx context.Context, b *bench) (err error) {
	path, err := exec.LookPath(rqliteProgram)
	if err != nil {
		b.add(missing(b.name(rqliteRow), rqliteProgram+" is not on PATH"))
		return nil
	}
	dir, err := b.folder("rqlite")
	if err != nil {
		return err
	}
	other, err := b.openRqlite(ctx, path, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	t, err := b.openTrio(ctx, func(i int) (string, error) {
		folder := filepath.Join(dir, fmt.Sprintf("cloud-%d", i))
		return folder, os.Mkdir(folder, 0o700)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	leader, _, err := t.leader(ctx)
	if err != nil {
		return err
	}
	m, err := b.loads(ctx, rqliteClients, other.reserve,
		func(ctx context.Context, _ int) error { return t.shopper.reserve(ctx, leader.listen) })
	if err != nil {
		return err
	}
	f := atLeast(b.name(rqliteRow), "reservations/s", m.rates, rqliteGoal)
	f.Note = fmt.Sprintf("p50 %s, p99 %s ms; rqlite %s, %s", round(m.ours.p50), round(m.ours.p99),
		round(m.limit.p50), round(m.limit.p99))
	b.add(f)
	return nil
}

// rqlite is three processes of it, with tables as the cloud's.
type rqlite struct {
	members []*program.Program
	leader  string // its HTTP address
	client  *http.Client
	row     []byte // as long as a promise, and as a directive
}

// The tables that a reservation changes, with their keys, and what it does to
// them. What the cloud knows without asking is not asked.
var (
	rqliteTables = []string{
		`CREATE TABLE store (store INTEGER PRIMARY KEY, directive INTEGER NOT NULL, hash BLOB NOT NULL) STRICT`,
		`CREATE TABLE quota (store INTEGER NOT NULL, timeline INTEGER NOT NULL, sku INTEGER NOT NULL,
  granted INTEGER NOT NULL, returned INTEGER NOT NULL, assigned INTEGER NOT NULL, held INTEGER NOT NULL,
  PRIMARY KEY (store, timeline, sku), CHECK (granted - returned - assigned - held >= 0)) STRICT, WITHOUT ROWID`,
		`CREATE TABLE promise (store INTEGER NOT NULL, reservation BLOB NOT NULL, timeline INTEGER NOT NULL,
  directive INTEGER NOT NULL, reserve BLOB NOT NULL, confirmed_at INTEGER NOT NULL,
  PRIMARY KEY (store, reservation)) STRICT, WITHOUT ROWID`,
		`CREATE INDEX promise_id ON promise (reservation, store)`,
		`CREATE UNIQUE INDEX promise_directive ON promise (store, timeline, directive)`,
		`CREATE TABLE directive (store INTEGER NOT NULL, timeline INTEGER NOT NULL, directive INTEGER NOT NULL,
  at INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (store, timeline, directive)) STRICT, WITHOUT ROWID`,
		`CREATE INDEX directive_at ON directive (at, store, timeline, directive)`,
		`CREATE TABLE journal (seq INTEGER PRIMARY KEY, uid TEXT UNIQUE, data BLOB NOT NULL) STRICT`,
	}
	rqliteStock = []string{
		`WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ?)
INSERT INTO store SELECT i, 0, x'' FROM s`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO quota SELECT store, 1, i, ?, 0, 0, 0 FROM store, n`,
	}
	rqliteReserve = []string{
		`INSERT INTO journal (uid, data) VALUES (?, CAST(? AS BLOB))`,
		`UPDATE quota SET assigned = assigned + 1 WHERE store = ? AND timeline = 1 AND sku = ?`,
		`UPDATE store SET directive = directive + 1 WHERE store = ?`,
		`INSERT INTO promise SELECT store, CAST(? AS BLOB), 1, directive, CAST(? AS BLOB), 1 FROM store
  WHERE store = ?`,
		`INSERT INTO directive SELECT store, 1, directive, 1, CAST(? AS BLOB) FROM store WHERE store = ?`,
	}
)

// rowBytes is about what a promise and a directive take.
const rowBytes = 180

func (b *bench) openRqlite(ctx context.Context, path, dir string) (r *rqlite, err error) {
	r = &rqlite{client: newShopper().client, row: bytes.Repeat([]byte("x"), rowBytes)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	first := ""
	for i := 1; i <= 3; i++ {
		var web, raft string
		if err := b.ports.Fill(&web, &raft); err != nil {
			return nil, err
		}
		args := []string{"-node-id", strconv.Itoa(i), "-http-addr", web, "-raft-addr", raft}
		if i == 1 {
			r.leader, first = web, raft
		} else {
			args = append(args, "-join", first)
		}
		args = append(args, filepath.Join(dir, fmt.Sprintf("rqlite-%d", i)))
		p := program.New(program.Options{Name: rqliteProgram,
			Command: func() []string { return append([]string{path}, args...) }})
		if err := p.Start(); err != nil {
			return nil, err
		}
		r.members = append(r.members, p)
		if err := p.AwaitReady(ctx, patience, program.Ready(http.DefaultClient, web)); err != nil {
			return nil, err
		}
	}
	var tables [][]any
	for _, text := range rqliteTables {
		tables = append(tables, []any{text})
	}
	return r, r.transact(ctx, append(tables, []any{rqliteStock[0], reserveStores},
		[]any{rqliteStock[1], reserveSKUs, plenty})...)
}

// reserve books one unit, as the cloud does.
func (r *rqlite) reserve(ctx context.Context, client int) error {
	id := uuid.New()
	store, sku := 1+int(id[0])%reserveStores, 1+int(id[1])%reserveSKUs
	row := string(r.row)
	return r.transact(ctx, []any{rqliteReserve[0], id.String(), row}, []any{rqliteReserve[1], store, sku},
		[]any{rqliteReserve[2], store}, []any{rqliteReserve[3], id.String(), row, store},
		[]any{rqliteReserve[4], row, store})
}

// transact executes statements with their arguments as one transaction.
func (r *rqlite) transact(ctx context.Context, statements ...[]any) error {
	text, err := json.Marshal(statements)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.leader+"/db/execute?transaction",
		bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	body, err := callBy(r.client, req)
	if err != nil {
		return err
	}
	var answer struct {
		Results []struct{ Error string }
		Error   string
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("rqlite answered %s: %w", body, err)
	}
	for _, result := range answer.Results {
		answer.Error += result.Error
	}
	if answer.Error != "" || len(answer.Results) != len(statements) {
		return fmt.Errorf("rqlite answered %s", body)
	}
	return nil
}

// Close kills all processes.
func (r *rqlite) Close() error {
	r.client.CloseIdleConnections()
	var errs []error
	for _, p := range r.members {
		errs = append(errs, p.Kill())
	}
	return errors.Join(errs...)
}
