package uplink

import (
	"fmt"
	"time"

	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

// pushing is the state of the directives that go out.
type pushing struct {
	sent    uint64
	acked   uint64 // by the node
	told    uint64 // acked as the office knows it
	telling uint64 // the ack that is proposed; zero if none
	ackAt   time.Time
	reading bool
}

func (p *pushing) start(from uint64) {
	from = max(from, 1)
	*p = pushing{sent: from - 1, acked: from - 1, told: from - 1}
}

// push reads the next directives as far as the window goes.
func (s *Session) push() {
	p := &s.down
	if p.reading || p.sent >= s.standing.Directives || p.sent-p.acked >= windowDirectives {
		return
	}
	p.reading = true
	s.emit(ReadDirectives{From: p.sent + 1, Most: frameDirectives, MaxBytes: frameBytes})
}

func (s *Session) readDirectives(in Read) {
	p := &s.down
	if s.phase != open || !p.reading {
		return
	}
	p.reading = false
	if in.Err != nil {
		s.failed(in.Err)
		return
	}
	if in.Chain.From != p.sent+1 || len(in.Chain.Data) == 0 {
		s.failed(fmt.Errorf("directive %d of store %d is missing", p.sent+1, s.cfg.Store))
		return
	}
	p.sent += uint64(len(in.Chain.Data))
	s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Directives{
		Directives: &uplinkv1.Directives{From: in.Chain.From, PrevHash: in.Chain.Prev[:],
			Directives: in.Chain.Data}}})
}

// acked notes what the node has applied. Nobody waits for the office to know,
// so acks wait for company.
func (s *Session) acked(now time.Time, directive uint64) {
	p := &s.down
	if directive > p.sent {
		s.reject(stock.BadRequest, 0, fmt.Sprintf("ack of directive %d, sent are %d", directive, p.sent))
		return
	}
	p.acked = max(p.acked, directive)
	if p.acked > p.told && p.telling == 0 && p.ackAt.IsZero() {
		p.ackAt = now.Add(ackLinger)
	}
}

func (s *Session) proposeAck(now time.Time) {
	p := &s.down
	if p.ackAt.IsZero() || now.Before(p.ackAt) || p.telling != 0 {
		return
	}
	p.ackAt, p.telling = time.Time{}, p.acked
	s.propose(forAck, &recordv1.Command{Body: &recordv1.Command_AckDirectives{
		AckDirectives: &recordv1.AckDirectives{Store: uint32(s.cfg.Store),
			Session: s.opened.GetSession(), Directive: p.acked}}})
}

func (s *Session) ackProposed(now time.Time, in Proposed) {
	p := &s.down
	told := p.telling
	p.telling = 0
	if s.phase != open {
		return
	}
	switch {
	case in.Err == nil:
		p.told = max(p.told, told)
	case stock.Refused(in.Err, stock.Busy):
	default:
		s.failed(in.Err)
		return
	}
	if p.acked > p.told {
		p.ackAt = now.Add(ackLinger)
	}
}

// askReturn proposes what tills need back. Wants beyond the bound are
// forgotten: they are hints, and the till asks again.
func (s *Session) askReturn(wants []*uplinkv1.Want) {
	for _, w := range wants {
		if len(s.returns) >= maxReturns {
			return
		}
		number := s.propose(forReturn, &recordv1.Command{Body: &recordv1.Command_ReturnQuota{
			ReturnQuota: &recordv1.ReturnQuota{Store: uint32(s.cfg.Store), Sku: w.GetSku(),
				Timeline: w.GetTimeline(), TargetReturned: w.GetTarget()}}})
		s.returns[number] = w
	}
}

// returned answers the till. A refusal is a no: what R is then is not known
// here, and zero promises nothing.
func (s *Session) returned(in Proposed) {
	w := s.returns[in.Number]
	delete(s.returns, in.Number)
	if _, refused := stock.AsRefusal(in.Err); s.phase != open || (in.Err != nil && !refused) {
		return
	}
	got := &uplinkv1.Got{Request: w.GetRequest(), Sku: w.GetSku(),
		Total: in.Result.GetQuota().GetReturnedTotal()}
	s.send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_ReturnAnswer{
		ReturnAnswer: &uplinkv1.ReturnAnswer{Got: []*uplinkv1.Got{got}}}})
}
