package headoffice

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

const (
	maxViolations = 20
	// chainDepth is how many of a store's newest records are hashed again.
	chainDepth = 10_000
	pageSize   = 500
)

// Invariant is one thing that must always hold, and where it does not.
type Invariant struct {
	Name       string
	Checked    int64
	Violations []string // at most 20
}

func (i *Invariant) check(ok bool, format string, args ...any) {
	i.Checked++
	if !ok && len(i.Violations) < maxViolations {
		i.Violations = append(i.Violations, fmt.Sprintf(format, args...))
	}
}

// CheckInvariants checks, over all stores, what the cloud can see:
//
//	pool     no counter and no pool is below zero
//	cover    what a store has set aside covers what the cloud may promise
//	taken    promises and what the store has taken for them add up
//	outcome  no line of a reservation ends more units than it has
//	chain    records and directives have the hashes that they should
func CheckInvariants(tx *journal.Tx) ([]Invariant, error) {
	c := checker{tx: tx, pool: Invariant{Name: "pool"}, cover: Invariant{Name: "cover"},
		taken: Invariant{Name: "taken"}, outcome: Invariant{Name: "outcome"}, chain: Invariant{Name: "chain"}}
	stores, err := loadStores(tx, 0, -1)
	if err != nil {
		return nil, err
	}
	for _, s := range stores {
		for _, check := range []func(*store) error{c.accounts, c.quotas, c.outcomes, c.records,
			c.directives} {
			if err := check(s); err != nil {
				return nil, fmt.Errorf("check store %d: %w", s.id, err)
			}
		}
	}
	return []Invariant{c.pool, c.cover, c.taken, c.outcome, c.chain}, nil
}

type checker struct {
	tx                                 *journal.Tx
	pool, cover, taken, outcome, chain Invariant
}

const (
	listOverdrawn = `SELECT sku, granted, returned, assigned, held FROM quota
  WHERE store = ? AND timeline = ? ORDER BY sku`
	listUntaken = `SELECT p.reserve FROM promise p WHERE p.store = ?1 AND p.timeline = ?2
  AND p.finished_at = 0 AND NOT EXISTS
  (SELECT 1 FROM reservation r WHERE r.store = ?1 AND r.id = p.reservation)
  ORDER BY p.reservation`
	listHeld = `SELECT l.sku, sum(l.units) FROM hold_line l
  JOIN hold h ON h.store = l.store AND h.hold = l.hold
  WHERE h.store = ?1 AND h.timeline = ?2 AND h.state = 1 GROUP BY l.sku ORDER BY l.sku`
	listBadLines = `SELECT id, line FROM reservation_line WHERE store = ?
  AND (quantity <> reserved + picked + staged + collected + released + short
  OR min(reserved, picked, staged, collected, released, short) < 0) ORDER BY id, line LIMIT 20`
	countLines = `SELECT count(*) FROM reservation_line WHERE store = ?`
)

// quotas checks the cloud's own counters, and those of promises that the store
// has not taken yet: A minus the mirror's A is exactly their units.
func (c *checker) quotas(s *store) error {
	untaken, err := c.untaken(s)
	if err != nil {
		return err
	}
	held, err := c.held(s)
	if err != nil {
		return err
	}
	rows, err := c.tx.Query(listOverdrawn, s.id, s.timeline)
	if err != nil {
		return err
	}
	defer rows.Close()
	book := books.Open(c.tx, s.id)
	for rows.Next() {
		var q quota
		p := &q.pool
		if err := rows.Scan(&q.sku, &p.Granted, &p.Returned, &p.Assigned, &p.Held); err != nil {
			return err
		}
		c.pool.check(p.Free() >= 0 && p.Held >= 0 && p.Held == held[q.sku],
			"store %d sku %d: free %d, held %d, in carts %d", s.id, q.sku, p.Free(), p.Held, held[q.sku])
		a, err := book.Account(q.sku)
		if err != nil {
			return err
		}
		c.taken.check(p.Assigned-a.Rights.Assigned == untaken[q.sku] || s.quarantined ||
			a.Rights.Timeline != s.timeline,
			"store %d sku %d: promised %d, taken %d, on their way %d",
			s.id, q.sku, p.Assigned, a.Rights.Assigned, untaken[q.sku])
	}
	return rows.Err()
}

func (c *checker) untaken(s *store) (map[stock.SKU]stock.Units, error) {
	rows, err := c.tx.Query(listUntaken, s.id, s.timeline)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	units := make(map[stock.SKU]stock.Units)
	for rows.Next() {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return nil, err
		}
		var r recordv1.Reserve
		if err := proto.Unmarshal(data, &r); err != nil {
			return nil, err
		}
		for _, l := range r.GetLines() {
			units[stock.SKU(l.GetSku())] += stock.Units(l.GetUnits())
		}
	}
	return units, rows.Err()
}

func (c *checker) held(s *store) (map[stock.SKU]stock.Units, error) {
	rows, err := c.tx.Query(listHeld, s.id, s.timeline)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	units := make(map[stock.SKU]stock.Units)
	for rows.Next() {
		var sku stock.SKU
		var n stock.Units
		if err := rows.Scan(&sku, &n); err != nil {
			return nil, err
		}
		units[sku] = n
	}
	return units, rows.Err()
}

// accounts checks the mirror against the cloud's counters: as of the applied
// record, online is the pool, what is held, and what is on its way.
func (c *checker) accounts(s *store) error {
	d := &desk{tx: c.tx}
	legacy, err := c.legacy(s)
	if err != nil {
		return err
	}
	for after := stock.SKU(0); ; {
		page, err := books.Accounts(c.tx, s.id, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, a := range page {
			after = a.SKU
			q, err := d.quota(s, a.SKU)
			if err != nil {
				return err
			}
			if !s.quarantined {
				c.covered(s, a, q, legacy)
			}
		}
	}
}

// legacy sums what is left of the rights of older timelines.
func (c *checker) legacy(s *store) (map[stock.SKU]stock.Units, error) {
	rows, err := books.LegacyRows(c.tx, s.id, -1)
	left := make(map[stock.SKU]stock.Units, len(rows))
	for _, l := range rows {
		left[l.SKU] += l.Rights.Online()
	}
	return left, err
}

func (c *checker) covered(s *store, a books.Account, q *quota, legacy map[stock.SKU]stock.Units) {
	p, r, b := q.pool, a.Rights, a.Balances
	older := legacy[a.SKU]
	c.cover.check(b[ledger.Online] == r.Online()+older,
		"store %d sku %d: online %d, by the store's counters %d and %d of older timelines",
		s.id, a.SKU, b[ledger.Online], r.Online(), older)
	c.pool.check(b[ledger.Online] >= 0 && b[ledger.Reserved] >= 0 && b[ledger.Picked] >= 0 &&
		b[ledger.Staged] >= 0 && b.Sum() == 0, "store %d sku %d: accounts %v", s.id, a.SKU, b)
	if r.Timeline != s.timeline {
		return // the store has not begun the present timeline
	}
	moving := (r.Granted - p.Granted) + (p.Returned - r.Returned) + (p.Assigned - r.Assigned)
	c.cover.check(r.Online() == p.Free()+p.Held+moving,
		"store %d sku %d: online %d, free %d, held %d, moving %d",
		s.id, a.SKU, r.Online(), p.Free(), p.Held, moving)
	c.cover.check(r.Granted >= p.Granted && p.Returned >= r.Returned && p.Assigned >= r.Assigned,
		"store %d sku %d: counters ran ahead: cloud %+v, store %+v", s.id, a.SKU, p, r)
}

func (c *checker) outcomes(s *store) error {
	var n int64
	if err := c.tx.QueryRow(countLines, s.id).Scan(&n); err != nil {
		return err
	}
	c.outcome.Checked += n
	rows, err := c.tx.Query(listBadLines, s.id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id [16]byte
		var line uint32
		if err := rows.Scan(&id, &line); err != nil {
			return err
		}
		c.outcome.check(false, "store %d reservation %x line %d", s.id, id, line)
	}
	return rows.Err()
}

// records hashes the newest of a store's records again.
func (c *checker) records(s *store) error {
	from := uint64(1)
	if s.applied.Seq > chainDepth {
		from = s.applied.Seq - chainDepth + 1
	}
	head, err := c.walk(s, `SELECT seq, data, hash FROM archive
  WHERE store = ? AND seq >= ? ORDER BY seq`, s.id, from)
	if err != nil {
		return err
	}
	c.chain.check(head == s.applied, "store %d: records end at %d %s, the cursor is %d %s",
		s.id, head.Seq, head.Hash, s.applied.Seq, s.applied.Hash)
	return nil
}

// directives hashes a store's directives again.
func (c *checker) directives(s *store) error {
	head, err := c.walk(s, `SELECT directive, data, hash FROM directive
  WHERE store = ? AND timeline = ? ORDER BY directive`, s.id, s.timeline)
	if err != nil {
		return err
	}
	c.chain.check(head == s.directives && s.acked <= s.directives.Seq,
		"store %d: directives end at %d %s, the cursor is %d %s",
		s.id, head.Seq, head.Hash, s.directives.Seq, s.directives.Hash)
	return nil
}

// walk goes along a chain. Its first row is believed unless it is number 1.
func (c *checker) walk(s *store, q string, args ...any) (journal.Position, error) {
	var at journal.Position
	rows, err := c.tx.Query(q, args...)
	if err != nil {
		return at, err
	}
	defer rows.Close()
	for first := true; rows.Next(); first = false {
		var n uint64
		var data []byte
		var h journal.Hash
		if err := rows.Scan(&n, &data, &h); err != nil {
			return at, err
		}
		if !first || n == 1 {
			c.chain.check(n == at.Seq+1 && h == journal.Chain(at.Hash, n, data),
				"store %d: number %d does not follow %d", s.id, n, at.Seq)
		}
		at = journal.Position{Seq: n, Hash: h}
	}
	return at, rows.Err()
}
