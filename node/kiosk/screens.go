package kiosk

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

// screens lists the pages.
func (k *Kiosk) screens() []screen {
	quiet := []string{"stock", "print", "catalogue"}
	return []screen{
		{name: "home", path: "/{$}", parts: []string{"tiles"}, deaf: quiet, load: k.loadHome},
		{name: "sell", path: "/sell", mode: shopfloor.Selling, parts: []string{"mode", "verdict", "ask-pin", "basket", "pay"},
			deaf: quiet, load: loadNothing},
		{name: "receive", path: "/receive", parts: []string{"verdict", "delivery"}, deaf: quiet, load: k.loadDelivery},
		{name: "orders", path: "/orders", parts: []string{"orders"}, deaf: quiet, load: k.loadOrders},
		{name: "order", path: "/orders/{id}", parts: []string{"verdict", "order", "steps"}, deaf: quiet, load: k.loadOrder},
		{name: "collect", path: "/collect", mode: shopfloor.Collecting, parts: []string{"mode", "verdict", "ask-pin", "handover"},
			deaf: quiet, load: k.loadHandover},
		{name: "stock", path: "/stock", mode: shopfloor.Looking, parts: []string{"mode", "verdict", "product", "found"},
			load: k.loadStock},
		{name: "count", path: "/count", mode: shopfloor.Counting, parts: []string{"mode", "verdict", "product", "found"},
			load: k.loadStock},
		{name: "shelve", path: "/shelve", mode: shopfloor.Reshelving, parts: []string{"mode", "verdict", "waiting"},
			load: k.loadWaiting},
		{name: "devices", path: "/devices", parts: []string{"devices", "jobs"}, deaf: []string{"stock", "answer"},
			load: k.loadDevices},
		{name: "signin", path: "/signin", parts: []string{"who"}, deaf: quiet, load: loadNothing},
		{name: "inbox", path: "/inbox", parts: []string{"inbox"},
			deaf: []string{"print", "catalogue", "device", "answer"}, load: k.loadInbox},
		{name: "settle", path: "/settle", deaf: quiet, load: loadNothing},
		{name: "reconcile", path: "/reconcile", deaf: quiet, load: k.loadReconcile},
	}
}

func loadNothing(context.Context, *view) error { return nil }

// home is what waits in the store.
type home struct {
	ToPick, Ready int
	First         *storev1.Pickup // due first of those to pick
}

func (k *Kiosk) loadHome(ctx context.Context, v *view) error {
	open, err := k.pickups(ctx, v.Lang, filterOpen)
	if err != nil {
		return err
	}
	var h home
	for _, p := range open {
		if p.GetState() == "ready" {
			h.Ready++
			continue
		}
		if h.ToPick++; h.First == nil {
			h.First = p
		}
	}
	v.Data = h
	return nil
}

// deliveryTail bounds how many records of an open delivery are summed up.
const deliveryTail = 2000

// received is what was scanned of one product.
type received struct {
	Product *recordv1.Product
	Units   stock.Units
	At      uint64
}

// delivery is what is booked of the station's open delivery.
type delivery struct {
	Lines []received // the last scanned first
	Scans int
}

func (k *Kiosk) loadDelivery(ctx context.Context, v *view) error {
	d := delivery{}
	v.Data = &d
	if v.Station.Mode != shopfloor.Receiving {
		return nil
	}
	var state books.DocumentState
	err := k.view(ctx, func(tx *journal.Tx) (err error) {
		state, err = books.Document(tx, k.o.Info.Store, v.Station.Document)
		return err
	})
	if err != nil || state.Count == 0 {
		return err
	}
	entries, err := k.o.Journal.Entries(ctx, state.First, deliveryTail, 4<<20)
	if err != nil {
		return err
	}
	sum := make(map[uint32]*received)
	for _, e := range entries {
		var rec recordv1.Record
		if err := proto.Unmarshal(e.Data, &rec); err != nil {
			return err
		}
		if rec.GetReceipt().GetDocument() != v.Station.Document {
			continue
		}
		d.Scans++
		for _, l := range rec.GetReceipt().GetLines() {
			if sum[l.GetSku()] == nil {
				sum[l.GetSku()] = new(received)
			}
			sum[l.GetSku()].Units += stock.Units(l.GetUnits())
			sum[l.GetSku()].At = e.Seq
		}
	}
	return k.nameReceived(ctx, &d, sum)
}

func (k *Kiosk) nameReceived(ctx context.Context, d *delivery, sum map[uint32]*received) error {
	err := k.view(ctx, func(tx *journal.Tx) error {
		for sku, r := range sum {
			p, err := k.o.Products.BySKU(tx, stock.SKU(sku))
			if err != nil {
				return err
			}
			if r.Product = p; p == nil {
				r.Product = &recordv1.Product{Sku: sku}
			}
			d.Lines = append(d.Lines, *r)
		}
		return nil
	})
	slices.SortFunc(d.Lines, func(a, b received) int { return cmp.Compare(b.At, a.At) })
	return err
}

// orders is one list of orders.
type orders struct {
	Filter  string
	Filters []string
	All     []*orderCard
}

// orderCard is an order with how far it is.
type orderCard struct {
	*storev1.Pickup
	Done, Of int // lines
}

func cardOf(p *storev1.Pickup) *orderCard {
	c := &orderCard{Pickup: p, Of: len(p.GetLines())}
	slices.SortStableFunc(p.GetLines(), func(a, b *storev1.PickupLine) int { return cmp.Compare(a.GetAisle(), b.GetAisle()) })
	for _, l := range p.GetLines() {
		if l.GetReserved() == 0 {
			c.Done++
		}
	}
	return c
}

// maxShown bounds how many rows a page shows.
const maxShown = 100

func (k *Kiosk) loadOrders(ctx context.Context, v *view) error {
	o := orders{Filter: v.arg, Filters: []string{filterOpen, filterReady, filterFinished}}
	if !slices.Contains(o.Filters, o.Filter) {
		o.Filter = filterOpen
	}
	all, err := k.pickups(ctx, v.Lang, o.Filter)
	if err != nil {
		return err
	}
	for _, p := range all {
		if o.Filter == filterOpen && p.GetState() == "ready" || len(o.All) == maxShown {
			continue
		}
		o.All = append(o.All, cardOf(p))
	}
	v.Data = o
	return nil
}

// order is one order on its way from the shelf to the customer.
type order struct {
	*orderCard
	Mine                          bool // this station picks it
	Final, Picked, Ready, Started bool
}

func (k *Kiosk) loadOrder(ctx context.Context, v *view) error {
	id, err := parseReservation(v.arg)
	if err != nil {
		return err
	}
	p, err := k.pickup(ctx, v.Lang, id)
	if err != nil {
		return err
	}
	picking := v.Station.Mode == shopfloor.Picking || v.Station.Mode == shopfloor.Staging
	o := order{orderCard: cardOf(p), Mine: picking && v.Station.Pickup == id,
		Final:  p.GetFinishTime().IsValid(),
		Picked: p.GetState() == "picked", Ready: p.GetState() == "ready", Started: p.GetState() != "new"}
	v.Data = o
	return nil
}

func (k *Kiosk) loadHandover(ctx context.Context, v *view) error {
	v.Data = (*orderCard)(nil)
	last := v.Station.Last
	if last == nil || last.Refusal != nil || last.Pickup == (shopfloor.ID{}) || last.Done != "floor.collected" {
		return nil
	}
	p, err := k.pickup(ctx, v.Lang, last.Pickup)
	if err == nil {
		v.Data = cardOf(p)
	}
	return err
}

// search is a product and what a search found.
type search struct {
	Query   string
	One     *storev1.Stock
	Found   []*storev1.Stock
	Count   bool
	Reasons []string
}

func (k *Kiosk) loadStock(ctx context.Context, v *view) error {
	s := search{Count: v.screen.name == "count", Reasons: []string{"cycle_count", "found", "lost", "damaged", "other"}}
	defer func() { v.Data = s }()
	wanted := v.arg
	if last := v.Station.Last; last != nil && last.Product != nil && (wanted == "" || last.At > v.born) &&
		(v.Station.Mode == shopfloor.Looking || v.Station.Mode == shopfloor.Counting) {
		wanted = last.Product.GetGtin()
	}
	if wanted == "" {
		return nil
	}
	return k.view(ctx, func(tx *journal.Tx) error {
		p, err := k.product(tx, wanted)
		if err == nil {
			s.One, err = k.stockOf(tx, v.Lang, p)
			return err
		}
		if _, refused := stock.AsRefusal(err); !refused {
			return err
		}
		s.Query = strings.TrimSpace(wanted)
		found, err := k.o.Products.Search(tx, s.Query, maxFound)
		for _, p := range found {
			if err == nil {
				var row *storev1.Stock
				row, err = k.stockOf(tx, v.Lang, p)
				s.Found = append(s.Found, row)
			}
		}
		return err
	})
}

// place is how many units of a product are somewhere.
type place struct {
	Key   string // of its text
	Units int32
}

// Places says where the units of the product on the page are.
func (v *view) Places() []place {
	s, ok := v.Data.(search)
	if !ok || s.One == nil {
		return nil
	}
	return []place{{"stock.sellable", s.One.GetSellable()}, {"stock.online", s.One.GetOnline()},
		{"stock.reserved", s.One.GetReserved()}, {"stock.picked", s.One.GetPicked()},
		{"stock.staged", s.One.GetStaged()}, {"stock.shelve", s.One.GetToShelve()},
		{"stock.damaged", s.One.GetDamaged()}}
}

// maxFound bounds what one search shows.
const maxFound = 30

func (k *Kiosk) loadWaiting(ctx context.Context, v *view) (err error) {
	v.Data, err = k.toShelve(ctx, v.Lang)
	return err
}

// Shown are the lines whose pictures fit on a card.
func (c *orderCard) Shown() []*storev1.PickupLine {
	const fits = 5
	return c.GetLines()[:min(fits, len(c.GetLines()))]
}
