package bench

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/internal/identity"
	"holdfast.dev/internal/process"
	"holdfast.dev/stock"
)

// fleet is a process of the cloud, and nodes that connect to it from here.
type fleet struct {
	cloud *cloudProcess
	nodes []*lightNode
	keys  string // folder of the nodes' keys, in memory where that is possible

	stop    context.CancelFunc
	running errgroup.Group
}

// openFleet starts a cloud that knows so many stores. Their nodes have
// certificates; those from number 1 to behind dial what cable names, the others
// the cloud itself.
func (b *bench) openFleet(ctx context.Context, stores, behind int, cable func(to string) (string, error)) (
	f *fleet, err error) {
	data, err := b.folder("fleet")
	if err != nil {
		return nil, err
	}
	keys, err := os.MkdirTemp(memoryOr(b.dir), "holdfast-bench-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(keys))
		}
	}()
	f = &fleet{stop: func() {}, keys: keys}
	if f.cloud, err = b.newCloudProcess(data); err != nil {
		return nil, err
	}
	f.cloud.alone = true
	if err := f.makeKeys(ctx, b, stores); err != nil {
		return nil, err
	}
	if err := f.found(ctx, data); err != nil {
		return nil, err
	}
	if err := f.cloud.run(ctx); err != nil {
		return nil, err
	}
	near := f.cloud.nodes
	if behind > 0 {
		if near, err = cable(f.cloud.nodes); err != nil {
			return nil, errors.Join(err, f.cloud.Kill())
		}
	}
	if err := f.certify(data, near, behind); err != nil {
		return nil, errors.Join(err, f.cloud.Kill())
	}
	return f, nil
}

// memoryOr is a folder in memory, or another if there is none: keys that live
// as long as this process need no disk.
func memoryOr(other string) string {
	const memory = "/dev/shm"
	if inMemory(memory) {
		return memory
	}
	return other
}

func (f *fleet) makeKeys(ctx context.Context, b *bench, stores int) error {
	f.nodes = make([]*lightNode, stores)
	bar := process.NewProgress(b.o.Progress, "make keys of nodes", int64(stores))
	defer bar.Close()
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(runtime.NumCPU())
	for i := range f.nodes {
		all.Go(func() (err error) {
			f.nodes[i], err = newLightNode(f.keys, i+1)
			bar.Add(1)
			return errors.Join(err, ctx.Err())
		})
	}
	return all.Wait()
}

// stocked is how many stores of a fleet have stock at most.
const stocked = 200

// found writes the stores into the cloud's folder; the first ones have stock.
func (f *fleet) found(ctx context.Context, data string) (err error) {
	ids := make([][]byte, len(f.nodes))
	for i, n := range f.nodes {
		if ids[i], err = n.nodeID(); err != nil {
			return err
		}
	}
	log, err := engine.Open(ctx, engine.Options{Dir: data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if err := importProducts(ctx, log.Propose, reserveSKUs); err != nil {
		return err
	}
	papers, err := foundPapers(ctx, log.Propose, len(f.nodes),
		func(id stock.StoreID) []byte { return ids[id-1] })
	if err != nil {
		return err
	}
	for i, p := range papers {
		f.nodes[i].paper = p
		if i >= stocked {
			continue
		}
		err := errors.Join(p.open(ctx, log.Propose), p.stockUp(ctx, log.Propose, reserveSKUs, plenty))
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) certify(data, near string, behind int) error {
	ca, err := identity.OpenCA(data)
	if err != nil {
		return err
	}
	var all errgroup.Group
	all.SetLimit(runtime.NumCPU())
	for i, n := range f.nodes {
		addr := f.cloud.nodes
		if i < behind {
			addr = near
		}
		all.Go(func() error { return n.certify(ca, addr) })
	}
	return all.Wait()
}

const (
	// connectWithin bounds how long one node may take to connect.
	connectWithin = 3 * time.Minute
	// connectAtOnce is how many nodes connect at the same time: to connect is not
	// what is measured, unless it is a storm.
	connectAtOnce = 64
)

// lives returns a context that ends with the cloud's process, which then is the
// cause.
func (f *fleet) lives(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-f.cloud.Over():
			cancel(ended(f.cloud.Program))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// connect plugs all nodes in and waits until their sessions are open.
func (f *fleet) connect(ctx context.Context, b *bench) error {
	lines, stop := context.WithCancel(ctx)
	f.stop = stop
	bar := process.NewProgress(b.o.Progress, "connect nodes", int64(len(f.nodes)))
	defer bar.Close()
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(connectAtOnce)
	for _, n := range f.nodes {
		link := n.plug()
		all.Go(func() error {
			f.running.Go(func() error { return link.Run(lines) })
			err := n.online(ctx, 1)
			bar.Add(1)
			return err
		})
	}
	return all.Wait()
}

// back waits until nodes whose line was cut are connected again.
func (b *bench) back(ctx context.Context, some []*lightNode) error {
	bar := process.NewProgress(b.o.Progress, "reconnect nodes", int64(len(some)))
	defer bar.Close()
	all, ctx := errgroup.WithContext(ctx)
	for _, n := range some {
		all.Go(func() error {
			err := n.online(ctx, 2)
			bar.Add(1)
			return err
		})
	}
	return all.Wait()
}

// Close ends the cloud first: thousands of goodbyes are not measured.
func (f *fleet) Close() error {
	err := f.cloud.Kill()
	f.stop()
	return errors.Join(err, f.running.Wait(), os.RemoveAll(f.keys))
}
