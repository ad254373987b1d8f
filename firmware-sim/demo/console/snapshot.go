package console

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/firmware-sim/printer"
	"holdfast.dev/firmware-sim/program"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock/words"
)

const (
	lookPatience  = 2 * time.Second
	shownOrders   = 6
	shownReceipts = 4
)

// snapshot is the demo at one moment. A part that did not answer is nil.
type snapshot struct {
	Product string // GTIN
	Names   map[words.Lang]string
	Members []memberNow
	Stores  []storeNow
}

// memberNow is one process of the cloud at one moment.
type memberNow struct {
	*demo.Member
	Program  program.State
	Standing demo.Standing // as a member that runs sees it; empty while none answers
}

// storeNow is one store at one moment.
type storeNow struct {
	*demo.Store
	Node     program.State
	Plugged  bool
	Changed  time.Time // when the cable last was
	Info     *storev1.Node
	Stock    *storev1.Stock        // of the watched product
	Online   *shopv1.Availability  // the same at the cloud
	State    *shopv1.StoreState    // as the cloud sees the store
	Orders   []*shopv1.Reservation // open ones
	Stations map[string]*storev1.Station
	Heard    heard
	Paper    printer.State
	Receipts []printer.Receipt // newest first
	Extras   *extrasNow        // nil for all stores but the first
}

func placeName(store uint32, station string) string { return fmt.Sprintf("%d.%s", store, station) }

// look takes a fresh snapshot and tells those who watch.
func (c *Console) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	c.mu.Lock()
	now := &snapshot{Product: c.watched, Names: c.names}
	c.mu.Unlock()
	now.Members = c.lookAtMembers(ctx)
	if now.Names == nil {
		now.Names = c.namesOf(ctx, now.Product)
	}
	now.Stores = make([]storeNow, len(c.room.Stores))
	var all sync.WaitGroup
	for i, s := range c.room.Stores {
		all.Go(func() { now.Stores[i] = c.lookAt(ctx, s, now.Product) })
	}
	all.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched == now.Product {
		c.names = now.Names
	}
	for i := range now.Stores {
		now.Stores[i].Heard = c.heard[now.Stores[i].ID]
	}
	c.seen = now
	close(c.news)
	c.news = make(chan struct{})
}

// lookAtMembers asks how the cloud's processes stand. None of it counts for a
// cloud of one.
func (c *Console) lookAtMembers(ctx context.Context) []memberNow {
	head := c.room.Head
	all := make([]memberNow, len(head.Members))
	for i, m := range head.Members {
		all[i] = memberNow{Member: m, Program: m.Program.State()}
	}
	if len(all) == 1 || !head.Running().Program.State().Running {
		return all
	}
	said, err := head.Standings(ctx)
	for i := range said {
		if err == nil && all[i].Program.Running {
			all[i].Standing = said[i]
		}
	}
	return all
}

// namesOf asks for a product's name in every language; nil while the cloud is
// away.
func (c *Console) namesOf(ctx context.Context, gtin string) map[words.Lang]string {
	names := make(map[words.Lang]string)
	for _, lang := range words.Langs() {
		p, err := c.room.Head.Shop.GetProduct(ctx, &shopv1.GetProductRequest{Gtin: gtin, Language: string(lang)})
		if err != nil {
			return nil
		}
		names[lang] = p.GetName()
	}
	return names
}

// lookAt asks both ends about one store. What does not answer is left out.
func (c *Console) lookAt(ctx context.Context, s *demo.Store, gtin string) storeNow {
	now := storeNow{Store: s, Node: s.Program.State(), Paper: s.Printer.State(),
		Extras: lookAtExtras(s.Extras), Stations: make(map[string]*storev1.Station)}
	now.Plugged, now.Changed = s.Cable.Plugged()
	now.Receipts = s.Printer.Receipts()
	slices.Reverse(now.Receipts)
	now.Receipts = now.Receipts[:min(len(now.Receipts), shownReceipts)]
	if now.Node.Running {
		c.lookAtFloor(ctx, &now, gtin)
	}
	if c.room.Head.Running().Program.State().Running {
		c.lookFromCloud(ctx, &now, gtin)
	}
	return now
}

func (c *Console) lookAtFloor(ctx context.Context, now *storeNow, gtin string) {
	var err error
	if now.Info, err = now.Floor.GetNode(ctx, &storev1.GetNodeRequest{}); err != nil {
		now.Info = nil
		return
	}
	if stock, err := now.Floor.GetStock(ctx, &storev1.GetStockRequest{Gtin: gtin}); err == nil {
		now.Stock = stock
	}
	for _, name := range demo.Stations() {
		if station, err := now.Floor.GetStation(ctx, &storev1.GetStationRequest{Station: name}); err == nil {
			now.Stations[name] = station
		}
	}
}

func (c *Console) lookFromCloud(ctx context.Context, now *storeNow, gtin string) {
	head := c.room.Head
	if state, err := head.State(ctx, now.ID); err == nil {
		now.State = state
	}
	online, err := head.Shop.GetAvailability(ctx, &shopv1.GetAvailabilityRequest{Store: now.ID, Gtin: gtin})
	if err == nil {
		now.Online = online
	}
	open, err := head.Office.ListReservations(ctx, &shopv1.ListReservationsRequest{Store: now.ID, OpenOnly: true,
		PageSize: shownOrders})
	if err == nil {
		now.Orders = open.GetReservations()
	}
}

// latest is the newest snapshot, and a channel that is closed by the next.
func (c *Console) latest() (*snapshot, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen, c.news
}
