package kiosk

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"holdfast.dev/internal/process"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"
)

// statusOf is the one place where an error becomes what API clients see: a
// refusal with its code and its sentence, anything else without details.
func (k *Kiosk) statusOf(lang words.Lang, method string, err error) error {
	if r, ok := stock.AsRefusal(err); ok {
		k.metrics.refusals.WithLabelValues(r.Code.String()).Inc()
		return process.RefusalStatus(r, words.RefusalAt(lang, r, k.now())).Err()
	}
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unknown {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the caller went away")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "no time left")
	case errors.Is(err, journal.ErrUnknown), errors.Is(err, journal.ErrClosed):
		k.log.Error("request with unknown outcome", "method", method, "err", err)
		return status.Error(codes.Unavailable, "outcome unknown: repeat the same request with the same request id")
	}
	k.log.Error("request failed", slog.String("method", method), "err", err)
	return status.Error(codes.Internal, "internal error")
}

// language is what a caller reads: what it asks for, or the store's language.
func (k *Kiosk) language(ctx context.Context) words.Lang {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, key := range []string{"accept-language", runtime.MetadataPrefix + "accept-language"} {
		if v := md.Get(key); len(v) > 0 {
			return words.Match(v[0], k.o.Info.Language)
		}
	}
	return k.o.Info.Language
}

func (k *Kiosk) unaryErrors(ctx context.Context, req any, info *grpc.UnaryServerInfo,
	next grpc.UnaryHandler) (any, error) {
	err := refusedBefore(ctx)
	var answer any
	if err == nil {
		answer, err = next(ctx, req)
	}
	if err != nil {
		return nil, k.statusOf(k.language(ctx), info.FullMethod, err)
	}
	return answer, nil
}

func (k *Kiosk) streamErrors(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo,
	next grpc.StreamHandler) error {
	err := refusedBefore(stream.Context())
	if err == nil {
		err = next(srv, stream)
	}
	if err == nil || stream.Context().Err() != nil {
		return nil
	}
	return k.statusOf(k.language(stream.Context()), info.FullMethod, err)
}

// restError is the same for REST, with the HTTP status of the refusal.
func (k *Kiosk) restError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler,
	w http.ResponseWriter, r *http.Request, err error) {
	var routed *runtime.HTTPStatusError
	if errors.As(err, &routed) {
		runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, err)
		return
	}
	lang := words.Match(r.Header.Get("Accept-Language"), k.o.Info.Language)
	said := k.statusOf(lang, r.Method+" "+r.URL.Path, err)
	if refusal, ok := stock.AsRefusal(err); ok {
		said = &runtime.HTTPStatusError{HTTPStatus: words.HTTP(refusal.Code), Err: said}
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, said)
}
