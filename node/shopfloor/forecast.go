package shopfloor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// forecastTable keeps what was seen of demand. It is no part of the books: what
// a crash loses of it costs a little accuracy.
const forecastTable = `
CREATE TABLE local_demand (sku INTEGER PRIMARY KEY, demand BLOB NOT NULL) STRICT;
`

const (
	selectDemand = `SELECT demand FROM local_demand WHERE sku = ?`
	upsertDemand = `INSERT INTO local_demand (sku, demand) VALUES (?,?)
  ON CONFLICT (sku) DO UPDATE SET demand = excluded.demand`

	localShopWeek = "shop_week"
	localWebWeek  = "web_week"
	localCuts     = "cuts"
	localHeard    = "heard"
	// maxDemands is from how many products on their demand is written down and
	// leaves the memory.
	maxDemands = 8_000
	// savedAtOnce bounds the products that are written down in one go.
	savedAtOnce = 256
	// leastCut is a silence of the cloud that counts as a cut line, in ms; pongs
	// come every few seconds.
	leastCut = int64(60_000)
	// hoursFor is how long the hours of the week are taken as they were learned.
	hoursFor = int64(3600_000)
)

// forecast is what the store expects to be asked for, and how long its line
// stays down when it is cut. It decides what is set aside for whom, never what
// may be promised.
type forecast struct {
	mu      sync.Mutex
	sizer   *escrow.Sizer
	shop    escrow.Week
	web     escrow.Week
	hoursAt int64 // when the sizer's hours were made
	demands map[stock.SKU]*seen
	kindOf  func(tx *journal.Tx, sku stock.SKU) (category string, err error)
	usual   belief            // of a product whose category is not known well
	beliefs map[string]belief // by category
	pace    escrow.Pace
	heard   int64 // when the cloud was last heard of since the start, on the store's wall; 0: not
	spoke   int64 // the same, also before the start
}

// seen is one product's demand, and what was seen since it was last counted.
type seen struct {
	escrow.Demand
	shop, web stock.Units
	category  string
	loaded    bool // what was kept is in Demand, and its category
	dirty     bool
}

func newForecast(c Catalogue) *forecast {
	kindOf := func(tx *journal.Tx, sku stock.SKU) (string, error) {
		p, err := c.BySKU(tx, sku)
		return p.GetCategory(), err
	}
	return &forecast{sizer: escrow.NewSizer(), demands: make(map[stock.SKU]*seen), kindOf: kindOf,
		usual: usualBelief()}
}

// load reads what was kept; what another version of the program has written is
// learned again.
func (f *forecast) load(tx *journal.Tx) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	raw := make(map[string][]byte)
	for _, name := range []string{localShopWeek, localWebWeek, localCuts, localHeard} {
		kept, err := getBytes(tx, selectLocal, name)
		if err != nil {
			return err
		}
		raw[name] = kept
	}
	if w, err := escrow.ParseWeek(raw[localShopWeek]); err == nil {
		f.shop = w
	}
	if w, err := escrow.ParseWeek(raw[localWebWeek]); err == nil {
		f.web = w
	}
	if c, err := escrow.ParseCuts(raw[localCuts]); err == nil {
		f.sizer.Cuts = c
	}
	f.spoke = int64(decodeSeq(raw[localHeard]))
	return nil
}

// of returns a product's demand, and prepares the sizer for it; f.mu is held.
func (f *forecast) of(tx *journal.Tx, sku stock.SKU) (*seen, error) {
	s := f.entry(sku)
	return s, f.ready(tx, sku, s)
}

// ready loads what was kept of a product, and prepares the sizer for it; f.mu
// is held.
func (f *forecast) ready(tx *journal.Tx, sku stock.SKU, s *seen) error {
	if s.loaded {
		f.about(s)
		return nil
	}
	var raw []byte
	err := tx.QueryRow(selectDemand, sku).Scan(&raw)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("load demand of sku %d: %w", sku, err)
	}
	if len(raw) > 0 {
		s.Demand, _ = escrow.ParseDemand(raw) // of another version of the program: begin again
	}
	if s.category, err = f.kindOf(tx, sku); err != nil {
		return fmt.Errorf("load category of sku %d: %w", sku, err)
	}
	s.loaded = true
	f.about(s)
	return nil
}

// entry is what is in memory of a product; f.mu is held.
func (f *forecast) entry(sku stock.SKU) *seen {
	s, ok := f.demands[sku]
	if !ok {
		s = new(seen)
		f.demands[sku] = s
	}
	return s
}

// ask notes units that were asked for at the shelf or online; local is the
// store's wall time.
func (f *forecast) ask(sku stock.SKU, shop, web stock.Units, local int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.entry(sku)
	s.shop, s.web = s.shop+shop, s.web+web
	if shop > 0 {
		f.shop.Add(local, shop)
	}
	if web > 0 {
		f.web.Add(local, web)
	}
}

// look counts what was seen of a product until now and returns how many units
// to grant, or below zero to ask back, unasked.
func (f *forecast) look(tx *journal.Tx, a books.Account, local int64, connected bool) (stock.Units, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, known := f.demands[a.SKU]
	if !known {
		s = new(seen)
	}
	if err := f.ready(tx, a.SKU, s); err != nil {
		return 0, err
	}
	if local-f.hoursAt >= hoursFor || local < f.hoursAt {
		f.sizer.Shop.Hours, f.sizer.Web.Hours, f.hoursAt = f.shop.Hours(), f.web.Hours(), local
	}
	own, online := a.Balances[ledger.Sellable], a.Rights.Online()
	any := connected && own+online > 0 // units move on demand
	before := s.Demand
	s.Demand = f.sizer.Observe(s.Demand, escrow.Seen{At: local, Shop: s.shop, Web: s.web,
		ShopHas: any || own > 0, WebHas: any || online > 0})
	n := f.sizer.Move(s.Demand, local, escrow.Shares{Sellable: own, Online: online})
	// Of a product to which nothing happens the time can be counted later.
	if known || n != 0 || before.At == 0 || before.ShopHas != s.ShopHas || before.WebHas != s.WebHas {
		f.demands[a.SKU] = s
		s.shop, s.web, s.dirty = 0, 0, true
	}
	return n, nil
}

// turns is how many moves may be made now.
func (f *forecast) turns(local int64) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pace.Left(local)
}

// full tells whether what is in memory should be written down.
func (f *forecast) full() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.demands) >= maxDemands
}

// moved notes that a product's split was changed unasked; it is false when the
// node has made enough of such changes this second.
func (f *forecast) moved(sku stock.SKU, local int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.pace.Take(local) {
		return false
	}
	if s, ok := f.demands[sku]; ok {
		s.Moved = local
	}
	return true
}

// floor is how many of the store's own units are probably in customers' hands.
func (f *forecast) floor(tx *journal.Tx, a books.Account, local int64) (stock.Units, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.of(tx, a.SKU)
	if err != nil {
		return 0, err
	}
	return f.sizer.Floor(s.Demand, local, a.Balances[ledger.Sellable]), nil
}

// risk is the chance, in thousandths, that lending units of what the cloud may
// promise breaks a promise. Without a line the cloud was last heard at heard.
func (f *forecast) risk(tx *journal.Tx, a books.Account, lent stock.Units, local int64) (uint32, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.of(tx, a.SKU)
	if err != nil {
		return 0, err
	}
	contact := local
	if f.spoke > 0 {
		contact = min(local, f.spoke)
	}
	return f.sizer.Risk(s.Demand, local, escrow.Loan{Contact: contact, Online: a.Rights.Online(), Lent: lent}), nil
}

// hear notes that the cloud was heard of: a long silence before was a cut.
func (f *forecast) hear(local int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if silence := local - f.heard; f.heard > 0 && silence >= leastCut {
		f.sizer.Cuts.Add(silence)
	}
	f.heard, f.spoke = local, local
}

// costs takes the costs of the policy.
func (f *forecast) costs(p *recordv1.Policy) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sizer.Costs = escrow.UsualCosts()
	if p.GetStoreCost() > 0 && p.GetOnlineCost() > 0 {
		f.sizer.Costs = escrow.Costs{Store: p.GetStoreCost(), Online: p.GetOnlineCost(), Broken: p.GetBrokenCost()}
	}
}

// save writes down what has changed, a few products at a time so that tills get
// their turn, and lets go of products when there are many.
func (f *forecast) save(ctx context.Context, j *journal.Journal) error {
	f.mu.Lock()
	rows := make(map[stock.SKU][]byte)
	for sku, s := range f.demands {
		if s.loaded && s.dirty {
			rows[sku], s.dirty = s.Append(nil), false
		}
	}
	rest := map[string][]byte{localShopWeek: f.shop.Append(nil), localWebWeek: f.web.Append(nil),
		localCuts: f.sizer.Cuts.Append(nil), localHeard: encodeSeq(uint64(f.spoke))}
	f.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(rows)), savedAtOnce) {
		err := j.Local(ctx, func(tx *journal.Tx) error {
			for _, sku := range some {
				if _, err := tx.Exec(upsertDemand, sku, rows[sku]); err != nil {
					return fmt.Errorf("keep demand of sku %d: %w", sku, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	f.forget()
	return j.Local(ctx, func(tx *journal.Tx) error {
		for _, name := range slices.Sorted(maps.Keys(rest)) {
			if _, err := tx.Exec(upsertLocal, name, rest[name]); err != nil {
				return fmt.Errorf("keep %s: %w", name, err)
			}
		}
		return nil
	})
}

// forget lets go of products that are written down when there are many.
func (f *forecast) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.demands) >= maxDemands {
		maps.DeleteFunc(f.demands, func(_ stock.SKU, s *seen) bool {
			return !s.dirty && s.shop == 0 && s.web == 0
		})
	}
}

// asked tells the forecast what a durable record says of demand.
func (f *Floor) asked(rec *recordv1.Record) {
	shop, web := demandIn(rec)
	for _, l := range shop {
		f.forecast.ask(stock.SKU(l.GetSku()), stock.Units(l.GetUnits()), 0, f.local())
	}
	for _, l := range web {
		f.forecast.ask(stock.SKU(l.GetSku()), 0, stock.Units(l.GetUnits()), f.local())
	}
}

// demandIn lists what a record says was asked for, at the shelf and online.
func demandIn(rec *recordv1.Record) (shop []*recordv1.SaleLine, web []*recordv1.ReservedLine) {
	switch v := rec.GetBody().(type) {
	case *recordv1.Record_Sale:
		return v.Sale.GetLines(), nil
	case *recordv1.Record_Accept:
		return nil, v.Accept.GetReserve().GetLines()
	case *recordv1.Record_CollectByToken:
		return nil, v.CollectByToken.GetReserve().GetLines()
	}
	return nil, nil
}

// local is the store's own wall time, in ms: its customers come by it.
func (f *Floor) local() int64 { return f.o.Now() + f.o.ZoneMS(f.o.Now()) }

// SaveForecast keeps what was learned of demand.
func (f *Floor) SaveForecast(ctx context.Context) error { return f.forecast.save(ctx, f.j) }

// sweepMS is how often every product is looked at, though nothing happened to
// it: time alone changes what is expected.
const sweepMS = int64(10 * 60_000)

// SweepDue looks at every product when the last time is long ago, and once a day
// learns what to believe of those that it has not seen.
func (f *Floor) SweepDue(ctx context.Context) error {
	now := f.o.Now()
	if now-f.sweptAt.Load() < sweepMS {
		return nil
	}
	f.sweptAt.Store(now)
	f.touchAll()
	if now-f.learnedAt.Load() < priorsFor {
		return nil
	}
	f.learnedAt.Store(now)
	return f.learnPriors(ctx)
}
