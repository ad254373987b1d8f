package uplink_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy is a line between node and cloud that can be cut.
type proxy struct {
	listener net.Listener
	to       string
	budget   func() int64 // bytes that a connection carries before it is cut; nil: no end

	mu    sync.Mutex
	conns map[net.Conn]bool
	work  sync.WaitGroup
	cuts  atomic.Int64
}

func newProxy(t testing.TB, to string, budget func() int64) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{listener: listener, to: to, budget: budget, conns: map[net.Conn]bool{}}
	p.work.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.cut()
		p.work.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.to)
		if err != nil {
			near.Close()
			continue
		}
		p.mu.Lock()
		p.conns[near], p.conns[far] = true, true
		p.mu.Unlock()
		left := new(atomic.Int64)
		left.Store(1 << 60)
		if p.budget != nil {
			left.Store(p.budget())
		}
		p.work.Go(func() { p.carry(near, far, left) })
		p.work.Go(func() { p.carry(far, near, left) })
	}
}

// carry copies until the budget of both directions is spent; then the rest of
// a read is lost, in the middle of whatever it was.
func (p *proxy) carry(from, to net.Conn, left *atomic.Int64) {
	defer p.drop(from)
	defer p.drop(to)
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if rest := left.Add(-int64(n)); rest < 0 {
			to.Write(buf[:max(0, int64(n)+rest)])
			p.cuts.Add(1)
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

// cut ends every connection at once.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}
