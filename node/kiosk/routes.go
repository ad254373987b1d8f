package kiosk

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"holdfast.dev/internal/look"
	"holdfast.dev/internal/process"
	storev1 "holdfast.dev/proto/store/v1"
)

// marshal is how the API writes JSON: every field is there.
var marshal = protojson.MarshalOptions{EmitUnpopulated: true}

// maxRequest bounds a message of the API; the longest is a delivery of
// maxLines.
const maxRequest = 256 << 10

// routes lists everything that the kiosk answers.
func (k *Kiosk) routes() http.Handler {
	api := &server{k: k}
	mux := http.NewServeMux()
	mux.Handle("/look/", look.Handler())
	mux.HandleFunc("GET /v1/events", k.serveEvents)
	mux.HandleFunc("GET /head", k.page(serveHead))
	mux.HandleFunc("POST /v1/stations/{call}", k.serveWedge(k.rest(api)))
	mux.Handle("/v1/", k.rest(api))
	k.pages(mux)
	web := look.SecurityHeaders(http.NewCrossOriginProtection().Handler(bounded(mux)))
	calls := k.grpc(api)
	return k.witnessed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			unhurried(w)
			calls.ServeHTTP(w, r)
			return
		}
		web.ServeHTTP(w, r)
	}))
}

// serveHead answers with nothing but the headers for witnesses.
func serveHead(v *visit) error {
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}

// unhurried lifts the server's deadlines from a call, which has its own.
func unhurried(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{})  // what cannot have a deadline needs none lifted
	_ = c.SetWriteDeadline(time.Time{}) // the same
}

func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		next.ServeHTTP(w, r)
	})
}

func (k *Kiosk) grpc(api storev1.StoreFloorServer) *grpc.Server {
	s := grpc.NewServer(grpc.MaxRecvMsgSize(maxRequest), grpc.ChainUnaryInterceptor(k.unaryErrors),
		grpc.ChainStreamInterceptor(k.streamErrors))
	storev1.RegisterStoreFloorServer(s, api)
	return s
}

// rest is the API as JSON, in the same process.
func (k *Kiosk) rest(api storev1.StoreFloorServer) http.Handler {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{MarshalOptions: marshal,
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false}}),
		runtime.WithErrorHandler(k.restError))
	if err := storev1.RegisterStoreFloorHandlerServer(context.Background(), mux, api); err != nil {
		panic(err) // the patterns are generated: they are right or the build is wrong
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if err := refusedBefore(r.Context()); err != nil {
			_, m := runtime.MarshalerForRequest(mux, r)
			k.restError(r.Context(), mux, m, w, r, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// serveEvents is WatchEvents as server-sent events: each one is an Event in
// JSON, the first comes at once.
func (k *Kiosk) serveEvents(w http.ResponseWriter, r *http.Request) {
	stream, ctx, err := process.OpenStream(w, r)
	if err != nil {
		return // the client went away
	}
	_ = k.follow(ctx, r.URL.Query().Get("station"), func(e *storev1.Event) error { // the stream has ended either way
		raw, err := compact(e)
		if err != nil {
			return err
		}
		return stream.Send("", "", raw)
	})
}

// compact writes an event on one line: protojson varies its spaces on purpose.
func compact(e *storev1.Event) (string, error) {
	raw, err := marshal.Marshal(e)
	if err != nil {
		return "", err
	}
	var line json.RawMessage = raw
	small, err := json.Marshal(line)
	return string(small), err
}

// serveWedge takes the scans of a keyboard wedge, which the script of a page
// posts as a form, and passes everything else on.
func (k *Kiosk) serveWedge(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		station, scan := strings.CutSuffix(r.PathValue("call"), ":scan")
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		script := r.Header.Get("X-Fragment") == "true"
		if !scan || !script || kind != "application/x-www-form-urlencoded" {
			next.ServeHTTP(w, r)
			return
		}
		k.page(func(v *visit) error { return k.wedgeScan(v, station) })(w, r)
	}
}
