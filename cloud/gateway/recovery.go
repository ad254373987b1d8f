package gateway

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"

	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/token"
)

// BumpTimeline begins a new timeline after the cloud was restored from a backup.
// The backup does not know which boxes were replaced or put back since, so no
// store is served before a person says which box stands there, unless the caller
// says that all are as they were.
func (o *Office) BumpTimeline(ctx context.Context, r *shopv1.BumpTimelineRequest) (*shopv1.BumpTimelineResponse, error) {
	result, err := o.g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_BumpTimeline{
		BumpTimeline: &recordv1.BumpTimeline{Reason: r.GetReason(), After: r.GetAfter(),
			Freeze: r.GetFreeze() || !r.GetTrustNodes()}}})
	return &shopv1.BumpTimelineResponse{Stores: int32(result.GetCount().GetRows())}, err
}

// AdmitNode ends a store's freeze for one node.
func (o *Office) AdmitNode(ctx context.Context, r *shopv1.AdmitNodeRequest) (*shopv1.AdmitNodeResponse, error) {
	node, err := hex.DecodeString(r.GetNodeId())
	if err != nil {
		return nil, stock.Refuse(stock.BadRequest, "node id %q", r.GetNodeId()).With("what", "node_id")
	}
	_, err = o.g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_AdmitNode{
		AdmitNode: &recordv1.AdmitNode{Store: r.GetStore(), NodeId: node}}})
	return &shopv1.AdmitNodeResponse{}, err
}

// RenewStore takes a store's own books for head office's copy.
func (o *Office) RenewStore(ctx context.Context, r *shopv1.RenewStoreRequest) (*shopv1.RenewStoreResponse, error) {
	_, err := o.g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_Renew{
		Renew: &recordv1.Renew{Store: r.GetStore(), Reason: r.GetReason()}}})
	return &shopv1.RenewStoreResponse{}, err
}

// FenceStore shuts a store's node out for ever.
func (o *Office) FenceStore(ctx context.Context, r *shopv1.FenceStoreRequest) (*shopv1.FenceStoreResponse, error) {
	_, err := o.g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_Fence{
		Fence: &recordv1.Fence{Store: r.GetStore(), Reason: r.GetReason()}}})
	return &shopv1.FenceStoreResponse{}, err
}

// AbandonStore gives a silent store up.
func (o *Office) AbandonStore(ctx context.Context, r *shopv1.AbandonStoreRequest) (*shopv1.AbandonStoreResponse, error) {
	result, err := o.g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_Abandon{
		Abandon: &recordv1.Abandon{Store: r.GetStore(), Reason: r.GetReason()}}})
	return &shopv1.AbandonStoreResponse{Rows: int64(result.GetCount().GetRows())}, err
}

// VoidDirective takes back a directive that a store's node does not know.
func (o *Office) VoidDirective(ctx context.Context, r *shopv1.VoidDirectiveRequest) (*shopv1.VoidDirectiveResponse, error) {
	_, err := o.g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_VoidDirective{
		VoidDirective: &recordv1.VoidDirective{Store: r.GetStore(), Directive: r.GetDirective()}}})
	return &shopv1.VoidDirectiveResponse{}, err
}

// RestoreReservation brings an order back that a restored cloud has forgotten:
// its code is signed, and says all that the store needs.
func (o *Office) RestoreReservation(ctx context.Context, r *shopv1.RestoreReservationRequest) (*shopv1.Reservation, error) {
	t, err := o.g.verify(ctx, r.GetToken())
	if err != nil {
		return nil, err
	}
	c := &recordv1.Reimport{Store: uint32(t.Store), Reserve: &recordv1.Reserve{
		Reservation: t.Reservation[:], Timeline: uint32(t.Timeline), Directive: t.DSeq,
		PickupFrom: t.PickupFrom, PickupUntil: t.PickupUntil, ConfirmedAt: t.IssuedAt, Basis: "quota"}}
	if t.PINTag != ([4]byte{}) {
		c.Reserve.PinHash = t.PINTag[:]
	}
	err = o.g.view(ctx, func(tx *journal.Tx) error {
		for i, l := range t.Lines {
			p, err := headoffice.ProductBySKU(tx, l.SKU)
			if err != nil {
				return err
			}
			c.Reserve.Lines = append(c.Reserve.Lines, &recordv1.ReservedLine{Line: uint32(i + 1),
				Sku: uint32(l.SKU), Units: int64(l.Units), Gtin: p.GetGtin(), Name: p.GetName()})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = o.g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_Reimport{Reimport: c}})
	if err != nil {
		return nil, err
	}
	return o.g.reservation(ctx, t.Reservation, "")
}

// verify checks a pickup code's signature against the keys that were ever set.
func (g *Gateway) verify(ctx context.Context, code string) (token.Token, error) {
	keys := make(token.KeySet)
	err := g.fresh(ctx, func(tx *journal.Tx) error {
		set, err := headoffice.Keys(tx)
		for _, k := range set.GetKeys() {
			keys[k.GetId()] = token.Key{Public: ed25519.PublicKey(k.GetPublic()),
				NotBefore: k.GetNotBefore(), NotAfter: k.GetNotAfter()}
		}
		return err
	})
	if err != nil {
		return token.Token{}, err
	}
	t, err := token.Verify(code, keys)
	if err == nil && (t.Tenant != g.o.Tenant || len(t.Lines) == 0) {
		err = stock.Refuse(stock.BadSignature, "a code of another retailer, or without its lines")
	}
	return t, err
}
