package identity

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// greets tells whether a client with these settings is let in and answered.
func greets(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err == nil {
			io.WriteString(conn, "hello") // the client says whether it came
			conn.Close()
		}
	}()
	d := &tls.Dialer{Config: client, NetDialer: &net.Dialer{Timeout: 5 * time.Second}}
	conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.ReadFull(conn, make([]byte, len("hello")))
	return err
}

func TestOnlyMembersOfTheSameCloudAreLetIn(t *testing.T) {
	ca, other := mustCA(t), mustCA(t)
	server, client := ca.MemberTLS()
	if err := greets(t, server, client); err != nil {
		t.Errorf("a member is refused: %v", err)
	}
	otherServer, otherClient := other.MemberTLS()
	if greets(t, server, otherClient) == nil || greets(t, otherServer, client) == nil {
		t.Error("members of two clouds talk")
	}
	n := mustNode(t)
	enrol(t, ca, n, "127.0.0.1:1")
	node := n.ClientTLS()
	node.ServerName, node.VerifyConnection = memberName, nil
	if greets(t, server, node) == nil {
		t.Error("a node is let in among the members")
	}
	nobody := client.Clone()
	nobody.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &tls.Certificate{}, nil
	}
	if greets(t, server, nobody) == nil {
		t.Error("who shows no certificate is let in")
	}
	if greets(t, ca.ServerTLS("127.0.0.1"), client) == nil {
		t.Error("the nodes' listener passes for a member")
	}
}

func TestMemberCertificateRenewsItself(t *testing.T) {
	ca := mustCA(t)
	now := time.Now()
	ca.now = func() time.Time { return now }
	own := &memberCertificate{ca: ca}
	first, err := own.get()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := own.get(); err != nil || again != first {
		t.Errorf("a fresh certificate was replaced: %v", err)
	}
	now = now.Add(serverCertTTL/2 + time.Second)
	if later, err := own.get(); err != nil || later == first {
		t.Errorf("an old certificate is still used: %v", err)
	}
}
