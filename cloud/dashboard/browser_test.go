//go:build browser

package dashboard

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

var shots = flag.String("shots", "", "folder that pictures of the pages are written to")

// axeFile is axe-core, which the kiosk's tests keep with its licence.
const axeFile = "../../node/kiosk/testdata/axe.min.js"

const runAxe = `axe.run(document,
		{runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
	.then((r) => JSON.stringify(r.violations.flatMap((v) =>
		v.nodes.map((n) => v.id + ": " + v.help + ": " + n.html.slice(0, 200)))))`

// tooSmall lists what a finger would miss, and says when a page is too wide.
const tooSmall = `JSON.stringify([...document.querySelectorAll(
		"a:not(.skip), button, select, summary, input:not([type=hidden])")]
	.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 47)
	.map((e) => e.outerHTML.slice(0, 120))
	.concat(document.documentElement.scrollWidth > innerWidth ? ["the page is too wide"] : []))`

// screen is a kind of device.
type screen struct {
	name          string
	width, height int64
	dark          bool
}

var screens = []screen{{"phone", 390, 844, false}, {"desk-dark", 1280, 800, true},
	{"phone-dark", 390, 844, true}, {"desk", 1280, 800, false}}

func browse(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("disable-component-update", true))
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
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
		t.Fatalf("%.80s: %v", script, err)
	}
	return v
}

func until(t *testing.T, ctx context.Context, script string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](script,
		chromedp.WithPollingTimeout(10*time.Second))); err != nil {
		t.Fatalf("waiting for %s: %v", script, err)
	}
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

func TestPagesAreAccessibleOnEveryScreen(t *testing.T) {
	url, bare := serve(t, newOffice()), serve(t, &office{})
	ctx := browse(t)
	axe := inject(t, ctx)
	for _, p := range []struct{ name, url string }{{"fleet", url + "/"}, {"inbox", url + "/items"},
		{"inbox-all-nl", url + "/items?filter=all&lang=nl"}, {"fleet-nl", url + "/?lang=nl"},
		{"missing", url + "/nowhere?lang=en"}, {"fleet-empty", bare + "/"},
		{"inbox-empty", bare + "/items?lang=de"}} {
		do(t, ctx, chromedp.Navigate(p.url))
		until(t, ctx, `document.fonts.status === "loaded" && document.readyState === "complete"`)
		do(t, ctx, chromedp.Evaluate[chromedp.Void](axe))
		for _, size := range screens {
			do(t, ctx, on(size))
			for _, script := range []string{runAxe, tooSmall} {
				var problems []string
				if err := json.Unmarshal([]byte(eval[string](t, ctx, script)), &problems); err != nil {
					t.Fatal(err)
				}
				for _, problem := range problems {
					t.Errorf("%s on %s: %s", p.name, size.name, problem)
				}
			}
			picture(t, ctx, p.name+"-"+size.name)
		}
	}
}

func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAnItemIsHandledWithoutLeavingThePage(t *testing.T) {
	o := newOffice()
	ctx := browse(t)
	do(t, ctx, on(screens[0]), chromedp.Navigate(serve(t, o)+"/items"))
	until(t, ctx, `document.querySelectorAll(".case").length === 2`)
	eval[bool](t, ctx, `window.stays = true`)
	do(t, ctx, chromedp.SendKeys(`[name=owner]`, "Ada"), chromedp.Click(`[value=taken]`))
	until(t, ctx, `document.querySelector(".case .pill").textContent === "Ada looks at it"`)
	do(t, ctx, chromedp.Click(`[value=done]`))
	until(t, ctx, `document.querySelectorAll(".case").length === 1`)
	if !eval[bool](t, ctx, `window.stays === true`) {
		t.Error("the page was loaded anew")
	}
	if o.items[0].GetOwner() != "Ada" || o.items[0].GetProgress() != "done" {
		t.Errorf("head office has %v", o.items[0])
	}
}
