// Package uplink is the cloud's end of the sessions with the nodes: it takes
// journals in, pushes directives out, and moves rights on demand.
package uplink

import (
	"bytes"
	"fmt"
	"time"

	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

const (
	capVersion    = 1 // of the session's frames
	recordVersion = 1 // newest body of a record that this version books

	helloPatience = 10 * time.Second
	ackLinger     = 100 * time.Millisecond // directive acks wait for company
	busyPause     = 100 * time.Millisecond // before a full queue is tried again
	slowest       = 3 * time.Second        // retry_after of a node that found us unwell

	windowDirectives = 512 // sent and not acked
	frameDirectives  = 128
	frameBytes       = 256 << 10
	maxReturns       = 64 // AskReturn wants under way
)

// Config is what a Session needs to know of its node and of this member.
type Config struct {
	Store       stock.StoreID // as the certificate says
	Node        []byte        // as the certificate says; 16 bytes
	Member      string
	DeadAfter   time.Duration // silence after which the node counts as dead; default 13 s
	Heartbeat   time.Duration // asked of the node; default 5 s
	FlushNormal time.Duration // asked of the node; default 200 ms
	Random      func(n int64) int64
}

type phase uint8

const (
	awaiting phase = 1 + iota // Hello
	opening                   // OpenSession is proposed
	looking                   // for what the Welcome says
	open
	closed
)

type purpose uint8

const (
	forOpen purpose = 1 + iota
	forBatch
	forAck
	forReturn
	forClose
)

// Session is one stream of one node as a state machine: it has no clock, no
// goroutine and no connection. One goroutine feeds it inputs and carries its
// effects out, in order. Its zero value is not usable; see NewSession.
type Session struct {
	cfg       Config
	phase     phase
	startedAt time.Time
	lastRead  time.Time

	proposals uint64
	purposes  map[uint64]purpose // by proposal number

	opened    *recordv1.SessionResult
	fenced    bool
	standing  Standing
	catalogue uint64 // as the node was last told

	in      intake
	down    pushing
	returns map[uint64]*uplinkv1.Want // by proposal number

	out []Effect
}

// NewSession returns a session that waits for its Hello.
func NewSession(cfg Config) *Session {
	if cfg.DeadAfter <= 0 {
		cfg.DeadAfter = 13 * time.Second
	}
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = cfg.DeadAfter * 5 / 13
	}
	if cfg.FlushNormal <= 0 {
		cfg.FlushNormal = 200 * time.Millisecond
	}
	return &Session{cfg: cfg, phase: awaiting, purposes: make(map[uint64]purpose),
		returns: make(map[uint64]*uplinkv1.Want)}
}

// Step takes one input and returns what is to be done now, in order. After a
// Close only proposals that are under way matter.
func (s *Session) Step(now time.Time, in Input) []Effect {
	s.out = nil
	if s.startedAt.IsZero() {
		s.startedAt, s.lastRead = now, now
	}
	switch in := in.(type) {
	case Tick:
	case Received:
		if s.phase != closed {
			s.lastRead = now
			s.receive(now, in.Frame)
		}
	case Gone:
		s.close("the stream ended")
	case Proposed:
		s.proposed(now, in)
	case Looked:
		s.looked(in)
	case Read:
		s.readDirectives(in)
	case Asked:
		if s.phase == open {
			s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_AskGrant{
				AskGrant: &uplinkv1.AskGrant{Wants: in.Wants}}})
		}
	case Superseded:
		s.fence("a newer session")
	case Leaving:
		if s.phase != closed {
			s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Drain{
				Drain: &uplinkv1.Drain{AfterMs: uint32(in.Within.Milliseconds())}}})
		}
	default:
		panic(fmt.Sprintf("uplink: unknown input %T", in))
	}
	s.elapse(now)
	return s.out
}

// elapse does what the time has come for.
func (s *Session) elapse(now time.Time) {
	switch {
	case s.phase == closed:
	case s.phase == awaiting && now.Sub(s.startedAt) >= helloPatience:
		s.close("no hello")
	case now.Sub(s.lastRead) >= s.cfg.DeadAfter:
		s.close("no traffic")
	case s.phase == open:
		s.proposeBatch(now)
		s.proposeAck(now)
		s.push()
	}
}

// Wake returns when Step wants a Tick if nothing else happens before; zero
// when nothing is left to wait for.
func (s *Session) Wake() time.Time {
	switch s.phase {
	case closed:
		return time.Time{}
	case awaiting:
		return s.startedAt.Add(helloPatience)
	}
	at := s.lastRead.Add(s.cfg.DeadAfter)
	for _, t := range []time.Time{s.in.retryAt, s.down.ackAt} {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	return at
}

// Number returns the session's number; zero before it is open.
func (s *Session) Number() uint64 { return s.opened.GetSession() }

func (s *Session) receive(now time.Time, frame *uplinkv1.NodeFrame) {
	if hello, ok := frame.GetFrame().(*uplinkv1.NodeFrame_Hello); ok {
		s.greeted(hello.Hello)
		return
	}
	if bye, ok := frame.GetFrame().(*uplinkv1.NodeFrame_Bye); ok {
		s.close("bye: " + clip(bye.Bye.GetReason()))
		return
	}
	if s.phase != open {
		s.reject(stock.BadRequest, 0, fmt.Sprintf("%T before the welcome", frame.GetFrame()))
		return
	}
	switch f := frame.GetFrame().(type) {
	case *uplinkv1.NodeFrame_Batch:
		s.take(f.Batch)
	case *uplinkv1.NodeFrame_Ack:
		s.acked(now, f.Ack.GetDirective())
	case *uplinkv1.NodeFrame_AskReturn:
		s.askReturn(f.AskReturn.GetWants())
	case *uplinkv1.NodeFrame_GrantAnswer:
		s.emit(Answered{Got: f.GrantAnswer.GetGot()})
	case *uplinkv1.NodeFrame_Ping:
		s.pong(now, f.Ping)
	case *uplinkv1.NodeFrame_Blocked:
		s.emit(Notice{Grave: true, Text: fmt.Sprintf("the node does not know directive %d, type %d",
			f.Blocked.GetDirective(), f.Blocked.GetType())})
	case *uplinkv1.NodeFrame_Digest, *uplinkv1.NodeFrame_ReservationReport:
		s.emit(Notice{Text: fmt.Sprintf("%T is not served by this version", f)})
	default:
		// A frame of a newer node, which may only send hints that we do not know.
	}
}

// greeted checks that the node is who its certificate says; whether that box
// may speak for the store is for the office to decide.
func (s *Session) greeted(hello *recordv1.Hello) {
	switch {
	case s.phase != awaiting:
		s.reject(stock.BadRequest, 0, "a second hello")
		return
	case stock.StoreID(hello.GetStore()) != s.cfg.Store || !bytes.Equal(hello.GetNodeId(), s.cfg.Node):
		s.reject(stock.NotTrusted, 0, "hello and certificate name different nodes")
		return
	case hello.GetCapMin() > capVersion:
		s.reject(stock.TooOld, 0, fmt.Sprintf("the node wants version %d, this cloud speaks %d",
			hello.GetCapMin(), capVersion))
		return
	}
	s.phase = opening
	s.propose(forOpen, &recordv1.Command{Body: &recordv1.Command_OpenSession{
		OpenSession: &recordv1.OpenSession{Hello: hello, Member: s.cfg.Member}}})
}

func (s *Session) proposed(now time.Time, in Proposed) {
	why, known := s.purposes[in.Number]
	if !known {
		return
	}
	delete(s.purposes, in.Number)
	switch why {
	case forOpen:
		s.sessionOpened(in)
	case forBatch:
		s.batched(now, in)
	case forAck:
		s.ackProposed(now, in)
	case forReturn:
		s.returned(in)
	case forClose:
	}
}

func (s *Session) sessionOpened(in Proposed) {
	if in.Err != nil {
		s.failed(in.Err)
		return
	}
	s.opened = in.Result.GetSession()
	if s.opened == nil {
		panic("uplink: OpenSession without a session")
	}
	if s.opened.GetMode() != recordv1.SessionMode_SESSION_MODE_NORMAL {
		s.dismiss()
		return
	}
	if s.phase == closed { // the stream ended meanwhile
		s.endSession()
		return
	}
	s.phase = looking
	s.emit(Opened{Session: s.opened.GetSession()})
	s.emit(Look{})
}

// dismiss tells a node how to come back. There is no session until it has.
func (s *Session) dismiss() {
	o := s.opened
	s.fenced = true
	if s.phase == closed {
		return
	}
	s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Welcome{Welcome: &uplinkv1.Welcome{
		Epoch: o.GetEpoch(), Timeline: o.GetTimeline(), Mode: o.GetMode(),
		ResumeFrom: o.GetResumeFrom(), SalvageFrom: o.GetSalvageFrom(), CapVersion: capVersion,
		MaxRecordVersion: recordVersion, ServerMs: s.lastRead.UnixMilli()}}})
	s.close("the node has to recover: " + o.GetMode().String())
}

// looked learns how the store stands: new directives, a newer catalogue, or a
// newer session at another member.
func (s *Session) looked(in Looked) {
	if s.phase != looking && s.phase != open {
		return
	}
	if in.Err != nil {
		s.failed(in.Err)
		return
	}
	s.standing = in.Standing
	epoch := s.opened.GetEpoch()
	mine := stock.Epoch{Timeline: stock.Timeline(epoch.GetTimeline()), Counter: epoch.GetCounter()}
	switch {
	case s.standing.Session > s.opened.GetSession():
		s.fence("a newer session at another member")
		return
	case s.standing.Timeline > stock.Timeline(s.opened.GetTimeline()):
		s.reject(stock.Busy, 0, "a new timeline begins")
		return
	case s.standing.Epoch.Compare(mine) > 0 || !bytes.Equal(s.standing.Node, s.cfg.Node):
		s.fence("another box stands in this store")
		return
	}
	if s.phase == looking {
		s.welcome()
		return
	}
	if s.standing.Catalogue > s.catalogue {
		s.catalogue = s.standing.Catalogue
		s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Pong{
			Pong: &uplinkv1.Pong{JournalApplied: s.in.applied, CatalogueVersion: s.catalogue}}})
	}
}

func (s *Session) welcome() {
	o := s.opened
	s.phase = open
	s.catalogue = s.standing.Catalogue
	s.in.start(o.GetResumeFrom())
	s.down.start(o.GetDirectivesFrom())
	s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Welcome{Welcome: &uplinkv1.Welcome{
		Session: o.GetSession(), Epoch: o.GetEpoch(), Timeline: o.GetTimeline(), Mode: o.GetMode(),
		ResumeFrom: o.GetResumeFrom(), DirectivesFrom: o.GetDirectivesFrom(),
		CapVersion: capVersion, MaxRecordVersion: recordVersion,
		CreditBytes:   s.in.credit,
		FlushNormalMs: uint32(s.cfg.FlushNormal.Milliseconds()),
		HeartbeatMs:   uint32(s.cfg.Heartbeat.Milliseconds()),
		ServerMs:      s.lastRead.UnixMilli(),
		KeysetVersion: s.standing.Keys, Policy: s.standing.Policy,
		CatalogueVersion: s.catalogue,
	}}})
}

func (s *Session) pong(now time.Time, ping *uplinkv1.Ping) {
	s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Pong{Pong: &uplinkv1.Pong{
		ServerMs: now.UnixMilli(), WallMs: ping.GetWallMs(),
		JournalApplied: s.in.applied, CatalogueVersion: s.catalogue}}})
}

// failed ends the stream after an error of the office. A refusal is final; a
// fault is ours, and the node shall come back a little later.
func (s *Session) failed(err error) {
	if r, ok := stock.AsRefusal(err); ok {
		if r.Code == stock.Fenced {
			s.fenced = true
		}
		s.reject(r.Code, s.pause(r.Code), r.Detail)
		return
	}
	if s.phase != closed {
		s.emit(Notice{Text: err.Error()})
	}
	s.reject(stock.Busy, s.pause(stock.Busy), "the cloud cannot take this now")
}

func (s *Session) pause(code stock.Code) time.Duration {
	if code != stock.Busy {
		return 0
	}
	return time.Second + time.Duration(s.cfg.Random(int64(slowest-time.Second)))
}

func (s *Session) fence(why string) {
	if s.phase == closed {
		return
	}
	s.fenced = true
	s.reject(stock.Fenced, 0, why)
}

func (s *Session) reject(code stock.Code, after time.Duration, detail string) {
	if s.phase == closed {
		return
	}
	s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Reject{Reject: &uplinkv1.Reject{
		Code: code.String(), RetryAfterMs: uint32(after.Milliseconds()), Message: detail}}})
	s.close(code.String() + ": " + detail)
}

// close ends the stream; the office is told unless it knows better.
func (s *Session) close(why string) {
	if s.phase == closed {
		return
	}
	s.phase = closed
	s.emit(Close{Why: why})
	s.endSession()
}

func (s *Session) endSession() {
	if s.opened == nil || s.fenced {
		return
	}
	s.propose(forClose, &recordv1.Command{Body: &recordv1.Command_CloseSession{
		CloseSession: &recordv1.CloseSession{
			Store: uint32(s.cfg.Store), Session: s.opened.GetSession()}}})
}

func (s *Session) propose(why purpose, c *recordv1.Command) uint64 {
	s.proposals++
	s.purposes[s.proposals] = why
	s.emit(Propose{Number: s.proposals, Command: c})
	return s.proposals
}

func (s *Session) emit(e Effect) { s.out = append(s.out, e) }

func (s *Session) send(f *uplinkv1.CloudFrame) { s.emit(Send{Frame: f}) }

// clip keeps what a peer says from filling a log.
func clip(s string) string {
	const most = 100
	if len(s) > most {
		return fmt.Sprintf("%.*s...", most, s)
	}
	return s
}
