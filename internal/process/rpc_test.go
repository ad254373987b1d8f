package process

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/stock/words"
)

// slowBeat is longer than the servers of these tests allow an answer to take.
const (
	writeWithin = 100 * time.Millisecond
	slowBeat    = 3 * writeWithin / 2
	beats       = 4
)

// watchREST registers a stream of beats.
func watchREST(_ context.Context, mux *runtime.ServeMux, _ *grpc.ClientConn) error {
	return mux.HandlePath(http.MethodGet, "/v1/watch", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		sent := 0
		recv := func() (proto.Message, error) {
			if sent == beats {
				return nil, io.EOF
			}
			if sent++; sent > 1 {
				time.Sleep(slowBeat)
			}
			return &healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_SERVING}, nil
		}
		_, out := runtime.MarshalerForRequest(mux, r)
		runtime.ForwardResponseStream(runtime.NewServerMetadataContext(r.Context(), runtime.ServerMetadata{}), mux, out, w, r, recv, mux.GetForwardResponseOptions()...)
	})
}

func TestStreamsOutliveTheTimeThatAnAnswerMayTake(t *testing.T) {
	a, err := NewAPI(slog.New(slog.DiscardHandler), words.EN)
	if err != nil {
		t.Fatal(err)
	}
	checks := health.NewServer()
	healthv1.RegisterHealthServer(a.Server(), checks)
	if err := a.REST(t.Context(), watchREST); err != nil {
		t.Fatal(err)
	}
	s := HTTPServer("", a.Handler(a.RESTHandler()))
	s.ReadTimeout, s.WriteTimeout = writeWithin, writeWithin
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	url, _ := serve(t, s)
	t.Run("REST", func(t *testing.T) { wantBeats(t, url+"/v1/watch") })
	t.Run("gRPC", func(t *testing.T) { wantChanges(t, strings.TrimPrefix(url, "http://"), checks) })
}

func wantBeats(t *testing.T, url string) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n := 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data: ") {
			n++
		}
	}
	if n != beats {
		t.Errorf("%d events arrived, want %d", n, beats)
	}
}

func wantChanges(t *testing.T, address string, checks *health.Server) {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range beats {
		if _, err := stream.Recv(); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
		time.Sleep(slowBeat)
		next := healthv1.HealthCheckResponse_SERVING
		if i%2 == 0 {
			next = healthv1.HealthCheckResponse_NOT_SERVING
		}
		checks.SetServingStatus("", next)
	}
}
