package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	nodeLimit  = 96 // KiB of the cloud's memory
	stormLimit = time.Minute
	errorLimit = 1.0 // percent of the shoppers' calls
	stormThink = 20 * time.Millisecond
	stormCrowd = 4 // shoppers meanwhile

	filesSpare = 500 // open files that are no sockets of nodes
)

func (b *bench) memoryRow() string {
	return b.name(fmt.Sprintf("cloud memory for each of %d idle nodes", b.size.nodes))
}

func (b *bench) stormRow() string {
	return b.name(fmt.Sprintf("reconnect storm of %d nodes drained", b.size.storm))
}

func (b *bench) stormErrorRow() string {
	return b.name(fmt.Sprintf("shoppers' errors during a storm of %d nodes", b.size.storm))
}

func (b *bench) idleRows() []string {
	return []string{b.memoryRow(), b.stormRow(), b.stormErrorRow()}
}

// idle measures what connected nodes that have nothing to say cost one process
// of the cloud, and what happens when many of them lose their line at once.
func idle(ctx context.Context, b *bench) (err error) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	need := uint64(b.size.nodes + 2*b.size.storm + filesSpare)
	if files.Cur < need {
		for _, row := range b.idleRows() {
			b.add(missing(row, fmt.Sprintf("needs %d open files, the limit is %d", need, files.Cur)))
		}
		return nil
	}
	var line *trunk
	f, err := b.openFleet(ctx, b.size.nodes, b.size.storm, func(to string) (string, error) {
		line, err = newTrunk(to)
		if err != nil {
			return "", err
		}
		return line.addr(), nil
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), line.Close()) }()
	ctx, cancel := f.lives(ctx)
	defer cancel()
	if err := b.rest(ctx, f); err != nil {
		return err
	}
	return b.storm(ctx, f, line)
}

// rest lets all nodes connect and do nothing.
func (b *bench) rest(ctx context.Context, f *fleet) error {
	before, err := memory(f.cloud.Program, "VmRSS")
	if err != nil {
		return err
	}
	began := time.Now()
	if err := f.connect(ctx, b); err != nil {
		return err
	}
	took := time.Since(began)
	if err := pause(ctx, b.size.calm); err != nil { // what connecting left behind
		return err
	}
	cpu, since := cpuOf(f.cloud), time.Now()
	if err := pause(ctx, b.size.calm); err != nil {
		return err
	}
	used := (cpuOf(f.cloud) - cpu).Seconds() / time.Since(since).Seconds()
	after, err := memory(f.cloud.Program, "VmRSS")
	if err != nil {
		return err
	}
	nodes := float64(len(f.nodes))
	m := atMost(b.memoryRow(), "KiB", pair{(after - before) * 1024 / nodes, nodeLimit}, 1)
	m.Note = fmt.Sprintf("%.0f MiB alone, %.0f MiB with all; %.1f %% of a core; connected in %s", before, after,
		100*used, took.Round(100*time.Millisecond))
	b.add(m)
	return nil
}

// cpuOf is what a process has used; one that is gone is found out elsewhere.
func cpuOf(m *cloudProcess) time.Duration {
	used, _ := cpu(m.Program)
	return used
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// storm cuts the line of many nodes at once, while shoppers go on.
func (b *bench) storm(ctx context.Context, f *fleet, line *trunk) error {
	some := f.nodes[:b.size.storm]
	crowd := &crowd{at: f.cloud.listen}
	shopping, stop := context.WithCancel(ctx)
	var all errgroup.Group
	for range stormCrowd {
		all.Go(func() error { return crowd.shop(shopping) })
	}
	began := time.Now()
	cut := line.cut()
	back := b.back(ctx, some)
	took := time.Since(began)
	stop()
	if err := errors.Join(all.Wait(), context.Cause(ctx)); err != nil {
		return err
	}
	s := atMost(b.stormRow(), "s", pair{took.Seconds(), stormLimit.Seconds()}, 1)
	s.Note = fmt.Sprintf("%d lines cut", cut)
	if back != nil {
		s.Note, s.Met = fmt.Sprintf("%s; %v; %v", s.Note, back, line.trouble()), false
	}
	b.add(s)
	calls, failed := crowd.calls.Load(), crowd.failed.Load()
	e := atMost(b.stormErrorRow(), "%", pair{100 * float64(failed) / float64(max(calls, 1)), errorLimit}, 1)
	e.Note = fmt.Sprintf("%d of %d reservations failed", failed, calls)
	b.add(e)
	return nil
}

// crowd is shoppers who think a little between two reservations.
type crowd struct {
	at            string
	calls, failed atomic.Int64
}

func (c *crowd) shop(ctx context.Context) error {
	s := newShopper()
	defer s.client.CloseIdleConnections()
	for ctx.Err() == nil {
		c.calls.Add(1)
		if err := s.reserve(context.WithoutCancel(ctx), c.at); err != nil {
			c.failed.Add(1)
		}
		if pause(ctx, stormThink) != nil {
			return nil
		}
	}
	return nil
}

// trunk is a line that many nodes share, and that can be cut.
type trunk struct {
	listener net.Listener
	to       string
	wait     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu: both ends; nil when it is closed
	fault error                 // guarded by mu: why a connection was not taken
}

func newTrunk(to string) (*trunk, error) {
	l, err := net.Listen("tcp", anyPort)
	if err != nil {
		return nil, err
	}
	t := &trunk{listener: l, to: to, conns: make(map[net.Conn]struct{})}
	t.wait.Go(t.accept)
	return t, nil
}

func (t *trunk) addr() string { return t.listener.Addr().String() }

func (t *trunk) accept() {
	for {
		near, err := t.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // thousands come at once; the next one may be better off
			t.mu.Lock()
			t.fault = err
			t.mu.Unlock()
			time.Sleep(tryPause)
			continue
		}
		t.wait.Go(func() {
			far, err := net.DialTimeout("tcp", t.to, patience)
			if err != nil {
				near.Close()
				return
			}
			t.carry(near, far)
		})
	}
}

func (t *trunk) carry(near, far net.Conn) {
	t.mu.Lock()
	open := t.conns != nil
	if open {
		t.conns[near], t.conns[far] = struct{}{}, struct{}{}
	}
	t.mu.Unlock()
	var both sync.WaitGroup
	if open {
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			both.Go(func() {
				io.Copy(way[0], way[1]) // however it ends, both ends are closed
				near.Close()
				far.Close()
			})
		}
	}
	both.Wait()
	near.Close()
	far.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, near)
	delete(t.conns, far)
}

// trouble is why a connection was not taken, if one was not.
func (t *trunk) trouble() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fault
}

// cut breaks all connections; new ones are carried again at once. It returns
// how many there were.
func (t *trunk) cut() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for conn := range t.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) // no farewell
		}
		conn.Close()
	}
	return len(t.conns) / 2
}

// Close ends the trunk.
func (t *trunk) Close() error {
	err := t.listener.Close()
	t.cut()
	t.mu.Lock()
	t.conns = nil // what is dialed still is not carried any more
	t.mu.Unlock()
	t.wait.Wait()
	return err
}
