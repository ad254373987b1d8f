//go:build browser

package kiosk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock/words"
)

// pressKeys presses keys with a pause between them, as the page's clock sees it,
// into what has the focus.
const pressKeys = `(keys, pause) => { let at = Math.max(window.pressed ?? 0, performance.now()) + 500;
	const target = document.activeElement;
	for (const key of keys) {
		const e = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
		Object.defineProperty(e, "timeStamp", { value: at += pause });
		if (target.dispatchEvent(e) && key.length == 1 && "value" in target) target.value += key;
	}
	window.pressed = at; }`

func press(t *testing.T, ctx context.Context, text, end string, pause int) {
	t.Helper()
	eval[any](t, ctx, fmt.Sprintf(`(%s)([..."%s", ...("%s" ? ["%s"] : [])], %d); 0`, pressKeys, text, end, end, pause))
}

func TestAWedgeIsAScannerWhateverFieldHasTheFocus(t *testing.T) {
	s := openShop(t, shopOptions{})
	s.receive(20, breadGTIN)
	ctx := browse(t)
	do(t, ctx, sized(sizes[2]), chromedp.Navigate(s.url+"/sell"))
	until(t, ctx, ready)
	inBasket := func(n int) string { return fmt.Sprintf(`document.querySelectorAll("#basket .item").length === %d`, n) }
	for i, c := range []struct{ focus, end string }{
		{"document.getElementById('code').focus()", "Enter"},
		{"document.getElementById('code').focus()", "Tab"},
		{"document.querySelector('.nav a').focus()", "Enter"},
		{"document.activeElement.blur()", "Enter"},
	} {
		eval[any](t, ctx, c.focus+"; 0")
		press(t, ctx, breadGTIN, c.end, 8)
		until(t, ctx, inBasket(i+1))
		if got := eval[string](t, ctx, `location.pathname + " " + document.getElementById("code").value`); got != "/sell " {
			t.Errorf("after scan %d the page is %q", i+1, got)
		}
	}
	eval[any](t, ctx, "document.getElementById('code').focus(); 0")
	press(t, ctx, "9521 2345", "", 90) // a person
	if got := eval[string](t, ctx, `document.getElementById("code").value`); got != "9521 2345" {
		t.Errorf("what a person typed is %q", got)
	}
	press(t, ctx, breadGTIN, "Enter", 8) // and a scan in between
	until(t, ctx, inBasket(5))
	if got := eval[string](t, ctx, `document.getElementById("code").value`); got != "9521 2345" {
		t.Errorf("after a scan what a person typed is %q", got)
	}
}

func TestThePagesOfDevicesAreAccessible(t *testing.T) {
	f := openFitted(t, words.EN)
	f.receive(50, breadGTIN)
	f.receive(9000, cheeseGTIN)
	first := f.picked("7K3M2Q9A")
	f.scan("SHELF-L0-2")
	id := f.picked("8XXM2Q9B")
	f.put(350)
	ctx := browse(t)
	sell := func() { f.must("/v1/stations/counter:setMode", `{"mode":"MODE_SELL"}`) }
	for _, p := range []struct {
		name, path string
		before     func()
	}{
		{"order-assign", "/orders/" + id, nil},
		{"devices-well", "/devices", nil},
		{"devices-signed-da", "/devices?lang=da", func() { f.browser().send("/signin", "name", "Anna", "pin", "1234", "to", "/") }},
		{"stock-label-de", "/stock?gtin=" + breadGTIN + "&lang=de", nil},
		{"sell-drawer-nl", "/sell?lang=nl", func() { sell(); f.scan(breadGTIN); f.pan.Put(0) }},
		{"sell-weigh", "/sell?lang=en", func() {
			f.until("an empty scale", func() bool { return f.state("pan").Weight.Grams == 0 })
			f.scan(cheeseGTIN)
		}},
		{"devices-trouble-nl", "/devices?lang=nl", func() { f.spoil(first) }},
		{"devices-trouble", "/devices?lang=en", nil},
	} {
		if p.before != nil {
			p.before()
		}
		do(t, ctx, chromedp.Navigate(f.url+p.path))
		until(t, ctx, ready)
		eval[any](t, ctx, axe+";0")
		for _, size := range sizesNow() {
			do(t, ctx, sized(size))
			for _, found := range eval[[]finding](t, ctx, runAxe) {
				for _, n := range found.Nodes {
					t.Errorf("%s on %s: %s: %s: %.200s", p.name, size.name, found.ID, found.Help, n.HTML)
				}
			}
			if wrong := eval[[]string](t, ctx, smallTargets); len(wrong) > 0 {
				t.Errorf("%s on %s: too small or too wide: %s", p.name, size.name, strings.Join(wrong, "\n\t"))
			}
			if wide := eval[int](t, ctx, longNames); wide > 0 {
				t.Errorf("%s on %s: the names of %d ports stick out", p.name, size.name, wide)
			}
			picture(t, ctx, p.name+"-"+size.name)
		}
	}
}

// longNames counts the ports that stick out of their cards, were their names as
// long as those that udev gives.
const longNames = `[...document.querySelectorAll(".card .code.wrap")].filter(e => {
	const was = e.textContent;
	e.textContent = "serial · /dev/serial/by-id/usb-Zebra_Technologies_Inc_Zebra_Scanner_S_N_0123456789-if00";
	const wide = e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1;
	e.textContent = was;
	return wide;
}).length`

// spoil breaks something at every device.
func (f *fitted) spoil(order string) {
	f.t.Helper()
	if err := errors.Join(f.wall.Shut(0, 2), f.wall.Stick(0, 2, true)); err != nil {
		f.t.Fatal(err)
	}
	f.must("/v1/stations/counter:setMode", `{"mode":"MODE_COLLECT"}`)
	f.scan("7K3M2Q9A")
	f.paper.SetPaperOut(true)
	f.tags.SetMedia(false)
	f.pan.SetPower(false)
	f.eyes.Cable.Unplug()
	f.until("the trouble", func() bool {
		bad := 0
		for _, d := range f.o.Devices.States() {
			if _, level := Condition(d); level == "bad" {
				bad++
			}
		}
		return bad == len(f.o.Devices.States())
	})
	if diff := cmp.Diff("ready", f.orderState(order)); diff != "" {
		f.t.Errorf("the order behind the stuck door (-want +got):\n%s", diff)
	}
}

func (f *fitted) orderState(id string) any {
	_, order := f.get("/v1/pickups/" + id)
	return at(order, "state")
}
