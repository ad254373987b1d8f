package storefront

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	shopv1 "holdfast.dev/proto/shop/v1"
)

const (
	// The aisles are known from a sample of the assortment: so many pages of
	// so many products. They are looked at anew after freshAisles at first,
	// then, while nothing changes, ever less often.
	samplePages   = 40
	samplePage    = 100
	freshAisles   = 5 * time.Second
	settledAisles = 5 * time.Minute

	maxAisles = 24
	maxPicks  = 8
)

// aisles are the categories of the assortment, and a product from each of the
// largest to show first.
type aisles struct {
	mu    sync.Mutex
	names []string
	picks []*shopv1.Product
	seen  int // products in the sample
	keep  time.Duration
	until time.Time
}

// look returns the largest categories, by name, and the products to show.
func (a *aisles) look(ctx context.Context, shop shopv1.ShopServer, now time.Time) ([]string, []*shopv1.Product, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(a.until) {
		return a.names, a.picks, nil
	}
	sample, err := sampleProducts(ctx, shop)
	if err != nil {
		return nil, nil, err
	}
	a.keep = min(2*a.keep, settledAisles)
	if len(sample) != a.seen || a.keep == 0 {
		a.keep = freshAisles
	}
	a.names, a.picks = arrange(sample)
	a.seen, a.until = len(sample), now.Add(a.keep)
	return a.names, a.picks, nil
}

func sampleProducts(ctx context.Context, shop shopv1.ShopServer) ([]*shopv1.Product, error) {
	var all []*shopv1.Product
	token := ""
	for range samplePages {
		found, err := shop.SearchProducts(ctx, &shopv1.SearchProductsRequest{PageSize: samplePage, PageToken: token})
		if err != nil {
			return nil, err
		}
		all = append(all, found.GetProducts()...)
		if token = found.GetNextPageToken(); token == "" {
			break
		}
	}
	return all, nil
}

// arrange sorts a sample into its largest categories and takes the product in
// the middle of each.
func arrange(sample []*shopv1.Product) (names []string, picks []*shopv1.Product) {
	in := make(map[string][]*shopv1.Product)
	for _, p := range sample {
		if c := p.GetCategory(); c != "" {
			in[c] = append(in[c], p)
		}
	}
	for name := range in {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(in[b]), len(in[a])), strings.Compare(a, b))
	})
	names = names[:min(len(names), maxAisles)]
	for _, name := range names[:min(len(names), maxPicks)] {
		picks = append(picks, in[name][len(in[name])/2])
	}
	slices.Sort(names)
	return names, picks
}
