package uplink

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"holdfast.dev/internal/identity"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const patience = 20 * time.Second // for what should take milliseconds

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type session = grpc.BidiStreamingServer[uplinkv1.NodeFrame, uplinkv1.CloudFrame]

// fakeCloud serves what a test says.
type fakeCloud struct {
	uplinkv1.UnimplementedUplinkServer
	beside    string // addresses of the cloud's other processes, with commas
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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(ca.ServerTLS())))
	uplinkv1.RegisterUplinkServer(g, c)
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	id, err := identity.OpenNodeKey(t.TempDir())
	must(t, err)
	cert, err := ca.SignNode(id.CSR(), id.ID(), 7, stock.Epoch{Timeline: 1, Counter: 1}, time.Hour)
	must(t, err)
	join := identity.NewJoin(ca.Pin(), strings.Trim(c.beside+","+listener.Addr().String(), ","), 7)
	must(t, id.Enrol(join, ca.Certificate(), cert))
	l = New(Options{Identity: id, Floor: emptyFloor{id}, Catalogue: products,
		Logger: slog.New(slog.DiscardHandler), Backoff: Backoff{Base: time.Millisecond, Cap: 20 * time.Millisecond}})
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
}

func TestNodeFindsTheProcessThatAnswers(t *testing.T) {
	for range 4 { // each connection begins with another address
		dead, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		must(t, dead.Close())
		cloud := &fakeCloud{beside: dead.Addr().String() + ",127.0.0.1:1", session: func(s session) error {
			_, err := welcome(s, 0)
			for err == nil {
				_, err = s.Recv()
			}
			return nil
		}}
		l, stop := cloud.run(t, &memory{})
		l.reach(t, online)
		stop()
	}
}

func TestTillHearsWhatTheCloudSays(t *testing.T) {
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
}

func TestRefusalOfTheCloudIsShown(t *testing.T) {
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
}

func TestCatalogueGoesOnWhereItBroke(t *testing.T) {
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
}
