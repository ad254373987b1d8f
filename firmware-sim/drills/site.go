package drills

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/firmware-sim/program"
	shopv1 "holdfast.dev/proto/shop/v1"
)

const (
	store    = 1 // the number of the store that a drill is about
	number   = "1"
	currency = "EUR"
	boss     = "Bram" // a manager who signs
	bossPIN  = "2222"

	soon      = 15 * time.Second // for what comes by itself: reconnecting, recovering
	often     = 10 * time.Millisecond
	maxAnswer = 32 << 20
	// reconnectCap is the nodes' longest wait between tries to reach the cloud.
	reconnectCap = "300ms"
)

// quickRetry finds a program that was started again within a second.
var quickRetry = grpc.ConnectParams{
	Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2,
		MaxDelay: 200 * time.Millisecond},
	MinConnectTimeout: 2 * time.Second,
}

// site is what one drill is about: a cloud, the boxes that are or were the node
// of its store, and what people were told.
type site struct {
	bin   string
	dir   string
	ports *program.Ports
	staff string // hash of the manager's PIN

	products int // in the catalogue
	several  int // members of the cloud; zero: 1

	members []*member
	shop    shopv1.ShopClient       // of any member
	office  shopv1.HeadOfficeClient // the same
	conns   []*grpc.ClientConn
	boxes   []*box
	book    book
}

// dial opens a connection that is made when it is first used, to whichever of
// the addresses answers.
func dial(addresses ...string) (*grpc.ClientConn, error) {
	target, several := demo.AnyOf(addresses...)
	conn, err := grpc.NewClient(target, several,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(quickRetry), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer), grpc.WaitForReady(true)))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", target, err)
	}
	return conn, nil
}

// furnish describes the cloud; nothing runs yet.
func (s *site) furnish() error {
	var shops, admins []string
	for range max(1, s.several) {
		m, err := s.newMember()
		if err != nil {
			return err
		}
		shops, admins = append(shops, m.listen), append(admins, m.admin)
	}
	shop, err := dial(shops...)
	if err != nil {
		return err
	}
	office, err := dial(admins...)
	if err != nil {
		return errors.Join(err, shop.Close())
	}
	s.conns = []*grpc.ClientConn{shop, office}
	s.shop, s.office = shopv1.NewShopClient(shop), shopv1.NewHeadOfficeClient(office)
	return nil
}

// cloud is the first member's program, or the only one's.
func (s *site) cloud() *daemon { return s.members[0].program }

func (s *site) cloudData() string { return s.members[0].data }

// open starts the cloud with a store and a catalogue.
func (s *site) open(ctx context.Context) error {
	if err := s.startMembers(ctx); err != nil {
		return err
	}
	_, err := s.operate(ctx, "store put", "--id", number, "--name", "Drill",
		"--town", "Utrecht", "--country", "NL", "--timezone", "Europe/Amsterdam", "--language", "nl",
		"--currency", currency)
	if err != nil {
		return err
	}
	file := filepath.Join(s.dir, "products.csv")
	if err := writeProducts(file, s.products); err != nil {
		return err
	}
	_, err = s.operate(ctx, "import", file)
	return err
}

// operate gives the running cloud an operator's command.
func (s *site) operate(ctx context.Context, command string, args ...string) (string, error) {
	all := append(strings.Fields(command), "--admin", s.running().admin)
	return s.command(ctx, "holdfast-cloud", append(all, args...)...)
}

// join makes a one-time join string for the store.
func (s *site) join(ctx context.Context) (string, error) {
	said, err := s.operate(ctx, "join", "--store", number)
	return strings.TrimSpace(said), err
}

// close stops what runs, boxes before the cloud.
func (s *site) close() error {
	var faults []error
	for _, b := range s.boxes {
		faults = append(faults, b.program.Stop())
		b.close()
	}
	for _, m := range s.members {
		faults = append(faults, m.program.Stop())
	}
	for _, c := range s.conns {
		_ = c.Close() // nothing is under way on it any more
	}
	http.DefaultClient.CloseIdleConnections()
	return errors.Join(faults...)
}

// backUp copies the cloud's folder while the cloud is stopped.
func (s *site) backUp(ctx context.Context) (copied string, err error) {
	if err := s.cloud().Stop(); err != nil {
		return "", err
	}
	copied = filepath.Join(s.dir, "backup")
	if err := os.CopyFS(copied, os.DirFS(s.cloudData())); err != nil {
		return "", fmt.Errorf("back the cloud up: %w", err)
	}
	return copied, s.cloud().startReady(ctx)
}

// restore kills the cloud and starts it with what it was at the backup.
func (s *site) restore(ctx context.Context, copied string) error {
	if err := s.cloud().Kill(); err != nil {
		return err
	}
	err := errors.Join(os.RemoveAll(s.cloudData()), os.CopyFS(s.cloudData(), os.DirFS(copied)))
	if err != nil {
		return fmt.Errorf("restore the cloud: %w", err)
	}
	return s.cloud().startReady(ctx)
}

// state is how the cloud sees the store.
func (s *site) state(ctx context.Context) (*shopv1.StoreState, error) {
	all, err := s.office.ListStoreStates(ctx, &shopv1.ListStoreStatesRequest{})
	if err != nil {
		return nil, err
	}
	if len(all.GetStates()) != 1 {
		return nil, fmt.Errorf("the cloud knows %d stores", len(all.GetStates()))
	}
	return all.GetStates()[0], nil
}

// eventually waits until check holds; the error is what check last said.
func eventually(ctx context.Context, check func() error) error {
	return await(ctx, soon, func(context.Context) error { return check() })
}

// await is eventually with a limit of its own.
func await(ctx context.Context, limit time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("still so after %s", limit))
	defer cancel()
	return program.Poll(ctx, often, func() error { return check(ctx) })
}

// round shows how long something took.
func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
