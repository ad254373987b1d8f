package chaos

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	dialPatience = 5 * time.Second
	chunk        = 32 << 10 // bytes that a cable carries at once
)

// rule is what a cable does with the connections of one side.
type rule struct {
	cut   bool // connections are reset and turned away
	ghost bool // with cut: the far side is not told
	up    bool // what goes to the far side is lost
	down  bool // what comes from the far side is lost
	delay time.Duration
}

// cable carries TCP connections to a target until it is broken. Its methods
// may be called from anywhere.
type cable struct {
	listener *net.TCPListener
	targets  []place                        // of which each connection gets the next one that answers
	who      func(near *net.TCPConn) string // names the side that called; nil: nobody cares
	carrying sync.WaitGroup

	mu     sync.Mutex
	closed bool            // guarded by mu
	turn   int             // guarded by mu: of the targets
	rules  map[string]rule // guarded by mu, by who called; "" is for everybody else
	lines  map[*line]bool  // guarded by mu
}

// line is one connection that is carried.
type line struct {
	from      string
	near, far *net.TCPConn
	lossy     bool // guarded by cable.mu: something was lost, so all that follows is
}

func layCable(listen string, targets ...place) (*cable, error) {
	addr, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, err
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("lay cable: %w", err)
	}
	c := &cable{listener: l, targets: targets, rules: make(map[string]rule),
		lines: make(map[*line]bool)}
	c.carrying.Go(c.accept)
	return c, nil
}

func (c *cable) addr() string { return c.listener.Addr().String() }

func (c *cable) at() place { return place{addr: c.addr()} }

// set says what happens to the connections of one side from now on. What was
// damaged before is reset, as is everything when the cable is cut.
func (c *cable) set(from string, r rule) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules[from] = r
	for l := range c.lines {
		if l.from != from && !(from == "" && !c.known(l.from)) {
			continue
		}
		switch {
		case r.cut && r.ghost:
			l.lossy = true
			reset(l.near)
		case r.cut, l.lossy && !r.up && !r.down:
			c.drop(l)
		}
	}
}

// mend lets the cable carry everything again.
func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.rules)
	for l := range c.lines {
		c.drop(l)
	}
}

// known needs mu.
func (c *cable) known(from string) bool {
	_, ok := c.rules[from]
	return ok && from != ""
}

// of needs mu.
func (c *cable) of(from string) rule {
	if r, ok := c.rules[from]; ok {
		return r
	}
	return c.rules[""]
}

// drop needs mu. A reset, unlike a close, tells nobody that all was sent.
func (c *cable) drop(l *line) {
	reset(l.near)
	reset(l.far)
	delete(c.lines, l)
}

func reset(conn *net.TCPConn) {
	if conn != nil {
		_ = conn.SetLinger(0) // it is being torn down; there is nothing to report
		_ = conn.Close()
	}
}

func (c *cable) close() {
	_ = c.listener.Close()
	c.mu.Lock()
	c.closed = true
	for l := range c.lines {
		c.drop(l)
	}
	c.mu.Unlock()
	c.carrying.Wait()
}

func (c *cable) accept() {
	for {
		near, err := c.listener.AcceptTCP()
		if err != nil {
			return
		}
		c.carrying.Go(func() { c.carry(near) })
	}
}

func (c *cable) carry(near *net.TCPConn) {
	l := &line{near: near}
	if c.who != nil {
		l.from = c.who(near)
	}
	if !c.take(l) {
		return
	}
	far := c.dial()
	if far == nil {
		c.forget(l)
		return
	}
	c.mu.Lock()
	if !c.lines[l] { // it was cut meanwhile
		c.mu.Unlock()
		reset(far)
		return
	}
	l.far = far
	c.mu.Unlock()
	defer c.forget(l)
	var both sync.WaitGroup
	both.Go(func() { c.pump(l, l.far, l.near, func(r rule) bool { return r.up }) })
	both.Go(func() { c.pump(l, l.near, l.far, func(r rule) bool { return r.down }) })
	both.Wait()
}

// dial reaches the next target that answers; nil: none does.
func (c *cable) dial() *net.TCPConn {
	for range c.targets {
		c.mu.Lock()
		target := c.targets[c.turn%len(c.targets)]
		c.turn++
		c.mu.Unlock()
		conn, err := target.dial(context.Background(), &net.Dialer{Timeout: dialPatience})
		if err == nil {
			return conn.(*net.TCPConn)
		}
	}
	return nil
}

// take notes a connection, or resets it when the cable is cut.
func (c *cable) take(l *line) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.of(l.from).cut {
		reset(l.near)
		return false
	}
	c.lines[l] = true
	return true
}

func (c *cable) forget(l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lines[l] {
		c.drop(l)
	}
}

// pump moves bytes one way until either side ends. A line whose bytes were lost
// stays silent, as one whose other end is gone.
func (c *cable) pump(l *line, to, from *net.TCPConn, loses func(rule) bool) {
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		c.mu.Lock()
		r := c.of(l.from)
		l.lossy = l.lossy || n > 0 && loses(r)
		ghost, lossy := r.cut && r.ghost, l.lossy
		c.mu.Unlock()
		if n > 0 && !lossy {
			time.Sleep(r.delay)
			if _, failed := to.Write(buf[:n]); failed != nil {
				err = failed
			}
		}
		if err != nil {
			if !ghost && !lossy {
				_ = to.CloseWrite() // an end of one side is an end for the other
			}
			return
		}
	}
}
