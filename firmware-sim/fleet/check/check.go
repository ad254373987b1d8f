// Package check holds a store's database and the cloud's against each other,
// whoever wrote them: a simulation or the programs.
package check

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"

	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// Finding is something in a database that must not be.
type Finding struct {
	Invariant string
	What      string
}

const (
	pageSize    = 500
	maxFindings = 20
)

// findings collects up to a bound.
type findings []Finding

func (f *findings) check(ok bool, invariant, format string, args ...any) {
	if !ok && len(*f) < maxFindings {
		*f = append(*f, Finding{invariant, fmt.Sprintf(format, args...)})
	}
}

// Cloud checks what the cloud alone can see.
func Cloud(tx *journal.Tx) ([]Finding, error) {
	all, err := headoffice.CheckInvariants(tx)
	var f findings
	for _, i := range all {
		for _, what := range i.Violations {
			f.check(false, "INV-2", "%s: %s", i.Name, what)
		}
	}
	return f, err
}

// Accounts reads all books of a store.
func Accounts(tx *journal.Tx, store stock.StoreID) ([]books.Account, error) {
	var all []books.Account
	for after := stock.SKU(0); ; {
		page, err := books.Accounts(tx, store, after, pageSize)
		all = append(all, page...)
		if err != nil || len(page) < pageSize {
			return all, err
		}
		after = page[len(page)-1].SKU
	}
}

// Mirrors reads the cloud's copy of a store's books, by SKU.
func Mirrors(cloud *journal.Tx, store stock.StoreID) (map[stock.SKU]books.Account, error) {
	all, err := Accounts(cloud, store)
	bySKU := make(map[stock.SKU]books.Account, len(all))
	for _, a := range all {
		bySKU[a.SKU] = a
	}
	return bySKU, err
}

const sumLegacies = `SELECT sku, sum(granted - returned_rights - assigned) FROM legacy
  WHERE store = ? GROUP BY sku ORDER BY sku`

// Legacies sums up what is left of the rights of older timelines, by SKU.
func Legacies(tx *journal.Tx, store stock.StoreID) (map[stock.SKU]stock.Units, error) {
	rows, err := tx.Query(sumLegacies, store)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all map[stock.SKU]stock.Units
	for rows.Next() {
		var sku stock.SKU
		var n stock.Units
		if err := rows.Scan(&sku, &n); err != nil {
			return nil, err
		}
		if all == nil {
			all = make(map[stock.SKU]stock.Units)
		}
		all[sku] = n
	}
	return all, rows.Err()
}

const sumQuotas = `SELECT sku, sum(granted), sum(returned), sum(assigned), sum(held) FROM quota
  WHERE store = ? AND timeline = ? GROUP BY sku ORDER BY sku`

// Quotas reads what the cloud may promise of a store in a timeline, by SKU.
func Quotas(tx *journal.Tx, store stock.StoreID, t stock.Timeline) (map[stock.SKU]escrow.Pool, error) {
	rows, err := tx.Query(sumQuotas, store, t)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[stock.SKU]escrow.Pool)
	for rows.Next() {
		var sku stock.SKU
		var q escrow.Pool
		if err := rows.Scan(&sku, &q.Granted, &q.Returned, &q.Assigned, &q.Held); err != nil {
			return nil, err
		}
		all[sku] = q
	}
	return all, rows.Err()
}

const sumLines = `SELECT sku, sum(reserved), sum(picked), sum(staged), sum(collected)
  FROM reservation_line WHERE store = ? GROUP BY sku ORDER BY sku`

// Store checks a store's books against themselves: balances, signs, counters,
// and that what is bound is bound to reservations.
func Store(tx *journal.Tx, store stock.StoreID) ([]Finding, error) {
	var f findings
	accounts, err := Accounts(tx, store)
	if err != nil {
		return nil, err
	}
	bound, err := boundUnits(tx, store)
	if err != nil {
		return nil, err
	}
	legacy, err := Legacies(tx, store)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		b := a.Balances
		f.check(b.Sum() == 0, "INV-1", "store %d sku %d: units came from nowhere: %v", store, a.SKU, b)
		for acct := ledger.Online; acct <= ledger.InTransfer; acct++ {
			f.check(b[acct] >= 0, "INV-1", "store %d sku %d: %s is %d", store, a.SKU, acct, b[acct])
		}
		old := legacy[a.SKU]
		f.check(b[ledger.Online] == a.Rights.Online()+old, "INV-2",
			"store %d sku %d: online %d, counters %+v, of older timelines %d", store, a.SKU, b[ledger.Online],
			a.Rights, old)
		f.check(bound[a.SKU] == [3]stock.Units{b[ledger.Reserved], b[ledger.Picked], b[ledger.Staged]},
			"INV-3", "store %d sku %d: bound %d, %d, %d, to orders %v", store, a.SKU, b[ledger.Reserved],
			b[ledger.Picked], b[ledger.Staged], bound[a.SKU])
	}
	return f, nil
}

func boundUnits(tx *journal.Tx, store stock.StoreID) (map[stock.SKU][3]stock.Units, error) {
	rows, err := tx.Query(sumLines, store)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	bound := make(map[stock.SKU][3]stock.Units)
	for rows.Next() {
		var sku stock.SKU
		var n [3]stock.Units
		var collected stock.Units
		if err := rows.Scan(&sku, &n[0], &n[1], &n[2], &collected); err != nil {
			return nil, err
		}
		bound[sku] = n
	}
	return bound, rows.Err()
}

// Pair checks a store's database against the cloud's. The two may have been
// read at different moments if nothing was going on.
func Pair(node, cloud *journal.Tx, store stock.StoreID) ([]Finding, error) {
	p := pair{node: node, cloud: cloud, store: store}
	for _, check := range []func() error{p.history, p.orders, p.rights, p.copies} {
		if err := check(); err != nil {
			return p.f, err
		}
	}
	return p.f, nil
}

type pair struct {
	node, cloud *journal.Tx
	store       stock.StoreID
	f           findings
	office      *headoffice.Store
	level       bool // the cloud has every record
}

const (
	hashOfRecord    = `SELECT hash FROM journal WHERE seq = ?`
	lastRecord      = `SELECT ifnull(max(seq), 0) FROM journal`
	hashOfDirective = `SELECT hash FROM directive WHERE store = ? AND timeline = ? AND directive = ?`
)

// history: the cloud's records are a prefix of the store's.
func (p *pair) history() (err error) {
	if p.office, err = headoffice.FindStore(p.cloud, p.store); err != nil {
		return err
	}
	at := p.office.Applied
	var head uint64
	if err := p.node.QueryRow(lastRecord).Scan(&head); err != nil {
		return err
	}
	p.level = head == at.Seq
	p.f.check(at.Seq <= head, "INV-6", "store %d: the cloud has record %d, the store ends at %d", p.store,
		at.Seq, head)
	if at.Seq == 0 {
		return nil
	}
	var hash journal.Hash
	err = p.node.QueryRow(hashOfRecord, at.Seq).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	p.f.check(hash == at.Hash, "INV-6", "store %d: record %d has the hash %s, in the cloud %s", p.store,
		at.Seq, hash, at.Hash)
	return err
}

// orders: the store's directives are a prefix of the cloud's.
func (p *pair) orders() error {
	c, err := books.CursorOf(p.node, p.store)
	if err != nil || c.Timeline != p.office.Timeline {
		return err
	}
	d := p.office.Directives
	p.f.check(c.Directives <= d.Seq && p.office.Acked <= c.Directives, "INV-6",
		"store %d: directive %d applied, %d written, %d acked", p.store, c.Directives, d.Seq, p.office.Acked)
	if c.Directives == 0 {
		return nil
	}
	var hash []byte
	err = p.cloud.QueryRow(hashOfDirective, p.store, c.Timeline, c.Directives).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // acknowledged long ago, and forgotten
	}
	p.f.check(bytes.Equal(hash, c.Hash[:]), "INV-6", "store %d: directive %d has another hash", p.store,
		c.Directives)
	return err
}

// rights: the counters of each side are ahead of the other's copy of them.
func (p *pair) rights() error {
	if p.office.Quarantined {
		return nil
	}
	accounts, err := Accounts(p.node, p.store)
	if err != nil {
		return err
	}
	quotas, err := Quotas(p.cloud, p.store, p.office.Timeline)
	if err != nil {
		return err
	}
	mirrors, err := Mirrors(p.cloud, p.store)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if a.Rights.Timeline != p.office.Timeline {
			continue
		}
		r, q := a.Rights, quotas[a.SKU]
		p.f.check(r.Granted >= q.Granted && r.Returned <= q.Returned && r.Assigned <= q.Assigned, "INV-2",
			"store %d sku %d: counters ran ahead: store %+v, cloud %+v", p.store, a.SKU, r, q)
		p.f.check(q.Free() >= 0 && q.Held >= 0, "INV-1", "store %d sku %d: pool %d, held %d", p.store,
			a.SKU, q.Free(), q.Held)
		if p.level {
			m := mirrors[a.SKU]
			p.f.check(m.Balances == a.Balances && m.Rights == a.Rights, "INV-3",
				"store %d sku %d: the cloud's copy is %v %+v, the store has %v %+v", p.store, a.SKU,
				m.Balances, m.Rights, a.Balances, a.Rights)
		}
	}
	return nil
}
