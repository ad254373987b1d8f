package storefront

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

const cartKeep = 7 * day

// basketLine is a line of the basket with what the store has of it.
type basketLine struct {
	*shopv1.Product
	Quantity int32
	Amount   string // "2", "350 g"
	Cost     string
	Less     int32
	More     int32
	Have     int32
	Short    string // what the reader is told when there is not enough
	Instead  int32  // what could be taken then; 0: leave the line out
	Offer    string // words for taking that
	Gone     bool   // the product is no longer sold
}

// elsewhere is another store that has the whole basket.
type elsewhere struct {
	Store    uint32
	Name     string
	Town     string
	Distance string
}

type basketPage struct {
	view
	cart
	At        storeRow
	Rows      []basketLine
	Total     string
	About     bool // the total depends on what the scale will say
	Others    []elsewhere
	FirstName string
	PIN       string
	PINNeeded bool
	Speak     words.Lang
	Langs     []langLink
	Refused   *refused
}

// refused says why a basket could not be reserved, and what would work.
type refused struct {
	Heading   string
	Sentences []string
	Fix       []cartLine // empty: nothing less would do
	FixName   string
	FixID     string
}

// basket shows the basket.
func basket(v *visit) error {
	if len(v.cart.Lines) == 0 {
		return v.show(http.StatusOK, sheet{name: "empty-basket", title: v.T("cart.title"), data: v.view})
	}
	p, err := v.basketPage(v.cart)
	if stock.Refused(err, stock.UnknownStore) {
		v.setCookie(cartCookie, "", 0)
	}
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, sheet{name: "basket", title: v.T("cart.title"), data: p})
}

func (v *visit) basketPage(c cart) (*basketPage, error) {
	all, err := v.shops()
	if err != nil {
		return nil, err
	}
	s := all.byID[c.Store]
	if s == nil {
		return nil, stock.Refuse(stock.UnknownStore, "store %d of a basket", c.Store).With("store", c.Store)
	}
	p := &basketPage{view: v.view, cart: c, At: v.storeRow(all, s), Speak: v.Lang, Langs: v.langLinks()}
	if p.PINNeeded, err = v.shop.PINNeeded(v.r.Context(), c.Store); err != nil {
		return nil, err
	}
	short := false
	for _, l := range c.Lines {
		row, err := v.basketLine(s, l)
		if err != nil {
			return nil, err
		}
		short = short || row.Short != ""
		p.Rows = append(p.Rows, row)
	}
	p.Total, p.About = v.total(p.Rows)
	if short {
		if p.Others, err = v.elsewhere(all, c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (v *visit) basketLine(s *shopv1.Store, l cartLine) (basketLine, error) {
	p, err := v.product(l.GTIN)
	if stock.Refused(err, stock.UnknownProduct) {
		gone := &shopv1.Product{Gtin: l.GTIN, Name: v.T("cart.gone_name")}
		return basketLine{Product: gone, Quantity: l.Quantity, Gone: true, Short: v.T("cart.gone")}, nil
	}
	if err != nil {
		return basketLine{}, err
	}
	a, err := v.shop.GetAvailability(v.r.Context(), &shopv1.GetAvailabilityRequest{Store: s.GetStore(), Gtin: l.GTIN})
	if err != nil {
		return basketLine{}, err
	}
	_, by := step(p)
	row := basketLine{Product: p, Quantity: l.Quantity, Amount: v.Units(l.Quantity, p.GetUnit()),
		Cost: words.Money(v.Lang, cost(p.GetPriceMinor(), l.Quantity, p.GetUnit()), p.GetCurrency()),
		Less: max(0, l.Quantity-by), More: min(maxQuantity, l.Quantity+by), Have: a.GetAvailable()}
	if row.Have < l.Quantity {
		row.Short = v.shortage(p, row.Have)
		row.Instead = max(0, row.Have/by*by)
		row.Offer = v.T("cart.leave_out")
		if row.Instead > 0 {
			row.Offer = v.T("cart.instead", "n", v.Units(row.Instead, p.GetUnit()))
		}
	}
	return row, nil
}

// shortage says how many are left of a product.
func (v *visit) shortage(p *shopv1.Product, have int32) string {
	r := stock.Refuse(stock.Short, "a basket wants more").With("product", p.GetName()).With("available", max(0, have))
	if _, weighed := perUnit[p.GetUnit()]; weighed && have > 0 {
		r.With("available", v.Units(have, p.GetUnit()))
	}
	return words.Refusal(v.Lang, r)
}

// total adds up the lines; nothing when they are not of one currency.
func (v *visit) total(rows []basketLine) (text string, about bool) {
	var sum int64
	currency := ""
	for _, r := range rows {
		if r.Gone {
			continue
		}
		if currency != "" && currency != r.GetCurrency() {
			return "", false
		}
		currency = r.GetCurrency()
		sum += cost(r.GetPriceMinor(), r.Quantity, r.GetUnit())
		_, weighed := perUnit[r.GetUnit()]
		about = about || weighed
	}
	if currency == "" {
		return "", false
	}
	return words.Money(v.Lang, sum, currency), about
}

// maxElsewhere is how many other stores a short basket is shown.
const maxElsewhere = 3

// elsewhere finds the stores, nearest first, that have the whole basket.
func (v *visit) elsewhere(all *shops, c cart) ([]elsewhere, error) {
	has := make(map[uint32]int, len(all.all))
	for _, l := range c.Lines {
		list, err := v.choices(all, &shopv1.Product{Gtin: l.GTIN})
		if stock.Refused(err, stock.UnknownProduct) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, at := range list {
			if at.Units >= l.Quantity {
				has[at.Store]++
			}
		}
	}
	var found []elsewhere
	for _, s := range all.all {
		if s.GetStore() != c.Store && has[s.GetStore()] == len(c.Lines) && len(found) < maxElsewhere {
			found = append(found, elsewhere{Store: s.GetStore(), Name: s.GetName(), Town: s.GetTown(),
				Distance: v.distance(all, s)})
		}
	}
	return found, nil
}

func (v *visit) keepCart(c cart) { v.setCookie(cartCookie, c.String(), cartKeep) }

// setLine puts so many of a product into the basket. Doing it twice changes
// nothing: it says how many, not how many more.
func setLine(v *visit) error {
	p, quantity, err := v.wanted()
	if err != nil {
		return err
	}
	store := v.cart.Store
	if v.r.FormValue("store") != "" || store == 0 {
		if store, err = storeField(v.r); err != nil {
			return err
		}
	}
	if len(v.cart.Lines) > 0 && store != v.cart.Store {
		return v.askWhichStore(p, quantity, store)
	}
	return v.putLine(cart{Store: store, Lines: v.cart.Lines}, p.GetGtin(), quantity)
}

// wanted reads the form's product and quantity.
func (v *visit) wanted() (*shopv1.Product, int32, error) {
	quantity, err := parseQuantity(v.r.FormValue("quantity"))
	if err != nil {
		return nil, 0, err
	}
	p, err := v.product(v.r.FormValue("gtin"))
	if stock.Refused(err, stock.UnknownProduct) && quantity == 0 { // no longer sold: out with it
		return &shopv1.Product{Gtin: v.r.FormValue("gtin")}, 0, nil
	}
	return p, quantity, err
}

func (v *visit) putLine(c cart, number string, quantity int32) error {
	if _, err := v.shop.GetStore(v.r.Context(), &shopv1.GetStoreRequest{Store: c.Store}); err != nil {
		return err
	}
	next, err := c.with(number, quantity)
	if err != nil {
		return err
	}
	v.keepCart(next)
	if !v.place.known {
		v.setCookie(placeCookie, place{store: c.Store, known: true}.String(), year)
	}
	v.redirect("/cart")
	return nil
}

type whichStore struct {
	view
	*shopv1.Product
	Quantity int32
	Amount   string
	Now, New *shopv1.Store
}

// askWhichStore asks where to collect a basket that is for another store: it
// is collected in one place.
func (v *visit) askWhichStore(p *shopv1.Product, quantity int32, store uint32) error {
	now, errNow := v.shop.GetStore(v.r.Context(), &shopv1.GetStoreRequest{Store: v.cart.Store})
	next, err := v.shop.GetStore(v.r.Context(), &shopv1.GetStoreRequest{Store: store})
	if err := errors.Join(errNow, err); err != nil {
		return err
	}
	return v.show(http.StatusConflict, sheet{name: "which-store", title: v.T("which.title"), width: "narrow",
		data: whichStore{view: v.view, Product: p, Quantity: quantity, Amount: v.Units(quantity, p.GetUnit()),
			Now: now, New: next}})
}

// moveBasket takes the basket to another store, with a further product if the
// form names one.
func moveBasket(v *visit) error {
	store, err := storeField(v.r)
	if err != nil {
		return err
	}
	if v.r.FormValue("gtin") == "" {
		if _, err := v.shop.GetStore(v.r.Context(), &shopv1.GetStoreRequest{Store: store}); err != nil {
			return err
		}
		v.keepCart(v.cart.at(store))
		v.redirect("/cart")
		return nil
	}
	p, quantity, err := v.wanted()
	if err != nil {
		return err
	}
	return v.putLine(v.cart.at(store), p.GetGtin(), quantity)
}

func clearBasket(v *visit) error {
	v.setCookie(cartCookie, "", 0)
	v.redirect("/cart")
	return nil
}

// fix is what could be reserved of a refused basket.
func (p *basketPage) fix() (lines []cartLine, changed []basketLine) {
	for _, row := range p.Rows {
		quantity := row.Quantity
		if row.Short != "" {
			quantity = row.Instead
			changed = append(changed, row)
		}
		if quantity > 0 {
			lines = append(lines, cartLine{row.GetGtin(), quantity})
		}
	}
	return lines, changed
}

func newRequest() string { return uuid.NewString() }
