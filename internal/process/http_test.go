package process

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// serve runs s on a free loopback port; stop ends it and returns its fault.
func serve(t *testing.T, s *http.Server) (url string, stop func() error) {
	t.Helper()
	l, err := Listen("http-addr", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve("pages", s, l).Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String(), stop
}

// serverLimit is the timeout of servers that a stream of events outlives.
const serverLimit = 700 * time.Millisecond

// sixEvents sends events for longer than serverLimit, and waits until the client
// leaves or the server stops.
func sixEvents(t *testing.T, left chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		stream, ctx, err := OpenStream(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		stream.limit = serverLimit / 2
		tick := time.NewTicker(serverLimit / 5)
		defer tick.Stop()
		for i := range 6 {
			select {
			case <-ctx.Done():
				t.Errorf("the context ended at event %d", i)
				return
			case <-tick.C:
			}
			if err := stream.Send("1", "stock", "a\r\nb"); err != nil {
				t.Error(err)
			}
		}
		<-ctx.Done()
	}
}

func wantSixEvents(t *testing.T, client *http.Client, url string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	want := []string{": ping", ""}
	for range 6 {
		want = append(want, "id: 1", "event: stock", "data: a", "data: b", "")
	}
	for i, w := range want {
		if !lines.Scan() || lines.Text() != w {
			t.Fatalf("line %d: got %q (%v), want %q", i, lines.Text(), lines.Err(), w)
		}
	}
}

func TestEventStreamOutlivesTheServersTimeouts(t *testing.T) {
	left := make(chan struct{})
	s := HTTPServer("", sixEvents(t, left))
	s.ReadTimeout, s.WriteTimeout = serverLimit, serverLimit
	url, stop := serve(t, s)
	wantSixEvents(t, http.DefaultClient, url)
	begin := time.Now()
	if err := stop(); err != nil { // an open stream must not hold up the stop
		t.Error(err)
	}
	<-left
	if took := time.Since(begin); took > drain/2 {
		t.Errorf("stopping took %s", took)
	}
}

func TestEventStreamOutlivesTheTimeoutsOfHTTP2(t *testing.T) {
	left := make(chan struct{})
	s := httptest.NewUnstartedServer(sixEvents(t, left))
	s.EnableHTTP2 = true
	s.Config.ReadTimeout, s.Config.WriteTimeout = serverLimit, serverLimit
	s.StartTLS()
	wantSixEvents(t, s.Client(), s.URL)
	s.CloseClientConnections()
	<-left
	s.Close()
}

func TestStreamFieldsCannotBreakOut(t *testing.T) {
	s := HTTPServer("", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream, _, err := OpenStream(w, r)
		if err == nil {
			err = stream.Send("1\ndata: forged", "x\r\ny", "")
		}
		if err != nil {
			t.Error(err)
		}
	}))
	url, _ := serve(t, s)
	if got, want := get(t, url), ": ping\n\nid: 1 data: forged\nevent: x  y\ndata: \n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestRequestInProgressFinishesBeforeTheServerStops(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := HTTPServer("", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request's context ended: %v", err)
		}
		io.WriteString(w, "booked")
	}))
	url, stop := serve(t, s)
	answer := make(chan string, 1)
	go func() { answer <- get(t, url) }()
	<-entered
	s.RegisterOnShutdown(func() { close(release) })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := <-answer; got != "booked" {
		t.Errorf("got %q", got)
	}
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	s := HTTPServer("", http.NotFoundHandler())
	s.ReadHeaderTimeout = 50 * time.Millisecond
	url, _ := serve(t, s)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost:")
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadAll(conn); errors.Is(err, context.DeadlineExceeded) {
		t.Error("the server waits for ever")
	}
}

func TestServersHaveAllTimeouts(t *testing.T) {
	for name, s := range map[string]*http.Server{
		"pages": HTTPServer("", nil), "admin": AdminServer("", nil),
	} {
		if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 ||
			s.IdleTimeout == 0 || s.MaxHeaderBytes != 16<<10 {
			t.Errorf("%s: a bound is missing: %+v", name, s)
		}
	}
}

func TestStreamGivesUpOnAClientThatDoesNotRead(t *testing.T) {
	result := make(chan error, 1)
	s := HTTPServer("", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream, ctx, err := OpenStream(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		stream.limit = 50 * time.Millisecond
		for err == nil && ctx.Err() == nil {
			err = stream.Send("", "", strings.Repeat("x", 1<<20))
		}
		result <- err
	}))
	url, _ := serve(t, s)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case err := <-result:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the handler is stuck")
	}
}
