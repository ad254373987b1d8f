package program

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Free ports are looked for below the range that the system takes the ports of
// outgoing connections from, so that nobody gets one between look and use, and
// a program that is started again finds its own.
const (
	freeFrom  = 20000
	freeUntil = 32000
	freeTries = 300
)

// Ports gives out ports of this machine that nothing listens on, each once.
// Its zero value has given out none.
type Ports struct {
	mu    sync.Mutex
	taken map[int]bool // guarded by mu
}

// Address is a port of this machine, for this machine only.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Take sees to it that a port is not given out; something may listen there.
func (p *Ports) Take(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.take(port)
}

func (p *Ports) take(port int) {
	if p.taken == nil {
		p.taken = make(map[int]bool)
	}
	p.taken[port] = true
}

// Next gives out a port.
func (p *Ports) Next() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range freeTries {
		port := freeFrom + rand.IntN(freeUntil-freeFrom)
		if p.taken[port] {
			continue
		}
		probe, err := net.Listen("tcp", Address(port))
		if err != nil {
			continue
		}
		p.take(port)
		return port, probe.Close()
	}
	return 0, fmt.Errorf("no free port between %d and %d", freeFrom, freeUntil)
}

// Fill gives out several addresses.
func (p *Ports) Fill(addrs ...*string) error {
	for _, a := range addrs {
		port, err := p.Next()
		if err != nil {
			return err
		}
		*a = Address(port)
	}
	return nil
}
