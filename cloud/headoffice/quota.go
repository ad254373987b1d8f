package headoffice

import (
	"database/sql"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
)

const (
	selectQuota = `SELECT granted, returned, assigned, held FROM quota
  WHERE store = ? AND timeline = ? AND sku = ?`
	insertQuota = `INSERT INTO quota (granted, returned, assigned, held, store, timeline, sku)
  VALUES (?,?,?,?,?,?,?)`
	updateQuota = `UPDATE quota SET granted=?, returned=?, assigned=?, held=?
  WHERE store=? AND timeline=? AND sku=?`
)

// quota is what the cloud may promise of one SKU in one store.
type quota struct {
	sku      stock.SKU
	timeline stock.Timeline
	pool     escrow.Pool
	stored   bool
}

func (d *desk) quota(s *store, sku stock.SKU) (*quota, error) { return d.quotaIn(s, s.timeline, sku) }

// quotaIn is what the cloud could promise in a timeline.
func (d *desk) quotaIn(s *store, t stock.Timeline, sku stock.SKU) (*quota, error) {
	q := &quota{sku: sku, timeline: t, stored: true}
	err := d.tx.QueryRow(selectQuota, s.id, t, sku).
		Scan(&q.pool.Granted, &q.pool.Returned, &q.pool.Assigned, &q.pool.Held)
	if errors.Is(err, sql.ErrNoRows) {
		return &quota{sku: sku, timeline: t}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load quota of sku %d in store %d: %w", sku, s.id, err)
	}
	return q, nil
}

func (d *desk) saveQuota(s *store, q *quota) error {
	write := insertQuota
	if q.stored {
		write = updateQuota
	}
	p := q.pool
	_, err := d.tx.Exec(write, int64(p.Granted), int64(p.Returned), int64(p.Assigned), int64(p.Held),
		s.id, q.timeline, q.sku)
	if err != nil {
		return fmt.Errorf("save quota of sku %d in store %d: %w", q.sku, s.id, err)
	}
	q.stored = true
	d.touch(s.id)
	return nil
}

// returnQuota gives free units back to the store, as far as there are any, so
// that R reaches the target. A late duplicate and a wish of another timeline
// give nothing.
func (d *desk) returnQuota(r *recordv1.ReturnQuota) (*recordv1.Result, error) {
	s, err := d.store(r.GetStore())
	if err != nil {
		return nil, err
	}
	sku := stock.SKU(r.GetSku())
	q, err := d.quota(s, sku)
	if err != nil {
		return nil, err
	}
	n := q.pool.ReturnUpTo(stock.Units(r.GetTargetReturned()))
	if n == 0 || stock.Timeline(r.GetTimeline()) != s.timeline {
		return returned(0, q), nil
	}
	if err := d.giveBack(s, q, n); err != nil {
		return nil, err
	}
	return returned(n, q), d.saveChain(s)
}

// giveBack returns n free units to the store; the caller saves the store.
func (d *desk) giveBack(s *store, q *quota, n stock.Units) error {
	q.pool.Returned += n
	if err := d.saveQuota(s, q); err != nil {
		return err
	}
	return d.order(s, &recordv1.Directive{Critical: true, Body: &recordv1.Directive_Return{
		Return: &recordv1.Return{Sku: uint32(q.sku), Units: int64(n),
			ReturnedTotal: int64(q.pool.Returned), Timeline: uint32(s.timeline)}}})
}

func returned(n stock.Units, q *quota) *recordv1.Result {
	return &recordv1.Result{Body: &recordv1.Result_Quota{Quota: &recordv1.QuotaResult{
		Units: int64(n), ReturnedTotal: int64(q.pool.Returned)}}}
}
