package node_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"holdfast.dev/cloud"
	"holdfast.dev/node"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	bread   = "9521234500001"
	cheese  = "9521234500018"
	patient = 20 * time.Second // for what must happen at all
)

// process is one program of the two, run inside the test.
type process struct {
	t    *testing.T
	run  func(context.Context) error
	stop context.CancelFunc
	done chan error
}

func start(t *testing.T, run func(context.Context) error) *process {
	p := &process{t: t, run: run}
	p.again()
	t.Cleanup(p.end)
	return p
}

func (p *process) again() {
	ctx, stop := context.WithCancel(context.Background())
	p.stop, p.done = stop, make(chan error, 1)
	go func(done chan<- error) { done <- p.run(ctx) }(p.done)
}

// end stops the program as SIGTERM does, and wants it to go gently.
func (p *process) end() {
	if p.done == nil {
		return
	}
	p.stop()
	select {
	case err := <-p.done:
		if err != nil {
			p.t.Errorf("stopped with: %v", err)
		}
	case <-time.After(patient):
		p.t.Error("did not stop")
	}
	p.done = nil
}

// address is a free port of this machine.
func address(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func dial(t *testing.T, at string) *grpc.ClientConn {
	conn, err := grpc.NewClient("passthrough:///"+at, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// retail is a cloud and the node of one store, on this machine, with the real
// identities between them.
type retail struct {
	t           *testing.T
	cloud, node *process
	shop        shopv1.ShopClient
	floor       storev1.StoreFloorClient
	data        string // of the node
	options     node.Options
}

func open(t *testing.T, change ...func(*node.Options)) *retail {
	quiet := slog.New(slog.DiscardHandler)
	c := cloud.Options{Data: t.TempDir(), Listen: address(t), Nodes: address(t), Admin: address(t),
		Language: "en", Rate: 50, Burst: 300}
	n := node.Options{Data: t.TempDir(), Listen: address(t), Admin: address(t), ReconnectCap: 200 * time.Millisecond}
	for _, c := range change {
		c(&n)
	}
	r := &retail{t: t, data: n.Data, options: n, shop: shopv1.NewShopClient(dial(t, c.Listen)),
		floor: storev1.NewStoreFloorClient(dial(t, n.Listen))}
	r.cloud = start(t, func(ctx context.Context) error { return cloud.Run(ctx, c, quiet) })
	if _, err := r.shop.ListStores(t.Context(), &shopv1.ListStoresRequest{}); err != nil {
		t.Fatal(err)
	}
	r.enrol(c.Admin)
	r.node = start(t, func(ctx context.Context) error { return node.Run(ctx, n, quiet) })
	return r
}

// enrol fills the catalogue, makes a store and makes the node its node.
func (r *retail) enrol(admin string) {
	ctx, at := r.t.Context(), cloud.AdminAt{Admin: admin}
	list := filepath.Join(r.t.TempDir(), "products.csv")
	rows := "\uFEFFgtin,name,price_minor,currency\r\n" + bread + ",\"Rye, dark\",250,EUR\r\n" + cheese + ",Cheese,990,EUR"
	if err := os.WriteFile(list, []byte(rows), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := cloud.Import(ctx, cloud.ImportOptions{AdminAt: at, File: list}, io.Discard, io.Discard); err != nil {
		r.t.Fatal(err)
	}
	_, err := cloud.PutStore(ctx, cloud.StoreOptions{AdminAt: at, ID: 7, Name: "Tjalk", Town: "Utrecht", Country: "NL",
		Timezone: "Europe/Amsterdam", Language: "nl", Currency: "EUR"})
	if err != nil {
		r.t.Fatal(err)
	}
	join, err := cloud.Join(ctx, cloud.JoinOptions{AdminAt: at, Store: 7})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := node.Enrol(ctx, node.EnrolOptions{Data: r.data, Join: join}); err != nil {
		r.t.Fatal(err)
	}
	if _, err := node.Enrol(ctx, node.EnrolOptions{Data: r.t.TempDir(), Join: join}); err == nil {
		r.t.Error("a join string worked twice")
	}
}

// until waits for something that another process does in its own time.
func (r *retail) until(what string, happened func() bool) {
	r.t.Helper()
	deadline := time.After(patient)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !happened() {
		select {
		case <-look.C:
		case <-deadline:
			r.t.Fatalf("in vain: %s", what)
		}
	}
}

// online waits until the node has a session, and everything is sent.
func (r *retail) online() *storev1.Node {
	var n *storev1.Node
	r.until("the node is in step with the cloud", func() bool {
		var err error
		n, err = r.floor.GetNode(r.t.Context(), &storev1.GetNodeRequest{})
		return err == nil && n.GetProducts() == 2 && n.GetLink().GetState() != "offline" && n.GetLink().GetBacklog() == 0
	})
	return n
}

func (r *retail) reserve(id string, units int32) (*shopv1.Reservation, error) {
	return r.shop.CreateReservation(r.t.Context(), &shopv1.CreateReservationRequest{RequestId: id, Store: 7,
		Lines: []*shopv1.CartLine{{Gtin: bread, Quantity: units}}, Contact: &shopv1.Contact{FirstName: "Ada"}})
}

func (r *retail) heard(reservation string) {
	r.until("the store hears of the reservation", func() bool {
		_, err := r.floor.GetPickup(r.t.Context(), &storev1.GetPickupRequest{Reservation: reservation})
		return err == nil
	})
}

func (r *retail) onHand() int64 {
	s, err := r.floor.GetStock(r.t.Context(), &storev1.GetStockRequest{Gtin: bread})
	if err != nil {
		r.t.Fatal(err)
	}
	return int64(s.GetOnHand())
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func TestStoreAndCloudWorkTogetherAndGoOnAfterEachRestart(t *testing.T) {
	r, ctx := open(t), t.Context()
	r.online()
	lines := []*storev1.SellLine{{Gtin: bread, Quantity: 4}}
	if _, err := r.floor.Receive(ctx, &storev1.ReceiveRequest{RequestId: newID(), Document: "DN-1", Lines: lines}); err != nil {
		t.Fatal(err)
	}
	request := newID()
	first, err := r.reserve(request, 3) // more than the cloud has unasked
	if err != nil {
		t.Fatal(err)
	}
	r.heard(first.GetReservation())
	sell := &storev1.SellRequest{RequestId: newID(), Till: "till1", Lines: []*storev1.SellLine{{Gtin: bread, Quantity: 1}}}
	sold, err := r.floor.Sell(ctx, sell)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.reserve(newID(), 1); err == nil {
		t.Error("a fifth unit of four was promised")
	}
	head := r.online().GetJournalLast()

	r.node.end()
	if said, err := node.Verify(ctx, node.VerifyOptions{Data: r.data}, io.Discard); err != nil {
		t.Errorf("verify: %s %v", said, err)
	}
	r.node.again()
	if got := r.online().GetJournalLast(); got < head {
		t.Errorf("the journal ends at %d after the restart, before at %d", got, head)
	}
	if again, err := r.floor.Sell(ctx, sell); err != nil || again.GetSeq() != sold.GetSeq() {
		t.Errorf("the sale again: %v %v, was record %d", again, err, sold.GetSeq())
	}

	r.cloud.end()
	_, err = r.floor.Receive(ctx, &storev1.ReceiveRequest{RequestId: newID(), Document: "DN-2", Lines: lines})
	if err != nil {
		t.Errorf("receive while the cloud is away: %v", err)
	}
	r.cloud.again()
	r.online()
	if again, err := r.reserve(request, 3); err != nil || again.GetReservation() != first.GetReservation() {
		t.Errorf("the reservation again: %v %v", again.GetReservation(), err)
	}
	second, err := r.reserve(newID(), 4)
	if err != nil {
		t.Fatalf("what came while the cloud was away: %v", err)
	}
	r.heard(second.GetReservation())
	if got := r.onHand(); got != 7 {
		t.Errorf("%d on hand, want 7", got)
	}
}

func TestNodeThatBelongsToNoStoreSaysWhatToDo(t *testing.T) {
	err := node.Run(t.Context(), node.Options{Data: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("it ran")
	}
}
