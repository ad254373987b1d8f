package gateway

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// maxSkip bounds how deep a search can be paged.
const maxSkip = 10_000

// allStores reads every store.
const allStores = -1

func toProduct(p *recordv1.Product, lang string) *shopv1.Product {
	return &shopv1.Product{Gtin: p.GetGtin(), Name: headoffice.NameIn(p, lang), Brand: p.GetBrand(),
		Category: p.GetCategory(), Aisle: p.GetAisle(), Package: p.GetPackage(), Unit: p.GetUnit(),
		PriceMinor: int32(min(p.GetPriceMinor(), math.MaxInt32)), Currency: p.GetCurrency(),
		VatPermille: int32(p.GetVatPermille()), Sku: p.GetSku()}
}

// pageToken reads a page token, which is a number.
func pageToken(text string, most int64) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, stock.Refuse(stock.BadRequest, "page token %q", text).With("what", "page_token")
	}
	return n, nil
}

// SearchProducts finds products by words or numbers.
func (g *Gateway) SearchProducts(ctx context.Context, r *shopv1.SearchProductsRequest) (*shopv1.SearchProductsResponse, error) {
	skip, err := pageToken(r.GetPageToken(), maxSkip)
	if err != nil {
		return nil, err
	}
	size, lang := pageSize(r.GetPageSize(), maxPage), langOf(r.GetLanguage())
	resp := new(shopv1.SearchProductsResponse)
	err = g.view(ctx, func(tx *journal.Tx) error {
		found, err := headoffice.SearchProducts(tx, headoffice.Search{Text: r.GetQuery(),
			Category: r.GetCategory(), Skip: int(skip), Limit: size + 1})
		if err != nil {
			return err
		}
		if len(found) > size {
			found = found[:size]
			if next := skip + int64(size); next <= maxSkip {
				resp.NextPageToken = strconv.FormatInt(next, 10)
			}
		}
		for _, p := range found {
			resp.Products = append(resp.Products, toProduct(p, lang))
		}
		return nil
	})
	return resp, err
}

// GetProduct returns one product.
func (g *Gateway) GetProduct(ctx context.Context, r *shopv1.GetProductRequest) (resp *shopv1.Product, err error) {
	err = g.view(ctx, func(tx *journal.Tx) error {
		p, err := g.product(tx, r.GetGtin())
		if err == nil {
			resp = toProduct(p, langOf(r.GetLanguage()))
		}
		return err
	})
	return resp, err
}

func (g *Gateway) toStore(s *headoffice.Store) *shopv1.Store {
	i := s.Info
	out := &shopv1.Store{Store: uint32(s.ID), Name: i.GetName(), Town: i.GetTown(), Street: i.GetStreet(),
		Postcode: i.GetPostcode(), Country: i.GetCountry(), Latitude: float64(i.GetLatE6()) / 1e6,
		Longitude: float64(i.GetLonE6()) / 1e6, Timezone: i.GetTimezone(), Opening: i.GetOpening(),
		Language: i.GetLanguage(), Currency: i.GetCurrency()}
	st := g.o.Stores.Standing(s)
	out.Connected = st.Connected
	if !st.Connected && !st.Since.IsZero() {
		out.OfflineSince = timestamppb.New(st.Since)
	}
	return out
}

// ListStores lists the stores by number.
func (g *Gateway) ListStores(ctx context.Context, r *shopv1.ListStoresRequest) (*shopv1.ListStoresResponse, error) {
	after, err := pageToken(r.GetPageToken(), math.MaxUint32)
	if err != nil {
		return nil, err
	}
	size := pageSize(r.GetPageSize(), maxPage)
	resp := new(shopv1.ListStoresResponse)
	err = g.view(ctx, func(tx *journal.Tx) error {
		found, err := headoffice.Stores(tx, stock.StoreID(after), size+1)
		if err != nil {
			return err
		}
		if len(found) > size {
			found = found[:size]
			resp.NextPageToken = found[size-1].ID.String()
		}
		for _, s := range found {
			resp.Stores = append(resp.Stores, g.toStore(s))
		}
		return nil
	})
	return resp, err
}

// GetStore returns one store.
func (g *Gateway) GetStore(ctx context.Context, r *shopv1.GetStoreRequest) (resp *shopv1.Store, err error) {
	err = g.view(ctx, func(tx *journal.Tx) error {
		s, err := headoffice.FindStore(tx, stock.StoreID(r.GetStore()))
		if err == nil {
			resp = g.toStore(s)
		}
		return err
	})
	return resp, err
}

// availability says what one store can promise of a product, and how sure
// that is.
func (g *Gateway) availability(tx *journal.Tx, store stock.StoreID, p *recordv1.Product) (*shopv1.Availability, error) {
	found, err := headoffice.Availability(tx, store, stock.SKU(p.GetSku()))
	if err != nil {
		return nil, err
	}
	row, err := headoffice.FindStore(tx, store)
	if err != nil {
		return nil, err
	}
	st, s := g.o.Stores.Standing(row), found[0]
	s.Connected = st.Connected
	a := &shopv1.Availability{Store: uint32(store), Gtin: p.GetGtin(), Connected: st.Connected,
		Available: int32(min(s.Available(), math.MaxInt32)), Basis: shopv1.Basis_QUOTA}
	at := time.UnixMilli(s.AsOf)
	if st.Connected {
		a.Basis = shopv1.Basis_STORE_CONFIRMED
	}
	if st.LastHeard.After(at) {
		at = st.LastHeard
	}
	if at.UnixMilli() > 0 {
		a.AsOf = timestamppb.New(at)
	}
	return a, nil
}

// GetAvailability says how many of a product one store can promise.
func (g *Gateway) GetAvailability(ctx context.Context, r *shopv1.GetAvailabilityRequest) (resp *shopv1.Availability, err error) {
	err = g.view(ctx, func(tx *journal.Tx) error {
		p, err := g.product(tx, r.GetGtin())
		if err != nil {
			return err
		}
		resp, err = g.availability(tx, stock.StoreID(r.GetStore()), p)
		return err
	})
	return resp, err
}

// ListAvailability says how many of a product each store can promise, nearest
// first when the caller has a place, else by number.
func (g *Gateway) ListAvailability(ctx context.Context, r *shopv1.ListAvailabilityRequest) (*shopv1.ListAvailabilityResponse, error) {
	skip, err := pageToken(r.GetPageToken(), maxSkip)
	if err != nil {
		return nil, err
	}
	if math.Abs(r.GetLatitude()) > 90 || math.Abs(r.GetLongitude()) > 180 {
		return nil, stock.Refuse(stock.BadRequest, "no such place on Earth: %g, %g", r.GetLatitude(),
			r.GetLongitude()).With("what", "latitude")
	}
	var all []*shopv1.Availability
	err = g.view(ctx, func(tx *journal.Tx) error {
		all, err = g.everywhere(tx, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	resp := new(shopv1.ListAvailabilityResponse)
	from, size := min(int(skip), len(all)), pageSize(r.GetPageSize(), maxPage)
	to := min(from+size, len(all))
	resp.Availability = all[from:to]
	if to < len(all) {
		resp.NextPageToken = strconv.Itoa(to)
	}
	return resp, nil
}

func (g *Gateway) everywhere(tx *journal.Tx, r *shopv1.ListAvailabilityRequest) ([]*shopv1.Availability, error) {
	p, err := g.product(tx, r.GetGtin())
	if err != nil {
		return nil, err
	}
	stores, err := headoffice.Stores(tx, 0, allStores)
	if err != nil {
		return nil, err
	}
	here := place{r.GetLatitude(), r.GetLongitude()}
	all := make([]*shopv1.Availability, 0, len(stores))
	for _, s := range stores {
		a, err := g.availability(tx, s.ID, p)
		if err != nil {
			return nil, err
		}
		a.StoreName, a.Town = s.Info.GetName(), s.Info.GetTown()
		there := place{float64(s.Info.GetLatE6()) / 1e6, float64(s.Info.GetLonE6()) / 1e6}
		switch {
		case here == (place{}):
		case there == (place{}):
			a.DistanceKm = math.Inf(1) // nobody said where it is
		default:
			a.DistanceKm = here.km(there)
		}
		all = append(all, a)
	}
	slices.SortStableFunc(all, func(a, b *shopv1.Availability) int { return cmp.Compare(a.DistanceKm, b.DistanceKm) })
	for _, a := range all {
		if math.IsInf(a.DistanceKm, 1) {
			a.DistanceKm = 0
		}
	}
	return all, nil
}

// place is latitude and longitude in degrees.
type place struct{ lat, lon float64 }

// earthKm is the mean radius of the earth (IUGG).
const earthKm = 6371.0088

// km is the great-circle distance by the haversine formula.
func (p place) km(q place) float64 {
	const rad = math.Pi / 180
	sLat, sLon := math.Sin((q.lat-p.lat)*rad/2), math.Sin((q.lon-p.lon)*rad/2)
	h := sLat*sLat + math.Cos(p.lat*rad)*math.Cos(q.lat*rad)*sLon*sLon
	return 2 * earthKm * math.Asin(math.Sqrt(min(1, h)))
}
