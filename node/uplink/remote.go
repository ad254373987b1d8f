package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"holdfast.dev/internal/identity"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// salvageRecords and salvageBytes bound one frame of a salvage.
const (
	salvageRecords = 1000
	salvageBytes   = 256 << 10
	maxParts       = 100_000 // of a copy of the books
)

// Remote is the cloud as a node sees it that has to recover: it has the
// store's own records, and a copy of its books.
type Remote struct {
	conn *grpc.ClientConn
	rpc  uplinkv1.UplinkClient
}

// OpenRemote prepares calls to the cloud at an address; close it after use.
func OpenRemote(address string, id *identity.NodeIdentity) (*Remote, error) {
	conn, err := connect(address, id.ClientTLS())
	if err != nil {
		return nil, err
	}
	return &Remote{conn: conn, rpc: uplinkv1.NewUplinkClient(conn)}, nil
}

// Close ends the connection.
func (r *Remote) Close() error { return r.conn.Close() }

// Tail reads the store's own records from a number on, up to another one or
// the last (zero), in pages that follow each other. From zero reads all that
// are kept.
func (r *Remote) Tail(ctx context.Context, from, to uint64,
	page func(prev journal.Position, raws [][]byte) error) error {
	stream, err := r.rpc.JournalTail(ctx, &uplinkv1.JournalTailRequest{From: from, To: to})
	if err != nil {
		return fmt.Errorf("read own records back: %w", refusalIn(err))
	}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read own records back: %w", refusalIn(err))
		}
		prev := journal.Position{Seq: chunk.GetFrom() - 1}
		if len(chunk.GetPrevHash()) != len(prev.Hash) || chunk.GetFrom() == 0 {
			return fmt.Errorf("read own records back: a page from %d without its hash", chunk.GetFrom())
		}
		copy(prev.Hash[:], chunk.GetPrevHash())
		if err := page(prev, chunk.GetRecords()); err != nil {
			return err
		}
	}
}

// Snapshot reads the cloud's copy of the books, and the record that it is of.
func (r *Remote) Snapshot(ctx context.Context,
	progress func(done, total uint64)) (at journal.Position, parts []*recordv1.Checkpoint, err error) {
	stream, err := r.rpc.Snapshot(ctx, &uplinkv1.SnapshotRequest{})
	if err != nil {
		return at, nil, fmt.Errorf("read the copy of the books: %w", refusalIn(err))
	}
	for {
		chunk, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && len(parts) > 0 && parts[len(parts)-1].GetTimeline() > 0:
			return at, parts, nil
		case errors.Is(err, io.EOF):
			return at, nil, errors.New("read the copy of the books: it ended early")
		case err != nil:
			return at, nil, fmt.Errorf("read the copy of the books: %w", refusalIn(err))
		case chunk.GetNumber() != uint64(len(parts)+1) || len(parts) == maxParts:
			return at, nil, fmt.Errorf("read the copy of the books: part %d after %d", chunk.GetNumber(), len(parts))
		}
		at.Seq = chunk.GetJournal()
		copy(at.Hash[:], chunk.GetJournalHash())
		parts = append(parts, chunk.GetPart())
		progress(chunk.GetNumber(), chunk.GetTotal())
	}
}

// Salvage hands records over that a former box of this store, or a former
// history of this box, has written and never told. It returns how many facts
// were taken. The same records again are taken once.
func (r *Remote) Salvage(ctx context.Context, epoch stock.Epoch, entries func(after uint64) ([]journal.Entry, error),
	from uint64) (uint64, error) {
	stream, err := r.rpc.Salvage(ctx)
	if err != nil {
		return 0, fmt.Errorf("salvage: %w", refusalIn(err))
	}
	for next := from; ; {
		page, err := entries(next)
		if err != nil {
			return 0, fmt.Errorf("salvage: %w", err)
		}
		if len(page) == 0 {
			break
		}
		chunk := &uplinkv1.SalvageChunk{From: page[0].Seq,
			Epoch: &recordv1.Epoch{Timeline: uint32(epoch.Timeline), Counter: epoch.Counter}}
		for _, e := range page {
			chunk.Records = append(chunk.Records, e.Data)
		}
		if stream.Send(chunk) != nil {
			break // the reason comes with the answer
		}
		next = page[len(page)-1].Seq + 1
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		return 0, fmt.Errorf("salvage: %w", refusalIn(err))
	}
	return answer.GetTaken(), nil
}

// SalvagePage is how a page for Salvage is read from a journal.
func SalvagePage(ctx context.Context, j *journal.Journal) func(from uint64) ([]journal.Entry, error) {
	return func(from uint64) ([]journal.Entry, error) {
		return j.Entries(ctx, from, salvageRecords, salvageBytes)
	}
}
