package look

import (
	"errors"
	"html/template"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock/words"
)

func fetch(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	answer := w.Result()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestHashedFilesAreCachedForEver(t *testing.T) {
	for _, name := range loadOrder() {
		answer, body := fetch(t, Asset(name))
		if answer.StatusCode != http.StatusOK || body == "" ||
			answer.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d, %v", Asset(name), answer.StatusCode, answer.Header)
		}
		bare, _ := fetch(t, "/look/"+name)
		if bare.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s may be cached as %q", name, bare.Header.Get("Cache-Control"))
		}
		again, _ := fetch(t, "/look/"+name, "If-None-Match", answer.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s known to the browser is sent again: %d", name, again.StatusCode)
		}
	}
	if answer, _ := fetch(t, "/look/look.00000000.css"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("an outdated hash answers %d", answer.StatusCode)
	}
	if answer, _ := fetch(t, Asset("look.css"), "Accept-Encoding", "gzip"); answer.Header.Get("Content-Encoding") != "gzip" {
		t.Error("the stylesheet is not compressed")
	}
}

func TestFilesNameEachOtherByHash(t *testing.T) {
	named := regexp.MustCompile(`url\(([^)]+)\)|from "([^"]+)"`)
	for _, name := range []string{"look.css", "live.js", "scan.js"} {
		_, body := fetch(t, Asset(name))
		found := named.FindAllStringSubmatch(body, -1)
		if len(found) == 0 {
			t.Errorf("%s names no other file", name)
		}
		for _, match := range found {
			if answer, _ := fetch(t, match[1]+match[2]); !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s names %s%s", name, match[1], match[2])
			}
		}
	}
}

func TestScriptsAreSmall(t *testing.T) {
	for _, name := range []string{"live.js", "scan.js", "sound.js", "fields.js"} {
		_, body := fetch(t, Asset(name))
		if lines := strings.Count(body, "\n"); lines > 150 {
			t.Errorf("%s has %d lines, more than 150", name, lines)
		}
	}
}

func render(t *testing.T, p Shell) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	if err := Page(w, http.StatusOK, p); err != nil {
		t.Fatal(err)
	}
	return w.Result(), w.Body.String()
}

func TestPageObeysItsOwnPolicy(t *testing.T) {
	_, page := render(t, Shell{
		Title: "Pick <b>", Lang: "da", Kiosk: true, Place: "Odense", Live: "/events?x=1&y=2", Scan: "/scan",
		Nav:    []Link{{Href: "/a", Label: "Pluk", Icon: "clipboard-list", Current: true, Count: 3}},
		Status: LinkState(words.DA, true, 41, "") + Device("printer", "<Printer>", "bad"),
		Body:   `<h1>Pluk</h1>` + GTIN("9520001002724"),
	})
	for _, want := range []string{
		`<html lang="da" class="kiosk">`, "Pick &lt;b&gt;", "Gå til indholdet", `data-live="/events?x=1&amp;y=2"`,
		`data-scan-post="/scan"`, `aria-current="page"`, `<span class="count">3</span>`, "indhenter, 41 tilbage",
		"&lt;Printer&gt;", "9 520001 002724", Asset("look.css"), Asset("scan.js"),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	forbidden := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<script(?: type="module")?>|https?://`)
	if found := forbidden.FindString(page); found != "" {
		t.Errorf("the page holds %q", found)
	}
}

func TestPageSpeaksEnglishToUnknownReaders(t *testing.T) {
	answer, page := render(t, Shell{Title: "x", Lang: `xx"><script>`, Body: "x"})
	if answer.Header.Get("Content-Language") != "en" || !strings.Contains(page, `<html lang="en">`) {
		t.Errorf("language %q: %.60s", answer.Header.Get("Content-Language"), page)
	}
	for key, texts := range shellTexts {
		for _, lang := range words.Langs() {
			if texts[lang] == "" {
				t.Errorf("no %s text for %q", lang, key)
			}
		}
	}
}

func TestSecurityHeadersCanBeWidenedByAPage(t *testing.T) {
	w := httptest.NewRecorder()
	SecurityHeaders(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})).
		ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	want := "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
		"font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if diff := cmp.Diff(want, w.Header().Get("Content-Security-Policy")); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	w = httptest.NewRecorder()
	SecurityHeaders(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "wider")
	})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := w.Header().Get("Content-Security-Policy"); got != "wider" {
		t.Errorf("policy %q", got)
	}
}

func TestFragmentIsHTML(t *testing.T) {
	w := httptest.NewRecorder()
	if err := Fragment(w, http.StatusConflict, "<section>no</section>"); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusConflict || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
	if err := Fragment(gone{w}, http.StatusOK, "x"); err == nil {
		t.Error("a broken connection is no fault")
	}
}

// gone is a browser that went away.
type gone struct{ http.ResponseWriter }

func (gone) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestTemplatesCallEveryFunction(t *testing.T) {
	source := `{{icon "x" "icon-big"}}|{{gtin "95200019"}}|{{code "K7MD42XR"}}|{{code "hf1-x"}}|{{money "de" 1299 "EUR"}}|` +
		`{{number "da" 1234}}|{{t "nl" "common.button.ok"}}|{{categoryName "Cheese" "da"}}|{{linkState "en" false 0 "14:02"}}|` +
		`{{with dict "a" 1}}{{.a}}{{end}}|{{category "Cheese" "small"}}|{{asset "look.css"}}|{{gtin "09520001002724"}}`
	var out strings.Builder
	page := template.Must(template.New("").Funcs(Funcs()).Parse(source))
	if err := page.Execute(&out, nil); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(out.String(), "|")
	want := []string{
		`<svg class="icon icon-big" aria-hidden="true"><use href="` + Asset("icons.svg") + `#x"/></svg>`,
		`<span class="gtin">9520 0019</span>`, `<span class="code">K7MD 42XR</span>`, `<span class="code">hf1-x</span>`,
		"12,99\u00a0€", "1.234", "OK", "Ost",
		`<span class="link-state" data-state="offline">offline since 14:02</span>`, "1",
		strings.Replace(string(pictogram("Cheese", "")), "pictogram", "pictogram pictogram-small", 1), Asset("look.css"),
		`<span class="gtin">9 520001 002724</span>`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestUnknownIconIsAnErrorOfTheTemplate(t *testing.T) {
	if n := len(iconNames()); n < 40 {
		t.Errorf("%d icons, want at least 40", n)
	}
	page := template.Must(template.New("").Funcs(Funcs()).Parse(`{{icon "no-such-thing"}}`))
	if err := page.Execute(io.Discard, nil); err == nil {
		t.Error("an icon that does not exist is drawn")
	}
}

// palette reads the custom properties of one :root block.
func palette(block string) map[string]string {
	colours := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9A-F]{6});`).FindAllStringSubmatch(block, -1) {
		colours[m[1]] = m[2]
	}
	return colours
}

func luminance(hex string) float64 {
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func TestColoursAreReadable(t *testing.T) {
	_, css := fetch(t, Asset("look.css"))
	light, rest, _ := strings.Cut(css, "@media (prefers-color-scheme: dark)")
	dark, _, _ := strings.Cut(rest, "/* Ground */")
	text := [][2]string{
		{"ink", "paper"}, {"ink", "card"}, {"ink", "foam"}, {"soft", "paper"}, {"soft", "card"}, {"soft", "foam"},
		{"kelp", "paper"}, {"kelp", "card"}, {"kelp", "kelp-wash"}, {"kelp-deep", "kelp-wash"}, {"on-kelp", "kelp"},
		{"on-kelp", "kelp-deep"}, {"amber", "amber-wash"}, {"amber", "paper"}, {"red", "red-wash"}, {"red", "card"},
		{"on-red", "red"}, {"blue", "blue-wash"}, {"ink", "amber-wash"}, {"ink", "red-wash"}, {"ink", "blue-wash"},
		{"ink", "kelp-wash"}, {"soft", "kelp-wash"},
	}
	for name, block := range map[string]string{"light": light, "dark": dark} {
		colours := palette(block)
		if len(colours) < 20 {
			t.Fatalf("%s has %d colours", name, len(colours))
		}
		contrast := func(a, b string) float64 {
			x, y := luminance(colours[a]), luminance(colours[b])
			return (max(x, y) + 0.05) / (min(x, y) + 0.05)
		}
		for _, pair := range text {
			if c := contrast(pair[0], pair[1]); c < 4.5 {
				t.Errorf("%s: %s on %s has contrast %.2f, want 4.5", name, pair[0], pair[1], c)
			}
		}
		for _, ground := range []string{"paper", "card", "foam"} {
			if c := contrast("shape", ground); c < 3 {
				t.Errorf("%s: the edge of a field on %s has contrast %.2f, want 3", name, ground, c)
			}
		}
	}
}
