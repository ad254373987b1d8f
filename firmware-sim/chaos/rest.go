package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	maxAnswer   = 32 << 20
	callWithin  = 3 * time.Second  // of a client that shops or scans
	adminWithin = 20 * time.Second // of somebody who sets up or inspects
)

// refused is an answer that names why not.
type refused struct{ code, sentence string }

// Error gives the sentence and the code.
func (r *refused) Error() string { return fmt.Sprintf("%s (%s)", r.sentence, r.code) }

// errNotSent means that nobody can have heard the request.
var errNotSent = errors.New("not sent")

// errUnknown means that the request may have been served.
var errUnknown = errors.New("no answer")

// codeOf is the code of a refusal, or nothing.
func codeOf(err error) string {
	if r, ok := errors.AsType[*refused](err); ok {
		return r.code
	}
	return ""
}

// rest is a client of one program's REST API, with connections of its own.
type rest struct {
	base   string
	client *http.Client
}

func newREST(at place, within time.Duration) *rest {
	dial := &net.Dialer{Timeout: time.Second}
	return &rest{base: "http://" + at.addr, client: &http.Client{Timeout: within,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := at.dial(ctx, dial)
			if err != nil {
				err = fmt.Errorf("%w: %w", errNotSent, err)
			}
			return conn, err
		},
			// A request on an old connection that turns out dead would be sent
			// again by itself; the run wants to know of every try.
			DisableKeepAlives: false, MaxIdleConnsPerHost: 4, IdleConnTimeout: 5 * time.Second,
		}}}
}

func (r *rest) close() { r.client.CloseIdleConnections() }

func (r *rest) get(ctx context.Context, path string, out proto.Message) error {
	return r.call(ctx, http.MethodGet, path, nil, out)
}

func (r *rest) post(ctx context.Context, path string, in, out proto.Message) error {
	return r.call(ctx, http.MethodPost, path, in, out)
}

// call returns nil, a *refused, errNotSent, or errUnknown with its cause.
func (r *rest) call(ctx context.Context, method, path string, in, out proto.Message) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = protojson.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.GetBody = nil // nobody sends it twice
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if errors.Is(err, errNotSent) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	if resp.StatusCode != http.StatusOK {
		return reason(resp.Status, text)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, out); err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	return nil
}

// reason reads why a request was not served.
func reason(httpStatus string, text []byte) error {
	var st status.Status
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, &st); err == nil {
		for _, d := range st.GetDetails() {
			info := new(errdetails.ErrorInfo)
			if d.UnmarshalTo(info) == nil && info.GetReason() != "" {
				return &refused{code: info.GetReason(), sentence: st.GetMessage()}
			}
		}
	}
	return fmt.Errorf("%w: %s: %s", errUnknown, httpStatus, text[:min(len(text), 300)])
}
