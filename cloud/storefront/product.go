package storefront

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"holdfast.dev/internal/process"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
)

// supplyBeat is how often a followed product page looks at the stores again.
const supplyBeat = 5 * time.Second

// choice is one store where a product may be set aside.
type choice struct {
	supply
	Km      float64
	Checked bool
	OpenNow string
}

type productPage struct {
	view
	*shopv1.Product
	Near   []choice // shown at once
	Rest   []choice
	Any    bool // some store has some
	Placed bool
	InCart int32
	At     string // town of the basket
	First  int32  // quantity that the form begins with
	Step   int32
	Here   string
}

// product shows one product, and where it is.
func product(v *visit) error {
	p, err := v.product(v.r.PathValue("gtin"))
	if err != nil {
		return err
	}
	all, err := v.shops()
	if err != nil {
		return err
	}
	choices, err := v.choices(all, p)
	if err != nil {
		return err
	}
	page := productPage{view: v.view, Product: p, Placed: all.placed, InCart: v.cart.quantity(p.GetGtin()),
		Here: v.r.URL.Path}
	page.First, page.Step = step(p)
	if page.InCart > 0 {
		page.First, page.At = page.InCart, all.byID[v.cart.Store].GetTown()
	}
	page.Near, page.Rest = v.shown(choices), nil
	for _, c := range choices {
		page.Any = page.Any || c.Units > 0
		if !slices.ContainsFunc(page.Near, func(n choice) bool { return n.Store == c.Store }) {
			page.Rest = append(page.Rest, c)
		}
	}
	return v.show(http.StatusOK, sheet{name: "product", title: p.GetName(), data: page,
		live: "/p/" + p.GetGtin() + "/events"})
}

// choices lists every store with what it can promise: the shopper's own, then
// the nearest that have some, then the others.
func (v *visit) choices(all *shops, p *shopv1.Product) ([]choice, error) {
	var list []choice
	for token := ""; len(list) < maxStores; {
		r, err := v.shop.ListAvailability(v.r.Context(), &shopv1.ListAvailabilityRequest{Gtin: p.GetGtin(),
			Latitude: all.lat, Longitude: all.lon, PageSize: storePage, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, a := range r.GetAvailability() {
			list = append(list, v.choice(all, a, p.GetUnit()))
		}
		if token = r.GetNextPageToken(); token == "" {
			break
		}
	}
	slices.SortStableFunc(list, func(a, b choice) int { return cmp.Compare(v.rank(a), v.rank(b)) })
	if i := v.preferred(list); i >= 0 {
		list[i].Checked = true
	}
	return list, nil
}

// rank puts the shopper's own store first and those without any last.
func (v *visit) rank(c choice) int {
	switch {
	case c.Store == v.place.store:
		return 0
	case c.Units > 0:
		return 1
	}
	return 2
}

func (v *visit) choice(all *shops, a *shopv1.Availability, unit string) choice {
	s := all.byID[a.GetStore()]
	if s == nil { // opened between the two questions
		s = &shopv1.Store{Store: a.GetStore(), Name: a.GetStoreName(), Town: a.GetTown()}
	}
	c := choice{supply: v.supply(a, s, unit), Km: a.GetDistanceKm(),
		OpenNow: v.OpenNow(s.GetOpening(), s.GetTimezone())}
	c.Distance = v.distance(all, s)
	return c
}

// preferred is the store that the form begins with: the basket's, or else the
// first that has some; -1 when none has.
func (v *visit) preferred(list []choice) int {
	if i := slices.IndexFunc(list, func(c choice) bool { return c.Store == v.cart.Store && c.Units > 0 }); i >= 0 {
		return i
	}
	return slices.IndexFunc(list, func(c choice) bool { return c.Units > 0 })
}

// shown are the first few stores, and the one that the form begins with.
// Stores without any are few enough to tell that they were looked at.
func (v *visit) shown(list []choice) []choice {
	n := 0
	for n < min(len(list), shownStores) && (n < leastStores || list[n].Units > 0) {
		n++
	}
	near := slices.Clone(list[:n])
	for _, c := range list[len(near):] {
		if c.Checked {
			near = append(near, c)
		}
	}
	return near
}

// followProduct sends what the shown stores have, whenever it changes.
func followProduct(v *visit) error {
	p, err := v.product(v.r.PathValue("gtin"))
	if err != nil {
		return err
	}
	all, err := v.shops()
	if err != nil {
		return err
	}
	choices, err := v.choices(all, p)
	if err != nil {
		return err
	}
	if !v.s.streams.enter() {
		return stock.Refuse(stock.Busy, "%d pages are followed", maxStreams)
	}
	defer v.s.streams.leave()
	stream, ctx, err := process.OpenStream(v.w, v.r)
	if err != nil {
		return nil // the browser went away
	}
	tick := time.NewTicker(v.s.beat)
	defer tick.Stop()
	near, sent := v.shown(choices), make(map[uint32]string)
	for {
		v.Now = v.s.now()
		if err := v.pushSupply(stream, near, p, sent); err != nil {
			v.s.o.Logger.Debug("follow product", "gtin", p.GetGtin(), "err", err)
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// pushSupply sends the lines that are not as they were sent last.
func (v *visit) pushSupply(stream *process.Stream, near []choice, p *shopv1.Product, sent map[uint32]string) error {
	for _, c := range near {
		a, err := v.shop.GetAvailability(v.r.Context(), &shopv1.GetAvailabilityRequest{Store: c.Store, Gtin: p.GetGtin()})
		if err != nil {
			return err
		}
		s, err := v.shop.GetStore(v.r.Context(), &shopv1.GetStoreRequest{Store: c.Store})
		if err != nil {
			return err
		}
		html, err := piece("supply", v.supply(a, s, p.GetUnit()))
		if err != nil {
			return err
		}
		if sent[c.Store] == string(html) {
			continue
		}
		if err := pushHTML(stream, fmt.Sprintf("supply-%d", c.Store), string(html)); err != nil {
			return err
		}
		sent[c.Store] = string(html)
	}
	return stream.Send("", "beat", "")
}

// pushHTML sends a piece of the page in the place of the one with this id.
func pushHTML(stream *process.Stream, id, html string) error {
	data, err := json.Marshal(map[string]string{"id": id, "html": html})
	if err != nil {
		return fmt.Errorf("encode push: %w", err)
	}
	return stream.Send("", "html", string(data))
}
