package uplink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"time"

	"holdfast.dev/internal/identity"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const (
	maxEvents  = 256
	maxSending = 1024 // frames that wait to be sent; credit keeps it far below
	farewell   = 250 * time.Millisecond
	answerWait = 3 * time.Second // for the cloud's answer to a till
)

// Floor is what the uplink needs of the store: its journal, and somebody who
// applies what the cloud orders.
type Floor interface {
	// Hello presents the store's history as it is now.
	Hello(ctx context.Context) (*recordv1.Hello, error)
	// Welcome takes in what the cloud decided about this session. A refusal
	// ends the session.
	Welcome(ctx context.Context, w *uplinkv1.Welcome) error
	// Recover brings the store back as the cloud decided: its own records, or
	// a copy of its books, come from remote. A refusal says that this box
	// cannot go on.
	Recover(ctx context.Context, w *uplinkv1.Welcome, remote *Remote) error
	// SampleClock takes the cloud's clock, in Unix ms.
	SampleClock(cloudMS int64)
	// Entries reads the journal from a record on; at least one if there is one.
	Entries(ctx context.Context, from uint64, maxEntries, maxBytes int) ([]journal.Entry, error)
	// Head is the end of the journal.
	Head() journal.Position
	// Changed returns a channel that is closed once the head is beyond seq.
	Changed(seq uint64) <-chan struct{}
	// ApplyDirectives applies stored directives in order and skips those that
	// it has. What it returns as applied is durable, also beside an error. It
	// refuses as FeatureRefused what it does not know.
	ApplyDirectives(
		ctx context.Context, from uint64, prevHash []byte, directives [][]byte,
	) (applied uint64, err error)
	// GrantUpTo grants units up to absolute targets as far as the rules let
	// it, and says what the counters are then.
	GrantUpTo(ctx context.Context, wants []*uplinkv1.Want) ([]*uplinkv1.Got, error)
	// Acked tells that the cloud has applied the journal up to seq.
	Acked(ctx context.Context, seq uint64) error
}

// Catalogue keeps the products in this store.
type Catalogue interface {
	// Version is what the last Finish said.
	Version(ctx context.Context) (uint64, error)
	// Apply keeps products; the same ones again change nothing.
	Apply(ctx context.Context, products []*recordv1.Product) error
	// Finish says that everything up to a version has been applied.
	Finish(ctx context.Context, version uint64) error
}

// Options are what a Link needs.
type Options struct {
	Address   string // host:port of the cloud's node listener; "" is where the node enrolled
	Identity  *identity.NodeIdentity
	Floor     Floor
	Catalogue Catalogue // nil: products are not fetched
	Logger    *slog.Logger
	Backoff   Backoff       // default 500 ms, 60 s
	DeadAfter time.Duration // silence after which the cloud counts as dead; default 13 s
	Dial      Dialer        // of the sessions' connections; nil: TCP
}

// Dialer makes a connection to an address.
type Dialer func(ctx context.Context, address string) (net.Conn, error)

// Link keeps a session with the cloud for as long as Run runs, and the node's
// certificate fresh. Its other methods may be called from any goroutine.
type Link struct {
	o      Options
	core   *Core
	events chan Input
	fetch  chan fetch // capacity 1: the newest order
	work   sync.WaitGroup
	stream *stream // the current one; of the loop

	streams context.Context // of all streams; of the loop

	mu      sync.Mutex
	state   State                   // guarded by mu
	changed chan struct{}           // closed when state changes; guarded by mu
	asking  map[[16]byte]chan int64 // totals that tills wait for; guarded by mu
}

// New returns a link that does nothing before Run.
func New(o Options) *Link {
	if o.Address == "" {
		o.Address = o.Identity.Addr()
	}
	l := &Link{o: o, events: make(chan Input, maxEvents), fetch: make(chan fetch, 1),
		core: NewCore(Config{Address: o.Address, Backoff: o.Backoff, DeadAfter: o.DeadAfter,
			Random: mathrand.Int64N}),
		changed: make(chan struct{}), asking: make(map[[16]byte]chan int64)}
	l.state = l.core.State()
	l.state.Since = time.Now()
	return l
}

// Run connects, and connects again, until ctx ends; it returns nil then.
func (l *Link) Run(ctx context.Context) error {
	var cancel context.CancelFunc
	// Streams end after ctx does, so that they can say goodbye.
	l.streams, cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer l.work.Wait()
	defer cancel()
	l.work.Go(func() { l.keepCertificate(ctx) })
	if l.o.Catalogue != nil {
		l.work.Go(func() { l.keepCatalogue(ctx) })
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer l.hangUp(farewell)
	head := l.o.Floor.Head().Seq
	var in Input = Grew{Head: head}
	for {
		for _, e := range l.core.Step(time.Now(), in) {
			l.do(ctx, e)
		}
		l.publish()
		timer.Reset(time.Until(l.core.Wake()))
		select {
		case <-ctx.Done():
			return nil
		case in = <-l.events:
		case <-l.o.Floor.Changed(head):
			head = l.o.Floor.Head().Seq
			in = Grew{Head: head}
		case <-timer.C:
			in = Tick{}
		}
	}
}

// Wish asks the cloud to give units back up to absolute targets (R), when it can
// do without. Nobody waits for an answer: what is given comes as directives.
func (l *Link) Wish(wants []*uplinkv1.Want) {
	select {
	case l.events <- Ask{Head: l.o.Floor.Head().Seq, Wants: wants}:
	default: // there is more urgent work
	}
}

// Again ends the session, if there is one, so that the store says Hello anew:
// what it thinks of its own state has changed.
func (l *Link) Again() {
	select {
	case l.events <- Again{}:
	default: // so much is going on that the next Hello comes anyway
	}
}

// State tells how the store stands with the cloud.
func (l *Link) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Watch returns a channel that is closed when State next changes.
func (l *Link) Watch() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *Link) publish() {
	now := l.core.State()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now == l.state {
		return
	}
	if now.Phase != l.state.Phase || now.Refused != l.state.Refused {
		l.o.Logger.Info("uplink "+now.Phase.String(), "session", now.Session,
			"backlog", now.Backlog, "refused", now.Refused)
	}
	l.state = now
	close(l.changed)
	l.changed = make(chan struct{})
}

// AskReturn asks the cloud to give units back up to absolute targets (R), and
// waits for its answer. It returns nil when the cloud gives all of them: they
// come as directives, so the caller then waits for the journal. It refuses as
// Short when the cloud gives less, and as Offline without a session. Requests
// without an id get one.
func (l *Link) AskReturn(ctx context.Context, wants []*uplinkv1.Want) error {
	if s := l.State(); s.Phase == Offline {
		return stock.Refuse(stock.Offline, "no session with the cloud").
			With("since", s.Since.UTC().Format(time.RFC3339))
	}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	ids, totals := l.register(wants)
	defer l.unregister(ids)
	select {
	case l.events <- Ask{Head: l.o.Floor.Head().Seq, Wants: wants}:
	case <-ctx.Done():
		return fmt.Errorf("ask for units back: %w", ctx.Err())
	}
	for i, w := range wants {
		select {
		case total := <-totals[i]:
			if total < w.GetTarget() {
				return stock.Refuse(stock.Short, "the cloud returned %d of SKU %d in all, asked were %d",
					total, w.GetSku(), w.GetTarget())
			}
		case <-ctx.Done():
			return fmt.Errorf("ask for units back: %w", ctx.Err())
		}
	}
	return nil
}

func (l *Link) register(wants []*uplinkv1.Want) ([][16]byte, []chan int64) {
	ids, totals := make([][16]byte, len(wants)), make([]chan int64, len(wants))
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range wants {
		if len(w.GetRequest()) != len(ids[i]) {
			w.Request = make([]byte, len(ids[i]))
			rand.Read(w.Request) // never fails
		}
		ids[i], totals[i] = [16]byte(w.GetRequest()), make(chan int64, 1)
		l.asking[ids[i]] = totals[i]
	}
	return ids, totals
}

func (l *Link) unregister(ids [][16]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		delete(l.asking, id)
	}
}

// answered gives tills what the cloud said.
func (l *Link) answered(got []*uplinkv1.Got) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range got {
		if len(g.GetRequest()) != 16 {
			continue
		}
		if total, ok := l.asking[[16]byte(g.GetRequest())]; ok {
			delete(l.asking, [16]byte(g.GetRequest()))
			total <- g.GetTotal()
		}
	}
}

// do carries an effect out. What may wait runs in a goroutine and reports back.
func (l *Link) do(ctx context.Context, e Effect) {
	switch e := e.(type) {
	case Dial:
		l.hangUp(0)
		l.stream = l.dial(l.streams, e)
	case Send:
		l.stream.queue(e.Frame)
	case Hangup:
		l.o.Logger.Info("uplink hangs up", "err", e.Reason)
		l.hangUp(0)
	case Fetch:
		l.orderCatalogue(e.Version)
	case Answer:
		l.answered(e.Got)
	case Sample:
		l.o.Floor.SampleClock(e.CloudMS)
	case Recover:
		l.background(ctx, func() Input {
			return Recovered{Attempt: e.Attempt, Err: l.recover(ctx, e.Welcome)}
		})
	default:
		l.ask(ctx, e)
	}
}

// recover lets the store come back over a connection of its own.
func (l *Link) recover(ctx context.Context, w *uplinkv1.Welcome) error {
	l.o.Logger.Warn("the store has to recover", "err", w.GetMode().String())
	remote, err := OpenRemote(l.o.Address, l.o.Identity)
	if err == nil {
		err = errors.Join(l.o.Floor.Recover(ctx, w, remote), remote.Close())
	}
	if err != nil && ctx.Err() == nil {
		l.o.Logger.Error("recover", "err", err)
	}
	return err
}

// ask carries out what the floor is asked.
func (l *Link) ask(ctx context.Context, e Effect) {
	f := l.o.Floor
	switch e := e.(type) {
	case Greet:
		l.background(ctx, func() Input {
			return Greeted{Attempt: e.Attempt, Err: f.Welcome(ctx, e.Welcome)}
		})
	case Read:
		l.background(ctx, func() Input {
			entries, err := f.Entries(ctx, e.From, e.MaxEntries, e.MaxBytes)
			return ReadBack{Attempt: e.Attempt, From: e.From, Entries: entries, Err: err}
		})
	case Apply:
		l.background(ctx, func() Input {
			d := e.Directives
			applied, err := f.ApplyDirectives(ctx, d.GetFrom(), d.GetPrevHash(), d.GetDirectives())
			return Applied{Attempt: e.Attempt, Directive: applied, Err: err}
		})
	case Grant:
		l.background(ctx, func() Input {
			got, err := f.GrantUpTo(ctx, e.Wants)
			l.grumble("grant on demand", err)
			return Granted{Attempt: e.Attempt, Got: got, Err: err}
		})
	case Acknowledge:
		l.background(ctx, func() Input {
			l.grumble("note acknowledged records", f.Acked(ctx, e.Seq))
			return Acknowledged{}
		})
	default:
		panic(fmt.Sprintf("uplink: unknown effect %T", e))
	}
}

// grumble logs a fault that the session survives.
func (l *Link) grumble(what string, err error) {
	if _, refused := stock.AsRefusal(err); err != nil && !refused {
		l.o.Logger.Warn(what, "err", err)
	}
}

func (l *Link) background(ctx context.Context, f func() Input) {
	l.work.Go(func() { l.deliver(ctx, f()) })
}

// deliver hands an input to the loop, unless ctx ends first.
func (l *Link) deliver(ctx context.Context, in Input) {
	select {
	case l.events <- in:
	case <-ctx.Done():
	}
}

// hangUp ends the current stream, after its last frames or this time.
func (l *Link) hangUp(patience time.Duration) {
	if l.stream != nil {
		l.stream.end(patience)
		l.stream = nil
	}
}
