// Package node wires one store's process: journal, shop floor, devices, pages
// and the line to the cloud.
package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"holdfast.dev/internal/identity"
	"holdfast.dev/internal/process"
	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/kiosk"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"
)

// Options say where a node keeps its data, where it listens, and which devices
// it has.
type Options struct {
	Data         string             `help:"Folder of the node's database and identity." default:"/var/lib/holdfast/node"`
	Listen       string             `help:"Address of the store's pages and its local API." default:"127.0.0.1:8090"`
	Admin        string             `help:"Address of health, metrics and checks." default:"127.0.0.1:8091"`
	TLS          process.TLSFiles   `embed:"" prefix:"tls-"`
	Cloud        string             `help:"host:port of the cloud, several with commas; the join string's unless given." placeholder:"HOST:PORT"`
	ReconnectCap time.Duration      `help:"Longest wait between tries to reach the cloud." default:"60s"`
	Language     string             `help:"Language of the pages and receipts: nl, da, de or en; the store's unless given."`
	Log          process.LogOptions `embed:"" prefix:"log-"`
	Logo         string             `help:"PNG picture for the head of receipts, black on white, up to 384 by 240 dots of 1/8 mm." placeholder:"FILE"`
	Country      string             `help:"ISO 3166 code of the country whose rules weighed goods follow; none unless given."`
	Devices      []devices.Config   `kong:"-" toml:"device"`
	Stations     []kiosk.Station    `kong:"-" toml:"station"`
	Staff        []kiosk.Staff      `kong:"-" toml:"staff"`
	Measures     []Measure          `kong:"-" toml:"measure"`
}

const (
	// tenant is the retailer; one installation serves one.
	tenant = 1

	journalFile = "store.db"
	// housekeeping is how often due orders and the acknowledged number are looked at.
	housekeeping = 15 * time.Second
)

// node is one running process; its parts in the order of their start.
type node struct {
	o        Options
	log      *slog.Logger
	id       *identity.NodeIdentity
	info     storeInfo
	floor    *shopfloor.Floor
	products *catalogue.Products
	journal  *journal.Journal
	devices  *devices.Set
	link     *uplink.Link
	kiosk    *kiosk.Kiosk
	health   *process.Health
	registry *prometheus.Registry
	disk     *process.Disk
	restart  context.CancelCauseFunc // ends the run, to begin another
}

// maxRebuilds bounds how often one process goes on after its store was rebuilt.
const maxRebuilds = 5

// Run runs a node until ctx ends, or until something it cannot go on without
// fails. A store that had to be rebuilt from the cloud goes on with its new
// journal.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	for range maxRebuilds {
		err := runOnce(ctx, o, log)
		if !errors.Is(err, errRebuilt) || ctx.Err() != nil {
			return err
		}
		log.Info("the store was rebuilt from the cloud and starts again")
	}
	return errors.New("the store was rebuilt again and again")
}

func runOnce(ctx context.Context, o Options, log *slog.Logger) (err error) {
	n := &node{o: o, log: log, health: new(process.Health), registry: process.NewRegistry()}
	ctx, n.restart = context.WithCancelCause(ctx)
	defer func() {
		if cause := context.Cause(ctx); err == nil && errors.Is(cause, errRebuilt) {
			err = cause
		}
		n.restart(nil)
	}()
	if err := takeRebuilt(o.Data); err != nil {
		return err
	}
	if err := n.open(ctx); err != nil {
		return err
	}
	defer n.journal.Close()
	pages, err := process.ListenWeb("listen", o.Listen, o.TLS)
	if err != nil {
		return err
	}
	admin, err := process.Listen("admin", o.Admin)
	if err != nil {
		return errors.Join(err, pages.Close())
	}
	server := process.HTTPServer(o.Listen, n.kiosk.Handler())
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	server.Protocols.SetHTTP2(true)
	return process.Run(ctx,
		process.Part{Name: "journal", Run: n.watchJournal},
		process.Part{Name: "disk", Run: n.disk.Run},
		process.Serve("admin", process.AdminServer(o.Admin, n.adminMux()), admin),
		process.Part{Name: "devices", Run: n.devices.Run},
		process.Part{Name: "balance", Run: n.floor.Balance},
		process.Part{Name: "housekeeping", Run: n.housekeep},
		process.Part{Name: "kiosk", Run: n.kiosk.Run},
		process.Part{Name: "uplink", Run: n.link.Run},
		process.Serve("pages", server, pages),
		process.Systemd(log, func(context.Context) error { return n.journal.Err() }),
	)
}

// open opens identity and journal and builds the parts.
func (n *node) open(ctx context.Context) (err error) {
	if n.id, err = identity.OpenNodeKey(n.o.Data); err != nil {
		return err
	}
	if !n.id.Enrolled() {
		return fmt.Errorf("the node in %s belongs to no store yet: get a join string from head office "+
			"and run holdfast-node enrol --data %s JOIN", n.o.Data, n.o.Data)
	}
	if n.disk, err = process.NewDisk(n.o.Data, n.log); err != nil {
		return err
	}
	if n.info, err = loadStoreInfo(n.o.Data); err != nil {
		return err
	}
	if err := checkStations(n.o.Stations, n.o.Devices); err != nil {
		return err
	}
	n.products = new(catalogue.Products)
	n.devices = devices.New(devices.Options{Devices: n.o.Devices, Logger: n.log})
	if err := n.openFloor(ctx); err != nil {
		return err
	}
	logo, err := readLogo(n.o.Logo)
	if err != nil {
		return err
	}
	n.link = n.newLink()
	n.floor.SetLink(floorLink{n.link})
	n.kiosk = kiosk.New(kiosk.Options{Floor: n.floor, Products: n.products, Journal: n.journal,
		Devices: n.devices, Link: n.link, Info: n.kioskInfo(), Stations: n.o.Stations, Staff: n.o.Staff,
		Logo: logo, Logger: n.log, Registry: n.registry})
	n.addChecks()
	return nil
}

func (n *node) openFloor(ctx context.Context) error {
	nodeID, err := nodeID(n.id.Peer().NodeID)
	if err != nil {
		return err
	}
	o := n.floorOptions(nodeID)
	o.Notify = func(e shopfloor.Event) { n.kiosk.Notify(e) }
	o.Rest = process.Pause(shopfloor.BalanceRest)
	if o.Decoder, err = decoder(n.o.Country, n.o.Measures); err != nil {
		return err
	}
	if c := n.devices.Compartments(); c.Any() {
		o.Lockers = c
	}
	o.ZoneMS = n.info.zone()
	n.floor = shopfloor.New(o, localTables()...)
	n.journal, err = journal.Open(ctx, journal.Options{Path: filepath.Join(n.o.Data, journalFile),
		Machine: n.floor.Machine(), Logger: n.log})
	if err != nil {
		return err
	}
	n.products.Open(n.journal)
	return n.floor.Open(ctx, n.journal)
}

// floorOptions are what a shop floor of this node's store stands on.
func (n *node) floorOptions(id shopfloor.ID) shopfloor.Options {
	return floorOptions(n.id.Peer(), id, n.products, n.log)
}

func floorOptions(peer identity.Peer, id shopfloor.ID, products shopfloor.Catalogue,
	log *slog.Logger) shopfloor.Options {
	return shopfloor.Options{Store: peer.Store, NodeID: id, Epoch: peer.Epoch, Tenant: tenant,
		Catalogue: products, Logger: log,
		Now: func() int64 { return time.Now().UnixMilli() }, Steady: steady(),
		NewID: func() shopfloor.ID { return shopfloor.ID(uuid.Must(uuid.NewV7())) }}
}

// steady counts from now on and does not follow the wall clock's jumps.
func steady() func() time.Duration {
	begun := time.Now()
	return func() time.Duration { return time.Since(begun) }
}

// localTables are the tables beside the books.
func localTables() []string { return []string{catalogue.Migration, kiosk.Migration} }

func (n *node) kioskInfo() kiosk.Info {
	lang, ok := words.ParseLang(n.o.Language)
	if !ok {
		lang = words.Match(n.info.Language, words.EN)
	}
	ca := n.id.CAHash()
	return kiosk.Info{Store: n.id.Peer().Store, Name: n.info.Name, Town: n.info.Town,
		Street: n.info.Street, Currency: n.info.Currency, Timezone: n.info.Timezone, Language: lang,
		NodeID: string(n.id.ID()), Realm: hex.EncodeToString(ca[:8]), Build: process.Version()}
}

// watchJournal ends the process when the journal can no longer be trusted: a
// restart is the only way to know what is on the disk.
func (n *node) watchJournal(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-n.journal.Fault():
		return fmt.Errorf("journal stopped: %w", n.journal.Err())
	}
}

// housekeep releases what nobody claimed and keeps the acknowledged number.
func (n *node) housekeep(ctx context.Context) error {
	tick := time.NewTicker(housekeeping)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return n.floor.SaveAcked(context.WithoutCancel(ctx))
		case <-tick.C:
		}
		if released, err := n.floor.ExpireDue(ctx); err != nil {
			n.log.Error("release unclaimed orders", "err", err)
		} else if released > 0 {
			n.log.Info("released unclaimed orders", "count", released)
		}
		for what, due := range map[string]func(context.Context) error{
			"keep acknowledged number": n.floor.SaveAcked, "keep forecast": n.floor.SaveForecast,
			"look at every product": n.floor.SweepDue, "settle": n.floor.SettleDue,
			"write digest": n.floor.DigestDue, "take old units back": n.drainLegacy, "clear up": n.floor.HousekeepDue} {
			if err := due(ctx); err != nil {
				n.log.Error(what, "err", err)
			}
		}
	}
}

func (n *node) drainLegacy(ctx context.Context) error {
	_, err := n.floor.DrainLegacy(ctx, shopfloor.Cause{Actor: "node"}, false)
	return err
}

func (n *node) addChecks() {
	n.health.Add("journal", func(context.Context) error { return n.journal.Err() })
	n.disk.Register(n.registry, n.health)
	n.registry.MustRegister(
		devices.Collector(n.devices),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_journal_records",
			Help: "Records in the journal."}, func() float64 { return float64(n.journal.Head().Seq) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_uplink_backlog_records",
			Help: "Records that the cloud has not acknowledged."},
			func() float64 { return float64(n.link.State().Backlog) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_uplink_online",
			Help: "1 while the cloud is connected."}, func() float64 {
			if n.link.State().Phase == uplink.Offline {
				return 0
			}
			return 1
		}),
	)
}

// adminMux serves health, metrics and the proof of the books.
func (n *node) adminMux() http.Handler {
	mux := process.AdminMux(n.health, n.registry)
	mux.HandleFunc("GET /vitals", n.serveVitals)
	mux.HandleFunc("POST /self-test", n.serveSelfTest)
	mux.HandleFunc("POST /verify", func(w http.ResponseWriter, r *http.Request) {
		report, err := n.journal.Verify(r.Context(), nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeJSON(w, report)
	})
	return mux
}

// ensureData makes the data folder, readable by this user only.
func ensureData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	return nil
}
