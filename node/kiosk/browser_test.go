//go:build browser

package kiosk

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"holdfast.dev/node/devices"
	"holdfast.dev/node/uplink"
	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

// axe is axe-core, which finds what people with disabilities would stumble
// over; its licence stands beside it.
//
//go:embed testdata/axe.min.js
var axe string

var shots = flag.String("shots", "", "folder for pictures of every page")

// screenSize is a kind of device.
type screenSize struct {
	name          string
	width, height int64
	dark          bool
}

// sizes begins with two that show every width and every colour.
var sizes = []screenSize{{"phone", 390, 844, false}, {"counter-dark", 1280, 800, true},
	{"counter", 1280, 800, false}, {"phone-dark", 390, 844, true}}

// browse starts chromium; a machine without it fails the test.
func browse(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("disable-component-update", true))
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Second)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	do(t, ctx, chromedp.Navigate("about:blank"))
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func eval[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.200s: %v", script, err)
	}
	return v
}

// until waits for a script to become true; a page that is just being drawn may
// take its script's place away.
func until(t *testing.T, ctx context.Context, script string) {
	t.Helper()
	var err error
	for begun := time.Now(); time.Since(begun) < 10*time.Second; {
		if _, err = chromedp.Run(ctx, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(10*time.Second))); err == nil {
			return
		}
	}
	t.Fatalf("waiting for %s: %v", script, err)
}

func sized(s screenSize) chromedp.Action[chromedp.Void] {
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := chromedp.EmulateViewport(s.width, s.height)(ctx, target); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	})
}

// ready is true once a page is drawn and follows what happens.
const ready = `document.fonts.status === "loaded" && document.body.dataset.liveState === "open"`

// everyPage lists each page in its busiest state, in the order in which one
// station goes through them; before is what the station does first.
func everyPage(s *shop, id string) []struct {
	name, path string
	before     func()
} {
	scan := func(code string) {
		s.must("/v1/stations/counter:scan", `{"data":"`+code+`"}`)
	}
	mode := func(m string) { s.must("/v1/stations/counter:setMode", m) }
	return []struct {
		name, path string
		before     func()
	}{
		{"home", "/", nil},
		{"sell-empty", "/sell", nil},
		{"sell", "/sell", func() { scan(breadGTIN); scan("09521234500032"); scan("09521234500049") }},
		{"sell-no", "/sell", func() { scan(jamGTIN) }},
		{"sell-weight", "/sell", func() { scan(cheeseGTIN) }},
		{"sell-question", "/sell", func() { s.askAboutLamp() }},
		{"receive-empty", "/receive", nil},
		{"other-mode", "/collect", nil},
		{"receive", "/receive", func() { mode(`{"mode":"MODE_RECEIVE","document":"D-2291"}`); scan(breadGTIN); scan(jamGTIN) }},
		{"orders", "/orders", nil},
		{"orders-finished", "/orders?filter=finished", nil},
		{"order", "/orders/" + id, func() {
			mode(`{"mode":"MODE_PICK","reservation":"` + id + `"}`)
			scan(breadGTIN)
		}},
		{"order-wrong", "/orders/" + id, func() { scan(jamGTIN) }},
		{"order-ready", "/orders/" + id, func() {
			s.must("/v1/pickups/"+id+":pick", `{"gtin":"`+cheeseGTIN+`"}`)
			scan("SHELF-A7")
		}},
		{"collect-empty", "/collect", func() { mode(`{"mode":"MODE_COLLECT"}`) }},
		{"collect", "/collect", func() { scan("7K3M2Q9A") }},
		{"collect-twice", "/collect", func() { scan("7K3M2Q9A") }},
		{"collect-pin", "/collect", func() { s.secret("8XYM2Q9D"); scan("8XYM2Q9D") }},
		{"collect-pin-nl", "/collect?lang=nl", nil},
		{"stock", "/stock", func() { mode(`{"mode":"MODE_STOCK"}`); scan(breadGTIN) }},
		{"stock-search", "/stock?q=e", nil},
		{"count", "/count", func() { mode(`{"mode":"MODE_COUNT"}`); scan("09521234500032") }},
		{"shelve", "/shelve", func() { mode(`{"mode":"MODE_RESHELVE"}`) }},
		{"devices", "/devices", nil},
		{"inbox-signed-out", "/inbox", func() { s.inboxOf(id) }},
		{"signin", "/signin", func() { s.must("/v1/stations/counter:signIn", `{"name":"Mads","pin":"1234"}`) }},
		{"inbox", "/inbox", nil},
		{"inbox-done", "/inbox?filter=done", nil},
		{"inbox-nl", "/inbox?lang=nl", nil},
		{"home-suspect-nl", "/", func() { s.comeBack() }},
		{"settle-de", "/settle?lang=de", nil},
		{"home-de", "/?lang=de", nil},
		{"orders-nl", "/orders?lang=nl", nil},
		{"reconcile-none", "/reconcile?lang=en", nil},
		{"sell-safe", "/sell", func() { s.distrust() }},
		{"inbox-frozen", "/inbox", func() { s.link.state = uplink.State{Phase: uplink.Offline, Refused: "FROZEN"} }},
		{"settle-signed-out", "/reconcile", func() { s.setAside() }},
	}
}

// inboxOf leaves what people should look at: units lent, a count that found too few, an
// order that went short, and one that somebody has dealt with.
func (s *shop) inboxOf(order string) {
	s.t.Helper()
	sell := func(gtin string, n int, more string) {
		s.must("/v1/sales", request()+`"till":"till-1",`+more+`"lines":[{"gtin":"`+gtin+`","quantity":`+
			decimal(int64(n))+`}]}`)
	}
	sell(lampGTIN, 1, `"decidedBy":"Mads","pin":"1234",`)
	sell(breadGTIN, 1300, `"decidedBy":"Mads","pin":"1234",`)
	late := s.order("6YYM2Q9D", &recordv1.ReservedLine{Sku: 4, Units: 2, Name: "Coffee"})
	s.must("/v1/counts", request()+`"gtin":"09521234500032","counted":1,"reason":"cycle_count"}`)
	s.must("/v1/pickups/"+late+":short", `{"line":1,"quantity":2,"staff":"Anna"}`)
	_, list := s.get("/v1/items")
	for i, progress := range []string{"done", "taken"} {
		name := at(list, "items", i, "item").(string)
		s.must("/v1/items/"+name+":handle", request()+`"item":"`+name+`","progress":"`+progress+
			`","owner":"Anna","note":"behind the fridge"}`)
	}
}

// comeBack makes the shop one that has just come back from a loss.
func (s *shop) comeBack() {
	s.t.Helper()
	if err := s.o.Floor.Recovered(s.t.Context(), stock.Epoch{Timeline: 1, Counter: 2}); err != nil {
		s.t.Fatal(err)
	}
}

// distrust makes a till say that it has seen more than the shop has.
func (s *shop) distrust() {
	s.t.Helper()
	seen := s.o.Floor.Seen()
	seen.Seq += 9
	if _, err := s.o.Floor.Witness(s.t.Context(), seen); err == nil {
		s.t.Fatal("the till was not believed")
	}
}

// setAside makes the cloud one that was restored, with nobody signed in.
func (s *shop) setAside() {
	s.t.Helper()
	s.must("/v1/stations/counter:signIn", `{}`)
	if err := s.o.Floor.BeginTimeline(s.t.Context(), 2, 0); err != nil {
		s.t.Fatal(err)
	}
}

// askAboutLamp empties the shelf of a product whose last units are promised,
// and scans one more.
func (s *shop) askAboutLamp() {
	s.t.Helper()
	const lamp = "09521234500049"
	_, have := s.get("/v1/stock/" + lamp)
	n := int64(at(have, "sellable").(float64))
	s.must("/v1/sales", `{"requestId":"`+idString(newID())+`","lines":[{"gtin":"`+lamp+`","quantity":`+decimal(n)+`}]}`)
	s.must("/v1/stations/counter:scan", `{"data":"`+lamp+`"}`)
}

// finding is one thing that axe does not like.
type finding struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML string `json:"html"`
	} `json:"nodes"`
}

const runAxe = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
  .then((r) => r.violations.map((v) => ({id: v.id, help: v.help, nodes: v.nodes.map((n) => ({html: n.html}))})))`

// smallTargets lists what is smaller than a finger, and what sticks out.
const smallTargets = `[...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")]
  .filter((e) => e.checkVisibility() && !e.closest(".skip, dialog:not([open])") && !e.matches(".skip, .card-link, .choice input, .crumbs a"))
  .map((e) => [e, e.getBoundingClientRect()]).filter(([e, r]) => r.height < 55.5 || r.right > innerWidth + 1)
  .map(([e, r]) => e.outerHTML.slice(0, 120) + " " + Math.round(r.width) + "x" + Math.round(r.height))
  .concat([...document.querySelectorAll(".tile, .tabs, .nav a")].filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)
    .map((e) => "words stick out of " + e.outerHTML.slice(0, 120)))
  .concat(document.documentElement.scrollWidth > innerWidth ? ["the page is wider than the screen"] : [])`

func TestEveryPageIsAccessible(t *testing.T) {
	s, id := busy(t, "en", devices.Config{Name: "gun", Kind: devices.Scanner, Driver: "tcp", Path: "127.0.0.1:1"},
		devices.Config{Name: "paper", Kind: devices.Printer, Driver: "escpos-tcp", Path: "127.0.0.1:2"})
	ctx := browse(t)
	for _, p := range everyPage(s, id) {
		if p.before != nil {
			p.before()
		}
		do(t, ctx, chromedp.Navigate(s.url+p.path))
		until(t, ctx, ready)
		eval[any](t, ctx, axe+";0")
		for _, size := range sizesNow() {
			do(t, ctx, sized(size))
			name := p.name + " on " + size.name
			for _, f := range eval[[]finding](t, ctx, runAxe) {
				for _, n := range f.Nodes {
					t.Errorf("%s: %s: %s: %.200s", name, f.ID, f.Help, n.HTML)
				}
			}
			if wrong := eval[[]string](t, ctx, smallTargets); len(wrong) > 0 {
				t.Errorf("%s: too small or too wide: %s", name, strings.Join(wrong, "\n\t"))
			}
			picture(t, ctx, p.name+"-"+size.name)
		}
	}
}

// sizesNow is all sizes when pictures are taken, else enough of them.
func sizesNow() []screenSize {
	if *shots != "" {
		return sizes
	}
	return sizes[:2]
}

func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAScanShowsAndSoundsAtOnce(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(9, breadGTIN)
	ctx := browse(t)
	do(t, ctx, sized(sizes[2]), chromedp.Navigate(s.url+"/sell"))
	until(t, ctx, ready)
	eval[any](t, ctx, `window.sounds = []; document.addEventListener("look:sound", (e) => sounds.push(e.detail)); 0`)
	for i, code := range []string{breadGTIN, breadGTIN, jamGTIN} {
		s.must("/v1/stations/counter:scan", `{"data":"`+code+`"}`)
		until(t, ctx, fmt.Sprintf(`sounds.length === %d`, i+1))
	}
	if diff := cmp.Diff([]string{"yes", "yes", "no"}, eval[[]string](t, ctx, `sounds`)); diff != "" {
		t.Error(diff)
	}
	got := eval[[]string](t, ctx, `[".big-total", "#verdict h2"].map((q) => document.querySelector(q).textContent)`)
	if diff := cmp.Diff([]string{"€5.98", "Not possible"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestThePageWorksForAWedgeAndAFinger(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(9, breadGTIN)
	ctx := browse(t)
	do(t, ctx, sized(sizes[0]), chromedp.Navigate(s.url+"/sell"))
	until(t, ctx, ready)
	eval[any](t, ctx, `for (const key of [..."`+breadGTIN+`", "Enter"])
	  dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true})); 0`)
	until(t, ctx, `document.querySelectorAll("#basket .item").length === 1`)
	// A person types slowly; keys from a test would be a burst, which is a scan.
	eval[any](t, ctx, `document.getElementById("code").value = "9521 2345 00001"; 0`)
	do(t, ctx, chromedp.Click(`#code + button`))
	until(t, ctx, `document.querySelectorAll("#basket .item").length === 2`)
	do(t, ctx, chromedp.Click(`#pay button`))
	until(t, ctx, `document.querySelector("#basket .empty") !== null`)
	if _, stock := s.get("/v1/stock/" + breadGTIN); at(stock, "onHand") != 7.0 {
		t.Errorf("on hand is %v, want 7", at(stock, "onHand"))
	}
}
