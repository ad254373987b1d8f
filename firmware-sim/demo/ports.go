package demo

import (
	"errors"
	"fmt"

	"holdfast.dev/firmware-sim/program"
	"holdfast.dev/internal/process"
)

// Ports are where the parts of a demo listen, on this machine only. Store i
// has its pages at Kiosk + 100·i and its checks one above that. Member i of the
// cloud has its ports 1000·i above those of the first.
type Ports struct {
	Shop    int // storefront and shopper API
	Nodes   int // where nodes connect
	Admin   int // head office
	Members int // where the cloud's members reach each other
	Kiosk   int // pages of the first store
	Console int // the demo's own console
}

// memberPorts are those of one member of the cloud.
type memberPorts struct{ shop, nodes, admin, members int }

// portsApart is how far the ports of two members are apart.
const portsApart = 1000

// storePorts are those of one store.
type storePorts struct{ pages, admin int }

// layout is every port of a demo, fixed or found free.
type layout struct {
	console int
	members []memberPorts
	stores  []storePorts
	ports   *program.Ports // those that are given out; nothing may listen there yet
}

// plan gives every listener its port: those of the options, or free ones.
func plan(o Options) (layout, error) {
	p := o.Ports
	l := layout{console: p.Console, ports: new(program.Ports), members: make([]memberPorts, o.Members),
		stores: make([]storePorts, o.Stores)}
	for i := range l.members {
		up := portsApart * i
		l.members[i] = memberPorts{p.Shop + up, p.Nodes + up, p.Admin + up, p.Members + up}
	}
	for i := range l.stores {
		l.stores[i] = storePorts{p.Kiosk + 100*i, p.Kiosk + 100*i + 1}
	}
	if !o.FreePorts {
		return l, l.check()
	}
	for _, n := range l.named() {
		var err error
		if *n.port, err = l.ports.Next(); err != nil {
			return l, err
		}
	}
	return l, nil
}

// namedPort is a port and the flag that chooses it.
type namedPort struct {
	flag string
	port *int
}

// named lists the ports that something listens on.
func (l *layout) named() []namedPort {
	all := []namedPort{{"console-port", &l.console}}
	for i := range l.members {
		m := &l.members[i]
		all = append(all, namedPort{"shop-port", &m.shop}, namedPort{"nodes-port", &m.nodes},
			namedPort{"admin-port", &m.admin})
		if len(l.members) > 1 {
			all = append(all, namedPort{"members-port", &m.members})
		}
	}
	for i := range l.stores {
		s := &l.stores[i]
		all = append(all, namedPort{"kiosk-port", &s.pages}, namedPort{"kiosk-port", &s.admin})
	}
	return all
}

// check finds ports that are taken before anything is started. Each error
// names the port and the flag.
func (l *layout) check() error {
	var faults []error
	seen := make(map[int]string)
	for _, n := range l.named() {
		port := *n.port
		if other, twice := seen[port]; twice {
			faults = append(faults, fmt.Errorf("port %d is given to --%s and --%s", port, other, n.flag))
			continue
		}
		seen[port] = n.flag
		l.ports.Take(port)
		probe, err := process.Listen(n.flag, program.Address(port))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		faults = append(faults, probe.Close())
	}
	return errors.Join(faults...)
}
