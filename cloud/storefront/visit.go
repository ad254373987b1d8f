package storefront

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdfast.dev/internal/look"
	"holdfast.dev/stock/words"
)

//go:embed pages/*.html
var pageFiles embed.FS

var templates = sync.OnceValue(func() *template.Template {
	funcs := look.Funcs()
	funcs["static"] = staticURL
	return template.Must(template.New("").Funcs(funcs).ParseFS(pageFiles, "pages/*.html"))
})

// visit is one request and what is known of the shopper.
type visit struct {
	view
	s     *Storefront
	w     http.ResponseWriter
	r     *http.Request
	shop  Shop
	cart  cart
	place place
}

const (
	langCookie    = "lang"
	placeCookie   = "place"
	cartCookie    = "cart"
	pickupsCookie = "pickups"

	day  = 24 * time.Hour
	year = 365 * day
)

func (s *Storefront) open(w http.ResponseWriter, r *http.Request) *visit {
	v := &visit{s: s, w: w, r: r, shop: s.o.Shop}
	v.view = view{Lang: v.language(), Now: s.now()}
	v.place = parsePlace(v.cookie(placeCookie))
	v.cart = parseCart(v.cookie(cartCookie))
	return v
}

// language is the one asked for just now, else the one chosen before, else
// what the browser prefers.
func (v *visit) language() words.Lang {
	if lang, ok := words.ParseLang(v.r.URL.Query().Get("lang")); ok {
		v.setCookie(langCookie, string(lang), year)
		return lang
	}
	if lang, ok := words.ParseLang(v.cookie(langCookie)); ok {
		return lang
	}
	return words.Match(v.r.Header.Get("Accept-Language"), v.s.o.Language)
}

func (v *visit) cookie(name string) string {
	c, err := v.r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie keeps a value in the browser; an empty one is forgotten.
func (v *visit) setCookie(name, value string, keep time.Duration) {
	if value == "" {
		keep = -time.Second
	}
	http.SetCookie(v.w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(keep.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: v.r.TLS != nil || v.r.Header.Get("X-Forwarded-Proto") == "https"})
}

// redirect sends the browser to another of our pages, to be fetched anew.
func (v *visit) redirect(to string) { http.Redirect(v.w, v.r, to, http.StatusSeeOther) }

// back is where a form wants to return to: one of our own pages, nothing else.
func (v *visit) back(otherwise string) string {
	to := v.r.FormValue("back")
	if u, err := url.Parse(to); err != nil || u.IsAbs() || u.Host != "" ||
		!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`) {
		return otherwise
	}
	return to
}

// place is where the shopper is: a store that was chosen, or a spot to the
// kilometre. The zero place is unknown.
type place struct {
	store    uint32
	lat, lon float64
	known    bool
}

func parsePlace(text string) place {
	if id, ok := strings.CutPrefix(text, "s"); ok {
		n, err := strconv.ParseUint(id, 10, 32)
		return place{store: uint32(n), known: err == nil && n > 0}
	}
	spot, _ := strings.CutPrefix(text, "g")
	lat, lon, _ := strings.Cut(spot, "_")
	return spotOf(lat, lon)
}

// spotOf reads degrees and keeps two decimals, which is about a kilometre:
// nobody needs to know more to find a shop.
func spotOf(lat, lon string) place {
	a, errA := strconv.ParseFloat(lat, 64)
	o, errO := strconv.ParseFloat(lon, 64)
	if errA != nil || errO != nil || !(math.Abs(a) <= 90) || !(math.Abs(o) <= 180) {
		return place{}
	}
	return place{lat: math.Round(a*100) / 100, lon: math.Round(o*100) / 100, known: true}
}

func (p place) String() string {
	switch {
	case !p.known:
		return ""
	case p.store > 0:
		return fmt.Sprintf("s%d", p.store)
	}
	return fmt.Sprintf("g%.2f_%.2f", p.lat, p.lon)
}

// takePlace remembers ?lat=&lon= and gives the address without them.
func (v *visit) takePlace() (to string, moved bool) {
	q := v.r.URL.Query()
	if v.r.Method != http.MethodGet || !q.Has("lat") || !q.Has("lon") {
		return "", false
	}
	if p := spotOf(q.Get("lat"), q.Get("lon")); p.known {
		v.setCookie(placeCookie, p.String(), year)
	}
	q.Del("lat")
	q.Del("lon")
	return pathWith(v.r.URL.Path, q), true
}

// pathWith is one of our paths with a query. A path that a browser could take
// for another host is not ours.
func pathWith(path string, q url.Values) string {
	if strings.HasPrefix(path, "//") {
		path = "/"
	}
	return (&url.URL{Path: path, RawQuery: q.Encode()}).String()
}

// sheet is one page to be shown.
type sheet struct {
	name  string // of its template
	title string
	live  string // address of its events
	width string
	data  any
}

func (v *visit) show(status int, p sheet) error {
	body, err := piece(p.name, p.data)
	if err != nil {
		return err
	}
	files, err := piece("files", nil)
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
	return look.Page(v.w, status, look.Shell{Title: p.title, Lang: string(v.Lang), Nav: v.nav(), Body: files + body,
		Foot: foot, Width: p.width, Live: p.live})
}

// piece renders one template.
func piece(name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return template.HTML(b.String()), nil
}

func (v *visit) nav() []look.Link {
	here, _, _ := strings.Cut(strings.TrimPrefix(v.r.URL.Path, "/"), "/")
	links := []look.Link{
		{Href: "/", Label: v.T("nav.shop"), Icon: "store", Current: here == "" || here == "p"},
		{Href: "/stores", Label: v.T("nav.stores"), Icon: "map-pin", Current: here == "stores"},
		{Href: "/cart", Label: v.T("nav.basket"), Icon: "shopping-basket", Count: len(v.cart.Lines),
			Current: here == "cart" || here == "reserve"},
		{Href: "/pickups", Label: v.T("nav.pickups"), Icon: "package", Current: here == "pickups" || here == "r"},
	}
	return links
}

type langLink struct {
	Code    words.Lang
	Name    string
	Href    string
	Current bool
}

// langLinks lead to this page in each language; a page that answered a form
// is not asked for again.
func (v *visit) langLinks() []langLink {
	path, q := v.r.URL.Path, v.r.URL.Query()
	if v.r.Method != http.MethodGet {
		path, q = "/cart", url.Values{}
	}
	var links []langLink
	for _, lang := range words.Langs() {
		q.Set("lang", string(lang))
		links = append(links, langLink{Code: lang, Name: words.T(lang, "common.language.name"),
			Href: pathWith(path, q), Current: lang == v.Lang})
	}
	return links
}
