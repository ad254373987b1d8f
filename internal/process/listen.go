package process

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// TLSFiles name a certificate chain and its key in PEM; embed it with
// prefix:"tls-". The files are read again when they change.
type TLSFiles struct {
	Cert string `help:"TLS certificate chain (PEM) of the public listeners." placeholder:"FILE"`
	Key  string `help:"TLS key (PEM) that belongs to the certificate." placeholder:"FILE"`
}

// Listen opens addr for a server that brings its own TLS. The error is a
// sentence that names the port and the flag to change; flag has no dashes.
func Listen(flag, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	_, port, _ := net.SplitHostPort(addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %s is in use by another program: stop that, "+
			"or choose another port with --%s", port, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("port %s needs more rights than this user has: "+
			"choose a port above 1023 with --%s", port, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("this machine has no address %s: change --%s", addr, flag)
	}
	return nil, fmt.Errorf("listen on --%s %s: %w", flag, addr, err)
}

// ListenWeb opens addr for pages and APIs: with TLS when files are given, else
// plain and on the loopback only. Plain HTTP that others can reach would show
// them every PIN and code, so it is refused.
func ListenWeb(flag, addr string, files TLSFiles) (net.Listener, error) {
	if files == (TLSFiles{}) {
		if err := loopbackOnly(flag, addr); err != nil {
			return nil, err
		}
		return Listen(flag, addr)
	}
	source := &certFile{files: files}
	if _, err := source.get(nil); err != nil {
		return nil, err
	}
	l, err := Listen(flag, addr)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12, // old phones shop too
		GetCertificate: source.get,
		NextProtos:     []string{"h2", "http/1.1"},
	}), nil
}

func loopbackOnly(flag, addr string) error {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on --%s %s: %w", flag, addr, err)
	}
	if !tcp.IP.IsLoopback() {
		return fmt.Errorf("plain HTTP on %s would be readable on the network: give --tls-cert and "+
			"--tls-key, or change --%s to 127.0.0.1:%d", addr, flag, tcp.Port)
	}
	return nil
}

// certFile serves a certificate from files and looks at them at most once a
// minute, so that a renewed one is taken without a restart.
type certFile struct {
	files TLSFiles

	mu      sync.Mutex
	cert    *tls.Certificate
	stamp   string
	checked time.Time
}

func (c *certFile) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.cert != nil && now.Sub(c.checked) < time.Minute {
		return c.cert, nil
	}
	c.checked = now
	stamp := fileStamp(c.files.Cert) + fileStamp(c.files.Key)
	if c.cert != nil && stamp == c.stamp {
		return c.cert, nil
	}
	cert, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	switch {
	case err == nil:
		c.cert, c.stamp = &cert, stamp
	case c.cert == nil:
		return nil, fmt.Errorf("TLS certificate (--tls-cert, --tls-key): %w", err)
	}
	return c.cert, nil // half a renewal: the old one until the files fit again
}

func fileStamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "-"
	}
	return strings.Join([]string{info.ModTime().String(), fmt.Sprint(info.Size())}, "/")
}
