package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// namespaces is where the system names its namespaces of the network.
const namespaces = "/run/netns"

// place is an address in a namespace of the network; "" is this program's own.
type place struct{ ns, addr string }

// dial connects from inside the place's namespace.
func (p place) dial(ctx context.Context, d *net.Dialer) (conn net.Conn, err error) {
	if p.ns == "" {
		return d.DialContext(ctx, "tcp", p.addr)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread is not like the others, and ends here
		if err = enter(p.ns); err == nil {
			conn, err = d.DialContext(ctx, "tcp", p.addr)
		}
	}()
	<-done
	return conn, err
}

// enter puts the thread into a namespace.
func enter(ns string) error {
	f, err := os.Open(filepath.Join(namespaces, ns))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", ns, err)
	}
	return nil
}

// inside is how a program is started in a namespace; it stays one process.
func inside(ns string, args []string) []string {
	if ns == "" {
		return args
	}
	return append([]string{"nsenter", "--net=" + filepath.Join(namespaces, ns)}, args...)
}

// lane is what the switch does with the packets of one end to another.
type lane string

// Lanes. What is lost is lost on the way: neither end is told.
const (
	open lane = "1:10"
	lost lane = "1:20"
	slow lane = "1:30"

	slowRate = "256kbit"
	laneWide = "10gbit"
	subnet   = "10.199.77."
)

// fabric is a network of its own: a namespace for each program, and a switch
// between them that can lose or slow what one end sends to another.
type fabric struct {
	name  string // of the switch's namespace
	ends  map[string]int
	mu    sync.Mutex
	lanes map[[2]int]lane // guarded by mu, from one end to another; the others are open
}

func newFabric() (*fabric, error) {
	f := &fabric{name: fmt.Sprintf("holdfast-%d", os.Getpid()), ends: make(map[string]int),
		lanes: make(map[[2]int]lane)}
	return f, errors.Join(command("ip", "netns", "add", f.name),
		command("ip", "-n", f.name, "link", "add", "br0", "type", "bridge"),
		command("ip", "-n", f.name, "link", "set", "br0", "up"))
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// plug makes a namespace and joins it to the switch.
func (f *fabric) plug(name string) (ns, ip string, err error) {
	n := len(f.ends) + 1
	ns, ip = f.name+"-"+name, fmt.Sprint(subnet, n)
	port := fmt.Sprint("p", n)
	f.ends[name] = n
	steps := []string{
		"ip netns add " + ns,
		"ip -n " + f.name + " link add " + port + " type veth peer name eth0 netns " + ns,
		"ip -n " + f.name + " link set " + port + " master br0 up",
		"ip -n " + ns + " addr add " + ip + "/24 dev eth0",
		"ip -n " + ns + " link set eth0 up",
		"ip -n " + ns + " link set lo up",
	}
	tc := "tc -n " + f.name + " "
	class := tc + "class add dev " + port + " parent 1: classid "
	steps = append(steps, tc+"qdisc add dev "+port+" root handle 1: htb default 10",
		class+string(open)+" htb rate "+laneWide+" quantum 60000",
		class+string(lost)+" htb rate "+laneWide+" quantum 60000",
		tc+"qdisc add dev "+port+" parent "+string(lost)+" bfifo limit 1", // no packet is as short
		class+string(slow)+" htb rate "+slowRate)
	for _, step := range steps {
		words := strings.Fields(step)
		if err := command(words[0], words[1:]...); err != nil {
			return ns, ip, err
		}
	}
	return ns, ip, nil
}

// set says what happens to the packets of one end to another.
func (f *fabric) set(from, to string, l lane) error {
	a, b := f.ends[from], f.ends[to]
	if a == 0 || b == 0 {
		return fmt.Errorf("there is no wire from %s to %s", from, to)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.put(a, b, l)
}

// put needs mu. Each end has its own rule at every other one's port.
func (f *fabric) put(a, b int, l lane) error {
	was, known := f.lanes[[2]int{a, b}]
	if !known && l == open || was == l {
		return nil
	}
	pref, port := fmt.Sprint(10+a), fmt.Sprint("p", b)
	if known {
		delete(f.lanes, [2]int{a, b})
		err := command("tc", "-n", f.name, "filter", "del", "dev", port, "parent", "1:", "pref", pref)
		if err != nil || l == open {
			return err
		}
	}
	f.lanes[[2]int{a, b}] = l
	return command("tc", "-n", f.name, "filter", "add", "dev", port, "parent", "1:", "protocol",
		"ip", "pref",
		pref, "u32", "match", "ip", "src", fmt.Sprint(subnet, a, "/32"), "flowid", string(l))
}

// mend lets every end reach every other one again.
func (f *fabric) mend() (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for pair := range maps.Clone(f.lanes) {
		err = errors.Join(err, f.put(pair[0], pair[1], open))
	}
	return err
}

// close takes the network away; nobody may be in it any more.
func (f *fabric) close() (err error) {
	for _, name := range slices.Sorted(maps.Keys(f.ends)) {
		err = errors.Join(err, command("ip", "netns", "del", f.name+"-"+name))
	}
	return errors.Join(err, command("ip", "netns", "del", f.name))
}
