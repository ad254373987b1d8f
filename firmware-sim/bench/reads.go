package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"holdfast.dev/cloud/gateway"
	"holdfast.dev/cloud/headoffice"
	clouduplink "holdfast.dev/cloud/uplink"
	"holdfast.dev/internal/process"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

const (
	restRow  = "availability over REST"
	grpcRow  = "availability over gRPC"
	restGoal = 0.3
	grpcGoal = 0.6
	// shoppers is how many ask at once, each on a connection of its own.
	shoppers = 8
)

// reads measures availability reads a second against calls of a handler that
// does nothing, on the same kind of server, over the loopback.
func reads(ctx context.Context, b *bench) (err error) {
	dir, err := b.folder("reads")
	if err != nil {
		return err
	}
	o, err := openOffice(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	branchDir := filepath.Join(dir, "branch")
	if err := os.Mkdir(branchDir, 0o700); err != nil {
		return err
	}
	s, err := o.openBranch(ctx, branchDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	s.plug(ctx)
	if err := s.acknowledged(ctx, s.journal.Head().Seq); err != nil {
		return err
	}
	shop := gateway.New(gateway.Options{Engine: o.log, Stores: lines{o.uplink}, Tenant: 1,
		Logger: slog.New(slog.DiscardHandler)})
	full, err := serveShop(ctx, shop, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, full.Close()) }()
	empty, err := serveShop(ctx, emptyShop{}, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, empty.Close()) }()
	return b.compareReads(ctx, full, empty)
}

func (b *bench) compareReads(ctx context.Context, full, empty *shopServer) error {
	for _, row := range []struct {
		name string
		goal float64
		call func(*shopServer) func(context.Context, int) error
	}{
		{restRow, restGoal, func(s *shopServer) func(context.Context, int) error { return s.overREST }},
		{grpcRow, grpcGoal, func(s *shopServer) func(context.Context, int) error { return s.overGRPC }},
	} {
		if !b.only.MatchString(b.name(row.name)) {
			continue
		}
		m, err := b.alternate(ctx,
			func(ctx context.Context) (float64, error) { return b.rate(ctx, shoppers, row.call(empty)) },
			func(ctx context.Context) (float64, error) { return b.rate(ctx, shoppers, row.call(full)) })
		if err != nil {
			return err
		}
		b.add(atLeast(b.name(row.name), "reads/s", m, row.goal))
	}
	return nil
}

// lines is the nodes' server in the words of the gateway.
type lines struct{ *clouduplink.Server }

// AskGrant is not needed to read.
func (lines) AskGrant(context.Context, stock.StoreID, []gateway.Need) error {
	return stock.Refuse(stock.Offline, "nobody asks for units here")
}

// Standing says how a store stands with the cloud now.
func (l lines) Standing(s *headoffice.Store) gateway.Standing {
	on, since := l.Connected(s.ID)
	return gateway.Standing{Connected: on, Since: since, LastHeard: l.LastSeen(s.ID)}
}

// emptyShop answers at once, and says nothing.
type emptyShop struct{ shopv1.UnimplementedShopServer }

// GetAvailability does nothing.
func (emptyShop) GetAvailability(context.Context, *shopv1.GetAvailabilityRequest) (*shopv1.Availability, error) {
	return &shopv1.Availability{}, nil
}

// shopServer is a public API on the loopback, with clients that ask it.
type shopServer struct {
	addr  string
	gtins []string
	asked []int // by each client
	web   []*http.Client
	calls []shopv1.ShopClient
	conns []*grpc.ClientConn

	stop    context.CancelFunc
	running *errgroup.Group
}

// serveShop serves the public API as the cloud's process does.
func serveShop(ctx context.Context, shop shopv1.ShopServer, b *branch) (*shopServer, error) {
	api, err := process.NewAPI(slog.New(slog.DiscardHandler), words.EN)
	if err != nil {
		return nil, err
	}
	shopv1.RegisterShopServer(api.Server(), shop)
	if err := api.REST(ctx, shopv1.RegisterShopHandler); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", http.MaxBytesHandler(api.RESTHandler(), process.MaxBody))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &shopServer{addr: l.Addr().String(), asked: make([]int, shoppers)}
	server := process.HTTPServer(s.addr, api.Handler(gateway.Limit{PerSecond: 50, Burst: 300}.Handler(mux)))
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	ctx, s.stop = context.WithCancel(ctx)
	s.running, ctx = errgroup.WithContext(ctx)
	s.running.Go(func() error { return api.Run(ctx) })
	s.running.Go(func() error { return process.Serve("shop", server, l).Run(ctx) })
	for _, p := range b.assorted {
		s.gtins = append(s.gtins, p.GetGtin())
	}
	return s, s.clients()
}

// clients makes a connection for each shopper.
func (s *shopServer) clients() error {
	for range shoppers {
		s.web = append(s.web, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}})
		conn, err := grpc.NewClient("passthrough:///"+s.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		s.conns = append(s.conns, conn)
		s.calls = append(s.calls, shopv1.NewShopClient(conn))
	}
	return nil
}

// next is the product that a client asks for next.
func (s *shopServer) next(client int) string {
	s.asked[client]++
	return s.gtins[(client*len(s.gtins)/shoppers+s.asked[client])%len(s.gtins)]
}

func (s *shopServer) overREST(ctx context.Context, client int) error {
	url := fmt.Sprintf("http://%s/v1/stores/%d/availability/%s", s.addr, storeID, s.next(client))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := s.web[client].Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", url, resp.Status, body)
	}
	return err
}

func (s *shopServer) overGRPC(ctx context.Context, client int) error {
	_, err := s.calls[client].GetAvailability(ctx,
		&shopv1.GetAvailabilityRequest{Store: uint32(storeID), Gtin: s.next(client)})
	return err
}

// Close stops clients and server.
func (s *shopServer) Close() error {
	var errs []error
	for i, conn := range s.conns {
		errs = append(errs, conn.Close())
		s.web[i].CloseIdleConnections()
	}
	s.stop()
	return errors.Join(append(errs, s.running.Wait())...)
}
