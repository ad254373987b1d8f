package headoffice

import (
	"database/sql"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/reservation"
)

// maxExpired bounds the holds that one ExpireHolds gives up.
const maxExpired = 500

const (
	selectHold = `SELECT timeline, deadline, state, reservation FROM hold WHERE store=? AND hold=?`
	insertHold = `INSERT INTO hold (store, hold, timeline, made_at, deadline, state, reservation)
  VALUES (?,?,?,?,?,?,x'')`
	updateHold      = `UPDATE hold SET state = ?, reservation = ? WHERE store = ? AND hold = ?`
	insertHoldLine  = `INSERT INTO hold_line (store, hold, line, sku, units) VALUES (?,?,?,?,?)`
	selectHoldLines = `SELECT sku, units FROM hold_line WHERE store=? AND hold=? ORDER BY line`
	selectDueHolds  = `SELECT store, hold FROM hold WHERE state = 1 AND deadline <= ?
  ORDER BY deadline, store, hold LIMIT ?`
)

// cart is a hold's row.
type cart struct {
	id          [16]byte
	timeline    stock.Timeline
	deadline    int64
	state       reservation.HoldState
	reservation []byte // that it was confirmed as
	lines       []*recordv1.WantedLine
}

// loadCart returns nil when there is no such hold.
func (d *desk) loadCart(s *store, id [16]byte) (*cart, error) {
	c := &cart{id: id}
	err := d.tx.QueryRow(selectHold, s.id, id[:]).Scan(&c.timeline, &c.deadline, &c.state,
		&c.reservation)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load hold %x: %w", id, err)
	}
	rows, err := d.tx.Query(selectHoldLines, s.id, id[:])
	if err != nil {
		return nil, fmt.Errorf("load lines of hold %x: %w", id, err)
	}
	defer rows.Close()
	for rows.Next() {
		l := new(recordv1.WantedLine)
		if err := rows.Scan(&l.Sku, &l.Units); err != nil {
			return nil, fmt.Errorf("read line of hold %x: %w", id, err)
		}
		c.lines = append(c.lines, l)
	}
	return c, rows.Err()
}

// hold takes units of the pool for a cart: all lines or none. The same cart
// again is the same hold.
func (d *desk) hold(h *recordv1.Hold) (*recordv1.Result, error) {
	id, err := id16(h.GetHold(), "hold")
	if err != nil {
		return nil, err
	}
	if err := checkLines(h.GetLines()); err != nil {
		return nil, err
	}
	s, err := d.store(h.GetStore())
	if err != nil {
		return nil, err
	}
	known, err := d.loadCart(s, id)
	if err != nil {
		return nil, err
	}
	if known != nil {
		return known.again(h)
	}
	policy, err := s.terms()
	if err != nil {
		return nil, err
	}
	deadline, err := d.deadline(h, policy)
	if err != nil {
		return nil, err
	}
	if err := d.limitPromises(s, policy); err != nil {
		return nil, err
	}
	return d.newHold(s, &cart{id: id, timeline: s.timeline, deadline: deadline, lines: h.GetLines()})
}

// again answers a repeated Hold.
func (c *cart) again(h *recordv1.Hold) (*recordv1.Result, error) {
	if !sameLines(c.lines, h.GetLines()) {
		return nil, stock.Refuse(stock.IDReused, "hold %x has other lines", c.id)
	}
	if c.state == reservation.Freed {
		return nil, stock.Refuse(stock.HoldExpired, "hold %x was released", c.id)
	}
	return held(c), nil
}

func sameLines(a, b []*recordv1.WantedLine) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].GetSku() != b[i].GetSku() || a[i].GetUnits() != b[i].GetUnits() {
			return false
		}
	}
	return true
}

func held(c *cart) *recordv1.Result {
	return &recordv1.Result{Body: &recordv1.Result_Hold{
		Hold: &recordv1.HoldResult{Hold: c.id[:], Deadline: c.deadline}}}
}

// deadline is when a hold ends: as asked for, or as the policy says.
func (d *desk) deadline(h *recordv1.Hold, p *recordv1.Policy) (int64, error) {
	ttl := h.GetTtlMs()
	if ttl == 0 {
		ttl = p.GetHoldMs()
	}
	if ttl < 0 || ttl > maxHoldMS {
		return 0, badRequest("ttl", "a hold of %d ms", ttl)
	}
	return d.now + ttl, nil
}

func (d *desk) newHold(s *store, c *cart) (*recordv1.Result, error) {
	all, err := d.claims(s, c.lines)
	if err != nil {
		return nil, err
	}
	language, err := s.language()
	if err != nil {
		return nil, err
	}
	if err := holdAll(all, language); err != nil {
		return nil, err
	}
	_, err = d.tx.Exec(insertHold, s.id, c.id[:], c.timeline, d.now, c.deadline, reservation.Held)
	if err != nil {
		return nil, fmt.Errorf("insert hold %x: %w", c.id, err)
	}
	for i, cl := range all {
		if err := d.saveQuota(s, cl.quota); err != nil {
			return nil, err
		}
		_, err := d.tx.Exec(insertHoldLine, s.id, c.id[:], i+1, cl.quota.sku, int64(cl.units))
		if err != nil {
			return nil, fmt.Errorf("insert line of hold %x: %w", c.id, err)
		}
	}
	return held(c), nil
}

// releaseHold gives a hold up. One that is given up already stays so; one that
// was confirmed is the store's now.
func (d *desk) releaseHold(r *recordv1.ReleaseHold) (*recordv1.Result, error) {
	id, err := id16(r.GetHold(), "hold")
	if err != nil {
		return nil, err
	}
	s, err := d.store(r.GetStore())
	if err != nil {
		return nil, err
	}
	c, err := d.loadCart(s, id)
	if err != nil {
		return nil, err
	}
	switch {
	case c == nil:
		return nil, stock.Refuse(stock.UnknownHold, "hold %x in store %d", id, s.id)
	case c.state == reservation.Freed:
		return counted(0), nil
	case c.state == reservation.Confirmed:
		return nil, wrongState(id, "release")
	}
	return counted(1), d.free(s, c, reservation.Free)
}

func wrongState(hold [16]byte, step string) error {
	return stock.Refuse(stock.WrongState, "hold %x was confirmed", hold).
		With("state", "confirmed").With("step", step)
}

// free moves a hold's units back to the pool. A hold of an older timeline has
// no pool any more.
func (d *desk) free(s *store, c *cart, step reservation.HoldStep) error {
	next, err := reservation.NextHold(c.state, step)
	if err != nil {
		return err
	}
	if _, err := d.tx.Exec(updateHold, next, []byte{}, s.id, c.id[:]); err != nil {
		return fmt.Errorf("free hold %x: %w", c.id, err)
	}
	if c.timeline != s.timeline {
		return nil
	}
	for _, l := range c.lines {
		q, err := d.quota(s, stock.SKU(l.GetSku()))
		if err != nil {
			return err
		}
		if q.pool, err = q.pool.Release(stock.Units(l.GetUnits())); err != nil {
			return fmt.Errorf("free hold %x: held units are gone: %s", c.id, err.Error())
		}
		if err := d.saveQuota(s, q); err != nil {
			return err
		}
	}
	return nil
}

// expireHolds gives up the holds whose time has come, the oldest first. When
// the count says that the bound was reached there may be more.
func (d *desk) expireHolds() (*recordv1.Result, error) {
	due, err := d.dueHolds()
	if err != nil {
		return nil, err
	}
	for _, h := range due {
		s, err := loadStore(d.tx, h.store)
		if err != nil {
			return nil, err
		}
		c, err := d.loadCart(s, h.id)
		if err != nil {
			return nil, err
		}
		if err := d.free(s, c, reservation.Expire); err != nil {
			return nil, err
		}
	}
	return counted(int64(len(due))), nil
}

type dueHold struct {
	store stock.StoreID
	id    [16]byte
}

func (d *desk) dueHolds() ([]dueHold, error) {
	rows, err := d.tx.Query(selectDueHolds, d.now, maxExpired)
	if err != nil {
		return nil, fmt.Errorf("list due holds: %w", err)
	}
	defer rows.Close()
	var due []dueHold
	for rows.Next() {
		var h dueHold
		if err := rows.Scan(&h.store, &h.id); err != nil {
			return nil, fmt.Errorf("read due hold: %w", err)
		}
		due = append(due, h)
	}
	return due, rows.Err()
}
