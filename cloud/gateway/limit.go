package gateway

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
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

// Handler lets a caller's changes through to next as the limit allows.
func (l Limit) Handler(next http.Handler) http.Handler {
	lim := &limiter{limit: l, callers: make(map[string]*caller)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || lim.allow(callerOf(r), time.Now()) {
			next.ServeHTTP(w, r)
			return
		}
		wait := time.Second
		refusal := stock.Refuse(stock.RateLimited, "too many changes").With("after_ms", wait.Milliseconds())
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
		http.Error(w, words.Refusal(words.Match(r.Header.Get("Accept-Language"), words.EN), refusal),
			http.StatusTooManyRequests)
	})
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
