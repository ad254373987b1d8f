package chaos

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/firmware-sim/chaos/history"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
)

const (
	recordPage   = 500
	shownWrongs  = 12 // violations of one kind
	finalClients = 5000
)

// findings are what the checks found.
type findings struct {
	Shelves   int      `json:"shelves"`    // counters that were exact
	PoolOps   int      `json:"pool_ops"`   // answers about them that were explained
	Lives     int      `json:"lives"`      // reservations that only went on
	LifeOps   int      `json:"life_ops"`   // answers about them
	Facts     int      `json:"facts"`      // acknowledged by stores, and there once
	Records   int      `json:"records"`    // of the stores, all replayed
	Promises  int      `json:"promises"`   // kept, at both ends
	Invariant int64    `json:"invariants"` // things that head office checked
	Forgotten int      `json:"forgotten"`  // promises that a restored cloud may not know
	Copies    int      `json:"copies"`     // of members, equal in every row
	Wrong     []string `json:"wrong,omitempty"`
}

func (f *findings) wrong(format string, args ...any) {
	f.Wrong = append(f.Wrong, fmt.Sprintf(format, args...))
}

// some adds at most shownWrongs of the same kind.
func (f *findings) some(all []string) {
	if len(all) > shownWrongs {
		all = append(all[:shownWrongs:shownWrongs], fmt.Sprintf("… and %d more", len(all)-shownWrongs))
	}
	f.Wrong = append(f.Wrong, all...)
}

// checkHistories holds every answer against what may be true.
func (f *findings) checkHistories(c *crowd, rec *records, dir string) error {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	f.some(rec.wrong)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return err
	}
	broken := 0
	draw := func(v history.Verdict, kind string) error {
		if v.Wrong == "" {
			return nil
		}
		if broken++; broken > shownWrongs {
			return nil
		}
		page := filepath.Join(dir, fmt.Sprintf("%s-%d.html", kind, broken))
		err := v.Draw(page)
		f.wrong("%s: %s\n    %s\n    see %s", v.Name, v.Wrong, strings.Join(v.Shortest, "\n    "),
			filepath.Base(page))
		return err
	}
	for _, s := range c.shelves {
		if len(s.ops) == 0 {
			continue
		}
		v := history.CheckShelf(s.name, s.free, s.ops)
		f.Shelves, f.PoolOps = f.Shelves+1, f.PoolOps+v.Answered
		if err := draw(v, "shelf"); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(rec.lives)) {
		v := history.CheckLife("reservation "+id, rec.lives[id])
		f.Lives, f.LifeOps = f.Lives+1, f.LifeOps+v.Answered
		if err := draw(v, "life"); err != nil {
			return err
		}
	}
	if broken > shownWrongs {
		f.wrong("… and %d more histories that nothing explains", broken-shownWrongs)
	}
	return nil
}

// shopFloor is what a store's journal says.
type shopFloor struct {
	records  int
	ids      map[string]int   // records by the caller's id
	received map[uint32]int64 // by SKU
	left     map[uint32]int64 // sold or handed over
	orders   map[string]*recordv1.Reserve
}

// readJournal reads all records of a store.
func readJournal(ctx context.Context, n *node) (*shopFloor, error) {
	s := &shopFloor{ids: make(map[string]int), received: make(map[uint32]int64),
		left: make(map[uint32]int64), orders: make(map[string]*recordv1.Reserve)}
	for from := uint64(1); ; from += recordPage {
		page := new(storev1.ListRecordsResponse)
		path := fmt.Sprintf("/v1/records?from=%d&page_size=%d", from, recordPage)
		if err := n.api.get(ctx, path, page); err != nil {
			return nil, fmt.Errorf("records of store %d: %w", n.store, err)
		}
		for _, stored := range page.GetRecords() {
			rec := new(recordv1.Record)
			if err := proto.Unmarshal(stored.GetData(), rec); err != nil {
				return nil, fmt.Errorf("record %d of store %d: %w", stored.GetSeq(), n.store, err)
			}
			s.add(rec)
		}
		if len(page.GetRecords()) < recordPage {
			return s, nil
		}
	}
}

func (s *shopFloor) add(rec *recordv1.Record) {
	s.records++
	if len(rec.GetUid()) > 0 {
		s.ids[hex.EncodeToString(rec.GetUid())]++
	}
	for _, l := range rec.GetReceipt().GetLines() {
		s.received[l.GetSku()] += l.GetUnits()
	}
	for _, l := range rec.GetSale().GetLines() {
		s.left[l.GetSku()] += l.GetUnits()
	}
	if r := rec.GetAccept().GetReserve(); r != nil {
		s.orders[hex.EncodeToString(r.GetReservation())] = r
	}
	if c := rec.GetCollect(); c != nil {
		order := s.orders[hex.EncodeToString(c.GetReservation())]
		for _, out := range c.GetLines() {
			for _, l := range order.GetLines() {
				if l.GetLine() == out.GetLine() {
					s.left[l.GetSku()] += out.GetUnits()
				}
			}
		}
	}
}

// checkStore holds a store's journal against what its clients were told, and
// its books against the cloud's.
func (f *findings) checkStore(ctx context.Context, w *world, n *node,
	rec *records) (*shopFloor, error) {
	floor, err := readJournal(ctx, n)
	if err != nil {
		return nil, err
	}
	f.Records += floor.records
	var wrong []string
	rec.mu.Lock()
	for _, fact := range rec.facts {
		if fact.Store != n.store {
			continue
		}
		times := floor.ids[bareID(fact.ID)]
		switch {
		case times > 1:
			wrong = append(wrong, fmt.Sprintf("%s %s was recorded %d times", fact.Kind, fact.ID, times))
		case fact.Outcome == history.OK && times == 0:
			wrong = append(wrong, fmt.Sprintf("%s %s was acknowledged and is lost", fact.Kind, fact.ID))
		case fact.Outcome == history.OK:
			f.Facts++
		case fact.Outcome != history.Unknown && times > 0:
			wrong = append(wrong, fmt.Sprintf("%s %s was refused (%s) and is there", fact.Kind, fact.ID,
				fact.Outcome))
		}
	}
	rec.mu.Unlock()
	f.some(wrong)
	err = runTool(ctx, n.child, filepath.Join(w.o.Bin, "holdfast-node"), "verify", "--data", n.data,
		"--admin", n.admin)
	if err != nil {
		f.wrong("store %d: %v", n.store, err)
	}
	return floor, f.sameBooks(ctx, w, n)
}

func bareID(id string) string { return strings.ReplaceAll(id, "-", "") }

// sameBooks wants a store and each member of the cloud to have the same books.
func (f *findings) sameBooks(ctx context.Context, w *world, n *node) error {
	own, token := make(map[uint32]*storev1.Stock), ""
	for {
		page := new(storev1.ListStockResponse)
		if err := n.api.get(ctx, "/v1/stock?page_size=1000&page_token="+token, page); err != nil {
			return fmt.Errorf("stock of store %d: %w", n.store, err)
		}
		for _, s := range page.GetStock() {
			own[s.GetSku()] = s
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	for _, m := range w.members {
		rows, err := m.books(ctx, n.store)
		if err != nil {
			return err
		}
		var wrong []string
		for sku, s := range own {
			for account, units := range s.GetAccounts() {
				if got := rows[sku].GetAccounts()[account]; got != units {
					wrong = append(wrong, fmt.Sprintf("%s of SKU %d: store %d has %d, %s has %d", account, sku,
						n.store,
						units, m.Name(), got))
				}
			}
			if free := s.GetAccounts()["sellable"]; free < 0 {
				wrong = append(wrong, fmt.Sprintf("store %d owes %d of SKU %d", n.store, -free, sku))
			}
		}
		f.some(wrong)
	}
	return nil
}

// checkPromises wants every reservation that a client was told of at both ends,
// and every one of them kept.
func (f *findings) checkPromises(ctx context.Context, w *world, c *crowd,
	floors map[uint32]*shopFloor) error {
	rec := c.rec
	if c.forgets != nil { // a life may then go back to what it was
		rec = newRecords()
	}
	inspector := w.newShopper(finalClients, rec)
	defer inspector.leave()
	open := make(map[uint32]map[uint32]int64) // units not handed over yet, by store and SKU
	skus := w.skus()
	var wrong []string
	for _, p := range c.rec.allPromises() {
		heard := floors[p.Store].orders[bareID(p.ID)] != nil
		forgotten := false
		for m := range w.members {
			r, err := inspector.lookAt(ctx, m, p.ID)
			if codeOf(err) == string(history.Missing) && !heard && c.forgets != nil && c.forgets(p) {
				forgotten = true
				continue
			}
			if err != nil {
				wrong = append(wrong, fmt.Sprintf("reservation %s at %s: %v", p.ID, w.members[m].Name(), err))
				continue
			}
			if m > 0 {
				continue
			}
			for _, l := range r.GetLines() {
				if l.GetShort() > 0 {
					wrong = append(wrong, fmt.Sprintf("reservation %s is short of %d of %s", p.ID, l.GetShort(),
						l.GetGtin()))
				}
				if open[p.Store] == nil {
					open[p.Store] = make(map[uint32]int64)
				}
				open[p.Store][skus[l.GetGtin()]] += int64(l.GetQuantity() - l.GetCollected() - l.GetReleased())
			}
		}
		if forgotten {
			f.Forgotten++
			continue
		}
		if !heard {
			wrong = append(wrong, fmt.Sprintf("store %d never heard of reservation %s", p.Store, p.ID))
		}
		f.Promises++
	}
	for store, floor := range floors {
		for sku, received := range floor.received {
			if left := floor.left[sku] + open[store][sku]; left > received {
				wrong = append(wrong, fmt.Sprintf("store %d got %d of SKU %d and gave or promised %d", store,
					received,
					sku, left))
			}
		}
	}
	f.some(wrong)
	return nil
}

func (w *world) skus() map[string]uint32 {
	all := map[string]uint32{w.probe.gtin: w.probe.sku}
	for _, p := range slices.Concat(w.shelves, w.trade) {
		all[p.gtin] = p.sku
	}
	return all
}

func (r *records) allPromises() []promise {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Collect(maps.Values(r.promises))
	slices.SortFunc(all, func(a, b promise) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// checkCloud lets every member check what it can see.
func (f *findings) checkCloud(ctx context.Context, w *world) error {
	for _, m := range w.members {
		results, err := m.invariants(ctx)
		if err != nil {
			return fmt.Errorf("invariants of %s: %w", m.Name(), err)
		}
		for _, r := range results {
			f.Invariant += r.GetChecked()
			if !r.GetHeld() {
				f.wrong("%s: invariant %s: %s", m.Name(), r.GetName(), strings.Join(r.GetViolations(), "; "))
			}
		}
	}
	return nil
}

// checkLogs wants no program to have panicked.
func (f *findings) checkLogs(w *world) error {
	logs, err := filepath.Glob(w.path("logs", "*.log"))
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, word := range []string{"panic:", "DATA RACE", "fatal error:"} {
			if i := strings.Index(string(text), word); i >= 0 {
				f.wrong("%s: %s", filepath.Base(path), text[i:min(len(text), i+400)])
			}
		}
	}
	return err
}

// seen counts the lines of all programs' logs that have a word.
func (w *world) seen(word string) (n int, err error) {
	logs, err := filepath.Glob(w.path("logs", "*.log"))
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			return n, err
		}
		n += strings.Count(string(text), word)
	}
	return n, err
}

// check waits until everything is quiet, and checks all of it.
func (f *findings) check(ctx context.Context, w *world, c *crowd) error {
	for _, n := range w.nodes {
		if err := w.settled(ctx, n); err != nil {
			f.wrong("the world does not settle: %v", err)
			return nil
		}
	}
	floors := make(map[uint32]*shopFloor)
	for _, n := range w.nodes {
		floor, err := f.checkStore(ctx, w, n, c.rec)
		if err != nil {
			return err
		}
		floors[n.store] = floor
	}
	if err := f.checkPromises(ctx, w, c, floors); err != nil {
		return err
	}
	if err := f.checkCloud(ctx, w); err != nil {
		return err
	}
	if err := f.checkCopies(ctx, w); err != nil {
		return err
	}
	if err := f.checkLogs(w); err != nil {
		return err
	}
	return f.checkHistories(c, c.rec, w.path("pages"))
}
