package identity

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"holdfast.dev/stock"
)

const (
	// NodeCertTTL is how long a node's certificate lives; it renews at half.
	NodeCertTTL = 7 * 24 * time.Hour

	caTTL     = 10 * 365 * 24 * time.Hour
	backdated = time.Hour // clocks of the two sides may differ by this much
)

// CA signs the certificates of one cloud: its server's and its nodes'.
type CA struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
	now  func() time.Time
}

// OpenCA opens the CA in dir, and makes one there when dir has none. A CA is
// never replaced: a missing or broken key beside a certificate is a fault.
func OpenCA(dir string) (*CA, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	keyPath, certPath := filepath.Join(dir, "ca.key"), filepath.Join(dir, "ca.crt")
	der, err := readPEM(certPath, certBlock)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, statErr := os.Stat(keyPath); err == nil && statErr != nil {
		return nil, fmt.Errorf("open CA %s: certificate without its key: %w", dir, statErr)
	}
	// The key is written first, so a crash in between loses nothing: the pin
	// that join strings carry is the key's.
	key, keyErr := openKey(keyPath, newP256)
	if keyErr != nil {
		return nil, keyErr
	}
	if err != nil {
		if der, err = selfSign(key, time.Now()); err != nil {
			return nil, fmt.Errorf("make CA %s: %w", dir, err)
		}
		if err := writePEM(certPath, certBlock, der); err != nil {
			return nil, err
		}
	}
	return newCA(key, der)
}

func newCA(key *ecdsa.PrivateKey, der []byte) (*CA, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read CA certificate: %w", err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("open CA: key and certificate do not belong together")
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &CA{key: key, cert: cert, pool: pool, now: time.Now}, nil
}

func selfSign(key *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	ca := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Holdfast CA"},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.Add(caTTL),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	return x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
}

// Pin returns the SHA-256 of the CA's public key, for join strings.
func (c *CA) Pin() [32]byte { return sha256.Sum256(c.cert.RawSubjectPublicKeyInfo) }

// Certificate returns the CA's own certificate, for the answer to an enrolment.
func (c *CA) Certificate() []byte { return c.cert.Raw }

// SignNode returns a client certificate for the key in a certificate request.
// Of the request only the key is kept. It refuses a request that its key did
// not sign, and a node id that is not this key's.
func (c *CA) SignNode(
	csrDER []byte, node NodeID, store stock.StoreID, epoch stock.Epoch, ttl time.Duration,
) ([]byte, error) {
	csr, err := parseCSR(csrDER)
	if err != nil {
		return nil, err
	}
	if node != nodeIDOf(csr.RawSubjectPublicKeyInfo) {
		return nil, notTrusted("the certificate request is not from node %s", node)
	}
	if store == 0 || ttl <= 0 {
		return nil, badCSR("certificate for store %s, %s", store, ttl)
	}
	p := Peer{Store: store, NodeID: node, Epoch: epoch}
	now := c.now()
	return c.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "node " + string(node)},
		URIs:        []*url.URL{p.URI()},
		NotBefore:   now.Add(-backdated),
		NotAfter:    now.Add(ttl),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, csr.PublicKey)
}

func (c *CA) sign(cert *x509.Certificate, public any) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	cert.SerialNumber = serial
	cert.KeyUsage = x509.KeyUsageDigitalSignature
	cert.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(rand.Reader, cert, c.cert, public, c.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return der, nil
}
