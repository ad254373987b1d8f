package process

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// site is where the servers of these tests are.
const site = "http://pages"

// serve runs s at the end of a pipe; stop ends it and returns its fault.
func serve(t *testing.T, s *http.Server) (line *pipe, stop func() error) {
	t.Helper()
	line = newPipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve("pages", s, line).Run(ctx) }()
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
	return line, stop
}

// browser is a client at the other end of a pipe.
func browser(t *testing.T, line *pipe, change func(*http.Transport)) *http.Client {
	t.Helper()
	way := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return line.dial(ctx)
	}}
	if change != nil {
		change(way)
	}
	t.Cleanup(way.CloseIdleConnections)
	return &http.Client{Transport: way}
}

// sixEvents sends events for longer than any time that a server has for an
// answer, and waits until the client leaves or the server stops.
func sixEvents(t *testing.T, s *http.Server, left chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		stream, ctx, err := OpenStream(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		tick := time.NewTicker(s.WriteTimeout / 2)
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

func wantSixEvents(t *testing.T, client *http.Client) {
	t.Helper()
	resp, err := client.Get(site)
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
	go io.Copy(io.Discard, resp.Body) // a browser reads on
}

func TestEventStreamOutlivesTheServersTimeouts(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { outlives(t, http2) }) })
	}
}

func outlives(t *testing.T, http2 bool) {
	left := make(chan struct{})
	s := HTTPServer("", nil)
	s.Handler = sixEvents(t, s, left)
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(!http2)
	s.Protocols.SetUnencryptedHTTP2(http2)
	line, stop := serve(t, s)
	wantSixEvents(t, browser(t, line, func(way *http.Transport) { way.Protocols = s.Protocols }))
	begin := time.Now()
	if err := stop(); err != nil { // an open stream must not hold up the stop
		t.Error(err)
	}
	<-left
	// HTTP/2 stays a second for the client to leave; a stream that holds up
	// the stop is cut off after drain.
	if took := time.Since(begin); took >= drain/2 {
		t.Errorf("stopping took %s", took)
	}
}

func TestStreamFieldsCannotBreakOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := HTTPServer("", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			stream, _, err := OpenStream(w, r)
			if err == nil {
				err = stream.Send("1\ndata: forged", "x\r\ny", "")
			}
			if err != nil {
				t.Error(err)
			}
		}))
		line, _ := serve(t, s)
		if got, want := get(t, line), ": ping\n\nid: 1 data: forged\nevent: x  y\ndata: \n\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func get(t *testing.T, line *pipe) string {
	t.Helper()
	resp, err := browser(t, line, nil).Get(site)
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
	synctest.Test(t, func(t *testing.T) {
		entered, release := make(chan struct{}), make(chan struct{})
		s := HTTPServer("", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-release
			if err := r.Context().Err(); err != nil {
				t.Errorf("the request's context ended: %v", err)
			}
			io.WriteString(w, "booked")
		}))
		line, stop := serve(t, s)
		answer := make(chan string, 1)
		go func() { answer <- get(t, line) }()
		<-entered
		s.RegisterOnShutdown(func() { close(release) })
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := <-answer; got != "booked" {
			t.Errorf("got %q", got)
		}
	})
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := HTTPServer("", http.NotFoundHandler())
		line, _ := serve(t, s)
		conn, err := line.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost:")
		began := time.Now()
		conn.SetReadDeadline(began.Add(time.Hour))
		if _, err := io.ReadAll(conn); err != nil || time.Since(began) > s.ReadHeaderTimeout {
			t.Errorf("the server waits for %s: %v", time.Since(began), err)
		}
	})
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
	synctest.Test(t, func(t *testing.T) {
		result := make(chan error, 1)
		s := HTTPServer("", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			stream, ctx, err := OpenStream(w, r)
			if err != nil {
				t.Error(err)
				return
			}
			for err == nil && ctx.Err() == nil {
				err = stream.Send("", "", strings.Repeat("x", 1<<20))
			}
			result <- err
		}))
		line, _ := serve(t, s)
		conn, err := line.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		for lines := bufio.NewScanner(conn); lines.Scan() && lines.Text() != ": ping"; {
		}
		select {
		case err := <-result:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v, want a deadline", err)
			}
		case <-time.After(time.Hour):
			t.Error("the handler is stuck")
		}
	})
}
