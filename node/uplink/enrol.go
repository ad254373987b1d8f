package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"holdfast.dev/internal/identity"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

const (
	enrolWait    = 15 * time.Second
	renewEvery   = 10 * time.Minute
	renewAttempt = 30 * time.Second // after a renewal that did not work
)

// Enrol redeems a join string and keeps the certificate in id. It can be
// repeated after any failure: the cloud knows the request by its key. It
// returns what the cloud says of the store.
func Enrol(
	ctx context.Context, id *identity.NodeIdentity, join identity.Join,
) (*recordv1.StoreInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, enrolWait)
	defer cancel()
	conn, err := connect(join.Addr, identity.PinnedBootstrapTLS(join.CAHash))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answer, err := uplinkv1.NewUplinkClient(conn).Enrol(ctx, &uplinkv1.EnrolRequest{
		Store: uint32(join.Store), Secret: join.Secret[:], Csr: id.CSR(),
		Hardware: runtime.GOOS + "/" + runtime.GOARCH})
	if err != nil {
		return nil, fmt.Errorf("enrol at %s: %w", join.Addr, refusalIn(err))
	}
	if err := id.Enrol(join, answer.GetCa(), answer.GetCertificate()); err != nil {
		return nil, fmt.Errorf("enrol at %s: %w", join.Addr, err)
	}
	return answer.GetStore(), nil
}

// Renew gets a fresh certificate from the cloud at an address. One that has
// expired, or that a wrong clock makes look so, does not hinder it: the cloud
// then knows the node by its key.
func Renew(ctx context.Context, id *identity.NodeIdentity, address string) error {
	err := renew(ctx, id, address, id.ClientTLS())
	if status.Code(err) == codes.Unavailable { // no handshake, perhaps for an expired certificate
		err = renew(ctx, id, address, identity.PinnedBootstrapTLS(id.CAHash()))
	}
	if err != nil {
		return fmt.Errorf("renew certificate at %s: %w", address, refusalIn(err))
	}
	return nil
}

func renew(
	ctx context.Context, id *identity.NodeIdentity, address string, config *tls.Config,
) error {
	ctx, cancel := context.WithTimeout(ctx, enrolWait)
	defer cancel()
	conn, err := connect(address, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := uplinkv1.NewUplinkClient(conn).Renew(ctx, &uplinkv1.RenewRequest{Csr: id.CSR()})
	if err != nil {
		return err
	}
	return id.Renew(answer.GetCertificate())
}

// keepCertificate renews the certificate in good time until ctx ends. The
// store trades without one, so an error is not more than a warning.
func (l *Link) keepCertificate(ctx context.Context) {
	id, log := l.o.Identity, l.o.Logger
	for {
		pause := renewEvery + rand.N(renewEvery/10)
		if id.NeedsRenewal(time.Now()) {
			err := Renew(ctx, id, l.o.Address)
			switch {
			case err == nil:
				log.Info("certificate renewed", "until", id.NotAfter())
			case ctx.Err() == nil:
				log.Warn("certificate", "until", id.NotAfter(), "err", err)
				pause = renewAttempt + rand.N(renewAttempt)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// refusalIn turns a status that carries a refusal back into it.
func refusalIn(err error) error {
	var r *stock.Refusal
	if errors.As(err, &r) {
		return err
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	for _, d := range st.Details() {
		info, ok := d.(*errdetails.ErrorInfo)
		if !ok {
			continue
		}
		if code, known := stock.ParseCode(info.GetReason()); known {
			return &stock.Refusal{Code: code, Detail: st.Message(), Args: info.GetMetadata()}
		}
	}
	return err
}
