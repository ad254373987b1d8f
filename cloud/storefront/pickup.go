package storefront

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"holdfast.dev/internal/process"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

// stage is one step of the bar that shows how far a pickup is.
type stage struct {
	Name    string
	Done    bool
	Current bool
}

type pickupLine struct {
	*shopv1.ReservationLine
	Amount  string
	Cost    string
	Missing string // what of it is not there any more, in words
}

type pickupPage struct {
	view
	*shopv1.Reservation
	Key     string // of the texts of its state
	Icon    string // of a finished one
	Human   string // the code without its dash
	QR      template.HTML
	Open    bool // it is not finished
	At      *shopv1.Store
	OpenNow string
	Opening []string
	Stages  []stage
	Rows    []pickupLine
	Total   string
	About   bool
	Until   string
	Heard   string // when the store last said something
	Since   string // since when the store is offline
}

// stageOf is how many steps a state has behind it.
var stageOf = map[shopv1.ReservationState]int{
	shopv1.ReservationState_CONFIRMED: 0, shopv1.ReservationState_ACCEPTED: 1,
	shopv1.ReservationState_PICKING: 2, shopv1.ReservationState_READY: 3,
	shopv1.ReservationState_COLLECTED: 5,
}

// stageNames are the steps' texts, in order.
var stageNames = []string{"confirmed", "accepted", "picking", "ready", "collected"}

// secret marks an answer that is for one person only.
func (v *visit) secret() {
	v.w.Header().Set("X-Robots-Tag", "noindex, nofollow")
	v.w.Header().Set("Cache-Control", "private, no-store")
}

func (v *visit) reservation() (*shopv1.Reservation, error) {
	return v.shop.GetReservation(v.r.Context(), &shopv1.GetReservationRequest{
		Reservation: v.r.PathValue("reservation"), Language: string(v.Lang)})
}

// pickup shows one reservation: the code to bring, and how far the store is.
func pickup(v *visit) error {
	v.secret()
	r, err := v.reservation()
	if err != nil {
		return err
	}
	p, err := v.pickupPage(v.r.Context(), r)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, sheet{name: "pickup-page", title: v.T("pickup.title"), data: p,
		live: "/r/" + r.GetReservation() + "/events"})
}

func (v *visit) pickupPage(ctx context.Context, r *shopv1.Reservation) (*pickupPage, error) {
	s, err := v.shop.GetStore(ctx, &shopv1.GetStoreRequest{Store: r.GetStore()})
	if err != nil {
		return nil, err
	}
	p := &pickupPage{view: v.view, Reservation: r, Key: strings.ToLower(r.GetState().String()), At: s,
		Open:    r.GetFinishTime() == nil && stageOf[r.GetState()] < len(stageNames),
		OpenNow: v.OpenNow(s.GetOpening(), s.GetTimezone()), Opening: v.Opening(s.GetOpening()),
		Until: v.When(r.GetPickupUntil(), s.GetTimezone()), Human: strings.ReplaceAll(r.GetCode(), "-", "")}
	p.Icon = "package-x"
	if strings.Contains(p.Key, "collected") {
		p.Icon = "package-check"
	}
	done, known := stageOf[r.GetState()]
	if p.Open = p.Open && known; p.Open {
		if p.QR, err = qrSVG(r.GetToken(), v.T("pickup.qr")); err != nil {
			return nil, err
		}
	}
	if known {
		for i, name := range stageNames {
			p.Stages = append(p.Stages, stage{Name: v.T("stage." + name), Done: i < done, Current: i == done})
		}
	}
	if !r.GetConnected() {
		since := s.GetOfflineSince()
		if since == nil {
			since = r.GetAsOf()
		}
		p.Since = v.When(since, s.GetTimezone())
	}
	p.Heard = v.When(r.GetAsOf(), s.GetTimezone())
	p.Rows, p.Total, p.About = v.pickupLines(r.GetLines())
	if !known { // nothing is paid for what ended otherwise
		p.Total = ""
	}
	return p, nil
}

func (v *visit) pickupLines(lines []*shopv1.ReservationLine) (rows []pickupLine, total string, about bool) {
	var sum int64
	currency := ""
	for _, l := range lines {
		there := l.GetQuantity() - l.GetShort() - l.GetReleased()
		row := pickupLine{ReservationLine: l, Amount: v.Units(l.GetQuantity(), l.GetUnit())}
		if l.GetCurrency() != "" {
			row.Cost = words.Money(v.Lang, cost(l.GetPriceMinor(), there, l.GetUnit()), l.GetCurrency())
		}
		if l.GetShort() > 0 {
			row.Missing = v.T("pickup.short", "n", v.Units(l.GetShort(), l.GetUnit()))
		}
		rows = append(rows, row)
		_, weighed := perUnit[l.GetUnit()]
		about = about || weighed
		if currency == "" {
			currency = l.GetCurrency()
		}
		if l.GetCurrency() != currency || currency == "" {
			return rows, "", false
		}
		sum += cost(l.GetPriceMinor(), there, l.GetUnit())
	}
	return rows, words.Money(v.Lang, sum, currency), about
}

// cancelPickup asks the store to end a reservation.
func cancelPickup(v *visit) error {
	v.secret()
	r, err := v.shop.CancelReservation(v.r.Context(), &shopv1.CancelReservationRequest{
		Reservation: v.r.PathValue("reservation"), RequestId: newRequest(), Reason: "shopper"})
	if stock.Refused(err, stock.AlreadyFinished) {
		v.redirect("/r/" + v.r.PathValue("reservation")) // the page says how it ended
		return nil
	}
	if err != nil {
		return err
	}
	v.redirect("/r/" + r.GetReservation())
	return nil
}

// followPickup sends the parts of the page whenever they change.
func followPickup(v *visit) error {
	v.secret()
	r, err := v.reservation()
	if err != nil {
		return err
	}
	if !v.s.streams.enter() {
		return stock.Refuse(stock.Busy, "%d pages are followed", maxStreams)
	}
	defer v.s.streams.leave()
	stream, ctx, err := process.OpenStream(v.w, v.r)
	if err != nil {
		return nil // the browser went away
	}
	w := &watcher{ctx: ctx, v: v, stream: stream, sent: make(map[string]string)}
	err = v.shop.WatchReservation(&shopv1.WatchReservationRequest{Reservation: r.GetReservation(),
		Language: string(v.Lang)}, w)
	if err != nil && ctx.Err() == nil {
		v.s.o.Logger.Debug("follow reservation", "err", err)
	}
	return nil
}

// watcher takes a stream of the API inside the process and sends it on as
// pieces of the page.
type watcher struct {
	ctx    context.Context
	v      *visit
	stream *process.Stream
	sent   map[string]string // id -> html
}

var _ grpc.ServerStreamingServer[shopv1.Reservation] = (*watcher)(nil)

// Send shows the reservation as it is now.
func (w *watcher) Send(r *shopv1.Reservation) error {
	w.v.Now = w.v.s.now()
	p, err := w.v.pickupPage(w.ctx, r)
	if err != nil {
		return err
	}
	for _, id := range []string{"pickup", "cancel"} {
		html, err := piece(id, p)
		if err != nil {
			return err
		}
		if w.sent[id] == string(html) {
			continue
		}
		if err := pushHTML(w.stream, id, string(html)); err != nil {
			return err
		}
		w.sent[id] = string(html)
	}
	return w.stream.Send("", "beat", "")
}

// Context ends when the browser leaves.
func (w *watcher) Context() context.Context { return w.ctx }

// SetHeader ignores metadata: there is no wire.
func (w *watcher) SetHeader(metadata.MD) error { return nil }

// SendHeader ignores metadata: there is no wire.
func (w *watcher) SendHeader(metadata.MD) error { return nil }

// SetTrailer ignores metadata: there is no wire.
func (w *watcher) SetTrailer(metadata.MD) {}

// SendMsg sends a message that is known by its interface only.
func (w *watcher) SendMsg(m any) error {
	r, ok := m.(*shopv1.Reservation)
	if !ok {
		return fmt.Errorf("send %T as a reservation", m)
	}
	return w.Send(r)
}

// RecvMsg has nothing to receive: the one request was the call's argument.
func (w *watcher) RecvMsg(m any) error {
	return fmt.Errorf("receive %T on a stream that only sends", m)
}

type pickupRow struct {
	*shopv1.Reservation
	Key   string
	Until string
	Units string
}

type pickupsPage struct {
	view
	Rows []pickupRow
}

// pickups lists the reservations that this browser made.
func pickups(v *visit) error {
	v.secret()
	p := pickupsPage{view: v.view}
	for _, id := range v.pickupIDs() {
		r, err := v.shop.GetReservation(v.r.Context(),
			&shopv1.GetReservationRequest{Reservation: id, Language: string(v.Lang)})
		if stock.Refused(err, stock.UnknownReservation) {
			continue // its data has been forgotten
		}
		if err != nil {
			return err
		}
		s, err := v.shop.GetStore(v.r.Context(), &shopv1.GetStoreRequest{Store: r.GetStore()})
		if err != nil {
			return err
		}
		row := pickupRow{Reservation: r, Key: strings.ToLower(r.GetState().String())}
		if r.GetFinishTime() == nil {
			row.Until = v.When(r.GetPickupUntil(), s.GetTimezone())
		}
		row.Units = contents(r.GetLines())
		p.Rows = append(p.Rows, row)
	}
	return v.show(http.StatusOK, sheet{name: "pickups", title: v.T("pickups.title"), data: p, width: "narrow"})
}

// contents names what is in a reservation.
func contents(lines []*shopv1.ReservationLine) string {
	names := make([]string, len(lines))
	for i, l := range lines {
		names[i] = l.GetName()
	}
	return strings.Join(names, ", ")
}

// pickupCalendar is the pickup as an entry of a calendar, an hour long, that
// ends when the goods go back to the shelf.
func pickupCalendar(v *visit) error {
	v.secret()
	r, err := v.reservation()
	if err != nil {
		return err
	}
	s, err := v.shop.GetStore(v.r.Context(), &shopv1.GetStoreRequest{Store: r.GetStore()})
	if err != nil {
		return err
	}
	const stamp = "20060102T150405Z"
	until := r.GetPickupUntil().AsTime()
	lines := []string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Holdfast//Storefront//EN", "BEGIN:VEVENT",
		"UID:" + r.GetReservation() + "@holdfast", "DTSTAMP:" + r.GetCreateTime().AsTime().Format(stamp),
		"DTSTART:" + until.Add(-time.Hour).Format(stamp), "DTEND:" + until.Format(stamp),
		"SUMMARY:" + calendarText(v.T("pickup.calendar", "store", s.GetName())),
		"LOCATION:" + calendarText(s.GetName()+", "+s.GetStreet()+", "+s.GetTown()),
		"DESCRIPTION:" + calendarText(v.T("pickup.code")+" "+r.GetCode()+"\n"+contents(r.GetLines())),
		"END:VEVENT", "END:VCALENDAR", ""}
	v.w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	v.w.Header().Set("Content-Disposition", `attachment; filename="pickup.ics"`)
	_, err = v.w.Write([]byte(strings.Join(lines, "\r\n")))
	if err != nil {
		return nil // the browser went away
	}
	return nil
}

// calendarText escapes text for a calendar (RFC 5545, 3.3.11).
func calendarText(text string) string {
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`, "\r", "").Replace(text)
}
