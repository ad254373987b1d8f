package headoffice

import (
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// Idle answers a command that would change nothing as things are: duplicates
// of a store's records, acknowledgements that came before, clocks that strike
// for nobody. It only reads. An engine that asks right before it would record
// the command need not record it then; ok tells that. The error is a refusal
// or a fault.
func Idle(tx *journal.Tx, c *recordv1.Command) (r *recordv1.Result, ok bool, err error) {
	d, err := sit(tx, c.GetNow())
	if err != nil {
		return nil, false, err
	}
	switch v := c.GetBody().(type) {
	case *recordv1.Command_ApplyBatch:
		return d.idleBatch(v.ApplyBatch)
	case *recordv1.Command_AckDirectives:
		return d.idleAck(v.AckDirectives)
	case *recordv1.Command_ReturnQuota:
		return d.idleReturn(v.ReturnQuota)
	case *recordv1.Command_ExpireHolds:
		due, err := d.dueHolds()
		return counted(0), err == nil && len(due) == 0, err
	case *recordv1.Command_ExpireData:
		nothing, err := d.nothingOld()
		return counted(0), nothing, err
	}
	return nil, false, nil
}

func (d *desk) idleBatch(b *recordv1.ApplyBatch) (*recordv1.Result, bool, error) {
	s, fresh, err := d.fresh(b)
	if err != nil || len(fresh) > 0 {
		return nil, false, err
	}
	return nothingNew(s, b), true, nil
}

func (d *desk) idleAck(a *recordv1.AckDirectives) (*recordv1.Result, bool, error) {
	s, err := d.store(a.GetStore())
	if err != nil {
		return nil, false, err
	}
	if err := s.current(a.GetSession()); err != nil {
		return nil, false, err
	}
	return counted(0), a.GetDirective() <= s.acked, nil
}

func (d *desk) idleReturn(r *recordv1.ReturnQuota) (*recordv1.Result, bool, error) {
	s, err := d.store(r.GetStore())
	if err != nil {
		return nil, false, err
	}
	q, err := d.quota(s, stock.SKU(r.GetSku()))
	if err != nil {
		return nil, false, err
	}
	none := q.pool.ReturnUpTo(stock.Units(r.GetTargetReturned())) == 0 ||
		stock.Timeline(r.GetTimeline()) != s.timeline
	return returned(0, q), none, nil
}
