// Package kiosk serves a store's floor to people and tills: pages, the local
// API, the scans of its scanners and the paper of its printers. All of it works
// with the cable pulled.
package kiosk

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"holdfast.dev/hardware/receipt"
	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk/spool"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"
)

// Migration is the SQL of the kiosk's tables. They are local: paper is no part
// of the books.
const Migration = spool.Migration

// Station is one scanner with its screen, and the other devices around it. What
// it does not have is empty.
type Station struct {
	Name      string `toml:"name"`
	Scanner   string `toml:"scanner"`
	Printer   string `toml:"printer"`
	Display   string `toml:"display"`    // that its customer reads
	Scale     string `toml:"scale"`      // for goods sold by weight
	Labels    string `toml:"labels"`     // its label printer
	BagLabels bool   `toml:"bag-labels"` // orders get a label there when they are set aside
	Drawer    int    `toml:"drawer"`     // cash drawer on its printer, 1 or 2
}

// Staff is a person who may sign in.
type Staff struct {
	Name    string `toml:"name"`
	Role    string `toml:"role"` // "staff" or "manager"
	PINHash string `toml:"pin-hash" secret:"true"`
}

// Info is what the pages and receipts say about the store.
type Info struct {
	Store    stock.StoreID
	Name     string
	Town     string
	Street   string
	Currency string
	Timezone string
	Language words.Lang
	NodeID   string
	Realm    string // tells this retailer's stores from another's of the same number
	Build    string
}

// Link is the store's line to the cloud, as far as people see it.
type Link interface {
	State() uplink.State
	// Watch returns a channel that is closed when State next changes.
	Watch() <-chan struct{}
}

// Options say what a Kiosk stands on. Stations, Staff, Logo, Logger and Registry
// may be left out.
type Options struct {
	Floor    *shopfloor.Floor
	Products *catalogue.Products
	Journal  *journal.Journal
	Devices  *devices.Set
	Link     Link
	Info     Info
	Stations []Station
	Staff    []Staff
	Logo     receipt.Image // at the head of what customers get
	Logger   *slog.Logger
	Registry *prometheus.Registry
}

// Kiosk serves one store's pages and local API.
type Kiosk struct {
	o         Options
	log       *slog.Logger
	zone      *time.Location
	events    *hub
	pins      *pins
	asking    asking // orders that wait for a PIN
	orderPINs *pins
	spool     *spool.Spool
	metrics   *metrics
	slips     *slips
	bags      *slips         // orders that may need a label
	kicks     chan kickOrder // drawers to be opened
	ajar      sync.Map       // printers whose drawer stands open for long
	handler   http.Handler

	finishedAt sync.Map // the last basket of each station without a printer
}

// New makes a kiosk. It starts nothing; Run does.
func New(o Options) *Kiosk {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	zone, err := time.LoadLocation(o.Info.Timezone)
	if err != nil {
		zone = time.Local
	}
	o.Stations = stationsOf(o)
	k := &Kiosk{o: o, log: o.Logger, zone: zone, events: newHub(), pins: newPINs(o.Staff),
		orderPINs: newPINs(nil),
		metrics:   newMetrics(o.Registry), slips: newSlips(), bags: newSlips(),
		kicks: make(chan kickOrder, kickQueue)}
	k.spool = spool.New(spool.Options{Journal: o.Journal, Devices: o.Devices, Logger: o.Logger,
		Changed: func(job int64) { k.events.publish(event("print", "", decimal(job))) }})
	k.handler = k.routes()
	return k
}

// stationsOf are the stations as configured, or one that has the first device of
// each kind.
func stationsOf(o Options) []Station {
	if len(o.Stations) > 0 {
		return o.Stations
	}
	s := Station{Name: "counter"}
	first := map[devices.Kind]*string{devices.Scanner: &s.Scanner, devices.Printer: &s.Printer,
		devices.Display: &s.Display, devices.Scale: &s.Scale, devices.LabelPrinter: &s.Labels}
	for _, d := range o.Devices.States() {
		if place := first[d.Kind]; place != nil && *place == "" {
			*place = d.Name
		}
	}
	return []Station{s}
}

// Handler serves pages, REST and gRPC on one port.
func (k *Kiosk) Handler() http.Handler { return k.handler }

// Notify tells the screens what changed on the floor. It never waits.
func (k *Kiosk) Notify(e shopfloor.Event) {
	switch e.Kind {
	case "pickup":
		k.events.publish(event("pickup", "", idString(e.Reservation)))
		k.slips.look(e.Reservation)
		k.bags.look(e.Reservation)
	case "station":
		k.events.publish(event("station", "", ""))
		return
	case "settings":
		k.events.publish(event("link", "", "")) // the store's standing may have changed
		return
	}
	if len(e.SKUs) > maxNamed {
		k.events.publish(event("stock", "", ""))
		return
	}
	for _, sku := range e.SKUs {
		k.events.publish(event("stock", "", decimal(int64(sku))))
	}
}

// maxNamed bounds how many SKUs of one record get an event each; beyond it one
// event without an id stands for all of them.
const maxNamed = 16

// Run reads the scanners and feeds the printers until ctx ends.
func (k *Kiosk) Run(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return k.pump(ctx) })
	all.Go(func() error { return k.spool.Run(ctx) })
	all.Go(func() error { return k.printSlips(ctx) })
	all.Go(func() error { return k.printBags(ctx) })
	all.Go(func() error { return k.showDisplays(ctx) })
	all.Go(func() error { return k.openDrawers(ctx) })
	all.Go(func() error { return k.watchDrawers(ctx) })
	all.Go(func() error { return k.watchLink(ctx) })
	all.Go(func() error { return k.watchDevices(ctx) })
	return all.Wait()
}

// statusPause keeps a busy link and a busy scanner from telling every screen of
// every record and every read: their answers come by themselves.
const statusPause = 500 * time.Millisecond

func (k *Kiosk) watchLink(ctx context.Context) error {
	for {
		changed := k.o.Link.Watch()
		k.events.publish(event("link", "", ""))
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
		if !pause(ctx) {
			return nil
		}
	}
}

// pause waits statusPause and tells whether ctx goes on.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(statusPause):
		return true
	case <-ctx.Done():
		return false
	}
}

func (k *Kiosk) watchDevices(ctx context.Context) error {
	for range k.o.Devices.Watch(ctx) {
		k.events.publish(event("device", "", ""))
		if !pause(ctx) {
			return nil
		}
	}
	return nil
}

// view reads the books. It does not give up half way: what a read fills in is
// the caller's, and reads are short.
func (k *Kiosk) view(ctx context.Context, read func(tx *journal.Tx) error) error {
	return k.o.Floor.View(context.WithoutCancel(ctx), read)
}

// now is the time in the store's zone.
func (k *Kiosk) now() time.Time { return time.Now().In(k.zone) }

// station returns how a station is wired; a name that is not configured has no
// devices.
func (k *Kiosk) station(name string) Station {
	i := slices.IndexFunc(k.o.Stations, func(s Station) bool { return s.Name == name })
	if i < 0 {
		return Station{Name: name}
	}
	return k.o.Stations[i]
}

// printer is where a station's paper comes out: its own printer, or the first.
func (k *Kiosk) printer(station string) string {
	if own := k.station(station).Printer; own != "" {
		return own
	}
	for _, s := range k.o.Stations {
		if s.Printer != "" {
			return s.Printer
		}
	}
	return ""
}
