package gateway

import (
	"context"
	"encoding/hex"

	"holdfast.dev/cloud/headoffice"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
)

// FleetStore is how one store of the fleet stands, for whoever looks after all
// of them.
type FleetStore struct {
	State       *shopv1.StoreState
	Node        string // its node's id as operators name it; "" when none has joined
	Quarantined bool   // its records contradict head office's and are not booked
	Renewing    bool   // and its own books are to take the place of head office's
	Frozen      bool   // head office has to admit its node first
	Open        int    // items that nobody has dealt with in the store, at most maxOpenShown
	Trouble     string // code of the newest note of head office that is open
}

// maxOpenShown bounds how many open items of one store are counted.
const maxOpenShown = 99

// Fleet lists how every store stands, by number.
func (o *Office) Fleet(ctx context.Context) ([]FleetStore, error) {
	states, err := o.ListStoreStates(ctx, &shopv1.ListStoreStatesRequest{})
	if err != nil {
		return nil, err
	}
	fleet := make([]FleetStore, 0, len(states.GetStates()))
	err = o.g.view(ctx, func(tx *journal.Tx) error {
		open, err := notes(tx, 0, false)
		if err != nil {
			return err
		}
		trouble := make(map[stock.StoreID]string)
		for _, l := range open { // the newest first
			if trouble[l.store] == "" {
				trouble[l.store] = l.note.Code
			}
		}
		for _, state := range states.GetStates() {
			id := stock.StoreID(state.GetStore().GetStore())
			s, err := headoffice.FindStore(tx, id)
			if err != nil {
				return err
			}
			items, err := books.Items(tx, books.ItemQuery{Store: id, Limit: maxOpenShown})
			if err != nil {
				return err
			}
			renewing := false
			if s.Quarantined {
				if renewing, err = headoffice.Renewing(tx, id); err != nil {
					return err
				}
			}
			fleet = append(fleet, FleetStore{State: state, Node: hex.EncodeToString(s.NodeID),
				Quarantined: s.Quarantined, Renewing: renewing, Frozen: s.Frozen, Open: len(items), Trouble: trouble[id]})
		}
		return nil
	})
	return fleet, err
}
