// Package identity lets a store's node and the cloud know each other for sure:
// the cloud's CA, the one-time join string, and certificates that renew alone.
package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"holdfast.dev/stock"
)

const trustDomain = "holdfast"

// NodeID names one node by its key: 32 hexadecimal digits, the first 16 bytes
// of the SHA-256 of the public key. A new key is a new node.
type NodeID string

// nodeIDOf wants the key's SubjectPublicKeyInfo.
func nodeIDOf(spki []byte) NodeID {
	sum := sha256.Sum256(spki)
	return NodeID(hex.EncodeToString(sum[:16]))
}

// NodeIDOfCSR returns the node that made a certificate request. It refuses a
// request that was not signed by its own key, and any key that is not P-256.
func NodeIDOfCSR(csrDER []byte) (NodeID, error) {
	csr, err := parseCSR(csrDER)
	if err != nil {
		return "", err
	}
	return nodeIDOf(csr.RawSubjectPublicKeyInfo), nil
}

func parseCSR(der []byte) (*x509.CertificateRequest, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, badCSR("certificate request: %v", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, badCSR("certificate request is not signed by its own key: %v", err)
	}
	if key, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return nil, badCSR("certificate request needs a P-256 key, has %T", csr.PublicKey)
	}
	return csr, nil
}

func badCSR(format string, args ...any) error {
	return stock.Refuse(stock.BadRequest, format, args...).With("what", "certificate request")
}

// Peer is what a node's certificate says: which box, for which store, in which
// incarnation of the store's state.
type Peer struct {
	Store  stock.StoreID
	NodeID NodeID
	Epoch  stock.Epoch
}

// URI gives the name inside the certificate,
// "spiffe://holdfast/store/7/node/<id>/e/1.3".
func (p Peer) URI() *url.URL {
	path := fmt.Sprintf("/store/%s/node/%s/e/%s", p.Store, p.NodeID, p.Epoch)
	return &url.URL{Scheme: "spiffe", Host: trustDomain, Path: path}
}

// PeerFromContext returns the node behind a gRPC call. It refuses a call that
// came without a verified node certificate. Certificates are checked at the
// handshake only: whether the node is fenced by now is for the caller to say.
func PeerFromContext(ctx context.Context) (Peer, error) {
	caller, ok := peer.FromContext(ctx)
	if !ok {
		return Peer{}, notTrusted("the call has no peer")
	}
	info, ok := caller.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return Peer{}, notTrusted("the call has no client certificate")
	}
	return peerOf(info.State.VerifiedChains[0][0])
}

func peerOf(cert *x509.Certificate) (Peer, error) {
	if len(cert.URIs) != 1 {
		return Peer{}, notTrusted("the certificate names %d nodes", len(cert.URIs))
	}
	p, err := parseURI(cert.URIs[0])
	if err != nil {
		return Peer{}, err
	}
	if p.NodeID != nodeIDOf(cert.RawSubjectPublicKeyInfo) {
		return Peer{}, notTrusted("the certificate names node %s but has another key", p.NodeID)
	}
	return p, nil
}

func parseURI(u *url.URL) (Peer, error) {
	bad := notTrusted("%q names no node", u)
	part := strings.Split(u.Path, "/")
	if u.Scheme != "spiffe" || u.Host != trustDomain || len(part) != 7 {
		return Peer{}, bad
	}
	store, err := strconv.ParseUint(part[2], 10, 32)
	if err != nil {
		return Peer{}, bad
	}
	line, count, _ := strings.Cut(part[6], ".")
	timeline, err := strconv.ParseUint(line, 10, 32)
	if err != nil {
		return Peer{}, bad
	}
	counter, err := strconv.ParseUint(count, 10, 32)
	if err != nil {
		return Peer{}, bad
	}
	p := Peer{
		Store:  stock.StoreID(store),
		NodeID: NodeID(part[4]),
		Epoch:  stock.Epoch{Timeline: stock.Timeline(timeline), Counter: uint32(counter)},
	}
	if p.Store == 0 || p.URI().String() != u.String() { // one spelling only
		return Peer{}, bad
	}
	return p, nil
}

func notTrusted(format string, args ...any) error {
	return stock.Refuse(stock.NotTrusted, format, args...)
}
