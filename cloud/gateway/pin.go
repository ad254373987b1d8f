package gateway

import (
	"context"

	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
)

// PINNeeded tells whether a store wants a PIN for every order.
func (g *Gateway) PINNeeded(ctx context.Context, store uint32) (needed bool, err error) {
	err = g.view(ctx, func(tx *journal.Tx) error {
		s, err := headoffice.FindStore(tx, stock.StoreID(store))
		if err == nil {
			needed = s.Policy.GetPinNeeded()
		}
		return err
	})
	return needed, err
}
