package storefront

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

// view is what every page knows: its reader's language, and the time.
type view struct {
	Lang words.Lang
	Now  time.Time
}

// T is a text of the storefront.
func (v view) T(key string, args ...any) string { return words.T(v.Lang, "shop."+key, args...) }

// Units words a quantity of a product: "3", "350 g".
func (v view) Units(n int32, unit string) string {
	return words.Quantity(v.Lang, stock.Units(n), unit)
}

// Price words what one piece costs, or a kilogram or litre.
func (v view) Price(p *shopv1.Product) string {
	amount := words.Money(v.Lang, int64(p.GetPriceMinor()), p.GetCurrency())
	if per, weighed := perUnit[p.GetUnit()]; weighed {
		return amount + " / " + per
	}
	return amount
}

// perUnit is what the price of a weighed product is for.
var perUnit = map[string]string{"g": "kg", "ml": "l"}

// gramsPer is how many base units the price of a weighed product is for.
const gramsPer = 1000

// cost is what so much of a product comes to, in minor units. Of what is
// weighed it is what the till will come to when the weight is right.
func cost(price, quantity int32, unit string) int64 {
	total := int64(price) * int64(quantity)
	if _, weighed := perUnit[unit]; weighed {
		return (total + gramsPer/2) / gramsPer
	}
	return total
}

// step says in which quantities a product is bought. Dear goods by weight go
// in smaller steps.
func step(p *shopv1.Product) (first, by int32) {
	const dear = 1200 // minor units per kilogram
	switch _, weighed := perUnit[p.GetUnit()]; {
	case !weighed:
		return 1, 1
	case p.GetPriceMinor() > dear:
		return 200, 50
	}
	return 500, 100
}

// zone is where a store's clock hangs. Without the name of a known zone its
// times read as UTC.
func zone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" {
		return time.UTC
	}
	return loc
}

// When words a moment as the people of a store's town say it.
func (v view) When(t *timestamppb.Timestamp, zoneName string) string {
	if t == nil {
		return ""
	}
	return words.When(v.Lang, t.AsTime(), v.Now.In(zone(zoneName)))
}

// supply is what one store can promise of a product, in words.
type supply struct {
	Store    uint32
	Name     string
	Town     string
	Distance string
	Units    int32
	Count    string // "3 here"
	There    string // "3 in Utrecht"
	Age      string // "just now", or since when the store is offline
	Pill     string // class that says whether there is any
	Offline  bool
}

func (v view) supply(a *shopv1.Availability, s *shopv1.Store, unit string) supply {
	n := any(a.GetAvailable())
	if unit == "g" || unit == "ml" {
		if a.GetAvailable() > 0 {
			n = v.Units(a.GetAvailable(), unit)
		}
	}
	out := supply{Store: a.GetStore(), Name: s.GetName(), Town: s.GetTown(), Units: a.GetAvailable(),
		Pill: "pill-ok", Offline: !a.GetConnected(), Count: v.T("stock.here", "n", n),
		There: v.T("stock.there", "n", n, "town", s.GetTown()), Age: v.When(a.GetAsOf(), s.GetTimezone())}
	if out.Units <= 0 {
		out.Pill = "pill-bad"
	}
	if out.Offline {
		out.Count, out.Age = out.There, v.offline(a, s)
	}
	return out
}

// offline says since when a store has been silent, and that what it granted
// before stays promised.
func (v view) offline(a *shopv1.Availability, s *shopv1.Store) string {
	since := s.GetOfflineSince()
	if since == nil {
		since = a.GetAsOf()
	}
	var args []any
	if since != nil {
		args = []any{"since", v.When(since, s.GetTimezone())}
	}
	if a.GetAvailable() > 0 {
		return v.T("stock.offline_promised", args...)
	}
	return v.T("stock.offline", args...)
}
