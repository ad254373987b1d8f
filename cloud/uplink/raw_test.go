package uplink_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	nodeuplink "holdfast.dev/node/uplink"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

// client speaks the session's frames by hand.
type client struct {
	t      testing.TB
	stream grpc.BidiStreamingClient[uplinkv1.NodeFrame, uplinkv1.CloudFrame]
}

func (c *cloud) dial(config *tls.Config) uplinkv1.UplinkClient {
	c.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+c.addr,
		grpc.WithTransportCredentials(credentials.NewTLS(config)))
	must(c.t, err)
	c.t.Cleanup(func() { conn.Close() })
	return uplinkv1.NewUplinkClient(conn)
}

func (c *cloud) client(n *node) *client {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	c.t.Cleanup(cancel)
	stream, err := c.dial(n.id.ClientTLS()).Session(ctx)
	must(c.t, err)
	return &client{c.t, stream}
}

func (c *client) send(f *uplinkv1.NodeFrame) {
	c.t.Helper()
	must(c.t, c.stream.Send(f))
}

func (c *client) hello(h *recordv1.Hello) {
	c.t.Helper()
	h.CapVersion = 1
	c.send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Hello{Hello: h}})
}

// open says hello for the node and returns the welcome.
func (c *client) open(n *node) *uplinkv1.Welcome {
	c.t.Helper()
	h, err := n.floor.Hello(context.Background())
	must(c.t, err)
	c.hello(h)
	return await(c, (*uplinkv1.CloudFrame).GetWelcome)
}

// batch sends records of the node's journal.
func (c *client) batch(n *node, from, to uint64) {
	c.t.Helper()
	b := &uplinkv1.Batch{From: from, PrevHash: make([]byte, 16)}
	if from > 1 {
		b.PrevHash = n.floor.entries[from-2].Hash[:]
	}
	for _, e := range n.floor.entries[from-1 : to] {
		b.Records = append(b.Records, e.Data)
	}
	c.send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Batch{Batch: b}})
}

// await reads frames until one of a kind.
func await[T comparable](c *client, kind func(*uplinkv1.CloudFrame) T) T {
	c.t.Helper()
	var none T
	for {
		f, err := c.stream.Recv()
		must(c.t, err)
		if got := kind(f); got != none {
			return got
		}
	}
}

// digest is everything that the cloud keeps, but when it was heard of.
func (c *cloud) digest() map[string]string {
	c.t.Helper()
	tables, err := c.log.Journal().Digest(context.Background())
	must(c.t, err)
	all := map[string]string{}
	for name, hash := range tables {
		if name != "store" && name != "office" && name != "batch" && name != "journal" {
			all[name] = hash.String()
		}
	}
	return all
}

// TestReplayFromTheFirstRecordHasNoEffect is the node's key in other hands, or
// a node that forgot what it sent: a new session sends everything again.
func TestReplayFromTheFirstRecordHasNoEffect(t *testing.T) {
	c := newCloud(t, nil)
	n := c.enrol()
	n.floor.receive(1, 50)
	stop := n.start(t, c.addr, nil)
	n.reaches(t, nodeuplink.Online)
	c.applied(n.floor)
	stop()
	before, last := c.digest(), n.floor.Head().Seq
	raw := c.client(n)
	if w := raw.open(n); w.GetResumeFrom() != last+1 || w.GetSession() != 2 {
		t.Errorf("welcome resumes from %d in session %d", w.GetResumeFrom(), w.GetSession())
	}
	for _, part := range [][2]uint64{{1, 20}, {1, last}, {15, 30}, {last, last}} {
		raw.batch(n, part[0], part[1])
		if ack := await(raw, (*uplinkv1.CloudFrame).GetAck); ack.GetSeq() != last {
			t.Errorf("records %d to %d: ack %d, want %d", part[0], part[1], ack.GetSeq(), last)
		}
	}
	for name, hash := range c.digest() {
		if before[name] != hash {
			t.Errorf("table %s has changed", name)
		}
	}
}

func TestGapIsAskedForAndOtherHistoryRefused(t *testing.T) {
	c := newCloud(t, nil)
	n := c.enrol()
	n.floor.receive(1, 50)
	raw := c.client(n)
	raw.open(n)
	raw.batch(n, 10, 20)
	raw.batch(n, 21, 30)
	if nack := await(raw, (*uplinkv1.CloudFrame).GetNack); nack.GetResumeFrom() != 1 {
		t.Errorf("nack from %d, want 1", nack.GetResumeFrom())
	}
	raw.batch(n, 1, 50)
	if ack := await(raw, (*uplinkv1.CloudFrame).GetAck); ack.GetSeq() != 50 {
		t.Errorf("ack %d, want 50", ack.GetSeq())
	}
	raw.send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Batch{Batch: &uplinkv1.Batch{From: 51,
		PrevHash: bytes.Repeat([]byte{9}, 16), Records: [][]byte{n.floor.entries[0].Data}}}})
	if r := await(raw, (*uplinkv1.CloudFrame).GetReject); r.GetCode() != stock.Forked.String() {
		t.Errorf("rejected as %s, want FORKED", r.GetCode())
	}
}

func TestNewerSessionFencesTheOlder(t *testing.T) {
	c := newCloud(t, nil)
	n := c.enrol()
	n.floor.receive(1, 10)
	first := c.client(n)
	first.open(n)
	second := c.client(n)
	second.open(n)
	if r := await(first, (*uplinkv1.CloudFrame).GetReject); r.GetCode() != stock.Fenced.String() {
		t.Errorf("rejected as %s, want FENCED", r.GetCode())
	}
	second.batch(n, 1, 10)
	if ack := await(second, (*uplinkv1.CloudFrame).GetAck); ack.GetSeq() != 10 {
		t.Errorf("ack %d, want 10", ack.GetSeq())
	}
	if on, _ := c.server.Connected(store); !on {
		t.Error("the older session's end has closed the newer one")
	}
}

func TestBoxThatWasReplacedIsSentAway(t *testing.T) {
	c := newCloud(t, nil)
	old := c.enrol()
	raw := c.client(old)
	raw.open(old)
	c.enrol()
	if r := await(raw, (*uplinkv1.CloudFrame).GetReject); r.GetCode() != stock.Fenced.String() {
		t.Errorf("rejected as %s, want FENCED", r.GetCode())
	}
	again := c.client(old)
	h, _ := old.floor.Hello(t.Context())
	again.hello(h)
	w := await(again, (*uplinkv1.CloudFrame).GetWelcome)
	if w.GetMode() != recordv1.SessionMode_SESSION_MODE_SALVAGE || w.GetSession() != 0 {
		t.Errorf("comes back and is told %v, want SALVAGE without a session", w)
	}
}

func TestNodeMustBeWhoItsCertificateSays(t *testing.T) {
	c := newCloud(t, nil)
	n := c.enrol()
	cases := []struct {
		name   string
		change func(h *recordv1.Hello)
	}{
		{"another store", func(h *recordv1.Hello) { h.Store = 8 }},
		{"another box", func(h *recordv1.Hello) { h.NodeId = make([]byte, 16) }},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			raw := c.client(n)
			h, _ := n.floor.Hello(t.Context())
			test.change(h)
			raw.hello(h)
			if r := await(raw, (*uplinkv1.CloudFrame).GetReject); r.GetCode() != stock.NotTrusted.String() {
				t.Errorf("rejected as %s, want NOT_TRUSTED", r.GetCode())
			}
		})
	}
}

func TestCallsWithoutACertificateAreRefused(t *testing.T) {
	c := newCloud(t, nil)
	n := c.enrol()
	stranger := c.dial(strangerTLS(n))
	session, err := stranger.Session(t.Context())
	must(t, err)
	_, err = session.Recv()
	wantCode(t, "session", err, codes.PermissionDenied)
	catalogue, err := stranger.Catalogue(t.Context(), &uplinkv1.CatalogueRequest{})
	must(t, err)
	_, err = catalogue.Recv()
	wantCode(t, "catalogue", err, codes.PermissionDenied)
}

func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: %v (%v), want %v", what, got, err, want)
	}
}

// strangerTLS trusts the cloud and shows nothing.
func strangerTLS(n *node) *tls.Config {
	config := n.id.ClientTLS()
	config.GetClientCertificate = nil
	return config
}

func TestRecoveryCallsNeedANodeOfTheStore(t *testing.T) {
	c := newCloud(t, nil)
	stranger := c.dial(strangerTLS(c.enrol()))
	snapshot, err := stranger.Snapshot(t.Context(), &uplinkv1.SnapshotRequest{})
	must(t, err)
	_, err = snapshot.Recv()
	wantCode(t, "snapshot", err, codes.PermissionDenied)
	tail, err := stranger.JournalTail(t.Context(), &uplinkv1.JournalTailRequest{})
	must(t, err)
	_, err = tail.Recv()
	wantCode(t, "tail", err, codes.PermissionDenied)
	salvage, err := stranger.Salvage(t.Context())
	must(t, err)
	_, err = salvage.CloseAndRecv()
	wantCode(t, "salvage", err, codes.PermissionDenied)
}

func TestStoreGetsItsOwnPastBack(t *testing.T) {
	c := newCloud(t, nil)
	old := c.enrol()
	old.floor.receive(1, 10)
	raw := c.client(old)
	raw.open(old)
	raw.batch(old, 1, 10)
	await(raw, (*uplinkv1.CloudFrame).GetAck)
	n := c.enrol()
	rpc := c.dial(n.id.ClientTLS())
	snapshot, err := rpc.Snapshot(t.Context(), &uplinkv1.SnapshotRequest{})
	must(t, err)
	part, err := snapshot.Recv()
	must(t, err)
	if part.GetJournal() != 10 || len(part.GetPart().GetBalances()) != 1 || part.GetTotal() < 2 {
		t.Errorf("the first part of the copy: %v", part)
	}
	tail, err := rpc.JournalTail(t.Context(), &uplinkv1.JournalTailRequest{From: 4, To: 8})
	must(t, err)
	chunk, err := tail.Recv()
	must(t, err)
	if chunk.GetFrom() != 4 || len(chunk.GetRecords()) != 5 {
		t.Errorf("records from %d: %d", chunk.GetFrom(), len(chunk.GetRecords()))
	}
	box := c.dial(old.id.ClientTLS())
	if s, err := box.Snapshot(t.Context(), &uplinkv1.SnapshotRequest{}); err == nil {
		_, err = s.Recv()
		wantCode(t, "snapshot for the old box", err, codes.PermissionDenied)
	}
	salvage, err := box.Salvage(t.Context())
	must(t, err)
	must(t, salvage.Send(&uplinkv1.SalvageChunk{From: 4, Records: chunk.GetRecords()}))
	must(t, salvage.Send(&uplinkv1.SalvageChunk{From: 4, Records: chunk.GetRecords()}))
	taken, err := salvage.CloseAndRecv()
	must(t, err)
	if taken.GetTaken() != 10 { // five facts, told twice: the answer to the second is the first's
		t.Errorf("%d facts taken", taken.GetTaken())
	}
	// Another box reads the same disk: its epoch is another.
	salvage, err = box.Salvage(t.Context())
	must(t, err)
	must(t, salvage.Send(&uplinkv1.SalvageChunk{From: 4, Records: chunk.GetRecords(),
		Epoch: &recordv1.Epoch{Timeline: 1, Counter: 2}}))
	if _, err := salvage.CloseAndRecv(); err != nil {
		t.Errorf("the same records by another box: %v", err)
	}
}
