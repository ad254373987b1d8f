package headoffice

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

const (
	hashSize        = 32 // bytes of a SHA-256
	maxJoinMS       = 30 * dayMS
	repeatJoinMS    = 10 * minuteMS
	maxHardwareText = 500
)

const (
	insertInvitation = `INSERT INTO invitation
  (store, secret_hash, expires_at, used_at, csr_hash, epoch_timeline, epoch_counter)
  VALUES (?, ?, ?, 0, x'', 0, 0) ON CONFLICT (store, secret_hash) DO NOTHING`
	selectInvitation = `SELECT expires_at, used_at, csr_hash, epoch_timeline, epoch_counter
  FROM invitation WHERE store = ? AND secret_hash = ?`
	useInvitation = `UPDATE invitation SET used_at=?, csr_hash=?, epoch_timeline=?, epoch_counter=?
  WHERE store=? AND secret_hash=?`
	insertNode = `INSERT INTO node (store, epoch_timeline, epoch_counter, node, hardware, at)
  VALUES (?,?,?,?,?,?)`
	formerNode = `SELECT count(*), ifnull(max(revoked), 0) FROM node WHERE store = ? AND node = ?`
	revokeNode = `UPDATE node SET revoked = 1 WHERE store = ? AND node = ?`
)

// issueJoin lets one node join one store, once, until the time is over.
func (d *desk) issueJoin(j *recordv1.IssueJoin) (*recordv1.Result, error) {
	s, err := d.store(j.GetStore())
	if err != nil {
		return nil, err
	}
	if len(j.GetSecretHash()) != hashSize {
		return nil, badRequest("secret", "a secret's hash of %d bytes", len(j.GetSecretHash()))
	}
	if at := j.GetExpiresAt(); at <= d.now || at > d.now+maxJoinMS {
		return nil, badRequest("expires", "an invitation from %d until %d", d.now, at)
	}
	_, err = d.tx.Exec(insertInvitation, s.id, j.GetSecretHash(), j.GetExpiresAt())
	return &recordv1.Result{}, err
}

// invitation is a join secret's row.
type invitation struct {
	expiresAt int64
	usedAt    int64 // 0: not used
	csrHash   []byte
	epoch     stock.Epoch
}

// enrol makes a node the store's only one: a new epoch begins, and whoever was
// the store's node before is fenced. The same certificate request again, soon
// after, is the same enrolment: its answer may have been lost.
func (d *desk) enrol(e *recordv1.Enrol) (*recordv1.Result, error) {
	node, err := id16(e.GetNodeId(), "node")
	if err != nil {
		return nil, err
	}
	if len(e.GetCsrHash()) != hashSize || !plain(e.GetHardware(), maxHardwareText) {
		return nil, badRequest("certificate", "a certificate request's hash of %d bytes",
			len(e.GetCsrHash()))
	}
	s, in, err := d.invited(e)
	if err != nil {
		return nil, err
	}
	if in.usedAt > 0 {
		return d.enrolled(s, in.epoch)
	}
	d.newEpoch(s)
	s.node = node[:]
	s.bootCount, s.bootID = 0, nil
	_, err = d.tx.Exec(useInvitation, d.now, e.GetCsrHash(), s.epoch.Timeline, s.epoch.Counter,
		s.id, e.GetSecretHash())
	if err != nil {
		return nil, fmt.Errorf("use invitation of store %d: %w", s.id, err)
	}
	_, err = d.tx.Exec(insertNode, s.id, s.epoch.Timeline, s.epoch.Counter, s.node, e.GetHardware(),
		d.now)
	if err != nil {
		return nil, fmt.Errorf("insert node of store %d: %w", s.id, err)
	}
	if err := errors.Join(d.orderKeys(s), d.rebook(s)); err != nil {
		return nil, err
	}
	if err := d.save(s); err != nil {
		return nil, err
	}
	return d.enrolled(s, s.epoch)
}

// invited finds the invitation and refuses one that cannot be used. A store
// that does not exist looks like a secret that does not.
func (d *desk) invited(e *recordv1.Enrol) (*store, *invitation, error) {
	in := new(invitation)
	err := d.tx.QueryRow(selectInvitation, e.GetStore(), blob(e.GetSecretHash())).
		Scan(&in.expiresAt, &in.usedAt, &in.csrHash, &in.epoch.Timeline, &in.epoch.Counter)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, stock.Refuse(stock.JoinUnknown, "no such invitation to store %d", e.GetStore())
	}
	if err != nil {
		return nil, nil, fmt.Errorf("load invitation of store %d: %w", e.GetStore(), err)
	}
	repeat := in.usedAt > 0 && d.now-in.usedAt <= repeatJoinMS && bytes.Equal(in.csrHash,
		e.GetCsrHash())
	switch {
	case in.usedAt > 0 && !repeat:
		return nil, nil, stock.Refuse(stock.JoinUsed, "this invitation to store %d was used at %d",
			e.GetStore(), in.usedAt)
	case in.usedAt == 0 && d.now >= in.expiresAt:
		return nil, nil, stock.Refuse(stock.JoinUnknown, "this invitation to store %d ended at %d",
			e.GetStore(), in.expiresAt)
	}
	s, err := d.store(e.GetStore())
	return s, in, err
}

func (d *desk) enrolled(s *store, epoch stock.Epoch) (*recordv1.Result, error) {
	info, err := s.about()
	if err != nil {
		return nil, err
	}
	return &recordv1.Result{Body: &recordv1.Result_Enrol{Enrol: &recordv1.EnrolResult{
		Epoch: epochProto(epoch), Timeline: uint32(d.timeline), Store: info}}}, nil
}

// newEpoch fences the present node: its session ends and its records are not
// taken any more.
func (d *desk) newEpoch(s *store) {
	s.epoch = stock.Epoch{Timeline: d.timeline, Counter: s.epoch.Counter + 1}
	s.node = nil
	s.endSession(d.now)
}

func (s *store) endSession(now int64) {
	if s.connected {
		s.connected, s.sessionAt, s.member = false, now, ""
	}
}

// fence ends the store's epoch without a new node. The box is not trusted any
// more, not even with what it knows.
func (d *desk) fence(f *recordv1.Fence) (*recordv1.Result, error) {
	s, err := d.store(f.GetStore())
	if err != nil {
		return nil, err
	}
	if _, err := d.tx.Exec(revokeNode, s.id, blob(s.node)); err != nil {
		return nil, fmt.Errorf("revoke node of store %d: %w", s.id, err)
	}
	d.newEpoch(s)
	return counted(1), d.save(s)
}

func epochProto(e stock.Epoch) *recordv1.Epoch {
	return &recordv1.Epoch{Timeline: uint32(e.Timeline), Counter: e.Counter}
}

func counted(n int64) *recordv1.Result {
	return &recordv1.Result{Body: &recordv1.Result_Count{Count: &recordv1.CountResult{Rows: uint64(n)}}}
}
