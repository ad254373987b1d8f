package kiosk

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"holdfast.dev/hardware"
	"holdfast.dev/hardware/zpl"
	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/kiosk/spool"
	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/gtin"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/reservation"
	"holdfast.dev/stock/token"
	"holdfast.dev/stock/words"
)

// Kinds of labels.
const (
	kindBag     = "bag_label"
	kindShelf   = "shelf_label"
	kindProduct = "product_label"
)

// label is one of the labels of package zpl, which its kind tells.
type label interface{ Label() zpl.Label }

// printLabel queues a label.
func (k *Kiosk) printLabel(ctx context.Context, j spool.Job, l label) (spool.Job, error) {
	data, err := zpl.Encode(l.Label())
	if err != nil {
		return j, fmt.Errorf("lay out %s: %w", j.Kind, err)
	}
	if j.Source, err = json.Marshal(l); err != nil {
		return j, err
	}
	j.Text, j.Data = textOf(l.Label()), data
	return k.spool.Add(ctx, j)
}

// textOf is what people can read on a label.
func textOf(l zpl.Label) string {
	var lines []string
	for _, item := range l.Items {
		switch item := item.(type) {
		case zpl.Text:
			lines = append(lines, item.Content)
		case zpl.Barcode:
			lines = append(lines, "||| "+item.Content)
		}
	}
	return strings.Join(lines, "\n")
}

// again prints a job again: a label as it is, a receipt with its mark.
func (k *Kiosk) again(ctx context.Context, id int64, request shopfloor.ID) (spool.Job, error) {
	j, err := k.spool.Job(ctx, id)
	if err != nil {
		return j, err
	}
	var l label
	switch j.Kind {
	case kindBag:
		l, err = decodeLabel[zpl.BagLabel](j.Source)
	case kindShelf:
		l, err = decodeLabel[zpl.ShelfLabel](j.Source)
	case kindProduct:
		l, err = decodeLabel[zpl.ProductLabel](j.Source)
	default:
		return k.reprint(ctx, id, request)
	}
	if err != nil {
		return j, fmt.Errorf("read print job %d: %w", id, err)
	}
	if j.State == hardware.Queued {
		return j, stock.Refuse(stock.WrongState, "job %d is still queued", id).With("state", "queued")
	}
	return k.printLabel(ctx, spool.Job{Key: "again/" + idString(request), Kind: j.Kind, Device: j.Device,
		Title: j.Title, CopyOf: j.ID}, l)
}

func decodeLabel[L label](source []byte) (label, error) {
	var l L
	err := json.Unmarshal(source, &l)
	return l, err
}

// labelPrinter is where a station's labels come out: its own printer, or the
// first.
func (k *Kiosk) labelPrinter(station string) string {
	if own := k.station(station).Labels; own != "" {
		return own
	}
	for _, s := range k.o.Stations {
		if s.Labels != "" {
			return s.Labels
		}
	}
	return ""
}

// bagPrinter is where the labels of bags come out; empty when no station wants
// them.
func (k *Kiosk) bagPrinter() string {
	for _, s := range k.o.Stations {
		if s.BagLabels && s.Labels != "" {
			return s.Labels
		}
	}
	return ""
}

// printBags prints a label for every order that is set aside, once, and at the
// start for those that were set aside just before the process ended.
func (k *Kiosk) printBags(ctx context.Context) error {
	if k.bagPrinter() == "" {
		return nil
	}
	var open []*books.Reservation
	err := k.view(ctx, func(tx *journal.Tx) (err error) {
		open, err = books.OpenReservations(tx, k.o.Info.Store, maxListed)
		return err
	})
	for _, r := range open {
		k.bags.look(r.ID)
	}
	for {
		if err != nil && ctx.Err() == nil {
			k.log.Error("bag label", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-k.bags.wake:
		}
		for id := range k.bags.take() {
			err = cmp.Or(k.bagLabel(ctx, id), err)
		}
	}
}

// bagLabel queues the label of an order that is ready to be collected.
func (k *Kiosk) bagLabel(ctx context.Context, id shopfloor.ID) error {
	r, err := k.reservation(ctx, id)
	if err != nil || r.State() != reservation.Ready {
		return err
	}
	key := "bag/" + idString(id) + "/" + r.Shelf
	before, err := k.spool.Find(ctx, key)
	if err != nil || before.ID != 0 {
		return err
	}
	code := codeOf(r)
	lang := k.o.Info.Language
	_, err = k.printLabel(ctx, spool.Job{Key: key, Kind: kindBag, Device: k.bagPrinter(),
		Title: token.GroupCode(code)}, zpl.BagLabel{Code: token.GroupCode(code), QR: code,
		FirstName: r.Reserve.GetContact(), Shelf: strings.TrimPrefix(r.Shelf, shelfPrefix),
		Note: words.T(lang, "devices.label.until", "time", k.untilOn(r))})
	return err
}

// untilOn is when an order must be collected, as it stays true on paper.
func (k *Kiosk) untilOn(r *books.Reservation) string {
	at := stampMillis(r.PickupUntil).AsTime().In(k.zone)
	lang := k.o.Info.Language
	return words.Date(lang, at) + " " + words.Time(lang, at)
}

// postLabel prints a label for a shelf or a product.
func (k *Kiosk) postLabel(v *visit) (string, error) {
	id, err := v.requestID()
	if err != nil {
		return "", err
	}
	p, err := k.findProduct(v.r.Context(), v.form("gtin"))
	if err != nil {
		return "", err
	}
	kind := v.form("kind")
	l, err := v.goodsLabel(kind, p)
	if err != nil {
		return "", err
	}
	_, err = k.printLabel(v.r.Context(), spool.Job{Key: "label/" + idString(id), Kind: kind,
		Device: k.labelPrinter(v.Station.Name), Title: catalogue.Name(p, string(k.o.Info.Language))}, l)
	return "/stock?gtin=" + p.GetGtin(), err
}

func (v *view) goodsLabel(kind string, p *recordv1.Product) (label, error) {
	lang := v.k.o.Info.Language // customers read it, whatever the screen's language is
	number, err := symbolDigits(p.GetGtin())
	if err != nil {
		return nil, err
	}
	name, price := catalogue.Name(p, string(lang)), words.Money(lang, p.GetPriceMinor(), p.GetCurrency())
	per := map[string]string{"g": "devices.label.per_kilogram", "ml": "devices.label.per_litre"}[p.GetUnit()]
	switch {
	case p.GetPriceMinor() <= 0:
		return nil, stock.Refuse(stock.NoPrice, "%s", p.GetGtin()).With("product", name)
	case kind == kindProduct:
		return zpl.ProductLabel{Name: name, Price: price, GTIN: number}, nil
	case kind != kindShelf:
		return nil, badRequest("kind", "%.20q", kind)
	case per != "":
		return zpl.ShelfLabel{Name: name, Price: price, UnitPrice: words.T(lang, per, "price", price), GTIN: number}, nil
	}
	return zpl.ShelfLabel{Name: name, Price: price, GTIN: number}, nil
}

// symbolDigits is a product's number as an EAN symbol carries it.
func symbolDigits(number string) (string, error) {
	g, err := gtin.Parse(number)
	if err != nil {
		return "", err
	}
	switch short := g.Short(); len(short) {
	case 8, 13:
		return short, nil
	case 12:
		return "0" + short, nil
	}
	return "", stock.Refuse(stock.UnsupportedCode, "%s fits no EAN symbol", number).With("kind", "delivery")
}

// HasLabels tells whether the store has a label printer.
func (v *view) HasLabels() bool { return v.k.labelPrinter(v.Station.Name) != "" }
