package uplink

import (
	"bytes"
	"context"
	"encoding/hex"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/internal/identity"
	"holdfast.dev/proto/uplink/v1"
	"holdfast.dev/stock"
)

const (
	chunkProducts = 500
	chunkBytes    = 256 << 10
)

type chunkStream = grpc.ServerStreamingServer[uplinkv1.CatalogueChunk]

// Catalogue streams the products that changed after a version, by SKU. Every
// chunk names the version as it was when the stream began, so that a node that
// finishes with it asks for whatever changed during the stream the next time.
func (s *Server) Catalogue(r *uplinkv1.CatalogueRequest, st chunkStream) error {
	ctx := st.Context()
	if err := s.member(ctx); err != nil {
		return s.fault("catalogue", err)
	}
	place := Place{Version: r.GetAfterVersion(), SKU: stock.SKU(r.GetAfterSku())}
	var first *Page
	for {
		page, err := s.o.Office.Products(ctx, place, chunkProducts)
		if err != nil {
			return s.fault("catalogue", err)
		}
		if first == nil {
			first = &page
		}
		if err := sendChunks(st, page, first); err != nil {
			return err
		}
		if len(page.Products) < chunkProducts {
			return nil
		}
		place.SKU = stock.SKU(page.Products[len(page.Products)-1].GetSku())
	}
}

// sendChunks keeps frames small: products may have long names. The first page
// is sent even if it is empty, for its version.
func sendChunks(st chunkStream, page Page, first *Page) error {
	rest := page.Products
	for {
		n, size := 0, 0
		for n < len(rest) && (n == 0 || size+proto.Size(rest[n]) <= chunkBytes) {
			size += proto.Size(rest[n])
			n++
		}
		err := st.Send(&uplinkv1.CatalogueChunk{
			Products: rest[:n], Version: first.Version, Total: first.Total})
		if err != nil {
			return err
		}
		if rest = rest[n:]; len(rest) == 0 {
			return nil
		}
	}
}

// member refuses a caller that is not, or is no longer, its store's node.
func (s *Server) member(ctx context.Context) error {
	peer, err := identity.PeerFromContext(ctx)
	if err != nil {
		return err
	}
	standing, err := s.o.Office.Look(ctx, peer.Store, nil)
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(string(peer.NodeID))
	if err != nil || !bytes.Equal(raw, standing.Node) {
		return stock.Refuse(stock.NotTrusted, "node %s is not store %s's", peer.NodeID, peer.Store)
	}
	return nil
}
