package demo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"

	"holdfast.dev/internal/process"
)

// Free ports are looked for below the range that the system takes the ports of
// outgoing connections from, so that nobody gets one between look and use.
const (
	freeFrom  = 20000
	freeUntil = 32000
	freeTries = 200
)

// Ports are where the parts of a demo listen, on this machine only. Store i
// has its pages at Kiosk + 100·i and its checks one above that.
type Ports struct {
	Shop    int // storefront and shopper API
	Nodes   int // where nodes connect
	Admin   int // head office
	Kiosk   int // pages of the first store
	Console int // the demo's own console
}

// DefaultPorts are those that the documentation names.
func DefaultPorts() Ports {
	return Ports{Shop: 8080, Nodes: 8443, Admin: 8081, Kiosk: 8090, Console: 8070}
}

// storePorts are those of one store.
type storePorts struct{ pages, admin int }

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// layout is every port of a demo, fixed or found free.
type layout struct {
	Ports
	stores []storePorts
	taken  map[int]bool // ports that are given out; nothing may listen there yet
}

// plan gives every listener its port: those of p, or free ones when free is set.
func plan(p Ports, stores int, free bool) (layout, error) {
	l := layout{Ports: p, taken: make(map[int]bool)}
	if !free {
		for i := range stores {
			l.stores = append(l.stores, storePorts{p.Kiosk + 100*i, p.Kiosk + 100*i + 1})
		}
		return l, l.check()
	}
	l.stores = make([]storePorts, stores)
	wanted := []*int{&l.Shop, &l.Nodes, &l.Admin, &l.Console}
	for i := range l.stores {
		wanted = append(wanted, &l.stores[i].pages, &l.stores[i].admin)
	}
	for _, port := range wanted {
		var err error
		if *port, err = freePort(l.taken); err != nil {
			return l, err
		}
	}
	l.Kiosk = l.stores[0].pages
	return l, nil
}

// check finds ports that are taken before anything is started. Each error
// names the port and the flag.
func (l layout) check() error {
	named := []struct {
		flag string
		port int
	}{
		{"shop-port", l.Shop}, {"nodes-port", l.Nodes}, {"admin-port", l.Admin}, {"console-port", l.Console},
	}
	for _, s := range l.stores {
		named = append(named, []struct {
			flag string
			port int
		}{{"kiosk-port", s.pages}, {"kiosk-port", s.admin}}...)
	}
	var faults []error
	seen := make(map[int]string)
	for _, n := range named {
		if other, twice := seen[n.port]; twice {
			faults = append(faults, fmt.Errorf("port %d is given to --%s and --%s", n.port, other, n.flag))
			continue
		}
		seen[n.port] = n.flag
		l.taken[n.port] = true
		probe, err := process.Listen(n.flag, address(n.port))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		faults = append(faults, probe.Close())
	}
	return errors.Join(faults...)
}

// freePort finds a port that nothing listens on and that is not in taken, and
// adds it there.
func freePort(taken map[int]bool) (int, error) {
	for range freeTries {
		port := freeFrom + rand.IntN(freeUntil-freeFrom)
		if taken[port] {
			continue
		}
		probe, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		if err := probe.Close(); err != nil {
			return 0, fmt.Errorf("look for a free port: %w", err)
		}
		taken[port] = true
		return port, nil
	}
	return 0, fmt.Errorf("no free port between %d and %d", freeFrom, freeUntil)
}
