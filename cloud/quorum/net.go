package quorum

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Net carries connections between members. Whoever it accepts is trusted.
type Net interface {
	// Accept waits for the next connection.
	Accept() (net.Conn, error)
	// Dial connects to the member at an address.
	Dial(ctx context.Context, addr string) (net.Conn, error)
	// Addr is where other members dial this one.
	Addr() string
	// Close ends Accept.
	Close() error
}

// TLS is a Net with mutual TLS: both configurations must demand and verify the
// other member's certificate. Others dial this member at addr.
func TLS(l net.Listener, addr string, server, client *tls.Config) Net {
	return &tlsNet{Listener: tls.NewListener(l, server), addr: addr, client: client}
}

type tlsNet struct {
	net.Listener
	addr   string
	client *tls.Config
}

func (n *tlsNet) Addr() string { return n.addr }

func (n *tlsNet) Dial(ctx context.Context, addr string) (net.Conn, error) {
	return (&tls.Dialer{Config: n.client}).DialContext(ctx, "tcp", addr)
}

// One port serves two protocols; the first byte says which.
const (
	greetRaft = 'R'
	greetPeer = 'P'

	greetWithin = 5 * time.Second // for the handshake of TLS and the first byte
	dialWithin  = 2 * time.Second
	maxGreeting = 64  // connections that have not said which protocol
	maxConns    = 256 // connections of other members
)

var errNetClosed = errors.New("network is closed")

// hub sorts connections by protocol and ends them all at once.
type hub struct {
	net  Net
	raft chan net.Conn       // accepted, for raft
	peer func(conn net.Conn) // serves one connection
	done chan struct{}       // closed when the hub was cut
	tell func(err error)     // of a connection that was refused
	wait sync.WaitGroup

	mu    sync.Mutex
	cut   bool                  // guarded by mu
	conns map[*hubConn]struct{} // guarded by mu
}

func newHub(n Net, peer func(net.Conn), tell func(error)) *hub {
	h := &hub{net: n, peer: peer, tell: tell, raft: make(chan net.Conn), done: make(chan struct{}),
		conns: make(map[*hubConn]struct{})}
	h.wait.Go(h.accept)
	return h
}

func (h *hub) accept() {
	greeting := make(chan struct{}, maxGreeting)
	for {
		raw, err := h.net.Accept()
		if err != nil {
			select {
			case <-h.done:
				return
			case <-time.After(10 * time.Millisecond): // out of descriptors, perhaps
				continue
			}
		}
		conn := h.track(raw)
		if conn == nil {
			continue
		}
		select {
		case greeting <- struct{}{}:
		case <-h.done:
			return
		}
		h.wait.Go(func() { h.greet(conn, greeting) })
	}
}

// greet reads which protocol the other side wants.
func (h *hub) greet(conn *hubConn, greeting chan struct{}) {
	var first [1]byte
	conn.SetDeadline(time.Now().Add(greetWithin))
	_, err := conn.Read(first[:])
	<-greeting
	if err != nil {
		conn.Close()
		h.tell(err)
		return
	}
	conn.SetDeadline(time.Time{})
	switch first[0] {
	case greetRaft:
		select {
		case h.raft <- conn:
		case <-h.done:
			conn.Close()
		}
	case greetPeer:
		h.peer(conn)
		conn.Close()
	default:
		conn.Close()
	}
}

// track remembers a connection; nil if the hub was cut or is full.
func (h *hub) track(raw net.Conn) *hubConn {
	conn := &hubConn{Conn: raw, hub: h}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cut || len(h.conns) >= maxConns {
		raw.Close()
		return nil
	}
	h.conns[conn] = struct{}{}
	return conn
}

// dial connects to a member and says which protocol will be spoken.
func (h *hub) dial(ctx context.Context, addr string, protocol byte) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	raw, err := h.net.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	conn := h.track(raw)
	if conn == nil {
		return nil, errNetClosed
	}
	conn.SetWriteDeadline(time.Now().Add(dialWithin))
	if _, err := conn.Write([]byte{protocol}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	conn.SetWriteDeadline(time.Time{})
	return conn, nil
}

// sever ends all connections at once and lets no new ones begin: a member that
// must not go on is gone for the others from here on.
func (h *hub) sever() {
	h.mu.Lock()
	conns := h.conns
	first := !h.cut
	h.cut, h.conns = true, nil
	h.mu.Unlock()
	if !first {
		return
	}
	close(h.done)
	h.net.Close()
	for conn := range conns {
		conn.Conn.Close()
	}
}

// close severs and waits for what served connections.
func (h *hub) close() {
	h.sever()
	h.wait.Wait()
}

type hubConn struct {
	net.Conn
	hub *hub
}

func (c *hubConn) Close() error {
	c.hub.mu.Lock()
	delete(c.hub.conns, c)
	c.hub.mu.Unlock()
	return c.Conn.Close()
}

// raftLayer is the part of the hub that raft sees.
type raftLayer struct{ *hub }

// Accept waits for the next connection of raft.
func (l raftLayer) Accept() (net.Conn, error) {
	select {
	case conn := <-l.raft:
		return conn, nil
	case <-l.done:
		return nil, errNetClosed
	}
}

// Close does nothing: the hub outlives raft.
func (raftLayer) Close() error { return nil }

// Addr returns where other members dial this one.
func (l raftLayer) Addr() net.Addr { return address(l.net.Addr()) }

// Dial connects to a member.
func (l raftLayer) Dial(addr raft.ServerAddress, within time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return l.dial(ctx, string(addr), greetRaft)
}

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
