package books

import (
	"database/sql"
	"errors"
	"fmt"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// Kinds of items: what a person should look at. The sentences for people stand
// in stock/words.
const (
	ItemBorrowed     = "borrowed"     // sold although the cloud may have promised it
	ItemSafeSale     = "safe_sale"    // sold while the node did not trust its own state
	ItemBumped       = "bumped"       // sold although an order had it
	ItemFound        = "found"        // sold although the books knew of none
	ItemShort        = "short"        // an order cannot be filled
	ItemReplaced     = "replaced"     // an order was filled with other units: count the shelf
	ItemDebt         = "debt"         // a count shows fewer units than are promised
	ItemUncovered    = "uncovered"    // a promise that no granted unit backs
	ItemVoided       = "voided"       // an order that this store could not take
	ItemSalvaged     = "salvaged"     // a fact of a former box was booked late
	ItemHandedTwice  = "handed_twice" // a former box handed over what had ended here
	ItemAlarm        = "alarm"        // what should be impossible
	ItemUnclassified = "unclassified" // a fact that could not be understood
	ItemCount        = "count"        // a shelf should be counted
	ItemTimeline     = "new_timeline" // the cloud was restored from a backup
	ItemLocker       = "locker"       // a compartment's door is stuck
	maxItemDetail    = 500
	maxItemText      = 200
	maxItemsListed   = 500
)

// Item is one thing that a person should look at: what happened, in which
// record, and how far somebody has dealt with it.
type Item struct {
	Seq         uint64
	Number      uint32
	Kind        string
	At          int64 // Unix ms
	SKU         stock.SKU
	Units       stock.Units
	Reservation [16]byte // zero: about none
	Detail      string
	Progress    recordv1.ItemProgress
	Owner       string
	Note        string
}

const (
	itemColumns = `seq, number, kind, at, sku, units, reservation, detail, progress, owner, note`
	insertItem  = `INSERT INTO item (store, ` + itemColumns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
  ON CONFLICT (store, seq, number) DO NOTHING`
	updateItem = `UPDATE item SET progress = ?, owner = ?, note = ?
  WHERE store = ? AND seq = ? AND number = ?`
	selectItem = `SELECT ` + itemColumns + ` FROM item WHERE store = ? AND seq = ? AND number = ?`
	listOpen   = `SELECT ` + itemColumns + ` FROM item WHERE store = ? AND progress <> 3
  AND (seq, number) < (?, ?) ORDER BY seq DESC, number DESC LIMIT ?`
	listItems = `SELECT ` + itemColumns + ` FROM item WHERE store = ?
  AND (seq, number) < (?, ?) ORDER BY seq DESC, number DESC LIMIT ?`
)

// item notes something of the record that is being applied.
func (b *Book) item(i Item) {
	i.Seq, i.At, i.Progress = b.seq, b.at, recordv1.ItemProgress_ITEM_PROGRESS_OPEN
	i.Number = 1
	for _, other := range b.items {
		if other.Seq == i.Seq {
			i.Number++
		}
	}
	if len(i.Detail) > maxItemDetail {
		i.Detail = i.Detail[:maxItemDetail]
	}
	b.items = append(b.items, i)
}

// ofReservation names the order that an item is about.
func ofReservation(id []byte) (r [16]byte) {
	copy(r[:], id)
	return r
}

// saleItems notes a sale that took more than the store's own units.
func (b *Book) saleItems(s *recordv1.Sale) {
	kind := map[recordv1.SaleMode]string{recordv1.SaleMode_SALE_MODE_BORROW: ItemBorrowed,
		recordv1.SaleMode_SALE_MODE_SAFE: ItemSafeSale, recordv1.SaleMode_SALE_MODE_BUMP: ItemBumped,
		recordv1.SaleMode_SALE_MODE_FOUND: ItemFound}[s.GetMode()]
	if kind == "" {
		return
	}
	i := Item{Kind: kind, Detail: s.GetDecidedBy()}
	for _, l := range s.GetLines() {
		if i.SKU == 0 {
			i.SKU = stock.SKU(l.GetSku())
		}
		i.Units += units(l.GetUnits())
	}
	for _, short := range s.GetBumped() {
		i.Reservation = ofReservation(short.GetReservation())
	}
	b.item(i)
}

// handle books what somebody does about an item.
func (b *Book) handle(h *recordv1.HandleItem) error {
	if h.GetProgress() == 0 || len(h.GetOwner()) > maxItemText || len(h.GetNote()) > maxItemText {
		return malformed("item")
	}
	for i := range b.items {
		if it := &b.items[i]; it.Seq == h.GetSeq() && it.Number == h.GetNumber() {
			it.Progress, it.Owner, it.Note = h.GetProgress(), h.GetOwner(), h.GetNote()
			return nil
		}
	}
	known, err := FindItem(b.tx, b.store, h.GetSeq(), h.GetNumber())
	if err != nil {
		return err
	}
	if known == nil {
		return stock.Refuse(stock.BadRequest, "record %d has no item %d", h.GetSeq(), h.GetNumber()).
			With("what", "item")
	}
	b.handled = append(b.handled, h)
	return nil
}

func (b *Book) saveItems() error {
	for _, i := range b.items {
		_, err := b.tx.Exec(insertItem, b.store, i.Seq, i.Number, i.Kind, i.At, i.SKU, int64(i.Units),
			i.Reservation[:], i.Detail, int32(i.Progress), i.Owner, i.Note)
		if err != nil {
			return fmt.Errorf("save item of record %d: %w", i.Seq, err)
		}
	}
	for _, h := range b.handled {
		_, err := b.tx.Exec(updateItem, int32(h.GetProgress()), h.GetOwner(), h.GetNote(), b.store,
			h.GetSeq(), h.GetNumber())
		if err != nil {
			return fmt.Errorf("save item of record %d: %w", h.GetSeq(), err)
		}
	}
	b.items, b.handled = nil, nil
	return nil
}

// FindItem returns one item; nil when there is none.
func FindItem(tx *journal.Tx, store stock.StoreID, seq uint64, number uint32) (*Item, error) {
	i, err := scanItem(tx.QueryRow(selectItem, store, seq, number))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return i, err
}

func scanItem(row scanner) (*Item, error) {
	i := new(Item)
	var id []byte
	err := row.Scan(&i.Seq, &i.Number, &i.Kind, &i.At, &i.SKU, &i.Units, &id, &i.Detail, &i.Progress,
		&i.Owner, &i.Note)
	copy(i.Reservation[:], id)
	return i, err
}

// ItemQuery asks for items, the newest first, those before one; the zero Seq
// means from the newest.
type ItemQuery struct {
	Store        stock.StoreID
	BeforeSeq    uint64
	BeforeNumber uint32
	Done         bool // also those that are done
	Limit        int
}

// Items lists what people should look at.
func Items(tx *journal.Tx, q ItemQuery) ([]*Item, error) {
	if q.BeforeSeq == 0 {
		q.BeforeSeq = 1<<63 - 1
	}
	if q.Limit <= 0 || q.Limit > maxItemsListed {
		q.Limit = maxItemsListed
	}
	list := listOpen
	if q.Done {
		list = listItems
	}
	rows, err := tx.Query(list, q.Store, q.BeforeSeq, q.BeforeNumber, q.Limit)
	if err != nil {
		return nil, fmt.Errorf("list items: %w", err)
	}
	defer rows.Close()
	var all []*Item
	for rows.Next() {
		i, err := scanItem(rows)
		if err != nil {
			return nil, fmt.Errorf("read item: %w", err)
		}
		all = append(all, i)
	}
	return all, rows.Err()
}
