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

// capVersion is the newest version of the uplink's protocol that is served.
const capVersion = 1

const maxMarks = 64

const selectArchiveHash = `SELECT hash FROM archive WHERE store = ? AND seq = ?`

// openSession decides what a node that connects may do. This version serves a
// node whose history continues what the cloud has; it refuses, and says why, a
// node that was replaced, whose history differs, or of which either side has
// forgotten a part. A session fences the one before it.
//
// The epoch is looked at first, then the journals' chain, then the timeline:
// an old box must not be told to begin a new timeline.
func (d *desk) openSession(o *recordv1.OpenSession) (*recordv1.Result, error) {
	h := o.GetHello()
	if !plain(o.GetMember(), maxStoreText) || !plain(h.GetBuild(), maxStoreText) ||
		len(h.GetBootId()) > hashSize || len(h.GetMarks()) > maxMarks {
		return nil, badRequest("hello", "a hello that no node sends")
	}
	s, err := d.store(h.GetStore())
	if err != nil {
		return nil, err
	}
	for _, check := range []func(*store, *recordv1.Hello) error{d.checkVersion, d.checkNode,
		d.checkEpoch, d.checkJournal, d.checkTimeline, d.checkDirectives, d.checkBoot} {
		if err := check(s, h); err != nil {
			return nil, err
		}
	}
	s.session++
	s.connected, s.sessionAt, s.member = true, d.now, o.GetMember()
	s.bootCount, s.bootID, s.build = h.GetBootCount(), h.GetBootId(), h.GetBuild()
	s.catalogue, s.backlog = h.GetCatalogueVersion(), h.GetBacklogRecords()
	s.acked = max(s.acked, h.GetDirectivesApplied())
	if err := d.save(s); err != nil {
		return nil, err
	}
	return &recordv1.Result{Body: &recordv1.Result_Session{Session: &recordv1.SessionResult{
		Session: s.session, Epoch: epochProto(s.epoch), Timeline: uint32(s.timeline),
		Mode:       recordv1.SessionMode_SESSION_MODE_NORMAL,
		ResumeFrom: s.applied.Seq + 1, DirectivesFrom: h.GetDirectivesApplied() + 1,
	}}}, nil
}

func (d *desk) checkVersion(_ *store, h *recordv1.Hello) error {
	if h.GetCapVersion() == 0 || h.GetCapMin() > capVersion {
		return stock.Refuse(stock.TooOld, "the node speaks versions %d to %d, the cloud %d",
			h.GetCapMin(), h.GetCapVersion(), capVersion)
	}
	return nil
}

func (d *desk) checkNode(s *store, h *recordv1.Hello) error {
	if len(s.node) > 0 && bytes.Equal(s.node, h.GetNodeId()) {
		return nil
	}
	var before int
	if err := d.tx.QueryRow(countNode, s.id, blob(h.GetNodeId())).Scan(&before); err != nil {
		return fmt.Errorf("look for a node of store %d: %w", s.id, err)
	}
	if before > 0 {
		return stock.Refuse(stock.Fenced, "this node was replaced; store %d is in epoch %s", s.id,
			s.epoch)
	}
	return stock.Refuse(stock.NotTrusted, "this node is not enrolled for store %d", s.id)
}

func (d *desk) checkEpoch(s *store, h *recordv1.Hello) error {
	e := stock.Epoch{Timeline: stock.Timeline(h.GetEpoch().GetTimeline()),
		Counter: h.GetEpoch().GetCounter()}
	switch e.Compare(s.epoch) {
	case -1:
		return stock.Refuse(stock.Fenced, "the node is in epoch %s; store %d is in %s", e, s.id, s.epoch)
	case +1:
		return cloudBehind("the node is in epoch %s, the cloud knows %s", e, s.epoch)
	}
	return nil
}

// cloudBehind is what a node hears whose cloud was restored from a backup and
// not told so.
func cloudBehind(format string, args ...any) error {
	return stock.Refuse(stock.RolledBack, "the cloud is older than this store: "+format, args...).
		With("side", "cloud")
}

// storeBehind is what a node hears that has lost part of its past.
func storeBehind(format string, args ...any) error {
	return stock.Refuse(stock.RolledBack,
		"this store is older than the cloud's copy of it: "+format, args...).
		With("side", "store")
}

// checkJournal compares the two ends of the store's own history.
func (d *desk) checkJournal(s *store, h *recordv1.Hello) error {
	last, have := h.GetJournalLast(), s.applied.Seq
	if h.GetJournalAcked() > have {
		return cloudBehind("it had confirmed record %d, and has %d", h.GetJournalAcked(), have)
	}
	head := []*recordv1.LogMark{{Seq: last, Hash: h.GetJournalHash()}}
	for _, m := range slices.Concat(head, h.GetMarks()) {
		if m.GetSeq() > have || m.GetSeq() == 0 {
			continue
		}
		known, err := d.archived(s, m.GetSeq())
		if err != nil {
			return err
		}
		if known != nil && !bytes.Equal(known[:], m.GetHash()) {
			return stock.Refuse(stock.Forked, "record %d of store %d is another one here", m.GetSeq(), s.id)
		}
	}
	if last < have {
		return storeBehind("its last record is %d, the cloud has %d", last, have)
	}
	if last > have && h.GetJournalFirst() > have+1 {
		return cloudBehind("the node's first record is %d, the cloud has %d", h.GetJournalFirst(), have)
	}
	return nil
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

func (d *desk) checkTimeline(s *store, h *recordv1.Hello) error {
	t := stock.Timeline(h.GetTimeline())
	switch {
	case t > s.timeline:
		return cloudBehind("the node is in timeline %d, the cloud in %d", t, s.timeline)
	case t < s.timeline:
		return stock.Refuse(stock.FeatureRefused, "store %d has to begin timeline %d", s.id, s.timeline).
			With("what", "new_timeline")
	}
	return nil
}

// checkDirectives compares the two ends of the cloud's orders. A node that has
// forgotten orders it had confirmed was restored from a backup, even if its
// journal looks complete.
func (d *desk) checkDirectives(s *store, h *recordv1.Hello) error {
	n := h.GetDirectivesApplied()
	if n > s.directives.Seq {
		return cloudBehind("the node has applied directive %d, the cloud's last is %d", n,
			s.directives.Seq)
	}
	if n < s.acked {
		return storeBehind("it has applied directive %d and had confirmed %d", n, s.acked)
	}
	if mode := h.GetMode(); mode == recordv1.NodeMode_NODE_MODE_SAFE ||
		mode == recordv1.NodeMode_NODE_MODE_REBUILDING {
		return storeBehind("it does not trust its own state")
	}
	if n == 0 {
		return nil
	}
	known := &s.directives.Hash
	if n < s.directives.Seq {
		var err error
		known = new(journal.Hash)
		row := d.tx.QueryRow(selectDirectiveHash, s.id, s.timeline, n)
		if known, err = found(known, row.Scan(known)); err != nil {
			return err
		}
	}
	if known != nil && !bytes.Equal(known[:], h.GetDirectivesHash()) {
		return stock.Refuse(stock.Forked, "directive %d of store %d is another one here", n, s.id)
	}
	return nil
}

// checkBoot refuses a node that has started fewer times than before, or twice
// for the same time: a copy, or a restored disk. Zero says nothing.
func (d *desk) checkBoot(s *store, h *recordv1.Hello) error {
	n := h.GetBootCount()
	if n == 0 || n > s.bootCount || n == s.bootCount && bytes.Equal(h.GetBootId(), s.bootID) {
		return nil
	}
	return storeBehind("this is its start %d, the last known was %d", n, s.bootCount)
}

// closeSession notes that a session ended. An older one has ended already.
func (d *desk) closeSession(c *recordv1.CloseSession) (*recordv1.Result, error) {
	s, err := d.store(c.GetStore())
	if err != nil {
		return nil, err
	}
	if c.GetSession() != s.session || !s.connected {
		return counted(0), nil
	}
	s.endSession(d.now)
	return counted(1), d.save(s)
}

// current refuses what comes from another session than the open one.
func (s *store) current(session uint64) error {
	if session == s.session && s.connected {
		return nil
	}
	return stock.Refuse(stock.Fenced, "session %d of store %d is over; the last is %d", session,
		s.id, s.session)
}

// ackDirectives moves the cursor up to which the store has its directives.
func (d *desk) ackDirectives(a *recordv1.AckDirectives) (*recordv1.Result, error) {
	s, err := d.store(a.GetStore())
	if err != nil {
		return nil, err
	}
	if err := s.current(a.GetSession()); err != nil {
		return nil, err
	}
	if a.GetDirective() > s.directives.Seq {
		return nil, badRequest("directive", "directive %d, the last of store %d is %d",
			a.GetDirective(), s.id, s.directives.Seq)
	}
	if a.GetDirective() <= s.acked {
		return counted(0), nil
	}
	n := int64(a.GetDirective() - s.acked)
	s.acked = a.GetDirective()
	return counted(n), d.save(s)
}
