package storefront

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/firmware-sim/demodata"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

func TestThePlaceIsRememberedToTheKilometreAndOrdersTheStores(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 3)
	w.stock(3, crisp, 5, 3)
	s := w.shopper("en")
	p := s.get("/p/" + crisp + "?lat=53.8654987&lon=10.6866123")
	wantPage(t, p, 200, "/p/"+crisp, "Tjalk Lübeck · under 1 km", "Tjalk Utrecht · 422 km")
	if at, nearer := strings.Index(p.html, "Tjalk Utrecht"), strings.Index(p.html, "Tjalk Lübeck"); nearer > at {
		t.Error("Utrecht comes before Lübeck")
	}
	if !strings.Contains(p.html, `value="3" checked`) {
		t.Error("the nearest store is not chosen")
	}
	base, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.client.Jar.Cookies(base) {
		if c.Name == placeCookie && c.Value != "g53.87_10.69" {
			t.Errorf("remembers %s", c.Value)
		}
	}
	wantPage(t, s.get("/"), 200, "/", "Tjalk Lübeck", "5 in Lübeck just now")
}

func TestAStoreWithoutAPlaceIsNoDistanceAway(t *testing.T) {
	w := newWorld(t, assortment)
	w.putStore(demodata.Store{ID: 9, Name: "Tjalk Nowhere", Town: "Nowhere", Timezone: "UTC", Language: "en", Currency: "EUR"})
	w.stock(1, crisp, 5, 3)
	w.stock(9, crisp, 5, 3)
	p := w.shopper("en").get("/p/" + crisp + "?lat=53.8654987&lon=10.6866123")
	at, others := strings.Index(p.html, "Tjalk Nowhere"), strings.Index(p.html, "Tjalk Utrecht")
	if at < others || others < 0 || strings.Contains(text(p.html), "Tjalk Nowhere · ") {
		t.Errorf("at %d, Utrecht at %d: %s", at, others, text(p.html))
	}
}

func TestLanguageIsAskedForThenRememberedThenTheBrowsers(t *testing.T) {
	w := newWorld(t, assortment)
	s := w.shopper("da-DK,da;q=0.9,en;q=0.1")
	for _, step := range []struct{ path, want string }{
		{"/", `<html lang="da"`}, {"/?lang=nl", `<html lang="nl"`}, {"/stores", `<html lang="nl"`},
		{"/?lang=xx", `<html lang="nl"`}, {"/?lang=de", `<html lang="de"`}, {"/cart", `<html lang="de"`},
	} {
		if p := s.get(step.path); !strings.Contains(p.html, step.want) {
			t.Errorf("%s lacks %s", step.path, step.want)
		}
	}
	if p := w.shopper("fr").get("/"); !strings.Contains(p.html, `<html lang="en"`) {
		t.Error("a French reader does not get the storefront's own language")
	}
}

func TestAnotherSiteCannotSendForms(t *testing.T) {
	w := newWorld(t, assortment)
	r := httptest.NewRequest(http.MethodPost, "/cart/set", strings.NewReader("store=1&quantity=1&gtin="+crisp))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	answer := httptest.NewRecorder()
	w.front.Handler().ServeHTTP(answer, r)
	if answer.Code != http.StatusForbidden || answer.Header().Get("Set-Cookie") != "" ||
		!strings.Contains(answer.Body.String(), "This came from another website.") {
		t.Errorf("%d %v: %s", answer.Code, answer.Header(), text(answer.Body.String()))
	}
}

func TestEveryAnswerCarriesThePolicy(t *testing.T) {
	w := newWorld(t, assortment)
	s := w.shopper("en")
	for _, path := range []string{"/", "/nowhere", "/openapi.json", "/robots.txt", staticOf(t, "storefront.css")} {
		if p := s.get(path); !strings.HasPrefix(p.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s has policy %q", path, p.header.Get("Content-Security-Policy"))
		}
	}
}

func staticOf(t *testing.T, name string) string {
	t.Helper()
	to, err := staticURL(name)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestFilesOfThePagesAreCachedForEver(t *testing.T) {
	s := newWorld(t, assortment).shopper("en")
	page := s.get("/")
	for _, name := range []string{"storefront.css", "storefront.js"} {
		to := staticOf(t, name)
		if p := s.get(to); p.status != 200 || !strings.Contains(p.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", to, p.status, p.header)
		}
		if !strings.Contains(page.html, to) {
			t.Errorf("the page lacks %s", to)
		}
	}
	if p := s.get("/shop/storefront.00000000.css"); p.status != 404 {
		t.Errorf("an outdated file answers %d", p.status)
	}
}

func TestOnlyOurOwnPagesAreReturnedTo(t *testing.T) {
	w := newWorld(t, assortment)
	for back, want := range map[string]string{
		"/p/" + crisp: "/p/" + crisp, "/?q=rye&c=Cheese": "/?q=rye&c=Cheese",
		"https://example.com/": "/", "//example.com/": "/", `/\example.com`: "/", "": "/", "cart": "/", "javascript:alert(1)": "/",
	} {
		r := httptest.NewRequest(http.MethodPost, "/place", strings.NewReader(url.Values{"store": {"1"}, "back": {back}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		w.front.Handler().ServeHTTP(answer, r)
		if got := answer.Header().Get("Location"); answer.Code != http.StatusSeeOther || got != want {
			t.Errorf("back %q leads to %q, want %q", back, got, want)
		}
	}
}

func TestCookiesThatWeDidNotWriteAreAnEmptyBasket(t *testing.T) {
	id := newRequest()
	good := cart{Store: 7, Request: id, Lines: []cartLine{{crisp, 2}, {apples, 800}}}
	if diff := cmp.Diff(good, parseCart(good.String())); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "~", "7~" + id, "0~" + id + "~" + crisp + "x1", "7~no~" + crisp + "x1",
		"7~" + id + "~" + crisp + "x0", "7~" + id + "~" + crisp + "x-1", "7~" + id + "~" + crisp + "x1~" + crisp + "x1",
		"7~" + id + strings.Repeat("~"+crisp+"x1", 13), "7~" + id + "~99x1", "99999999999~" + id + "~" + crisp + "x1"} {
		if got := parseCart(text); len(got.Lines) != 0 || got.Store != 0 {
			t.Errorf("%q is %v", text, got)
		}
	}
	for _, text := range []string{"", "s", "s0", "s-1", "g", "g91_0", "g0_181", "gNaN_0", "g1", "x"} {
		if got := parsePlace(text); got.known {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func FuzzACartIsReadAsItIsWritten(f *testing.F) {
	f.Add("7~0190a1b2-0000-7000-8000-000000000001~" + crisp + "x2")
	f.Fuzz(func(t *testing.T, text string) {
		c := parseCart(text)
		if diff := cmp.Diff(c, parseCart(c.String())); diff != "" {
			t.Errorf("%q (-once +twice):\n%s", text, diff)
		}
	})
}

// brokenShop is a cloud whose database is gone.
type brokenShop struct {
	Shop
	err error
}

func (b brokenShop) CreateReservation(context.Context, *shopv1.CreateReservationRequest) (*shopv1.Reservation, error) {
	return nil, b.err
}

func TestAFaultOffersToSendTheSameAgain(t *testing.T) {
	w := newWorld(t, assortment)
	for _, tt := range []struct {
		name   string
		err    error
		status int
		says   string
	}{
		{"fault", errors.New("disk gone"), 500, "Something broke here"},
		{"slow", context.DeadlineExceeded, 504, "This takes too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			front := New(Options{Shop: brokenShop{w.shop, tt.err}, Language: words.EN, Logger: slog.New(slog.DiscardHandler)})
			server := httptest.NewServer(front.Handler())
			defer server.Close()
			s := w.shopper("en")
			s.base = server.URL
			form := orderForm(s.take("1", crisp, "2"), "first_name", `<b>"Ida"`)
			p := s.post("/reserve", form...)
			wantPage(t, p, tt.status, "/reserve", tt.says, "Try again")
			action, again := button(t, p, "Try again")
			if diff := cmp.Diff(asForm(form), asForm(again)); action != "/reserve" || diff != "" {
				t.Errorf("sends to %s (-want +got):\n%s", action, diff)
			}
			if strings.Contains(p.html, "disk gone") {
				t.Error("the page tells what broke")
			}
		})
	}
}

func asForm(fields []string) url.Values {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return form
}

func TestTooManyRequestsSaysWhenToComeBack(t *testing.T) {
	w := newWorld(t, assortment)
	limited := stock.Refuse(stock.RateLimited, "too many").With("after_ms", 2500)
	front := New(Options{Shop: brokenShop{w.shop, limited}, Language: words.EN, Logger: slog.New(slog.DiscardHandler)})
	r := httptest.NewRequest(http.MethodPost, "/reserve", strings.NewReader(url.Values{"store": {"99"},
		"request_id": {newRequest()}, "line": {crisp + "x1"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	front.Handler().ServeHTTP(answer, r)
	if answer.Code != 429 || answer.Header().Get("Retry-After") != "3" ||
		!strings.Contains(text(answer.Body.String()), "Try again in 3 seconds.") {
		t.Errorf("%d, after %q: %s", answer.Code, answer.Header().Get("Retry-After"), text(answer.Body.String()))
	}
}

func TestAFormThatIsTooLongIsRefused(t *testing.T) {
	s := newWorld(t, assortment).shopper("en")
	if p := s.post("/reserve", "store", "1", "line", strings.Repeat("x", 100_000)); p.status < 400 || p.status > 499 {
		t.Errorf("answered %d", p.status)
	}
}

func TestOpeningTimesAreSaidInWords(t *testing.T) {
	const times = "Mo-Fr 08:00-20:00; Sa 09:30-18:00"
	at := func(lang words.Lang, clock string) string {
		now, err := time.ParseInLocation("Mon 2006-01-02 15:04", clock, zone("Europe/Amsterdam"))
		if err != nil {
			t.Fatal(err)
		}
		return view{Lang: lang, Now: now}.OpenNow(times, "Europe/Amsterdam")
	}
	for _, tt := range []struct {
		lang        words.Lang
		clock, want string
	}{
		{words.EN, "Thu 2025-11-20 14:10", "Open until 20:00"},
		{words.DA, "Thu 2025-11-20 14:10", "Åbent til 20.00"},
		{words.EN, "Thu 2025-11-20 07:59", "Closed, opens 08:00"},
		{words.EN, "Thu 2025-11-20 20:00", "Closed, opens tomorrow 08:00"},
		{words.NL, "Sat 2025-11-22 18:30", "Gesloten, open vanaf maandag 08:00"},
		{words.DE, "Fri 2025-11-21 21:00", "Geschlossen, öffnet morgen 09:30"},
	} {
		if got := at(tt.lang, tt.clock); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.lang, tt.clock, got, tt.want)
		}
	}
	want := []string{"ma–vr 08:00–20:00", "za 09:30–18:00"}
	if diff := cmp.Diff(want, view{Lang: words.NL}.Opening(times)); diff != "" {
		t.Errorf("opening (-want +got):\n%s", diff)
	}
	for _, odd := range []string{"24/7", "Mo", "Mo 8-20", "Xx 08:00-20:00", "Mo 20:00-08:00", "Mo 25:00-26:00"} {
		v := view{Lang: words.EN, Now: noon}
		if got := v.OpenNow(odd, "Europe/Amsterdam"); got != "" {
			t.Errorf("%q is %q now", odd, got)
		}
		if diff := cmp.Diff([]string{odd}, v.Opening(odd)); diff != "" {
			t.Errorf("%q is not shown as it is: %s", odd, diff)
		}
	}
}

func TestWeighedGoodsCostByTheKilogram(t *testing.T) {
	for _, tt := range []struct {
		price, quantity int32
		unit            string
		want            int64
	}{{249, 800, "g", 199}, {249, 1, "g", 0}, {249, 2, "g", 0}, {250, 2, "g", 1}, {189, 3, "each", 567}, {99, 1500, "ml", 149},
		{2_000_000_000, 100_000, "each", 200_000_000_000_000}} {
		if got := cost(tt.price, tt.quantity, tt.unit); got != tt.want {
			t.Errorf("%d %s at %d cost %d, want %d", tt.quantity, tt.unit, tt.price, got, tt.want)
		}
	}
}

func TestTheDescriptionOfTheAPIIsWholeAndPublic(t *testing.T) {
	p := newWorld(t, assortment).shopper("en").get("/openapi.json")
	var doc map[string]any
	if err := json.Unmarshal([]byte(p.html), &doc); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(p.html, "HeadOffice") || strings.Contains(p.html, "IssueJoin") {
		t.Error("the public description has head office in it")
	}
	paths, defined := doc["paths"].(map[string]any), doc["definitions"].(map[string]any)
	if len(paths) != 13 {
		t.Errorf("%d paths", len(paths))
	}
	for _, part := range strings.Split(p.html, `"$ref": "`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if defined[path.Base(name)] == nil {
			t.Errorf("%s is not defined", name)
		}
	}
}
