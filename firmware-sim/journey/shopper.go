package journey

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

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
// no connection with anybody.
type shopper struct {
	url    string
	client *http.Client
}

func newShopper(url string) shopper {
	return shopper{url: url, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}}}
}

func (s shopper) leave() { s.client.CloseIdleConnections() }

// post calls the REST API. An answer that is an error becomes a gRPC status,
// with its refusal.
func (s shopper) post(ctx context.Context, path string, in, out proto.Message) error {
	body, err := protojson.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return s.do(req, out)
}

func (s shopper) get(ctx context.Context, path string, out proto.Message) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	return s.do(req, out)
}

func (s shopper) do(req *http.Request, out proto.Message) error {
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", req.URL.Path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return restError(req.URL.Path, resp.Status, body)
	}
	if err := protojson.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read answer of %s: %w", req.URL.Path, err)
	}
	return nil
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Accept-Language", "en")
	resp, err := s.client.Do(req)
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
