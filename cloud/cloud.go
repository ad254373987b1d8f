// Package cloud wires the cloud's process: log, public API and pages, the
// nodes' listener, and the operators' listener.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"holdfast.dev/cloud/dashboard"
	"holdfast.dev/cloud/engine"
	"holdfast.dev/cloud/gateway"
	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/cloud/storefront"
	"holdfast.dev/cloud/uplink"
	"holdfast.dev/internal/identity"
	"holdfast.dev/internal/process"
	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"
)

// Options say where the cloud keeps its data and where it listens.
type Options struct {
	Data        string `help:"Folder of the cloud's database and keys." default:"/var/lib/holdfast/cloud"`
	Listen      string `help:"Address of the storefront and the public API." default:"127.0.0.1:8080"`
	Nodes       string `help:"Address for the stores' nodes (mutual TLS)." default:":8443"`
	Admin       string `help:"Address of the head office API, health and metrics; keep it private." default:"127.0.0.1:8081"`
	NodeAddress string `help:"host:port that join strings name, several with commas; the nodes' address unless given." placeholder:"HOST:PORT"`
	MemberOptions
	TLS      process.TLSFiles   `embed:"" prefix:"tls-"`
	Language string             `help:"Language where a shopper asks for none: nl, da, de or en." default:"en" enum:"nl,da,de,en"`
	Rate     float64            `help:"Changes a second that one caller may make." default:"50"`
	Burst    int                `help:"Changes that one caller may make at once." default:"300"`
	Log      process.LogOptions `embed:"" prefix:"log-"`
}

const (
	// tenant is the retailer; one installation serves one.
	tenant = 1

	// holdSweep is how often holds whose time has come are given up.
	holdSweep = 5 * time.Second
	// drainWithin spreads the nodes' return when the cloud stops.
	drainWithin = time.Second
)

type cloud struct {
	o        Options
	log      *slog.Logger
	engine   *engine.Engine
	ca       *identity.CA
	keys     keyring
	uplink   *uplink.Server
	asked    atomic.Pointer[uplink.Server] // by other processes
	gateway  *gateway.Gateway
	public   *process.API
	office   *process.API
	health   *process.Health
	registry *prometheus.Registry
	disk     *process.Disk
	copying  sync.Mutex // held while a backup is made
}

// Run runs the cloud until ctx ends, or until something it cannot go on
// without fails.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	c := &cloud{o: o, log: log, health: new(process.Health), registry: process.NewRegistry()}
	if err := c.open(ctx); err != nil {
		return err
	}
	defer c.engine.Close()
	ls, err := c.listen()
	if err != nil {
		return err
	}
	log.Info("running", "member", c.engine.Member().ID(), "shoppers", ls.pages.Addr().String(),
		"nodes", ls.nodes.Addr().String(), "operators", ls.admin.Addr().String())
	pages, err := c.pages(ctx)
	if err != nil {
		return err
	}
	admin, err := c.adminHandler(ctx)
	if err != nil {
		return err
	}
	return process.Run(ctx,
		process.Part{Name: "log", Run: c.watchLog},
		process.Part{Name: "disk", Run: c.disk.Run},
		process.Part{Name: "greeting", Run: c.greet},
		process.Part{Name: "api", Run: c.public.Run},
		process.Part{Name: "office", Run: c.office.Run},
		process.Serve("admin", bothHTTP(process.AdminServer(o.Admin, admin)), ls.admin),
		process.Part{Name: "housekeeping", Run: c.housekeep},
		process.Part{Name: "nodes", Run: func(ctx context.Context) error { return c.serveNodes(ctx, ls.nodes) }},
		process.Serve("pages", bothHTTP(process.HTTPServer(o.Listen, pages)), ls.pages),
		process.Systemd(log, func(context.Context) error { return c.engine.Err() }),
	)
}

func (c *cloud) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(c.o.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if err := errors.Join(refuseHalfRestored(c.o.Data), c.haveKeys()); err != nil {
		return err
	}
	if c.disk, err = process.NewDisk(c.o.Data, c.log); err != nil {
		return err
	}
	if c.ca, err = identity.OpenCA(c.o.Data); err != nil {
		return err
	}
	if err := c.openEngine(ctx); err != nil {
		return err
	}
	if err := c.readKeys(ctx); err != nil {
		return errors.Join(err, c.engine.Close())
	}
	c.uplink = uplink.NewServer(uplink.Options{Office: uplink.FromEngine(c.engine), CA: c.ca, Logger: c.log,
		Member: c.engine.Member().ID()})
	c.asked.Store(c.uplink)
	nodesAt := c.o.NodeAddress
	if nodesAt == "" {
		nodesAt = c.o.Nodes
	}
	c.gateway = gateway.New(gateway.Options{Engine: c.engine, Stores: lines{c.uplink, c.engine}, Tenant: tenant,
		KeyAt: c.keys.at, CAPin: c.ca.Pin(), NodesAt: nodesAt, Logger: c.log})
	lang, _ := words.ParseLang(c.o.Language)
	if c.public, err = process.NewAPI(c.log, lang); err != nil {
		return err
	}
	if c.office, err = process.NewAPI(c.log, lang); err != nil {
		return err
	}
	shopv1.RegisterShopServer(c.public.Server(), c.gateway)
	shopv1.RegisterHeadOfficeServer(c.office.Server(), c.gateway.Office())
	c.addChecks()
	return nil
}

type listeners struct{ pages, nodes, admin net.Listener }

func (c *cloud) listen() (ls listeners, err error) {
	if ls.pages, err = process.ListenWeb("listen", c.o.Listen, c.o.TLS); err != nil {
		return ls, err
	}
	if ls.nodes, err = process.Listen("nodes", c.o.Nodes); err != nil {
		return ls, errors.Join(err, ls.pages.Close())
	}
	if ls.admin, err = process.ListenWeb("admin", c.o.Admin, process.TLSFiles{}); err != nil {
		return ls, errors.Join(err, ls.pages.Close(), ls.nodes.Close())
	}
	return ls, nil
}

// pages is everything on the public listener.
func (c *cloud) pages(ctx context.Context) (http.Handler, error) {
	if err := c.public.REST(ctx, shopv1.RegisterShopHandler); err != nil {
		return nil, err
	}
	front := storefront.New(storefront.Options{Shop: c.gateway, Language: words.Match(c.o.Language, words.EN),
		Logger: c.log})
	mux := http.NewServeMux()
	mux.Handle("/v1/", http.MaxBytesHandler(c.public.RESTHandler(), process.MaxBody))
	mux.Handle("/", front.Handler())
	limit := gateway.Limit{PerSecond: c.o.Rate, Burst: c.o.Burst}
	return limit.Handler(c.public.Handler(mux)), nil
}

func (c *cloud) adminHandler(ctx context.Context) (http.Handler, error) {
	if err := c.office.REST(ctx, shopv1.RegisterHeadOfficeHandler); err != nil {
		return nil, err
	}
	mux := process.AdminMux(c.health, c.registry)
	mux.Handle("/v1/", c.office.RESTHandler())
	c.serveMembers(mux)
	mux.HandleFunc("POST /v1/backup", c.serveBackup)
	mux.HandleFunc("GET /v1/keys", c.serveKeys)
	mux.Handle("/", dashboard.New(dashboard.Options{Office: c.gateway.Office(),
		Language: words.Match(c.o.Language, words.EN), Room: c.disk.Room, Logger: c.log}).Handler())
	return c.office.Handler(mux), nil
}

// bothHTTP lets a server speak HTTP/1 and HTTP/2, the latter without TLS too.
func bothHTTP(s *http.Server) *http.Server {
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// watchLog ends the process when the log can no longer be trusted.
func (c *cloud) watchLog(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-c.engine.Fault():
		return fmt.Errorf("log stopped: %w", c.engine.Err())
	}
}

// serveNodes serves the stores' nodes until ctx ends, and asks them to come
// back before it stops.
func (c *cloud) serveNodes(ctx context.Context, l net.Listener) error {
	host, _, err := net.SplitHostPort(c.o.Nodes)
	if err != nil {
		return fmt.Errorf("address --nodes %s: %w", c.o.Nodes, err)
	}
	server := grpc.NewServer(uplink.ServerOptions(c.ca.ServerTLS(host))...)
	c.uplink.Register(server)
	stop := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.Background(), 2*drainWithin)
		defer cancel()
		c.uplink.Drain(drain, drainWithin)
		server.Stop()
	})
	defer stop()
	if err := server.Serve(l); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve nodes: %w", err)
	}
	return nil
}

// housekeep publishes keys, and, where the cloud's leader is, gives up the holds
// whose time has come and the sessions of lost processes.
func (c *cloud) housekeep(ctx context.Context) error {
	tick := time.NewTicker(holdSweep)
	defer tick.Stop()
	silent := make(silence)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := errors.Join(c.readKeys(ctx), c.publishKeys(ctx)); err != nil && ctx.Err() == nil {
			c.log.Error("publish the pickup keys", "err", err)
		}
		if !c.engine.Member().Leads() {
			clear(silent)
			continue
		}
		if err := c.closeLostSessions(ctx, silent); err != nil && ctx.Err() == nil {
			c.log.Error("end the sessions of lost processes", "err", err)
		}
		for _, body := range []*recordv1.Command{
			{Body: &recordv1.Command_ExpireHolds{ExpireHolds: &recordv1.ExpireHolds{}}},
			{Body: &recordv1.Command_ExpireData{ExpireData: &recordv1.ExpireData{}}},
		} {
			if _, err := c.engine.Propose(ctx, body); err != nil && ctx.Err() == nil {
				c.log.Error("housekeeping", "err", err)
			}
		}
		if err := c.engine.Forget(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("forget old commands", "err", err)
		}
	}
}

func (c *cloud) addChecks() {
	c.health.Add("log", func(context.Context) error { return c.engine.Err() })
	c.health.Add("majority", c.engine.Member().Sync)
	c.disk.Register(c.registry, c.health)
	c.health.Warn("keys", c.keys.warning)
	c.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_member_leads",
			Help: "1 where the cloud's leader is."}, c.countLeader),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_member_age_seconds",
			Help: "How old this member's copy may be."},
			func() float64 { return c.engine.Member().Age().Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_cluster_version",
			Help: "Newest version of commands that all members know."},
			func() float64 { return float64(c.engine.Journal().Applied().Version) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_log_records",
			Help: "Commands so far; old ones are no longer in the log."},
			func() float64 { return float64(c.engine.Journal().Head().Seq) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_stores_connected",
			Help: "Stores whose node is connected."}, c.countConnected))
}

func (c *cloud) countConnected() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n := 0
	c.engine.View(ctx, func(tx *journal.Tx) error { // a metric that cannot be read is zero
		stores, err := headoffice.Stores(tx, 0, -1)
		for _, s := range stores {
			if on, _ := c.uplink.Connected(s.ID); on {
				n++
			}
		}
		return err
	})
	return float64(n)
}

func (c *cloud) countLeader() float64 {
	if c.engine.Member().Leads() {
		return 1
	}
	return 0
}
