package storefront

import (
	"flag"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestSmoke(t *testing.T) {
	w := newWorld(t, assortment)
	w.stock(1, crisp, 5, 3)
	s := w.shopper("en")
	for _, p := range []string{"/", "/?q=rye", "/?c=Cheese", "/p/" + crisp, "/stores", "/cart", "/pickups", "/api", "/openapi.json", "/nope"} {
		got := s.get(p)
		t.Log(p, got.status, got.path, text(got.html))
	}
	t.Log(text(s.take("1", crisp, "2").html))
}

var (
	hidden = regexp.MustCompile(`(?s)<head>.*?</head>|<svg.*?</svg>|<script.*?</script>`)
	blocks = regexp.MustCompile(`</?(p|h1|h2|h3|li|ul|div|section|nav|form|label|a|button|br|span|strong|option|legend|input|fieldset|summary|details|header|main|footer)[^>]*>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`[ \t\n]+`)
)

// text is what a page says, without its looks.
func text(page string) string {
	page = hidden.ReplaceAllString(page, "")
	page = blocks.ReplaceAllString(page, "\n")
	page = html.UnescapeString(tags.ReplaceAllString(page, ""))
	var lines []string
	for line := range strings.Lines(page) {
		if line = strings.TrimSpace(spaces.ReplaceAllString(line, " ")); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " | ")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
