package headoffice

import (
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock/journal"
)

const (
	insertDirective = `INSERT INTO directive (store, timeline, directive, at, data, hash)
  VALUES (?,?,?,?,?,?)`
	selectDirectiveHash = `SELECT hash FROM directive WHERE store=? AND timeline=? AND directive=?`
)

// order appends a directive to the store's chain and moves the store's cursor;
// the caller saves the store.
func (d *desk) order(s *store, body *recordv1.Directive) error {
	body.Seq = s.directives.Seq + 1
	body.Timeline = uint32(s.timeline)
	body.At = d.now
	data, err := encode.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode directive %d of store %d: %w", body.Seq, s.id, err)
	}
	next := journal.Position{Seq: body.Seq, Hash: journal.Chain(s.directives.Hash, body.Seq, data)}
	_, err = d.tx.Exec(insertDirective, s.id, s.timeline, next.Seq, d.now, data, next.Hash)
	if err != nil {
		return fmt.Errorf("insert directive %d of store %d: %w", next.Seq, s.id, err)
	}
	s.directives = next
	return nil
}
