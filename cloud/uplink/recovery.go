package uplink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"holdfast.dev/internal/identity"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

const (
	tailRecords    = 2000
	maxSalvage     = 5000    // records of one SalvageChunk
	maxSalvageData = 1 << 20 // bytes of all that one call may keep waiting
)

type (
	snapshotStream = grpc.ServerStreamingServer[uplinkv1.SnapshotChunk]
	tailStream     = grpc.ServerStreamingServer[uplinkv1.JournalTailChunk]
	salvageStream  = grpc.ClientStreamingServer[uplinkv1.SalvageChunk, uplinkv1.SalvageResponse]
)

// Snapshot streams the cloud's copy of the books to the store's node. Its
// epoch was fenced when it was told to rebuild, so nothing moves meanwhile.
func (s *Server) Snapshot(_ *uplinkv1.SnapshotRequest, st snapshotStream) error {
	peer, err := s.present(st.Context())
	if err != nil {
		return s.fault("snapshot", err)
	}
	snapshot, err := s.o.Office.Snapshot(st.Context(), peer.Store)
	if err != nil {
		return s.fault("snapshot", err)
	}
	s.o.Logger.Info("store is rebuilt", "store", peer.Store, "seq", snapshot.At.Seq)
	for i, p := range snapshot.Parts {
		err := st.Send(&uplinkv1.SnapshotChunk{Number: uint64(i + 1), Total: uint64(len(snapshot.Parts)),
			Journal: snapshot.At.Seq, JournalHash: snapshot.At.Hash[:], Part: p})
		if err != nil {
			return err
		}
	}
	return nil
}

// JournalTail streams a store's own records back to its node, or to a former
// one that wants to know where its history ends.
func (s *Server) JournalTail(r *uplinkv1.JournalTailRequest, st tailStream) error {
	peer, err := s.known(st.Context())
	if err != nil {
		return s.fault("journal tail", err)
	}
	after := max(r.GetFrom(), 1) - 1
	for {
		tail, err := s.o.Office.Records(st.Context(), peer.Store, after, tailRecords)
		if err != nil {
			return s.fault("journal tail", err)
		}
		if len(tail.Data) == 0 {
			return nil
		}
		if err := sendTail(st, tail, r.GetTo()); err != nil {
			return err
		}
		after = tail.From + uint64(len(tail.Data)) - 1
		if r.GetTo() > 0 && after >= r.GetTo() {
			return nil
		}
	}
}

// sendTail keeps frames small.
func sendTail(st tailStream, tail Chain, to uint64) error {
	prev, from := tail.Prev, tail.From
	for rest := tail.Data; len(rest) > 0 && (to == 0 || from <= to); {
		n, size := 0, 0
		for n < len(rest) && (n == 0 || size+len(rest[n]) <= chunkBytes) && (to == 0 || from+uint64(n) <= to) {
			size += len(rest[n])
			n++
		}
		err := st.Send(&uplinkv1.JournalTailChunk{From: from, PrevHash: prev[:], Records: rest[:n]})
		if err != nil {
			return err
		}
		prev = chainOver(prev, from, rest[:n])
		rest, from = rest[n:], from+uint64(n)
	}
	return nil
}

// Salvage passes what a former box had recorded on to the store's node. The
// same chunk again is passed on once.
func (s *Server) Salvage(st salvageStream) error {
	peer, err := s.known(st.Context())
	if err != nil {
		return s.fault("salvage", err)
	}
	taken := uint64(0)
	for {
		chunk, err := st.Recv()
		if errors.Is(err, io.EOF) {
			s.o.Logger.Info("old records were salvaged", "store", peer.Store, "records", taken)
			return st.SendAndClose(&uplinkv1.SalvageResponse{Taken: taken})
		}
		if err != nil {
			return err
		}
		n, err := s.salvage(st.Context(), peer.Store, chunk)
		if err != nil {
			return s.fault("salvage", err)
		}
		taken += n
	}
}

func (s *Server) salvage(
	ctx context.Context, store stock.StoreID, chunk *uplinkv1.SalvageChunk,
) (uint64, error) {
	size := 0
	for _, raw := range chunk.GetRecords() {
		size += len(raw)
	}
	if len(chunk.GetRecords()) > maxSalvage || size > maxSalvageData {
		return 0, stock.Refuse(stock.TooMany, "%d records of %d bytes at once", len(chunk.GetRecords()), size).
			With("limit", maxSalvage).With("what", "records")
	}
	result, err := s.o.Office.Propose(ctx, SalvageCommand(&recordv1.SalvageUpload{
		Store: uint32(store), Epoch: chunk.GetEpoch(), Records: chunk.GetRecords()}))
	return result.GetCount().GetRows(), err
}

// SalvageCommand passes on what a former box had recorded. Its request is made
// of all that it says, the epoch of the box that hands over included: a disk may
// be read a second time by another box.
func SalvageCommand(u *recordv1.SalvageUpload) *recordv1.Command {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d.%d\n", u.GetStore(), u.GetEpoch().GetTimeline(), u.GetEpoch().GetCounter())
	for _, raw := range u.GetRecords() {
		h.Write(raw)
	}
	return &recordv1.Command{Request: h.Sum(nil)[:16], Actor: "old box",
		Body: &recordv1.Command_SalvageUpload{SalvageUpload: u}}
}

// present returns a caller that is its store's node now.
func (s *Server) present(ctx context.Context) (identity.Peer, error) {
	peer, err := identity.PeerFromContext(ctx)
	if err != nil {
		return identity.Peer{}, err
	}
	return peer, s.member(ctx)
}

// known returns a caller that is, or was, its store's node.
func (s *Server) known(ctx context.Context) (identity.Peer, error) {
	peer, err := identity.PeerFromContext(ctx)
	if err != nil {
		return identity.Peer{}, err
	}
	raw, err := hex.DecodeString(string(peer.NodeID))
	if err != nil {
		return identity.Peer{}, err
	}
	was, err := s.o.Office.WasNode(ctx, peer.Store, raw)
	if err == nil && !was {
		err = stock.Refuse(stock.NotTrusted, "node %s was never store %s's", peer.NodeID, peer.Store)
	}
	return peer, err
}
