package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast.dev/stock"
)

var epoch = stock.Epoch{Timeline: 1, Counter: 3}

func mustCA(t *testing.T) *CA {
	t.Helper()
	ca, err := OpenCA(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func mustNode(t *testing.T) *NodeIdentity {
	t.Helper()
	n, err := OpenNodeKey(filepath.Join(t.TempDir(), "node"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustSign(t *testing.T, ca *CA, n *NodeIdentity, ttl time.Duration) []byte {
	t.Helper()
	der, err := ca.SignNode(n.CSR(), n.ID(), 7, epoch, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func enrol(t *testing.T, ca *CA, n *NodeIdentity, addr string) {
	t.Helper()
	j := NewJoin(ca.Pin(), addr, 7)
	if err := n.Enrol(j, ca.Certificate(), mustSign(t, ca, n, NodeCertTTL)); err != nil {
		t.Fatal(err)
	}
}

func wantRefused(t *testing.T, err error, code stock.Code) {
	t.Helper()
	if !stock.Refused(err, code) {
		t.Errorf("got %v, want refusal %s", err, code)
	}
}

func TestCAIsTheSameAfterReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "ca")
	first, err := OpenCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Certificate(), again.Certificate()) || first.Pin() != again.Pin() {
		t.Error("another CA after reopening")
	}
	if err := os.Remove(filepath.Join(dir, "ca.crt")); err != nil { // as after a crash in between
		t.Fatal(err)
	}
	repaired, err := OpenCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	if repaired.Pin() != first.Pin() {
		t.Error("the pin changed though the key was there")
	}
	for _, name := range []string{"ca.key", "ca.crt"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
}

func TestCAIsNeverReplacedSilently(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"key lost":   func(dir string) error { return os.Remove(filepath.Join(dir, "ca.key")) },
		"key broken": func(dir string) error { return os.WriteFile(filepath.Join(dir, "ca.key"), nil, 0o600) },
		"certificate broken": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("x"), 0o600)
		},
		"key of another": func(dir string) error {
			key, _ := newP256()
			der, _ := x509.MarshalPKCS8PrivateKey(key)
			return writePEM(filepath.Join(dir, "ca.key"), keyBlock, der)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := OpenCA(dir); err != nil {
				t.Fatal(err)
			}
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenCA(dir); err == nil {
				t.Error("opened a damaged CA")
			}
		})
	}
}

func TestCertificateSaysOnlyWhatTheCASays(t *testing.T) {
	ca, n := mustCA(t), mustNode(t)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		DNSNames: []string{serverName}, URIs: mustCert(t, mustSign(t, ca, n, time.Hour)).URIs,
	}, n.key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := ca.SignNode(csr, n.ID(), 9, epoch, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	cert := mustCert(t, der)
	if len(cert.DNSNames) != 0 || cert.IsCA {
		t.Errorf("names %v, CA %v were kept from the request", cert.DNSNames, cert.IsCA)
	}
	want := "spiffe://holdfast/store/9/node/" + string(n.ID()) + "/e/1.3"
	if len(cert.URIs) != 1 || cert.URIs[0].String() != want {
		t.Errorf("got %v, want %s", cert.URIs, want)
	}
	if len(cert.ExtKeyUsage) != 1 || cert.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
		t.Errorf("key usage %v, want client only", cert.ExtKeyUsage)
	}
}

func mustCert(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCAOnlySignsRequestsOfTheirOwnKey(t *testing.T) {
	ca, n, other := mustCA(t), mustNode(t), mustNode(t)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		csr  []byte
		node NodeID
		ttl  time.Duration
		want stock.Code
	}{
		"key swapped":      {swapKey(t, n.CSR(), other.CSR()), other.ID(), time.Hour, stock.BadRequest},
		"another's id":     {n.CSR(), other.ID(), time.Hour, stock.NotTrusted},
		"RSA":              {csrOf(t, weak), n.ID(), time.Hour, stock.BadRequest},
		"P-384":            {csrOf(t, p384), n.ID(), time.Hour, stock.BadRequest},
		"not a request":    {[]byte("hello"), n.ID(), time.Hour, stock.BadRequest},
		"cut short":        {n.CSR()[:60], n.ID(), time.Hour, stock.BadRequest},
		"no time to live":  {n.CSR(), n.ID(), 0, stock.BadRequest},
		"nothing":          {nil, n.ID(), time.Hour, stock.BadRequest},
		"signature broken": {flipLast(n.CSR()), n.ID(), time.Hour, stock.BadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ca.SignNode(c.csr, c.node, 7, epoch, c.ttl)
			wantRefused(t, err, c.want)
		})
	}
	_, err = ca.SignNode(n.CSR(), n.ID(), 0, epoch, time.Hour)
	wantRefused(t, err, stock.BadRequest)
}

func csrOf(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// swapKey puts the public key of another request into csr, and keeps the
// signature: what someone does who wants a certificate for a key not theirs.
func swapKey(t *testing.T, csr, other []byte) []byte {
	t.Helper()
	type request struct{ Body, Algorithm, Signature asn1.RawValue }
	var mine, theirs request
	if _, err := asn1.Unmarshal(csr, &mine); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(other, &theirs); err != nil {
		t.Fatal(err)
	}
	mine.Body = theirs.Body
	der, err := asn1.Marshal(mine)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func flipLast(der []byte) []byte {
	der = bytes.Clone(der)
	der[len(der)-1] ^= 1
	return der
}

func TestNodeIDIsOfTheKeyAlone(t *testing.T) {
	n := mustNode(t)
	id, err := NodeIDOfCSR(csrOf(t, n.key))
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := hex.DecodeString(string(id)); err != nil || len(raw) != 16 || id != n.ID() {
		t.Errorf("got %s, want %s", id, n.ID())
	}
}

func TestSigningKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	id, key, err := OpenSigningKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	id2, key2, err := OpenSigningKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if id == 0 || id != id2 || !key.Equal(key2) {
		t.Errorf("key %d, then %d", id, id2)
	}
	if !ed25519.Verify(key.Public().(ed25519.PublicKey), []byte("x"), ed25519.Sign(key2, []byte("x"))) {
		t.Error("signature of the reopened key does not verify")
	}
	wrong := pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: mustPKCS8(t)})
	if err := os.WriteFile(filepath.Join(dir, "pickup.key"), wrong, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenSigningKey(dir); err == nil {
		t.Error("took a P-256 key for signing")
	}
}

func mustPKCS8(t *testing.T) []byte {
	t.Helper()
	key, err := newP256()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
