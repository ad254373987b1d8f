//go:build browser

package storefront

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"holdfast.dev/firmware-sim/demodata"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

var shots = flag.String("shots", "", "folder that pictures of the pages are written to")

// axeFile is axe-core, which the kiosk's tests keep with its licence.
const axeFile = "../../node/kiosk/testdata/axe.min.js"

const runAxe = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
	.then((r) => JSON.stringify(r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + v.help + ": " + n.html.slice(0, 200)))))`

// tooSmall lists what a finger would miss, and says when a page is too wide.
const tooSmall = `JSON.stringify([...document.querySelectorAll("a:not(.skip, .card-link, p a, strong a, .crumbs a), button, select, summary, .choice, input:not([type=hidden], [type=radio], [type=number])")]
	.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 47)
	.map((e) => e.outerHTML.slice(0, 120))
	.concat(document.documentElement.scrollWidth > innerWidth ? ["the page is wider than the screen"] : []))`

// screen is a kind of device.
type screen struct {
	name          string
	width, height int64
	dark          bool
}

var screens = []screen{{"phone", 390, 844, false}, {"phone-dark", 390, 844, true}, {"desk", 1280, 800, false}}

func browse(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("disable-component-update", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // starts the browser, for as long as ctx
		t.Fatal(err)
	}
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func eval[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.80s: %v", script, err)
	}
	return v
}

// until waits for a script to become true, also across a change of page.
func until(t *testing.T, ctx context.Context, script string) {
	t.Helper()
	var err error
	for begun := time.Now(); time.Since(begun) < 10*time.Second; {
		if _, err = chromedp.Run(ctx, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(5*time.Second))); err == nil {
			return
		}
	}
	t.Fatalf("waiting for %s: %v", script, err)
}

func on(s screen) chromedp.Action[chromedp.Void] {
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"}}})
		if err != nil {
			return err
		}
		_, err = chromedp.EmulateViewport(s.width, s.height)(ctx, target)
		return err
	})
}

// inject lets axe run although the page's policy allows only our own scripts.
func inject(t *testing.T, ctx context.Context) string {
	t.Helper()
	axe, err := os.ReadFile(axeFile)
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdppage.SetBypassCSP, cdppage.SetBypassCSPParams{Enabled: true})
		return err
	}))
	return string(axe)
}

func listed(t *testing.T, ctx context.Context, script string) []string {
	t.Helper()
	var found []string
	if err := json.Unmarshal([]byte(eval[string](t, ctx, script)), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// fill puts all of the demonstration's products on the shelves of a store.
func (w *world) fill(store stock.StoreID, each, granted int64) {
	w.t.Helper()
	var lines []*recordv1.MovementLine
	for sku := uint32(1); sku <= 2400; sku += 2 {
		lines = append(lines, &recordv1.MovementLine{Sku: sku, Units: each + int64(sku%7)})
		if len(lines) == 100 {
			w.record(store, &recordv1.Record{Body: &recordv1.Record_Receipt{Receipt: &recordv1.Receipt{Lines: lines}}})
			lines = nil
		}
	}
	for _, sku := range []uint32{w.sku(crisp), w.sku(apples)} {
		w.grant(store, sku, granted)
	}
}

// sight is one page to look at, and what a shopper does to get there.
type sight struct {
	name, path string
	before     func()
}

func TestPagesAreAccessibleOnEveryScreen(t *testing.T) {
	w := newWorld(t, string(demodata.Products()))
	for _, s := range demodata.Stores()[3:] {
		w.putStore(s)
	}
	for store := stock.StoreID(1); store <= 3; store++ {
		w.stock(store, crisp, 4, 3)
		w.stock(store, apples, 12500, 5000)
		w.fill(store, 3, 1)
	}
	w.nodes[3].offline = noon.Add(-8 * time.Minute)
	ctx := browse(t)
	axe := inject(t, ctx)
	b := &browser{t: t, ctx: ctx, w: w}
	for _, s := range b.sights() {
		if s.before != nil {
			s.before()
		}
		for _, size := range screens {
			do(t, ctx, on(size))
			if s.path != "" {
				do(t, ctx, chromedp.Navigate(w.server.URL+b.path(s.path)))
			}
			until(t, ctx, `document.fonts.status === "loaded" && document.readyState === "complete"`)
			do(t, ctx, chromedp.Evaluate[chromedp.Void](axe))
			for _, problem := range append(listed(t, ctx, runAxe), listed(t, ctx, tooSmall)...) {
				t.Errorf("%s on %s: %s", s.name, size.name, problem)
			}
			b.picture(s.name + "-" + size.name)
		}
	}
}

// browser is one shopper with a phone.
type browser struct {
	t      *testing.T
	ctx    context.Context
	w      *world
	pickup string // path of the reservation
}

func (b *browser) path(p string) string { return strings.ReplaceAll(p, "{pickup}", b.pickup) }

// post sends a form as the page would.
func (b *browser) post(path string, fields map[string]string) {
	b.t.Helper()
	form, err := json.Marshal(fields)
	if err != nil {
		b.t.Fatal(err)
	}
	do(b.t, b.ctx, chromedp.Navigate(b.w.server.URL+"/stores"))
	eval[bool](b.t, b.ctx, `(() => { const f = document.createElement("form"); f.method = "post"; f.action = "`+path+`";
		for (const [name, value] of Object.entries(`+string(form)+`)) f.append(Object.assign(document.createElement("input"), {name, value}));
		document.body.append(f); f.submit(); return true })()`)
	until(b.t, b.ctx, `location.pathname !== "/stores" && document.readyState === "complete"`)
}

func (b *browser) set(store, gtin, quantity string) {
	b.post("/cart/set", map[string]string{"store": store, "gtin": gtin, "quantity": quantity})
}

func (b *browser) sights() []sight {
	return []sight{
		{"home-new", "/", nil},
		{"product-new", "/p/" + crisp, nil},
		{"stores", "/stores", nil},
		{"cart-empty", "/cart", nil},
		{"home", "/", func() { b.post("/place", map[string]string{"store": "1", "back": "/"}) }},
		{"results", "/?q=bread", nil},
		{"category", "/?c=Cheese", nil},
		{"nothing", "/?q=zzzz", nil},
		{"product", "/p/" + crisp, nil},
		{"weighed", "/p/" + apples, nil},
		{"cart", "/cart", func() { b.set("1", crisp, "2"); b.set("1", apples, "800") }},
		{"cart-short", "/cart", func() { b.set("1", crisp, "20") }},
		{"which", "", func() { b.set("2", crisp, "1") }},
		{"refused", "", func() {
			do(b.t, b.ctx, chromedp.Navigate(b.w.server.URL+"/cart"), chromedp.Click("[form=reserve]"))
			until(b.t, b.ctx, `location.pathname === "/reserve" && document.readyState === "complete"`)
		}},
		{"pickup", "{pickup}", func() { b.reserve() }},
		{"pickup-offline", "{pickup}", func() { b.w.nodes[1].offline = noon.Add(-time.Hour) }},
		{"pickup-cancelling", "{pickup}", func() { b.post(b.pickup+"/cancel", map[string]string{}) }},
		{"pickups", "/pickups", nil},
		{"product-offline", "/p/" + crisp, nil},
		{"api", "/api", nil},
		{"missing", "/missing", nil},
		{"no-product", "/p/09520009999992", nil},
		{"no-pickup", "/r/" + newRequest(), nil},
		{"pickup-de", "{pickup}?lang=de", nil},
		{"product-da", "/p/" + crisp + "?lang=da", nil},
		{"stores-nl", "/stores?lang=nl", nil},
		{"cart-de", "/cart?lang=de", func() { b.set("3", crisp, "3"); b.set("3", apples, "900") }},
	}
}

func (b *browser) reserve() {
	do(b.t, b.ctx, chromedp.Navigate(b.w.server.URL+"/cart"), chromedp.Click(".alert-bad button"))
	until(b.t, b.ctx, `!document.querySelector(".alert-bad") && document.readyState === "complete"`)
	do(b.t, b.ctx, chromedp.SendKeys("#first", "Merel"), chromedp.Click("[form=reserve]"))
	until(b.t, b.ctx, `location.pathname.startsWith("/r/") && document.readyState === "complete"`)
	b.pickup = eval[string](b.t, b.ctx, "location.pathname")
}

func (b *browser) picture(name string) {
	b.t.Helper()
	if *shots == "" {
		return
	}
	for _, shot := range []struct {
		name string
		take chromedp.Action[[]byte]
	}{{name, chromedp.CaptureScreenshot()}, {name + "-full", chromedp.FullScreenshot(100)}} {
		picture, err := chromedp.Run(b.ctx, shot.take)
		if err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*shots, shot.name+".png"), picture, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestAShopperWithScriptsSeesChangesAtOnce(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 9, 5)
	ctx := browse(t)
	open := func(path string) {
		do(t, ctx, chromedp.Navigate(w.server.URL+path))
		until(t, ctx, `document.readyState === "complete"`)
	}
	do(t, ctx, on(screens[0]))
	open("/p/" + crisp)
	until(t, ctx, `document.querySelector("#supply-1").textContent.startsWith("9 here")`)
	w.record(1, &recordv1.Record{Body: &recordv1.Record_Sale{Sale: &recordv1.Sale{Mode: recordv1.SaleMode_SALE_MODE_NORMAL,
		Lines: []*recordv1.SaleLine{{Sku: w.sku(crisp), Units: 1}}}}})
	until(t, ctx, `document.querySelector("#supply-1").textContent.startsWith("8 here")`)
	do(t, ctx, chromedp.Click(".take [data-step='1']"), chromedp.Click(".take .btn-primary"))
	until(t, ctx, `location.pathname === "/cart" && document.querySelector("output").textContent === "2"`)
	eval[bool](t, ctx, `window.stays = true`)
	do(t, ctx, chromedp.SendKeys("#first", "Merel"))
	do(t, ctx, chromedp.Click(".lines .stepper button:last-child"))
	until(t, ctx, `document.querySelector("output").textContent === "3" && document.querySelector("#sum .price").textContent === "€5.67"`)
	if !eval[bool](t, ctx, `window.stays === true`) {
		t.Error("the page was loaded anew to change a quantity")
	}
	do(t, ctx, chromedp.Click("[form=reserve]"))
	until(t, ctx, `location.pathname.startsWith("/r/") && document.body.dataset.liveState === "open"`)
	promise := w.promise(strings.TrimPrefix(eval[string](t, ctx, "location.pathname"), "/r/"))
	if n, name := promise.GetLines()[0].GetUnits(), promise.GetContact(); n != 3 || name != "Merel" {
		t.Errorf("reserved %d for %q, want 3 for Merel", n, name)
	}
	do(t, ctx, chromedp.Click("#cancel summary"))
	w.accept(promise)
	w.pick(promise)
	w.stage(promise, "A7")
	until(t, ctx, `document.querySelector("h1").textContent === "Ready to collect"`)
	if !eval[bool](t, ctx, `document.querySelector("#cancel details").open`) {
		t.Error("a push closed what the shopper had opened")
	}
	w.collect(promise)
	until(t, ctx, `document.querySelector("h1").textContent === "Collected" && !document.querySelector(".qr, #cancel details")`)
}

func TestTheShoppersPlaceIsTakenFromTheBrowser(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(3, crisp, 9, 5)
	ctx := browse(t)
	do(t, ctx, on(screens[0]), chromedp.Navigate(w.server.URL+"/p/"+crisp))
	until(t, ctx, `document.querySelector("[data-locate]")?.hidden === false`)
	eval[bool](t, ctx, `navigator.geolocation.getCurrentPosition = (found) => found({ coords: { latitude: 53.86549, longitude: 10.68661 } }), true`)
	do(t, ctx, chromedp.Click("[data-locate]"))
	until(t, ctx, `location.search === "" && document.querySelector(".choice")?.textContent.includes("Tjalk Lübeck · under 1 km")`)
}
