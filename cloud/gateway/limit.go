package gateway

import (
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"holdfast.dev/internal/process"
	"holdfast.dev/stock"
)

// maxCallers bounds how many callers are remembered; beyond it the oldest half
// is forgotten.
const maxCallers = 20_000

// Limit bounds how often one caller may change something: reservations without
// payment are the cheapest way to empty a shop.
type Limit struct {
	PerSecond float64
	Burst     int
}

// limiter keeps one bucket for each caller.
type limiter struct {
	limit Limit

	mu      sync.Mutex
	callers map[string]*caller
}

type caller struct {
	bucket *rate.Limiter
	seen   time.Time
}

// Handler lets a caller's changes through to next as the limit allows, whether
// they come as REST, as gRPC or from a page.
func (l Limit) Handler(next http.Handler) http.Handler {
	lim := &limiter{limit: l, callers: make(map[string]*caller)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !changes(r) || lim.allow(callerOf(r), time.Now()) {
			next.ServeHTTP(w, r)
			return
		}
		wait := time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
		process.RefuseHTTP(w, r, stock.Refuse(stock.RateLimited, "too many changes by one caller").
			With("after_ms", wait.Milliseconds()))
	})
}

// reads are the beginnings of the names of calls that change nothing.
var reads = []string{"Get", "List", "Search", "Watch"}

// changes tells whether a request may change something. Every gRPC call is a
// POST; its name says whether it reads.
func changes(r *http.Request) bool {
	if !process.IsGRPC(r) {
		return r.Method != http.MethodGet && r.Method != http.MethodHead
	}
	call := path.Base(r.URL.Path)
	return !slices.ContainsFunc(reads, func(name string) bool { return strings.HasPrefix(call, name) })
}

func callerOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (l *limiter) allow(who string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.callers[who]
	if !ok {
		if len(l.callers) >= maxCallers {
			l.forget(now)
		}
		c = &caller{bucket: rate.NewLimiter(rate.Limit(l.limit.PerSecond), l.limit.Burst)}
		l.callers[who] = c
	}
	c.seen = now
	return c.bucket.AllowN(now, 1)
}

// forget drops callers whose bucket is full again anyway, or else all.
func (l *limiter) forget(now time.Time) {
	for who, c := range l.callers {
		if c.bucket.TokensAt(now) >= float64(l.limit.Burst) {
			delete(l.callers, who)
		}
	}
	if len(l.callers) >= maxCallers {
		clear(l.callers)
	}
}
