package quorum

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// links is a network whose lines a test can cut, one direction at a time. What
// is sent over a cut line is lost, and its connections end when it is mended.
type links struct {
	mu    sync.Mutex
	at    map[string]string  // guarded by mu: real address of a listener, by name
	cut   map[[2]string]bool // guarded by mu: from, to
	conns map[*line]struct{} // guarded by mu
}

func newLinks() *links {
	return &links{at: map[string]string{}, cut: map[[2]string]bool{}, conns: map[*line]struct{}{}}
}

// set cuts or mends the line between two members, in both directions or one.
func (l *links) set(cut bool, pairs ...[2]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range pairs {
		l.cut[p] = cut
	}
	if cut {
		return
	}
	for c := range l.conns {
		if c.lossy {
			c.Conn.Close()
		}
	}
}

func both(a, b string) [][2]string { return [][2]string{{a, b}, {b, a}} }

// isolate cuts a member off from the others.
func isolate(name string, others ...string) (pairs [][2]string) {
	for _, o := range others {
		if o != name {
			pairs = append(pairs, both(name, o)...)
		}
	}
	return pairs
}

// line is one end of a connection.
type line struct {
	net.Conn
	links    *links
	from, to string
	lossy    bool // guarded by links.mu: something was lost, so all that follows is
}

func (c *line) Write(b []byte) (int, error) {
	c.links.mu.Lock()
	c.lossy = c.lossy || c.links.cut[[2]string{c.from, c.to}]
	lost := c.lossy
	c.links.mu.Unlock()
	if lost {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *line) Close() error {
	c.links.mu.Lock()
	delete(c.links.conns, c)
	c.links.mu.Unlock()
	return c.Conn.Close()
}

func (l *links) wrap(raw net.Conn, from, to string) net.Conn {
	c := &line{Conn: raw, links: l, from: from, to: to}
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	return c
}

// port is one member's end of the network.
type port struct {
	net.Listener
	links *links
	name  string
}

func (l *links) listen(name string) (*port, error) {
	real, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.at[name] = real.Addr().String()
	l.mu.Unlock()
	return &port{Listener: real, links: l, name: name}, nil
}

func (p *port) Addr() string { return p.name }

func (p *port) Accept() (net.Conn, error) {
	raw, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	var name [8]byte
	raw.SetDeadline(time.Now().Add(time.Second))
	if _, err := raw.Read(name[:]); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	raw.SetDeadline(time.Time{})
	n := 0
	for n < len(name) && name[n] != 0 {
		n++
	}
	return p.links.wrap(raw, p.name, string(name[:n])), nil
}

func (p *port) Dial(ctx context.Context, addr string) (net.Conn, error) {
	p.links.mu.Lock()
	real := p.links.at[addr]
	cut := p.links.cut[[2]string{p.name, addr}] || p.links.cut[[2]string{addr, p.name}]
	p.links.mu.Unlock()
	if cut || real == "" {
		return nil, errors.New("no route to " + addr)
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", real)
	if err != nil {
		return nil, err
	}
	var name [8]byte
	copy(name[:], p.name)
	if _, err := raw.Write(name[:]); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return p.links.wrap(raw, p.name, addr), nil
}
