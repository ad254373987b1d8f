package identity

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"holdfast.dev/stock"
)

// cloud answers every call with the peer it saw, as the message of an error.
func cloud(t *testing.T, conf *tls.Config) (addr string) {
	t.Helper()
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(conf)),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			p, err := PeerFromContext(stream.Context())
			if err != nil {
				return status.Error(codes.PermissionDenied, err.Error())
			}
			return status.Error(codes.AlreadyExists, p.URI().String())
		}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return l.Addr().String()
}

// call returns what the cloud says on a new connection.
func call(t *testing.T, addr string, conf *tls.Config) *status.Status {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(conf)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = conn.Invoke(ctx, "/any/Call", &emptypb.Empty{}, &emptypb.Empty{})
	return status.Convert(err)
}

func wantStatus(t *testing.T, got *status.Status, code codes.Code, text string) {
	t.Helper()
	if got.Code() != code || !strings.Contains(got.Message(), text) {
		t.Errorf("got %s %q, want %s with %q", got.Code(), got.Message(), code, text)
	}
}

func TestEnrolledNodeIsKnownToTheCloud(t *testing.T) {
	ca, n := mustCA(t), mustNode(t)
	addr := cloud(t, ca.ServerTLS("127.0.0.1"))

	boot := call(t, addr, PinnedBootstrapTLS(ca.Pin()))
	wantStatus(t, boot, codes.PermissionDenied, "NOT_TRUSTED") // may enrol, and no more

	enrol(t, ca, n, addr)
	want := Peer{Store: 7, NodeID: n.ID(), Epoch: epoch}
	if n.Peer() != want {
		t.Errorf("node is %+v, want %+v", n.Peer(), want)
	}
	wantStatus(t, call(t, n.Addr(), n.ClientTLS()), codes.AlreadyExists, want.URI().String())

	again, err := OpenNodeKey(n.dir)
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, call(t, again.Addr(), again.ClientTLS()), codes.AlreadyExists, want.URI().String())
}

func TestServerOfAnotherCAIsRefusedBeforeTheSecretIsSent(t *testing.T) {
	ca, impostor, n := mustCA(t), mustCA(t), mustNode(t)
	addr := cloud(t, impostor.ServerTLS("127.0.0.1"))
	wantStatus(t, call(t, addr, PinnedBootstrapTLS(ca.Pin())), codes.Unavailable, "CA_MISMATCH")

	enrol(t, ca, n, addr)
	wantStatus(t, call(t, addr, n.ClientTLS()), codes.Unavailable, "CA_MISMATCH")
}

func TestServerThatOnlyQuotesTheRightCAIsRefused(t *testing.T) {
	ca, impostor := mustCA(t), mustCA(t)
	conf := impostor.ServerTLS("127.0.0.1")
	get := conf.GetCertificate
	conf.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := get(h)
		cert.Certificate = [][]byte{cert.Certificate[0], ca.Certificate()}
		return cert, err
	}
	wantStatus(t, call(t, cloud(t, conf), PinnedBootstrapTLS(ca.Pin())), codes.Unavailable, "CA_MISMATCH")
}

func TestNodeCertificateCannotPlayTheServer(t *testing.T) {
	ca, n := mustCA(t), mustNode(t)
	enrol(t, ca, n, "127.0.0.1:1")
	cert := &tls.Certificate{
		Certificate: [][]byte{n.cred.Load().Certificate, ca.Certificate()}, PrivateKey: n.key,
	}
	conf := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return cert, nil
	}}
	addr := cloud(t, conf)
	wantStatus(t, call(t, addr, n.ClientTLS()), codes.Unavailable, "CA_MISMATCH")
	wantStatus(t, call(t, addr, PinnedBootstrapTLS(ca.Pin())), codes.Unavailable, "CA_MISMATCH")
}

func TestNodeOfAnotherCAIsRefused(t *testing.T) {
	ca, other, n := mustCA(t), mustCA(t), mustNode(t)
	enrol(t, other, n, "127.0.0.1:1")
	conf := n.ClientTLS()
	conf.VerifyConnection = nil // the stranger trusts anyone
	got := call(t, cloud(t, ca.ServerTLS()), conf)
	if got.Code() != codes.Unavailable {
		t.Errorf("got %v, want the handshake to fail", got)
	}
}

func TestNodeBeforeEnrolmentTrustsNoServer(t *testing.T) {
	ca, n := mustCA(t), mustNode(t)
	got := call(t, cloud(t, ca.ServerTLS()), n.ClientTLS())
	wantStatus(t, got, codes.Unavailable, "not enrolled")
}

func TestExpiredCertificateIsRefusedAndRenewalIsHot(t *testing.T) {
	ca, n := mustCA(t), mustNode(t)
	addr := cloud(t, ca.ServerTLS())
	issued := time.Now().Add(-8 * 24 * time.Hour)
	ca.now = func() time.Time { return issued }
	enrol(t, ca, n, addr)
	conf := n.ClientTLS()
	if got := call(t, addr, conf); got.Code() != codes.Unavailable {
		t.Errorf("expired certificate: got %v, want the handshake to fail", got)
	}
	if !n.NeedsRenewal(time.Now()) {
		t.Error("an expired certificate needs no renewal?")
	}
	boot := call(t, addr, PinnedBootstrapTLS(n.CAHash()))
	wantStatus(t, boot, codes.PermissionDenied, "NOT_TRUSTED") // the way back in

	ca.now = time.Now
	if err := n.Renew(mustSign(t, ca, n, NodeCertTTL)); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, call(t, addr, conf), codes.AlreadyExists, string(n.ID()))
}

func TestRenewalIsDueAtHalfLife(t *testing.T) {
	ca, n := mustCA(t), mustNode(t)
	if n.NeedsRenewal(time.Now()) {
		t.Error("not enrolled, yet due")
	}
	enrol(t, ca, n, "127.0.0.1:1")
	half := (NodeCertTTL - backdated) / 2
	for name, c := range map[string]struct {
		at   time.Duration
		want bool
	}{
		"new": {0, false}, "before half": {half - time.Minute, false}, "after half": {half + time.Minute, true},
		"expired": {2 * NodeCertTTL, true}, "clock slightly back": {-backdated / 2, false},
		"clock far back": {-50 * 365 * 24 * time.Hour, true},
	} {
		if got := n.NeedsRenewal(time.Now().Add(c.at)); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestServerCertificateRenewsItself(t *testing.T) {
	ca := mustCA(t)
	now := time.Now()
	ca.now = func() time.Time { return now }
	source := ca.ServerCertificate([]string{"cloud.example.org", "::1"})
	serial := func() string {
		c, err := source.Get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf := mustCert(t, c.Certificate[0])
		for _, host := range []string{"cloud.example.org", "::1", serverName} {
			if err := leaf.VerifyHostname(host); err != nil {
				t.Error(err)
			}
		}
		return leaf.SerialNumber.String()
	}
	first := serial()
	now = now.Add(serverCertTTL/2 - time.Minute)
	if serial() != first {
		t.Error("renewed too early")
	}
	now = now.Add(2 * time.Minute)
	if serial() == first {
		t.Error("not renewed at half its life")
	}
}

func TestWrongAnswersToAJoinChangeNothing(t *testing.T) {
	ca, other := mustCA(t), mustCA(t)
	n, stranger := mustNode(t), mustNode(t)
	j := NewJoin(ca.Pin(), "127.0.0.1:1", 7)
	good := mustSign(t, ca, n, time.Hour)
	elsewhere := j
	elsewhere.Store = 8
	for name, c := range map[string]struct {
		join Join
		ca   []byte
		cert []byte
		want stock.Code
	}{
		"another CA":            {j, other.Certificate(), good, stock.CAMismatch},
		"no CA":                 {j, nil, good, stock.CAMismatch},
		"signed by another":     {j, ca.Certificate(), mustSign(t, other, n, time.Hour), stock.NotTrusted},
		"another's certificate": {j, ca.Certificate(), mustSign(t, ca, stranger, time.Hour), stock.NotTrusted},
		"another store":         {elsewhere, ca.Certificate(), good, stock.NotTrusted},
		"no certificate":        {j, ca.Certificate(), nil, stock.NotTrusted},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefused(t, n.Enrol(c.join, c.ca, c.cert), c.want)
			if n.Enrolled() || n.Addr() != "" {
				t.Error("enrolled all the same")
			}
		})
	}
	wantRefused(t, n.Renew(good), stock.NotTrusted)
	enrol(t, ca, n, "127.0.0.1:1")
	wantRefused(t, n.Renew(mustSign(t, ca, stranger, time.Hour)), stock.NotTrusted)
}

func TestNodeAsksAgainWithTheSameRequestAfterACrash(t *testing.T) {
	n := mustNode(t)
	again, err := OpenNodeKey(n.dir) // the answer to the join never came
	if err != nil {
		t.Fatal(err)
	}
	if again.ID() != n.ID() || string(again.CSR()) != string(n.CSR()) || again.Enrolled() {
		t.Error("another key or request after a crash")
	}
	for _, name := range []string{"node.key", "node.csr"} {
		info, err := os.Stat(filepath.Join(n.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
}

func TestDamagedNodeIdentityIsAFault(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"key lost": func(dir string) error { return os.Remove(filepath.Join(dir, "node.key")) },
		"membership cut": func(dir string) error {
			return os.Truncate(filepath.Join(dir, "membership.json"), 40)
		},
		"key of another": func(dir string) error {
			if err := os.Remove(filepath.Join(dir, "node.key")); err != nil {
				return err
			}
			_, err := createKey(filepath.Join(dir, "node.key"), newP256)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := mustNode(t)
			enrol(t, mustCA(t), n, "127.0.0.1:1")
			if err := damage(n.dir); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenNodeKey(n.dir); err == nil {
				t.Error("opened a damaged identity")
			}
		})
	}
}
