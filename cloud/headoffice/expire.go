package headoffice

import (
	"fmt"
	"time"

	recordv1 "holdfast.dev/proto/record/v1"
)

const (
	// Retention is how long what has ended is kept: longer than anybody asks again.
	Retention   = time.Duration(retentionMS) * time.Millisecond
	retentionMS = 35 * dayMS
	// maxForgotten bounds the rows of each kind that one ExpireData forgets.
	maxForgotten = 5_000
)

// old names rows that are beyond the retention: the tables they go from and
// how their keys are found. ?1 is the time before which rows are old, ?2 the
// bound.
type old struct {
	tables []string
	key    string
	find   string
	newer  string // how, by commands of version 2; empty: as before
}

// forget lists what goes when it is old. Of directives the last acknowledged
// one stays, and of records the last of its store: the chain goes on from there.
// Directives that the mirror has not seen applied stay, for a node that comes
// back as the mirror is; so do records of a store that is set apart, which only
// the archive has.
var forget = []old{
	{[]string{requestTable, "promise"}, "(store, reservation)", `SELECT store, reservation FROM promise
  WHERE finished_at > 0 AND finished_at < ?1 ORDER BY finished_at, store, reservation LIMIT ?2`, ""},
	{[]string{"hold_line", "hold"}, "(store, hold)", `SELECT store, hold FROM hold
  WHERE state <> 1 AND deadline < ?1 ORDER BY deadline, store, hold LIMIT ?2`, ""},
	{[]string{"invitation"}, "(store, secret_hash)", `SELECT store, secret_hash FROM invitation
  WHERE expires_at < ?1 ORDER BY store, secret_hash LIMIT ?2`, ""},
	{[]string{"directive"}, "(store, timeline, directive)",
		`SELECT d.store, d.timeline, d.directive FROM directive d JOIN store s ON s.store = d.store
  WHERE d.at < ?1 AND (d.timeline < s.timeline OR d.directive < s.acked)
  ORDER BY d.at, d.store, d.timeline, d.directive LIMIT ?2`,
		`SELECT d.store, d.timeline, d.directive FROM directive d JOIN store s ON s.store = d.store
  LEFT JOIN cursor c ON c.store = s.store AND c.timeline = s.timeline
  WHERE d.at < ?1 AND (d.timeline < s.timeline OR d.directive < min(s.acked, ifnull(c.directives, 0)))
  ORDER BY d.at, d.store, d.timeline, d.directive LIMIT ?2`},
	{[]string{"archive"}, "(store, seq)", `SELECT a.store, a.seq FROM batch b
  JOIN store s ON s.store = b.store
  JOIN archive a ON a.store = b.store AND a.seq <= b.seq AND a.seq < s.seq
  WHERE b.at < ?1 ORDER BY a.store, a.seq LIMIT ?2`,
		`SELECT a.store, a.seq FROM batch b
  JOIN store s ON s.store = b.store AND s.quarantined = 0
  JOIN archive a ON a.store = b.store AND a.seq <= b.seq AND a.seq < s.seq
  WHERE b.at < ?1 ORDER BY a.store, a.seq LIMIT ?2`},
	{[]string{"batch"}, "(store, seq)", `SELECT b.store, b.seq FROM batch b WHERE b.at < ?1
  AND NOT EXISTS (SELECT 1 FROM archive a WHERE a.store = b.store AND a.seq <= b.seq)
  ORDER BY b.store, b.seq LIMIT ?2`, ""},
	{[]string{"anomaly_case", "anomaly"}, "(store, seq, number)", `SELECT store, seq, number FROM anomaly
  WHERE at < ?1 ORDER BY at, store, seq, number LIMIT ?2`, ""},
}

// expireData forgets what is beyond its retention, a bounded part at a time:
// the count says how many rows went.
func (d *desk) expireData() (*recordv1.Result, error) {
	var rows int64
	for _, o := range forget {
		find := o.find
		if d.version >= careful && o.newer != "" {
			find = o.newer
		}
		for _, table := range o.tables {
			if table == requestTable && d.version < careful {
				continue
			}
			n, err := d.forgetRows(table, o.key, find)
			if err != nil {
				return nil, fmt.Errorf("forget old rows of %s: %w", table, err)
			}
			rows += n
		}
	}
	return counted(rows), nil
}

// forgetRows forgets the rows of a table that a query finds.
func (d *desk) forgetRows(table, key, find string) (int64, error) {
	if table == requestTable {
		return d.dropRequests(find, d.now-retentionMS, maxForgotten)
	}
	q := "DELETE FROM " + table + " WHERE " + key + " IN (" + find + ")"
	return d.tx.Exec(q, d.now-retentionMS, maxForgotten)
}

// nothingOld tells whether there is nothing to forget.
func (d *desk) nothingOld() (bool, error) {
	for _, o := range forget {
		var some bool
		err := d.tx.QueryRow("SELECT EXISTS ("+o.find+")", d.now-retentionMS, 1).Scan(&some)
		if err != nil || some {
			return false, err
		}
	}
	return true, nil
}
