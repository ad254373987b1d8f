package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/firmware-sim/chaos/history"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	staffPause = 40 * time.Millisecond
	pickupsAt  = 20 // orders that are looked at once
)

// clerk is one client of a store's node: a till, a goods-in desk, or somebody
// who picks orders and hands them over.
type clerk struct {
	w    *world
	n    *node
	rec  *records
	by   *rand.Rand
	rest *rest
}

// staff lets everybody in the working stores work until ctx ends.
func (w *world) staff(ctx context.Context, rec *records) {
	var all sync.WaitGroup
	defer all.Wait()
	for i, n := range w.nodes {
		if i == silent {
			continue
		}
		for k, work := range []func(*clerk, context.Context){(*clerk).sell, (*clerk).receive,
			(*clerk).serve} {
			c := &clerk{w: w, n: n, rec: rec, rest: newREST(n.at(n.listen), callWithin),
				by: rand.New(rand.NewPCG(w.o.Seed, uint64(1000*i+k)))}
			all.Go(func() {
				defer c.rest.close()
				for ctx.Err() == nil {
					work(c, context.WithoutCancel(ctx))
					select {
					case <-time.After(staffPause/2 + time.Duration(c.by.Int64N(int64(staffPause)))):
					case <-ctx.Done():
					}
				}
			})
		}
	}
}

// tell asks the node for something that becomes a record, until it is answered.
func (c *clerk) tell(ctx context.Context, kind, id, path string, in, out proto.Message) bool {
	how := c.rec.insist(ctx, c.by, 1, func(ctx context.Context, _ int) error {
		return c.rest.post(ctx, path, in, out)
	})
	f := fact{Store: c.n.store, Kind: kind, ID: id, Outcome: how.outcome, Tries: how.tries}
	if how.unsure && how.outcome != history.OK {
		f.Outcome = history.Unknown // a try before the refusal may have been served after it
	}
	if !how.nothing {
		c.rec.fact(f)
	}
	return how.outcome == history.OK
}

func (c *clerk) any() product { return c.w.trade[c.by.IntN(len(c.w.trade))] }

func (c *clerk) sell(ctx context.Context) {
	id := newID()
	in := &storev1.SellRequest{RequestId: id, Till: "till-1",
		Lines: []*storev1.SellLine{{Gtin: c.any().gtin, Quantity: int32(1 + c.by.IntN(2))}}}
	if c.tell(ctx, "sale", id, "/v1/sales", in, new(storev1.SellResponse)) && c.by.IntN(10) == 0 {
		c.tell(ctx, "sale", id, "/v1/sales", in, new(storev1.SellResponse)) // the till is not sure
	}
}

func (c *clerk) receive(ctx context.Context) {
	id := newID()
	in := &storev1.ReceiveRequest{RequestId: id, Document: "DN-" + id,
		Lines: []*storev1.SellLine{{Gtin: c.any().gtin, Quantity: int32(1 + c.by.IntN(6))}}}
	c.tell(ctx, "receipt", id, "/v1/receipts", in, new(storev1.ReceiveResponse))
}

// serve takes one open order a step further.
func (c *clerk) serve(ctx context.Context) {
	open := new(storev1.ListPickupsResponse)
	path := fmt.Sprintf("/v1/pickups?filter=open&page_size=%d", pickupsAt)
	if err := c.rest.get(ctx, path, open); err != nil || len(open.GetPickups()) == 0 {
		return
	}
	p := open.GetPickups()[c.by.IntN(len(open.GetPickups()))]
	id := newID()
	base := "/v1/pickups/" + url.PathEscape(p.GetReservation())
	switch p.GetState() {
	case "new", "picking":
		for _, l := range p.GetLines() {
			if l.GetReserved() > 0 {
				c.tell(ctx, "pick", id, base+":pick", &storev1.PickItemRequest{RequestId: id, Gtin: l.GetGtin(),
					Quantity: l.GetReserved()}, new(storev1.Pickup))
				return
			}
		}
	case "picked":
		c.tell(ctx, "stage", id, base+":stage", &storev1.StagePickupRequest{RequestId: id, Shelf: "A-1"},
			new(storev1.Pickup))
	case "ready":
		c.tell(ctx, "collect", id, "/v1/pickups:collect", &storev1.CollectRequest{RequestId: id,
			Code:  p.GetCode(),
			Staff: "Anna"}, new(storev1.CollectResponse))
	}
}
