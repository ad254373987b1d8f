package headoffice

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// forkPause is how long a second fork of a store waits for a person: two boxes
// with one identity would take turns for ever.
const forkPause = hourMS

// Codes of the events that sessions leave for people to look at.
const (
	eventRolledBack = "STORE_ROLLED_BACK" // the store had lost part of its past
	eventRebuilt    = "STORE_REBUILT"     // the store had lost all of it
	eventForked     = "STORE_FORKED"      // the store had another history
	eventOldBox     = "OLD_BOX"           // a box that was replaced came back
)

// verdict says how a node goes on, and what people are told about it.
type verdict struct {
	mode        recordv1.SessionMode
	code, what  string
	salvageFrom uint64 // the node's first record that the cloud does not have; 0: none
	forked      bool
}

// judge compares what a node says of both logs with what the cloud has:
//
//	former box                                  SALVAGE: it hands over what it never told
//	no records, and the cloud has some          REBUILD from the cloud's copy
//	another history, a person was not needed    SALVAGE of its own part, then REBUILD
//	fewer records than the cloud, same history  FAST_FORWARD: it gets its own records back
//	the same or more, but it lost something     FAST_FORWARD over nothing: a new epoch
//	the same or more                            NORMAL
//	the cloud is the older one                  refused until the cloud says so itself;
//	                                            then records that nobody has are bridged
func (d *desk) judge(s *store, h *recordv1.Hello, known standing) (verdict, error) {
	last := h.GetJournalLast()
	common, forked, err := d.commonHistory(s, h)
	if err != nil {
		return verdict{}, err
	}
	if known == former {
		v := verdict{mode: recordv1.SessionMode_SESSION_MODE_SALVAGE, code: eventOldBox,
			what: fmt.Sprintf("node %x, replaced in epoch %s, is back with record %d", h.GetNodeId(),
				s.epoch, last)}
		if last > common {
			v.salvageFrom = common + 1
		}
		return v, nil
	}
	if err := d.checkCloud(s, h); err != nil {
		return verdict{}, err
	}
	v, err := d.comeBack(s, h, common, forked)
	if err == nil && v.mode != recordv1.SessionMode_SESSION_MODE_NORMAL && s.connected &&
		!bytes.Equal(h.GetBootId(), s.bootID) {
		return verdict{}, twoBoxes(s, common)
	}
	return v, err
}

// twoBoxes refuses a node that has to recover while another one, or an earlier
// start of it that has not been noticed to end, is connected as the same box:
// each would shut the other out, for ever.
func twoBoxes(s *store, common uint64) error {
	return stock.Refuse(stock.Forked,
		"this node is not what was here after record %d of store %d: a copy of its disk may be running",
		common, s.id)
}

// comeBack decides how the store's present box goes on.
func (d *desk) comeBack(s *store, h *recordv1.Hello, common uint64, forked bool) (verdict, error) {
	last, have := h.GetJournalLast(), s.applied.Seq
	switch {
	case forked:
		return d.fork(s, common)
	case last == 0 && have > 0 || h.GetMode() == recordv1.NodeMode_NODE_MODE_REBUILDING:
		return rebuild("it has lost its records"), nil
	case last < have:
		return d.behind(s, last)
	}
	lost, err := d.lostSomething(s, h)
	if err != nil || lost == "" {
		return verdict{mode: recordv1.SessionMode_SESSION_MODE_NORMAL}, err
	}
	return fastForward(lost), nil
}

func rebuild(why string) verdict {
	return verdict{mode: recordv1.SessionMode_SESSION_MODE_REBUILD, code: eventRebuilt, what: why}
}

func fastForward(why string) verdict {
	return verdict{mode: recordv1.SessionMode_SESSION_MODE_FAST_FORWARD, code: eventRolledBack, what: why}
}

// commonHistory finds the last record that both sides surely have, and whether
// the node's history differs from the cloud's after it.
func (d *desk) commonHistory(s *store, h *recordv1.Hello) (common uint64, forked bool, err error) {
	head := &recordv1.LogMark{Seq: h.GetJournalLast(), Hash: h.GetJournalHash()}
	for _, m := range slices.Concat([]*recordv1.LogMark{head}, h.GetMarks()) {
		if m.GetSeq() > s.applied.Seq || m.GetSeq() == 0 {
			continue
		}
		known, err := d.archived(s, m.GetSeq())
		if err != nil {
			return 0, false, err
		}
		switch {
		case known == nil:
		case !bytes.Equal(known[:], m.GetHash()):
			forked = true
		default:
			common = max(common, m.GetSeq())
		}
	}
	return common, forked, nil
}

// checkCloud refuses to serve a store that knows more of the cloud than the
// cloud itself: it was restored from a backup. Once it says so by a new
// timeline, the store brings back what it knows.
func (d *desk) checkCloud(s *store, h *recordv1.Hello) error {
	t := stock.Timeline(h.GetTimeline())
	switch {
	case t > s.timeline:
		return cloudBehind("the node is in timeline %d, the cloud in %d: say --after %d", t, s.timeline, t)
	case t < s.timeline: // it says so
	case h.GetJournalAcked() > s.applied.Seq:
		return cloudBehind("it had confirmed record %d, and has %d", h.GetJournalAcked(), s.applied.Seq)
	case h.GetDirectivesApplied() > s.directives.Seq:
		return cloudBehind("the node has applied directive %d, the cloud's last is %d",
			h.GetDirectivesApplied(), s.directives.Seq)
	}
	bridged := t < s.timeline && d.version >= careful && len(h.GetJournalFirstHash()) == len(s.applied.Hash)
	if gap(s, h) && !bridged {
		return cloudBehind("the node's first record is %d, the cloud has %d", h.GetJournalFirst(),
			s.applied.Seq).(*stock.Refusal).With("what", "gap")
	}
	return nil
}

// fork goes on from the cloud's history: what the node has of its own is
// salvaged and the node rebuilt. Where two live boxes have one identity, or it
// happens again, a person has to look first.
func (d *desk) fork(s *store, common uint64) (verdict, error) {
	if s.connected || s.forkedAt > 0 && d.now-s.forkedAt < forkPause {
		return verdict{}, stock.Refuse(stock.Forked,
			"this node's history differs after record %d of store %d: a copy of its disk may be running",
			common, s.id)
	}
	v := rebuild(fmt.Sprintf("its history differed after record %d", common))
	v.code, v.forked, v.salvageFrom = eventForked, true, common+1
	return v, nil
}

// behind gives a node its own records back, or all of its books when some of
// those records are not kept any more.
func (d *desk) behind(s *store, last uint64) (verdict, error) {
	why := fmt.Sprintf("its last record was %d, the cloud had %d", last, s.applied.Seq)
	h, err := d.archived(s, last+1)
	if err != nil {
		return verdict{}, err
	}
	if h == nil {
		return rebuild(why), nil
	}
	return fastForward(why), nil
}

// lostSomething tells why a node whose journal looks complete cannot be what
// was here last: it was restored from a backup, or does not trust itself.
func (d *desk) lostSomething(s *store, h *recordv1.Hello) (string, error) {
	if e := epochIn(h.GetEpoch()); e.Compare(s.epoch) < 0 {
		return fmt.Sprintf("it was in epoch %s, the store is in %s", e, s.epoch), nil
	}
	if h.GetMode() == recordv1.NodeMode_NODE_MODE_SAFE {
		return "it does not trust its own state", nil
	}
	if n := h.GetBootCount(); n > 0 && (n < s.bootCount ||
		n == s.bootCount && !bytes.Equal(h.GetBootId(), s.bootID)) {
		return fmt.Sprintf("this was its start %d, the last known was %d", n, s.bootCount), nil
	}
	if stock.Timeline(h.GetTimeline()) < s.timeline {
		return "", nil
	}
	n := h.GetDirectivesApplied()
	if n < s.acked {
		return fmt.Sprintf("it had applied directive %d and confirmed %d", n, s.acked), nil
	}
	known, err := d.directiveHash(s, n)
	if err == nil && known != nil && !bytes.Equal(known[:], h.GetDirectivesHash()) {
		return "", cloudBehind("directive %d of store %d is another one here", n, s.id)
	}
	return "", err
}

// directiveHash returns nil when the directive is not kept any more.
func (d *desk) directiveHash(s *store, n uint64) (*journal.Hash, error) {
	switch n {
	case 0:
		return nil, nil
	case s.directives.Seq:
		return &s.directives.Hash, nil
	}
	known := new(journal.Hash)
	return found(known, d.tx.QueryRow(selectDirectiveHash, s.id, s.timeline, n).Scan(known))
}

// archived returns the hash of one of the store's records; nil when it is not
// kept any more.
func (d *desk) archived(s *store, seq uint64) (*journal.Hash, error) {
	if seq == s.applied.Seq {
		return &s.applied.Hash, nil
	}
	h := new(journal.Hash)
	if seq == 0 {
		return h, nil
	}
	return found(h, d.tx.QueryRow(selectArchiveHash, s.id, seq).Scan(h))
}

func found(h *journal.Hash, err error) (*journal.Hash, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return h, err
}

const (
	lastNote = `SELECT coalesce(max(number), 0) FROM anomaly WHERE store = ? AND seq = ?`
)

// noteEvent lists something that is about no record, at the newest one.
func (d *desk) noteEvent(s *store, code, what string) error {
	var n int
	if err := d.tx.QueryRow(lastNote, s.id, s.applied.Seq).Scan(&n); err != nil {
		return fmt.Errorf("number an event of store %d: %w", s.id, err)
	}
	_, err := d.tx.Exec(insertAnomaly, s.id, s.applied.Seq, n+1, d.now, code, cut(what, maxWhat))
	if err != nil {
		return fmt.Errorf("note an event of store %d: %w", s.id, err)
	}
	return nil
}
