package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"holdfast.dev/internal/process"
	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"
)

const (
	storeID  = stock.StoreID(1)
	counter  = "counter"
	currency = "EUR"
)

// shop is a store's node, wired as its process wires it.
type shop struct {
	journal  *journal.Journal
	floor    *shopfloor.Floor
	kiosk    *kiosk.Kiosk
	products *catalogue.Products
	devices  *devices.Set
	assorted []*recordv1.Product

	stop    context.CancelFunc
	running *errgroup.Group
}

// shopOptions say which store it is.
type shopOptions struct {
	path    string // of its database
	node    shopfloor.ID
	epoch   stock.Epoch
	link    kiosk.Link // nil: the cable is pulled
	devices []devices.Config
	journal journal.Options // Path and Machine are filled in
}

// openShop opens a store.
func openShop(ctx context.Context, o shopOptions) (*shop, error) {
	s := &shop{products: new(catalogue.Products), devices: devices.New(devices.Options{Devices: o.devices})}
	s.floor = shopfloor.New(shopfloor.Options{Store: storeID, NodeID: o.node, Epoch: o.epoch, Tenant: 1,
		Catalogue: s.products, Now: func() int64 { return time.Now().UnixMilli() }, NewID: newID,
		Notify: func(e shopfloor.Event) { s.kiosk.Notify(e) }, Rest: process.Pause(shopfloor.BalanceRest),
	}, catalogue.Migration, kiosk.Migration)
	o.journal.Path, o.journal.Machine = o.path, s.floor.Machine()
	var err error
	if s.journal, err = journal.Open(ctx, o.journal); err != nil {
		return nil, err
	}
	if o.link == nil {
		o.link = noLink{}
	}
	s.products.Open(s.journal)
	s.floor.SetLink(quietLine{})
	s.kiosk = kiosk.New(kiosk.Options{Floor: s.floor, Products: s.products, Journal: s.journal,
		Devices: s.devices, Link: o.link, Registry: process.NewRegistry(),
		Info: kiosk.Info{Store: storeID, Name: "Bench", Currency: currency, Timezone: "UTC",
			Language: words.EN}})
	if err := s.floor.Open(ctx, s.journal); err != nil {
		return nil, errors.Join(err, s.journal.Close())
	}
	return s, nil
}

func newID() shopfloor.ID { return shopfloor.ID(uuid.Must(uuid.NewV7())) }

// noLink is a line to the cloud that is cut.
type noLink struct{}

func (noLink) State() uplink.State    { return uplink.State{Phase: uplink.Offline} }
func (noLink) Watch() <-chan struct{} { return nil }

// quietLine is a line on which the cloud says nothing: the split of the stock is
// kept up as in any store.
type quietLine struct{}

func (quietLine) Connected() bool        { return true }
func (quietLine) Watch() <-chan struct{} { return nil }
func (quietLine) Wish([]shopfloor.Want)  {}
func (quietLine) AskReturn(context.Context, []shopfloor.Want) error {
	return stock.Refuse(stock.Short, "nobody answers")
}

// start runs what the process runs beside its callers, and more if given.
func (s *shop) start(ctx context.Context, more ...func(context.Context) error) {
	ctx, s.stop = context.WithCancel(ctx)
	s.running, ctx = errgroup.WithContext(ctx)
	for _, f := range append(more, s.devices.Run, s.kiosk.Run, s.floor.Balance) {
		s.running.Go(func() error { return f(ctx) })
	}
}

// halt ends what start began.
func (s *shop) halt() error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	s.stop = nil
	return s.running.Wait()
}

// Close ends everything.
func (s *shop) Close() error { return errors.Join(s.halt(), s.journal.Close()) }

const (
	// plenty is how many units of each product a delivery brings.
	plenty = 10_000_000
	// deliveryLines is how many products one delivery has, productPage how many
	// the cloud sends at a time.
	deliveryLines = 1000
	productPage   = 500
)

// stockUp gives the store products and units of each.
func (s *shop) stockUp(ctx context.Context, assorted []*recordv1.Product) error {
	s.assorted = assorted
	for from := 0; from < len(assorted); from += productPage {
		if err := s.products.Apply(ctx, assorted[from:min(from+productPage, len(assorted))]); err != nil {
			return err
		}
	}
	return s.deliver(ctx, assorted)
}

// deliver books units of each product.
func (s *shop) deliver(ctx context.Context, assorted []*recordv1.Product) error {
	for from := 0; from < len(assorted); from += deliveryLines {
		var lines []*recordv1.MovementLine
		for _, p := range assorted[from:min(from+deliveryLines, len(assorted))] {
			lines = append(lines, &recordv1.MovementLine{Sku: p.GetSku(), Units: plenty})
		}
		cause := shopfloor.Cause{ID: newID(), Actor: "bench"}
		if _, err := s.floor.Receive(ctx, cause, fmt.Sprintf("delivery %d", from), lines); err != nil {
			return err
		}
	}
	return nil
}

// till sells from one place; its methods are called by one goroutine.
type till struct {
	shop   *shop
	name   string
	basket shopfloor.ID
	sales  int
}

// basketLines is how many products a customer buys.
const basketLines = 12

func (s *shop) tills(n int) []*till {
	all := make([]*till, n)
	for i := range all {
		all[i] = &till{shop: s, name: fmt.Sprintf("till %d", i+1), sales: i * len(s.assorted) / n}
	}
	return all
}

// sell books the sale of one unit of the next product.
func (t *till) sell(ctx context.Context) error {
	if t.sales%basketLines == 0 {
		t.basket = newID()
	}
	p := t.shop.assorted[t.sales%len(t.shop.assorted)]
	t.sales++
	_, err := t.shop.floor.Sell(ctx, shopfloor.Sell{
		Cause: shopfloor.Cause{ID: newID(), Actor: t.name, Device: "scanner"}, Till: t.name,
		Lines: []*recordv1.SaleLine{shopfloor.SaleLine(p, 1)}, Currency: currency, Basket: t.basket})
	return err
}

// sellMany books sales from many tills at once, as fast as the journal goes.
func (s *shop) sellMany(ctx context.Context, tills, sales int, sold func(n int64)) error {
	const step = 100 // sales between two reports
	all, ctx := errgroup.WithContext(ctx)
	for i, t := range s.tills(tills) {
		own := (sales - i + tills - 1) / tills
		all.Go(func() error {
			for n := range own {
				if err := t.sell(ctx); err != nil {
					return err
				}
				if sold != nil && n%step == step-1 {
					sold(step)
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// recordBytes is how many bytes the newest record has.
func (s *shop) recordBytes(ctx context.Context) (int, error) {
	last, err := s.journal.Entries(ctx, s.journal.Head().Seq, 1, 1)
	if err != nil {
		return 0, err
	}
	return len(last[0].Data), nil
}

// openOrdinary opens a store of ordinary size in a folder, and the bare limit
// beside it, whose entries are as long as a sale.
func openOrdinary(ctx context.Context, dir string, scanners ...devices.Config) (*shop, *bare, error) {
	s, err := openShop(ctx, shopOptions{path: filepath.Join(dir, "store.db"), node: newID(),
		epoch: stock.Epoch{Timeline: 1, Counter: 1}, devices: scanners})
	if err != nil {
		return nil, nil, err
	}
	limit, err := s.prepare(ctx, dir)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, limit, nil
}

func (s *shop) prepare(ctx context.Context, dir string) (*bare, error) {
	if err := s.stockUp(ctx, products(assortment)); err != nil {
		return nil, err
	}
	if err := s.floor.BalanceOnce(ctx); err != nil { // the cloud's share goes first
		return nil, err
	}
	if err := s.tills(1)[0].sell(ctx); err != nil {
		return nil, err
	}
	n, err := s.recordBytes(ctx)
	if err != nil {
		return nil, err
	}
	return openBare(ctx, dir, n)
}
