package headoffice

import (
	"database/sql"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
)

// Store is what the cloud knows of one store.
type Store struct {
	ID         stock.StoreID
	Info       *recordv1.StoreInfo
	Policy     *recordv1.Policy
	Epoch      stock.Epoch
	Timeline   stock.Timeline
	NodeID     []byte // of the node that may connect; empty: none is enrolled
	Session    uint64 // the last one
	Connected  bool   // the last session is open
	Member     string // the cloud process that holds it
	SessionAt  int64  // Unix ms: when it was opened, or ended
	Applied    journal.Position
	AppliedAt  int64            // Unix ms of the last record taken in; 0: none yet
	Directives journal.Position // the last one written
	Acked      uint64
	Build      string
	Catalogue  uint64 // version that the node had when it connected
	Backlog    uint64 // records that it had not sent then

	// Quarantined says that the store's counters contradicted the cloud's:
	// its records are kept but not booked.
	Quarantined bool
	Frozen      bool // no node is served before an operator admits one
}

func (s *store) public() (*Store, error) {
	info, err := s.about()
	if err != nil {
		return nil, err
	}
	policy, err := s.terms()
	if err != nil {
		return nil, err
	}
	return &Store{ID: s.id, Info: info, Policy: policy, Epoch: s.epoch, Timeline: s.timeline,
		NodeID: s.node, Session: s.session, Connected: s.connected, Member: s.member,
		SessionAt: s.sessionAt, Applied: s.applied, AppliedAt: s.appliedAt,
		Directives: s.directives, Acked: s.acked, Build: s.build, Catalogue: s.catalogue,
		Backlog: s.backlog, Quarantined: s.quarantined, Frozen: s.frozen}, nil
}

// FindStore returns a store, or refuses with UnknownStore.
func FindStore(tx *journal.Tx, id stock.StoreID) (*Store, error) {
	s, err := loadStore(tx, id)
	if err != nil {
		return nil, err
	}
	return s.public()
}

// Stores lists stores by number, after one; a negative limit means all.
func Stores(tx *journal.Tx, after stock.StoreID, limit int) ([]*Store, error) {
	found, err := loadStores(tx, after, limit)
	if err != nil {
		return nil, err
	}
	all := make([]*Store, len(found))
	for i, s := range found {
		if all[i], err = s.public(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func loadStores(tx *journal.Tx, after stock.StoreID, limit int) ([]*store, error) {
	rows, err := tx.Query(listStores, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list stores: %w", err)
	}
	defer rows.Close()
	var all []*store
	for rows.Next() {
		s, err := scanStore(rows)
		if err != nil {
			return nil, fmt.Errorf("read store: %w", err)
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// Keys returns the keys that pickup codes are signed with; empty when none are
// set.
func Keys(tx *journal.Tx) (*recordv1.KeySet, error) {
	d, err := sit(tx, 0)
	if err != nil {
		return nil, err
	}
	return decodeKeys(d.keys)
}

// Totals are a store's units over all products.
type Totals struct {
	Pool     stock.Units
	Held     stock.Units
	Promised stock.Units // confirmed, and not yet known to the store
}

const (
	sumQuota = `SELECT ifnull(sum(granted - returned - assigned - held), 0), ifnull(sum(held), 0),
  ifnull(sum(assigned), 0) FROM quota WHERE store = ?`
	sumAssigned = `SELECT ifnull(sum(assigned), 0) FROM acct WHERE store = ?`
)

// StoreTotals sums up what the cloud may promise and has promised of a store.
func StoreTotals(tx *journal.Tx, id stock.StoreID) (Totals, error) {
	var t Totals
	if err := tx.QueryRow(sumQuota, id).Scan(&t.Pool, &t.Held, &t.Promised); err != nil {
		return t, fmt.Errorf("sum quota of store %d: %w", id, err)
	}
	var known stock.Units
	if err := tx.QueryRow(sumAssigned, id).Scan(&known); err != nil {
		return t, fmt.Errorf("sum accounts of store %d: %w", id, err)
	}
	t.Promised -= known
	return t, nil
}

// Stock is what can be said of one product in one store.
type Stock struct {
	SKU       stock.SKU
	Pool      escrow.Pool
	Sellable  stock.Units // the store's own, as of AsOf
	Floor     stock.Units // that the store keeps for itself
	AsOf      int64       // Unix ms of the last record taken in; 0: none yet
	Connected bool
}

// Available is how many units the cloud can promise: what it has, and while
// the store is connected what the store would grant.
func (s Stock) Available() stock.Units {
	free := s.Pool.Free()
	if s.Connected {
		free += max(0, s.Sellable-s.Floor)
	}
	return free
}

// selectStock is one statement, because availability is what is asked most.
const selectStock = `SELECT s.policy, s.applied_at, s.connected, ifnull(q.granted, 0),
  ifnull(q.returned, 0), ifnull(q.assigned, 0), ifnull(q.held, 0), ifnull(a.sellable, 0)
  FROM store s LEFT JOIN quota q ON q.store = s.store AND q.timeline = s.timeline AND q.sku = ?2
  LEFT JOIN acct a ON a.store = s.store AND a.sku = ?2 WHERE s.store = ?1`

// Availability says what one store has of each product, in the order asked.
func Availability(tx *journal.Tx, id stock.StoreID, skus ...stock.SKU) ([]Stock, error) {
	all := make([]Stock, len(skus))
	for i, sku := range skus {
		s := store{id: id}
		row := Stock{SKU: sku}
		err := tx.QueryRow(selectStock, id, sku).Scan(&s.policy, &row.AsOf, &row.Connected,
			&row.Pool.Granted, &row.Pool.Returned, &row.Pool.Assigned, &row.Pool.Held, &row.Sellable)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, unknownStore(id)
		}
		if err != nil {
			return nil, fmt.Errorf("load stock of sku %d in store %d: %w", sku, id, err)
		}
		policy, err := s.terms()
		if err != nil {
			return nil, err
		}
		row.Floor = stock.Units(policy.GetFloorUnits())
		all[i] = row
	}
	return all, nil
}

// BookRow is what the cloud has of one product in one store: its own counters
// and the mirror of the store's.
type BookRow struct {
	SKU    stock.SKU
	Pool   escrow.Pool
	Mirror books.Account
}

// BookRows lists a store's books by SKU, after one.
func BookRows(tx *journal.Tx, id stock.StoreID, after stock.SKU, limit int) ([]BookRow, error) {
	d := &desk{tx: tx}
	s, err := loadStore(tx, id)
	if err != nil {
		return nil, err
	}
	accounts, err := books.Accounts(tx, id, after, limit)
	if err != nil {
		return nil, err
	}
	rows := make([]BookRow, len(accounts))
	for i, a := range accounts {
		q, err := d.quota(s, a.SKU)
		if err != nil {
			return nil, err
		}
		rows[i] = BookRow{SKU: a.SKU, Pool: q.pool, Mirror: a}
	}
	return rows, nil
}

// BookOf returns the books of one product in one store.
func BookOf(tx *journal.Tx, id stock.StoreID, sku stock.SKU) (BookRow, error) {
	rows, err := BookRows(tx, id, sku-1, 1)
	if err != nil || len(rows) == 0 || rows[0].SKU != sku {
		return BookRow{SKU: sku, Mirror: books.Account{SKU: sku}}, err
	}
	return rows[0], nil
}
