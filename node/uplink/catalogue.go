package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	"holdfast.dev/proto/uplink/v1"
)

const fetchPause = 5 * time.Second // before a broken fetch is tried again on the same line

// fetch is the order to bring the catalogue to a version over a connection.
type fetch struct {
	version uint64
	stream  *stream
}

// resume is where a fetch that broke goes on: what was received up to a SKU is
// applied. It finishes with the version that the first attempt saw, so that
// what changed behind its back is fetched the next time.
type resume struct {
	from    uint64 // the version that the store has
	sku     uint32
	version uint64
	done    uint64
}

// orderCatalogue replaces the order that waits, if one does.
func (l *Link) orderCatalogue(version uint64) {
	select {
	case <-l.fetch:
	default:
	}
	l.fetch <- fetch{version: version, stream: l.stream}
}

// keepCatalogue fetches whenever it is told that there is something newer. It
// runs beside the session and never in front of it.
func (l *Link) keepCatalogue(ctx context.Context) {
	var at resume
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-l.fetch:
			l.fetchUntil(ctx, f, &at)
		}
	}
}

// fetchUntil tries until the catalogue is there or the line is gone; the next
// Welcome orders again then.
func (l *Link) fetchUntil(ctx context.Context, f fetch, at *resume) {
	for {
		more, err := l.fetchCatalogue(f, at)
		if f.stream.ctx.Err() != nil || err == nil && !more {
			return
		}
		if err == nil {
			continue
		}
		l.o.Logger.Warn("catalogue broke off", "version", f.version, "done", at.done, "err", err)
		select {
		case <-f.stream.ctx.Done():
			return
		case <-ctx.Done():
			return
		case <-time.After(fetchPause):
		}
	}
}

// fetchCatalogue fetches once. There is more when a fetch that was resumed ends
// at the older version that it began with.
func (l *Link) fetchCatalogue(f fetch, at *resume) (more bool, err error) {
	ctx := f.stream.ctx
	have, err := l.o.Catalogue.Version(ctx)
	if err != nil {
		return false, fmt.Errorf("read catalogue version: %w", err)
	}
	if have >= f.version {
		return false, nil
	}
	if at.version == 0 || at.from != have {
		*at = resume{from: have}
	}
	conn := f.stream.connection()
	if conn == nil {
		return false, errors.New("no connection")
	}
	rpc, err := uplinkv1.NewUplinkClient(conn).Catalogue(ctx,
		&uplinkv1.CatalogueRequest{AfterVersion: have, AfterSku: at.sku})
	if err != nil {
		return false, err
	}
	if err := l.receiveCatalogue(ctx, rpc, at); err != nil {
		return false, err
	}
	if at.version <= have {
		return false, fmt.Errorf("the catalogue is at version %d, announced was %d",
			at.version, f.version)
	}
	if err := l.o.Catalogue.Finish(ctx, at.version); err != nil {
		return false, fmt.Errorf("finish catalogue %d: %w", at.version, err)
	}
	l.o.Logger.Info("catalogue complete", "version", at.version, "products", at.done)
	more = at.version < f.version
	*at = resume{}
	return more, nil
}

func (l *Link) receiveCatalogue(ctx context.Context,
	rpc grpc.ServerStreamingClient[uplinkv1.CatalogueChunk], at *resume,
) error {
	for {
		chunk, err := rpc.Recv()
		if errors.Is(err, io.EOF) {
			if at.version == 0 {
				return errors.New("catalogue without a version")
			}
			return nil
		}
		if err != nil {
			return err
		}
		if at.version == 0 {
			at.version = chunk.GetVersion()
		}
		products := chunk.GetProducts()
		if len(products) == 0 {
			continue
		}
		if err := l.o.Catalogue.Apply(ctx, products); err != nil {
			return fmt.Errorf("apply products: %w", err)
		}
		at.sku = products[len(products)-1].GetSku()
		at.done += uint64(len(products))
		l.o.Logger.Info("catalogue", "version", at.version, "products", at.done, "of", chunk.GetTotal())
	}
}
