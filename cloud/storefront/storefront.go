// Package storefront is the shop's pages for shoppers: search, see where a
// product is, have it set aside, and follow the pickup.
package storefront

import (
	"log/slog"
	"net/http"

	"holdfast.dev/internal/look"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock/words"
)

// Options are what a Storefront needs.
type Options struct {
	Shop     shopv1.ShopServer // called in process
	Language words.Lang        // where a shopper asks for none of ours
	Logger   *slog.Logger
}

// Storefront serves the pages.
type Storefront struct {
	o Options
}

// New returns a storefront.
func New(o Options) *Storefront { return &Storefront{o: o} }

// Handler serves every page below "/".
func (s *Storefront) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /look/", look.Handler())
	return look.SecurityHeaders(mux)
}
