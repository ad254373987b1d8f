package demo

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"holdfast.dev/firmware-sim/program"
	storev1 "holdfast.dev/proto/store/v1"
)

// lookEvery is how often the room looks whether what it waits for is there.
const lookEvery = 50 * time.Millisecond

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

// awaitReady waits for a program; when it does not come its log says why.
func awaitReady(ctx context.Context, p *program.Program, admin string) error {
	return p.AwaitReady(ctx, startPatience, program.Ready(http.DefaultClient, admin))
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
