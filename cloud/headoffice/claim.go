package headoffice

import (
	"fmt"
	"strings"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/ledger"
)

// MaxLines bounds a cart: a pick slip must stay readable, a token scannable.
const MaxLines = 50

// claim is one line of a cart with what it needs at the desk.
type claim struct {
	product *recordv1.Product
	quota   *quota
	units   stock.Units
}

// checkLines refuses a cart that nobody could mean.
func checkLines(lines []*recordv1.WantedLine) error {
	if len(lines) == 0 {
		return badRequest("lines", "a cart without lines")
	}
	if len(lines) > MaxLines {
		return stock.Refuse(stock.TooMany, "a cart of %d lines", len(lines)).
			With("limit", MaxLines).With("what", "lines")
	}
	for i, l := range lines {
		if n := l.GetUnits(); n <= 0 || n > int64(ledger.MaxUnits) {
			return stock.Refuse(stock.BadUnits, "line %d wants %d units", i+1, n).With("what", "quantity")
		}
		for _, other := range lines[:i] {
			if other.GetSku() == l.GetSku() {
				return badRequest("lines", "sku %d is on two lines", l.GetSku())
			}
		}
	}
	return nil
}

// claims loads what the lines need. A product that the catalogue does not have,
// or no longer sells, is refused.
func (d *desk) claims(s *store, lines []*recordv1.WantedLine) ([]claim, error) {
	all := make([]claim, 0, len(lines))
	for _, l := range lines {
		p, err := d.products.BySKU(d.tx, stock.SKU(l.GetSku()))
		if err != nil {
			return nil, err
		}
		if p == nil || p.GetRetired() {
			r := stock.Refuse(stock.UnknownProduct, "sku %d", l.GetSku()).With("sku", l.GetSku())
			if p != nil {
				r.With("gtin", p.GetGtin())
			}
			return nil, r
		}
		q, err := d.quota(s, stock.SKU(l.GetSku()))
		if err != nil {
			return nil, err
		}
		all = append(all, claim{product: p, quota: q, units: stock.Units(l.GetUnits())})
	}
	return all, nil
}

// holdAll moves every line from the pool to a cart, or refuses all: the first
// short line is named for people, all of them for the gateway, which may ask
// the store for more.
func holdAll(all []claim, language string) error {
	var first *stock.Refusal
	var short []string
	for i := range all {
		c := &all[i]
		pool, err := c.quota.pool.Hold(c.units)
		if err == nil {
			c.quota.pool = pool
			continue
		}
		r, refused := stock.AsRefusal(err)
		if !refused || r.Code != stock.Short {
			return err
		}
		short = append(short, fmt.Sprintf("%d:%d", c.product.GetSku(), c.units-c.quota.pool.Free()))
		if first == nil {
			first = r.With("gtin", c.product.GetGtin()).With("sku", c.product.GetSku()).
				With("product", NameIn(c.product, language))
		}
	}
	if first == nil {
		return nil
	}
	return first.With("short", strings.Join(short, ","))
}

// language is the store's: refusals and slips fall back on it.
func (s *store) language() (string, error) {
	info, err := s.about()
	return info.GetLanguage(), err
}
