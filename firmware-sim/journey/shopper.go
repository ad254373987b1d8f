package journey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statusv1 "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"holdfast.dev/firmware-sim/demo"
	shopv1 "holdfast.dev/proto/shop/v1"
)

// maxPage bounds what a shopper reads of one answer.
const maxPage = 4 << 20

// shopper is somebody with a browser of their own: an HTTP client that shares
// no connection with anybody. It knows every member of the cloud, and asks the
// next one when one does not answer; each shopper begins with another one.
type shopper struct {
	urls   []string
	client *http.Client
}

func newShopper(urls ...string) shopper {
	urls = slices.Clone(urls)
	rand.Shuffle(len(urls), func(i, j int) { urls[i], urls[j] = urls[j], urls[i] })
	return shopper{urls: urls, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}}}
}

func (s shopper) leave() { s.client.CloseIdleConnections() }

// post calls the REST API. An answer that is an error becomes a gRPC status,
// with its refusal.
func (s shopper) post(ctx context.Context, path string, in, out proto.Message) error {
	body, err := protojson.Marshal(in)
	if err != nil {
		return err
	}
	return s.call(ctx, http.MethodPost, path, body, out)
}

func (s shopper) get(ctx context.Context, path string, out proto.Message) error {
	return s.call(ctx, http.MethodGet, path, nil, out)
}

func (s shopper) call(ctx context.Context, method, path string, body []byte, out proto.Message) error {
	resp, err := s.ask(ctx, method, path, body, http.Header{"Content-Type": {"application/json"}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return restError(path, resp.Status, answer)
	}
	if err := protojson.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	return nil
}

// ask asks one member after the other until one answers. The same request at
// another member is safe: its id is the caller's.
func (s shopper) ask(ctx context.Context, method, path string, body []byte, header http.Header) (*http.Response, error) {
	var faults []error
	for _, url := range s.urls {
		req, err := http.NewRequestWithContext(ctx, method, url+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header = header
		resp, err := s.client.Do(req)
		if err == nil {
			return resp, nil
		}
		if faults = append(faults, err); ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(faults...)
}

// restError reads a google.rpc.Status, as REST answers it.
func restError(path, code string, body []byte) error {
	types := new(protoregistry.Types)
	if err := types.RegisterMessage((*errdetails.ErrorInfo)(nil).ProtoReflect().Type()); err != nil {
		return err
	}
	said := new(statusv1.Status)
	if err := (protojson.UnmarshalOptions{Resolver: types, DiscardUnknown: true}).Unmarshal(body, said); err != nil {
		return fmt.Errorf("%s: %s: %.200s", path, code, body)
	}
	return status.ErrorProto(said)
}

// page reads a page as a browser does.
func (s shopper) page(ctx context.Context, path string) (string, error) {
	resp, err := s.ask(ctx, http.MethodGet, path, nil,
		http.Header{"Accept": {"text/html"}, "Accept-Language": {"en"}})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("page %s: %s", path, resp.Status)
	}
	return string(body), err
}

func line(p demo.Product, n int32) *shopv1.CartLine {
	return &shopv1.CartLine{Gtin: p.GTIN, Quantity: n}
}

// hold takes units for a cart.
func (s shopper) hold(ctx context.Context, at *demo.Store, id string, lines ...*shopv1.CartLine) (*shopv1.Hold, error) {
	out := new(shopv1.Hold)
	return out, s.post(ctx, fmt.Sprintf("/v1/stores/%d/holds", at.ID),
		&shopv1.CreateHoldRequest{RequestId: id, Lines: lines}, out)
}

// confirm turns a hold into a reservation.
func (s shopper) confirm(ctx context.Context, at *demo.Store, hold, id string) (*shopv1.Reservation, error) {
	out := new(shopv1.Reservation)
	return out, s.post(ctx, fmt.Sprintf("/v1/stores/%d/holds/%s:confirm", at.ID, hold),
		&shopv1.ConfirmHoldRequest{RequestId: id, Contact: &shopv1.Contact{FirstName: "Mette", Language: "da"}}, out)
}

// reserve holds and confirms in one call.
func (s shopper) reserve(ctx context.Context, at *demo.Store, id string, lines ...*shopv1.CartLine) (*shopv1.Reservation, error) {
	out := new(shopv1.Reservation)
	return out, s.post(ctx, fmt.Sprintf("/v1/stores/%d/reservations", at.ID),
		&shopv1.CreateReservationRequest{RequestId: id, Lines: lines,
			Contact: &shopv1.Contact{FirstName: "Joost", Language: "nl"}}, out)
}

// reservation reads a reservation again.
func (s shopper) reservation(ctx context.Context, id string) (*shopv1.Reservation, error) {
	out := new(shopv1.Reservation)
	return out, s.get(ctx, "/v1/reservations/"+id, out)
}
