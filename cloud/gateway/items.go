package gateway

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/token"
	"holdfast.dev/stock/words"
)

const (
	// newestOfOne bounds how many items of one store a list goes back, and
	// newestOfEach when it is about all stores.
	newestOfOne, newestOfEach = 500, 200
	// newestNotes bounds how many of its own notes head office looks at.
	newestNotes = 1000
)

// itemKey is where an item stands in the list: what is newest comes first.
type itemKey struct {
	at     int64
	office bool // noted by head office; else by the store
	store  stock.StoreID
	seq    uint64
	number uint32
}

// String gives the item's name, such as "store.7.120.1".
func (k itemKey) String() string {
	side := "store"
	if k.office {
		side = "office"
	}
	return fmt.Sprintf("%s.%d.%d.%d", side, k.store, k.seq, k.number)
}

// parseItem reads the name of an item; at stays zero.
func parseItem(name string) (k itemKey, err error) {
	parts := strings.Split(name, ".")
	bad := stock.Refuse(stock.BadRequest, "item %q", name).With("what", "item")
	if len(parts) != 4 || parts[0] != "store" && parts[0] != "office" {
		return k, bad
	}
	var n [3]uint64
	for i, bits := range []int{32, 63, 32} {
		if n[i], err = strconv.ParseUint(parts[i+1], 10, bits); err != nil {
			return k, bad
		}
	}
	return itemKey{office: parts[0] == "office", store: stock.StoreID(n[0]), seq: n[1],
		number: uint32(n[2])}, nil
}

// newestFirst orders items.
func newestFirst(a, b itemKey) int {
	office := 0
	if a.office != b.office {
		office = 1
		if a.office {
			office = -1
		}
	}
	return cmp.Or(cmp.Compare(b.at, a.at), office, cmp.Compare(b.store, a.store),
		cmp.Compare(b.seq, a.seq), cmp.Compare(b.number, a.number))
}

// listed is one item of a list: what a store has noted, or head office.
type listed struct {
	itemKey
	item *books.Item
	note *headoffice.Anomaly
	by   headoffice.AnomalyCase // of a note
}

func (l listed) done() bool {
	if l.item != nil {
		return l.item.Progress == recordv1.ItemProgress_ITEM_PROGRESS_DONE
	}
	return l.by.Progress == recordv1.ItemProgress_ITEM_PROGRESS_DONE
}

// ListItems lists what people should look at, in the stores and in head office.
func (o *Office) ListItems(ctx context.Context, r *shopv1.ListItemsRequest) (
	*shopv1.ListItemsResponse, error) {
	after, err := parseItemToken(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	size, lang := pageSize(r.GetPageSize(), maxPage), words.Lang(langOf(r.GetLanguage()))
	resp := new(shopv1.ListItemsResponse)
	err = o.g.view(ctx, func(tx *journal.Tx) error {
		all, err := o.g.gather(tx, stock.StoreID(r.GetStore()), r.GetDone())
		if err != nil {
			return err
		}
		for _, l := range all {
			if !l.done() {
				resp.Open++
			}
		}
		all = slices.DeleteFunc(all, func(l listed) bool {
			return after.at > 0 && newestFirst(l.itemKey, after) <= 0
		})
		if len(all) > size {
			all = all[:size]
			resp.NextPageToken = itemToken(all[size-1].itemKey)
		}
		for _, l := range all {
			shown, err := l.show(tx, lang)
			if err != nil {
				return err
			}
			resp.Items = append(resp.Items, shown)
		}
		return nil
	})
	return resp, err
}

// gather lists the newest items of a store, or of all, the newest first.
func (g *Gateway) gather(tx *journal.Tx, only stock.StoreID, done bool) ([]listed, error) {
	ids, most := []stock.StoreID{only}, newestOfOne
	if only != 0 {
		if _, err := headoffice.FindStore(tx, only); err != nil {
			return nil, err
		}
	} else {
		stores, err := headoffice.Stores(tx, 0, allStores)
		if err != nil {
			return nil, err
		}
		ids, most = nil, newestOfEach
		for _, s := range stores {
			ids = append(ids, s.ID)
		}
	}
	all, err := notes(tx, only, done)
	for _, id := range ids {
		if err != nil {
			return nil, err
		}
		var items []*books.Item
		items, err = books.Items(tx, books.ItemQuery{Store: id, Done: done, Limit: most})
		for _, i := range items {
			all = append(all, listed{itemKey: itemKey{at: i.At, store: id, seq: i.Seq, number: i.Number},
				item: i})
		}
	}
	slices.SortFunc(all, func(a, b listed) int { return newestFirst(a.itemKey, b.itemKey) })
	return all, err
}

// notes are head office's own, with what is being done about them.
func notes(tx *journal.Tx, only stock.StoreID, done bool) (all []listed, err error) {
	found, err := headoffice.Anomalies(tx, headoffice.Anomaly{}, newestNotes)
	if err != nil {
		return nil, err
	}
	for _, a := range found {
		if only != 0 && a.Store != only {
			continue
		}
		l := listed{itemKey: itemKey{a.At, true, a.Store, a.Seq, uint32(a.Number)}, note: &a}
		if l.by, err = headoffice.CaseOf(tx, a); err != nil {
			return nil, fmt.Errorf("load the case of an anomaly: %w", err)
		}
		if done || !l.done() {
			all = append(all, l)
		}
	}
	return all, nil
}

var progressWords = map[recordv1.ItemProgress]string{
	recordv1.ItemProgress_ITEM_PROGRESS_OPEN:  "open",
	recordv1.ItemProgress_ITEM_PROGRESS_TAKEN: "taken",
	recordv1.ItemProgress_ITEM_PROGRESS_DONE:  "done",
}

func (l listed) show(tx *journal.Tx, lang words.Lang) (*shopv1.Item, error) {
	out := &shopv1.Item{Item: l.String(), Store: uint32(l.store), HeadOffice: l.office,
		At: stamp(l.at), Seq: l.seq}
	s, err := headoffice.FindStore(tx, l.store)
	if err != nil {
		return nil, err
	}
	args := []any{"store", s.Info.GetName()}
	if l.note != nil {
		out.Kind, out.Detail = l.note.Code, l.note.What
		out.Progress, out.Owner, out.Note = progressWords[l.by.Progress], l.by.Owner, l.by.Note
	} else {
		about, err := l.describe(tx, lang, out)
		if err != nil {
			return nil, err
		}
		args = append(args, about...)
	}
	said := words.Item(lang, out.Kind, args...)
	out.Happened, out.Done, out.Todo = said.Happened, said.Done, said.Todo
	return out, nil
}

// describe fills in what a store's item is about, and returns the values of its
// sentences.
func (l listed) describe(tx *journal.Tx, lang words.Lang, out *shopv1.Item) (
	args []any, err error) {
	i := l.item
	out.Kind, out.Detail, out.Quantity = i.Kind, i.Detail, int64(i.Units)
	out.Progress, out.Owner, out.Note = progressWords[i.Progress], i.Owner, i.Note
	if i.SKU != 0 {
		p, err := headoffice.ProductBySKU(tx, i.SKU)
		if err != nil {
			return nil, err
		}
		out.Gtin = p.GetGtin()
		out.Product = headoffice.NameIn(p, string(lang))
		args = append(args, "product", out.Product)
		if i.Units > 0 {
			args = append(args, "quantity", words.Counted(lang, i.Units, p.GetUnit()))
		}
	}
	if i.Kind == books.ItemLocker {
		args = append(args, "door", i.Detail)
	}
	if i.Reservation == ([16]byte{}) {
		return args, nil
	}
	out.Reservation = idText(i.Reservation[:])
	r, known, err := books.Open(tx, l.store).Reservation(i.Reservation)
	if err == nil && known {
		out.Code = r.Reserve.GetCode()
		args = append(args, "order", token.GroupCode(out.Code))
	}
	return args, err
}

func itemToken(k itemKey) string { return fmt.Sprintf("%d.%s", k.at, k) }

func parseItemToken(text string) (k itemKey, err error) {
	if text == "" {
		return k, nil
	}
	at, name, _ := strings.Cut(text, ".")
	if k, err = parseItem(name); err == nil {
		k.at, err = strconv.ParseInt(at, 10, 64)
	}
	if err != nil || k.at <= 0 {
		return k, stock.Refuse(stock.BadRequest, "page token %q", text).With("what", "page_token")
	}
	return k, nil
}

// HandleItem says who deals with an item of head office, and how far that is.
func (o *Office) HandleItem(ctx context.Context, r *shopv1.HandleItemRequest) (
	*shopv1.Item, error) {
	k, err := parseItem(r.GetItem())
	if err != nil {
		return nil, err
	}
	if !k.office {
		return nil, stock.Refuse(stock.WrongState, "item %s is handled in the store", k)
	}
	h := &recordv1.HandleAnomaly{Store: uint32(k.store), Seq: k.seq, Number: k.number,
		Owner: r.GetOwner(), Note: r.GetNote()}
	for progress, word := range progressWords {
		if word == r.GetProgress() {
			h.Progress = progress
		}
	}
	if h.GetProgress() == 0 {
		return nil, stock.Refuse(stock.BadRequest, "progress %q", r.GetProgress()).
			With("what", "progress")
	}
	_, err = o.g.o.Engine.Propose(ctx,
		&recordv1.Command{Body: &recordv1.Command_HandleAnomaly{HandleAnomaly: h}})
	if err != nil {
		return nil, err
	}
	return o.note(ctx, k)
}

// note returns one of head office's own items.
func (o *Office) note(ctx context.Context, k itemKey) (out *shopv1.Item, err error) {
	err = o.g.view(ctx, func(tx *journal.Tx) error {
		all, err := notes(tx, k.store, true)
		if err != nil {
			return err
		}
		for _, l := range all {
			if l.seq == k.seq && l.number == k.number {
				out, err = l.show(tx, words.EN)
				return err
			}
		}
		return stock.Refuse(stock.BadRequest, "item %s is too old to show", k).With("what", "item")
	})
	return out, err
}
