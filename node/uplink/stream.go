package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
)

const (
	capVersion    = 1 // of the session's frames
	maxMessage    = 1 << 20
	maxHeaders    = 16 << 10
	connectWait   = 5 * time.Second
	keepaliveTime = 10 * time.Second // with the wait: a silent line is found within 13 s
	keepaliveWait = 3 * time.Second
)

// stream is one attempt: a connection, and the session's stream on it.
type stream struct {
	link *Link
	ctx  context.Context
	stop context.CancelFunc
	conn *grpc.ClientConn // guarded by mu
	mu   sync.Mutex
	send chan *uplinkv1.NodeFrame
	over chan struct{} // closed when nothing is sent any more
}

// connect prepares a connection; it is made by its first call. Several addresses,
// with commas, are those of processes that serve alike: any that answers is used,
// and the load spreads because every connection begins with another one.
func connect(address string, config *tls.Config, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	several := manual.NewBuilderWithScheme("cloud")
	all := strings.Split(address, ",")
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	state := resolver.State{Addresses: make([]resolver.Address, len(all))}
	for i, one := range all {
		state.Addresses[i].Addr = strings.TrimSpace(one)
	}
	several.InitialState(state)
	options := append(more, grpc.WithResolvers(several),
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: connectWait}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: keepaliveWait, PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy())
	conn, err := grpc.NewClient(several.Scheme()+":///nodes", options...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return conn, nil
}

// dial starts an attempt.
func (l *Link) dial(ctx context.Context, e Dial) *stream {
	s := &stream{link: l, send: make(chan *uplinkv1.NodeFrame, maxSending), over: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(ctx)
	l.work.Go(func() {
		defer close(s.over)
		l.deliver(s.ctx, Lost{Attempt: e.Attempt, Err: refusalIn(s.run(e))})
	})
	return s
}

// run opens the stream, then sends what is queued until the stream ends.
func (s *stream) run(e Dial) error {
	var way []grpc.DialOption
	if dial := s.link.o.Dial; dial != nil {
		way = append(way, grpc.WithContextDialer(dial))
	}
	conn, err := connect(e.Address, s.link.o.Identity.ClientTLS(), way...)
	if err != nil {
		return err
	}
	defer conn.Close()
	rpc, err := uplinkv1.NewUplinkClient(conn).Session(s.ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	hello, err := s.link.hello(s.ctx)
	if err != nil {
		return fmt.Errorf("prepare hello: %w", err)
	}
	s.link.deliver(s.ctx, Dialed{Attempt: e.Attempt, Hello: hello})
	broken := make(chan error, 1)
	s.link.work.Go(func() { broken <- s.receive(rpc, e.Attempt) })
	for {
		select {
		case err := <-broken:
			return err
		case f, more := <-s.send:
			if !more { // closing the connection now could drop the last frame
				return errors.Join(rpc.CloseSend(), <-broken)
			}
			if rpc.Send(f) != nil {
				return <-broken // the reason is what receive learns
			}
		}
	}
}

// hello is the store's, with what only the uplink knows.
func (l *Link) hello(ctx context.Context) (*recordv1.Hello, error) {
	h, err := l.o.Floor.Hello(ctx)
	if err != nil {
		return nil, err
	}
	h.CapVersion, h.CapMin = capVersion, capVersion
	if l.o.Catalogue != nil {
		h.CatalogueVersion, err = l.o.Catalogue.Version(ctx)
	}
	return h, err
}

func (s *stream) receive(rpc grpc.BidiStreamingClient[uplinkv1.NodeFrame, uplinkv1.CloudFrame],
	attempt uint64,
) error {
	for {
		frame, err := rpc.Recv()
		if err != nil {
			return err
		}
		s.link.deliver(s.ctx, Received{Attempt: attempt, Frame: frame})
	}
}

// queue takes a frame to be sent. When there are too many the peer does not
// read, and the attempt ends.
func (s *stream) queue(f *uplinkv1.NodeFrame) {
	select {
	case s.send <- f:
	default:
		s.stop()
	}
}

// end says goodbye if there is patience for it, and ends the attempt.
func (s *stream) end(patience time.Duration) {
	if patience > 0 {
		s.queue(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Bye{
			Bye: &uplinkv1.Bye{Reason: "the node stops"}}})
		close(s.send)
		select {
		case <-s.over:
		case <-time.After(patience):
		}
	}
	s.stop()
}

// connection returns the attempt's connection while it works.
func (s *stream) connection() *grpc.ClientConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil || s.conn.GetState() != connectivity.Ready {
		return nil
	}
	return s.conn
}
