package fleet

import (
	"fmt"
	"time"

	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// store is a shop: its shelves, its people, its line and its box.
type store struct {
	w     *World
	id    stock.StoreID
	cells []*cell // by SKU − 1
	box   *box    // the one that counts
	boxes []*box
	twin  *box // a copy of box that runs beside it; nil: none
	line  *line
	tills []*till
	sold  []sold // what customers took home, newest last
	docs  int    // deliveries so far

	invited int // boxes

	greeted   bool // every till has looked at the box since everything was mended
	replacing bool // there is no box, a new one is on its way
	astray    bool // box and cloud have not agreed since one of them lost its past
	bereft    bool // both have lost it before they agreed again
	renewing  bool // the cloud waits for the store's own books

	chain    map[uint64]journal.Hash // of the journal's records
	orders   map[uint64]journal.Hash // of the directives
	facts    map[journal.Hash]*fact  // what records did, of any box
	byUID    map[id]*fact            // the first of each request
	lost     []*fact                 // what records did that are in no journal that counts
	special  map[uint64]bool         // records that change every row
	head     journal.Position        // of the journal, as observed
	applied  uint64                  // directives, as observed
	timeline stock.Timeline          // that the store is in
	cloud    cloudView

	anomalies anomalyCount // at head office
}

// cloudView is what the cloud has of a store, as observed.
type cloudView struct {
	applied    journal.Position
	directives journal.Position
	acked      uint64
	session    uint64
	connected  bool // by that session
	timeline   stock.Timeline

	quarantined bool
	anomalies   int
}

type id = [16]byte

// sold is a unit or more that left with a customer.
type sold struct {
	sku   stock.SKU
	units stock.Units

	collected bool // as an order
}

// bay is where the units of one SKU really are in one store.
type bay struct {
	shelf   stock.Units // where customers can take them
	hands   stock.Units // carried, by customers or staff, and not booked yet
	back    stock.Units // picked, staged, or waiting for the shelf
	damaged stock.Units

	delivered, soldN, collected, returned, thrown stock.Units // came and went, booked or about to be

	// What the books believe beyond the truth, for reasons that the simulator
	// knows: theft, a wrong count, units found.
	slipShelf, slipBack stock.Units
	stolen              stock.Units // of slipShelf: units taken or put there unseen
	doubt               int         // steps under way whose outcome nobody knows
}

// cell is all that is known of one SKU in one store: the truth, the store's
// books, the cloud's books, and what shoppers were promised.
type cell struct {
	st  *store
	sku stock.SKU
	bay

	book   books.Account // in the box
	quota  escrow.Pool
	mirror books.Account // the cloud's copy of book

	held    stock.Units // in carts, as the commands said
	untaken stock.Units // promised, and not known to the store
	dirty   bool

	untakenOld   stock.Units // the same, of older timelines, as far as it is open
	legacy       stock.Units // granted in older timelines, and not taken
	mirrorLegacy stock.Units
	lost         ledger.Balances // what lost facts did to the books
	lostShelf    stock.Units     // and in the shop
	lostBack     stock.Units
	gone         stock.Units     // of untaken: dealt with by a box that forgot it
	excused      ledger.Balances // units that went another way in the books than in the shop
	counted      stock.Epoch     // of the newest absolute count
	countedAt    uint64          // its record

	lastSale    time.Duration // when a sale took the last of sellable
	lastPromise time.Duration // when a promise took the last of the pool
}

func (st *store) cell(sku stock.SKU) *cell { return st.cells[int(sku)-1] }

func (w *World) newStore(n int) *store {
	st := &store{w: w, id: stock.StoreID(n + 1), line: newLine(w),
		chain: make(map[uint64]journal.Hash), orders: make(map[uint64]journal.Hash),
		facts: make(map[journal.Hash]*fact), byUID: make(map[id]*fact), special: make(map[uint64]bool), timeline: 1}
	for i := range w.products {
		c := &cell{st: st, sku: stock.SKU(i + 1)}
		c.book = books.Account{SKU: c.sku, Rights: escrow.Rights{Timeline: 1}}
		c.mirror = c.book
		st.cells = append(st.cells, c)
	}
	for i := range tillsPerStore {
		st.tills = append(st.tills, &till{st: st, name: fmt.Sprintf("till-%d", i+1)})
	}
	return st
}

// torn tells whether box and cloud may each have a history of their own.
func (st *store) torn() bool { return st.astray || st.twin != nil || st.renewing }

// mayDiffer tells whether a step may be refused because a part of the store's
// past is lost.
func (st *store) mayDiffer() bool {
	return st.torn() || len(st.lost) > 0
}

// touch lets a cell be checked at the end of the event.
func (c *cell) touch() {
	if !c.dirty {
		c.dirty = true
		c.st.w.dirty = append(c.st.w.dirty, c)
	}
}

// take moves units from the shelf into somebody's hands, as far as there are.
func (c *cell) take(n stock.Units) stock.Units {
	n = max(0, min(n, c.shelf))
	c.shelf -= n
	c.hands += n
	return n
}

// putBack moves units from hands to the shelf.
func (c *cell) putBack(n stock.Units) {
	c.hands -= n
	c.shelf += n
}

// believed is what the books have on the shelf and behind it.
func believed(b ledger.Balances) (shelf, back stock.Units) {
	return b[ledger.Sellable] + b[ledger.Online] + b[ledger.Reserved],
		b[ledger.Picked] + b[ledger.Staged] + b[ledger.ToShelve]
}

// rows copies what was observed of the books.
func (st *store) rows() map[stock.SKU]books.Account {
	rows := make(map[stock.SKU]books.Account)
	for _, c := range st.cells {
		rows[c.sku] = c.book
	}
	return rows
}

func (st *store) close() error {
	var err error
	for _, b := range st.boxes {
		if b.journal != nil {
			err = b.journal.Close()
		}
	}
	return err
}
