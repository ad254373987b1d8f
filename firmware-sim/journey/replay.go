package journey

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/internal/identity"
	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
	uplinkv1 "holdfast.dev/proto/uplink/v1"
)

const (
	protocolVersion = 1
	replayBatch     = 100 // records
)

// replay takes the place of the store's node, with the node's own key, and
// sends its whole journal again from the first record. The node is kept away
// meanwhile: two sessions of one store fence each other. It returns how many
// records it sent.
func (r *run) replay(ctx context.Context) (int, error) {
	before, err := r.picture(ctx)
	if err != nil {
		return 0, err
	}
	stored, decoded, err := records(ctx, r.a, 1)
	if err != nil {
		return 0, err
	}
	n, err := node(ctx, r.a)
	if err != nil {
		return 0, err
	}
	r.a.Cable.Cut()
	defer r.a.Cable.Plug()
	if err := r.noticed(ctx); err != nil {
		return 0, err
	}
	hello, err := helloOf(n, stored, decoded)
	if err != nil {
		return 0, err
	}
	if err := r.sendAgain(ctx, hello, stored); err != nil {
		return 0, err
	}
	after, err := r.picture(ctx)
	if err != nil {
		return 0, err
	}
	if err := before.same(after); err != nil {
		return 0, err
	}
	r.a.Cable.Plug()
	if err := r.settled(ctx, r.a, soon); err != nil {
		return 0, fmt.Errorf("the real node again: %w", err)
	}
	return len(stored), r.agreed(ctx, r.a)
}

// picture is everything at the cloud that a repeated record could change.
type picture struct {
	applied   uint64
	next      uint64
	books     map[uint32]*shopv1.BookRow
	anomalies int
}

func (r *run) picture(ctx context.Context) (p picture, err error) {
	state, err := r.room.Head.State(ctx, r.a.ID)
	if err != nil {
		return p, err
	}
	p.applied, p.next = state.GetJournalApplied(), state.GetDirectivesNext()
	if p.books, err = r.books(ctx, r.a); err != nil {
		return p, err
	}
	odd, err := r.room.Head.Office.ListAnomalies(ctx, &shopv1.ListAnomaliesRequest{PageSize: 100})
	p.anomalies = len(odd.GetAnomalies())
	return p, err
}

func (p picture) same(q picture) error {
	if p.applied != q.applied || p.next != q.next || p.anomalies != q.anomalies || len(p.books) != len(q.books) {
		return wrong("%d records, %d orders, %d anomalies, %d books became %d, %d, %d, %d", p.applied, p.next,
			p.anomalies, len(p.books), q.applied, q.next, q.anomalies, len(q.books))
	}
	for sku, row := range p.books {
		if !proto.Equal(row, q.books[sku]) {
			return wrong("SKU %d was %v and is %v", sku, row, q.books[sku])
		}
	}
	return nil
}

// helloOf presents the history that a store's node has.
func helloOf(n *storev1.Node, stored []*storev1.StoredRecord, decoded []*recordv1.Record) (*recordv1.Hello, error) {
	id, err := hex.DecodeString(n.GetNodeId())
	if err != nil {
		return nil, fmt.Errorf("node id %q: %w", n.GetNodeId(), err)
	}
	epoch := new(recordv1.Epoch)
	if _, err := fmt.Sscanf(n.GetEpoch(), "%d.%d", &epoch.Timeline, &epoch.Counter); err != nil {
		return nil, fmt.Errorf("epoch %q: %w", n.GetEpoch(), err)
	}
	last := stored[len(stored)-1]
	h := &recordv1.Hello{CapVersion: protocolVersion, CapMin: protocolVersion, Build: "journey", Store: n.GetStore(),
		NodeId: id, Epoch: epoch, Timeline: n.GetTimeline(), JournalFirst: 1, JournalLast: last.GetSeq(),
		JournalHash: last.GetHash(), JournalAcked: n.GetLink().GetAcked(),
		DirectivesApplied: n.GetLink().GetDirectivesApplied(), Mode: recordv1.NodeMode_NODE_MODE_NORMAL,
		Clock: recordv1.ClockState_CLOCK_STATE_SYNCED, WallMs: time.Now().UnixMilli(),
		CatalogueVersion: n.GetCatalogueVersion()}
	for _, rec := range decoded {
		if len(rec.GetDirectiveHash()) > 0 {
			h.DirectivesHash = rec.GetDirectiveHash()
		}
	}
	for back := uint64(1); back < last.GetSeq(); back *= 2 {
		mark := stored[len(stored)-1-int(back)]
		h.Marks = append(h.Marks, &recordv1.LogMark{Seq: mark.GetSeq(), Hash: mark.GetHash()})
	}
	return h, nil
}

// sendAgain opens a session and sends all records; each batch waits for its
// acknowledgement.
func (r *run) sendAgain(ctx context.Context, hello *recordv1.Hello, stored []*storev1.StoredRecord) error {
	id, err := identity.OpenNodeKey(r.a.KeyDir())
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("passthrough:///"+r.room.Head.Running().Nodes,
		grpc.WithTransportCredentials(credentials.NewTLS(id.ClientTLS())), grpc.WithNoProxy())
	if err != nil {
		return fmt.Errorf("connect as the node: %w", err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	session, err := uplinkv1.NewUplinkClient(conn).Session(ctx)
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	if err := session.Send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Hello{Hello: hello}}); err != nil {
		return fmt.Errorf("send hello: %w", err)
	}
	welcome, err := await(session, (*uplinkv1.CloudFrame).GetWelcome)
	if err != nil {
		return err
	}
	if welcome.GetResumeFrom() != hello.GetJournalLast()+1 {
		return wrong("the cloud wants records from %d, it has all %d", welcome.GetResumeFrom(), hello.GetJournalLast())
	}
	prev := make([]byte, len(stored[0].GetHash()))
	for first := 0; first < len(stored); first += replayBatch {
		part := stored[first:min(first+replayBatch, len(stored))]
		batch := &uplinkv1.Batch{From: part[0].GetSeq(), PrevHash: prev, SentMs: time.Now().UnixMilli()}
		for _, rec := range part {
			batch.Records = append(batch.Records, rec.GetData())
			prev = rec.GetHash()
		}
		if err := session.Send(&uplinkv1.NodeFrame{Frame: &uplinkv1.NodeFrame_Batch{Batch: batch}}); err != nil {
			return fmt.Errorf("send records from %d: %w", batch.GetFrom(), err)
		}
		ack, err := await(session, (*uplinkv1.CloudFrame).GetAck)
		if err != nil {
			return fmt.Errorf("records from %d: %w", batch.GetFrom(), err)
		}
		if ack.GetSeq() != hello.GetJournalLast() {
			return wrong("records from %d are acknowledged as %d", batch.GetFrom(), ack.GetSeq())
		}
	}
	return session.CloseSend()
}

// await reads frames until one of a kind comes; others are left alone.
func await[T any](session uplinkv1.Uplink_SessionClient, of func(*uplinkv1.CloudFrame) *T) (*T, error) {
	for {
		frame, err := session.Recv()
		if err != nil {
			return nil, fmt.Errorf("session: %w", err)
		}
		if no := frame.GetReject(); no != nil {
			return nil, wrong("the cloud rejects the session: %s %s", no.GetCode(), no.GetMessage())
		}
		if nack := frame.GetNack(); nack != nil {
			return nil, wrong("the cloud wants records from %d again", nack.GetResumeFrom())
		}
		if found := of(frame); found != nil {
			return found, nil
		}
	}
}
