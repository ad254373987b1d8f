package storefront

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"holdfast.dev/stock"
	"holdfast.dev/stock/gtin"
)

// maxCartLines bounds a basket: more would make a code that phones cannot show.
const maxCartLines = 12

// maxQuantity bounds one line, in pieces, grams or millilitres.
const maxQuantity = 100_000

// cart is a basket for one store, as a cookie holds it: the store, the id of
// the request that will reserve it, and the lines. The id is of exactly this
// content: sending it twice, even from two windows, is one reservation.
type cart struct {
	Store   uint32
	Request string
	Lines   []cartLine
}

type cartLine struct {
	GTIN     string
	Quantity int32
}

// parseCart reads the cookie; one that we did not write is an empty basket.
func parseCart(text string) cart {
	parts := strings.Split(text, "~")
	if len(parts) < 3 || len(parts) > 2+maxCartLines {
		return cart{}
	}
	store, err := strconv.ParseUint(parts[0], 10, 32)
	if _, badID := uuid.Parse(parts[1]); err != nil || badID != nil || store == 0 {
		return cart{}
	}
	c := cart{Store: uint32(store), Request: parts[1]}
	for _, part := range parts[2:] {
		line, err := parseCartLine(part)
		if err != nil || c.quantity(line.GTIN) > 0 {
			return cart{}
		}
		c.Lines = append(c.Lines, line)
	}
	return c
}

// parseCartLine reads "09520001000010x2".
func parseCartLine(text string) (cartLine, error) {
	number, quantity, _ := strings.Cut(text, "x")
	code, err := gtin.Parse(number)
	if err != nil {
		return cartLine{}, err
	}
	n, err := parseQuantity(quantity)
	if err == nil && n == 0 {
		err = stock.Refuse(stock.BadUnits, "none of %s", number)
	}
	return cartLine{GTIN: code.Digits(), Quantity: n}, err
}

func parseQuantity(text string) (int32, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil || n < 0 || n > maxQuantity {
		return 0, stock.Refuse(stock.BadUnits, "a quantity of %q", text)
	}
	return int32(n), nil
}

// String is the cookie's value; an empty basket is no cookie.
func (c cart) String() string {
	if len(c.Lines) == 0 {
		return ""
	}
	parts := []string{strconv.FormatUint(uint64(c.Store), 10), c.Request}
	for _, l := range c.Lines {
		parts = append(parts, l.String())
	}
	return strings.Join(parts, "~")
}

func (l cartLine) String() string { return l.GTIN + "x" + strconv.FormatInt(int64(l.Quantity), 10) }

func (c cart) quantity(number string) int32 {
	for _, l := range c.Lines {
		if l.GTIN == number {
			return l.Quantity
		}
	}
	return 0
}

// with is the basket with so many of a product, none of it when that is zero.
// It is another basket, so it has another request.
func (c cart) with(number string, quantity int32) (cart, error) {
	lines := slices.Clone(c.Lines)
	i := slices.IndexFunc(lines, func(l cartLine) bool { return l.GTIN == number })
	switch {
	case i >= 0 && quantity == 0:
		lines = slices.Delete(lines, i, i+1)
	case i >= 0:
		lines[i].Quantity = quantity
	case quantity > 0 && len(lines) >= maxCartLines:
		return c, stock.Refuse(stock.TooMany, "a basket of %d lines", len(lines)+1).
			With("limit", maxCartLines).With("what", "lines")
	case quantity > 0:
		lines = append(lines, cartLine{number, quantity})
	}
	return cart{Store: c.Store, Request: uuid.NewString(), Lines: lines}, nil
}

// at is the same basket for another store.
func (c cart) at(store uint32) cart {
	return cart{Store: store, Request: uuid.NewString(), Lines: c.Lines}
}
