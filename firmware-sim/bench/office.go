package bench

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	"holdfast.dev/cloud/engine"
	clouduplink "holdfast.dev/cloud/uplink"
	"holdfast.dev/internal/identity"
	"holdfast.dev/node/kiosk"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	uplinkv1 "holdfast.dev/proto/uplink/v1"
)

// office is a cloud with its node listener on the loopback.
type office struct {
	log    *engine.Engine
	ca     *identity.CA
	uplink *clouduplink.Server
	server *grpc.Server
	addr   string
	served chan error
}

// openOffice opens a cloud that knows one store and an assortment.
func openOffice(ctx context.Context, dir string) (*office, error) {
	ca, err := identity.OpenCA(dir)
	if err != nil {
		return nil, err
	}
	log, err := engine.Open(ctx, engine.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	o := &office{log: log, ca: ca, addr: l.Addr().String(), served: make(chan error, 1),
		server: grpc.NewServer(clouduplink.ServerOptions(ca.ServerTLS("127.0.0.1"))...),
		uplink: clouduplink.NewServer(clouduplink.Options{Office: clouduplink.FromEngine(log), CA: ca,
			Logger: slog.New(slog.DiscardHandler)})}
	o.uplink.Register(o.server)
	go func() { o.served <- o.server.Serve(l) }()
	if err := o.furnish(ctx); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// furnish gives the cloud its store and its catalogue.
func (o *office) furnish(ctx context.Context) error {
	assorted := products(assortment)
	for _, p := range assorted {
		p.Sku, p.Version = 0, 0 // the cloud gives them
	}
	for _, c := range []*recordv1.Command{
		{Body: &recordv1.Command_PutStore{PutStore: &recordv1.PutStore{
			Store: &recordv1.StoreInfo{Store: uint32(storeID), Name: "Bench"}}}},
		{Body: &recordv1.Command_ImportProducts{ImportProducts: &recordv1.ImportProducts{Products: assorted}}},
	} {
		if _, err := o.log.Propose(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the sessions, then the log.
func (o *office) Close() error {
	o.server.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o.uplink.Drain(ctx, time.Millisecond)
	return errors.Join(<-o.served, o.log.Close())
}

// enrol makes a box with a key of its own the store's node.
func (o *office) enrol(ctx context.Context, dir string) (*identity.NodeIdentity, error) {
	id, err := identity.OpenNodeKey(dir)
	if err != nil {
		return nil, err
	}
	j := identity.NewJoin(o.ca.Pin(), o.addr, storeID)
	hash := j.SecretHash()
	_, err = o.log.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_IssueJoin{IssueJoin: &recordv1.IssueJoin{
		Store: uint32(storeID), SecretHash: hash[:], ExpiresAt: time.Now().Add(time.Hour).UnixMilli()}}})
	if err != nil {
		return nil, err
	}
	_, err = uplink.Enrol(ctx, id, j)
	return id, err
}

// branch is a store with a line to the cloud that can be cut.
type branch struct {
	*shop
	id *identity.NodeIdentity

	link   *uplink.Link
	cutOff func() error
}

// openBranch opens the office's store, stocked up and not connected yet.
func (o *office) openBranch(ctx context.Context, dir string) (*branch, error) {
	id, err := o.enrol(ctx, dir)
	if err != nil {
		return nil, err
	}
	node, err := nodeBytes(id)
	if err != nil {
		return nil, err
	}
	b := &branch{id: id}
	b.shop, err = openShop(ctx, shopOptions{path: filepath.Join(dir, "store.db"), node: node,
		epoch: id.Peer().Epoch, link: lineOf{b}})
	if err != nil {
		return nil, err
	}
	if err := b.stockUp(ctx, products(assortment)); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func nodeBytes(id *identity.NodeIdentity) (node shopfloor.ID, err error) {
	raw, err := hex.DecodeString(string(id.ID()))
	copy(node[:], raw)
	return node, err
}

// plug connects the store to the cloud.
func (b *branch) plug(ctx context.Context) {
	b.link = uplink.New(uplink.Options{Identity: b.id, Floor: uplinkFloor{b.floor},
		Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	link := b.link
	go func() { ended <- link.Run(ctx) }()
	b.cutOff = func() error {
		cancel()
		return <-ended
	}
}

// cut pulls the cable.
func (b *branch) cut() error {
	err := b.cutOff()
	b.link, b.cutOff = nil, nil
	return err
}

// acknowledged waits until the cloud has applied the journal up to seq.
func (b *branch) acknowledged(ctx context.Context, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 10*patience)
	defer cancel()
	for {
		changed := b.link.Watch()
		s := b.link.State()
		switch {
		case s.Acked >= seq:
			return nil
		case s.Refused != "":
			return fmt.Errorf("the cloud refused the store: %s", s.Refused)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the cloud has %d of %d records: %w", s.Acked, seq, ctx.Err())
		}
	}
}

// Close cuts the line and closes the store.
func (b *branch) Close() error {
	var err error
	if b.cutOff != nil {
		err = b.cut()
	}
	return errors.Join(err, b.shop.Close())
}

// lineOf is what the pages know of a branch's line.
type lineOf struct{ *branch }

var _ kiosk.Link = lineOf{}

func (lineOf) State() uplink.State    { return uplink.State{Phase: uplink.Online} }
func (lineOf) Watch() <-chan struct{} { return nil }

// uplinkFloor is a shop floor in the words of the uplink. No shopper waits for
// units here, so there is nothing to grant.
type uplinkFloor struct{ *shopfloor.Floor }

// GrantUpTo gives nothing.
func (uplinkFloor) GrantUpTo(context.Context, []*uplinkv1.Want) ([]*uplinkv1.Got, error) {
	return nil, nil
}

// Welcome takes the cloud's word.
func (uplinkFloor) Welcome(context.Context, *uplinkv1.Welcome) error { return nil }

// Recover is not measured.
func (uplinkFloor) Recover(context.Context, *uplinkv1.Welcome, *uplink.Remote) error { return nil }

// asOf is the cloud's copy of the store's journal.
func (o *office) asOf(ctx context.Context) (clouduplink.Standing, error) {
	return clouduplink.FromEngine(o.log).Look(ctx, storeID, nil)
}
