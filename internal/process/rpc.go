package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

// errorDomain is the domain of the ErrorInfo that API errors carry.
const errorDomain = "holdfast.dev"

// argDetail names the developers' sentence in the metadata of a refusal.
const argDetail = "detail"

// maxMessage bounds one API message, in bytes.
const maxMessage = 9 << 20

// messageWithin is how long a message of an answer may take; it is longer than
// any stream is silent, as HTTP/2 resets a stream whose time is up though it is idle.
const messageWithin = time.Minute

// API is a set of gRPC services that are also served as REST, on one port.
type API struct {
	server *grpc.Server
	rest   *runtime.ServeMux
	pipe   *pipe
	conn   *grpc.ClientConn
}

// NewAPI returns an API without services. Refusals become statuses with an
// ErrorInfo and a sentence in the caller's language, or else in fallback; a
// fault is logged and told to the caller as internal.
func NewAPI(log *slog.Logger, fallback words.Lang) (*API, error) {
	answer := func(ctx context.Context, method string, err error) error {
		return apiError(log, callerLang(ctx, fallback), method, err)
	}
	a := &API{pipe: newPipe(), rest: newREST()}
	a.server = grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo,
			next grpc.UnaryHandler) (any, error) {
			resp, err := next(ctx, req)
			return resp, answer(ctx, info.FullMethod, err)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo,
			next grpc.StreamHandler) error {
			return answer(stream.Context(), info.FullMethod, next(srv, stream))
		}))
	conn, err := grpc.NewClient("passthrough:///api",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return a.pipe.dial(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, fmt.Errorf("open the API's inner line: %w", err)
	}
	a.conn = conn
	return a, nil
}

// Server is where services are registered.
func (a *API) Server() *grpc.Server { return a.server }

// REST registers the REST form of a service, by its generated function.
func (a *API) REST(ctx context.Context,
	register func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error) error {
	return register(ctx, a.rest, a.conn)
}

// RESTHandler serves the registered services as REST.
func (a *API) RESTHandler() http.Handler { return a.rest }

// Handler serves gRPC calls, and everything else by next.
func (a *API) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if IsGRPC(r) {
			unhurried(w)
			a.server.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// unhurried lifts the server's deadlines from a call, which has its own.
func unhurried(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{})  // what cannot have a deadline needs none lifted
	_ = c.SetWriteDeadline(time.Time{}) // the same
}

// moreTime gives the next message of an answer its own time: a stream lives as
// long as its reader takes what it is sent.
func moreTime(_ context.Context, w http.ResponseWriter, message proto.Message) error {
	within := time.Now().Add(messageWithin)
	if message == nil {
		within = time.Time{} // a stream begins, and its first message may be long in coming
	}
	_ = http.NewResponseController(w).SetWriteDeadline(within) // what cannot have a deadline has time
	return nil
}

// IsGRPC tells whether a request is a gRPC call.
func IsGRPC(r *http.Request) bool {
	return r.ProtoMajor >= 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// RefuseHTTP answers a request that did not come as far as its handler: as a
// gRPC status, as a google.rpc.Status in JSON below /v1/, or as plain text.
func RefuseHTTP(w http.ResponseWriter, r *http.Request, refusal *stock.Refusal) {
	lang := words.Match(r.Header.Get("Accept-Language"), words.EN)
	st := RefusalStatus(refusal, words.Refusal(lang, refusal))
	h := w.Header()
	switch {
	case IsGRPC(r):
		h.Set("Content-Type", "application/grpc")
		h.Set("Grpc-Status", strconv.Itoa(int(st.Code())))
		h.Set("Grpc-Message", url.PathEscape(st.Message()))
		w.WriteHeader(http.StatusOK)
	case strings.HasPrefix(r.URL.Path, "/v1/"):
		body, err := protojson.Marshal(st.Proto())
		if err != nil {
			http.Error(w, st.Message(), http.StatusInternalServerError)
			return
		}
		h.Set("Content-Type", "application/json")
		w.WriteHeader(words.HTTP(refusal.Code))
		w.Write(body)
	default:
		http.Error(w, st.Message(), words.HTTP(refusal.Code))
	}
}

// RefusalStatus is how API callers hear of a refusal: the sentence for people,
// and an ErrorInfo with the code and its arguments.
func RefusalStatus(r *stock.Refusal, sentence string) *status.Status {
	st := status.New(words.GRPC(r.Code), sentence)
	detailed, err := st.WithDetails(&errdetails.ErrorInfo{Reason: r.Code.String(), Domain: errorDomain,
		Metadata: r.Args})
	if err != nil {
		return st
	}
	return detailed
}

// Run serves the REST form's inner calls until ctx ends.
func (a *API) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, a.server.Stop)
	defer stop()
	defer a.conn.Close()
	if err := a.server.Serve(a.pipe); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}

func callerLang(ctx context.Context, fallback words.Lang) words.Lang {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, name := range []string{"accept-language", "grpcgateway-accept-language"} {
		if v := md.Get(name); len(v) > 0 {
			return words.Match(v[0], fallback)
		}
	}
	return fallback
}

// apiError turns what a handler returned into what the caller is told.
func apiError(log *slog.Logger, lang words.Lang, method string, err error) error {
	if err == nil {
		return nil
	}
	if r, ok := stock.AsRefusal(err); ok {
		return RefusalStatus(withDetail(r), words.Refusal(lang, r)).Err()
	}
	switch _, isStatus := status.FromError(err); {
	case isStatus:
		return err
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "cancelled by the caller")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "not done in time; ask again with the same request id")
	}
	log.Error("API call", "method", method, "err", err)
	return status.Error(codes.Internal, "something broke here; ask again with the same request id")
}

// eventMarshaler frames streamed messages as server-sent events.
type eventMarshaler struct{ runtime.JSONPb }

func (*eventMarshaler) ContentType(any) string       { return "text/event-stream" }
func (*eventMarshaler) StreamContentType(any) string { return "text/event-stream" }
func (*eventMarshaler) Delimiter() []byte            { return []byte("\n\n") }

func (m *eventMarshaler) Marshal(v any) ([]byte, error) {
	b, err := m.JSONPb.Marshal(v)
	return append([]byte("data: "), bytes.ReplaceAll(b, []byte("\n"), []byte("\ndata: "))...), err
}

// withDetail tells whoever made a malformed request what is wrong with it, besides
// the sentence for people. The detail of other refusals may say more than its
// business.
func withDetail(r *stock.Refusal) *stock.Refusal {
	if words.GRPC(r.Code) != codes.InvalidArgument || r.Detail == "" {
		return r
	}
	told := &stock.Refusal{Code: r.Code, Detail: r.Detail, Args: maps.Clone(r.Args)}
	return told.With(argDetail, r.Detail)
}

// pipe is a listener inside the process.
type pipe struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipe() *pipe { return &pipe{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipe) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipe) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "api" }
