package cloud

import (
	"context"
	"fmt"

	shopv1 "holdfast.dev/proto/shop/v1"
)

// BumpOptions say why a new timeline begins.
type BumpOptions struct {
	AdminAt
	Reason string `help:"Why, for whoever reads it later." default:"restored from a backup"`
	Freeze bool   `help:"Nodes may have been replaced since the backup: serve no store before its node is admitted."`
}

// Bump begins a new timeline after the cloud was restored from a backup, and
// returns a sentence.
func Bump(ctx context.Context, o BumpOptions) (string, error) {
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		resp, err := office.BumpTimeline(ctx, &shopv1.BumpTimelineRequest{Reason: o.Reason, Freeze: o.Freeze})
		return fmt.Sprintf("A new timeline begins for %d stores; each brings back what it knows as soon as it connects.",
			resp.GetStores()), err
	})
}

// AdmitOptions name the node that stands in a store.
type AdmitOptions struct {
	AdminAt
	Store uint32 `help:"Number of the store." required:""`
	Node  string `help:"Id of the node that stands there, as its pages show it." required:""`
}

// Admit ends a store's freeze for one node and returns a sentence.
func Admit(ctx context.Context, o AdmitOptions) (string, error) {
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		_, err := office.AdmitNode(ctx, &shopv1.AdmitNodeRequest{Store: o.Store, NodeId: o.Node})
		return fmt.Sprintf("Store %d is served again, by node %s.", o.Store, o.Node), err
	})
}

// FenceOptions name a store whose node must not come back.
type FenceOptions struct {
	AdminAt
	Store  uint32 `help:"Number of the store." required:""`
	Reason string `help:"Why, for whoever reads it later."`
}

// Fence shuts a store's node out for ever and returns a sentence.
func Fence(ctx context.Context, o FenceOptions) (string, error) {
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		_, err := office.FenceStore(ctx, &shopv1.FenceStoreRequest{Store: o.Store, Reason: o.Reason})
		return fmt.Sprintf("The node of store %d is shut out. Make a join string for another one.", o.Store), err
	})
}

// Abandon gives a silent store up and returns a sentence.
func Abandon(ctx context.Context, o FenceOptions) (string, error) {
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		_, err := office.AbandonStore(ctx, &shopv1.AbandonStoreRequest{Store: o.Store, Reason: o.Reason})
		return fmt.Sprintf("Store %d is given up: nothing more is promised there, and every open order is asked to end.",
			o.Store), err
	})
}

// VoidOptions name a directive that a store's node does not know.
type VoidOptions struct {
	AdminAt
	Store     uint32 `help:"Number of the store." required:""`
	Directive uint64 `help:"Number of the directive." required:""`
}

// Void takes a directive back and returns a sentence.
func Void(ctx context.Context, o VoidOptions) (string, error) {
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		_, err := office.VoidDirective(ctx, &shopv1.VoidDirectiveRequest{Store: o.Store, Directive: o.Directive})
		return fmt.Sprintf("Directive %d of store %d is taken back.", o.Directive, o.Store), err
	})
}

// RestoreOrderOptions carry an order's signed code.
type RestoreOrderOptions struct {
	AdminAt
	Token string `arg:"" help:"The whole text of the order's code."`
}

// RestoreOrder brings an order back that a restored cloud has forgotten, and
// returns a sentence.
func RestoreOrder(ctx context.Context, o RestoreOrderOptions) (string, error) {
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		r, err := office.RestoreReservation(ctx, &shopv1.RestoreReservationRequest{Token: o.Token})
		return fmt.Sprintf("Order %s of store %d is %s.", r.GetReservation(), r.GetStore(), r.GetState()), err
	})
}

// ask calls the running cloud and explains what it refuses.
func (a AdminAt) ask(call func(office shopv1.HeadOfficeClient) (string, error)) (string, error) {
	office, done, err := a.dial()
	if err != nil {
		return "", err
	}
	defer done()
	sentence, err := call(office)
	if err != nil {
		return "", explain(err)
	}
	return sentence, nil
}
