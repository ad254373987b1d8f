package process

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
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
	writeWithin = 30 * time.Second
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
	for name, want := range map[string]func(*testing.T, *pipe, *health.Server){
		"REST": wantBeats, "gRPC": wantChanges,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				line, checks := serveStreams(t)
				want(t, line, checks)
			})
		})
	}
}

// serveStreams serves a stream of beats and the changes of checks.
func serveStreams(t *testing.T) (*pipe, *health.Server) {
	a, err := NewAPI(slog.New(slog.DiscardHandler), words.EN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.conn.Close() })
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
	line, _ := serve(t, s)
	return line, checks
}

func wantBeats(t *testing.T, line *pipe, _ *health.Server) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site+"/v1/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := browser(t, line, nil).Do(req)
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

func wantChanges(t *testing.T, line *pipe, checks *health.Server) {
	conn, err := grpc.NewClient("passthrough:///pages", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return line.dial(ctx) }))
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
