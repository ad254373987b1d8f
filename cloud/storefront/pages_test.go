package storefront

import (
	"flag"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock/words"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	unseen = regexp.MustCompile(`(?s)<head>.*?</head>|<svg.*?</svg>|<script.*?</script>|<footer.*</footer>|<header.*?</header>`)
	blocks = regexp.MustCompile(`</?(p|h1|h2|h3|li|ul|div|section|nav|form|label|button|br|legend|input|fieldset|option|summary|details|main|span class="stock")\b[^>]*>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`[ \t\n]+`)
	secret = regexp.MustCompile(`\b[2-9A-HJ-NP-Z]{4} [2-9A-HJ-NP-Z]{4}\b`)
)

// text is what a page says, without its frame and its looks.
func text(page string) string {
	page = unseen.ReplaceAllString(page, "")
	page = blocks.ReplaceAllString(strings.ReplaceAll(page, "\n", " "), "\n")
	page = html.UnescapeString(tags.ReplaceAllString(page, " "))
	var lines []string
	for line := range strings.Lines(page) {
		if line = strings.TrimSpace(spaces.ReplaceAllString(line, " ")); line != "" {
			lines = append(lines, line)
		}
	}
	return secret.ReplaceAllString(strings.Join(lines, "\n"), "CODE CODE") + "\n"
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// keyOrHole finds a text that is missing, or a value that it was not given.
var keyOrHole = regexp.MustCompile(`\b(shop|common|refusal)\.[a-z_]+|\{[a-z_]+\}|<no value>|%!`)

// TestEveryPageSpeaksEveryLanguage keeps what each page says, in each language.
func TestEveryPageSpeaksEveryLanguage(t *testing.T) {
	for _, lang := range words.Langs() {
		t.Run(string(lang), func(t *testing.T) {
			w := newWorld(t, assortment)
			w.stock(1, crisp, 5, 3)
			w.stock(1, apples, 12500, 5000)
			w.stock(3, crisp, 4, 2)
			w.nodes[3].offline = noon.Add(-8 * time.Minute)
			s := w.shopper(string(lang))
			var all strings.Builder
			see := func(name string, p page) page {
				t.Helper()
				if want := fmt.Sprintf(`<html lang="%s">`, lang); !strings.Contains(p.html, want) {
					t.Errorf("%s lacks %s", name, want)
				}
				fmt.Fprintf(&all, "== %s: %d %s\n%s\n", name, p.status, p.path, text(p.html))
				if found := keyOrHole.FindString(text(p.html)); found != "" && name != "api" {
					t.Errorf("%s shows %q", name, found)
				}
				return p
			}
			tour(w, s, see)
			golden(t, "tour."+string(lang)+".txt", changing.ReplaceAllString(all.String(), "…"))
		})
	}
}

// changing is what no two runs have in common: ids and ports.
var changing = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|127\.0\.0\.1:\d+`)

// tour goes through everything that a shopper may meet.
func tour(w *world, s *shopper, see func(string, page) page) {
	see("first visit", s.get("/"))
	see("product", s.get("/p/"+crisp))
	see("stores", s.get("/stores"))
	see("store chosen", s.post("/place", "store", "1", "back", "/"))
	see("category", s.get("/?c=Cheese"))
	see("nothing found", s.get("/?q=xyzzy"))
	see("weighed", s.get("/p/"+apples))
	see("empty basket", s.get("/cart"))
	see("basket", s.take("1", crisp, "2"))
	see("in basket", s.get("/p/"+crisp))
	see("two lines", s.take("1", apples, "800"))
	see("another store", s.take("3", crisp, "1"))
	see("too many", s.take("1", crisp, "9"))
	see("refused", s.post("/reserve", orderForm(s.get("/cart"), "first_name", "Merel")...))
	see("fewer", s.take("1", crisp, "2"))
	r := see("reserved", s.post("/reserve", orderForm(s.get("/cart"), "first_name", "Merel")...))
	promise := w.promise(strings.TrimPrefix(r.path, "/r/"))
	w.accept(promise)
	see("accepted", s.get(r.path))
	w.pick(promise)
	see("picking", s.get(r.path))
	w.stage(promise, "A7")
	w.nodes[1].offline = noon.Add(-time.Minute)
	see("ready", s.get(r.path))
	see("pickups", s.get("/pickups"))
	w.nodes[1].offline = time.Time{}
	w.collect(promise)
	see("collected", s.get(r.path))
	s.take("1", crisp, "1")
	second := see("second", s.post("/reserve", orderForm(s.get("/cart"))...))
	see("cancelling", s.post(second.path+"/cancel"))
	see("unknown page", s.get("/nowhere"))
	see("unknown product", s.get("/p/09520009999992"))
	see("unknown pickup", s.get("/r/01890000-0000-7000-8000-000000000000"))
	see("unknown store", s.post("/place", "store", "99"))
	see("api", s.get("/api"))
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// orderForm reads the form that reserves a basket, as a browser would send it.
func orderForm(p page, more ...string) []string {
	_, form, _ := strings.Cut(p.html, `action="/reserve" id="reserve"`)
	form, _, _ = strings.Cut(form, "</form>")
	return append(fieldsOf(form), more...)
}

func fieldsOf(form string) (fields []string) {
	for _, m := range hiddenField.FindAllStringSubmatch(form, -1) {
		fields = append(fields, m[1], html.UnescapeString(m[2]))
	}
	return fields
}
