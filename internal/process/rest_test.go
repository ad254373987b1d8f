package process

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/status"

	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

// refusing is a REST mux whose one path answers with an error.
func refusing(t *testing.T, err error) *httptest.Server {
	t.Helper()
	mux := newREST()
	failed := mux.HandlePath(http.MethodPost, "/v1/things", func(w http.ResponseWriter, r *http.Request,
		_ map[string]string) {
		_, out := runtime.MarshalerForRequest(mux, r)
		told := apiError(slog.New(slog.DiscardHandler), words.EN, r.URL.Path, err)
		runtime.HTTPError(r.Context(), mux, out, w, r, told)
	})
	if failed != nil {
		t.Fatal(failed)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestRESTSaysWhyWithItsStatus(t *testing.T) {
	bad := stock.Refuse(stock.BadRequest, "page token %q", "x").With("what", "page_token")
	for name, tt := range map[string]struct {
		method, path string
		err          error
		status       int
		body         string
	}{
		"not enough":    {"POST", "/v1/things", stock.Refuse(stock.Short, "2 of 3"), 409, `"SHORT"`},
		"unknown":       {"POST", "/v1/things", stock.Refuse(stock.UnknownStore, "9"), 404, `"UNKNOWN_STORE"`},
		"malformed":     {"POST", "/v1/things", bad, 400, `"detail":"page token \"x\""`},
		"no time":       {"POST", "/v1/things", context.DeadlineExceeded, 504, "same request id"},
		"a fault":       {"POST", "/v1/things", errors.New("disk"), 500, "same request id"},
		"no such path":  {"POST", "/v1/nothing", nil, 404, "Not Found"},
		"another verb":  {"DELETE", "/v1/things", nil, 405, "/v1/things has no DELETE"},
		"silent detail": {"POST", "/v1/things", stock.Refuse(stock.WrongState, "inner workings"), 409, `"WRONG_STATE"`},
	} {
		s := refusing(t, tt.err)
		req, err := http.NewRequestWithContext(t.Context(), tt.method, s.URL+tt.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		body := strings.ReplaceAll(string(text), `": `, `":`)
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(body, tt.body) ||
			strings.Contains(body, "inner") || strings.Contains(body, "disk") {
			t.Errorf("%s: %d %s, %v", name, resp.StatusCode, body, err)
		}
	}
	if len(bad.Args) != 1 {
		t.Errorf("the refusal was changed: %v", bad.Args)
	}
}

func TestTheDetailOfARefusalIsFound(t *testing.T) {
	err := apiError(slog.New(slog.DiscardHandler), words.EN, "", stock.Refuse(stock.BadUnits, "%d units", -1))
	if got := Detail(status.Convert(err)); got != "-1 units" {
		t.Errorf("detail %q", got)
	}
	if got := Detail(status.Convert(errors.New("no refusal"))); got != "" {
		t.Errorf("detail %q of no refusal", got)
	}
}
