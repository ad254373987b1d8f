package uplink

import (
	"context"
	"crypto/tls"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"holdfast.dev/internal/identity"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const (
	maxMessage    = 1 << 20
	maxHeaders    = 16 << 10
	maxStreams    = 32 // of one node
	helloRate     = 200
	maxNodeAge    = 24 * time.Hour
	maxNodeGrace  = time.Minute
	keepaliveTime = 10 * time.Second
	keepaliveWait = 3 * time.Second
	enforceTime   = 5 * time.Second

	// nodeBuffer is what a connection reads and writes at once. Most say nothing
	// at most times, and there are thousands.
	nodeBuffer = 4 << 10
)

// Office is what the uplink needs of the cloud's state machine. A refusal of
// any of its methods is a *stock.Refusal.
type Office interface {
	// Propose returns what a command led to once it is durable and applied.
	Propose(ctx context.Context, c *recordv1.Command) (*recordv1.Result, error)
	// Look reads how a store stands, with the pools of these SKUs.
	Look(ctx context.Context, store stock.StoreID, skus []stock.SKU) (Standing, error)
	// Directives reads stored directives of a store, from a number on.
	Directives(ctx context.Context, store stock.StoreID, read ReadDirectives) (Chain, error)
	// Snapshot writes the cloud's copy of a store's books down.
	Snapshot(ctx context.Context, store stock.StoreID) (Copy, error)
	// Records reads a store's own records after a number.
	Records(ctx context.Context, store stock.StoreID, after uint64, most int) (Chain, error)
	// WasNode tells whether a box is, or was, a store's node.
	WasNode(ctx context.Context, store stock.StoreID, node []byte) (bool, error)
	// Products reads products that changed after a catalogue version, by SKU.
	Products(ctx context.Context, after Place, most int) (Page, error)
	// NodeStore names the store that a node stands in; zero if in none.
	NodeStore(ctx context.Context, node []byte) (stock.StoreID, error)
	// Watch returns a channel that is closed at the next change of the store;
	// of store zero, at the next change that concerns all stores.
	Watch(store stock.StoreID) <-chan struct{}
}

// Place is where reading the catalogue goes on: changed after Version, SKU
// number above SKU.
type Place struct {
	Version uint64
	SKU     stock.SKU
}

// Page is a part of the catalogue.
type Page struct {
	Products []*recordv1.Product
	Version  uint64 // of the catalogue
	Total    uint64 // products that changed after the version asked for
}

// Copy is the cloud's copy of a store's books, as of a record.
type Copy struct {
	At    journal.Position
	Parts []*recordv1.Checkpoint
}

// Options are what a Server needs.
type Options struct {
	Office    Office
	CA        *identity.CA
	Logger    *slog.Logger
	Member    string        // this cloud process, for its peers
	DeadAfter time.Duration // silence after which a node counts as dead; default 13 s
	Flush     time.Duration // how long ordinary records may wait in a node; default 200 ms
	HelloRate int           // sessions a second that are admitted; default 200
	CertTTL   time.Duration // of nodes' certificates; default identity.NodeCertTTL
}

// Server serves the nodes. Its methods may be called from any goroutine.
type Server struct {
	uplinkv1.UnimplementedUplinkServer
	o      Options
	admit  *rate.Limiter
	random func(n int64) int64

	mu      sync.Mutex
	links   map[stock.StoreID]*link // open sessions; guarded by mu
	seen    map[stock.StoreID]*sighting
	changed chan struct{} // closed when a session opens or ends; guarded by mu
	next    time.Time     // the last turn of a node that was turned away; guarded by mu
	leaving time.Duration // above zero: this member is about to stop; guarded by mu
	running sync.WaitGroup
}

// sighting is when a store was last heard, and since when it is as it is.
type sighting struct {
	at        time.Time
	connected bool
	since     time.Time
}

// NewServer returns a server that no listener serves yet; see Register.
func NewServer(o Options) *Server {
	if o.HelloRate <= 0 {
		o.HelloRate = helloRate
	}
	if o.CertTTL <= 0 {
		o.CertTTL = identity.NodeCertTTL
	}
	return &Server{
		o: o, admit: rate.NewLimiter(rate.Limit(o.HelloRate), 2*o.HelloRate), random: rand.Int64N,
		links: make(map[stock.StoreID]*link), seen: make(map[stock.StoreID]*sighting),
		changed: make(chan struct{}),
	}
}

// Register adds the service to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) { uplinkv1.RegisterUplinkServer(r, s) }

// ServerOptions returns the settings of the node listener: bounds on what a
// node may send, and keepalives that find a silent node within 13 seconds.
func ServerOptions(config *tls.Config) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(credentials.NewTLS(config)),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ReadBufferSize(nodeBuffer), grpc.WriteBufferSize(nodeBuffer),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: enforceTime, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: keepaliveTime, Timeout: keepaliveWait,
			MaxConnectionAge: maxNodeAge, MaxConnectionAgeGrace: maxNodeGrace}),
	}
}

// Connected tells whether a store has an open session at this member, and
// since when that is so; zero if it was never heard here.
func (s *Server) Connected(store stock.StoreID) (bool, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.seen[store]; ok {
		return g.connected, g.since
	}
	return false, time.Time{}
}

// LastSeen returns when a store was last heard at this member; zero if never.
func (s *Server) LastSeen(store stock.StoreID) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.seen[store]; ok {
		return g.at
	}
	return time.Time{}
}

// Watch returns a channel that is closed when a session next opens or ends.
func (s *Server) Watch() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Drain asks the nodes to come back within a time, and waits until their
// sessions have ended or ctx has. New sessions are turned away. Stop the gRPC
// server after it.
func (s *Server) Drain(ctx context.Context, within time.Duration) {
	s.mu.Lock()
	s.leaving = max(within, time.Millisecond)
	for _, l := range s.links {
		l.post(Leaving{Within: s.leaving})
	}
	s.mu.Unlock()
	over := make(chan struct{})
	go func() {
		s.running.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// opened makes l the store's link, unless a newer session was faster; the older
// of the two is superseded.
func (s *Server) opened(l *link, session uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.number = session
	if old := s.links[l.store]; old != nil {
		if old.number > session {
			l.post(Superseded{})
			return
		}
		old.post(Superseded{})
	}
	s.links[l.store] = l
	now := time.Now()
	s.seen[l.store] = &sighting{at: now, connected: true, since: now}
	s.announce()
	if s.leaving > 0 {
		l.post(Leaving{Within: s.leaving})
	}
}

// ended forgets l, unless a newer link has taken its place.
func (s *Server) ended(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links[l.store] != l {
		return
	}
	delete(s.links, l.store)
	if g := s.seen[l.store]; g.connected {
		g.connected, g.since = false, time.Now()
	}
	s.announce()
}

// heard notes that a store's open link brought a frame.
func (s *Server) heard(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links[l.store] == l {
		s.seen[l.store].at = time.Now()
	}
}

// announce needs mu.
func (s *Server) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) link(store stock.StoreID) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[store]
}
