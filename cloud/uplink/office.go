package uplink

import (
	"bytes"
	"context"

	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/escrow"
	"holdfast.dev/stock/journal"
)

// engineOffice is head office in the words of the uplink.
type engineOffice struct{ engine headoffice.Engine }

// FromEngine returns the office that an engine runs.
func FromEngine(e headoffice.Engine) Office { return engineOffice{e} }

// Propose returns what a command led to once it is durable and applied.
func (o engineOffice) Propose(ctx context.Context, c *recordv1.Command) (*recordv1.Result, error) {
	return o.engine.Propose(ctx, c)
}

// Watch returns a channel that is closed at the next change of the store.
func (o engineOffice) Watch(store stock.StoreID) <-chan struct{} { return o.engine.Watch(store) }

// Look reads how a store stands, with the pools of these SKUs.
func (o engineOffice) Look(
	ctx context.Context, id stock.StoreID, skus []stock.SKU,
) (standing Standing, err error) {
	err = o.engine.View(ctx, func(tx *journal.Tx) error {
		s, err := headoffice.FindStore(tx, id)
		if err != nil {
			return err
		}
		keys, err := headoffice.Keys(tx)
		if err != nil {
			return err
		}
		version, err := headoffice.CatalogueVersion(tx)
		if err != nil {
			return err
		}
		standing = Standing{Session: s.Session, Node: s.NodeID, Epoch: s.Epoch, Timeline: s.Timeline,
			Applied: s.Applied.Seq, Directives: s.Directives.Seq, Policy: s.Policy,
			Keys: keys.GetVersion(), Catalogue: version}
		standing.Pools, err = readPools(tx, id, skus)
		return err
	})
	return standing, err
}

func readPools(
	tx *journal.Tx, id stock.StoreID, skus []stock.SKU,
) (map[stock.SKU]escrow.Pool, error) {
	if len(skus) == 0 {
		return nil, nil
	}
	rows, err := headoffice.Availability(tx, id, skus...)
	pools := make(map[stock.SKU]escrow.Pool, len(rows))
	for _, r := range rows {
		pools[r.SKU] = r.Pool
	}
	return pools, err
}

// Directives reads stored directives of a store, from a number on; at least
// one if there is one.
func (o engineOffice) Directives(
	ctx context.Context, id stock.StoreID, read ReadDirectives,
) (Chain, error) {
	chain := Chain{From: read.From}
	err := o.engine.View(ctx, func(tx *journal.Tx) error {
		s, err := headoffice.FindStore(tx, id)
		if err != nil {
			return err
		}
		at := headoffice.Cursor{Store: id, Timeline: s.Timeline, After: read.From - 1}
		chain.Data, chain.Prev, err = headoffice.DirectivesAfter(tx, at, read.Most)
		return err
	})
	size := 0
	for i, d := range chain.Data {
		if size += len(d); i > 0 && size > read.MaxBytes {
			chain.Data = chain.Data[:i]
			break
		}
	}
	return chain, err
}

// Snapshot writes the cloud's copy of a store's books down.
func (o engineOffice) Snapshot(
	ctx context.Context, id stock.StoreID,
) (c Copy, err error) {
	err = o.engine.View(ctx, func(tx *journal.Tx) error {
		snapshot, err := headoffice.SnapshotOf(tx, id)
		if err == nil {
			c = Copy{At: snapshot.At, Parts: snapshot.Parts}
		}
		return err
	})
	return c, err
}

// Records reads a store's own records after a number.
func (o engineOffice) Records(
	ctx context.Context, id stock.StoreID, after uint64, most int,
) (chain Chain, err error) {
	err = o.engine.View(ctx, func(tx *journal.Tx) error {
		data, at, err := headoffice.RecordsAfter(tx, id, after, most)
		chain = Chain{From: at.Seq + 1, Prev: at.Hash, Data: data}
		return err
	})
	return chain, err
}

// WasNode tells whether a box is, or was, a store's node.
func (o engineOffice) WasNode(
	ctx context.Context, id stock.StoreID, node []byte,
) (was bool, err error) {
	err = o.engine.View(ctx, func(tx *journal.Tx) error {
		was, err = headoffice.WasNode(tx, id, node)
		return err
	})
	return was, err
}

// chainOver returns the chain's hash after records that follow prev.
func chainOver(prev journal.Hash, from uint64, data [][]byte) journal.Hash {
	for i, raw := range data {
		prev = journal.Chain(prev, from+uint64(i), raw)
	}
	return prev
}

// Products reads products that changed after a catalogue version, by SKU.
func (o engineOffice) Products(ctx context.Context, after Place, most int) (page Page, err error) {
	err = o.engine.View(ctx, func(tx *journal.Tx) error {
		if page.Version, err = headoffice.CatalogueVersion(tx); err != nil {
			return err
		}
		if page.Total, err = headoffice.CountProducts(tx, after.Version); err != nil {
			return err
		}
		page.Products, err = headoffice.ChangedProducts(tx, headoffice.Changes{
			After: after.Version, Upto: page.Version, AfterSKU: after.SKU, Limit: most})
		return err
	})
	return page, err
}

// NodeStore names the store that a node stands in; zero if in none.
func (o engineOffice) NodeStore(
	ctx context.Context, node []byte,
) (found stock.StoreID, err error) {
	err = o.engine.View(ctx, func(tx *journal.Tx) error {
		all, err := headoffice.Stores(tx, 0, -1)
		for _, s := range all {
			if bytes.Equal(s.NodeID, node) {
				found = s.ID
			}
		}
		return err
	})
	return found, err
}
