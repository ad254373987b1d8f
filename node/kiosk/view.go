package kiosk

import (
	"html/template"
	"slices"
	"strings"
	"time"

	"holdfast.dev/hardware"
	"holdfast.dev/internal/look"
	"holdfast.dev/node/catalogue"
	"holdfast.dev/node/devices"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	storev1 "holdfast.dev/proto/store/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/token"
	"holdfast.dev/stock/words"
)

// view is what the templates see.
type view struct {
	Lang      words.Lang
	Station   shopfloor.Station
	Inbox     int    // how much waits for a person
	Sound     bool   // this rendering may make a sound
	Fault     bool   // the last scan met trouble in the machine
	Notice    string // a refusal of a form
	RequestID string // for a form that is sent without a script
	Data      any    // of the page

	k      *Kiosk
	screen screen
	arg    string
	born   int64 // Unix ms; what was scanned later is newer than what the address asks for
}

func (k *Kiosk) newView(lang words.Lang) *view {
	return &view{Lang: lang, RequestID: idString(newID()), k: k, born: time.Now().UnixMilli()}
}

// T is a text of the kiosk.
func (v *view) T(key string, args ...any) string { return words.T(v.Lang, "kiosk."+key, args...) }

// Info is the store.
func (v *view) Info() Info { return v.k.o.Info }

// Stations are the stations of the store.
func (v *view) Stations() []Station { return v.k.o.Stations }

// Langs are the languages to choose from.
func (v *view) Langs() []words.Lang { return words.Langs() }

// LangName names a language in itself.
func (v *view) LangName(l words.Lang) string { return words.T(l, "common.language.name") }

// Staff is who may sign in.
func (v *view) Staff() []Staff { return v.k.o.Staff }

// Managers is who may decide what is left to a manager.
func (v *view) Managers() (all []Staff) {
	for _, s := range v.k.o.Staff {
		if s.Role == roleManager {
			all = append(all, s)
		}
	}
	return all
}

// Deciders is who may answer the station's question.
func (v *view) Deciders() []Staff {
	if v.Station.Question != nil && v.Station.Question.Manager {
		return v.Managers()
	}
	return v.Staff()
}

// MustSign tells whether the answer to the question needs a name and a PIN.
func (v *view) MustSign() bool {
	q := v.Station.Question
	return q != nil && (v.Station.Staff == "" || q.Manager && !v.Station.Manager)
}

// Hello greets whoever works here.
func (v *view) Hello() string {
	if v.Station.Staff == "" {
		return v.T("home.hello")
	}
	return v.T("home.hello", "name", v.Station.Staff)
}

// Money words an amount in the store's currency.
func (v *view) Money(minor int64) string { return words.Money(v.Lang, minor, v.k.o.Info.Currency) }

// Total is what the basket costs.
func (v *view) Total() string {
	minor, currency := v.Station.Total()
	if currency == "" {
		currency = v.k.o.Info.Currency
	}
	return words.Money(v.Lang, minor, currency)
}

// Quantity words units of a product.
func (v *view) Quantity(n any, unit string) string {
	return words.Quantity(v.Lang, unitsOfAny(n), unit)
}

// Of words "1 of 2".
func (v *view) Of(done, all int32, unit string) string {
	return v.T("of", "done", v.Quantity(done, unit), "all", v.Quantity(all, unit))
}

func unitsOfAny(n any) stock.Units {
	switch n := n.(type) {
	case stock.Units:
		return n
	case int64:
		return stock.Units(n)
	case int32:
		return stock.Units(n)
	case int:
		return stock.Units(n)
	}
	return 0
}

// Name is a product's name.
func (v *view) Name(p *recordv1.Product) string { return catalogue.Name(p, string(v.Lang)) }

// Price words what a product costs, per piece, kilogram or litre.
func (v *view) Price(minor any, currency, unit string) string {
	price := words.Money(v.Lang, int64(unitsOfAny(minor)), currency)
	switch unit {
	case "g":
		return price + "/kg"
	case "ml":
		return price + "/l"
	}
	return price
}

// Sentence words the station's last answer.
func (v *view) Sentence() string { return v.k.sentence(v.Lang, *v.Station.Last) }

// Headline is the short word above the sentence.
func (v *view) Headline() string {
	switch a := v.Station.Last; {
	case a.Refusal == nil:
		return v.T("verdict.yes")
	case a.Refusal.Code == stock.WrongItem, a.Refusal.Code == stock.WrongStore, a.Refusal.Code == stock.LineComplete:
		return v.T("verdict.wrong")
	case a.Refusal.Code == stock.Unreadable, a.Refusal.Code == stock.BadCheckDigit:
		return v.T("verdict.unread")
	case a.Refusal.Code == stock.NeedPIN:
		return v.T("handover.needed")
	}
	return v.T("verdict.no")
}

// NeedsWeight tells whether the last scan lacks a weight.
func (v *view) NeedsWeight() bool {
	a := v.Station.Last
	if a == nil || a.Refusal == nil || a.Product == nil {
		return false
	}
	return a.Refusal.Code == stock.NeedWeight || a.Refusal.Code == stock.ScaleDown
}

// When words a moment of the API or of the books.
func (v *view) When(at any) string {
	var t time.Time
	switch at := at.(type) {
	case int64:
		if at == 0 {
			return ""
		}
		t = time.UnixMilli(at)
	case time.Time:
		t = at
	case interface {
		AsTime() time.Time
		IsValid() bool
	}:
		if !at.IsValid() {
			return ""
		}
		t = at.AsTime()
	}
	if t.IsZero() {
		return ""
	}
	return words.When(v.Lang, t.In(v.k.zone), v.k.now())
}

// Late tells whether an order is due within the hour, or overdue.
func (v *view) Late(p *storev1.Pickup) bool {
	return p.GetPickupUntil().IsValid() && time.Until(p.GetPickupUntil().AsTime()) < time.Hour
}

// ModeName names what the scans of the station mean.
func (v *view) ModeName() string { return v.T("mode." + modeNames[v.Station.Mode]) }

// WantsMode tells whether the page is for another use of the scanner than the
// station's.
func (v *view) WantsMode() bool { return v.screen.mode != 0 && v.screen.mode != v.Station.Mode }

// Elsewhere tells whether the station's scanner works for another page than
// this one, whose answers would only confuse here.
func (v *view) Elsewhere() bool {
	switch v.screen.name {
	case "receive":
		return !v.Receiving()
	case "order":
		picking := v.Station.Mode == shopfloor.Picking || v.Station.Mode == shopfloor.Staging
		return !picking || idString(v.Station.Pickup) != v.arg
	}
	return v.WantsMode()
}

// Shown tells whether the page itself shows what was scanned.
func (v *view) Shown() bool {
	s, ok := v.Data.(search)
	return ok && (s.One != nil || s.Query != "") && v.Station.Last != nil && v.Station.Last.Refusal == nil
}

// PageName is the name of the page.
func (v *view) PageName() string { return v.screen.name }

var modeNames = map[shopfloor.Mode]string{shopfloor.Selling: "sell", shopfloor.Receiving: "receive",
	shopfloor.Picking: "pick", shopfloor.Staging: "stage", shopfloor.Collecting: "collect",
	shopfloor.Looking: "stock", shopfloor.Counting: "count", shopfloor.Reshelving: "shelve"}

// Bounds of a small and of a fair risk, in thousandths.
const (
	riskLow    = 100
	riskMiddle = 400
)

// RiskName words the chance that the promise would be broken.
func (v *view) RiskName() string {
	switch risk := v.Station.Question.Risk; {
	case risk < riskLow:
		return v.T("risk.low")
	case risk < riskMiddle:
		return v.T("risk.middle")
	case risk < 1000:
		return v.T("risk.high")
	}
	return v.T("risk.sure")
}

// RiskPill is the look of that chance.
func (v *view) RiskPill() string {
	switch risk := v.Station.Question.Risk; {
	case risk < riskLow:
		return "pill-ok"
	case risk < riskMiddle:
		return "pill-warn"
	}
	return "pill-bad"
}

// Shelf is a pickup shelf as its label reads to people.
func (v *view) Shelf(label string) string { return strings.TrimPrefix(label, shelfPrefix) }

// shelfPrefix begins every shelf label.
const shelfPrefix = devices.ShelfPrefix

// Link shows the line to the cloud.
func (v *view) Link() template.HTML {
	s := v.k.o.Link.State()
	left := 0
	if s.Phase == uplink.CatchingUp {
		left = max(1, int(s.Backlog))
	}
	since := ""
	if !s.Since.IsZero() {
		since = v.since(s.Since)
	}
	return look.LinkState(v.Lang, s.Phase != uplink.Offline, left, since)
}

// since is When with a time of day for what has just begun: it stays on the
// screen and must stay true.
func (v *view) since(t time.Time) string {
	const fresh = time.Hour
	if time.Since(t) < fresh {
		return words.Time(v.Lang, t.In(v.k.zone))
	}
	return v.When(t)
}

// QuestionID is the id of the scan that the question is about.
func (v *view) QuestionID() string { return idString(v.Station.Question.ID) }

// Newest lists the basket, the last scanned first.
func (v *view) Newest() []shopfloor.BasketLine {
	lines := slices.Clone(v.Station.Lines)
	slices.Reverse(lines)
	return lines
}

// Receiving tells whether the station has a delivery open.
func (v *view) Receiving() bool { return v.Station.Mode == shopfloor.Receiving }

// Digits are the keys of a keypad but zero.
func (v *view) Digits() []int { return []int{1, 2, 3, 4, 5, 6, 7, 8, 9} }

// Group writes a pickup code for people.
func (v *view) Group(code string) string { return token.GroupCode(code) }

// Off is how much of a line is off the shelf and not given up.
func (v *view) Off(l *storev1.PickupLine) int32 {
	return l.GetPicked() + l.GetStaged() + l.GetCollected()
}

// Again tells whether a job may be printed again.
func (v *view) Again(s hardware.PrintState) bool { return s != hardware.Queued }

// JobPill is the look of a job's state.
func (v *view) JobPill(s hardware.PrintState) string {
	switch s {
	case hardware.Printed, hardware.Sent:
		return "pill-ok"
	case hardware.Queued:
		return "pill-info"
	case hardware.Failed:
		return "pill-bad"
	}
	return "pill-warn"
}
