package bench

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// propose gives a command to a cloud's log.
type propose func(context.Context, *recordv1.Command) (*recordv1.Result, error)

// paper is a store that has a journal and no node: what its node would have
// sent is written down here.
type paper struct {
	store   stock.StoreID
	node    []byte
	epoch   *recordv1.Epoch
	session uint64
	last    journal.Position
}

const (
	paperLines   = 500 // of a delivery, and grants of a batch
	paperAtOnce  = 64  // stores that are stocked at the same time
	paperCatalog = 500 // products of one import
)

// importProducts fills the cloud's catalogue; the cloud numbers from SKU 1.
func importProducts(ctx context.Context, do propose, n int) error {
	all := products(n)
	for _, p := range all {
		p.Sku, p.Version = 0, 0
	}
	for from := 0; from < n; from += paperCatalog {
		_, err := do(ctx, &recordv1.Command{Body: &recordv1.Command_ImportProducts{
			ImportProducts: &recordv1.ImportProducts{Products: all[from:min(from+paperCatalog, n)]}}})
		if err != nil {
			return err
		}
	}
	return nil
}

// foundPapers makes stores from number 1 on, each with a node that has enrolled.
// nodeOf gives the node's id; nil makes one up.
func foundPapers(ctx context.Context, do propose, n int, nodeOf func(stock.StoreID) []byte) ([]*paper, error) {
	if nodeOf == nil {
		nodeOf = func(id stock.StoreID) []byte {
			return binary.BigEndian.AppendUint64([]byte("no box's"), uint64(id))
		}
	}
	all := make([]*paper, n)
	some, ctx := errgroup.WithContext(ctx)
	some.SetLimit(paperAtOnce)
	for i := range all {
		p := &paper{store: stock.StoreID(i + 1)}
		p.node = nodeOf(p.store)
		all[i] = p
		some.Go(func() error { return p.found(ctx, do) })
	}
	return all, some.Wait()
}

// found makes the store, and its node the store's.
func (p *paper) found(ctx context.Context, do propose) error {
	secret := sha256.Sum256(p.node)
	id := uint32(p.store)
	for _, c := range []*recordv1.Command{
		{Body: &recordv1.Command_PutStore{PutStore: &recordv1.PutStore{
			Store: &recordv1.StoreInfo{Store: id, Name: "Bench " + p.store.String()}}}},
		{Body: &recordv1.Command_IssueJoin{IssueJoin: &recordv1.IssueJoin{Store: id, SecretHash: secret[:],
			ExpiresAt: time.Now().Add(time.Hour).UnixMilli()}}},
		{Body: &recordv1.Command_Enrol{Enrol: &recordv1.Enrol{Store: id, SecretHash: secret[:],
			NodeId: p.node, CsrHash: secret[:], Hardware: "bench"}}},
	} {
		r, err := do(ctx, c)
		if err != nil {
			return err
		}
		if e := r.GetEnrol(); e != nil {
			p.epoch = e.GetEpoch()
		}
	}
	return nil
}

// hello is what the store's node says when it connects.
func (p *paper) hello() *recordv1.Hello {
	return &recordv1.Hello{CapVersion: 1, CapMin: 1, Build: "bench", Store: uint32(p.store), NodeId: p.node,
		Epoch: p.epoch, Timeline: 1, BootCount: 1, BootId: p.node, Mode: recordv1.NodeMode_NODE_MODE_NORMAL,
		WallMs: time.Now().UnixMilli(), JournalFirst: min(p.last.Seq, 1), JournalLast: p.last.Seq,
		JournalHash: p.last.Hash[:]}
}

// open opens a session without a line.
func (p *paper) open(ctx context.Context, do propose) error {
	r, err := do(ctx, &recordv1.Command{Body: &recordv1.Command_OpenSession{
		OpenSession: &recordv1.OpenSession{Hello: p.hello()}}})
	p.session = r.GetSession().GetSession()
	return err
}

// write adds records to the journal and returns the batch that tells of them.
func (p *paper) write(records ...*recordv1.Record) (*recordv1.ApplyBatch, error) {
	b := &recordv1.ApplyBatch{Store: uint32(p.store), Session: p.session, From: p.last.Seq + 1,
		PrevHash: append([]byte{}, p.last.Hash[:]...)}
	for _, r := range records {
		p.last.Seq++
		r.Seq = p.last.Seq
		raw, err := proto.Marshal(r)
		if err != nil {
			return nil, err
		}
		p.last.Hash = journal.Chain(p.last.Hash, p.last.Seq, raw)
		b.Records = append(b.Records, raw)
	}
	return b, nil
}

// stockUp tells the cloud of a delivery of so many products, and of units of
// each that it may promise.
func (p *paper) stockUp(ctx context.Context, do propose, skus int, units int64) error {
	for from := 1; from <= skus; from += paperLines {
		receipt := &recordv1.Receipt{Document: "delivery"}
		records := []*recordv1.Record{{Body: &recordv1.Record_Receipt{Receipt: receipt}}}
		for sku := from; sku < min(from+paperLines, skus+1); sku++ {
			receipt.Lines = append(receipt.Lines, &recordv1.MovementLine{Sku: uint32(sku), Units: 2 * units})
			records = append(records, &recordv1.Record{Body: &recordv1.Record_Grant{
				Grant: &recordv1.Grant{Sku: uint32(sku), Units: units, GrantedTotal: units}}})
		}
		b, err := p.write(records...)
		if err != nil {
			return err
		}
		_, err = do(ctx, &recordv1.Command{Body: &recordv1.Command_ApplyBatch{ApplyBatch: b}})
		if err != nil {
			return err
		}
	}
	return nil
}
