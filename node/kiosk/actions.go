package kiosk

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"holdfast.dev/node/shopfloor"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/token"
)

// actions lists what the forms of the pages post, and to where.
func (k *Kiosk) actions() map[string]func(*visit) (string, error) {
	return map[string]func(*visit) (string, error){
		"/go":                  k.postGo,
		"/scan":                k.postScan,
		"/answer":              k.postAnswer,
		"/finish":              k.postFinish,
		"/receive":             k.postReceive,
		"/receive/done":        k.postReceiveDone,
		"/orders/{id}/start":   k.postStart,
		"/orders/{id}/pick":    k.postPick,
		"/orders/{id}/stage":   k.postStage,
		"/orders/{id}/assign":  k.postAssign,
		"/lockers/{door}/open": k.postDoor,
		"/weigh":               k.postWeigh,
		"/labels":              k.postLabel,
		"/orders/{id}/missing": k.postMissing,
		"/orders/{id}/release": k.postRelease,
		"/orders/{id}/extend":  k.postExtend,
		"/collect":             k.postCollect,
		"/count":               k.postCount,
		"/damage":              k.postDamage,
		"/shelve":              k.postShelve,
		"/jobs/{job}/reprint":  k.postReprint,
		"/signin":              k.postSignIn,
		"/inbox/{item}":        k.postItem,
		"/settle":              k.postSettle,
		"/reconcile":           k.postReconcile,
	}
}

// form reads a field.
func (v *visit) form(name string) string { return strings.TrimSpace(v.r.PostForm.Get(name)) }

// requestID is the id that the page's script gave this try, or a new one.
func (v *visit) requestID() (shopfloor.ID, error) { return parseOptionalID(v.form("request_id")) }

// number reads a whole number; nothing is zero.
func (v *visit) number(name string) (stock.Units, error) {
	text := v.form(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || stock.Units(n) > ledger.MaxUnits {
		return 0, stock.Refuse(stock.BadUnits, "%.20q units", text)
	}
	return stock.Units(n), nil
}

// by is who does it: the person at the station, or the station.
func (v *visit) by(id shopfloor.ID) shopfloor.Cause {
	actor := v.Station.Staff
	if actor == "" {
		actor = v.Station.Name
	}
	return shopfloor.Cause{ID: id, Actor: actor, Device: v.Station.Name}
}

// back is the page that a form was on.
func (v *visit) back() string {
	to := v.form("to")
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, "\\") {
		return "/"
	}
	return to
}

// postGo gives the station's scanner to a page and opens it.
func (k *Kiosk) postGo(v *visit) (string, error) {
	page := v.form("page")
	for _, s := range k.screens() {
		if s.name == page && s.mode != 0 {
			_, err := k.setMode(v.r.Context(), v.Station.Name, s.mode, "", shopfloor.ID{})
			return s.path, err
		}
	}
	return "", badRequest("page", "%.20q", page)
}

// postScan takes a code that somebody typed.
func (k *Kiosk) postScan(v *visit) (string, error) {
	id, err := v.requestID()
	if err != nil {
		return "", err
	}
	n, err := v.number("quantity")
	if err != nil {
		return "", err
	}
	_, _, err = k.scan(v.r.Context(), v.Station.Name, shopfloor.Scan{ID: id, Device: "typed",
		Data: []byte(typed(v.form("code"))), Units: n}, time.Now())
	return v.back(), err
}

// typed gives a code as a scanner would: people write spaces and small letters.
func typed(code string) string {
	if human, err := token.ParseCode(code); err == nil {
		return human
	}
	digits := strings.NewReplacer(" ", "", "-", "").Replace(code)
	if _, err := strconv.ParseUint(digits, 10, 64); err == nil {
		return digits
	}
	return code
}

// postAnswer answers the question about a promised unit.
func (k *Kiosk) postAnswer(v *visit) (string, error) {
	ctx := v.r.Context()
	if v.form("decision") != choiceSell {
		_, _, err := k.keepPromise(ctx, v.Station.Name)
		return "/sell", err
	}
	id, err := parseID(v.form("question"))
	if err != nil {
		return "", err
	}
	_, _, err = k.sellAnyway(ctx, v.Station.Name, shopfloor.Scan{ID: id, Device: "typed"},
		signature{v.form("name"), v.r.PostForm.Get("pin")})
	return "/sell", err
}

func (k *Kiosk) postFinish(v *visit) (string, error) {
	id, err := v.requestID()
	if err != nil {
		return "", err
	}
	_, err = k.finishBasket(v.r.Context(), v.Station.Name, id)
	if err == nil && v.form("paid") == "cash" {
		k.cashDrawer(v.Station.Name, id)
	}
	return "/sell", err
}

func (k *Kiosk) postReceive(v *visit) (string, error) {
	_, err := k.setMode(v.r.Context(), v.Station.Name, shopfloor.Receiving, v.form("document"), shopfloor.ID{})
	return "/receive", err
}

func (k *Kiosk) postReceiveDone(v *visit) (string, error) {
	_, err := k.setMode(v.r.Context(), v.Station.Name, shopfloor.Selling, "", shopfloor.ID{})
	return "/", err
}

// postStart gives the station's scanner to one order.
func (k *Kiosk) postStart(v *visit) (string, error) {
	id, err := parseReservation(v.r.PathValue("id"))
	if err != nil {
		return "", err
	}
	_, err = k.setMode(v.r.Context(), v.Station.Name, shopfloor.Picking, "", id)
	return "/orders/" + idString(id), err
}

// onOrder does one step on the order of the path.
func (v *visit) onOrder(do func(c shopfloor.Cause, id shopfloor.ID) error) (string, error) {
	id, err := parseReservation(v.r.PathValue("id"))
	if err != nil {
		return "", err
	}
	request, err := v.requestID()
	if err != nil {
		return "", err
	}
	return "/orders/" + idString(id), do(v.by(request), id)
}

func (k *Kiosk) postPick(v *visit) (string, error) {
	return v.onOrder(func(c shopfloor.Cause, id shopfloor.ID) error {
		p, err := k.findProduct(v.r.Context(), v.form("gtin"))
		if err != nil {
			return err
		}
		_, err = k.o.Floor.Pick(v.r.Context(), c, id, stock.SKU(p.GetSku()), 0)
		return err
	})
}

func (k *Kiosk) postStage(v *visit) (string, error) {
	return v.onOrder(func(c shopfloor.Cause, id shopfloor.ID) error {
		_, err := k.o.Floor.Stage(v.r.Context(), c, id, v.form("shelf"))
		return err
	})
}

func (k *Kiosk) postMissing(v *visit) (string, error) {
	return v.onOrder(func(c shopfloor.Cause, id shopfloor.ID) error {
		line, err := v.number("line")
		if err != nil {
			return err
		}
		n, err := v.number("quantity")
		if err != nil {
			return err
		}
		_, err = k.o.Floor.Missing(v.r.Context(), c, id, uint32(line), n)
		return err
	})
}

func (k *Kiosk) postRelease(v *visit) (string, error) {
	return v.onOrder(func(c shopfloor.Cause, id shopfloor.ID) error {
		reason := recordv1.ReleaseReason_RELEASE_REASON_STAFF
		if v.form("reason") == "cancel" {
			reason = recordv1.ReleaseReason_RELEASE_REASON_CANCEL
		}
		_, err := k.o.Floor.Release(v.r.Context(), c, id, reason)
		return err
	})
}

func (k *Kiosk) postExtend(v *visit) (string, error) {
	const longer = 24 * time.Hour
	return v.onOrder(func(c shopfloor.Cause, id shopfloor.ID) error {
		before, err := k.o.Floor.Asked(v.r.Context(), c.ID)
		if err != nil {
			return err
		}
		until := before.GetExtend().GetPickupUntil()
		if before == nil {
			r, err := k.reservation(v.r.Context(), id)
			if err != nil {
				return err
			}
			until = max(r.PickupUntil, time.Now().UnixMilli()) + longer.Milliseconds()
		}
		_, err = k.o.Floor.Extend(v.r.Context(), c, id, until)
		return err
	})
}

// postCollect takes a pickup code that somebody typed, the PIN that a shopper
// says, or the word of a manager who needs none.
func (k *Kiosk) postCollect(v *visit) (string, error) {
	id, err := v.requestID()
	if err != nil {
		return "", err
	}
	said := shopfloor.Presented{Code: typed(v.form("code")), PIN: v.form("pin")}
	if v.form("vouch") != "" {
		by, err := k.manager(v.r.Context(), v.Station.Name,
			signature{v.form("name"), v.r.PostForm.Get("manager_pin")})
		if err != nil {
			return "", err
		}
		said.By = &by
	}
	return k.handOver(v, v.by(id), said)
}

// goods reads a form about units of one product; number names its field.
func (k *Kiosk) goods(v *visit, number string) (id shopfloor.ID, p *recordv1.Product, n stock.Units, err error) {
	if id, err = v.requestID(); err != nil {
		return id, nil, 0, err
	}
	if n, err = v.number(number); err != nil {
		return id, nil, 0, err
	}
	p, err = k.findProduct(v.r.Context(), v.form("gtin"))
	return id, p, n, err
}

func (k *Kiosk) postCount(v *visit) (string, error) {
	if v.form("counted") == "" {
		return "", badRequest("quantity", "nothing was counted")
	}
	id, p, n, err := k.goods(v, "counted")
	if err != nil {
		return "", err
	}
	_, err = k.o.Floor.Count(v.r.Context(), v.by(id), stock.SKU(p.GetSku()), n, v.form("reason"))
	to := "/stock"
	if v.form("page") == "count" {
		to = "/count"
	}
	return to + "?" + url.Values{"gtin": {p.GetGtin()}}.Encode(), err
}

// postDamage takes units out of what can be sold.
func (k *Kiosk) postDamage(v *visit) (string, error) {
	id, p, n, err := k.goods(v, "quantity")
	if err != nil {
		return "", err
	}
	_, err = k.o.Floor.Damage(v.r.Context(), v.by(id), &recordv1.Damage{Sku: p.GetSku(), Units: int64(n),
		Reason: "damaged"})
	return "/stock?" + url.Values{"gtin": {p.GetGtin()}}.Encode(), err
}

func (k *Kiosk) postShelve(v *visit) (string, error) {
	id, p, n, err := k.goods(v, "quantity")
	if err != nil {
		return "", err
	}
	_, err = k.o.Floor.Reshelve(v.r.Context(), v.by(id), stock.SKU(p.GetSku()), n, "")
	return "/shelve", err
}

func (k *Kiosk) postReprint(v *visit) (string, error) {
	id, err := v.requestID()
	if err != nil {
		return "", err
	}
	job, err := strconv.ParseInt(v.r.PathValue("job"), 10, 64)
	if err != nil {
		return "", badRequest("print job", "%.20q", v.r.PathValue("job"))
	}
	_, err = k.again(v.r.Context(), job, id)
	return "/devices", err
}

// postSignIn signs a person in, or out.
func (k *Kiosk) postSignIn(v *visit) (string, error) {
	if v.form("out") != "" {
		_, err := k.signIn(v.r.Context(), v.Station.Name, signature{})
		return "/signin", err
	}
	name := v.form("name")
	if name == "" {
		return "", badRequest("name", "no name")
	}
	_, err := k.signIn(v.r.Context(), v.Station.Name, signature{name, v.r.PostForm.Get("pin")})
	return v.back(), err
}
