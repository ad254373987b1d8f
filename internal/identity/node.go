package identity

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"holdfast.dev/stock"
)

// NodeIdentity is a node's key and, once enrolled, what the cloud gave it.
// The key never leaves the node and stays the same when certificates renew.
// Its methods may be called from any goroutine.
type NodeIdentity struct {
	dir  string
	key  *ecdsa.PrivateKey
	csr  []byte
	id   NodeID
	cred atomic.Pointer[credential] // nil until enrolled
}

// membership is stored as one file, so that certificate, CA and address can
// never be of two different enrolments.
type membership struct {
	Addr        string `json:"addr"`
	CA          []byte `json:"ca"`          // DER
	Certificate []byte `json:"certificate"` // DER
}

type credential struct {
	membership
	ca   *x509.Certificate
	leaf *x509.Certificate
	peer Peer
}

// OpenNodeKey opens the node's identity in dir, and makes a key when dir has
// none. Key and certificate request are on disk when it returns: after a crash
// during enrolment the node asks again with the very same request, and the
// cloud can answer again instead of calling the join string used.
func OpenNodeKey(dir string) (*NodeIdentity, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	if err := keyMustExistIfEnrolled(dir); err != nil {
		return nil, err
	}
	key, err := openKey(filepath.Join(dir, "node.key"), newP256)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode node key: %w", err)
	}
	n := &NodeIdentity{dir: dir, key: key, id: nodeIDOf(spki)}
	if n.csr, err = n.openCSR(); err != nil {
		return nil, err
	}
	return n, n.loadMembership()
}

func keyMustExistIfEnrolled(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "membership.json"))
	if err != nil {
		return nil
	}
	if _, err = os.Stat(filepath.Join(dir, "node.key")); err != nil {
		return fmt.Errorf("open node identity: enrolled, but without its key: %w", err)
	}
	return nil
}

func (n *NodeIdentity) openCSR() ([]byte, error) {
	path := filepath.Join(n.dir, "node.csr")
	der, err := readPEM(path, csrBlock)
	if err == nil {
		if id, err := NodeIDOfCSR(der); err == nil && id == n.id {
			return der, nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	der, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, n.key)
	if err != nil {
		return nil, fmt.Errorf("make certificate request: %w", err)
	}
	return der, writePEM(path, csrBlock, der)
}

func (n *NodeIdentity) loadMembership() error {
	path := filepath.Join(n.dir, "membership.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read membership: %w", err)
	}
	var m membership
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	cred, err := n.check(m)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	n.cred.Store(cred)
	return nil
}

// ID returns the node's id, also before it is enrolled.
func (n *NodeIdentity) ID() NodeID { return n.id }

// CSR returns the certificate request (DER) to send for enrolment and renewal;
// it is the same one every time.
func (n *NodeIdentity) CSR() []byte { return n.csr }

// Enrolled tells whether the node has a certificate, expired or not.
func (n *NodeIdentity) Enrolled() bool { return n.cred.Load() != nil }

// Peer returns what the certificate says of this node; zero if not enrolled.
func (n *NodeIdentity) Peer() Peer {
	if c := n.cred.Load(); c != nil {
		return c.peer
	}
	return Peer{}
}

// Addr returns the host:port of the cloud's node listener; "" if not enrolled.
func (n *NodeIdentity) Addr() string {
	if c := n.cred.Load(); c != nil {
		return c.Addr
	}
	return ""
}

// CAHash returns the hash of the cloud's CA; zero if not enrolled.
func (n *NodeIdentity) CAHash() [32]byte {
	if c := n.cred.Load(); c != nil {
		return sha256.Sum256(c.ca.RawSubjectPublicKeyInfo)
	}
	return [32]byte{}
}

// NotAfter returns when the certificate expires; zero if not enrolled.
func (n *NodeIdentity) NotAfter() time.Time {
	if c := n.cred.Load(); c != nil {
		return c.leaf.NotAfter
	}
	return time.Time{}
}

// Enrol keeps what the cloud answered to a join: its CA and our certificate.
// It refuses a CA other than the join string's, a certificate for another key
// or store, and one that this CA did not sign; then nothing changes.
func (n *NodeIdentity) Enrol(j Join, caDER, certDER []byte) error {
	ca, err := x509.ParseCertificate(caDER)
	if err != nil {
		return stock.Refuse(stock.CAMismatch, "the CA cannot be read: %v", err)
	}
	if sha256.Sum256(ca.RawSubjectPublicKeyInfo) != j.CAHash {
		return stock.Refuse(stock.CAMismatch, "the CA is not the join string's")
	}
	return n.keep(membership{Addr: j.Addr, CA: caDER, Certificate: certDER}, j.Store)
}

// Renew keeps a newer certificate of the same CA, key and store. The running
// ClientTLS uses it from the next connection on.
func (n *NodeIdentity) Renew(certDER []byte) error {
	c := n.cred.Load()
	if c == nil {
		return notTrusted("the node is not enrolled")
	}
	m := c.membership
	m.Certificate = certDER
	return n.keep(m, c.peer.Store)
}

func (n *NodeIdentity) keep(m membership, store stock.StoreID) error {
	cred, err := n.check(m)
	if err != nil {
		return err
	}
	if cred.peer.Store != store {
		return notTrusted("the certificate is for store %s, not %s", cred.peer.Store, store)
	}
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return fmt.Errorf("encode membership: %w", err)
	}
	if err := writeFile(filepath.Join(n.dir, "membership.json"), text); err != nil {
		return err
	}
	n.cred.Store(cred)
	return nil
}

// check does not look at the clock: an expired certificate is still ours.
func (n *NodeIdentity) check(m membership) (*credential, error) {
	ca, err := x509.ParseCertificate(m.CA)
	if err != nil {
		return nil, notTrusted("the CA cannot be read: %v", err)
	}
	leaf, err := x509.ParseCertificate(m.Certificate)
	if err != nil {
		return nil, notTrusted("the certificate cannot be read: %v", err)
	}
	if !n.key.PublicKey.Equal(leaf.PublicKey) {
		return nil, notTrusted("the certificate is for another key")
	}
	if err := leaf.CheckSignatureFrom(ca); err != nil {
		return nil, notTrusted("the certificate is not signed by the CA: %v", err)
	}
	p, err := peerOf(leaf)
	if err != nil {
		return nil, err
	}
	return &credential{membership: m, ca: ca, leaf: leaf, peer: p}, nil
}
