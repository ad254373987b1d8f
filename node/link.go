package node

import (
	"context"

	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	uplinkv1 "holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

func (n *node) newLink() *uplink.Link {
	address := n.o.Cloud
	if address == "" {
		address = n.id.Addr()
	}
	return uplink.New(uplink.Options{Address: address, Identity: n.id, Floor: uplinkFloor{n.floor, n},
		Catalogue: n.products, Logger: n.log, Backoff: uplink.Backoff{Cap: n.o.ReconnectCap}})
}

// uplinkFloor is the shop floor in the words of the uplink.
type uplinkFloor struct {
	*shopfloor.Floor
	node *node
}

// GrantUpTo grants what shoppers wait for.
func (f uplinkFloor) GrantUpTo(ctx context.Context, wants []*uplinkv1.Want) ([]*uplinkv1.Got, error) {
	in := make([]shopfloor.Want, len(wants))
	for i, w := range wants {
		in[i] = shopfloor.Want{SKU: stock.SKU(w.GetSku()), Target: stock.Units(w.GetTarget()),
			Timeline: stock.Timeline(w.GetTimeline())}
	}
	got, err := f.Floor.GrantUpTo(ctx, in)
	if err != nil {
		return nil, err
	}
	out := make([]*uplinkv1.Got, len(got))
	for i, g := range got {
		out[i] = &uplinkv1.Got{Request: wants[i].GetRequest(), Sku: uint32(g.SKU), Total: int64(g.Total)}
	}
	return out, nil
}

// Welcome takes in the cloud's clock, and its timeline: a cloud that was
// restored from a backup says so before anything else.
func (f uplinkFloor) Welcome(ctx context.Context, w *uplinkv1.Welcome) error {
	f.SampleClock(w.GetServerMs())
	f.Meet(w.GetResumeFrom() - 1)
	return f.BeginTimeline(ctx, stock.Timeline(w.GetTimeline()), w.GetResumeFrom()-1)
}

// floorLink is the uplink in the words of the shop floor.
type floorLink struct{ *uplink.Link }

// Connected tells whether the cloud can be asked now.
func (l floorLink) Connected() bool { return l.State().Phase != uplink.Offline }

// AskReturn asks the cloud to return units.
func (l floorLink) AskReturn(ctx context.Context, wants []shopfloor.Want) error {
	return l.Link.AskReturn(ctx, wireWants(wants))
}

// Wish asks the cloud for units that it can do without.
func (l floorLink) Wish(wants []shopfloor.Want) { l.Link.Wish(wireWants(wants)) }

func wireWants(wants []shopfloor.Want) []*uplinkv1.Want {
	out := make([]*uplinkv1.Want, len(wants))
	for i, w := range wants {
		out[i] = &uplinkv1.Want{Sku: uint32(w.SKU), Target: int64(w.Target), Timeline: uint32(w.Timeline)}
	}
	return out
}
