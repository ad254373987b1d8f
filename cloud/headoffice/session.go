package headoffice

import (
	"bytes"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

// capVersion is the newest version of the uplink's protocol that is served.
const capVersion = 1

const (
	maxMarks   = 64
	nodeIDSize = 16
)

const selectArchiveHash = `SELECT hash FROM archive WHERE store = ? AND seq = ?`

// openSession decides what a node that connects may do. A session fences the
// one before it.
//
// Who the node is comes first, then its epoch, then the chains of the two
// logs; the timeline comes last: an old box must not be told to begin a new
// one. What was lost, and on which side, decides how it goes on; see verdict.
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
	if err := d.checkVersion(h); err != nil {
		return nil, err
	}
	known, err := d.recognise(s, h)
	if err != nil {
		return nil, err
	}
	v, err := d.judge(s, h, known)
	if err != nil {
		return nil, err
	}
	if v.mode == recordv1.SessionMode_SESSION_MODE_NORMAL {
		return d.admit(s, o)
	}
	return d.recover(s, v)
}

// admit opens a session that goes on where both sides are.
func (d *desk) admit(s *store, o *recordv1.OpenSession) (*recordv1.Result, error) {
	h := o.GetHello()
	if gap(s, h) {
		if err := d.bridge(s, h); err != nil {
			return nil, err
		}
	}
	s.session++
	s.connected, s.sessionAt, s.member = true, d.now, o.GetMember()
	s.bootCount, s.bootID, s.build = h.GetBootCount(), h.GetBootId(), h.GetBuild()
	s.catalogue, s.backlog = h.GetCatalogueVersion(), h.GetBacklogRecords()
	from := uint64(1) // of a timeline that the node has yet to begin
	if stock.Timeline(h.GetTimeline()) == s.timeline {
		from = h.GetDirectivesApplied() + 1
		s.acked = max(s.acked, h.GetDirectivesApplied())
	}
	if err := errors.Join(d.askForBooks(s), d.save(s)); err != nil {
		return nil, err
	}
	return sessionResult(&recordv1.SessionResult{Session: s.session, Epoch: epochProto(s.epoch),
		Timeline: uint32(s.timeline), Mode: recordv1.SessionMode_SESSION_MODE_NORMAL,
		ResumeFrom: s.applied.Seq + 1, DirectivesFrom: from}), nil
}

func sessionResult(r *recordv1.SessionResult) *recordv1.Result {
	return &recordv1.Result{Body: &recordv1.Result_Session{Session: r}}
}

// recover tells a node how to come back. It fences the epoch, so that whatever
// else has this store's identity is shut out; a former box is fenced already.
func (d *desk) recover(s *store, v verdict) (*recordv1.Result, error) {
	if err := d.noteEvent(s, v.code, v.what); err != nil {
		return nil, err
	}
	if v.mode != recordv1.SessionMode_SESSION_MODE_SALVAGE {
		node := s.node
		d.newEpoch(s)
		s.node, s.bootCount, s.bootID = node, 0, nil
		if err := d.forgetAcks(s); err != nil {
			return nil, err
		}
	}
	if v.forked {
		s.forkedAt = d.now
	}
	if v.mode == recordv1.SessionMode_SESSION_MODE_REBUILD {
		if err := d.rebook(s); err != nil {
			return nil, err
		}
	}
	if err := d.save(s); err != nil {
		return nil, err
	}
	return sessionResult(&recordv1.SessionResult{Epoch: epochProto(s.epoch),
		Timeline: uint32(s.timeline), Mode: v.mode, ResumeFrom: s.applied.Seq + 1,
		SalvageFrom: v.salvageFrom}), nil
}

// forgetAcks takes back what the store had confirmed beyond the records that
// the cloud has of it: with its lost records it has lost that too, and says so
// when it comes again.
func (d *desk) forgetAcks(s *store) error {
	mirror, err := books.CursorOf(d.tx, s.id)
	if err != nil {
		return err
	}
	if mirror.Timeline != s.timeline {
		mirror.Directives = 0
	}
	s.acked = min(s.acked, mirror.Directives)
	return nil
}

func (d *desk) checkVersion(h *recordv1.Hello) error {
	if h.GetCapVersion() == 0 || h.GetCapMin() > capVersion {
		return stock.Refuse(stock.TooOld, "the node speaks versions %d to %d, the cloud %d",
			h.GetCapMin(), h.GetCapVersion(), capVersion)
	}
	return nil
}

// standing is what a node is to its store.
type standing uint8

const (
	present standing = 1 + iota // the box that stands in the store
	former                      // a box that was replaced
)

// recognise tells a store's present box from a former one. After the cloud was
// restored from a backup it may not know its present box any more: one of a
// later epoch, with a certificate of ours, is taken for it.
func (d *desk) recognise(s *store, h *recordv1.Hello) (standing, error) {
	if s.frozen {
		return 0, stock.Refuse(stock.Frozen, "store %d waits until head office admits its node", s.id)
	}
	e := epochIn(h.GetEpoch())
	restored := stock.Timeline(h.GetTimeline()) < s.timeline
	if len(s.node) > 0 && bytes.Equal(s.node, h.GetNodeId()) {
		if e.Compare(s.epoch) > 0 && !restored {
			return 0, cloudBehind("the node is in epoch %s, the cloud knows %s", e, s.epoch)
		}
		s.epoch = later(s.epoch, e)
		return present, nil
	}
	before, revoked, err := wasNode(d.tx, s.id, h.GetNodeId())
	switch {
	case err != nil:
		return 0, err
	case revoked:
		return 0, stock.Refuse(stock.Fenced, "this node was shut out of store %d", s.id)
	case before:
		return former, nil
	case restored && e.Compare(s.epoch) > 0 && len(h.GetNodeId()) == nodeIDSize:
		return present, d.adopt(s, h, e)
	case e.Compare(s.epoch) > 0:
		return 0, cloudBehind("it does not know the node of epoch %s", e)
	}
	return 0, stock.Refuse(stock.NotTrusted, "this node is not enrolled for store %d", s.id)
}

// wasNode tells whether a box was a store's node once, and whether it was shut
// out.
func wasNode(tx *journal.Tx, id stock.StoreID, node []byte) (before, revoked bool, err error) {
	var n int
	if err := tx.QueryRow(formerNode, id, blob(node)).Scan(&n, &revoked); err != nil {
		return false, false, fmt.Errorf("look for a node of store %d: %w", id, err)
	}
	return n > 0, revoked, nil
}

func later(a, b stock.Epoch) stock.Epoch {
	if a.Compare(b) >= 0 {
		return a
	}
	return b
}

func epochIn(e *recordv1.Epoch) stock.Epoch {
	return stock.Epoch{Timeline: stock.Timeline(e.GetTimeline()), Counter: e.GetCounter()}
}

// adopt takes a box back that was enrolled after the backup was made.
func (d *desk) adopt(s *store, h *recordv1.Hello, e stock.Epoch) error {
	_, err := d.tx.Exec(insertNode, s.id, e.Timeline, e.Counter, h.GetNodeId(), "", d.now)
	if err != nil {
		return fmt.Errorf("adopt node of store %d: %w", s.id, err)
	}
	s.epoch, s.node = e, bytes.Clone(h.GetNodeId())
	s.endSession(d.now)
	return nil
}

// cloudBehind is what a node hears whose cloud was restored from a backup and
// not told so.
func cloudBehind(format string, args ...any) error {
	return stock.Refuse(stock.RolledBack, "the cloud is older than this store, until holdfast-cloud bump says why: "+
		format, args...).With("side", "cloud")
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
