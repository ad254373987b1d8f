package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"holdfast.dev/firmware-sim/program"
	"holdfast.dev/internal/identity"
	"holdfast.dev/internal/process"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const (
	rssRow   = "node RSS at its peak"
	startRow = "node start to first accepted scan"

	rssLimit    = 96 // MiB
	startLimit  = time.Second
	binaryLimit = 48 // MiB; two releases side by side fit a small box's flash

	mebi = 1 << 20
	// largeRuns is how often the program is started on the large store.
	largeRuns = 3
	// workScans is how many products are sold before memory is looked at.
	workScans = 1000
)

// largeName is a name of a row of the large store: its size belongs to it.
func (b *bench) largeName(row string) string {
	return b.name(fmt.Sprintf("%s, %d products, %d records", row, b.size.products, b.size.records))
}

// large measures a node process on a store with many products and a long
// history: how soon it accepts a scan, and how much memory it takes.
func large(ctx context.Context, b *bench) error {
	path, err := b.bin("holdfast-node")
	if err != nil {
		return err
	}
	data, err := b.folder("large")
	if err != nil {
		return err
	}
	codes, err := b.fill(ctx, data)
	if err != nil {
		return err
	}
	var starts, memory []pair
	for range largeRuns {
		n, err := b.newNodeProcess(path, data, codes)
		if err != nil {
			return err
		}
		started, peak, err := n.measure(ctx)
		if err != nil {
			return err
		}
		starts = append(starts, pair{started.Seconds() * 1000, startLimit.Seconds() * 1000})
		memory = append(memory, pair{peak, rssLimit})
	}
	b.add(atMost(b.largeName(rssRow), "MiB", median(memory), 1))
	b.add(atMost(b.largeName(startRow), "ms", median(starts), 1))
	return nil
}

// fill makes the data folder of a node that has worked for years, without
// waiting for the disk at each sale. It returns the codes of its products.
func (b *bench) fill(ctx context.Context, data string) ([]string, error) {
	id, err := enrolled(data)
	if err != nil {
		return nil, err
	}
	node, err := nodeBytes(id)
	if err != nil {
		return nil, err
	}
	s, err := openShop(ctx, shopOptions{path: filepath.Join(data, "store.db"), node: node,
		epoch: id.Peer().Epoch, journal: journal.Options{Sync: "NORMAL", MaxBatch: 1024}})
	if err != nil {
		return nil, err
	}
	assorted := products(b.size.products)
	if err := errors.Join(s.stockUp(ctx, assorted), s.floor.BalanceOnce(ctx)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	bar := process.NewProgress(b.o.Progress, "fill the journal", int64(b.size.records))
	const tills = 512
	err = s.sellMany(ctx, tills, b.size.records, bar.Add)
	bar.Close()
	var codes []string
	for i := 0; i < len(assorted); i += 1 + len(assorted)/workScans {
		codes = append(codes, assorted[i].GetGtin()[1:])
	}
	return codes, errors.Join(err, s.Close())
}

// enrolled makes an identity that some cloud has signed; the cable to it is cut.
func enrolled(dir string) (*identity.NodeIdentity, error) {
	ca, err := identity.OpenCA(filepath.Join(dir, "ca"))
	if err != nil {
		return nil, err
	}
	id, err := identity.OpenNodeKey(dir)
	if err != nil {
		return nil, err
	}
	cert, err := ca.SignNode(id.CSR(), id.ID(), storeID, stock.Epoch{Timeline: 1, Counter: 1}, identity.NodeCertTTL)
	if err != nil {
		return nil, err
	}
	const nobody = "127.0.0.1:1"
	return id, id.Enrol(identity.NewJoin(ca.Pin(), nobody, storeID), ca.Certificate(), cert)
}

// nodeProcess is a store's node on a data folder.
type nodeProcess struct {
	*program.Program
	codes []string
	addr  string
}

func (b *bench) newNodeProcess(path, data string, codes []string) (*nodeProcess, error) {
	n, admin := &nodeProcess{codes: codes}, ""
	n.Program = program.New(program.Options{Name: "holdfast-node", Command: func() []string {
		return []string{path, "run", "--data", data, "--listen", n.addr, "--admin", admin}
	}})
	return n, b.ports.Fill(&n.addr, &admin)
}

// measure runs the program once: how long it took from its start to a scan
// that it accepted, and its largest memory in MiB after some work.
func (n *nodeProcess) measure(ctx context.Context) (started time.Duration, peak float64, err error) {
	if err := n.Start(); err != nil {
		return 0, 0, err
	}
	began := n.State().Since
	defer func() { err = errors.Join(err, n.Stop(), n.State().Ended) }()
	if err := n.firstScan(ctx); err != nil {
		return 0, 0, fmt.Errorf("%w; its log: %s", err, n.Log())
	}
	started = time.Since(began)
	for _, code := range n.codes {
		if err := n.scan(ctx, code); err != nil {
			return 0, 0, err
		}
	}
	for _, path := range []string{"/v1/stock?pageSize=1000", "/v1/node"} {
		if err := n.get(ctx, path); err != nil {
			return 0, 0, err
		}
	}
	peak, err = memory(n.Program, "VmHWM")
	return started, peak, err
}

// firstScan tries a scan until the program listens.
func (n *nodeProcess) firstScan(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		err := n.scan(ctx, n.codes[0])
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		select {
		case <-n.Over():
			return n.Alive()
		case <-again.C:
		}
	}
}

func (n *nodeProcess) scan(ctx context.Context, code string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost,
		"http://"+n.addr+"/v1/stations/"+counter+":scan", strings.NewReader(`{"data":"`+code+`"}`))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	body, err := call(r)
	if err != nil {
		return err
	}
	var got struct{ Answer struct{ OK bool } }
	if err := json.Unmarshal(body, &got); err != nil || !got.Answer.OK {
		return fmt.Errorf("the scan was answered with %s: %w", body, err)
	}
	return nil
}

func (n *nodeProcess) get(ctx context.Context, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.addr+path, nil)
	if err != nil {
		return err
	}
	_, err = call(r)
	return err
}

func binaryRow(program string) string { return program + " binary" }

// binaries tells the sizes of the programs.
func binaries(_ context.Context, b *bench) error {
	for _, program := range []string{"holdfast-node", "holdfast-cloud"} {
		path, err := b.bin(program)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		b.add(atMost(binaryRow(program), "MiB",
			pair{float64(info.Size()) / mebi, binaryLimit}, 1))
	}
	return nil
}
