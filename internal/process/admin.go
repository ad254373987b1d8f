package process

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const checkTime = 2 * time.Second

// Health is a set of named checks that say whether the program can do its work.
// The zero value has none and is ready.
type Health struct {
	mu       sync.Mutex
	checks   []healthCheck
	warnings []healthWarning
}

type healthWarning struct {
	name string
	say  func() string
}

// Alive is what /healthz answers: the program runs, and what people should see
// to before it cannot do its work any more.
type Alive struct {
	Status   string            `json:"status"`
	Warnings map[string]string `json:"warnings,omitempty"`
}

// Warn adds something that people should see to while say says so.
func (h *Health) Warn(name string, say func() string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.warnings = append(h.warnings, healthWarning{name, say})
}

// Alive asks for all warnings.
func (h *Health) Alive() Alive {
	h.mu.Lock()
	warnings := h.warnings
	h.mu.Unlock()
	a := Alive{Status: "alive"}
	for _, w := range warnings {
		if text := w.say(); text != "" {
			if a.Warnings == nil {
				a.Warnings = make(map[string]string)
			}
			a.Warnings[w.name] = text
		}
	}
	return a
}

type healthCheck struct {
	name  string
	check func(context.Context) error
}

// Readiness is what /readyz answers.
type Readiness struct {
	Ready  bool          `json:"ready"`
	Checks []CheckResult `json:"checks"`
}

// CheckResult is the result of one check. Reason is empty when OK.
type CheckResult struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

// Add adds a check. Its error is the reason that people read.
func (h *Health) Add(name string, check func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, healthCheck{name, check})
}

// Check asks all checks at once. One that does not answer in time is not ready.
func (h *Health) Check(ctx context.Context) Readiness {
	h.mu.Lock()
	checks := h.checks
	h.mu.Unlock()
	r := Readiness{Ready: true, Checks: make([]CheckResult, len(checks))}
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() {
			err := answer(ctx, c.check, checkTime)
			r.Checks[i] = CheckResult{Name: c.name, OK: err == nil}
			if err != nil {
				r.Checks[i].Reason = err.Error()
			}
		})
	}
	all.Wait()
	for _, c := range r.Checks {
		r.Ready = r.Ready && c.OK
	}
	return r
}

// answer calls check and waits for it no longer than limit, even when check
// does not look at its context. The goroutine then ends when check does.
func answer(ctx context.Context, check func(context.Context) error, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- check(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer within %s", limit)
	}
}

// NewRegistry returns a metrics registry with the figures of the Go runtime and
// of the process.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return r
}

// AdminMux returns the routes of the admin listener: /healthz, /readyz,
// /metrics and /debug/pprof/. Callers may add their own.
func AdminMux(health *Health, registry *prometheus.Registry) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, health.Alive())
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ready := health.Check(r.Context())
		status := http.StatusOK
		if !ready.Ready {
			status = http.StatusServiceUnavailable
		}
		answerJSON(w, status, ready)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// AdminServer returns the server of the admin listener. Its answers may take
// longer than others', because a profile does.
func AdminServer(addr string, handler http.Handler) *http.Server {
	s := HTTPServer(addr, handler)
	s.WriteTimeout = 90 * time.Second
	return s
}

// answerJSON cannot report an error: the client is gone then.
func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
