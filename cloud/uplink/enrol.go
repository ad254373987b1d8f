package uplink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"holdfast.dev/internal/identity"
	"holdfast.dev/internal/process"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

// Enrol redeems a join secret for a certificate. The same request again, soon
// after, is answered again: the first answer may have been lost on its way.
func (s *Server) Enrol(
	ctx context.Context, r *uplinkv1.EnrolRequest,
) (*uplinkv1.EnrolResponse, error) {
	node, raw, err := nodeOf(r.GetCsr())
	if err != nil {
		return nil, statusOf(err)
	}
	secret, csr := identity.SecretHash(r.GetSecret()), sha256.Sum256(r.GetCsr())
	result, err := s.o.Office.Propose(ctx, &recordv1.Command{Actor: "node " + string(node),
		Body: &recordv1.Command_Enrol{Enrol: &recordv1.Enrol{Store: r.GetStore(),
			SecretHash: secret[:], NodeId: raw, CsrHash: csr[:], Hardware: r.GetHardware()}}})
	if err != nil {
		return nil, s.fault("enrol", err)
	}
	e := result.GetEnrol()
	store := stock.StoreID(r.GetStore())
	cert, err := s.o.CA.SignNode(r.GetCsr(), node, store, epochOf(e.GetEpoch()), s.o.CertTTL)
	if err != nil {
		return nil, s.fault("enrol", err)
	}
	s.o.Logger.Info("node enrolled", "store", store, "node", node)
	return &uplinkv1.EnrolResponse{Certificate: cert, Ca: s.o.CA.Certificate(),
		Epoch: e.GetEpoch(), Timeline: e.GetTimeline(), Store: e.GetStore()}, nil
}

// Renew gives an enrolled node a fresh certificate for the key it has. The key
// is what counts: a certificate that has expired, or none, is no hindrance, and
// what a request that was copied gets is of use to the key's owner only. A box
// that was replaced gets none.
func (s *Server) Renew(
	ctx context.Context, r *uplinkv1.RenewRequest,
) (*uplinkv1.RenewResponse, error) {
	node, raw, err := nodeOf(r.GetCsr())
	if err != nil {
		return nil, statusOf(err)
	}
	if peer, err := identity.PeerFromContext(ctx); err == nil && peer.NodeID != node {
		return nil, statusOf(stock.Refuse(stock.NotTrusted, "the request is for another key"))
	}
	store, err := s.o.Office.NodeStore(ctx, raw)
	if err != nil {
		return nil, s.fault("renew", err)
	}
	if store == 0 {
		return nil, statusOf(stock.Refuse(stock.NotTrusted, "node %s is in no store", node))
	}
	standing, err := s.o.Office.Look(ctx, store, nil)
	if err != nil {
		return nil, s.fault("renew", err)
	}
	cert, err := s.o.CA.SignNode(r.GetCsr(), node, store, standing.Epoch, s.o.CertTTL)
	if err != nil {
		return nil, s.fault("renew", err)
	}
	return &uplinkv1.RenewResponse{Certificate: cert, Generation: r.GetGeneration() + 1}, nil
}

func nodeOf(csr []byte) (identity.NodeID, []byte, error) {
	node, err := identity.NodeIDOfCSR(csr)
	if err != nil {
		return "", nil, err
	}
	raw, err := hex.DecodeString(string(node))
	return node, raw, err
}

func epochOf(e *recordv1.Epoch) stock.Epoch {
	return stock.Epoch{Timeline: stock.Timeline(e.GetTimeline()), Counter: e.GetCounter()}
}

// fault logs what is not a refusal: the caller hears no details of it.
func (s *Server) fault(what string, err error) error {
	_, refused := stock.AsRefusal(err)
	if !refused && !errors.Is(err, context.Canceled) {
		s.o.Logger.Error(what, "err", err)
	}
	return statusOf(err)
}

// statusOf makes the gRPC status of an error: refusals travel with their code
// and arguments.
func statusOf(err error) error {
	r, ok := stock.AsRefusal(err)
	switch {
	case ok:
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	default:
		return status.Error(codes.Unavailable, "the cloud cannot do this now")
	}
	return process.RefusalStatus(r, r.Error()).Err()
}
