package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	storev1 "holdfast.dev/proto/store/v1"
)

// readyEvery is how often a program that starts is asked whether it is ready.
const readyEvery = 50 * time.Millisecond

// maxAnswer bounds what the APIs may answer, such as a page of records.
const maxAnswer = 32 << 20

// AnyOf is what a connection is made to that may go to any of some addresses:
// whichever answers.
func AnyOf(addresses ...string) (target string, o grpc.DialOption) {
	several := manual.NewBuilderWithScheme("several")
	state := resolver.State{Addresses: make([]resolver.Address, len(addresses))}
	for i, one := range addresses {
		state.Addresses[i].Addr = one
	}
	several.InitialState(state)
	return several.Scheme() + ":///" + addresses[0], grpc.WithResolvers(several)
}

// dial opens a connection that is made when it is first used, to whichever of
// the addresses answers.
func dial(addresses ...string) (*grpc.ClientConn, error) {
	target, several := AnyOf(addresses...)
	conn, err := grpc.NewClient(target, several,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(quickRetry), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", target, err)
	}
	return conn, nil
}

// ready asks a program's admin listener whether the program can do its work.
func ready(ctx context.Context, admin string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s", admin, resp.Status)
	}
	return nil
}

// awaitReady waits for a program; when it does not come its log says why.
func awaitReady(ctx context.Context, p *Program, admin string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := p.State().Restarts
	var crashed error
	err := Poll(ctx, readyEvery, func() error {
		if now := p.State(); now.Restarts > before+1 {
			crashed = fmt.Errorf("it ended at once, with %s", now.LastExit)
			return nil
		}
		return ready(ctx, admin)
	})
	if err = errors.Join(crashed, err); err != nil {
		return fmt.Errorf("%s does not start: %w\n%s", p.name, err, p.Log())
	}
	return nil
}

// Products lists, at a node, the store's stock of every product it has any of.
func Products(ctx context.Context, floor storev1.StoreFloorClient) ([]*storev1.Stock, error) {
	var all []*storev1.Stock
	token := ""
	for {
		page, err := floor.ListStock(ctx, &storev1.ListStockRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			return nil, err
		}
		all = append(all, page.GetStock()...)
		if token = page.GetNextPageToken(); token == "" {
			return all, nil
		}
	}
}
