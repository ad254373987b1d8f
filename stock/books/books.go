// Package books keeps the rows of ledger, escrow and reservations: it loads
// them, asks the rules, and saves what a record changed. A store's node and the
// cloud's mirror of that store use the same rows and the same code.
package books

import (
	"database/sql"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// Rules says what happens to a record that the rules do not allow.
type Rules uint8

const (
	// Strict refuses before anything is changed: the store itself.
	Strict Rules = 1 + iota
	// Total never refuses: a mirror of what another side has recorded. What does
	// not fit is covered from suspense and listed as an anomaly.
	Total
)

// Account is one SKU's book in one store.
type Account struct {
	SKU      stock.SKU
	Balances ledger.Balances
	Rights   escrow.Rights

	stored, dirty bool
	wide          bool // more changed than a plain sale changes
}

// Anomaly is something that the mirror could not explain.
type Anomaly struct {
	Seq  uint64
	Code stock.Code
	What string
}

// Book is one unit of work on a store's rows, inside one transaction. Nothing
// is written before Save; a refused record leaves the Book unusable.
type Book struct {
	tx           *journal.Tx
	store        stock.StoreID
	accounts     map[stock.SKU]*Account
	touched      []stock.SKU
	reservations map[[16]byte]*Reservation
	changed      []*Reservation
	anomalies    []Anomaly
	cursor       *Cursor
	documents    []document
	legacies     map[legacyKey]*legacyRights
	counts       []counted
	items        []Item
	handled      []*recordv1.HandleItem
	loaded       *Cursor
	saved        []stock.SKU // touched by what was written before the end
	forgotten    [][16]byte  // reservations

	rules Rules
	seq   uint64
	at    int64 // Unix ms of the record
}

// Open begins a unit of work on the rows of store.
func Open(tx *journal.Tx, store stock.StoreID) *Book {
	return &Book{tx: tx, store: store}
}

// Touched lists the SKUs whose accounts changed, in the order of first change.
func (b *Book) Touched() []stock.SKU { return append(b.saved, b.touched...) }

// Anomalies lists what Total rules could not explain.
func (b *Book) Anomalies() []Anomaly { return b.anomalies }

// Changed lists the reservations that changed.
func (b *Book) Changed() []*Reservation { return b.changed }

// Account returns a copy of the book of sku; empty when nothing was booked yet.
func (b *Book) Account(sku stock.SKU) (Account, error) {
	a, err := b.account(sku)
	if err != nil {
		return Account{}, err
	}
	return *a, nil
}

func (b *Book) account(sku stock.SKU) (*Account, error) {
	if a, ok := b.accounts[sku]; ok {
		return a, nil
	}
	a, err := scanAccount(b.tx.QueryRow(selectAccount, b.store, sku))
	if errors.Is(err, sql.ErrNoRows) {
		var now Cursor
		now, err = b.now()
		a = unbooked(sku, now.Timeline)
	}
	if err != nil {
		return nil, fmt.Errorf("load account %d of store %d: %w", sku, b.store, err)
	}
	b.put(a)
	return a, nil
}

// unbooked is the book of a SKU of which nothing was booked yet.
func unbooked(sku stock.SKU, t stock.Timeline) *Account {
	return &Account{SKU: sku, Rights: escrow.Rights{Timeline: t}}
}

func (b *Book) put(a *Account) {
	if b.accounts == nil {
		b.accounts = make(map[stock.SKU]*Account, 4)
	}
	b.accounts[a.SKU] = a
}

func (b *Book) touch(a *Account) {
	if !a.dirty {
		a.dirty = true
		b.touched = append(b.touched, a.SKU)
	}
}

// post books one movement by the rules of this unit of work.
func (b *Book) post(sku stock.SKU, m ledger.Movement) error {
	a, err := b.account(sku)
	if err != nil {
		return err
	}
	if m.Units == 0 {
		return nil
	}
	plain := m.From == ledger.Sellable && m.To == ledger.Sold
	next, err := ledger.Post(a.Balances, m)
	if r, refused := stock.AsRefusal(err); refused {
		if b.rules == Strict {
			return r.With("sku", sku)
		}
		b.note(r.Code, "sku %d: %s", sku, r.Detail)
		next, err = cover(a.Balances, m)
		plain = false
	}
	if err != nil {
		return nil // Total: noted above, nothing can be booked
	}
	a.Balances = next
	a.wide = a.wide || !plain
	b.touch(a)
	return nil
}

// cover books m although From does not have the units: suspense lends them.
func cover(balances ledger.Balances, m ledger.Movement) (ledger.Balances, error) {
	missing := m.Units - max(0, balances[m.From])
	if missing > 0 && m.From != ledger.Suspense {
		next, err := ledger.Post(balances,
			ledger.Movement{From: ledger.Suspense, To: m.From, Units: missing})
		if err != nil {
			return balances, err
		}
		balances = next
	}
	return ledger.Post(balances, m)
}

// note lists an anomaly; only a mirror does.
func (b *Book) note(code stock.Code, format string, args ...any) {
	b.anomalies = append(b.anomalies, Anomaly{Seq: b.seq, Code: code, What: fmt.Sprintf(format, args...)})
}

// rights changes the counters of a SKU by one of escrow's rules.
func (b *Book) rights(sku stock.SKU, rule func(escrow.Rights) (escrow.Rights, error)) error {
	a, err := b.account(sku)
	if err != nil {
		return err
	}
	next, err := rule(a.Rights)
	if r, refused := stock.AsRefusal(err); refused {
		if b.rules == Strict {
			return r.With("sku", sku)
		}
		b.note(r.Code, "sku %d: %s", sku, r.Detail)
		return nil
	}
	if err != nil {
		return err
	}
	a.Rights, a.wide = next, true
	b.touch(a)
	return nil
}

// Save writes every row that changed, once.
func (b *Book) Save() error {
	for _, sku := range b.touched {
		if err := b.saveAccount(b.accounts[sku]); err != nil {
			return fmt.Errorf("save account %d of store %d: %w", sku, b.store, err)
		}
	}
	for _, r := range b.changed {
		if err := b.saveReservation(r); err != nil {
			return fmt.Errorf("save reservation %x: %w", r.ID, err)
		}
	}
	for _, d := range b.documents {
		if _, err := b.tx.Exec(insertDocument, b.store, d.id, d.position, d.seq); err != nil {
			return fmt.Errorf("save document %q: %w", d.id, err)
		}
	}
	b.saved, b.touched = append(b.saved, b.touched...), nil
	b.documents = nil
	if err := b.saveRecovery(); err != nil || b.cursor == nil {
		return err
	}
	return b.saveCursor()
}
