package journey

import (
	"context"
	"fmt"
	"time"

	"holdfast.dev/firmware-sim/demo"
	shopv1 "holdfast.dev/proto/shop/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock/gtin"
)

const (
	deliveredScans = 40
	quotaUnits     = 9
	lastUnits      = 3
	rushUnits      = 10
)

// receive books a delivery by 40 scans, and tries to book it again.
func (r *run) receive(ctx context.Context) (string, error) {
	const document = "DN-2025-0042"
	st, err := stand(ctx, r.a, demo.Stockroom)
	if err != nil {
		return "", err
	}
	defer st.leave()
	if err := st.mode(ctx, storev1.Mode_MODE_RECEIVE, document); err != nil {
		return "", err
	}
	before, err := node(ctx, r.a)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := r.scanDelivery(ctx, st); err != nil {
		return "", err
	}
	took := time.Since(began).Round(time.Millisecond)
	if err := r.checkDelivery(ctx, before.GetJournalLast()+1, document); err != nil {
		return "", err
	}
	if err := r.deliverAgain(ctx, st, document); err != nil {
		return "", err
	}
	if err := r.deliverBulk(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d scans in %s booked %d each of %d products; the delivery again was refused and wrote nothing",
		deliveredScans, took, deliveredScans/deliveredGoods, deliveredGoods), nil
}

// scanDelivery scans as fast as the line carries.
func (r *run) scanDelivery(ctx context.Context, st *station) error {
	for i := range deliveredScans {
		if err := r.a.Scan(ctx, demo.Stockroom, r.goods[i%deliveredGoods].Code); err != nil {
			return err
		}
	}
	for i := range deliveredScans {
		a, err := st.answer(ctx)
		if err != nil {
			return fmt.Errorf("scan %d: %w", i+1, err)
		}
		if !a.GetOk() || a.GetSeq() == 0 {
			return wrong("scan %d is refused: %s %s", i+1, a.GetCode(), a.GetSentence())
		}
	}
	return nil
}

// checkDelivery wants every unit booked once, each with its own position.
func (r *run) checkDelivery(ctx context.Context, from uint64, document string) error {
	_, all, err := records(ctx, r.a, from)
	if err != nil {
		return err
	}
	positions := make(map[uint32]bool)
	for _, rec := range all {
		if rec.GetReceipt().GetDocument() == document {
			positions[rec.GetReceipt().GetPosition()] = true
		}
	}
	if len(positions) != deliveredScans {
		return wrong("the journal has %d positions of the delivery, want %d", len(positions), deliveredScans)
	}
	for _, p := range r.goods {
		stock, err := stockOf(ctx, r.a, p)
		if err != nil {
			return err
		}
		const each = deliveredScans / deliveredGoods
		if stock.GetOnHand() != each || stock.GetAvailable() != each || stock.GetAccounts()["supplier"] != -each {
			return wrong("%s: %d on hand, %d available, supplier %d; want %d", p.Name, stock.GetOnHand(),
				stock.GetAvailable(), stock.GetAccounts()["supplier"], each)
		}
	}
	return nil
}

// deliverAgain tries the same delivery at the station and over the API. The
// station leaves its mode first: while it is open, a delivery goes on.
func (r *run) deliverAgain(ctx context.Context, st *station, document string) error {
	if err := st.mode(ctx, storev1.Mode_MODE_STOCK); err != nil {
		return err
	}
	return unchanged(ctx, r.a, "the same delivery", func() error {
		err := st.mode(ctx, storev1.Mode_MODE_RECEIVE, document)
		if err := mustRefuse(err, "DOCUMENT_USED", "the delivery at the station"); err != nil {
			return err
		}
		_, err = r.a.Floor.Receive(ctx, &storev1.ReceiveRequest{RequestId: newID(), Document: document,
			Lines: []*storev1.SellLine{{Gtin: r.goods[0].GTIN, Quantity: 8}}})
		return mustRefuse(err, "DOCUMENT_USED", "the delivery over the API")
	})
}

// deliverBulk brings what later steps need, each delivery twice with one id.
func (r *run) deliverBulk(ctx context.Context) error {
	for _, d := range []struct {
		store *demo.Store
		goods demo.Product
		units int32
	}{{r.a, r.quota, quotaUnits}, {r.a, r.last, lastUnits}, {r.b, r.rush, rushUnits}} {
		ask := &storev1.ReceiveRequest{RequestId: newID(), Document: "BULK-" + d.goods.Code,
			Lines: []*storev1.SellLine{{Gtin: d.goods.GTIN, Quantity: d.units}}}
		first, err := d.store.Floor.Receive(ctx, ask)
		if err != nil {
			return err
		}
		again, err := d.store.Floor.Receive(ctx, ask)
		if err != nil {
			return fmt.Errorf("the same request again: %w", err)
		}
		if !again.GetRepeated() || again.GetSeq() != first.GetSeq() {
			return wrong("the same request again wrote record %d after %d", again.GetSeq(), first.GetSeq())
		}
		stock, err := stockOf(ctx, d.store, d.goods)
		if err != nil {
			return err
		}
		if stock.GetOnHand() != d.units {
			return wrong("%d on hand of %d delivered", stock.GetOnHand(), d.units)
		}
	}
	return nil
}

// online scans one more unit and waits until the cloud knows.
func (r *run) online(ctx context.Context) (string, error) {
	p := r.goods[0]
	st, err := stand(ctx, r.a, demo.Stockroom)
	if err != nil {
		return "", err
	}
	defer st.leave()
	if err := st.mode(ctx, storev1.Mode_MODE_RECEIVE, "DN-2025-0043"); err != nil {
		return "", err
	}
	if _, err := st.accept(ctx, p.Code); err != nil {
		return "", err
	}
	booked := time.Now()
	want, err := stockOf(ctx, r.a, p)
	if err != nil {
		return "", err
	}
	err = eventually(ctx, within, func() error {
		seen, err := r.availability(ctx, r.a, p)
		if err == nil && seen.GetAvailable() != want.GetAvailable() {
			err = wrong("the store can promise %d, the cloud says %d", want.GetAvailable(), seen.GetAvailable())
		}
		return err
	})
	if err != nil {
		return "", err
	}
	took := time.Since(booked)
	for _, p := range append([]demo.Product{r.quota, r.last}, r.goods...) {
		if err := r.sameOnline(ctx, p); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d available at the cloud %d ms after the scan, as the store says",
		want.GetAvailable(), took.Milliseconds()), nil
}

// sameOnline wants the cloud's number to be the store's, with its age and basis.
func (r *run) sameOnline(ctx context.Context, p demo.Product) error {
	want, err := stockOf(ctx, r.a, p)
	if err != nil {
		return err
	}
	seen := new(shopv1.Availability)
	if err := r.shop.get(ctx, fmt.Sprintf("/v1/stores/%d/availability/%s", r.a.ID, p.GTIN), seen); err != nil {
		return err
	}
	age := time.Since(seen.GetAsOf().AsTime())
	if seen.GetAvailable() != want.GetAvailable() || !seen.GetConnected() ||
		seen.GetBasis() != shopv1.Basis_STORE_CONFIRMED || seen.GetAsOf() == nil || age > time.Minute {
		return wrong("%s: the store says %d, the cloud %v", p.Name, want.GetAvailable(), seen)
	}
	return nil
}

// sell sells three units by scans, and refuses what is no product.
func (r *run) sell(ctx context.Context) (string, error) {
	till, err := stand(ctx, r.a, demo.Till)
	if err != nil {
		return "", err
	}
	defer till.leave()
	if err := till.mode(ctx, storev1.Mode_MODE_SELL); err != nil {
		return "", err
	}
	basket := []demo.Product{r.goods[0], r.goods[0], r.goods[1]}
	var total int64
	for _, p := range basket {
		a, err := till.accept(ctx, p.Code)
		if err != nil {
			return "", err
		}
		rec, err := record(ctx, r.a, a.GetSeq())
		if err != nil {
			return "", err
		}
		if n := rec.GetSale().GetLines(); len(n) != 1 || n[0].GetUnits() != 1 {
			return "", wrong("record %d is no sale of one unit: %v", a.GetSeq(), rec)
		}
		total += p.Price
	}
	if err := r.refuseScans(ctx, till); err != nil {
		return "", err
	}
	sold, err := stockOf(ctx, r.a, r.goods[0])
	if err != nil {
		return "", err
	}
	if sold.GetAccounts()["sold"] != 2 {
		return "", wrong("two are sold, the books say %d", sold.GetAccounts()["sold"])
	}
	if err := r.finishBasket(ctx, till, total, sold.GetName()); err != nil {
		return "", err
	}
	return fmt.Sprintf("3 units for %s sold, receipt printed; unknown, wrong and garbled codes were refused and wrote nothing",
		money(total)), nil
}

// money is an amount as the demo's stores print it.
func money(minor int64) string { return fmt.Sprintf("%d,%02d", minor/100, minor%100) }

// refuseScans scans what is no product of this shop.
func (r *run) refuseScans(ctx context.Context, till *station) error {
	stranger, err := r.stranger(ctx)
	if err != nil {
		return err
	}
	if _, err := till.refuse(ctx, stranger, "UNKNOWN_PRODUCT"); err != nil {
		return err
	}
	code := r.goods[0].Code
	next := string('0' + (code[len(code)-1]-'0'+1)%10)
	if _, err := till.refuse(ctx, code[:len(code)-1]+next, "BAD_CHECK_DIGIT"); err != nil {
		return err
	}
	return unchanged(ctx, r.a, "garbage on the line", func() error {
		noise := []byte("\x80\xfe\x15\x02\xffqx\x00\x9d\r\n")
		if err := r.a.Scanners[demo.Till].Raw(ctx, noise); err != nil {
			return err
		}
		a, err := till.answer(ctx)
		if err != nil {
			return err
		}
		return aloud(a, "UNREADABLE")
	})
}

// stranger is a well-formed number that the catalogue does not have.
func (r *run) stranger(ctx context.Context) (string, error) {
	for i := range 1000 {
		for check := range 10 {
			code := fmt.Sprintf("952999%06d%d", i, check)
			if _, err := gtin.Parse(code); err != nil {
				continue
			}
			_, err := r.room.Head.Shop.GetProduct(ctx, &shopv1.GetProductRequest{Gtin: code})
			if demo.Refused(err, "UNKNOWN_PRODUCT") {
				return code, nil
			}
			if err != nil {
				return "", err
			}
		}
	}
	return "", wrong("the catalogue knows every number")
}

// finishBasket ends the basket and wants its receipt on paper.
func (r *run) finishBasket(ctx context.Context, till *station, total int64, product string) error {
	before := papers(r.a)
	done, err := r.a.Floor.FinishBasket(ctx, &storev1.FinishBasketRequest{Station: till.name, RequestId: newID()})
	if err != nil {
		return err
	}
	if done.GetTotalMinor() != total {
		return wrong("the basket costs %d, want %d", done.GetTotalMinor(), total)
	}
	_, err = paper(ctx, r.a, before, head(product), money(total), r.a.Store.Name)
	return err
}

// head is the part of a name that a narrow receipt shows in any case.
func head(name string) string {
	const most = 12
	letters := []rune(name)
	return string(letters[:min(most, len(letters))])
}
