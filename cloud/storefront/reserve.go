package storefront

import (
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

const (
	// maxName bounds a first name, in characters.
	maxName = 40
	// maxTypedPIN bounds what is taken for a PIN, in characters; no PIN is so long.
	maxTypedPIN = 32
	// maxPickups is how many reservations a browser remembers.
	maxPickups  = 8
	pickupsKeep = 60 * day
)

// order is what the form of the basket sends. It carries the lines itself, so
// that sending it again means the same even when the basket has changed.
type order struct {
	cart
	basket    string // id of the basket that it was made from
	firstName string
	pin       string // that the shopper will say; may be empty
	language  words.Lang
}

func (v *visit) order() (order, error) {
	store, err := storeField(v.r)
	if err != nil {
		return order{}, err
	}
	o := order{cart: cart{Store: store, Request: v.r.FormValue("request_id")}, basket: v.r.FormValue("basket"),
		firstName: firstName(v.r.FormValue("first_name")), pin: digits(v.r.FormValue("pin")),
		language: v.Lang}
	if _, err := uuid.Parse(o.Request); err != nil {
		return o, stock.Refuse(stock.BadRequest, "request id %q", o.Request).With("what", "request_id")
	}
	if lang, ok := words.ParseLang(v.r.FormValue("language")); ok {
		o.language = lang
	}
	lines := v.r.Form["line"]
	if len(lines) == 0 || len(lines) > maxCartLines {
		return o, stock.Refuse(stock.TooMany, "an order of %d lines", len(lines)).
			With("limit", maxCartLines).With("what", "lines")
	}
	for _, text := range lines {
		line, err := parseCartLine(text)
		if err != nil {
			return o, err
		}
		o.Lines = append(o.Lines, line)
	}
	return o, nil
}

// firstName takes what can be printed and called out from what was typed.
func firstName(typed string) string {
	printable := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(typed, ""))
	name := []rune(strings.Join(strings.Fields(printable), " "))
	return string(name[:min(len(name), maxName)])
}

// digits is a PIN as people type one, without the spaces between its digits.
// Whether it is one the shop decides.
func digits(typed string) string {
	pin := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(typed, "")), ""))
	return string(pin[:min(len(pin), maxTypedPIN)])
}

// reserve turns the basket into a reservation.
func reserve(v *visit) error {
	o, err := v.order()
	if err != nil {
		return err
	}
	r := &shopv1.CreateReservationRequest{Store: o.Store, RequestId: o.Request,
		Contact: &shopv1.Contact{FirstName: o.firstName, Language: string(o.language), Pin: o.pin}}
	for _, l := range o.Lines {
		r.Lines = append(r.Lines, &shopv1.CartLine{Gtin: l.GTIN, Quantity: l.Quantity})
	}
	made, err := v.shop.CreateReservation(v.r.Context(), r)
	if refusal, ok := stock.AsRefusal(err); ok {
		return v.refuseOrder(o, refusal)
	}
	if err != nil {
		return err
	}
	if v.cart.Request == o.Request || v.cart.Request == o.basket {
		v.setCookie(cartCookie, "", 0)
	}
	v.rememberPickup(made.GetReservation())
	v.redirect("/r/" + made.GetReservation())
	return nil
}

// rememberPickup lets this browser find a reservation again.
func (v *visit) rememberPickup(id string) {
	ids := slices.DeleteFunc(v.pickupIDs(), func(other string) bool { return other == id })
	ids = append([]string{id}, ids...)
	v.setCookie(pickupsCookie, strings.Join(ids[:min(len(ids), maxPickups)], "~"), pickupsKeep)
}

// pickupIDs are the reservations that this browser made, newest first.
func (v *visit) pickupIDs() []string {
	var ids []string
	for text := range strings.SplitSeq(v.cookie(pickupsCookie), "~") {
		if _, err := uuid.Parse(text); err == nil && len(ids) < maxPickups {
			ids = append(ids, text)
		}
	}
	return ids
}

// refuseOrder shows the basket again, says why it was refused and offers what
// would work.
func (v *visit) refuseOrder(o order, refusal *stock.Refusal) error {
	again := cart{Store: o.Store, Request: newRequest(), Lines: o.Lines}
	p, err := v.basketPage(again)
	if err != nil {
		return refusal
	}
	v.cart = again
	v.keepCart(again)
	p.FirstName, p.PIN, p.Speak = o.firstName, o.pin, o.language
	p.Refused = &refused{Heading: v.T("problem.refused")}
	lines, changed := p.fix()
	if len(changed) > 0 {
		p.Refused.Heading = v.T("cart.refused")
	}
	for _, row := range changed {
		p.Refused.Sentences = append(p.Refused.Sentences, row.Short)
	}
	if len(changed) == 0 {
		p.Refused.Sentences = []string{v.sentence(refusal)}
	}
	if len(changed) > 0 && len(lines) > 0 {
		p.Refused.Fix, p.Refused.FixID, p.Refused.FixName = lines, newRequest(), v.T("cart.take_rest")
		if len(changed) == 1 && changed[0].Instead > 0 {
			p.Refused.FixName = changed[0].Offer
		}
	}
	return v.show(words.HTTP(refusal.Code), sheet{name: "basket", title: v.T("cart.title"), data: p})
}

// sentence words a refusal of an order none of whose lines looks short. When
// units ran out and are there again, the reader may simply try once more.
func (v *visit) sentence(r *stock.Refusal) string {
	if r.Code == stock.Short {
		return v.T("cart.unsure")
	}
	if r.Code == stock.BadRequest && r.Args["what"] == "pin" {
		return v.T("cart.pin_wrong")
	}
	return words.RefusalAt(v.Lang, r, v.Now)
}
