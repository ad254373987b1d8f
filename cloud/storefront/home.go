package storefront

import (
	"net/http"
	"net/url"
	"strings"

	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock/gtin"
)

const (
	resultPage = 24
	// maxQuery bounds what is searched for, in bytes.
	maxQuery = 200
)

// offer is a product as lists show it.
type offer struct {
	view
	*shopv1.Product
	Supply *supply // at the shopper's store; nil when that is not known
}

type homePage struct {
	view
	Query    string
	Category string
	Aisles   []string
	Offers   []offer
	Next     string // address of more results
	Mine     *storeRow
	Here     string // address of this page
}

// home shows the aisles and some products, or what was searched for.
func home(v *visit) error {
	query := strings.TrimSpace(v.r.FormValue("q"))
	query = strings.ToValidUTF8(query[:min(len(query), maxQuery)], "")
	if to, found := v.byNumber(query); found {
		v.redirect(to)
		return nil
	}
	p := homePage{view: v.view, Query: query, Category: v.r.FormValue("c"), Here: v.r.URL.RequestURI()}
	names, picks, err := v.s.aisles.look(v.r.Context(), v.shop, v.Now)
	if err != nil {
		return err
	}
	p.Aisles = names
	all, err := v.shops()
	if err != nil {
		return err
	}
	if all.mine != nil {
		row := v.storeRow(all, all.mine)
		p.Mine = &row
	}
	if query == "" && p.Category == "" {
		if p.Offers, err = v.offers(all, v.inLanguage(picks)); err != nil {
			return err
		}
		return v.show(http.StatusOK, sheet{name: "home", title: v.T("home.title"), data: p})
	}
	if err := v.search(all, &p); err != nil {
		return err
	}
	return v.show(http.StatusOK, sheet{name: "results", title: v.T("results.title"), data: p})
}

// byNumber finds the product whose number was typed or scanned as a search.
func (v *visit) byNumber(query string) (to string, found bool) {
	number, err := gtin.Parse(query)
	if err != nil {
		return "", false
	}
	p, err := v.shop.GetProduct(v.r.Context(), &shopv1.GetProductRequest{Gtin: number.Digits()})
	if err != nil {
		return "", false // the results page says that there is none
	}
	return "/p/" + p.GetGtin(), true
}

// inLanguage reads products anew in the reader's language.
func (v *visit) inLanguage(known []*shopv1.Product) []*shopv1.Product {
	var all []*shopv1.Product
	for _, k := range known {
		p, err := v.product(k.GetGtin())
		if err == nil { // one that was retired since is left out
			all = append(all, p)
		}
	}
	return all
}

func (v *visit) product(number string) (*shopv1.Product, error) {
	return v.shop.GetProduct(v.r.Context(), &shopv1.GetProductRequest{Gtin: number, Language: string(v.Lang)})
}

func (v *visit) search(all *shops, p *homePage) error {
	found, err := v.shop.SearchProducts(v.r.Context(), &shopv1.SearchProductsRequest{Query: p.Query,
		Category: p.Category, Language: string(v.Lang), PageSize: resultPage, PageToken: v.r.FormValue("page")})
	if err != nil {
		return err
	}
	if token := found.GetNextPageToken(); token != "" {
		q := url.Values{"page": {token}}
		if p.Query != "" {
			q.Set("q", p.Query)
		}
		if p.Category != "" {
			q.Set("c", p.Category)
		}
		p.Next = pathWith("/", q)
	}
	p.Offers, err = v.offers(all, found.GetProducts())
	return err
}

// offers adds to products what the shopper's store has of them.
func (v *visit) offers(all *shops, products []*shopv1.Product) ([]offer, error) {
	list := make([]offer, len(products))
	for i, p := range products {
		list[i] = offer{view: v.view, Product: p}
		if all.mine == nil {
			continue
		}
		a, err := v.shop.GetAvailability(v.r.Context(),
			&shopv1.GetAvailabilityRequest{Store: all.mine.GetStore(), Gtin: p.GetGtin()})
		if err != nil {
			return nil, err
		}
		at := v.supply(a, all.mine, p.GetUnit())
		list[i].Supply = &at
	}
	return list, nil
}
