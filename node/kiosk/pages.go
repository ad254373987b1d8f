package kiosk

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast.dev/internal/look"
	"holdfast.dev/node/shopfloor"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

//go:embed pages
var pageFiles embed.FS

var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("kiosk").Funcs(look.Funcs()).ParseFS(pageFiles, "pages/*.html"))
})

// screen is one page: what it shows, as parts that are pushed to it when they
// change. The template "page-NAME" arranges the parts; each part is a template
// whose one element has the part's name as its id.
type screen struct {
	name  string
	path  string
	mode  shopfloor.Mode // what scans should mean here; zero: anything
	parts []string
	deaf  []string // kinds of events that cannot change it
	load  func(ctx context.Context, v *view) error
}

// visit is one request of a browser.
type visit struct {
	*view
	w http.ResponseWriter
	r *http.Request
}

// Cookies that remember how a screen is set up.
const (
	cookieLang    = "lang"
	cookieStation = "station"
	cookieYears   = 5 * 365 * 24 * time.Hour
)

// pages mounts all pages and what they post to.
func (k *Kiosk) pages(mux *http.ServeMux) {
	for _, s := range k.screens() {
		mux.HandleFunc("GET "+s.path, k.page(func(v *visit) error { return k.show(v, s) }))
	}
	mux.HandleFunc("GET /live", k.live)
	mux.HandleFunc("GET /pages.css", serveFile("pages.css"))
	mux.HandleFunc("GET /witness.js", serveFile("witness.js"))
	for pattern, act := range k.actions() {
		mux.HandleFunc("POST "+pattern, k.page(func(v *visit) error { return k.act(v, act) }))
	}
	mux.HandleFunc("/", k.page(func(v *visit) error {
		return k.notice(v, http.StatusNotFound, v.T("missing.text"))
	}))
}

func serveFile(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, pageFiles, "pages/"+name)
	}
}

// page turns a handler that may fail into one that answers.
func (k *Kiosk) page(handle func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{view: k.newView(k.langOf(w, r)), w: w, r: r}
		err := k.enter(v)
		if err == nil {
			err = refusedBefore(r.Context())
		}
		if err == nil {
			err = handle(v)
		}
		if err != nil {
			k.fail(v, err)
		}
	}
}

// langOf is the language that a browser was set to, or the store's.
func (k *Kiosk) langOf(w http.ResponseWriter, r *http.Request) words.Lang {
	if lang, ok := words.ParseLang(r.URL.Query().Get("lang")); ok {
		remember(w, cookieLang, string(lang))
		return lang
	}
	if c, err := r.Cookie(cookieLang); err == nil {
		if lang, ok := words.ParseLang(c.Value); ok {
			return lang
		}
	}
	return k.o.Info.Language
}

func remember(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(cookieYears.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// enter finds the station that a browser stands at.
func (k *Kiosk) enter(v *visit) error {
	v.Station.Name = k.o.Stations[0].Name
	if c, err := v.r.Cookie(cookieStation); err == nil && k.configured(c.Value) {
		v.Station.Name = c.Value
	}
	if name := v.r.URL.Query().Get("station"); k.configured(name) {
		v.Station.Name = name
		remember(v.w, cookieStation, name)
	}
	return k.seat(v.r.Context(), v.view)
}

// seat reads the state of the view's station, and what waits for people.
func (k *Kiosk) seat(ctx context.Context, v *view) (err error) {
	if v.Inbox, err = k.openItems(ctx); err != nil {
		return err
	}
	v.Station, err = k.o.Floor.Station(ctx, v.Station.Name)
	return err
}

func (k *Kiosk) configured(station string) bool {
	return slices.ContainsFunc(k.o.Stations, func(s Station) bool { return s.Name == station })
}

// show answers with a whole page.
func (k *Kiosk) show(v *visit, s screen) error {
	v.arg = argOf(v.r)
	v.screen = s
	if err := s.load(v.r.Context(), v.view); err != nil {
		return err
	}
	body, err := v.render("page-" + s.name)
	if err != nil {
		return err
	}
	return k.frame(v, http.StatusOK, v.T(s.name+".title"), body, liveURL(v))
}

// argOf is what a page is about: an order, a product, a filter.
func argOf(r *http.Request) string {
	for _, name := range []string{"gtin", "filter", "q", "back"} {
		if value := r.URL.Query().Get(name); value != "" {
			return value
		}
	}
	return r.PathValue("id")
}

func liveURL(v *visit) string {
	return "/live?" + url.Values{"page": {v.screen.name}, "station": {v.Station.Name}, "lang": {string(v.Lang)},
		"arg": {v.arg}}.Encode()
}

// frame puts a body into the page that all pages share.
func (k *Kiosk) frame(v *visit, status int, title string, body template.HTML, live string) error {
	bar, err := v.render("status-bar")
	if err != nil {
		return err
	}
	foot, err := v.render("foot")
	if err != nil {
		return err
	}
	head, err := v.render("head")
	if err != nil {
		return err
	}
	// A page that the browser keeps for its back button would keep its event
	// stream too, and six of them are all that a browser opens.
	v.w.Header().Set("Cache-Control", "no-store")
	place := k.o.Info.Town
	if len(k.o.Stations) > 1 {
		place += " · " + v.Station.Name
	}
	return look.Page(v.w, status, look.Shell{Title: title, Lang: string(v.Lang), Kiosk: true, Place: place,
		Nav: k.nav(v), Status: bar, Foot: foot, Live: live, Scan: "/v1/stations/" + url.PathEscape(v.Station.Name) + ":scan",
		Body: head + body})
}

func (k *Kiosk) nav(v *visit) []look.Link {
	var links []look.Link
	for _, n := range []struct{ name, path, icon string }{{"home", "/", "house"}, {"sell", "/sell", "scan-barcode"},
		{"orders", "/orders", "clipboard-list"}, {"collect", "/collect", "package-check"}, {"stock", "/stock", "search"}} {
		current := n.path == v.r.URL.Path || n.path == "/orders" && strings.HasPrefix(v.r.URL.Path, "/orders/")
		links = append(links, look.Link{Href: n.path, Label: v.T("nav." + n.name), Icon: n.icon, Current: current})
	}
	return links
}

// fail says what went wrong to the person in front of the screen.
func (k *Kiosk) fail(v *visit, err error) {
	status, text := http.StatusInternalServerError, v.T("fault.text")
	switch r, refused := stock.AsRefusal(err); {
	case refused:
		k.metrics.refusals.WithLabelValues(r.Code.String()).Inc()
		status, text = words.HTTP(r.Code), words.RefusalAt(v.Lang, r, k.now())
	case errors.Is(err, context.Canceled):
		return
	default:
		k.log.Error("page failed", "path", v.r.URL.Path, "err", err)
	}
	if err := k.notice(v, status, text); err != nil {
		k.log.Debug("page was not taken", "path", v.r.URL.Path, "err", err)
	}
}

// notice answers with one sentence: into the page that asked, or as a page.
func (k *Kiosk) notice(v *visit, status int, text string) error {
	v.Notice, v.Sound = text, true
	if v.fragment() {
		piece, err := v.render("notice")
		if err != nil {
			return err
		}
		return look.Fragment(v.w, status, piece)
	}
	body, err := v.render("page-notice")
	if err != nil {
		return err
	}
	return k.frame(v, status, v.T("notice.title"), body, "")
}

// fragment tells whether a script asks, and puts pieces into the page itself.
func (v *visit) fragment() bool { return v.r.Header.Get("X-Fragment") == "true" }

// act does what a form asks and shows the page that comes after.
func (k *Kiosk) act(v *visit, do func(*visit) (to string, err error)) error {
	if err := v.r.ParseForm(); err != nil {
		return badRequest("form", "%v", err)
	}
	to, err := do(v)
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// wedgeScan takes one scan of a keyboard wedge. The answer comes by the event
// stream, with its sound; the piece that is sent back here is for a page whose
// stream is down.
func (k *Kiosk) wedgeScan(v *visit, station string) error {
	began := time.Now()
	if err := v.r.ParseForm(); err != nil {
		return badRequest("form", "%v", err)
	}
	id, err := parseID(v.r.PostForm.Get("request_id"))
	if err != nil {
		return err
	}
	_, st, err := k.scan(v.r.Context(), station, shopfloor.Scan{ID: id, Device: "wedge",
		Data: []byte(v.r.PostForm.Get("scan"))}, began)
	if err != nil {
		return err
	}
	v.Station = st
	piece, err := v.render("verdict")
	if err != nil {
		return err
	}
	return look.Fragment(v.w, http.StatusOK, piece)
}

// render runs one template on the view.
func (v *view) render(name string) (template.HTML, error) {
	var out bytes.Buffer
	if err := templates().ExecuteTemplate(&out, name, v); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return template.HTML(out.String()), nil
}
