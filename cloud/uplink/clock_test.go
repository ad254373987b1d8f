package uplink_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"holdfast.dev/cloud/uplink"
	"holdfast.dev/internal/identity"
	nodeuplink "holdfast.dev/node/uplink"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

// wire is a listener at the end of pipes that can be cut or go silent.
type wire struct {
	calls  chan net.Conn
	closed chan struct{}
	hushes atomic.Int64 // the connections of before are silent for good
	broken atomic.Bool  // nobody listens

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
}

// cut ends all connections, and takes new ones once it is mended.
func (w *wire) cut() {
	w.broken.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.calls:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error {
	close(w.closed)
	return nil
}

func (w *wire) Addr() net.Addr { return &net.UnixAddr{Name: "wire"} }

func (w *wire) dial(ctx context.Context, _ string) (net.Conn, error) {
	if w.broken.Load() {
		return nil, net.ErrClosed
	}
	near, far := net.Pipe()
	w.mu.Lock()
	w.conns = append(w.conns, near, far)
	w.mu.Unlock()
	select {
	case w.calls <- newEnd(far, w):
		return newEnd(near, w), nil
	case <-w.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hush lets all bytes of the present connections vanish, and tells nobody.
func (w *wire) hush() {
	w.broken.Store(true)
	w.hushes.Add(1)
}

// end is one end of a pipe.
type end struct {
	net.Conn
	wire   *wire
	born   int64 // after so many hushes
	closed chan struct{}
	close  func()
}

func newEnd(conn net.Conn, w *wire) *end {
	e := &end{Conn: conn, wire: w, born: w.hushes.Load(), closed: make(chan struct{})}
	e.close = sync.OnceFunc(func() { close(e.closed) })
	return e
}

func (e *end) hushed() bool { return e.born != e.wire.hushes.Load() }

func (e *end) Write(b []byte) (int, error) {
	if e.hushed() {
		return len(b), nil
	}
	return e.Conn.Write(b)
}

// Read does not hear on a silent line that the other end was closed.
func (e *end) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if errors.Is(err, io.EOF) && e.hushed() {
		<-e.closed
	}
	return n, err
}

func (e *end) Close() error {
	e.close()
	return e.Conn.Close()
}

// paperOffice keeps of one store what a session needs, in memory.
type paperOffice struct {
	uplink.Office // is not asked for more

	mu sync.Mutex
	at uplink.Standing // guarded by mu
}

func (o *paperOffice) Propose(_ context.Context, c *recordv1.Command) (*recordv1.Result, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if open := c.GetOpenSession(); open != nil {
		o.at.Session++
		return &recordv1.Result{Body: &recordv1.Result_Session{Session: &recordv1.SessionResult{
			Session: o.at.Session, Epoch: open.GetHello().GetEpoch(), Timeline: 1,
			Mode: recordv1.SessionMode_SESSION_MODE_NORMAL, ResumeFrom: o.at.Applied + 1,
			DirectivesFrom: 1}}}, nil
	}
	if b := c.GetApplyBatch(); b != nil {
		o.at.Applied = b.GetFrom() + uint64(len(b.GetRecords())) - 1
		return &recordv1.Result{Body: &recordv1.Result_Batch{
			Batch: &recordv1.BatchResult{Applied: o.at.Applied}}}, nil
	}
	return &recordv1.Result{}, nil
}

func (o *paperOffice) Look(context.Context, stock.StoreID, []stock.SKU) (uplink.Standing, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.at, nil
}

func (o *paperOffice) Watch(stock.StoreID) <-chan struct{} { return nil }

// line is a store's link and the cloud's server at both ends of a wire: nothing
// but the wire and the office are not the product's.
type line struct {
	wire   *wire
	office *paperOffice
	server *uplink.Server
	node   *node
}

// lay connects a store that has three records.
func lay(t *testing.T) *line {
	ca, err := identity.OpenCA(t.TempDir())
	must(t, err)
	l := &line{wire: &wire{calls: make(chan net.Conn), closed: make(chan struct{})}, node: boxOf(t, ca)}
	l.office = &paperOffice{at: uplink.Standing{Node: l.node.floor.node, Epoch: l.node.id.Peer().Epoch,
		Timeline: 1}}
	l.server = uplink.NewServer(uplink.Options{Office: l.office, CA: ca, Member: "m1",
		Logger: slog.New(slog.DiscardHandler)})
	serveOn(t, l.wire, l.server, ca)
	l.node.floor.receive(1, 3)
	l.node.start(t, "cloud:1", func(o *nodeuplink.Options) {
		o.Dial, o.Backoff = l.wire.dial, nodeuplink.Backoff{}
	})
	l.node.reaches(t, nodeuplink.Online)
	return l
}

// noticed waits until both ends know that they are apart.
func (l *line) noticed(t *testing.T) {
	l.node.reaches(t, nodeuplink.Offline)
	eventually(t, l.server.Watch, func() bool { on, _ := l.server.Connected(store); return !on })
}

func TestADeadSocketIsNoticedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lay(t)
		time.Sleep(time.Hour)
		began := time.Now()
		l.wire.cut()
		l.noticed(t)
		if took := time.Since(began); took > 10*time.Millisecond {
			t.Errorf("both know after %s", took)
		}
		l.wire.broken.Store(false)
		l.node.reaches(t, nodeuplink.Online)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("back after %s", took)
		}
	})
}

func TestASilentLineIsNoticedByBothSidesIn13Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lay(t)
		time.Sleep(10 * time.Minute) // a line that is quiet is not dead
		if on, _ := l.server.Connected(store); !on || l.office.standing() != [2]uint64{1, 3} {
			t.Errorf("after ten quiet minutes: %t, session and record %d", on, l.office.standing())
		}
		l.wire.hush()
		began := time.Now()
		l.noticed(t)
		if took := time.Since(began); took > 13*time.Second {
			t.Errorf("both know after %s", took)
		}
		if seen := l.server.LastSeen(store); seen.After(began) || began.Sub(seen) > 5*time.Second {
			t.Errorf("last seen %s before the silence", began.Sub(seen))
		}
		l.node.floor.receive(1, 2)
		l.wire.broken.Store(false)
		l.node.reaches(t, nodeuplink.Online)
		time.Sleep(time.Second)
		if got := l.office.standing(); got != [2]uint64{2, 5} {
			t.Errorf("session and record %d after the silence", got)
		}
	})
}

// standing is the newest session, and the last record that is applied.
func (o *paperOffice) standing() [2]uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return [2]uint64{o.at.Session, o.at.Applied}
}

// boxOf is a box that a cloud's authority has certified.
func boxOf(t *testing.T, ca *identity.CA) *node {
	id, err := identity.OpenNodeKey(t.TempDir())
	must(t, err)
	cert, err := ca.SignNode(id.CSR(), id.ID(), store, stock.Epoch{Timeline: 1, Counter: 1},
		identity.NodeCertTTL)
	must(t, err)
	must(t, id.Enrol(identity.NewJoin(ca.Pin(), "cloud:1", store), ca.Certificate(), cert))
	return &node{id: id, floor: newFloor(t, id), shelf: newShelf()}
}

func serveOn(t *testing.T, w *wire, server *uplink.Server, ca *identity.CA) {
	g := grpc.NewServer(uplink.ServerOptions(ca.ServerTLS())...)
	server.Register(g)
	served := make(chan error, 1)
	go func() { served <- g.Serve(w) }()
	t.Cleanup(func() {
		server.Drain(context.Background(), time.Millisecond)
		g.Stop()
		must(t, <-served)
	})
}
