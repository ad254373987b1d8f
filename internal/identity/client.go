package identity

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"holdfast.dev/stock"
)

// NeedsRenewal tells whether half of the certificate's life is over, or now is
// before it began. Give it the cloud's time where that is known: a store's
// clock may be wrong. A node that is not enrolled has nothing to renew.
func (n *NodeIdentity) NeedsRenewal(now time.Time) bool {
	c := n.cred.Load()
	if c == nil {
		return false
	}
	half := c.leaf.NotAfter.Sub(c.leaf.NotBefore) / 2
	return now.Before(c.leaf.NotBefore) || !now.Before(c.leaf.NotBefore.Add(half))
}

// ClientTLS returns the settings for calls to the cloud: only the pinned CA is
// trusted, and every handshake shows the newest certificate. Before enrolment
// no server is trusted; an expired certificate is refused by the cloud, which
// then takes the same CSR over PinnedBootstrapTLS with CAHash.
func (n *NodeIdentity) ClientTLS() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         serverName,
		InsecureSkipVerify: true, // verified below, by the CA of this moment
		VerifyConnection: func(state tls.ConnectionState) error {
			c := n.cred.Load()
			if c == nil {
				return notTrusted("the node is not enrolled")
			}
			return verifyServer(state.PeerCertificates, c.ca, latest(time.Now(), c.leaf.NotBefore))
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c := n.cred.Load()
			if c == nil {
				return &tls.Certificate{}, nil
			}
			return &tls.Certificate{
				Certificate: [][]byte{c.Certificate}, PrivateKey: n.key, Leaf: c.leaf,
			}, nil
		},
	}
}

// verifyPinned accepts a clock in the past: a new box may have none yet.
func verifyPinned(chain []*x509.Certificate, caHash [32]byte) error {
	for _, ca := range chain {
		if sha256.Sum256(ca.RawSubjectPublicKeyInfo) == caHash {
			return verifyServer(chain, ca, latest(time.Now(), ca.NotBefore))
		}
	}
	return stock.Refuse(stock.CAMismatch, "the server's CA is not the join string's")
}

func verifyServer(chain []*x509.Certificate, ca *x509.Certificate, now time.Time) error {
	if len(chain) == 0 {
		return notTrusted("the server has no certificate")
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err := chain[0].Verify(x509.VerifyOptions{
		DNSName:     serverName,
		Roots:       roots,
		CurrentTime: now,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return notTrusted("the server's certificate is not valid at %s: %v", now, err)
	}
	if err != nil {
		return stock.Refuse(stock.CAMismatch, "the server's certificate: %v", err)
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
