package storefront

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
)

const (
	storePage = 100
	// maxStores bounds the shops that one page looks at.
	maxStores = 2000
	// shownStores is how many stand on a page before "all".
	shownStores = 6
	// leastStores is how many stand there although some have none.
	leastStores = 3
)

// allStores lists the shops by number.
func allStores(ctx context.Context, shop shopv1.ShopServer) ([]*shopv1.Store, error) {
	var all []*shopv1.Store
	for token := ""; len(all) < maxStores; {
		r, err := shop.ListStores(ctx, &shopv1.ListStoresRequest{PageSize: storePage, PageToken: token})
		if err != nil {
			return nil, err
		}
		all = append(all, r.GetStores()...)
		if token = r.GetNextPageToken(); token == "" {
			break
		}
	}
	return all, nil
}

// shops are the stores with what is known of the shopper's place.
type shops struct {
	all      []*shopv1.Store
	byID     map[uint32]*shopv1.Store
	lat, lon float64
	placed   bool
	mine     *shopv1.Store // chosen, or else the nearest; nil when nothing is known
}

func (v *visit) shops() (*shops, error) {
	all, err := allStores(v.r.Context(), v.shop)
	if err != nil {
		return nil, err
	}
	s := &shops{all: all, byID: make(map[uint32]*shopv1.Store, len(all)),
		lat: v.place.lat, lon: v.place.lon, placed: v.place.known}
	for _, one := range all {
		s.byID[one.GetStore()] = one
	}
	if v.place.store > 0 {
		s.mine = s.byID[v.place.store]
		s.lat, s.lon, s.placed = s.mine.GetLatitude(), s.mine.GetLongitude(), s.mine != nil
	}
	if s.placed {
		slices.SortStableFunc(s.all, func(a, b *shopv1.Store) int { return cmp.Compare(s.km(a), s.km(b)) })
		if s.mine == nil && len(s.all) > 0 {
			s.mine = s.all[0]
		}
	}
	return s, nil
}

// earthKm is the mean radius of the earth (IUGG).
const earthKm = 6371.0088

// km is the great-circle distance of a store by the haversine formula. Where nobody
// said where a store is, it is far away.
func (s *shops) km(to *shopv1.Store) float64 {
	if s.lat == 0 && s.lon == 0 || to.GetLatitude() == 0 && to.GetLongitude() == 0 {
		return math.Inf(1)
	}
	const rad = math.Pi / 180
	lat := math.Sin((to.GetLatitude() - s.lat) * rad / 2)
	lon := math.Sin((to.GetLongitude() - s.lon) * rad / 2)
	h := lat*lat + math.Cos(s.lat*rad)*math.Cos(to.GetLatitude()*rad)*lon*lon
	return 2 * earthKm * math.Asin(math.Sqrt(min(1, h)))
}

// distance words how far a store is from the shopper's place.
func (v *visit) distance(s *shops, to *shopv1.Store) string {
	switch {
	case !s.placed, to == nil:
		return ""
	case s.mine != nil && v.place.store == to.GetStore():
		return v.T("place.yours")
	case math.IsInf(s.km(to), 1):
		return ""
	case s.km(to) < 1:
		return v.T("place.near")
	}
	return v.T("place.km", "n", int64(math.Round(s.km(to))))
}

type storeRow struct {
	*shopv1.Store
	Distance string
	Mine     bool
	Opening  []string
	OpenNow  string
	Since    string // when it went offline
}

type storesPage struct {
	view
	Query  string
	Back   string
	Placed bool
	Rows   []storeRow
	Total  int
}

// stores lists the shops, nearest first, and lets the shopper choose one.
func stores(v *visit) error {
	all, err := v.shops()
	if err != nil {
		return err
	}
	p := storesPage{view: v.view, Query: strings.TrimSpace(v.r.FormValue("q")), Back: v.back("/stores"),
		Placed: all.placed, Total: len(all.all)}
	for _, s := range all.all {
		if matches(s, p.Query) {
			p.Rows = append(p.Rows, v.storeRow(all, s))
		}
	}
	return v.show(http.StatusOK, sheet{name: "stores", title: v.T("stores.title"), data: p})
}

func (v *visit) storeRow(all *shops, s *shopv1.Store) storeRow {
	return storeRow{Store: s, Distance: v.distance(all, s), Mine: v.place.store == s.GetStore(),
		Opening: v.Opening(s.GetOpening()), OpenNow: v.OpenNow(s.GetOpening(), s.GetTimezone()),
		Since: v.When(s.GetOfflineSince(), s.GetTimezone())}
}

// matches tells whether a store has what somebody typed in its name or address.
func matches(s *shopv1.Store, query string) bool {
	address := strings.ToLower(strings.Join([]string{s.GetName(), s.GetTown(), s.GetStreet(), s.GetPostcode()}, " "))
	return strings.Contains(address, strings.ToLower(query))
}

// choosePlace remembers a store as the shopper's.
func choosePlace(v *visit) error {
	id, err := storeField(v.r)
	if err != nil {
		return err
	}
	if _, err := v.shop.GetStore(v.r.Context(), &shopv1.GetStoreRequest{Store: id}); err != nil {
		return err
	}
	v.setCookie(placeCookie, place{store: id, known: true}.String(), year)
	v.redirect(v.back("/"))
	return nil
}

// storeField reads the form's store.
func storeField(r *http.Request) (uint32, error) {
	n, err := strconv.ParseUint(r.FormValue("store"), 10, 32)
	if err != nil || n == 0 {
		return 0, stock.Refuse(stock.BadRequest, "store %q", r.FormValue("store")).With("what", "store")
	}
	return uint32(n), nil
}

// Anchor is the id of a store's part of a page.
func (r storeRow) Anchor() string { return fmt.Sprintf("store-%d", r.GetStore()) }
