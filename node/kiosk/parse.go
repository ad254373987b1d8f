package kiosk

import (
	"context"
	"encoding/base64"
	"strconv"

	"github.com/google/uuid"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/gtin"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
)

// maxLines bounds one sale, delivery or refund.
const maxLines = 1000

func badRequest(what, format string, args ...any) error {
	return stock.Refuse(stock.BadRequest, format, args...).With("what", what)
}

// parseID reads a UUID; an empty text is a new id where that is allowed.
func parseID(text string) (shopfloor.ID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || id == uuid.Nil {
		return shopfloor.ID{}, badRequest("request id", "%.50q is no UUID", text)
	}
	return shopfloor.ID(id), nil
}

func parseOptionalID(text string) (shopfloor.ID, error) {
	if text == "" {
		return newID(), nil
	}
	return parseID(text)
}

func parseReservation(text string) (shopfloor.ID, error) {
	id, err := uuid.Parse(text)
	if err != nil || id == uuid.Nil {
		return shopfloor.ID{}, stock.Refuse(stock.UnknownReservation, "%.50q is no reservation", text)
	}
	return shopfloor.ID(id), nil
}

func parseUnits(n int32) (stock.Units, error) {
	if n <= 0 || stock.Units(n) > ledger.MaxUnits {
		return 0, stock.Refuse(stock.BadUnits, "%d units", n)
	}
	return stock.Units(n), nil
}

// product finds a product of the catalogue by its number.
func (k *Kiosk) product(tx *journal.Tx, number string) (*recordv1.Product, error) {
	g, err := gtin.Parse(number)
	if err != nil {
		return nil, err
	}
	p, err := k.o.Products.ByGTIN(tx, g.Digits())
	if err == nil && p == nil {
		return nil, stock.Refuse(stock.UnknownProduct, "no product %s", g.Digits()).With("gtin", g.String())
	}
	return p, err
}

func (k *Kiosk) findProduct(ctx context.Context, number string) (p *recordv1.Product, err error) {
	err = k.view(ctx, func(tx *journal.Tx) error {
		p, err = k.product(tx, number)
		return err
	})
	return p, err
}

// saleLines prices the lines of a sale; all are in one currency.
func (k *Kiosk) saleLines(ctx context.Context, lines []*storev1.SellLine) (priced []*recordv1.SaleLine,
	currency string, err error) {
	if len(lines) == 0 || len(lines) > maxLines {
		return nil, "", badRequest("lines", "%d lines", len(lines))
	}
	err = k.view(ctx, func(tx *journal.Tx) error {
		for _, l := range lines {
			n, err := parseUnits(l.GetQuantity())
			if err != nil {
				return err
			}
			p, err := k.product(tx, l.GetGtin())
			switch {
			case err != nil:
				return err
			case p.GetPriceMinor() <= 0:
				return stock.Refuse(stock.NoPrice, "%s", p.GetGtin()).With("product", p.GetName())
			case currency != "" && p.GetCurrency() != currency:
				return badRequest("currency", "%s and %s in one sale", currency, p.GetCurrency())
			}
			currency = p.GetCurrency()
			priced = append(priced, shopfloor.SaleLine(p, n))
		}
		return nil
	})
	return priced, currency, err
}

// movementLines reads the lines of a delivery or refund.
func (k *Kiosk) movementLines(ctx context.Context, lines []*storev1.SellLine) (moves []*recordv1.MovementLine,
	err error) {
	if len(lines) == 0 || len(lines) > maxLines {
		return nil, badRequest("lines", "%d lines", len(lines))
	}
	err = k.view(ctx, func(tx *journal.Tx) error {
		for _, l := range lines {
			n, err := parseUnits(l.GetQuantity())
			if err != nil {
				return err
			}
			p, err := k.product(tx, l.GetGtin())
			if err != nil {
				return err
			}
			moves = append(moves, &recordv1.MovementLine{Sku: p.GetSku(), Units: int64(n)})
		}
		return nil
	})
	return moves, err
}

// Page tokens hold a position in a list; clients must not look inside.
func pageToken(position uint64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1." + strconv.FormatUint(position, 10)))
}

func parsePageToken(token string) (uint64, error) {
	if token == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 3 || string(raw[:2]) != "1." {
		return 0, badRequest("page token", "%.50q", token)
	}
	position, err := strconv.ParseUint(string(raw[2:]), 10, 32)
	if err != nil {
		return 0, badRequest("page token", "%.50q", token)
	}
	return position, nil
}

// pageSize gives how many rows to list: the usual number for zero, at most limit.
func pageSize(asked int32, usual, limit int) (int, error) {
	switch {
	case asked < 0:
		return 0, badRequest("page size", "%d", asked)
	case asked == 0:
		return usual, nil
	}
	return min(int(asked), limit), nil
}
