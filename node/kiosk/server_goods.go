package kiosk

import (
	"context"
	"strings"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/books"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"
)

// actorAPI is who did it when a request does not say.
const actorAPI = "api"

func cause(id shopfloor.ID, actor, device string) shopfloor.Cause {
	if actor == "" {
		actor = actorAPI
	}
	return shopfloor.Cause{ID: id, Actor: actor, Device: device}
}

// again marks a request that a till sends again with the epoch in which it was
// first answered; none means that it is the first time.
func again(c shopfloor.Cause, epoch string) (shopfloor.Cause, error) {
	if epoch == "" {
		return c, nil
	}
	first, err := parseEpoch(epoch)
	c.Resent = &first
	return c, err
}

// forgot tells whether this store may have forgotten what a request asked for.
func (k *Kiosk) forgot(c shopfloor.Cause) bool {
	return c.Resent != nil && k.o.Floor.Forgot(*c.Resent)
}

// enumWord turns a constant's name into the word of the API.
func enumWord(name, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), " ", "_")
}

// Sell books a sale of several lines at once.
func (s *server) Sell(ctx context.Context, r *storev1.SellRequest) (*storev1.SellResponse, error) {
	id, err := parseID(r.GetRequestId())
	if err != nil {
		return nil, err
	}
	lines, currency, err := s.k.saleLines(ctx, r.GetLines())
	if before := s.k.recorded(ctx, id, err); before.GetSale() != nil {
		return soldAs(before), nil
	}
	if err != nil {
		return nil, err
	}
	c, err := again(cause(id, r.GetTill(), r.GetTill()), r.GetResentEpoch())
	if err != nil {
		return nil, err
	}
	sell := shopfloor.Sell{Cause: c, Till: r.GetTill(), Lines: lines, Currency: currency}
	if r.GetDecidedBy() != "" {
		who, err := s.k.pins.check(r.GetDecidedBy(), r.GetPin())
		if err != nil {
			return nil, err
		}
		sell.Decided = &who
	}
	w, err := s.k.o.Floor.Sell(ctx, sell)
	if err != nil {
		return nil, err
	}
	return soldAs(w.Record), nil
}

// recorded returns the record that a request has led to before, if it cannot be
// read any more because a product is not in the catalogue: that of a store that
// came back is there a little later than its records. Else it returns nil.
func (k *Kiosk) recorded(ctx context.Context, id shopfloor.ID, err error) *recordv1.Record {
	if !stock.Refused(err, stock.UnknownProduct) {
		return nil
	}
	rec, err := k.o.Floor.Asked(ctx, id)
	if err != nil {
		return nil // the refusal says enough
	}
	return rec
}

func soldAs(rec *recordv1.Record) *storev1.SellResponse {
	sale := rec.GetSale()
	out := &storev1.SellResponse{Seq: rec.GetSeq(), Mode: saleModes[sale.GetMode()], Currency: sale.GetCurrency()}
	for _, l := range sale.GetLines() {
		out.TotalMinor += l.GetTotalMinor()
	}
	return out
}

// Receive books a delivery of several lines at once.
func (s *server) Receive(ctx context.Context, r *storev1.ReceiveRequest) (*storev1.ReceiveResponse, error) {
	id, err := parseID(r.GetRequestId())
	if err != nil {
		return nil, err
	}
	lines, err := s.k.movementLines(ctx, r.GetLines())
	if before := s.k.recorded(ctx, id, err); before.GetReceipt() != nil {
		return &storev1.ReceiveResponse{Seq: before.GetSeq(), Repeated: true}, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := again(cause(id, "", ""), r.GetResentEpoch())
	if err != nil {
		return nil, err
	}
	var w shopfloor.Written
	if s.k.forgot(c) {
		w, err = s.k.o.Floor.ReceiveAgain(ctx, c, &recordv1.Receipt{Document: r.GetDocument(),
			Position: r.GetPosition(), Lines: lines})
	} else {
		w, err = s.k.o.Floor.Receive(ctx, c, r.GetDocument(), lines)
	}
	if err != nil {
		return nil, err
	}
	return &storev1.ReceiveResponse{Seq: w.Seq, Repeated: w.Repeated}, nil
}

// Count books what was counted on the shelf.
func (s *server) Count(ctx context.Context, r *storev1.CountRequest) (*storev1.CountResponse, error) {
	id, err := parseID(r.GetRequestId())
	if err != nil {
		return nil, err
	}
	p, err := s.k.findProduct(ctx, r.GetGtin())
	if err != nil {
		return nil, err
	}
	c, err := again(cause(id, r.GetStaff(), ""), r.GetResentEpoch())
	if err != nil {
		return nil, err
	}
	var w shopfloor.Written
	if s.k.forgot(c) {
		w, err = s.k.o.Floor.CountAgain(ctx, c, &recordv1.Count{Sku: p.GetSku(), Counted: int64(r.GetCounted()),
			Delta: int64(r.GetResentDelta()), Reason: r.GetReason()})
	} else {
		w, err = s.k.o.Floor.Count(ctx, c, stock.SKU(p.GetSku()), stock.Units(r.GetCounted()), r.GetReason())
	}
	if err != nil {
		return nil, err
	}
	after, err := s.k.stock(ctx, r.GetGtin())
	if err != nil {
		return nil, err
	}
	return &storev1.CountResponse{Seq: w.Seq, Delta: int32Of(w.Record.GetCount().GetDelta()), Stock: after}, nil
}

// Refund books goods that came back from a customer.
func (s *server) Refund(ctx context.Context, r *storev1.RefundRequest) (*storev1.RefundResponse, error) {
	id, err := parseID(r.GetRequestId())
	if err != nil {
		return nil, err
	}
	var sale shopfloor.ID
	if r.GetSaleRequestId() != "" {
		if sale, err = parseID(r.GetSaleRequestId()); err != nil {
			return nil, err
		}
	}
	lines, err := s.k.movementLines(ctx, r.GetLines())
	if before := s.k.recorded(ctx, id, err); before.GetRefund() != nil {
		return &storev1.RefundResponse{Seq: before.GetSeq()}, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := again(cause(id, "", ""), r.GetResentEpoch())
	if err != nil {
		return nil, err
	}
	w, err := s.k.o.Floor.Refund(ctx, c, sale, lines, r.GetDamaged())
	if err != nil {
		return nil, err
	}
	return &storev1.RefundResponse{Seq: w.Seq}, nil
}

// Reshelve books units that came back to the shelf.
func (s *server) Reshelve(ctx context.Context, r *storev1.ReshelveRequest) (*storev1.ReshelveResponse, error) {
	c, p, n, err := s.k.one(ctx, r)
	if before := s.k.recorded(ctx, c.ID, err); before.GetReshelve() != nil {
		return &storev1.ReshelveResponse{Seq: before.GetSeq()}, nil
	}
	if err != nil {
		return nil, err
	}
	w, err := s.k.o.Floor.Reshelve(ctx, c, stock.SKU(p.GetSku()), n, r.GetShelf())
	if err != nil {
		return nil, err
	}
	return &storev1.ReshelveResponse{Seq: w.Seq}, nil
}

// Damage books damaged units.
func (s *server) Damage(ctx context.Context, r *storev1.DamageRequest) (*storev1.DamageResponse, error) {
	c, p, n, err := s.k.one(ctx, r)
	if before := s.k.recorded(ctx, c.ID, err); before.GetDamage() != nil {
		return &storev1.DamageResponse{Seq: before.GetSeq()}, nil
	}
	if err != nil {
		return nil, err
	}
	w, err := s.k.o.Floor.Damage(ctx, c, &recordv1.Damage{Sku: p.GetSku(), Units: int64(n),
		WrittenOff: r.GetWrittenOff(), Reason: r.GetReason()})
	if err != nil {
		return nil, err
	}
	return &storev1.DamageResponse{Seq: w.Seq}, nil
}

// oneProduct is a request about units of one product.
type oneProduct interface {
	GetRequestId() string
	GetGtin() string
	GetQuantity() int32
	GetResentEpoch() string
}

func (k *Kiosk) one(ctx context.Context, r oneProduct) (c shopfloor.Cause, p *recordv1.Product, n stock.Units,
	err error) {
	id, err := parseID(r.GetRequestId())
	if err != nil {
		return c, nil, 0, err
	}
	if c, err = again(cause(id, "", ""), r.GetResentEpoch()); err != nil {
		return c, nil, 0, err
	}
	if n, err = parseUnits(r.GetQuantity()); err != nil {
		return c, nil, 0, err
	}
	p, err = k.findProduct(ctx, r.GetGtin())
	return c, p, n, err
}

// GetStock returns what the store has of a product.
func (s *server) GetStock(ctx context.Context, r *storev1.GetStockRequest) (*storev1.Stock, error) {
	return s.k.stock(ctx, r.GetGtin())
}

func (k *Kiosk) stock(ctx context.Context, number string) (out *storev1.Stock, err error) {
	err = k.view(ctx, func(tx *journal.Tx) error {
		p, err := k.product(tx, number)
		if err != nil {
			return err
		}
		out, err = k.stockOf(tx, k.language(ctx), p)
		return err
	})
	return out, err
}

func (k *Kiosk) stockOf(tx *journal.Tx, lang words.Lang, p *recordv1.Product) (*storev1.Stock, error) {
	a, err := books.Open(tx, k.o.Info.Store).Account(stock.SKU(p.GetSku()))
	if err != nil {
		return nil, err
	}
	a.SKU = stock.SKU(p.GetSku())
	return k.stockProto(lang, a, p), nil
}

// ListStock lists the products that have books, in the order of their numbers.
func (s *server) ListStock(ctx context.Context, r *storev1.ListStockRequest) (*storev1.ListStockResponse, error) {
	const usual, limit = 100, 1000
	n, err := pageSize(r.GetPageSize(), usual, limit)
	if err != nil {
		return nil, err
	}
	after, err := parsePageToken(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	out := &storev1.ListStockResponse{}
	lang := s.k.language(ctx)
	err = s.k.view(ctx, func(tx *journal.Tx) error {
		accounts, err := books.Accounts(tx, s.k.o.Info.Store, stock.SKU(after), n)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			p, err := s.k.o.Products.BySKU(tx, a.SKU)
			if err != nil {
				return err
			}
			out.Stock = append(out.Stock, s.k.stockProto(lang, a, p))
		}
		if len(accounts) == n {
			out.NextPageToken = pageToken(uint64(accounts[n-1].SKU))
		}
		return nil
	})
	return out, err
}

// maxToShelve bounds how many products one page shows that wait for a shelf.
const maxToShelve = 200

// toShelve lists what waits for a shelf scan.
func (k *Kiosk) toShelve(ctx context.Context, lang words.Lang) (waiting []*storev1.Stock, err error) {
	err = k.view(ctx, func(tx *journal.Tx) error {
		accounts, err := books.ToShelve(tx, k.o.Info.Store, maxToShelve)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			p, err := k.o.Products.BySKU(tx, a.SKU)
			if err != nil {
				return err
			}
			waiting = append(waiting, k.stockProto(lang, a, p))
		}
		return nil
	})
	return waiting, err
}
