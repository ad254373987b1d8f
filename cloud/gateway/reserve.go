package gateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"holdfast.dev/cloud/headoffice"
	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/reservation"
	"holdfast.dev/stock/token"
)

// cart is what a shopper wants of a store, as the state machine understands it,
// with what was read to find that out.
type cart struct {
	lines    []*recordv1.WantedLine
	products []*recordv1.Product // of the lines
	store    *headoffice.Store
}

// sells returns a product of the cart, or nil.
func (c *cart) sells(sku uint32) *recordv1.Product {
	for _, p := range c.products {
		if p.GetSku() == sku {
			return p
		}
	}
	return nil
}

// wanted reads what a cart is about.
func (g *Gateway) wanted(ctx context.Context, store uint32, lines []*shopv1.CartLine) (c cart, err error) {
	if len(lines) == 0 || len(lines) > headoffice.MaxLines {
		return c, stock.Refuse(stock.BadRequest, "a cart of %d lines", len(lines)).With("what", "lines")
	}
	err = g.view(ctx, func(tx *journal.Tx) (err error) {
		c = cart{}
		for _, l := range lines {
			p, err := g.product(tx, l.GetGtin())
			if err != nil {
				return err
			}
			c.products = append(c.products, p)
			c.lines = append(c.lines, &recordv1.WantedLine{Sku: p.GetSku(), Units: int64(l.GetQuantity())})
		}
		c.store, err = headoffice.FindStore(tx, stock.StoreID(store))
		return err
	})
	return c, err
}

// proposeUnits proposes a command that needs units of a store's pool. While the
// pool is short and the store connected, the store is asked for more; a faster
// cart may take what it grants, so asking has a few rounds.
func (g *Gateway) proposeUnits(ctx context.Context, of *cart, c *recordv1.Command) (*recordv1.Result, error) {
	result, err := g.o.Engine.Propose(ctx, c)
	if !stock.Refused(err, stock.Short) {
		return result, err
	}
	store := of.store.ID
	of.store = nil // what the store tells meanwhile makes it another one
	needs := make([]Need, len(of.lines))
	for i, l := range of.lines {
		needs[i] = Need{SKU: stock.SKU(l.GetSku()), Units: stock.Units(l.GetUnits())}
	}
	wait, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for round := 0; round < askRounds && stock.Refused(err, stock.Short) && g.connected(ctx, store); round++ {
		if err := g.o.Stores.AskGrant(wait, store, needs); err != nil {
			g.o.Logger.Debug("ask for units", "store", store, "err", err)
			return g.o.Engine.Propose(ctx, c)
		}
		result, err = g.o.Engine.Propose(ctx, c)
	}
	return result, err
}

// maxPIN and minPIN bound a shopper's PIN, in digits.
const (
	minPIN = 4
	maxPIN = 8
)

// shopper makes what a reservation needs to know of a person, with a fresh code.
func shopper(c *shopv1.Contact, reservation [16]byte) (*recordv1.Shopper, error) {
	name, err := firstName(c.GetFirstName())
	if err != nil {
		return nil, err
	}
	code, err := token.NewCode(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a pickup code: %w", err)
	}
	who := &recordv1.Shopper{FirstName: name, Language: c.GetLanguage(), Code: code}
	if pin := c.GetPin(); pin != "" {
		if len(pin) < minPIN || len(pin) > maxPIN || strings.Trim(pin, "0123456789") != "" {
			return nil, stock.Refuse(stock.BadRequest, "a PIN of %d characters", len(pin)).With("what", "pin")
		}
		tag := token.TagPIN(reservation, pin)
		who.PinHash = tag[:]
	}
	return who, nil
}

// firstName keeps the first word of a name. Logs are for ever, so what leads to
// a person, such as a phone number or a mail address, is refused.
func firstName(text string) (string, error) {
	if strings.ContainsAny(text, "@0123456789") {
		return "", stock.Refuse(stock.BadRequest, "a first name has no digits and no @").With("what", "first_name")
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return "", nil
	}
	return words[0], nil
}

// CreateReservation promises units of a store: all lines or none.
func (g *Gateway) CreateReservation(ctx context.Context, r *shopv1.CreateReservationRequest) (*shopv1.Reservation, error) {
	request, err := parseID(r.GetRequestId(), "request_id")
	if err != nil {
		return nil, err
	}
	cart, err := g.wanted(ctx, r.GetStore(), r.GetLines())
	if err != nil {
		return nil, err
	}
	id := newID()
	who, err := shopper(r.GetContact(), id)
	if err != nil {
		return nil, err
	}
	result, err := g.proposeUnits(ctx, &cart, &recordv1.Command{
		Request: request[:], Body: &recordv1.Command_ReserveNow{ReserveNow: &recordv1.ReserveNow{
			Reservation: id[:], Store: r.GetStore(), Lines: cart.lines, Shopper: who}}})
	if err != nil {
		return nil, err
	}
	if made := result.GetReservation(); cart.store != nil && [16]byte(made.GetReserve().GetReservation()) == id {
		return g.toReservation(&cart, headoffice.Promised(made), r.GetContact().GetLanguage())
	}
	return g.promised(ctx, result.GetReservation(), id, r.GetContact().GetLanguage())
}

// CreateHold takes units for a cart; the request id is the hold's id.
func (g *Gateway) CreateHold(ctx context.Context, r *shopv1.CreateHoldRequest) (*shopv1.Hold, error) {
	id, err := parseID(r.GetRequestId(), "request_id")
	if err != nil {
		return nil, err
	}
	cart, err := g.wanted(ctx, r.GetStore(), r.GetLines())
	if err != nil {
		return nil, err
	}
	result, err := g.proposeUnits(ctx, &cart, &recordv1.Command{
		Body: &recordv1.Command_Hold{Hold: &recordv1.Hold{Hold: id[:], Store: r.GetStore(), Lines: cart.lines}}})
	if err != nil {
		return nil, err
	}
	return &shopv1.Hold{Hold: idText(id[:]), Store: r.GetStore(), Lines: r.GetLines(),
		ExpireTime: timestamppb.New(time.UnixMilli(result.GetHold().GetDeadline()))}, nil
}

// ConfirmHold turns a hold into a reservation.
func (g *Gateway) ConfirmHold(ctx context.Context, r *shopv1.ConfirmHoldRequest) (*shopv1.Reservation, error) {
	hold, err := parseID(r.GetHold(), "hold")
	if err != nil {
		return nil, err
	}
	request, err := parseID(r.GetRequestId(), "request_id")
	if err != nil {
		return nil, err
	}
	id := newID()
	who, err := shopper(r.GetContact(), id)
	if err != nil {
		return nil, err
	}
	result, err := g.o.Engine.Propose(ctx, &recordv1.Command{Request: request[:],
		Body: &recordv1.Command_Confirm{Confirm: &recordv1.Confirm{Hold: hold[:], Store: r.GetStore(),
			Reservation: id[:], Shopper: who}}})
	if err != nil {
		return nil, err
	}
	return g.promised(ctx, result.GetReservation(), id, r.GetContact().GetLanguage())
}

// ReleaseHold gives a hold up.
func (g *Gateway) ReleaseHold(ctx context.Context, r *shopv1.ReleaseHoldRequest) (*shopv1.ReleaseHoldResponse, error) {
	hold, err := parseID(r.GetHold(), "hold")
	if err != nil {
		return nil, err
	}
	_, err = g.o.Engine.Propose(ctx, &recordv1.Command{
		Body: &recordv1.Command_ReleaseHold{ReleaseHold: &recordv1.ReleaseHold{Hold: hold[:], Store: r.GetStore()}}})
	return &shopv1.ReleaseHoldResponse{}, err
}

// GetReservation tells how a reservation goes. Whatever anybody was told of it
// before, by any process of the cloud, is seen: this one may have begun a moment
// ago, or be behind.
func (g *Gateway) GetReservation(ctx context.Context, r *shopv1.GetReservationRequest) (*shopv1.Reservation, error) {
	id, err := parseID(r.GetReservation(), "reservation")
	if err != nil {
		return nil, err
	}
	if err := g.o.Engine.Sync(ctx); err != nil {
		return nil, err
	}
	return g.reservation(ctx, id, r.GetLanguage())
}

// CancelReservation asks the store to end a reservation; the store decides.
func (g *Gateway) CancelReservation(ctx context.Context, r *shopv1.CancelReservationRequest) (*shopv1.Reservation, error) {
	id, err := parseID(r.GetReservation(), "reservation")
	if err != nil {
		return nil, err
	}
	_, err = g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_RequestCancel{
		RequestCancel: &recordv1.RequestCancel{Reservation: id[:], Reason: r.GetReason()}}})
	if err != nil && !stock.Refused(err, stock.AlreadyFinished) {
		return nil, err
	}
	now, readErr := g.reservation(ctx, id, "")
	if readErr != nil {
		return nil, cmp.Or(err, readErr)
	}
	if err != nil && now.GetState() != shopv1.ReservationState_CANCELLED {
		return nil, err
	}
	return now, nil // cancelling what is cancelled changes nothing
}

// WatchReservation sends the reservation now, after every change, and at least
// once a beat.
func (g *Gateway) WatchReservation(r *shopv1.WatchReservationRequest, out grpc.ServerStreamingServer[shopv1.Reservation]) error {
	ctx := out.Context()
	id, err := parseID(r.GetReservation(), "reservation")
	if err != nil {
		return err
	}
	if err := g.o.Engine.Sync(ctx); err != nil {
		return err
	}
	beat := time.NewTicker(watchBeat)
	defer beat.Stop()
	store := stock.StoreID(0)
	for {
		changed := g.o.Engine.Watch(store)
		now, err := g.reservation(ctx, id, r.GetLanguage())
		if err != nil {
			return err
		}
		if found := stock.StoreID(now.GetStore()); found != store {
			store = found // now known; look again with its channel
			continue
		}
		if err := out.Send(now); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-beat.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// promised answers who has just reserved. What this very call has led to is not
// read again: nobody can have heard of it before.
func (g *Gateway) promised(ctx context.Context, r *recordv1.ReservationResult, made [16]byte, lang string,
) (resp *shopv1.Reservation, err error) {
	id := [16]byte(r.GetReserve().GetReservation())
	if id != made {
		return g.reservation(ctx, id, lang)
	}
	err = g.view(ctx, func(tx *journal.Tx) error {
		resp, err = g.readReservation(tx, headoffice.Promised(r), lang)
		return err
	})
	return resp, err
}

// reservation reads a reservation and signs its token.
func (g *Gateway) reservation(ctx context.Context, id [16]byte, lang string) (resp *shopv1.Reservation, err error) {
	err = g.view(ctx, func(tx *journal.Tx) error {
		p, err := headoffice.FindPromise(tx, id)
		if err != nil {
			return err
		}
		resp, err = g.readReservation(tx, p, lang)
		return err
	})
	return resp, err
}

// readReservation reads what a shopper is told beside the promise itself.
func (g *Gateway) readReservation(tx *journal.Tx, p *headoffice.Promise, lang string) (*shopv1.Reservation, error) {
	var of cart
	var err error
	if of.store, err = headoffice.FindStore(tx, p.Store); err != nil {
		return nil, err
	}
	for _, l := range p.Reserve.GetLines() {
		known, err := headoffice.ProductBySKU(tx, stock.SKU(l.GetSku()))
		if err != nil {
			return nil, err
		}
		if known != nil {
			of.products = append(of.products, known)
		}
	}
	return g.toReservation(&of, p, lang)
}

var shownStates = map[headoffice.State]shopv1.ReservationState{
	headoffice.Confirmed: shopv1.ReservationState_CONFIRMED, headoffice.Accepted: shopv1.ReservationState_ACCEPTED,
	headoffice.Picking: shopv1.ReservationState_PICKING, headoffice.Ready: shopv1.ReservationState_READY,
	headoffice.Collected: shopv1.ReservationState_COLLECTED, headoffice.Cancelled: shopv1.ReservationState_CANCELLED,
	headoffice.Expired: shopv1.ReservationState_EXPIRED, headoffice.Shorted: shopv1.ReservationState_SHORTED,
	headoffice.PartlyCollected: shopv1.ReservationState_PARTLY_COLLECTED,
}

// connected tells whether a store can be asked for units.
func (g *Gateway) connected(ctx context.Context, store stock.StoreID) (yes bool) {
	err := g.view(ctx, func(tx *journal.Tx) error {
		row, err := headoffice.FindStore(tx, store)
		if err == nil {
			yes = g.o.Stores.Standing(row).Connected
		}
		return err
	})
	return err == nil && yes
}

// toReservation is what a shopper is told, with a signed token.
func (g *Gateway) toReservation(of *cart, p *headoffice.Promise, lang string) (*shopv1.Reservation, error) {
	if lang == "" {
		lang = p.Reserve.GetLanguage()
	}
	store := of.store
	st := g.o.Stores.Standing(store)
	out := &shopv1.Reservation{Reservation: idText(p.ID[:]), Store: uint32(p.Store), State: shownStates[p.State],
		CreateTime: stamp(p.ConfirmedAt), PickupUntil: stamp(p.PickupUntil()), FinishTime: stamp(p.FinishedAt()),
		Code: token.GroupCode(p.Reserve.GetCode()), CancelRequested: p.CancelAt > 0, Connected: st.Connected,
		AsOf: stamp(store.AppliedAt), StoreName: store.Info.GetName(), Town: store.Info.GetTown(),
		FirstName: p.Reserve.GetContact(), Basis: shopv1.Basis_STORE_CONFIRMED}
	if p.Reserve.GetBasis() == "quota" {
		out.Basis = shopv1.Basis_QUOTA
	}
	if p.Mirror != nil {
		out.Shelf = p.Mirror.Shelf
	}
	out.Lines = reservationLines(of, p, langOf(lang))
	id, key := g.o.KeyID, g.o.Key
	if g.o.KeyAt != nil {
		id, key = g.o.KeyAt(p.ConfirmedAt)
	}
	text, err := token.Sign(g.tokenOf(p, id), key)
	out.Token = text
	return out, err
}

// stamp is a time of Unix ms; none for zero.
func stamp(ms int64) *timestamppb.Timestamp {
	if ms <= 0 {
		return nil
	}
	return timestamppb.New(time.UnixMilli(ms))
}

// tokenOf is the same token each time: it holds nothing that changes.
func (g *Gateway) tokenOf(p *headoffice.Promise, key uint32) token.Token {
	r := p.Reserve
	t := token.Token{KeyID: key, Tenant: g.o.Tenant, Store: p.Store, Timeline: p.Timeline,
		Reservation: p.ID, DSeq: r.GetDirective(), PickupFrom: r.GetPickupFrom(),
		PickupUntil: r.GetPickupUntil(), IssuedAt: p.ConfirmedAt}
	copy(t.PINTag[:], r.GetPinHash())
	for _, l := range r.GetLines() {
		t.Lines = append(t.Lines, token.Line{SKU: stock.SKU(l.GetSku()), Units: stock.Units(l.GetUnits())})
	}
	return t
}

func reservationLines(of *cart, p *headoffice.Promise, lang string) []*shopv1.ReservationLine {
	lines := make([]*shopv1.ReservationLine, len(p.Reserve.GetLines()))
	for i, l := range p.Reserve.GetLines() {
		out := &shopv1.ReservationLine{Gtin: l.GetGtin(), Name: l.GetName(), Quantity: int32(l.GetUnits())}
		if known := of.sells(l.GetSku()); known != nil {
			sold := toProduct(known, lang)
			out.Gtin, out.Name, out.Unit = sold.Gtin, sold.Name, sold.Unit
			out.PriceMinor, out.Currency = sold.PriceMinor, sold.Currency
		}
		if p.Mirror != nil {
			if m, err := p.Mirror.Line(l.GetLine()); err == nil {
				out.Picked, out.Staged = int32(m.At(reservation.Picked)), int32(m.At(reservation.Staged))
				out.Collected, out.Released = int32(m.At(reservation.Collected)), int32(m.At(reservation.Released))
				out.Short = int32(m.At(reservation.Short))
			}
		}
		lines[i] = out
	}
	return lines
}
