package kiosk

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

const (
	// maxCards bounds how many items one page shows.
	maxCards = 20
	// maxCounted bounds how many open items are counted; more show as so many.
	maxCounted = 99
	// maxLooked bounds how many items are looked at to find those that are done.
	maxLooked = 500
)

// inbox is one list of items.
type inbox struct {
	Filter  string
	Filters []string
	All     []*itemCard
	Older   string // what to ask for next; "" at the end
}

// itemCard is an item with the records and the order behind it.
type itemCard struct {
	*storev1.Item
	Title  string
	Events []happening
	Order  *storev1.Pickup
}

// loadInbox shows a filter's items, the newest first, from the place that
// stands behind the filter.
func (k *Kiosk) loadInbox(ctx context.Context, v *view) error {
	filter, from, _ := strings.Cut(v.arg, ".")
	b := inbox{Filter: filter, Filters: []string{progressOpen, progressDone}}
	if filter != progressDone {
		b.Filter = progressOpen
	}
	var before itemPlace
	if from != "" {
		var err error
		if before, err = parseItem(from); err != nil {
			return err
		}
	}
	items, err := k.itemsOf(ctx, b.Filter, before)
	if err != nil {
		return err
	}
	if len(items) > maxCards {
		items = items[:maxCards]
		b.Older = b.Filter + "." + placeOf(items[maxCards-1]).String()
	}
	for _, i := range items {
		card, err := k.card(ctx, v, i)
		if err != nil {
			return err
		}
		b.All = append(b.All, card)
	}
	v.Data = b
	return nil
}

// itemsOf lists one more item than a page shows.
func (k *Kiosk) itemsOf(ctx context.Context, filter string, before itemPlace) (
	items []*books.Item, err error) {
	q := books.ItemQuery{Store: k.o.Info.Store, BeforeSeq: before.seq, BeforeNumber: before.number,
		Limit: maxCards + 1}
	if filter == progressDone {
		q.Done, q.Limit = true, maxLooked
	}
	err = k.view(ctx, func(tx *journal.Tx) error {
		items, err = books.Items(tx, q)
		return err
	})
	if filter == progressDone {
		items = slices.DeleteFunc(items, func(i *books.Item) bool {
			return i.Progress != recordv1.ItemProgress_ITEM_PROGRESS_DONE
		})
	}
	return items, err
}

func (k *Kiosk) card(ctx context.Context, v *view, i *books.Item) (*itemCard, error) {
	c := new(itemCard)
	err := k.view(ctx, func(tx *journal.Tx) error {
		shown, said, err := k.itemProto(tx, v.Lang, i)
		c.Item, c.Title = shown, said.Title
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.Events, err = k.happenings(ctx, v.Lang, i.Seq); err != nil || c.GetReservation() == "" {
		return c, err
	}
	c.Order, err = k.pickup(ctx, v.Lang, i.Reservation)
	if stock.Refused(err, stock.UnknownReservation) {
		return c, nil // a fact about an order that this store never had
	}
	return c, err
}

// openItems counts what waits for a person, up to maxCounted.
func (k *Kiosk) openItems(ctx context.Context) (n int, err error) {
	err = k.view(ctx, func(tx *journal.Tx) error {
		items, err := books.Items(tx, books.ItemQuery{Store: k.o.Info.Store, Limit: maxCounted})
		n = len(items)
		return err
	})
	return n, err
}

// maxNote bounds what somebody writes about an item, in bytes.
const maxNote = 200

// postItem notes what the person at the station does about an item.
func (k *Kiosk) postItem(v *visit) (string, error) {
	id, err := v.requestID()
	if err != nil {
		return "", err
	}
	place, err := parseItem(v.r.PathValue("item"))
	if err != nil {
		return "", err
	}
	progress, err := parseProgress(v.form("progress"))
	if err != nil {
		return "", err
	}
	if v.Station.Staff == "" && len(k.o.Staff) > 0 {
		return "", stock.Refuse(stock.NotSignedIn, "nobody deals with item %s", place)
	}
	by := v.by(id)
	h := &recordv1.HandleItem{Seq: place.seq, Number: place.number, Progress: progress,
		Note: cutNote(v.form("note"))}
	if progress != recordv1.ItemProgress_ITEM_PROGRESS_OPEN {
		h.Owner = by.Actor
	}
	return v.back(), k.handle(v.r.Context(), by, h)
}

// cutNote shortens a note to what an item holds, between letters.
func cutNote(note string) string {
	for len(note) > maxNote {
		_, last := utf8.DecodeLastRuneInString(note)
		note = note[:len(note)-last]
	}
	return note
}

// MaySign tells whether the person at the station may deal with items.
func (v *view) MaySign() bool { return v.Station.Staff != "" || len(v.k.o.Staff) == 0 }

// reconciliation is what is still set aside from before the cloud was restored.
type reconciliation struct{ Products int }

// maxSetAside bounds how many products are counted that are still set aside.
const maxSetAside = 10_000

func (k *Kiosk) loadReconcile(ctx context.Context, v *view) error {
	return k.view(ctx, func(tx *journal.Tx) error {
		rows, err := books.LegacyRows(tx, k.o.Info.Store, maxSetAside)
		v.Data = reconciliation{Products: len(rows)}
		return err
	})
}

// postSettle ends the wait for the tills.
func (k *Kiosk) postSettle(v *visit) (string, error) {
	return "/inbox", k.settle(v.r.Context(), v.Station.Name,
		signature{v.form("name"), v.r.PostForm.Get("pin")})
}

// postReconcile takes back what was set aside.
func (k *Kiosk) postReconcile(v *visit) (string, error) {
	_, err := k.reconcile(v.r.Context(), v.Station.Name,
		signature{v.form("name"), v.r.PostForm.Get("pin")})
	return "/inbox", err
}
