package uplink_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"holdfast.dev/cloud/uplink"
	"holdfast.dev/internal/identity"
	nodeuplink "holdfast.dev/node/uplink"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

func openKey(t *testing.T) *identity.NodeIdentity {
	t.Helper()
	id, err := identity.OpenNodeKey(t.TempDir())
	must(t, err)
	return id
}

func TestJoinStringWorksOnceForOneBox(t *testing.T) {
	c := newCloud(t, nil)
	join, id := c.join(), openKey(t)
	info, err := nodeuplink.Enrol(t.Context(), id, join)
	must(t, err)
	if info.GetName() != "Test" || id.Peer().Store != store {
		t.Errorf("enrolled as %+v in %v", id.Peer(), info)
	}
	epoch := id.Peer().Epoch
	if _, err := nodeuplink.Enrol(t.Context(), id, join); err != nil || id.Peer().Epoch != epoch {
		t.Errorf("the same box again: %v, epoch %s", err, id.Peer().Epoch)
	}
	if _, err := nodeuplink.Enrol(t.Context(), openKey(t), join); !stock.Refused(err, stock.JoinUsed) {
		t.Errorf("another box gives %v, want JOIN_USED", err)
	}
}

func TestJoinStringsThatAreNotOursAreRefused(t *testing.T) {
	c := newCloud(t, nil)
	cases := []struct {
		name   string
		change func(j *identity.Join)
		want   stock.Code
	}{
		{"another secret", func(j *identity.Join) { j.Secret[0]++ }, stock.JoinUnknown},
		{"another store", func(j *identity.Join) { j.Store = 8 }, stock.JoinUnknown},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			join := c.join()
			test.change(&join)
			_, err := nodeuplink.Enrol(t.Context(), openKey(t), join)
			if !stock.Refused(err, test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestSecretIsNotSentToAnotherCA: the join string is still good afterwards.
func TestSecretIsNotSentToAnotherCA(t *testing.T) {
	c, impostor := newCloud(t, nil), newCloud(t, nil)
	join := c.join()
	misled := join
	misled.Addr = impostor.addr
	id := openKey(t)
	if _, err := nodeuplink.Enrol(t.Context(), id, misled); err == nil {
		t.Fatal("enrolled at an impostor")
	}
	if _, err := nodeuplink.Enrol(t.Context(), id, join); err != nil {
		t.Errorf("the join string was spent: %v", err)
	}
}

func TestExpiredCertificateRenewsByItsKey(t *testing.T) {
	c := newCloud(t, nil)
	n := c.enrol()
	expired, err := c.ca.SignNode(n.id.CSR(), n.id.ID(), store, n.id.Peer().Epoch, time.Millisecond)
	must(t, err)
	must(t, n.id.Renew(expired))
	session, err := c.dial(n.id.ClientTLS()).Session(t.Context())
	if err == nil {
		_, err = session.Recv()
	}
	wantCode(t, "an expired certificate", err, codes.Unavailable)
	n.start(t, c.addr, nil)
	n.reaches(t, nodeuplink.Online)
	if left := time.Until(n.id.NotAfter()); left < identity.NodeCertTTL/2 {
		t.Errorf("the certificate is good for %s", left)
	}
}

func TestCertificateRenewsForTheStoresOwnKeyOnly(t *testing.T) {
	c := newCloud(t, nil)
	old := c.enrol()
	must(t, nodeuplink.Renew(t.Context(), old.id, c.addr))
	foreign := openKey(t)
	_, err := c.dial(old.id.ClientTLS()).Renew(t.Context(), &uplinkv1.RenewRequest{Csr: foreign.CSR()})
	wantCode(t, "a key that is not enrolled", err, codes.PermissionDenied)
	c.enrol()
	if err := nodeuplink.Renew(t.Context(), old.id, c.addr); !stock.Refused(err, stock.NotTrusted) {
		t.Errorf("a box that was replaced gets %v, want NOT_TRUSTED", err)
	}
	catalogue, err := c.dial(old.id.ClientTLS()).Catalogue(t.Context(), &uplinkv1.CatalogueRequest{})
	must(t, err)
	_, err = catalogue.Recv()
	wantCode(t, "the catalogue for a box that was replaced", err, codes.PermissionDenied)
}

func TestOfficeThatIsBrokenSendsNodesAwayForAWhile(t *testing.T) {
	var broken brokenOffice
	c := newCloud(t, func(o *uplink.Options) { broken.Office = o.Office; o.Office = broken })
	n := c.enrol()
	raw := c.client(n)
	h, _ := n.floor.Hello(t.Context())
	raw.hello(h)
	r := await(raw, (*uplinkv1.CloudFrame).GetReject)
	if r.GetCode() != stock.Busy.String() || r.GetRetryAfterMs() < 1000 {
		t.Errorf("reject is %v", r)
	}
}

// brokenOffice cannot open sessions.
type brokenOffice struct{ uplink.Office }

func (o brokenOffice) Propose(
	ctx context.Context, c *recordv1.Command,
) (*recordv1.Result, error) {
	if c.GetOpenSession() != nil {
		return nil, context.DeadlineExceeded
	}
	return o.Office.Propose(ctx, c)
}
