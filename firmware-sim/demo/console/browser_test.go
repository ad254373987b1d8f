//go:build browser

package console

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browse opens the console in chromium.
func browse(t *testing.T, c *Console) (ctx context.Context, address string) {
	t.Helper()
	running, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go c.Run(running)
	server := httptest.NewServer(c.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections() // the page's events would keep it
		server.Close()
	})
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true))
	ctx, stopBrowser := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stopBrowser)
	ctx, stopPage := chromedp.NewContext(ctx)
	t.Cleanup(stopPage)
	return ctx, server.URL
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
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

func until(t *testing.T, ctx context.Context, script string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(10*time.Second))); err != nil {
		t.Fatalf("waiting for %s: %v", script, err)
	}
}

// tooSmall lists what a finger would miss.
const tooSmall = `[...document.querySelectorAll("a:not(.skip), button, input:not([type=hidden])")]
	.filter((e) => e.checkVisibility() && !e.closest("p, figcaption") && e.getBoundingClientRect().height < 47)
	.map((e) => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 20))`

func TestTheConsoleFitsPhonesAndDesks(t *testing.T) {
	c := idleOf(t, 3)
	ctx, address := browse(t, c)
	for _, width := range []int64{360, 390, 820, 1440} {
		do(t, ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(address))
		until(t, ctx, `document.fonts.status == "loaded" && document.readyState == "complete"`)
		if wide := eval[int64](t, ctx, "document.documentElement.scrollWidth"); wide > width {
			t.Errorf("the page is %d px wide on a screen of %d", wide, width)
		}
		if small := eval[[]string](t, ctx, tooSmall); len(small) > 0 {
			t.Errorf("at %d px a finger would miss %q", width, small)
		}
	}
}

func TestAPressOnTheCablePullsIt(t *testing.T) {
	c := idle(t)
	ctx, address := browse(t, c)
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(address))
	until(t, ctx, `document.body.dataset.liveState == "open"`)
	do(t, ctx, chromedp.Click("#store-2 .cable"))
	until(t, ctx, `document.querySelector("#store-2.is-cut") != null`)
	if in, _ := c.room.Stores[1].Cable.Plugged(); in {
		t.Error("the page says that the cable is out, and it is in")
	}
	do(t, ctx, chromedp.Click("#store-2 .cable"))
	until(t, ctx, `document.querySelector("#store-2:not(.is-cut)") != null`)
	if in, _ := c.room.Stores[1].Cable.Plugged(); !in {
		t.Error("the page says that the cable is in, and it is out")
	}
}

func TestAPressCutsThePowerOfOneMember(t *testing.T) {
	c := idleOf(t, 3)
	for _, m := range c.room.Head.Members {
		if err := m.Program.Start(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, address := browse(t, c)
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(address))
	until(t, ctx, `document.body.dataset.liveState == "open"`)
	until(t, ctx, `document.querySelectorAll(".member [value=off]").length == 3`)
	do(t, ctx, chromedp.Click(".member:nth-child(2) button"))
	until(t, ctx, `document.querySelector(".member:nth-child(2) .pill-bad") != null`)
	for i, m := range c.room.Head.Members {
		if down := !m.Program.State().Running; down != (i == 1) {
			t.Errorf("member %d is down: %t", i+1, down)
		}
	}
	do(t, ctx, chromedp.Click(".member:nth-child(2) button"))
	until(t, ctx, `document.querySelectorAll(".member [value=off]").length == 3`)
}
