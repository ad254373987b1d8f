//go:build browser

package kiosk

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	recordv1 "holdfast.dev/proto/record/v1"
)

// doorway is one address behind which the shop may be changed for another.
type doorway struct {
	url  string
	shop atomic.Pointer[shop]
}

func openDoorway(s *shop) *doorway {
	d := new(doorway)
	d.shop.Store(s)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.shop.Load().Handler().ServeHTTP(w, r)
	}))
	d.url = server.URL
	s.t.Cleanup(server.Close)
	s.t.Cleanup(server.CloseClientConnections)
	return d
}

// kept counts the requests that the browser keeps.
const kept = `Object.keys(localStorage).filter((key) => key.includes(" kept ")).length`

// wedge types a scan as a scanner does.
func wedge(code string) string {
	return `for (const key of [..."` + code + `", "Enter"])
	  dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true})); 0`
}

func TestABrowserTellsAgainWhatTheStoreHasLost(t *testing.T) {
	s := openShop(t, shopOptions{path: filepath.Join(t.TempDir(), "store.db")})
	s.receive(9, breadGTIN)
	s.receive(9, "09521234500032")
	id := s.order("8XXM2Q9B", &recordv1.ReservedLine{Sku: 4, Units: 1, Name: "Coffee"})
	s.must("/v1/pickups/"+id+":pick", `{"gtin":"09521234500032"}`)
	copied := s.backup()
	d := openDoorway(s)
	ctx := browse(t)
	do(t, ctx, sized(sizes[0]), chromedp.Navigate(d.url+"/sell"))
	until(t, ctx, ready)
	eval[any](t, ctx, wedge(breadGTIN)) // by the script of scans
	until(t, ctx, kept+` === 1`)
	eval[any](t, ctx, `document.getElementById("code").value = "`+breadGTIN+`"; 0`)
	do(t, ctx, chromedp.Click(`#code + button`)) // by a form
	until(t, ctx, kept+` === 2`)
	do(t, ctx, chromedp.Navigate(d.url+"/collect"))
	until(t, ctx, ready)
	eval[any](t, ctx, `document.getElementById("code").value = "8xxm 2q9b"; 0`)
	do(t, ctx, chromedp.Click(`#code + button`))
	until(t, ctx, kept+` === 3`)

	back := s.putBack(copied)
	d.shop.Store(back)
	if _, have := back.get("/v1/stock/" + breadGTIN); at(have, "onHand") != 9.0 {
		t.Fatalf("the copy has %v", have)
	}
	do(t, ctx, chromedp.Navigate(d.url+"/sell"))
	until(t, ctx, `document.querySelector(".banner") !== null`)
	until(t, ctx, `fetch("/v1/stock/`+breadGTIN+`").then((r) => r.json())
		.then((have) => have.onHand === 7)`)
	until(t, ctx, `fetch("/v1/pickups/`+id+`").then((r) => r.json())
		.then((order) => order.state === "collected")`)
	if mode := back.o.Floor.Mode(); mode != recordv1.NodeMode_NODE_MODE_SAFE {
		t.Errorf("mode %s", mode)
	}
	if got := eval[int](t, ctx, kept); got != 3 {
		t.Errorf("%d requests are kept, want 3 until head office has them", got)
	}
	if err := back.o.Floor.Acked(t.Context(), back.o.Floor.Head().Seq); err != nil {
		t.Fatal(err)
	}
	eval[any](t, ctx, `fetch("/head").then(() => 0)`)
	until(t, ctx, kept+` === 0`)
}

func TestAFormGoesThroughAlthoughTheStoreWasPutBack(t *testing.T) {
	s := openShop(t, shopOptions{path: filepath.Join(t.TempDir(), "store.db")})
	s.receive(9, breadGTIN)
	copied := s.backup()
	d := openDoorway(s)
	ctx := browse(t)
	do(t, ctx, sized(sizes[0]), chromedp.Navigate(d.url+"/sell"))
	until(t, ctx, ready)
	eval[any](t, ctx, wedge(breadGTIN))
	until(t, ctx, kept+` === 1`)
	back := s.putBack(copied)
	d.shop.Store(back)
	eval[any](t, ctx, wedge(breadGTIN)) // refused, told again, and sent once more
	until(t, ctx, kept+` === 2`)
	_, have := back.get("/v1/stock/" + breadGTIN)
	_, list := back.get("/v1/items")
	got := []any{at(have, "onHand"), at(list, "items", 0, "kind"), at(list, "items", 1, "kind"),
		at(list, "items", 2)}
	if diff := cmp.Diff([]any{7.0, "safe_sale", "safe_sale", nil}, got); diff != "" {
		t.Error(diff)
	}
}

func TestABrowserOfAnotherRetailerIsNoWitness(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(1, breadGTIN)
	ctx := browse(t)
	do(t, ctx, chromedp.Navigate(s.url+"/"))
	until(t, ctx, `Object.keys(localStorage).includes("holdfast 7-r1 head")`)
	other := openShop(t, shopOptions{})
	other.o.Info.Realm = "r2"
	d := openDoorway(s)
	do(t, ctx, chromedp.Navigate(d.url+"/"))
	until(t, ctx, `Object.keys(localStorage).includes("holdfast 7-r1 head")`)
	d.shop.Store(other)
	do(t, ctx, chromedp.Navigate(d.url+"/"))
	until(t, ctx, `Object.keys(localStorage).includes("holdfast 7-r2 head")`)
	if mode := other.o.Floor.Mode(); mode != recordv1.NodeMode_NODE_MODE_NORMAL {
		t.Errorf("mode %s", mode)
	}
}
