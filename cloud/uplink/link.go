package uplink

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"holdfast.dev/internal/identity"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

const (
	maxEvents     = 64 // inputs that wait; whoever posts more waits too
	maxControl    = 8
	maxAsks       = 1000 // carts that wait for one store
	officeWait    = 15 * time.Second
	lastFrames    = time.Second // for a Reject to leave
	nodeIDSize    = 16
	turnedAwayMin = time.Second
	turnedAwayMax = 30 * time.Second
	// turnShare is how much of the admissions go to nodes that were turned away;
	// the rest is for those who come for the first time.
	turnShare = 0.8
)

type stream = grpc.BidiStreamingServer[uplinkv1.NodeFrame, uplinkv1.CloudFrame]

// link carries out one Session over one gRPC stream. Its loop is the only
// goroutine that steps the session; others post inputs to it.
type link struct {
	server *Server
	store  stock.StoreID
	log    *slog.Logger
	core   *Session
	number uint64 // of the session; guarded by server.mu

	ctx     context.Context // ends when the loop does
	stop    context.CancelFunc
	events  chan Input
	control chan Input    // from the server, which does not wait
	looks   chan struct{} // capacity 1: look again
	out     outbox
	isOpen  bool // of the loop
	pending int  // answers of the office that are due; of the loop

	mu      sync.Mutex
	asks    Asks                   // guarded by mu
	waiters map[*Ask]chan struct{} // closed when the ask is done; guarded by mu
	over    bool                   // no ask is taken any more; guarded by mu
}

// Session serves one node's stream until it ends, or a newer one takes over.
func (s *Server) Session(st stream) error {
	peer, err := identity.PeerFromContext(st.Context())
	if err != nil {
		return statusOf(err)
	}
	node, err := hex.DecodeString(string(peer.NodeID))
	if err != nil || len(node) != nodeIDSize {
		return status.Error(codes.Internal, "node id")
	}
	if !s.enter() {
		after, why := s.turn(time.Now())
		return st.Send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Reject{Reject: &uplinkv1.Reject{
			Code: stock.Busy.String(), RetryAfterMs: uint32(after.Milliseconds()), Message: why}}})
	}
	l := &link{server: s, store: peer.Store, log: s.o.Logger.With("store", peer.Store),
		events: make(chan Input, maxEvents), control: make(chan Input, maxControl),
		looks: make(chan struct{}, 1), waiters: make(map[*Ask]chan struct{}),
		out: outbox{send: st.Send},
		core: NewSession(Config{Store: peer.Store, Node: node, Member: s.o.Member,
			DeadAfter: s.o.DeadAfter, FlushNormal: s.o.Flush, Random: s.random})}
	l.run(st)
	go func() {
		defer s.running.Done()
		l.settle()
	}()
	return nil
}

// enter admits a session, unless there are too many at once or this member is
// about to stop. The wait group is entered under mu, so that Drain misses none.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving > 0 || !s.admit.Allow() {
		return false
	}
	s.running.Add(1)
	return true
}

// turn says when a node that was not admitted may come back, and why it was not.
// A member that is about to stop is soon replaced, by itself or by another. Of
// too many nodes each gets a turn of its own, at the pace of the admissions that
// are to be expected then: nobody comes in vain, and nobody waits longer than
// that takes.
func (s *Server) turn(now time.Time) (after time.Duration, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving > 0 {
		spread := min(s.leaving, turnedAwayMax-turnedAwayMin)
		return turnedAwayMin + time.Duration(s.random(int64(spread))), "this process is about to stop"
	}
	return s.queued(now), "too many nodes at once"
}

func (s *Server) queued(now time.Time) time.Duration {
	pace := time.Duration(float64(time.Second) / (turnShare * float64(s.admit.Limit())))
	if soonest := now.Add(turnedAwayMin); s.next.Before(soonest) {
		s.next = soonest
	}
	s.next = s.next.Add(pace)
	if after := s.next.Sub(now); after <= turnedAwayMax {
		return after
	}
	return turnedAwayMax/2 + time.Duration(s.random(int64(turnedAwayMax/2)))
}

// run steps the session until it closes, and lets its last frames leave.
func (l *link) run(st stream) {
	// What the office is asked goes on when the stream ends: see settle.
	l.ctx, l.stop = context.WithCancel(context.WithoutCancel(st.Context()))
	go l.receive(st)
	why := l.loop()
	l.stop()
	l.server.ended(l)
	l.failAsks()
	wait := time.NewTimer(lastFrames)
	defer wait.Stop()
	select {
	case <-l.out.idle():
	case <-wait.C:
	case <-st.Context().Done():
	}
	l.log.Info("session ended", "session", l.core.Number(), "why", why)
}

func (l *link) loop() (why string) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var in Input = Tick{}
	for {
		if why, over := l.step(in); over {
			return why
		}
		timer.Reset(time.Until(l.core.Wake()))
		select {
		case in = <-l.events:
		case in = <-l.control:
		case <-timer.C:
			in = Tick{}
		}
		l.note(in)
	}
}

// note keeps the accounts of an input that was taken.
func (l *link) note(in Input) {
	switch in.(type) {
	case Proposed, Read:
		l.pending--
	case Received:
		if l.isOpen {
			l.server.heard(l)
		}
	}
}

func (l *link) step(in Input) (why string, over bool) {
	for _, e := range l.core.Step(time.Now(), in) {
		switch e := e.(type) {
		case Send:
			if !over && !l.out.put(e.Frame) {
				why, over = "the node does not read", true // settle tells the session
			}
		case Close:
			why, over = e.Why, true
		default:
			l.do(e)
		}
	}
	return why, over
}

// settle waits for what the office still owes an answer: a session that was
// opened while the stream ended must be closed.
func (l *link) settle() {
	for in := Input(Gone{}); ; in = <-l.events {
		l.note(in)
		for _, e := range l.core.Step(time.Now(), in) {
			if p, ok := e.(Propose); ok {
				l.do(p)
			}
		}
		if l.pending == 0 {
			return
		}
	}
}

// do carries out what takes time, in a goroutine that reports back.
func (l *link) do(e Effect) {
	office := l.server.o.Office
	switch e := e.(type) {
	case Propose:
		l.background(func(ctx context.Context) Input {
			result, err := office.Propose(ctx, e.Command)
			return Proposed{Number: e.Number, Result: result, Err: err}
		})
	case ReadDirectives:
		l.background(func(ctx context.Context) Input {
			chain, err := office.Directives(ctx, l.store, e)
			return Read{Chain: chain, Err: err}
		})
	case Opened:
		l.isOpen = true
		l.server.opened(l, e.Session)
		l.log.Info("session opened", "session", e.Session)
		go l.watch()
	case Look:
		l.lookAgain()
	case Answered:
		l.mu.Lock()
		l.asks.Answer(e.Got)
		l.mu.Unlock()
		l.lookAgain()
	case Notice:
		level := slog.LevelWarn
		if e.Grave {
			level = slog.LevelError
		}
		l.log.Log(l.ctx, level, e.Text, "session", l.core.Number())
	}
}

// background runs f outside of the loop and posts what it returns; the loop,
// and settle after it, takes that for sure.
func (l *link) background(f func(ctx context.Context) Input) {
	l.pending++
	ctx := context.WithoutCancel(l.ctx)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, officeWait)
		defer cancel()
		l.events <- f(ctx)
	}()
}

// post hands an input to the loop without waiting.
func (l *link) post(in Input) {
	select {
	case l.control <- in:
	default: // one of the same kind waits already
	}
}

// deliver hands an input to the loop, and tells whether the loop still runs.
func (l *link) deliver(in Input) bool {
	select {
	case l.events <- in:
		return true
	case <-l.ctx.Done():
		return false
	}
}

func (l *link) receive(st stream) {
	for {
		frame, err := st.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) && status.Code(err) != codes.Canceled {
				l.log.Debug("stream broke", "err", err)
			}
			l.deliver(Gone{})
			return
		}
		if !l.deliver(Received{Frame: frame}) {
			return
		}
	}
}

func (l *link) lookAgain() {
	select {
	case l.looks <- struct{}{}:
	default:
	}
}

// watch looks how the store stands whenever that has changed. It looks in
// another goroutine, whose stack grows large and is then given back: this one
// waits for hours.
func (l *link) watch() {
	office := l.server.o.Office
	looked := make(chan bool)
	for {
		changed, common := office.Watch(l.store), office.Watch(0)
		go func() { looked <- l.look() }()
		if !<-looked {
			return
		}
		select {
		case <-changed:
		case <-common:
		case <-l.looks:
		case <-l.ctx.Done():
			return
		}
	}
}

func (l *link) look() (goOn bool) {
	l.mu.Lock()
	skus := l.asks.Begin()
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.ctx, officeWait)
	defer cancel()
	standing, err := l.server.o.Office.Look(ctx, l.store, skus)
	if !l.deliver(Looked{Standing: standing, Err: err}) {
		return false
	}
	if err != nil || len(skus) == 0 {
		return true
	}
	if wants := l.round(standing); len(wants) > 0 {
		return l.deliver(Asked{Wants: wants})
	}
	return true
}
