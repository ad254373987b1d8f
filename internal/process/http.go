package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// MaxBody bounds an ordinary request's body; imports set their own bound.
	MaxBody = 64 << 10

	streamWrite = 10 * time.Second // one event must be taken within this time
)

// HTTPServer returns a server with bounds on everything a slow or greedy client
// could hold. Bodies are bounded by the handlers: http.MaxBytesReader, MaxBody.
// A response that stays open begins with OpenStream.
func HTTPServer(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
}

// stoppingKey finds the context that ends when the server begins to stop.
type stoppingKey struct{}

// Serve is the part that serves s on l until ctx ends. Requests in progress
// then get a few seconds to finish; event streams end at once.
func Serve(name string, s *http.Server, l net.Listener) Part {
	return Part{Name: name, Run: func(ctx context.Context) error {
		base := context.WithValue(context.WithoutCancel(ctx), stoppingKey{}, ctx)
		s.BaseContext = func(net.Listener) context.Context { return base }
		done := make(chan error, 1)
		go func() { done <- s.Serve(l) }()
		select {
		case err := <-done:
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		case <-ctx.Done():
		}
		last, cancel := context.WithTimeout(base, drain)
		defer cancel()
		if err := s.Shutdown(last); err != nil {
			s.Close()
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		return nil
	}}
}

// Stream is one response of server-sent events. Its methods may be called from
// any goroutine until the handler returns.
type Stream struct {
	limit time.Duration

	mu   sync.Mutex
	w    io.Writer
	ctrl *http.ResponseController
}

// OpenStream lifts the server's write deadline from this response and starts it
// as server-sent events, each with a deadline of its own. The handler returns
// when the context ends: the client left or the server stops.
func OpenStream(w http.ResponseWriter, r *http.Request) (*Stream, context.Context, error) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // else some proxies hold events back
	w.WriteHeader(http.StatusOK)
	s := &Stream{limit: streamWrite, w: w, ctrl: http.NewResponseController(w)}
	return s, untilStopping(r.Context()), s.Ping()
}

// untilStopping returns ctx, ending also when the server begins to stop.
func untilStopping(ctx context.Context) context.Context {
	stopping, ok := ctx.Value(stoppingKey{}).(context.Context)
	if !ok {
		return ctx
	}
	both, cancel := context.WithCancel(ctx)
	forget := context.AfterFunc(stopping, cancel)
	context.AfterFunc(ctx, func() { forget() }) // when the handler has returned
	return both
}

// Send writes one event and flushes it. An empty id or event leaves that field
// out. The error says that the client is gone.
func (s *Stream) Send(id, event, data string) error {
	var b strings.Builder
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", oneLine(id))
	}
	if event != "" {
		fmt.Fprintf(&b, "event: %s\n", oneLine(event))
	}
	for line := range strings.Lines(strings.ReplaceAll(data, "\r", "") + "\n") {
		b.WriteString("data: " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return s.write(b.String() + "\n")
}

// Ping writes a comment, which keeps proxies from closing a quiet stream and
// finds out whether the client is still there.
func (s *Stream) Ping() error { return s.write(": ping\n\n") }

func (s *Stream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.ctrl.SetWriteDeadline(time.Now().Add(s.limit))
	if err == nil {
		_, err = io.WriteString(s.w, text)
	}
	if err == nil {
		err = s.ctrl.Flush()
	}
	if err == nil {
		// HTTP/2 resets a stream whose deadline passes, also when it is idle.
		err = s.ctrl.SetWriteDeadline(time.Time{})
	}
	if err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	return nil
}

func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }
