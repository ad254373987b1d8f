package kiosk

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/token"
	"holdfast.dev/stock/words"
)

// itemPlace is where an item stands: its record, and its number among the items
// of that record.
type itemPlace struct {
	seq    uint64
	number uint32
}

// String gives the name of the item, such as "120-1".
func (p itemPlace) String() string { return fmt.Sprintf("%d-%d", p.seq, p.number) }

func placeOf(i *books.Item) itemPlace { return itemPlace{i.Seq, i.Number} }

// parseItem reads the name of an item.
func parseItem(name string) (p itemPlace, err error) {
	seq, number, _ := strings.Cut(name, "-")
	n, errNumber := strconv.ParseUint(number, 10, 32)
	p.number = uint32(n)
	if p.seq, err = strconv.ParseUint(seq, 10, 63); err != nil || errNumber != nil || p.seq == 0 {
		return p, badRequest("item", "%.40q", name)
	}
	return p, nil
}

// Words for how far somebody has dealt with an item.
const (
	progressOpen  = "open"
	progressTaken = "taken"
	progressDone  = "done"
)

var progressWords = map[recordv1.ItemProgress]string{
	recordv1.ItemProgress_ITEM_PROGRESS_OPEN:  progressOpen,
	recordv1.ItemProgress_ITEM_PROGRESS_TAKEN: progressTaken,
	recordv1.ItemProgress_ITEM_PROGRESS_DONE:  progressDone,
}

func parseProgress(word string) (recordv1.ItemProgress, error) {
	for p, w := range progressWords {
		if w == word {
			return p, nil
		}
	}
	return 0, badRequest("progress", "%.20q", word)
}

// byPolicy stands for a person where nobody had to decide.
const byPolicy = "policy"

// personIn is who an item says decided or found out; "" where it names nobody.
func personIn(i *books.Item) string {
	switch i.Kind {
	case books.ItemBorrowed, books.ItemSafeSale, books.ItemBumped, books.ItemFound, books.ItemShort:
		if i.Detail != byPolicy {
			return i.Detail
		}
	}
	return ""
}

// doorIn is the compartment that an item is about; "" for none.
func doorIn(i *books.Item) string {
	if i.Kind == books.ItemLocker {
		return i.Detail
	}
	return ""
}

// detailIn is what an item says beyond its sentences, for support.
func detailIn(i *books.Item) string {
	switch i.Kind {
	case books.ItemAlarm, books.ItemUnclassified, books.ItemCount, books.ItemSalvaged, books.ItemLocker:
		return i.Detail
	}
	return ""
}

// itemProto says what an item is about, in words; report has its title too.
func (k *Kiosk) itemProto(tx *journal.Tx, lang words.Lang, i *books.Item) (
	*storev1.Item, words.Report, error) {
	out := &storev1.Item{Item: placeOf(i).String(), Kind: i.Kind, At: stampMillis(i.At),
		Quantity: int64(i.Units), Reservation: idString(i.Reservation), Detail: detailIn(i),
		Progress: progressWords[i.Progress], Owner: i.Owner, Note: i.Note, Seq: i.Seq}
	quantity := ""
	if i.SKU != 0 {
		p, err := k.o.Products.BySKU(tx, i.SKU)
		if err != nil {
			return nil, words.Report{}, err
		}
		if p != nil {
			out.Gtin, out.Product = p.GetGtin(), catalogue.Name(p, string(lang))
		}
		if p != nil && i.Units > 0 {
			quantity = words.Counted(lang, i.Units, p.GetUnit())
		}
	}
	if i.Reservation != (shopfloor.ID{}) {
		r, known, err := books.Open(tx, k.o.Info.Store).Reservation(i.Reservation)
		if err != nil {
			return nil, words.Report{}, err
		}
		if known {
			out.Code = r.Reserve.GetCode()
		}
	}
	said := words.Item(lang, i.Kind, "product", out.Product, "quantity", quantity,
		"order", token.GroupCode(out.Code), "who", personIn(i), "door", doorIn(i))
	out.Happened, out.Done, out.Todo = said.Happened, said.Done, said.Todo
	return out, said, nil
}

// goods are units of one product in a record.
type goods struct {
	sku   stock.SKU
	units stock.Units
}

// goodsIn lists what a record moved, where its item does not say it all.
func goodsIn(rec *recordv1.Record) (all []goods) {
	lines := rec.GetRefund().GetLines()
	if r := rec.GetReceipt(); r != nil {
		lines = r.GetLines()
	}
	for _, l := range lines {
		all = append(all, goods{stock.SKU(l.GetSku()), stock.Units(l.GetUnits())})
	}
	for _, l := range rec.GetSale().GetLines() {
		all = append(all, goods{stock.SKU(l.GetSku()), stock.Units(l.GetUnits())})
	}
	return all
}

// happening is a record behind an item, as people read it.
type happening struct {
	What  string // name of its text
	Who   string
	At    int64
	Seq   uint64
	Old   bool     // written by a former computer
	Goods []string // what it moved
	More  int      // how much is not listed
}

// maxGoods bounds how many products one happening lists.
const maxGoods = 4

func (k *Kiosk) happeningOf(ctx context.Context, lang words.Lang, rec *recordv1.Record) (
	happening, error) {
	h := happening{What: recordText(rec), Who: rec.GetActor(), At: int64(rec.GetHlc() >> 16),
		Seq: rec.GetSeq()}
	moved := goodsIn(rec)
	h.More = max(0, len(moved)-maxGoods)
	err := k.view(ctx, func(tx *journal.Tx) error {
		if c := rec.GetCount(); c != nil {
			p, err := k.o.Products.BySKU(tx, stock.SKU(c.GetSku()))
			if err != nil {
				return err
			}
			h.Goods = append(h.Goods, words.T(lang, "kiosk.inbox.counted",
				"counted", words.Quantity(lang, stock.Units(c.GetCounted()), p.GetUnit()),
				"believed", words.Quantity(lang, stock.Units(c.GetCounted()-c.GetDelta()), p.GetUnit())))
		}
		for _, g := range moved[:len(moved)-h.More] {
			p, err := k.o.Products.BySKU(tx, g.sku)
			if err != nil {
				return err
			}
			h.Goods = append(h.Goods,
				words.Counted(lang, g.units, p.GetUnit())+" "+catalogue.Name(p, string(lang)))
		}
		return nil
	})
	return h, err
}

// recordText is the name of the text that says what a record is.
func recordText(rec *recordv1.Record) string {
	if key := kindOf(rec); words.Has("kiosk.record." + key) {
		return "record." + key
	}
	return "record.other"
}

// happenings are the records behind an item: its own, and the one that a former
// computer had written, if it is about that.
func (k *Kiosk) happenings(ctx context.Context, lang words.Lang, seq uint64) ([]happening, error) {
	entries, err := k.o.Journal.Entries(ctx, seq, 1, math.MaxInt32)
	if err != nil || len(entries) == 0 || entries[0].Seq != seq {
		return nil, err // a store that was rebuilt may not have its first records
	}
	rec := new(recordv1.Record)
	if err := proto.Unmarshal(entries[0].Data, rec); err != nil {
		return nil, fmt.Errorf("decode record %d: %w", seq, err)
	}
	first, err := k.happeningOf(ctx, lang, rec)
	if err != nil || rec.GetSalvage() == nil {
		return []happening{first}, err
	}
	fact, err := books.Fact(rec.GetSalvage())
	if err != nil {
		return []happening{first}, nil // what cannot be read cannot be shown
	}
	old, err := k.happeningOf(ctx, lang, fact)
	old.Old = true
	return []happening{old, first}, err
}
