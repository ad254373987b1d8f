package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/gateway"
	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/cloud/quorum"
	"holdfast.dev/internal/identity"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

// cell is a cloud of some members, all in this process, with mutual TLS over the
// loopback between them.
type cell struct {
	members []*engine.Engine
	gateway *gateway.Gateway // where the leader is
}

// openCell founds a cloud of so many members in a folder, and waits until all
// have a vote.
func openCell(ctx context.Context, dir string, members int) (*cell, error) {
	folders, addrs := make([]string, members), make([]string, members)
	for i := range members {
		folders[i], addrs[i] = filepath.Join(dir, fmt.Sprintf("member-%d", i)), anyPort
		if err := os.Mkdir(folders[i], 0o700); err != nil {
			return nil, err
		}
	}
	return openCellAt(ctx, folders, addrs)
}

const anyPort = "127.0.0.1:0"

// openCellAt is openCell in folders and at addresses of the caller's. The keys
// are in the first folder.
func openCellAt(ctx context.Context, folders, addrs []string) (*cell, error) {
	nets, err := memberNets(folders[0], addrs...)
	if err != nil {
		return nil, err
	}
	c := new(cell)
	for i, n := range nets {
		o := engine.Options{Dir: folders[i], Net: n, Logger: slog.New(slog.DiscardHandler),
			Timing: quorum.Timing{Settle: time.Millisecond, Disk: patience}}
		if i > 0 {
			o.Join = nets[0].Addr()
		}
		m, err := engine.Open(ctx, o)
		if err != nil {
			return nil, errors.Join(err, n.Close(), c.Close())
		}
		c.members = append(c.members, m)
	}
	if err := c.settle(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	keyID, key, err := identity.OpenSigningKey(folders[0])
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.gateway = gateway.New(gateway.Options{Engine: c.members[0], Stores: nobody{}, Tenant: 1, KeyID: keyID,
		Key: key, Logger: slog.New(slog.DiscardHandler)})
	return c, nil
}

// memberNets makes the members' ends of a network on the loopback. The CA is in
// a folder.
func memberNets(dir string, addrs ...string) ([]quorum.Net, error) {
	ca, err := identity.OpenCA(dir)
	if err != nil {
		return nil, err
	}
	nets := make([]quorum.Net, len(addrs))
	for i, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		server, client := ca.MemberTLS()
		nets[i] = quorum.TLS(l, l.Addr().String(), server, client)
	}
	return nets, nil
}

// settle waits until everybody has a vote and the first member leads.
func (c *cell) settle(ctx context.Context) error {
	return poll(ctx, 10*time.Millisecond, func(ctx context.Context) error {
		votes := 0
		for _, m := range c.members[0].Member().Members(ctx) {
			if m.Voter && m.Problem == "" {
				votes++
			}
		}
		if votes < len(c.members) || !c.members[0].Member().Leads() {
			return fmt.Errorf("%d of %d members have a vote", votes, len(c.members))
		}
		return nil
	})
}

// propose gives a command to the leader.
func (c *cell) propose(ctx context.Context, cmd *recordv1.Command) (*recordv1.Result, error) {
	return c.members[0].Propose(ctx, cmd)
}

// Close ends all members, the leader last.
func (c *cell) Close() error {
	var errs []error
	for i := len(c.members) - 1; i >= 0; i-- {
		errs = append(errs, c.members[i].Close())
	}
	return errors.Join(errs...)
}

// nobody is stores without a line.
type nobody struct{}

// AskGrant finds nobody.
func (nobody) AskGrant(context.Context, stock.StoreID, []gateway.Need) error {
	return stock.Refuse(stock.Offline, "no store has a line")
}

// Standing is the same for all.
func (nobody) Standing(*headoffice.Store) gateway.Standing { return gateway.Standing{} }
