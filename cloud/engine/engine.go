// Package engine runs head office on a quorum: it is the log that the cloud's
// servers propose to, in one process or several.
package engine

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/cloud/quorum"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// Database is the name of head office's database in the cloud's folder.
const Database = "cloud.db"

// Options say where the log is and who keeps it.
type Options struct {
	Dir    string     // folder of the database; "" keeps everything in memory
	Net    quorum.Net // to the other members; nil: there are none
	Join   string     // address of a member that takes a new one in
	Adopt  bool       // see quorum.Options
	Tail   string     // the same
	Logger *slog.Logger
	Now    func() time.Time // the clock that stamps commands, if this member leads
	Timing quorum.Timing
	// Scarce, when set, tells that this member's disk is all but full. Where it
	// leads, no new promises are made then.
	Scarce func() bool
	// Serve answers what other members ask, see Member.Ask.
	Serve func(ctx context.Context, question []byte) ([]byte, error)
}

// Engine is an open log. It implements headoffice.Engine.
type Engine struct {
	member *quorum.Member
	bells  bells
	now    func() time.Time
}

var _ headoffice.Engine = (*Engine)(nil)

// Open opens or creates the log. A folder of a cloud that was one process with
// a log of its own is taken over.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &Engine{now: o.Now}
	e.bells.init()
	m := &machine{now: o.Now, scarce: o.Scarce}
	m.Changed = e.bells.changed
	file := ""
	if o.Dir != "" {
		file = Database
		o.Dir = filepath.Clean(o.Dir)
	}
	member, err := quorum.Open(ctx, quorum.Options{Dir: o.Dir, File: file, Machine: m, Net: o.Net,
		Join: o.Join, Adopt: o.Adopt, Tail: o.Tail, Logger: o.Logger, Timing: o.Timing, Applied: e.bells.applied,
		Scarce: o.Scarce, Serve: o.Serve})
	if err != nil {
		return nil, fmt.Errorf("open head office: %w", err)
	}
	e.member = member
	e.bells.open(member.Journal().Head().Seq)
	return e, nil
}

// Close waits for what was proposed, hands over if this member leads, and
// closes the files.
func (e *Engine) Close() error { return e.member.Close() }

// Fault returns a channel that is closed when the log stopped for good; Err
// tells why. The process must end.
func (e *Engine) Fault() <-chan struct{} { return e.member.Fault() }

// Err returns why the log stopped, or nil while it works.
func (e *Engine) Err() error { return e.member.Err() }

// Journal is this member's journal, for backups and for verifying. Ask each
// time: a member that was behind gets another.
func (e *Engine) Journal() *journal.Journal { return e.member.Journal() }

// Member is this process among the members of the cloud.
func (e *Engine) Member() *quorum.Member { return e.member }

// View runs f on a snapshot of this member's tables. It has what was proposed
// through this member.
func (e *Engine) View(ctx context.Context, f func(tx *journal.Tx) error) error {
	return e.member.View(ctx, f)
}

// Sync waits until View has everything that any member has told anybody.
func (e *Engine) Sync(ctx context.Context) error { return e.member.Sync(ctx) }

// Watch returns a channel that is closed at the next change of the store.
func (e *Engine) Watch(store stock.StoreID) <-chan struct{} { return e.bells.next(store) }

// Propose returns what the command led to, once it is durable and applied.
func (e *Engine) Propose(ctx context.Context, c *recordv1.Command) (*recordv1.Result, error) {
	uid, err := requestID(c)
	if err != nil {
		return nil, err
	}
	data, err := headoffice.Encode(&recordv1.Command{Request: c.GetRequest(), Actor: c.GetActor(),
		Body: c.GetBody()})
	if err != nil {
		return nil, err
	}
	out, err := e.member.Propose(ctx, quorum.Proposal{UID: uid, Data: data, MayIdle: mayIdle(c)})
	if stock.Refused(err, stock.NoRoom) {
		out, err = e.before(ctx, uid, err)
	}
	if err != nil {
		return nil, err
	}
	if out.Repeated {
		if err := sameAsBefore(out, c); err != nil {
			return nil, err
		}
	}
	return headoffice.Outcome(out.Reply)
}

// before is what a request led to that was made before, whatever the disk of now
// is; if there was none, it is refused as it was.
func (e *Engine) before(ctx context.Context, uid [16]byte, refused error) (out quorum.Outcome, err error) {
	if uid == [16]byte{} {
		return out, refused
	}
	if err := e.Sync(ctx); err != nil {
		return out, refused
	}
	was, known, err := e.Journal().Find(ctx, uid)
	if err != nil || !known {
		return out, refused
	}
	return quorum.Outcome{Seq: was.Seq, Reply: was.Reply, Repeated: true, Before: was.Data}, nil
}

func requestID(c *recordv1.Command) (uid [16]byte, err error) {
	switch r := c.GetRequest(); len(r) {
	case 0:
	case len(uid):
		copy(uid[:], r)
	default:
		return uid, stock.Refuse(stock.BadRequest, "a request id of %d bytes", len(r)).With("what",
			"request_id")
	}
	return uid, nil
}

// sameAsBefore refuses a request id that was used for another command.
func sameAsBefore(out quorum.Outcome, c *recordv1.Command) error {
	var before recordv1.Command
	if err := proto.Unmarshal(out.Before, &before); err != nil {
		return fmt.Errorf("decode command %d: %w", out.Seq, err)
	}
	if !headoffice.Same(&before, c) {
		return stock.Refuse(stock.IDReused, "request %x was another command", c.GetRequest())
	}
	return nil
}

// mayIdle names the commands that headoffice.Idle knows an answer to.
func mayIdle(c *recordv1.Command) bool {
	switch c.GetBody().(type) {
	case *recordv1.Command_ApplyBatch, *recordv1.Command_AckDirectives,
		*recordv1.Command_ReturnQuota, *recordv1.Command_ExpireHolds, *recordv1.Command_ExpireData:
		return true
	}
	return false
}

// machine is head office as a quorum's machine.
type machine struct {
	headoffice.Machine
	now    func() time.Time
	scarce func() bool // nil: never
}

// canWait names the commands that are refused while the disk is all but full:
// new promises, and what fills it. What stores have done, cancels, and all that
// ends something go on as long as they can.
func canWait(c *recordv1.Command) bool {
	switch c.GetBody().(type) {
	case *recordv1.Command_Hold, *recordv1.Command_ReserveNow, *recordv1.Command_ImportProducts:
		return true
	}
	return false
}

// Version is the newest version of commands that head office understands.
func (m *machine) Version() uint32 { return headoffice.Version }

// Seal stamps a command with the leader's time and a version that all members
// understand. A command that this member does not know is refused: in the log
// it would stop everybody who does not.
func (m *machine) Seal(data []byte, version uint32) ([]byte, error) {
	var c recordv1.Command
	if err := proto.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("decode a command: %w", err)
	}
	if c.GetBody() == nil {
		return nil, stock.Refuse(stock.FeatureRefused, "a command of a newer version").With("what",
			"command")
	}
	if headoffice.Needs(&c) > version {
		return nil, stock.Refuse(stock.FeatureRefused,
			"a command of version %d while a process of the cloud knows %d", headoffice.Needs(&c), version).
			With("what", "command")
	}
	if m.scarce != nil && canWait(&c) && m.scarce() {
		return nil, stock.Refuse(stock.NoRoom, "the disk of the member that leads is all but full")
	}
	c.Now, c.Version = m.now().UnixMilli(), version
	return headoffice.Encode(&c)
}

// Idle answers a command that would change nothing as things are.
func (m *machine) Idle(tx *journal.Tx, data []byte) ([]byte, bool, error) {
	var c recordv1.Command
	if err := proto.Unmarshal(data, &c); err != nil {
		return nil, false, fmt.Errorf("decode a command: %w", err)
	}
	c.Now = m.now().UnixMilli()
	result, idle, err := headoffice.Idle(tx, &c)
	if err != nil || !idle {
		return nil, false, err
	}
	reply, err := proto.Marshal(result)
	return reply, true, err
}
