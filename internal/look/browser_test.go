//go:build browser

package look

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// browse opens a page of handler in chromium. What breaks the policy of
// SecurityHeaders, and every error of a script, fails the test.
func browse(t *testing.T, handler http.Handler) (ctx context.Context, address string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /csp", func(_ http.ResponseWriter, r *http.Request) {
		report := make([]byte, 2000)
		n, _ := r.Body.Read(report)
		t.Errorf("the policy was broken: %s", report[:n])
	})
	mux.Handle("/", handler)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(reporting{w}, r)
	}))
	t.Cleanup(server.Close)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	do(t, ctx, chromedp.Navigate("about:blank"))
	return ctx, server.URL
}

// reporting asks the browser to report what the policy forbade.
type reporting struct{ http.ResponseWriter }

func (w reporting) WriteHeader(status int) {
	if csp := w.Header().Get("Content-Security-Policy"); csp != "" {
		w.Header().Set("Content-Security-Policy", csp+"; report-uri /csp")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w reporting) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w reporting) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

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

func prefer(dark bool) chromedp.Action[chromedp.Void] {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})
}

// tooSmall lists what a finger would miss: 48 px, on kiosks 56 px.
const tooSmall = `(() => { const least = document.documentElement.classList.contains("kiosk") ? 56 : 48;
	return [...document.querySelectorAll("a:not(.skip, .card-link), button, select, .check, .choice, input:not([type=hidden], [type=checkbox], [type=radio], [type=number])")]
		.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < least - 1)
		.map((e) => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 20) + " " + e.getBoundingClientRect().height) })()`

func TestPagesFitEveryScreenAndFinger(t *testing.T) {
	ctx, address := browse(t, gallery(t))
	for _, v := range views() {
		do(t, ctx, chromedp.EmulateViewport(int64(v.width), int64(v.height)), prefer(v.dark), chromedp.Navigate(address+v.path()))
		until(t, ctx, `document.fonts.status == "loaded" && document.readyState == "complete"`)
		if wide := eval[int](t, ctx, "document.documentElement.scrollWidth"); wide > v.width {
			t.Errorf("%s is %d px wide", v.name(), wide)
		}
		if small := eval[[]string](t, ctx, tooSmall); len(small) > 0 {
			t.Errorf("%s: too small for a finger:\n%s", v.name(), strings.Join(small, "\n"))
		}
		if font := eval[bool](t, ctx, `document.fonts.check("16px Atkinson")`); !font {
			t.Errorf("%s: the font did not load", v.name())
		}
		if *shots != "" {
			save(t, ctx, v.name())
		}
	}
}

func save(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	for _, shot := range []struct {
		name string
		take chromedp.Action[[]byte]
	}{{name, chromedp.CaptureScreenshot()}, {name + "-full", chromedp.FullScreenshot(100)}} {
		picture, err := chromedp.Run(ctx, shot.take)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*shots, shot.name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// scene is a server with one page, the forms and scans it received, and a line
// to push to it.
type scene struct {
	body     string
	scan     string
	answer   func(w http.ResponseWriter, r *http.Request, times int)
	pushes   chan string
	mu       sync.Mutex
	received []string // "value id", in order
}

func (s *scene) handler(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/look/", Handler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		p := Shell{Title: "scene", Lang: "en", Body: html(s.body), Scan: s.scan}
		if s.pushes != nil {
			p.Live = "/events"
		}
		if err := Page(w, http.StatusOK, p); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.received = append(s.received, r.FormValue("value")+r.FormValue("scan")+" "+r.FormValue("request_id"))
		times := len(s.received)
		s.mu.Unlock()
		s.answer(w, r, times)
	})
	mux.HandleFunc("GET /events", s.push)
	return SecurityHeaders(mux)
}

func (s *scene) push(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, ": hello\n\n")
	w.(http.Flusher).Flush()
	for {
		select {
		case event, open := <-s.pushes:
			if !open || event == "hang up" {
				return
			}
			fmt.Fprint(w, event)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// values and ids split what was received.
func (s *scene) values() (values, ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.received {
		i := strings.LastIndex(r, " ")
		values, ids = append(values, r[:i]), append(ids, r[i+1:])
	}
	return values, ids
}

func TestFormKeepsItsIDUntilTheServerDecided(t *testing.T) {
	s := &scene{
		body: `<form data-ajax data-target="#out" action="/send" method="post"><input name="value" value="2">
			<button id="go">Go</button></form><p id="out"></p>`,
		answer: func(w http.ResponseWriter, _ *http.Request, times int) {
			if times == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprintf(w, `<p id="out" data-sound="yes">answer %d</p>`, times)
		},
	}
	ctx, address := browse(t, s.handler(t))
	do(t, ctx, chromedp.Navigate(address), chromedp.Click("#go"))
	until(t, ctx, `document.querySelector("[data-note]")?.textContent.includes("counts only once")`)
	eval[bool](t, ctx, `document.addEventListener("look:sound", (e) => window.heard = e.detail), true`)
	do(t, ctx, chromedp.Click("#go"))
	until(t, ctx, `out.textContent == "answer 2" && !document.querySelector("[data-note]") && window.heard == "yes"`)
	do(t, ctx, chromedp.Click("#go"))
	until(t, ctx, `out.textContent == "answer 3" && !go.disabled`)
	_, ids := s.values()
	if ids[0] == "" || ids[0] != ids[1] || ids[1] == ids[2] {
		t.Errorf("ids %v, want the first twice, then another", ids)
	}
}

func TestPushKeepsWhatSomebodyIsTyping(t *testing.T) {
	s := &scene{
		body:   `<div id="box"><p>old</p><input id="who" value=""></div><p id="other">old</p>`,
		pushes: make(chan string),
	}
	ctx, address := browse(t, s.handler(t))
	do(t, ctx, chromedp.Navigate(address), chromedp.Click("#who"), chromedp.SendKeys("#who", "Mer"))
	until(t, ctx, `document.body.dataset.liveState == "open"`)
	push := func(id, html string) {
		s.pushes <- fmt.Sprintf("event: html\ndata: {\"id\":%q,\"html\":%q}\n\n", id, html)
	}
	push("box", `<div id="box"><p>new</p><input id="who" value=""></div>`)
	until(t, ctx, `box.textContent == "new"`)
	got := eval[string](t, ctx, `document.activeElement.id + " " + who.value + " " + who.selectionStart`)
	if diff := cmp.Diff("who Mer 3", got); diff != "" {
		t.Errorf("focus, text and caret (-want +got):\n%s", diff)
	}
	s.pushes <- "hang up"
	until(t, ctx, `document.body.dataset.liveState == "open"`)
	push("other", `<p id="other">after the cut</p>`)
	until(t, ctx, `other.textContent == "after the cut"`)
}

func TestPageSaysThatItFellBehind(t *testing.T) {
	s := &scene{body: `<p id="x">x</p>`, pushes: make(chan string)}
	ctx, address := browse(t, s.handler(t))
	do(t, ctx, chromedp.Navigate(address))
	until(t, ctx, `document.body.dataset.liveState == "open"`)
	close(s.pushes) // every connection ends at once from here on
	eval[bool](t, ctx, `window.EventSource = class extends EventTarget { constructor() { super(); setTimeout(() => this.onerror()) } close() {} }, true`)
	until(t, ctx, `document.body.dataset.liveState == "lost" && document.querySelector(".live-note").checkVisibility()`)
}

// typeKeys presses keys with a pause between them, as the page's clock sees it.
const typeKeys = `(text, pause, end) => { let at = performance.now();
	const target = document.activeElement, press = (key) => {
		const e = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ctrlKey: key == "\x1d" });
		Object.defineProperty(e, "timeStamp", { value: at += pause });
		const passed = target.dispatchEvent(e);
		if (passed && key.length == 1 && "value" in target) target.value += key;
		return passed;
	};
	for (const c of text) press(c);
	return end ? press(end) : true }`

func TestScannerTypesIntoNoField(t *testing.T) {
	long := strings.Repeat("A1", 256)
	tests := []struct {
		name, text, end string
		pause           int
		scans           []string
		field           string
	}{
		{"fast with Enter", "9520001002724", "Enter", 12, []string{"9520001002724"}, "rye"},
		{"fast with Tab", "HF:K7MD42XR", "Tab", 49, []string{"HF:K7MD42XR"}, "rye"},
		{"fast without an end", "9520001002724", "", 12, []string{"9520001002724"}, "rye"},
		{"with group separator", "0109520001002724\x1d10AB", "Enter", 5, []string{"0109520001002724\x1d10AB"}, "rye"},
		{"512 characters", long, "Enter", 1, []string{long}, "rye"},
		{"513 characters", long + "A", "Enter", 1, nil, "rye" + long + "A"},
		{"a person typing", "crisp", "Enter", 90, nil, "ryecrisp"},
		{"a short fast word", "abc", "Enter", 20, nil, "ryeabc"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &scene{
				body: `<input id="q" value="rye"><p id="out"></p>`, scan: "/send",
				answer: func(w http.ResponseWriter, _ *http.Request, times int) {
					fmt.Fprintf(w, `<p id="out">%d</p>`, times)
				},
			}
			ctx, address := browse(t, s.handler(t))
			do(t, ctx, chromedp.Navigate(address), chromedp.Click("#q"))
			eval[bool](t, ctx, fmt.Sprintf("(%s)(%q, %d, %q)", typeKeys, test.text, test.pause, test.end))
			eval[bool](t, ctx, `new Promise((done) => setTimeout(done, 200, true))`) // longer than any pause of a scan
			if len(test.scans) > 0 {
				until(t, ctx, `out.textContent == "1"`)
			}
			values, _ := s.values()
			if diff := cmp.Diff(test.scans, values); diff != "" {
				t.Errorf("scans (-want +got):\n%s", diff)
			}
			if field := eval[string](t, ctx, "q.value"); field != test.field {
				t.Errorf("the field holds %q, want %q", field, test.field)
			}
		})
	}
}

func TestBurstOfScansArrivesOnceInOrderThroughAFault(t *testing.T) {
	s := &scene{
		body: `<p id="out"></p>`, scan: "/send",
		answer: func(w http.ResponseWriter, _ *http.Request, times int) {
			if times == 3 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			fmt.Fprintf(w, `<p id="out">%d</p>`, times)
		},
	}
	ctx, address := browse(t, s.handler(t))
	do(t, ctx, chromedp.Navigate(address))
	until(t, ctx, `document.readyState == "complete"`)
	eval[bool](t, ctx, fmt.Sprintf(`(() => { const type = %s; for (let i = 0; i < 50; i++) type("95200010" + (10 + i), 10, "Enter"); return true })()`, typeKeys))
	until(t, ctx, `out.textContent == "51"`)
	values, ids := s.values()
	byID := map[string]string{}
	var once []string
	for i, id := range ids {
		if _, again := byID[id]; !again {
			once = append(once, values[i])
		}
		byID[id] = values[i]
	}
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("95200010%d", 10+i))
	}
	if diff := cmp.Diff(want, once); diff != "" || values[2] != values[3] || ids[2] != ids[3] {
		t.Errorf("scans by id (-want +got):\n%s", diff)
	}
}

func TestSteppersKeypadsAndDialogsWork(t *testing.T) {
	ctx, address := browse(t, gallery(t))
	do(t, ctx, chromedp.Navigate(address+"/shop"), chromedp.Click(`[data-step="1"]`), chromedp.Click(`[data-step="1"]`),
		chromedp.Click(`[data-step="-1"]`))
	until(t, ctx, `document.querySelector("#n").value == "2"`)
	do(t, ctx, chromedp.Navigate(address+"/parts"), chromedp.Click(`[data-key="7"]`), chromedp.Click(`[data-key="0"]`),
		chromedp.Click(`[data-key="back"]`))
	until(t, ctx, `document.querySelector("#pin").value == "127"`)
	do(t, ctx, chromedp.Click("#leave"))
	until(t, ctx, `document.querySelector("#d").open`)
	do(t, ctx, chromedp.Click("#d .btn-primary"))
	until(t, ctx, `!document.querySelector("#d").open`)
}
