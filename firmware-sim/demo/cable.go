package demo

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// plugPatience bounds how long the cable waits for the far end to answer.
const plugPatience = 5 * time.Second

// Cable is the network cable between a store and the cloud: it carries TCP
// connections from its own addresses, one for each target, until it is cut. Its
// methods may be called from anywhere.
type Cable struct {
	listeners []*net.TCPListener
	carrying  sync.WaitGroup

	mu    sync.Mutex
	cut   bool                  // guarded by mu
	conns map[*net.TCPConn]bool // both ends of what is carried; guarded by mu
	since time.Time             // of the last change; guarded by mu
}

// LayCable lays a cable from a port of this machine to the first target, and
// from any other ports to the others.
func LayCable(port int, targets ...string) (*Cable, error) {
	c := &Cable{conns: make(map[*net.TCPConn]bool), since: time.Now()}
	for range targets {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lay cable: %w", err), c.Close())
		}
		c.listeners, port = append(c.listeners, l), 0
	}
	for i, l := range c.listeners {
		c.carrying.Go(func() { c.accept(l, targets[i]) })
	}
	return c, nil
}

// Addr is the store's end of the cable: an address for each target, with commas.
func (c *Cable) Addr() string {
	all := make([]string, len(c.listeners))
	for i, l := range c.listeners {
		all[i] = l.Addr().String()
	}
	return strings.Join(all, ",")
}

// Cut cuts the cable: what it carries is reset, and what comes is turned away.
func (c *Cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return
	}
	c.cut, c.since = true, time.Now()
	c.resetAll()
}

// Plug puts the cable in again.
func (c *Cable) Plug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		c.cut, c.since = false, time.Now()
	}
}

// Plugged tells whether the cable is in, and since when it is as it is.
func (c *Cable) Plugged() (bool, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.cut, c.since
}

// Close takes the cable away for good.
func (c *Cable) Close() error {
	var faults []error
	for _, l := range c.listeners {
		faults = append(faults, l.Close())
	}
	c.mu.Lock()
	c.cut = true
	c.resetAll()
	c.mu.Unlock()
	c.carrying.Wait()
	return errors.Join(faults...)
}

// resetAll needs mu. A reset, unlike a close, tells nobody that all was sent.
func (c *Cable) resetAll() {
	for conn := range c.conns {
		reset(conn)
	}
	clear(c.conns)
}

func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0) // it is being torn down; there is nothing to report
	_ = conn.Close()
}

func (c *Cable) accept(l *net.TCPListener, target string) {
	for {
		near, err := l.AcceptTCP()
		if err != nil {
			return
		}
		if !c.take(near) {
			continue
		}
		c.carrying.Go(func() { c.carry(near, target) })
	}
}

// take notes a connection, or resets it when the cable is out.
func (c *Cable) take(conn *net.TCPConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		reset(conn)
		return false
	}
	c.conns[conn] = true
	return true
}

func (c *Cable) drop(conn *net.TCPConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns[conn] {
		delete(c.conns, conn)
		_ = conn.Close()
	}
}

// carry moves bytes both ways until one side ends or the cable is cut.
func (c *Cable) carry(near *net.TCPConn, target string) {
	defer c.drop(near)
	conn, err := net.DialTimeout("tcp", target, plugPatience)
	if err != nil {
		reset(near)
		return
	}
	far := conn.(*net.TCPConn)
	if !c.take(far) {
		return
	}
	defer c.drop(far)
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(far, near) // an end of either side is an end of both
		_ = far.CloseWrite()
	})
	_, _ = io.Copy(near, far)
	_ = near.CloseWrite()
	up.Wait()
}
