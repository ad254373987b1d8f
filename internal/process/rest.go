package process

import (
	"context"
	"errors"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

// newREST is a mux that answers in JSON, and in server-sent events who asks
// for those.
func newREST() *runtime.ServeMux {
	j := runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{EmitUnpopulated: true},
		UnmarshalOptions: protojson.UnmarshalOptions{}}
	return runtime.NewServeMux(runtime.WithForwardResponseOption(moreTime),
		runtime.WithMarshalerOption("text/event-stream", &eventMarshaler{j}),
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &j),
		runtime.WithErrorHandler(restError), runtime.WithRoutingErrorHandler(notRouted))
}

// restError answers with the HTTP status of the refusal, where gRPC has fewer.
func restError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter,
	r *http.Request, err error) {
	var routed *runtime.HTTPStatusError
	if !errors.As(err, &routed) {
		if http := httpStatus(status.Convert(err)); http != 0 {
			err = &runtime.HTTPStatusError{HTTPStatus: http, Err: err}
		}
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, err)
}

// httpStatus is that of a refusal; 0 if it is none.
func httpStatus(st *status.Status) int {
	if code, known := stock.ParseCode(refusalIn(st).GetReason()); known {
		return words.HTTP(code)
	}
	return 0
}

// refusalIn is what a status says of a refusal; nil if it is none.
func refusalIn(st *status.Status) *errdetails.ErrorInfo {
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == errorDomain {
			return info
		}
	}
	return nil
}

// Detail is what the status of a malformed request says to developers, or "".
func Detail(st *status.Status) string { return refusalIn(st).GetMetadata()[argDetail] }

// notRouted says 405 of a path that has other methods: 501 would mean that it may
// come later.
func notRouted(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter,
	r *http.Request, httpStatus int) {
	if httpStatus != http.StatusMethodNotAllowed {
		runtime.DefaultRoutingErrorHandler(ctx, mux, m, w, r, httpStatus)
		return
	}
	restError(ctx, mux, m, w, r, &runtime.HTTPStatusError{HTTPStatus: httpStatus,
		Err: status.Error(codes.Unimplemented, r.URL.Path+" has no "+r.Method)})
}
