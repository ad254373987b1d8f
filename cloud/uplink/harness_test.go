package uplink_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/cloud/uplink"
	"holdfast.dev/internal/identity"
	nodeuplink "holdfast.dev/node/uplink"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

const (
	store    = stock.StoreID(7)
	patience = 20 * time.Second // for what should take milliseconds
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cloud is a head office with its node listener on loopback.
type cloud struct {
	t      testing.TB
	log    *engine.Engine
	office uplink.Office
	ca     *identity.CA
	server *uplink.Server
	addr   string
}

func newCloud(t testing.TB, change func(*uplink.Options)) *cloud {
	t.Helper()
	log, err := engine.Open(t.Context(), engine.Options{Dir: t.TempDir(),
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, log.Close()) })
	ca, err := identity.OpenCA(t.TempDir())
	must(t, err)
	c := &cloud{t: t, log: log, office: uplink.FromEngine(log), ca: ca}
	o := uplink.Options{Office: c.office, CA: ca, Logger: slog.New(slog.DiscardHandler),
		Member: "m1", Flush: 20 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	c.server = uplink.NewServer(o)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c.addr = listener.Addr().String()
	g := grpc.NewServer(uplink.ServerOptions(ca.ServerTLS("127.0.0.1"))...)
	c.server.Register(g)
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	t.Cleanup(func() {
		g.Stop()
		must(t, <-served)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c.server.Drain(ctx, time.Millisecond) // the office closes only after the last proposal
	})
	c.propose(&recordv1.Command{Body: &recordv1.Command_PutStore{PutStore: &recordv1.PutStore{
		Store: &recordv1.StoreInfo{Store: uint32(store), Name: "Test"}}}})
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *cloud) propose(cmd *recordv1.Command) *recordv1.Result {
	c.t.Helper()
	r, err := c.office.Propose(context.Background(), cmd)
	must(c.t, err)
	return r
}

// join issues a join string.
func (c *cloud) join() identity.Join {
	j := identity.NewJoin(c.ca.Pin(), c.addr, store)
	hash := j.SecretHash()
	c.propose(&recordv1.Command{Body: &recordv1.Command_IssueJoin{IssueJoin: &recordv1.IssueJoin{
		Store: uint32(store), SecretHash: hash[:], ExpiresAt: time.Now().Add(time.Hour).UnixMilli()}}})
	return j
}

func (c *cloud) standing(skus ...stock.SKU) uplink.Standing {
	c.t.Helper()
	s, err := c.office.Look(context.Background(), store, skus)
	must(c.t, err)
	return s
}

func (c *cloud) anomalies() []headoffice.Anomaly {
	c.t.Helper()
	var all []headoffice.Anomaly
	must(c.t, c.log.View(context.Background(), func(tx *journal.Tx) (err error) {
		all, err = headoffice.Anomalies(tx, headoffice.Anomaly{}, 10)
		return err
	}))
	return all
}

// applied waits until the cloud has the floor's whole journal, and compares.
func (c *cloud) applied(f *floor) {
	c.t.Helper()
	eventually(c.t, func() <-chan struct{} { return c.log.Watch(store) }, func() bool {
		return c.standing().Applied >= f.Head().Seq
	})
	var hash journal.Hash
	must(c.t, c.log.View(context.Background(), func(tx *journal.Tx) error {
		s, err := headoffice.FindStore(tx, store)
		hash = s.Applied.Hash
		return err
	}))
	if head := f.Head(); hash != head.Hash {
		c.t.Errorf("cloud's journal ends in %s, the store's in %s", hash, head.Hash)
	}
	if a := c.anomalies(); len(a) > 0 {
		c.t.Errorf("anomalies: %v", a)
	}
}

// eventually waits for changes until ok.
func eventually(t testing.TB, changed func() <-chan struct{}, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		next := changed()
		if ok() {
			return
		}
		select {
		case <-next:
		case <-late:
			t.Fatal("did not happen in time")
		}
	}
}

// node is an enrolled box with a link that runs.
type node struct {
	id    *identity.NodeIdentity
	floor *floor
	link  *nodeuplink.Link
	shelf *shelf
}

// enrol makes a box the store's node.
func (c *cloud) enrol() *node {
	c.t.Helper()
	id, err := identity.OpenNodeKey(c.t.TempDir())
	must(c.t, err)
	_, err = nodeuplink.Enrol(c.t.Context(), id, c.join())
	must(c.t, err)
	return &node{id: id, floor: newFloor(c.t, id), shelf: newShelf()}
}

// start runs the node's link to an address until the returned function.
func (n *node) start(t testing.TB, address string, change func(*nodeuplink.Options)) (stop func()) {
	t.Helper()
	o := nodeuplink.Options{Address: address, Identity: n.id, Floor: n.floor, Catalogue: n.shelf,
		Logger:  slog.New(slog.DiscardHandler),
		Backoff: nodeuplink.Backoff{Base: 10 * time.Millisecond, Cap: 100 * time.Millisecond}}
	if change != nil {
		change(&o)
	}
	n.link = nodeuplink.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.link.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			must(t, <-done)
		})
	}
	t.Cleanup(stop)
	return stop
}

func (n *node) reaches(t testing.TB, phase nodeuplink.Phase) {
	t.Helper()
	eventually(t, n.link.Watch, func() bool { return n.link.State().Phase == phase })
}

// floor is a store's journal in memory, with as much of the rules as sessions
// need: units are received, granted, and returned.
type floor struct {
	t     testing.TB
	node  []byte
	epoch *recordv1.Epoch

	mu       sync.Mutex
	entries  []journal.Entry
	grew     chan struct{}
	applied  journal.Position // directives
	accepted int
	rights   map[uint32]*rights
	acked    uint64
	greeted  int
	deaf     bool // GrantUpTo does not come back
}

type rights struct{ sellable, granted, returned int64 }

func newFloor(t testing.TB, id *identity.NodeIdentity) *floor {
	raw, err := hex.DecodeString(string(id.ID()))
	must(t, err)
	e := id.Peer().Epoch
	return &floor{t: t, node: raw, grew: make(chan struct{}), rights: map[uint32]*rights{},
		epoch: &recordv1.Epoch{Timeline: uint32(e.Timeline), Counter: e.Counter}}
}

// append needs mu.
func (f *floor) append(r *recordv1.Record) {
	r.Seq = uint64(len(f.entries) + 1)
	r.Epoch, r.Hlc, r.Actor = f.epoch, uint64(time.Now().UnixMilli())<<16, "test"
	if r.DirectiveHash == nil {
		r.DirectivesApplied = f.applied.Seq
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		panic(err)
	}
	f.entries = append(f.entries,
		journal.Entry{Seq: r.Seq, Data: data, Hash: journal.Chain(f.head().Hash, r.Seq, data)})
	close(f.grew)
	f.grew = make(chan struct{})
}

// head needs mu.
func (f *floor) head() journal.Position {
	if len(f.entries) == 0 {
		return journal.Position{}
	}
	e := f.entries[len(f.entries)-1]
	return journal.Position{Seq: e.Seq, Hash: e.Hash}
}

func (f *floor) of(sku uint32) *rights {
	r, ok := f.rights[sku]
	if !ok {
		r = new(rights)
		f.rights[sku] = r
	}
	return r
}

// receive books deliveries of one unit each.
func (f *floor) receive(sku uint32, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range times {
		f.of(sku).sellable++
		f.append(&recordv1.Record{Body: &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{
			Document: fmt.Sprintf("d%d", len(f.entries)),
			Lines:    []*recordv1.MovementLine{{Sku: sku, Units: 1}}}}})
	}
}

func (f *floor) Hello(context.Context) (*recordv1.Hello, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.greeted++
	head := f.head()
	return &recordv1.Hello{Store: uint32(store), NodeId: f.node, Epoch: f.epoch, Timeline: 1,
		JournalFirst: min(1, head.Seq), JournalLast: head.Seq, JournalHash: head.Hash[:],
		JournalAcked: f.acked, DirectivesApplied: f.applied.Seq,
		DirectivesHash: append([]byte(nil), f.applied.Hash[:]...)}, nil
}

func (f *floor) Welcome(context.Context, *uplinkv1.Welcome) error { return nil }

// Recover is not what these tests are about.
func (f *floor) Recover(context.Context, *uplinkv1.Welcome, *nodeuplink.Remote) error {
	return stock.Refuse(stock.FeatureRefused, "recovery")
}

// SampleClock is not either.
func (f *floor) SampleClock(int64) {}

func (f *floor) Entries(_ context.Context, from uint64, most, bytes int) ([]journal.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end, size := int(from-1), 0
	for end < len(f.entries) && end-int(from-1) < most && size < bytes {
		size += len(f.entries[end].Data)
		end++
	}
	return f.entries[from-1 : end : end], nil
}

func (f *floor) Head() journal.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head()
}

func (f *floor) Changed(seq uint64) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.head().Seq > seq {
		now := make(chan struct{})
		close(now)
		return now
	}
	return f.grew
}

func (f *floor) ApplyDirectives(
	_ context.Context, from uint64, prev []byte, raw [][]byte,
) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, data := range raw {
		seq := from + uint64(i)
		if seq <= f.applied.Seq {
			continue
		}
		if seq != f.applied.Seq+1 || i == 0 && journal.Hash(prev) != f.applied.Hash {
			return f.applied.Seq, stock.Refuse(stock.Forked, "directive %d after %d", seq, f.applied.Seq)
		}
		var d recordv1.Directive
		if err := proto.Unmarshal(data, &d); err != nil {
			return f.applied.Seq, err
		}
		f.applied = journal.Position{Seq: seq, Hash: journal.Chain(f.applied.Hash, seq, data)}
		r := &recordv1.Record{DirectivesApplied: seq,
			DirectiveHash: append([]byte(nil), f.applied.Hash[:]...)}
		f.obey(r, &d)
		f.append(r)
	}
	return f.applied.Seq, nil
}

func (f *floor) obey(r *recordv1.Record, d *recordv1.Directive) {
	switch v := d.GetBody().(type) {
	case *recordv1.Directive_Return:
		of := f.of(v.Return.GetSku())
		of.sellable += v.Return.GetUnits()
		of.returned += v.Return.GetUnits()
		r.Body = &recordv1.Record_ApplyReturn{ApplyReturn: &recordv1.ApplyReturn{Sku: v.Return.GetSku(),
			Units: v.Return.GetUnits(), ReturnedTotal: of.returned, Directive: d.GetSeq()}}
	case *recordv1.Directive_Reserve:
		f.accepted++
		r.Body = &recordv1.Record_Accept{Accept: &recordv1.Accept{Reserve: v.Reserve, Directive: d.GetSeq()}}
	default:
		r.Body = &recordv1.Record_ApplyDirective{ApplyDirective: &recordv1.ApplyDirective{
			Directive: d.GetSeq(), Timeline: d.GetTimeline(), Outcome: "applied"}}
	}
}

func (f *floor) GrantUpTo(ctx context.Context, wants []*uplinkv1.Want) ([]*uplinkv1.Got, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deaf {
		return nil, ctx.Err()
	}
	var got []*uplinkv1.Got
	for _, w := range wants {
		of := f.of(w.GetSku())
		if n := min(of.sellable, w.GetTarget()-of.granted); n > 0 {
			of.sellable -= n
			of.granted += n
			f.append(&recordv1.Record{Body: &recordv1.Record_Grant{Grant: &recordv1.Grant{
				Sku: w.GetSku(), Units: n, GrantedTotal: of.granted}}})
		}
		got = append(got, &uplinkv1.Got{Request: w.GetRequest(), Sku: w.GetSku(), Total: of.granted})
	}
	return got, nil
}

func (f *floor) Acked(_ context.Context, seq uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acked = max(f.acked, seq)
	return nil
}

// shelf is a catalogue in memory.
type shelf struct {
	mu       sync.Mutex
	version  uint64
	products map[uint32]*recordv1.Product
	applied  int
	finished chan struct{}
}

func newShelf() *shelf {
	return &shelf{products: map[uint32]*recordv1.Product{}, finished: make(chan struct{})}
}

func (s *shelf) Version(context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version, nil
}

func (s *shelf) Apply(_ context.Context, products []*recordv1.Product) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range products {
		s.products[p.GetSku()] = p
		s.applied++
	}
	return nil
}

func (s *shelf) Finish(_ context.Context, version uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = version
	close(s.finished)
	s.finished = make(chan struct{})
	return nil
}

func (s *shelf) watch() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished
}
