package uplink

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"holdfast.dev/internal/identity"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const patience = time.Minute // of the bubble's clock

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// socket is where a cloud listens: a node's connection is a pipe.
type socket struct {
	calls  chan net.Conn
	closed chan struct{}
	close  func()
}

func newSocket() *socket {
	s := &socket{calls: make(chan net.Conn), closed: make(chan struct{})}
	s.close = sync.OnceFunc(func() { close(s.closed) })
	return s
}

func (s *socket) Accept() (net.Conn, error) {
	select {
	case c := <-s.calls:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *socket) Close() error {
	s.close()
	return nil
}

func (s *socket) Addr() net.Addr { return address{} }

// address is that of the cloud's process that answers.
type address struct{}

func (address) Network() string { return "pipe" }
func (address) String() string  { return "cloud:1" }

var errRefused = errors.New("nobody listens there")

// dial connects a node with the one address that answers.
func (c *fakeCloud) dial(s *socket) Dialer {
	return func(ctx context.Context, to string) (net.Conn, error) {
		if now := time.Now().UnixNano(); c.last.Swap(now) != now {
			c.dialled.Add(1)
		}
		if to != s.Addr().String() || c.down.Load() {
			return nil, errRefused
		}
		near, far := net.Pipe()
		select {
		case s.calls <- far:
			return &line{near, c, c.deaths.Load()}, nil
		case <-s.closed:
			return nil, errRefused
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// line is a node's end of a connection. After a death of the cloud's lines
// nothing comes through it any more, and nobody is told.
type line struct {
	net.Conn
	cloud *fakeCloud
	born  int64 // after so many deaths
}

func (l *line) dead() bool { return l.born != l.cloud.deaths.Load() }

func (l *line) Read(b []byte) (int, error) {
	for {
		n, err := l.Conn.Read(b)
		if err != nil || !l.dead() {
			return n, err
		}
	}
}

func (l *line) Write(b []byte) (int, error) {
	if l.dead() {
		return len(b), nil
	}
	return l.Conn.Write(b)
}

type session = grpc.BidiStreamingServer[uplinkv1.NodeFrame, uplinkv1.CloudFrame]

// fakeCloud serves what a test says.
type fakeCloud struct {
	uplinkv1.UnimplementedUplinkServer
	beside    string       // addresses of the cloud's other processes, with commas
	down      atomic.Bool  // nobody listens
	deaths    atomic.Int64 // of all lines that there were
	dialled   atomic.Int64 // how often a node tried to connect; at one moment is once
	last      atomic.Int64 // when it did
	session   func(session) error
	catalogue func(*uplinkv1.CatalogueRequest, grpc.ServerStreamingServer[uplinkv1.CatalogueChunk]) error
}

func (c *fakeCloud) Session(s session) error { return c.session(s) }

func (c *fakeCloud) Catalogue(
	r *uplinkv1.CatalogueRequest, s grpc.ServerStreamingServer[uplinkv1.CatalogueChunk],
) error {
	return c.catalogue(r, s)
}

// run starts the cloud and a node's link to it.
func (c *fakeCloud) run(t *testing.T, products Catalogue) (l *Link, stop func()) {
	t.Helper()
	ca, err := identity.OpenCA(t.TempDir())
	must(t, err)
	listener := newSocket()
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(ca.ServerTLS())),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveTime / 2}))
	uplinkv1.RegisterUplinkServer(g, c)
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	id, err := identity.OpenNodeKey(t.TempDir())
	must(t, err)
	cert, err := ca.SignNode(id.CSR(), id.ID(), 7, stock.Epoch{Timeline: 1, Counter: 1},
		identity.NodeCertTTL)
	must(t, err)
	join := identity.NewJoin(ca.Pin(), strings.Trim(c.beside+","+listener.Addr().String(), ","), 7)
	must(t, id.Enrol(join, ca.Certificate(), cert))
	l = New(Options{Identity: id, Floor: emptyFloor{id}, Catalogue: products,
		Logger: slog.New(slog.DiscardHandler), Dial: c.dial(listener)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		must(t, <-done)
	})
	t.Cleanup(func() {
		stop()
		g.Stop()
		must(t, <-served)
	})
	return l, stop
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l *Link) reach(t *testing.T, ok func(State) bool) {
	t.Helper()
	late := time.After(patience)
	for {
		next := l.Watch()
		if ok(l.State()) {
			return
		}
		select {
		case <-next:
		case <-late:
			t.Fatalf("stays %+v", l.State())
		}
	}
}

func online(s State) bool { return s.Phase == Online }

// welcome takes the hello and opens the session.
func welcome(s session, catalogue uint64) (*recordv1.Hello, error) {
	first, err := s.Recv()
	if err != nil {
		return nil, err
	}
	return first.GetHello(), s.Send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Welcome{
		Welcome: &uplinkv1.Welcome{Session: 1, Timeline: 1, ResumeFrom: 1, DirectivesFrom: 1,
			CreditBytes: 1000, CatalogueVersion: catalogue}}})
}

// emptyFloor is a store where nothing has happened yet.
type emptyFloor struct{ id *identity.NodeIdentity }

func (f emptyFloor) Hello(context.Context) (*recordv1.Hello, error) {
	node, err := hex.DecodeString(string(f.id.ID()))
	return &recordv1.Hello{Store: 7, NodeId: node, Timeline: 1}, err
}
func (emptyFloor) Welcome(context.Context, *uplinkv1.Welcome) error { return nil }

func (emptyFloor) Recover(context.Context, *uplinkv1.Welcome, *Remote) error { return nil }

func (emptyFloor) SampleClock(int64) {}
func (emptyFloor) Entries(context.Context, uint64, int, int) ([]journal.Entry, error) {
	return nil, errors.New("nothing to read")
}
func (emptyFloor) Head() journal.Position         { return journal.Position{} }
func (emptyFloor) Changed(uint64) <-chan struct{} { return nil }
func (emptyFloor) ApplyDirectives(context.Context, uint64, []byte, [][]byte) (uint64, error) {
	return 0, nil
}
func (emptyFloor) GrantUpTo(context.Context, []*uplinkv1.Want) ([]*uplinkv1.Got, error) {
	return nil, nil
}
func (emptyFloor) Acked(context.Context, uint64) error { return nil }

// memory is a catalogue in memory.
type memory struct {
	mu       sync.Mutex
	version  uint64
	skus     []uint32
	finished chan uint64
}

func (m *memory) Version(context.Context) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.version, nil
}

func (m *memory) Apply(_ context.Context, products []*recordv1.Product) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range products {
		m.skus = append(m.skus, p.GetSku())
	}
	return nil
}

func (m *memory) Finish(_ context.Context, version uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version = version
	m.finished <- version
	return nil
}

func TestNodeThatStopsSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := make(chan *uplinkv1.NodeFrame, 1)
		hello := make(chan *recordv1.Hello, 1)
		cloud := &fakeCloud{session: func(s session) error {
			h, err := welcome(s, 0)
			hello <- h
			var f *uplinkv1.NodeFrame
			for err == nil {
				var next *uplinkv1.NodeFrame
				if next, err = s.Recv(); err == nil {
					f = next
				}
			}
			last <- f
			return nil
		}}
		l, stop := cloud.run(t, &memory{version: 4})
		l.reach(t, online)
		stop()
		if f := <-last; f.GetBye() == nil {
			t.Errorf("last frame is %v", f)
		}
		if h := <-hello; h.GetCapVersion() != capVersion || h.GetCatalogueVersion() != 4 {
			t.Errorf("hello is %v", h)
		}
	})
}

func TestNodeFindsTheProcessThatAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 4 { // each connection begins with another address
			cloud := &fakeCloud{beside: "cloud:2,cloud:3", session: listen}
			l, stop := cloud.run(t, &memory{})
			l.reach(t, online)
			stop()
		}
	})
}

// listen is a session in which the cloud listens, and shows that it is there.
func listen(s session) error {
	_, err := welcome(s, 0)
	for err == nil {
		var f *uplinkv1.NodeFrame
		if f, err = s.Recv(); f.GetPing() != nil {
			err = s.Send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_Pong{Pong: &uplinkv1.Pong{}}})
		}
	}
	return nil
}

func TestALineThatDiesWithoutAWordIsNoticedIn13Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := &fakeCloud{session: listen}
		l, _ := cloud.run(t, nil)
		l.reach(t, online)
		time.Sleep(time.Hour) // a line that is quiet is not dead
		if s := l.State(); s.Phase != Online || cloud.dialled.Load() != 1 {
			t.Errorf("after a quiet hour: %+v, dialled %d times", s, cloud.dialled.Load())
		}
		cloud.deaths.Add(1)
		died := time.Now()
		l.reach(t, func(s State) bool { return s.Phase == Offline })
		if took := time.Since(died); took > 13*time.Second {
			t.Errorf("noticed after %s", took)
		}
		l.reach(t, online)
	})
}

func TestANodeTriesOnWhileNobodyListensAndIsSoonBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := &fakeCloud{session: listen}
		cloud.down.Store(true)
		l, _ := cloud.run(t, nil)
		time.Sleep(time.Hour)
		if s, n := l.State(), cloud.dialled.Load(); s.Phase != Offline || n < 60 || n > 300 {
			t.Errorf("after an hour: %+v, dialled %d times", s, n)
		}
		cloud.down.Store(false)
		began := time.Now()
		l.reach(t, online)
		if took := time.Since(began); took > time.Minute+time.Second {
			t.Errorf("back after %s", took)
		}
	})
}

func TestTillHearsWhatTheCloudSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var total int64 = 5
		cloud := &fakeCloud{session: func(s session) error {
			_, err := welcome(s, 0)
			for err == nil {
				var f *uplinkv1.NodeFrame
				if f, err = s.Recv(); f.GetAskReturn() == nil {
					continue
				}
				w := f.GetAskReturn().GetWants()[0]
				if w.GetTarget() == 99 {
					continue // this one is lost
				}
				err = s.Send(&uplinkv1.CloudFrame{Frame: &uplinkv1.CloudFrame_ReturnAnswer{
					ReturnAnswer: &uplinkv1.ReturnAnswer{Got: []*uplinkv1.Got{
						{Request: []byte("somebody else's!"), Sku: 1, Total: 99},
						{Request: w.GetRequest(), Sku: 1, Total: total}}}}})
			}
			return nil
		}}
		l, stop := cloud.run(t, nil)
		l.reach(t, online)
		ask := func(ctx context.Context, target int64) error {
			return l.AskReturn(ctx, []*uplinkv1.Want{{Sku: 1, Target: target, Timeline: 1}})
		}
		must(t, ask(t.Context(), 5))
		if err := ask(t.Context(), 6); !stock.Refused(err, stock.Short) {
			t.Errorf("a no is %v, want SHORT", err)
		}
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := ask(short, 99); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no answer is %v", err)
		}
		stop()
		l = New(l.o)
		if err := ask(t.Context(), 5); !stock.Refused(err, stock.Offline) {
			t.Errorf("without a session it is %v, want OFFLINE", err)
		}
	})
}

func TestRefusalOfTheCloudIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := &fakeCloud{session: func(session) error {
			st, err := status.New(codes.PermissionDenied, "no").WithDetails(
				&errdetails.ErrorInfo{Reason: "NOT_TRUSTED", Domain: "holdfast.dev"})
			if err != nil {
				return err
			}
			return st.Err()
		}}
		l, _ := cloud.run(t, nil)
		l.reach(t, func(s State) bool { return s.Phase == Offline && s.Refused == "NOT_TRUSTED" })
	})
}

func TestCatalogueGoesOnWhereItBroke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan *uplinkv1.CatalogueRequest, 8)
		sessions := 0
		cloud := &fakeCloud{
			session: func(s session) error {
				sessions++
				if sessions > 1 {
					_, err := welcome(s, 12)
					<-s.Context().Done()
					return err
				}
				if _, err := welcome(s, 9); err != nil {
					return err
				}
				<-asked // the first fetch is under way: end the session, and with it the fetch
				<-asked
				return nil
			},
			catalogue: func(
				r *uplinkv1.CatalogueRequest, s grpc.ServerStreamingServer[uplinkv1.CatalogueChunk],
			) error {
				asked <- r
				if r.GetAfterVersion() == 9 {
					return s.Send(&uplinkv1.CatalogueChunk{Version: 12, Total: 1,
						Products: []*recordv1.Product{{Sku: 1}}})
				}
				if r.GetAfterSku() == 0 {
					err := s.Send(&uplinkv1.CatalogueChunk{Version: 9, Total: 2,
						Products: []*recordv1.Product{{Sku: 3}}})
					asked <- r
					<-s.Context().Done()
					return err
				}
				return s.Send(&uplinkv1.CatalogueChunk{Version: 12, Total: 2,
					Products: []*recordv1.Product{{Sku: 4}}})
			},
		}
		products := &memory{finished: make(chan uint64, 1)}
		cloud.run(t, products)
		// What changed between 9 and 12 below SKU 3 is fetched after the rest.
		for _, want := range []uint64{9, 12} {
			select {
			case v := <-products.finished:
				if v != want {
					t.Errorf("finished with version %d, want %d", v, want)
				}
			case <-time.After(patience):
				t.Fatal("the catalogue did not come")
			}
		}
		if diff := cmp.Diff([]uint32{3, 4, 1}, products.skus); diff != "" {
			t.Errorf("products -want +got\n%s", diff)
		}
	})
}
