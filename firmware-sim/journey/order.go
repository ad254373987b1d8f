package journey

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"holdfast.dev/firmware-sim/demo"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock/token"
	"holdfast.dev/stock/words"
)

// pickupShelf is the label of the shelf that orders wait on.
const pickupShelf = "SHELF-A3"

// reserve makes a reservation of two lines over REST, and tries what must not
// go.
func (r *run) reserve(ctx context.Context) (string, error) {
	two, one := r.goods[0], r.goods[1]
	if err := r.settled(ctx, r.a, soon); err != nil { // what the till just sold is known online
		return "", err
	}
	before, err := r.book(ctx, r.a, two)
	if err != nil {
		return "", err
	}
	available, err := r.oneTooMany(ctx, one, two)
	if err != nil {
		return "", err
	}
	if err := r.holdAndConfirm(ctx, line(two, 2), line(one, 1)); err != nil {
		return "", err
	}
	after, err := r.book(ctx, r.a, two)
	if err != nil {
		return "", err
	}
	if after.GetAssigned()-before.GetAssigned() != 2 || after.GetHeld() != before.GetHeld() {
		return "", wrong("two are promised: assigned %d to %d, held %d to %d", before.GetAssigned(),
			after.GetAssigned(), before.GetHeld(), after.GetHeld())
	}
	if err := r.checkToken(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("order %s with a signed QR of %d characters; one more than the %d available was refused",
		r.order.GetCode(), len(r.order.GetToken()), available), nil
}

// oneTooMany wants a cart refused as a whole when one line is not there.
func (r *run) oneTooMany(ctx context.Context, one, two demo.Product) (int32, error) {
	has, err := r.availability(ctx, r.a, two)
	if err != nil {
		return 0, err
	}
	other, err := r.book(ctx, r.a, one)
	if err != nil {
		return 0, err
	}
	_, err = r.shop.hold(ctx, r.a, newID(), line(one, 1), line(two, has.GetAvailable()+1))
	if err := mustRefuse(err, "SHORT", "one unit too many"); err != nil {
		return 0, err
	}
	if _, args := demo.RefusalOf(err); args["available"] != fmt.Sprint(has.GetAvailable()) {
		return 0, wrong("%d are available, the refusal says %q", has.GetAvailable(), args["available"])
	}
	untouched, err := r.book(ctx, r.a, one)
	if err != nil {
		return 0, err
	}
	if untouched.GetHeld() != other.GetHeld() || untouched.GetAssigned() != other.GetAssigned() {
		return 0, wrong("a refused cart took a part: %v", untouched)
	}
	return has.GetAvailable(), nil
}

// holdAndConfirm does each of the two steps twice, with the same id.
func (r *run) holdAndConfirm(ctx context.Context, lines ...*shopv1.CartLine) error {
	cart, buy := newID(), newID()
	held, err := r.shop.hold(ctx, r.a, cart, lines...)
	if err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	again, err := r.shop.hold(ctx, r.a, cart, lines...)
	if err != nil || !proto.Equal(held, again) {
		return wrong("the same hold again: %v, then %v %w", held, again, err)
	}
	if r.order, err = r.shop.confirm(ctx, r.a, held.GetHold(), buy); err != nil {
		return fmt.Errorf("confirm: %w", err)
	}
	same, err := r.shop.confirm(ctx, r.a, held.GetHold(), buy)
	if err != nil {
		return fmt.Errorf("the same confirm again: %w", err)
	}
	if same.GetReservation() != r.order.GetReservation() || same.GetCode() != r.order.GetCode() ||
		same.GetToken() != r.order.GetToken() {
		return wrong("the same confirm again is order %s after %s", same.GetReservation(), r.order.GetReservation())
	}
	if len(r.order.GetLines()) != len(lines) || r.order.GetPickupUntil().AsTime().Before(time.Now()) {
		return wrong("the order is %v", r.order)
	}
	return nil
}

// checkToken verifies the QR with the key that the store was told.
func (r *run) checkToken(ctx context.Context) error {
	_, all, err := records(ctx, r.a, 1)
	if err != nil {
		return err
	}
	keys := make(token.KeySet)
	for _, rec := range all {
		for _, k := range rec.GetApplyDirective().GetKeys().GetKeys() {
			keys[k.GetId()] = token.Key{Public: ed25519.PublicKey(k.GetPublic()), NotBefore: k.GetNotBefore(),
				NotAfter: k.GetNotAfter()}
		}
	}
	t, err := token.Verify(r.order.GetToken(), keys)
	if err != nil {
		return fmt.Errorf("the QR of %d keys: %w", len(keys), err)
	}
	if id := uuid.UUID(t.Reservation).String(); id != r.order.GetReservation() || uint32(t.Store) != r.a.ID ||
		len(t.Lines) != len(r.order.GetLines()) {
		return wrong("the QR says %s at store %d with %d lines", id, t.Store, len(t.Lines))
	}
	return nil
}

// pick picks and stages the order by scans.
func (r *run) pick(ctx context.Context) (string, error) {
	if err := r.arrived(ctx, r.order); err != nil {
		return "", err
	}
	slip, err := paper(ctx, r.a, 0, r.order.GetCode(), head(r.order.GetFirstName()))
	if err != nil {
		return "", fmt.Errorf("pick slip: %w", err)
	}
	if err := r.pickOrder(ctx, r.order); err != nil {
		return "", err
	}
	began := time.Now()
	err = eventually(ctx, within, func() error {
		seen, err := r.shop.reservation(ctx, r.order.GetReservation())
		if err == nil && (seen.GetState() != shopv1.ReservationState_READY || seen.GetShelf() == "") {
			err = wrong("the shopper is told %s, shelf %q", seen.GetState(), seen.GetShelf())
		}
		return err
	})
	if err != nil {
		return "", err
	}
	took := time.Since(began)
	if err := r.pageSaysReady(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("slip %d printed; wrong item refused; staged on %s; the shopper was told %d ms later",
		slip.Number, pickupShelf, took.Milliseconds()), nil
}

// pageSaysReady reads the page that the shopper looks at.
func (r *run) pageSaysReady(ctx context.Context) error {
	page, err := r.shop.page(ctx, "/r/"+r.order.GetReservation())
	if err != nil {
		return err
	}
	if heading := "<h1>" + words.T(words.EN, "shop.pickup.heading.ready") + "</h1>"; !strings.Contains(page, heading) {
		return wrong("the shopper's page of a staged order does not say %s", heading)
	}
	return nil
}

// arrived waits until an order is on the store's pick list.
func (r *run) arrived(ctx context.Context, order *shopv1.Reservation) error {
	return eventually(ctx, soon, func() error {
		list, err := r.a.Floor.ListPickups(ctx, &storev1.ListPickupsRequest{Filter: "open"})
		if err != nil {
			return err
		}
		for _, p := range list.GetPickups() {
			if p.GetReservation() == order.GetReservation() {
				return nil
			}
		}
		return wrong("order %s is not among the %d of store %d", order.GetReservation(), len(list.GetPickups()), r.a.ID)
	})
}

// pickOrder picks every unit of an order by a scan, with a wrong one between,
// and stages the order by the scan of a shelf.
func (r *run) pickOrder(ctx context.Context, order *shopv1.Reservation) error {
	st, err := stand(ctx, r.a, demo.Stockroom)
	if err != nil {
		return err
	}
	defer st.leave()
	if err := st.mode(ctx, storev1.Mode_MODE_PICK, order.GetReservation()); err != nil {
		return err
	}
	if _, err := st.refuse(ctx, r.goods[4].Code, "WRONG_ITEM"); err != nil {
		return err
	}
	for _, l := range order.GetLines() {
		code := r.codeOf(l.GetGtin())
		for range l.GetQuantity() {
			if _, err := st.accept(ctx, code); err != nil {
				return err
			}
		}
		if _, err := st.refuse(ctx, code, "LINE_COMPLETE"); err != nil {
			return err
		}
	}
	if _, err := st.accept(ctx, pickupShelf); err != nil {
		return err
	}
	p, err := r.a.Floor.GetPickup(ctx, &storev1.GetPickupRequest{Reservation: order.GetReservation()})
	if err != nil {
		return err
	}
	if p.GetState() != "ready" || p.GetShelf() != pickupShelf {
		return wrong("the order is %s on %q", p.GetState(), p.GetShelf())
	}
	return nil
}

func (r *run) codeOf(gtin string) string {
	for _, p := range r.goods {
		if p.GTIN == gtin {
			return p.Code
		}
	}
	return gtin
}

// collect hands the order over by its QR, once.
func (r *run) collect(ctx context.Context) (string, error) {
	at, err := r.handOver(ctx, r.order)
	if err != nil {
		return "", err
	}
	began := time.Now()
	err = eventually(ctx, within, func() error {
		seen, err := r.shop.reservation(ctx, r.order.GetReservation())
		if err == nil && seen.GetState() != shopv1.ReservationState_COLLECTED {
			err = wrong("the shopper is told %s", seen.GetState())
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("handed over by QR, receipt printed, the cloud knew %d ms later; the second scan: collected %s",
		time.Since(began).Milliseconds(), at), nil
}

// handOver scans an order's QR at the counter, twice. It returns when the
// second scan was told that the order was collected.
func (r *run) handOver(ctx context.Context, order *shopv1.Reservation) (string, error) {
	desk, err := stand(ctx, r.a, demo.Desk)
	if err != nil {
		return "", err
	}
	defer desk.leave()
	if err := desk.mode(ctx, storev1.Mode_MODE_COLLECT); err != nil {
		return "", err
	}
	before := papers(r.a)
	if _, err := desk.accept(ctx, order.GetToken()); err != nil {
		return "", err
	}
	if _, err := paper(ctx, r.a, before, r.a.Store.Name, head(order.GetLines()[0].GetName())); err != nil {
		return "", fmt.Errorf("receipt of the handover: %w", err)
	}
	a, err := desk.refuse(ctx, order.GetToken(), "ALREADY_COLLECTED")
	if err != nil {
		return "", err
	}
	at, err := time.Parse(time.RFC3339, a.GetArgs()["at"])
	if err != nil || time.Since(at) > time.Minute || time.Until(at) > time.Second {
		return "", wrong("the second scan says that it was collected at %q", a.GetArgs()["at"])
	}
	return a.GetArgs()["at"], nil
}
