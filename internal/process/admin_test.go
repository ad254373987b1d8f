package process

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestReadyzGivesTheReasons(t *testing.T) {
	health := &Health{}
	journalErr := error(nil)
	health.Add("journal", func(context.Context) error { return journalErr })
	health.Add("uplink", func(context.Context) error { return nil })
	mux := AdminMux(health, NewRegistry())
	ask := func() (int, Readiness) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		r := Readiness{}
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		return w.Code, r
	}
	status, got := ask()
	want := Readiness{Ready: true, Checks: []CheckResult{{Name: "journal", OK: true}, {Name: "uplink", OK: true}}}
	if diff := cmp.Diff(want, got); diff != "" || status != http.StatusOK {
		t.Errorf("status %d: %s", status, diff)
	}
	journalErr = errors.New("disk full")
	status, got = ask()
	want = Readiness{Checks: []CheckResult{{Name: "journal", Reason: "disk full"}, {Name: "uplink", OK: true}}}
	if diff := cmp.Diff(want, got); diff != "" || status != http.StatusServiceUnavailable {
		t.Errorf("status %d: %s", status, diff)
	}
}

func TestAHungCheckIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health := &Health{}
		release := make(chan struct{})
		health.Add("disk", func(context.Context) error {
			<-release
			return nil
		})
		got := health.Check(t.Context())
		close(release)
		want := Readiness{Checks: []CheckResult{{Name: "disk", Reason: "no answer within 2s"}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAdminRoutes(t *testing.T) {
	mux := AdminMux(&Health{}, NewRegistry())
	for path, want := range map[string]string{
		"/healthz": `"alive"`, "/readyz": `"ready":true`, "/metrics": "go_goroutines",
		"/debug/pprof/": "goroutine", "/debug/pprof/heap?debug=1": "heap profile",
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: status %d, no %q", path, w.Code, want)
		}
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("POST", "/metrics", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /metrics: status %d", w.Code)
	}
}
