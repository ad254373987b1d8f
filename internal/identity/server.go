package identity

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"sync"
	"time"
)

// serverName is in every server certificate of a Holdfast CA, and is the only
// name that nodes ask for. The CA is private and pinned, so the name tells
// servers from nodes and nothing more; the cloud's address may change freely.
const serverName = "cloud.holdfast"

const serverCertTTL = 30 * 24 * time.Hour

// ServerCertificate is the cloud's own certificate. Its key lives in memory
// only; both are made anew when half of the certificate's life is over.
type ServerCertificate struct {
	ca    *CA
	hosts []string

	mu    sync.Mutex
	cur   *tls.Certificate
	renew time.Time
}

// ServerCertificate returns a certificate source that also answers for hosts:
// names and IP addresses.
func (c *CA) ServerCertificate(hosts []string) *ServerCertificate {
	return &ServerCertificate{ca: c, hosts: hosts}
}

// Get returns the current certificate; it fits tls.Config.GetCertificate.
func (s *ServerCertificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.ca.now()
	if s.cur != nil && now.Before(s.renew) {
		return s.cur, nil
	}
	cert, err := s.issue(now)
	if err != nil {
		return nil, err
	}
	s.cur, s.renew = cert, now.Add(serverCertTTL/2)
	return cert, nil
}

func (s *ServerCertificate) issue(now time.Time) (*tls.Certificate, error) {
	key, err := newP256()
	if err != nil {
		return nil, fmt.Errorf("make server key: %w", err)
	}
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: serverName},
		DNSNames: []string{serverName},
		// As old as the CA: a node without a clock battery wakes in the past.
		NotBefore:   s.ca.cert.NotBefore,
		NotAfter:    now.Add(serverCertTTL),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range s.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := s.ca.sign(template, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	// The CA is sent along because a joining node knows only its hash.
	return &tls.Certificate{Certificate: [][]byte{der, s.ca.cert.Raw}, PrivateKey: key}, nil
}

// ServerTLS returns the settings of the node listener. A client certificate is
// verified when one is given; only Enrol may do without (see PeerFromContext).
func (c *CA) ServerTLS(hosts ...string) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		ClientAuth:             tls.VerifyClientCertIfGiven,
		ClientCAs:              c.pool,
		GetCertificate:         c.ServerCertificate(hosts).Get,
		SessionTicketsDisabled: true, // every connection shows a certificate anew
		Time:                   c.now,
	}
}

// PinnedBootstrapTLS returns the client settings for the Enrol call, when only
// the hash of the CA is known. A server whose chain does not end in that CA is
// refused before anything is sent to it.
func PinnedBootstrapTLS(caHash [32]byte) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: serverName,
		// The chain is verified below, against the pinned CA instead of the
		// system's.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			return verifyPinned(state.PeerCertificates, caHash)
		},
	}
}
