package process

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTakenPortIsAClearSentence(t *testing.T) {
	first, err := Listen("http-addr", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, port, _ := net.SplitHostPort(first.Addr().String())
	_, err = ListenWeb("http-addr", first.Addr().String(), TLSFiles{})
	want := "port " + port + " is in use by another program: stop that, or choose another port with --http-addr"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAddressOfAnotherMachineIsAClearSentence(t *testing.T) {
	_, err := Listen("admin-addr", "192.0.2.1:8091")
	if want := "this machine has no address 192.0.2.1:8091: change --admin-addr"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPlainHTTPStaysOnTheLoopback(t *testing.T) {
	for addr, allowed := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "127.1.2.3:0": true,
		":8090": false, "0.0.0.0:8090": false, "192.0.2.1:8090": false, "[::]:8090": false,
	} {
		l, err := ListenWeb("http-addr", addr, TLSFiles{})
		if allowed && err != nil {
			t.Errorf("%s: %v", addr, err)
		}
		if l != nil {
			l.Close()
		}
		if !allowed && (err == nil || !strings.Contains(err.Error(), "change --http-addr to 127.0.0.1:8090")) {
			t.Errorf("%s: got %v, want a sentence that names the flag", addr, err)
		}
	}
}

func TestWithTLSFilesOthersMayConnect(t *testing.T) {
	dir := t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "crt.pem"), Key: filepath.Join(dir, "key.pem")}
	if _, err := ListenWeb("http-addr", "0.0.0.0:0", files); err == nil || !strings.Contains(err.Error(), "--tls-cert") {
		t.Errorf("got %v, want the flag of the missing file", err)
	}
	pool := writeCert(t, files, 1)
	l, err := ListenWeb("http-addr", "0.0.0.0:0", files)
	if err != nil {
		t.Fatal(err)
	}
	s := HTTPServer("", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Proto", r.Proto)
	}))
	go s.Serve(l)
	defer s.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool},
	}}
	resp, err := client.Get("https://127.0.0.1:" + port)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Proto"); got != "HTTP/2.0" {
		t.Errorf("spoke %s, want HTTP/2.0", got)
	}
	client.CloseIdleConnections()
}

func TestRenewedCertificateIsTakenWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "crt.pem"), Key: filepath.Join(dir, "key.pem")}
	writeCert(t, files, 1)
	source := &certFile{files: files}
	serial := func() int64 {
		source.checked = time.Time{} // a minute later
		cert, err := source.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return cert.Leaf.SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d, want 1", got)
	}
	if err := os.WriteFile(files.Key, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d with a broken key file, want still 1", got)
	}
	writeCert(t, files, 2)
	if got := serial(); got != 2 {
		t.Errorf("serial %d, want 2", got)
	}
}

func writeCert(t *testing.T, files TLSFiles, serial int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(files.Cert, certPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files.Key, keyPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool
}
