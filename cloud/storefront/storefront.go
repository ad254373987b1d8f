// Package storefront is the shop's pages for shoppers: search, see where a
// product is, have it set aside, and follow the pickup.
package storefront

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"holdfast.dev/internal/look"
	"holdfast.dev/internal/process"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock/words"
)

// Shop is what the pages show and change.
type Shop interface {
	shopv1.ShopServer
	// PINNeeded tells whether a store wants a PIN for every order.
	PINNeeded(ctx context.Context, store uint32) (bool, error)
}

// Options are what a Storefront needs.
type Options struct {
	Shop     Shop       // called in process
	Language words.Lang // where a shopper asks for none of ours
	Logger   *slog.Logger
}

// maxStreams bounds the pages that are followed live; beyond it a page shows
// what was true when it was loaded.
const maxStreams = 2000

// Storefront serves the pages.
type Storefront struct {
	o       Options
	now     func() time.Time
	beat    time.Duration // see supplyBeat
	aisles  aisles
	streams streams
}

// New returns a storefront.
func New(o Options) *Storefront { return &Storefront{o: o, now: time.Now, beat: supplyBeat} }

// Handler serves every page below "/".
func (s *Storefront) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /look/", look.Handler())
	mux.HandleFunc("GET /shop/{file}", serveStatic)
	mux.HandleFunc("GET /robots.txt", serveRobots)
	mux.HandleFunc("GET /openapi.json", serveOpenAPI)
	for pattern, answer := range map[string]func(*visit) error{
		"GET /{$}":                        home,
		"GET /p/{gtin}":                   product,
		"GET /p/{gtin}/events":            followProduct,
		"GET /stores":                     stores,
		"POST /place":                     choosePlace,
		"GET /cart":                       basket,
		"POST /cart/set":                  setLine,
		"POST /cart/store":                moveBasket,
		"POST /cart/clear":                clearBasket,
		"POST /reserve":                   reserve,
		"GET /pickups":                    pickups,
		"GET /r/{reservation}":            pickup,
		"GET /r/{reservation}/qr.png":     pickupPNG,
		"GET /r/{reservation}/qr.svg":     pickupSVG,
		"GET /r/{reservation}/pickup.ics": pickupCalendar,
		"GET /r/{reservation}/events":     followPickup,
		"POST /r/{reservation}/cancel":    cancelPickup,
		"GET /api":                        apiPage,
		"/":                               nothingHere,
	} {
		mux.Handle(pattern, s.page(answer))
	}
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(s.page(crossOrigin))
	return look.SecurityHeaders(http.MaxBytesHandler(guard.Handler(mux), process.MaxBody))
}

// page serves one page; what its function returns as an error becomes a page
// too.
func (s *Storefront) page(answer func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := s.open(w, r)
		if to, moved := v.takePlace(); moved {
			v.redirect(to)
			return
		}
		if err := answer(v); err != nil {
			v.fail(err)
		}
	})
}

// streams counts the pages that are followed live.
type streams struct {
	mu   sync.Mutex
	open int
}

// enter takes one place; leave gives it back.
func (s *streams) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= maxStreams {
		return false
	}
	s.open++
	return true
}

func (s *streams) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}
