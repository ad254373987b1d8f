package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"

	shopv1 "holdfast.dev/proto/shop/v1"
)

// BumpOptions say why a new timeline begins.
type BumpOptions struct {
	AdminAt
	Reason     string `help:"Why, for whoever reads it later." default:"restored from a backup"`
	TrustNodes bool   `help:"Serve every store at once: nobody has replaced a node, or put its disk back, since the backup was made."`
	After      uint32 `help:"The newest timeline that any node shows, when a node was refused because the cloud is behind it."`
}

// Bump begins a new timeline after the cloud was restored from a backup, and
// returns a sentence.
func Bump(ctx context.Context, o BumpOptions) (string, error) {
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		resp, err := office.BumpTimeline(ctx, &shopv1.BumpTimelineRequest{Reason: o.Reason,
			TrustNodes: o.TrustNodes, After: o.After})
		return fmt.Sprintf("A new timeline begins for %d stores; each brings back what it knows as soon as it "+
			"connects%s.", resp.GetStores(), admission(o.TrustNodes)), err
	})
}

// admission tells what every store waits for after a restore.
func admission(trusted bool) string {
	if trusted {
		return ""
	}
	return " and its node is admitted: holdfast-cloud store admit --store N --node ID, or --all if every box is the " +
		"one that stood there when the backup was made"
}

// AdmitOptions name the node that stands in a store.
type AdmitOptions struct {
	AdminAt
	Store uint32 `help:"Number of the store." required:"" xor:"which"`
	Node  string `help:"Id of the node that stands there, as its pages show it."`
	All   bool   `help:"Every store that waits, by the node that head office knows: no box was replaced or put back." required:"" xor:"which"`
}

// Admit lets a store be served by one node, the one that stands there, and
// returns a sentence.
func Admit(ctx context.Context, o AdmitOptions) (string, error) {
	if o.All {
		return o.admitAll(ctx)
	}
	if o.Node == "" {
		return "", errors.New("say which node stands there: --node ID, as its pages show it")
	}
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		_, err := office.AdmitNode(ctx, &shopv1.AdmitNodeRequest{Store: o.Store, NodeId: o.Node})
		return fmt.Sprintf("Store %d is served again, by node %s.", o.Store, o.Node), err
	})
}

// admitAll admits, in every store, the node that head office knows.
func (o AdmitOptions) admitAll(ctx context.Context) (string, error) {
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		states, err := office.ListStoreStates(ctx, &shopv1.ListStoreStatesRequest{})
		if err != nil {
			return "", err
		}
		admitted := 0
		for _, s := range states.GetStates() {
			node := strings.ReplaceAll(s.GetNodeId(), "-", "")
			if node == "" {
				continue
			}
			_, err := office.AdmitNode(ctx, &shopv1.AdmitNodeRequest{Store: s.GetStore().GetStore(), NodeId: node})
			if err != nil {
				return "", err
			}
			admitted++
		}
		return fmt.Sprintf("%d stores are served, each by the node that head office knows.", admitted), nil
	})
}

// RenewOptions name a store whose own books head office should take over.
type RenewOptions struct {
	AdminAt
	Store  uint32 `help:"Number of the store." required:""`
	Reason string `help:"Why, for whoever reads it later." default:"its records contradicted head office's copy"`
}

// Renew lets a store's own books take the place of head office's copy, and
// returns a sentence.
func Renew(ctx context.Context, o RenewOptions) (string, error) {
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		_, err := office.RenewStore(ctx, &shopv1.RenewStoreRequest{Store: o.Store, Reason: o.Reason})
		return fmt.Sprintf("Head office takes over the books of store %d as soon as its node is connected. Until then "+
			"nothing is promised there; open orders are kept, and ordered again.", o.Store), err
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
		return fmt.Sprintf("The node of store %d is shut out. Make a join string for another one, or take it back "+
			"with holdfast-cloud store admit.", o.Store), err
	})
}

// Abandon gives a silent store up and returns a sentence.
func Abandon(ctx context.Context, o FenceOptions) (string, error) {
	return o.ask(func(office shopv1.HeadOfficeClient) (string, error) {
		_, err := office.AbandonStore(ctx, &shopv1.AbandonStoreRequest{Store: o.Store, Reason: o.Reason})
		return fmt.Sprintf("Store %d is given up: nothing more is promised there, and every open order is asked to end. "+
			"To go on there, make a join string for a new node, or admit the old one with holdfast-cloud store admit.",
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
		return "", a.explain(err)
	}
	return sentence, nil
}
