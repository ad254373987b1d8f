// Package dashboard is head office's pages: how the fleet of stores stands, and
// what needs a person, in the stores and in head office.
package dashboard

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"holdfast.dev/cloud/gateway"
	"holdfast.dev/internal/look"
	"holdfast.dev/internal/process"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

// Office is what the pages ask of head office.
type Office interface {
	Fleet(ctx context.Context) ([]gateway.FleetStore, error)
	ListStoreStates(ctx context.Context,
		r *shopv1.ListStoreStatesRequest) (*shopv1.ListStoreStatesResponse, error)
	ListItems(ctx context.Context, r *shopv1.ListItemsRequest) (*shopv1.ListItemsResponse, error)
	HandleItem(ctx context.Context, r *shopv1.HandleItemRequest) (*shopv1.Item, error)
}

// Options are what a Dashboard needs.
type Options struct {
	Office   Office
	Language words.Lang          // where a reader asks for none of ours
	Room     func() process.Room // left on the disk; nil: nobody looks
	Logger   *slog.Logger
}

// Dashboard serves the pages. Whoever reaches them may use them: they belong on
// the operators' listener.
type Dashboard struct {
	o   Options
	now func() time.Time
}

// New returns a dashboard.
func New(o Options) *Dashboard { return &Dashboard{o: o, now: time.Now} }

//go:embed pages
var pageFiles embed.FS

var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(look.Funcs()).ParseFS(pageFiles, "pages/*.html"))
})

// Handler serves every page below "/".
func (d *Dashboard) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /look/", look.Handler())
	mux.HandleFunc("GET /office.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, pageFiles, "pages/office.css")
	})
	for pattern, answer := range map[string]func(*visit) error{
		"GET /{$}":           fleet,
		"GET /items":         inbox,
		"POST /items/{item}": handle,
		"/":                  nothingHere,
	} {
		mux.Handle(pattern, d.page(answer))
	}
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return look.SecurityHeaders(http.MaxBytesHandler(guarded, process.MaxBody))
}

// view is what every page knows: its reader's language, and the time.
type view struct {
	Lang words.Lang
	Now  time.Time
}

// T is a text of the dashboard.
func (v view) T(key string, args ...any) string {
	return words.T(v.Lang, "dashboard."+key, args...)
}

// When words a moment as the people of a store say it; an unknown zone reads as
// UTC.
func (v view) When(t time.Time, zone string) string {
	if t.IsZero() {
		return ""
	}
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "" {
		place = time.UTC
	}
	return words.When(v.Lang, t, v.Now.In(place))
}

// visit is one request.
type visit struct {
	view
	d *Dashboard
	w http.ResponseWriter
	r *http.Request
}

func (d *Dashboard) page(answer func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{d: d, w: w, r: r}
		v.view = view{Lang: v.language(), Now: d.now()}
		if err := answer(v); err != nil {
			v.fail(err)
		}
	})
}

// Cookies of a reader.
const (
	langCookie = "lang"
	nameCookie = "operator"
	year       = 365 * 24 * time.Hour
)

// language is the one asked for just now, else the one chosen before, else what
// the browser prefers.
func (v *visit) language() words.Lang {
	if lang, ok := words.ParseLang(v.r.URL.Query().Get("lang")); ok {
		v.remember(langCookie, string(lang))
		return lang
	}
	if lang, ok := words.ParseLang(v.cookie(langCookie)); ok {
		return lang
	}
	return words.Match(v.r.Header.Get("Accept-Language"), v.d.o.Language)
}

func (v *visit) cookie(name string) string {
	c, err := v.r.Cookie(name)
	if err != nil {
		return ""
	}
	text, err := url.QueryUnescape(c.Value)
	if err != nil {
		return ""
	}
	return text
}

func (v *visit) remember(name, value string) {
	http.SetCookie(v.w, &http.Cookie{Name: name, Value: url.QueryEscape(value), Path: "/",
		MaxAge: int(year.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: v.r.TLS != nil})
}

// sheet is one page to be shown.
type sheet struct {
	name  string // of its template
	title string
	open  int // what needs a person
	data  any
}

func (v *visit) show(status int, p sheet) error {
	body, err := piece(p.name, p.data)
	if err != nil {
		return err
	}
	foot, err := piece("foot", struct {
		view
		Langs []langLink
	}{v.view, v.langLinks()})
	if err != nil {
		return err
	}
	path := v.r.URL.Path
	return look.Page(v.w, status, look.Shell{Title: p.title, Lang: string(v.Lang),
		Place: v.T("foot.place"),
		Nav: []look.Link{
			{Href: "/", Label: v.T("nav.fleet"), Icon: "store", Current: path == "/"},
			{Href: "/items", Label: v.T("nav.inbox"), Icon: "bell", Count: p.open,
				Current: strings.HasPrefix(path, "/items")},
		}, Body: `<link rel="stylesheet" href="/office.css">` + body, Foot: foot})
}

func piece(name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return template.HTML(b.String()), nil
}

type langLink struct {
	Code    words.Lang
	Name    string
	Href    string
	Current bool
}

// langLinks lead to this page in each language; an answer to a form leads to
// the list.
func (v *visit) langLinks() (links []langLink) {
	path, q := v.r.URL.Path, v.r.URL.Query()
	if v.r.Method != http.MethodGet || strings.HasPrefix(path, "//") {
		path, q = "/items", url.Values{}
	}
	for _, lang := range words.Langs() {
		q.Set("lang", string(lang))
		links = append(links, langLink{Code: lang, Name: words.T(lang, "common.language.name"),
			Href: (&url.URL{Path: path, RawQuery: q.Encode()}).String(), Current: lang == v.Lang})
	}
	return links
}

// problem is a page that says what did not work.
type problem struct {
	view
	Sentence string
	Back     string
}

// fail answers with a page for what went wrong.
func (v *visit) fail(err error) {
	if errors.Is(err, context.Canceled) && v.r.Context().Err() != nil {
		return // nobody waits for an answer
	}
	code := http.StatusInternalServerError
	p := problem{view: v.view, Sentence: v.T("problem.broken"), Back: "/"}
	if v.r.Method == http.MethodPost {
		p.Back = "/items"
	}
	if r, ok := stock.AsRefusal(err); ok {
		code, p.Sentence = words.HTTP(r.Code), words.RefusalAt(v.Lang, r, v.Now)
	} else {
		v.d.o.Logger.Error("serve page", "path", v.r.URL.Path, "err", err)
	}
	v.tell(code, p)
}

func (v *visit) tell(code int, p problem) {
	if err := v.show(code, sheet{name: "problem", title: v.T("problem.title"), data: p}); err != nil {
		v.d.o.Logger.Error("serve page of a problem", "err", err)
	}
}

func nothingHere(v *visit) error {
	v.tell(http.StatusNotFound, problem{view: v.view, Sentence: v.T("problem.missing"), Back: "/"})
	return nil
}
