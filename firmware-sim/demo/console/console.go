// Package console is the demo's own page: it shows every store at work, scans
// products with a click, and pulls cables.
package console

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast.dev/firmware-sim/demo"
	"holdfast.dev/internal/look"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock/words"
)

const (
	lookEvery  = time.Second            // while somebody looks
	pauseAfter = 120 * time.Millisecond // between two looks, however much happens
	retryAfter = 500 * time.Millisecond
)

// Console shows one demo. Run keeps what it shows fresh.
type Console struct {
	room     *demo.Room
	products map[string]demo.Product // by GTIN
	opening  []demo.Product
	wake     chan struct{} // holds a token when something changed

	mu      sync.Mutex
	seen    *snapshot             // guarded by mu; nil before the first look
	news    chan struct{}         // closed at the next look; guarded by mu
	watched string                // GTIN that the store cards show; guarded by mu
	names   map[words.Lang]string // of the watched product; guarded by mu
	heard   map[uint32]heard      // by store: the last answer to a scan; guarded by mu
	viewers int                   // open event streams; guarded by mu
}

// heard is what a station said.
type heard struct {
	Station string
	Answer  *storev1.Answer
	At      time.Time
}

// New returns a console of a demo that is open.
func New(room *demo.Room) *Console {
	c := &Console{room: room, products: make(map[string]demo.Product), wake: make(chan struct{}, 1),
		news: make(chan struct{}), heard: make(map[uint32]heard)}
	all, _ := demo.ReadCatalogue(room.CatalogueFile()) // what cannot be read has no scale labels here
	for _, p := range all {
		c.products[p.GTIN] = p
	}
	c.opening = demo.Opening(all)
	for _, p := range c.opening {
		if c.watched == "" || !p.Measured() {
			c.watched = p.GTIN
		}
		if !p.Measured() {
			break
		}
	}
	return c
}

// Handler serves the console.
func (c *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /look/", look.Handler())
	mux.HandleFunc("GET /console.css", serveStyle)
	mux.HandleFunc("GET /{$}", c.servePage)
	mux.HandleFunc("GET /events", c.serveEvents)
	mux.HandleFunc("GET /receipts/{store}/{file}", c.serveReceipt)
	mux.HandleFunc("GET /display.png", c.serveDisplay)
	mux.HandleFunc("GET /label/{file}", c.serveLabel)
	for path, act := range c.actions() {
		mux.HandleFunc("POST "+path, c.serveAction(act))
	}
	return look.SecurityHeaders(http.NewCrossOriginProtection().Handler(mux))
}

// Run keeps looking at the demo until ctx ends.
func (c *Console) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.keepLooking(ctx) })
	group.Go(func() error { return c.follow(ctx, c.room.Changed) })
	for _, s := range c.room.Stores {
		group.Go(func() error { return c.follow(ctx, s.Printer.Watch) })
		group.Go(func() error { return c.listen(ctx, s) })
	}
	return group.Wait()
}

// follow asks for a look whenever something changes.
func (c *Console) follow(ctx context.Context, change func() <-chan struct{}) error {
	for {
		changed := change()
		select {
		case <-changed:
			c.poke()
		case <-ctx.Done():
			return nil
		}
	}
}

// poke asks for a fresh look.
func (c *Console) poke() {
	select {
	case c.wake <- struct{}{}:
	default: // one is due already
	}
}

// listen hears what the stations of a store answer, also after its node was
// away for a while.
func (c *Console) listen(ctx context.Context, s *demo.Store) error {
	for ctx.Err() == nil {
		c.hear(ctx, s)
		c.poke()
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
		}
	}
	return nil
}

func (c *Console) hear(ctx context.Context, s *demo.Store) {
	stream, err := s.Floor.WatchEvents(ctx, &storev1.WatchEventsRequest{})
	for err == nil {
		var e *storev1.Event
		if e, err = stream.Recv(); err != nil {
			return
		}
		if e.GetKind() == "answer" {
			c.mu.Lock()
			c.heard[s.ID] = heard{Station: e.GetStation(), Answer: e.GetAnswer(), At: time.Now()}
			c.mu.Unlock()
		}
		c.poke()
	}
}

// keepLooking looks when asked to, and every second while somebody watches.
func (c *Console) keepLooking(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-tick.C:
			if !c.watchedByAnybody() {
				continue
			}
		}
		c.look(ctx)
		select {
		case <-time.After(pauseAfter):
		case <-ctx.Done():
		}
	}
}

func (c *Console) watchedByAnybody() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.viewers > 0
}

// watch makes a product the one whose numbers the store cards show.
func (c *Console) watch(gtin string) {
	c.mu.Lock()
	if c.watched != gtin {
		c.watched, c.names = gtin, nil
	}
	c.mu.Unlock()
	c.poke()
}

// label is what a scanner reads of a product: weighed goods get a label of the
// shop's scale.
func (c *Console) label(gtin string) string {
	const grams = 740
	if p, ok := c.products[gtin]; ok {
		return p.Label(grams)
	}
	return strings.TrimPrefix(gtin, "0")
}

// place is one station of one store.
type place struct {
	Store   *demo.Store
	Station string
}

// String is how forms and links name the place.
func (p place) String() string { return placeName(p.Store.ID, p.Station) }

// placeOf finds a place by its name; the first store's till unless there is one.
func (c *Console) placeOf(name string) place {
	for _, s := range c.room.Stores {
		for _, station := range demo.Stations() {
			if name == placeName(s.ID, station) {
				return place{s, station}
			}
		}
	}
	return place{c.room.Stores[0], demo.Till}
}

// shownGoods is how many products the shelf shows at once.
const shownGoods = 24

// shelf finds products of the assortment; without a query some that every
// store had at first. It is empty while the cloud is away.
func (c *Console) shelf(ctx context.Context, lang words.Lang, query string) []*shopv1.Product {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	if query != "" {
		found, err := c.room.Head.Shop.SearchProducts(ctx, &shopv1.SearchProductsRequest{Query: query,
			Language: string(lang), PageSize: shownGoods})
		if err != nil {
			return nil
		}
		return found.GetProducts()
	}
	var some []*shopv1.Product
	for _, p := range demo.Spread(c.opening, shownGoods) {
		known, err := c.room.Head.Shop.GetProduct(ctx, &shopv1.GetProductRequest{Gtin: p.GTIN, Language: string(lang)})
		if err != nil {
			return some
		}
		some = append(some, known)
	}
	return some
}
