package identity

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"sync"
	"time"
)

// memberName is in the certificates that the cloud's processes show each other,
// and in no other certificate of the CA: a node's is no way in.
const memberName = "member.holdfast"

// MemberTLS returns the settings with which the processes of one cloud connect
// to each other, both ways with a certificate. Each process makes its own: who
// holds the CA's key is a member.
func (c *CA) MemberTLS() (server, client *tls.Config) {
	own := &memberCertificate{ca: c}
	server = &tls.Config{
		MinVersion:             tls.VersionTLS13,
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              c.pool,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own.get() },
		VerifyConnection:       isMember,
		SessionTicketsDisabled: true, // every connection shows a certificate anew
		Time:                   c.now,
	}
	client = &tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    c.pool,
		ServerName: memberName,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return own.get()
		},
		Time: c.now,
	}
	return server, client
}

// isMember refuses what the CA signed for something else.
func isMember(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return notTrusted("the other process has no certificate")
	}
	if err := state.PeerCertificates[0].VerifyHostname(memberName); err != nil {
		return notTrusted("the other process is no member of this cloud: %v", err)
	}
	return nil
}

// memberCertificate is one process's certificate. Its key lives in memory only;
// both are made anew when half of the certificate's life is over.
type memberCertificate struct {
	ca *CA

	mu    sync.Mutex
	cur   *tls.Certificate // guarded by mu
	renew time.Time        // guarded by mu
}

func (m *memberCertificate) get() (*tls.Certificate, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.ca.now()
	if m.cur != nil && now.Before(m.renew) {
		return m.cur, nil
	}
	key, err := newP256()
	if err != nil {
		return nil, fmt.Errorf("make member key: %w", err)
	}
	der, err := m.ca.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: memberName},
		DNSNames:    []string{memberName},
		NotBefore:   now.Add(-backdated),
		NotAfter:    now.Add(serverCertTTL),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	m.cur = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	m.renew = now.Add(serverCertTTL / 2)
	return m.cur, nil
}
