package headoffice

import (
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
)

const (
	retentionMS = 35 * dayMS
	// maxForgotten bounds the rows of each kind that one ExpireData forgets.
	maxForgotten = 5_000
)

// forget lists what goes when it is older than the retention. An acknowledged
// directive stays if it is the last one, and a record if it is the last of its
// store: the chain goes on from there.
var forget = []string{
	`DELETE FROM promise WHERE (store, reservation) IN (SELECT store, reservation FROM promise
  WHERE finished_at > 0 AND finished_at < ?1 ORDER BY finished_at, store, reservation LIMIT ?2)`,
	`DELETE FROM hold_line WHERE (store, hold) IN (SELECT store, hold FROM hold
  WHERE state <> 1 AND deadline < ?1 ORDER BY deadline, store, hold LIMIT ?2)`,
	`DELETE FROM hold WHERE (store, hold) IN (SELECT store, hold FROM hold
  WHERE state <> 1 AND deadline < ?1 ORDER BY deadline, store, hold LIMIT ?2)`,
	`DELETE FROM invitation WHERE (store, secret_hash) IN (SELECT store, secret_hash FROM invitation
  WHERE expires_at < ?1 ORDER BY store, secret_hash LIMIT ?2)`,
	`DELETE FROM directive WHERE (store, timeline, directive) IN (
  SELECT d.store, d.timeline, d.directive FROM directive d JOIN store s ON s.store = d.store
  WHERE d.timeline = s.timeline AND d.directive < s.acked AND d.at < ?1
  ORDER BY d.store, d.timeline, d.directive LIMIT ?2)`,
	`DELETE FROM archive WHERE (store, seq) IN (
  SELECT a.store, a.seq FROM store s JOIN archive a ON a.store = s.store AND a.seq < s.seq
  AND a.seq <= (SELECT ifnull(max(b.seq), 0) FROM batch b WHERE b.store = s.store AND b.at < ?1)
  ORDER BY a.store, a.seq LIMIT ?2)`,
	`DELETE FROM batch WHERE (store, seq) IN (SELECT b.store, b.seq FROM batch b WHERE b.at < ?1
  AND NOT EXISTS (SELECT 1 FROM archive a WHERE a.store = b.store AND a.seq <= b.seq)
  ORDER BY b.store, b.seq LIMIT ?2)`,
	`DELETE FROM anomaly WHERE (store, seq, number) IN (SELECT store, seq, number FROM anomaly
  WHERE at < ?1 ORDER BY at, store, seq, number LIMIT ?2)`,
}

// expireData forgets what is beyond its retention, a bounded part at a time:
// the count says how many rows went.
func (d *desk) expireData() (*recordv1.Result, error) {
	var rows int64
	for _, q := range forget {
		n, err := d.tx.Exec(q, d.now-retentionMS, maxForgotten)
		if err != nil {
			return nil, fmt.Errorf("forget old rows: %w", err)
		}
		rows += n
	}
	return counted(rows), nil
}
