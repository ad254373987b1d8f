package paper_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/hardware/receipt"
	"holdfast.dev/node/kiosk/paper"
	"holdfast.dev/stock/words"
)

var update = flag.Bool("update", false, "write the golden papers")

var shop = paper.Store{Name: "Holdfast Utrecht", Street: "Oudegracht 12", Town: "Utrecht", Zone: "Europe/Amsterdam"}

const (
	noon  = 1763722800000 // 21 November 2025, 12:00 in Utrecht
	later = noon + 30*3_600_000
)

func sale(lang words.Lang) paper.Sale {
	return paper.Sale{Lang: lang, Store: shop, Number: "R7-1042", At: noon, Staff: "Anna", Currency: "EUR",
		Lines: []paper.SaleLine{
			{Name: "Rye crispbread 250 g", Units: 2, Unit: "each", PriceMinor: 299, TotalMinor: 598, VATPermille: 90},
			{Name: "Farm cheese", Units: 350, Unit: "g", PriceMinor: 1290, TotalMinor: 452, VATPermille: 90},
			{Name: "Lamp bulb with a name that goes on for much longer than a line", Units: 1, Unit: "each",
				PriceMinor: 123495, TotalMinor: 123495, VATPermille: 210},
		}}
}

func slip(lang words.Lang) paper.PickSlip {
	return paper.PickSlip{Lang: lang, Store: shop, Code: "7K3M2Q9A", Contact: "Sanne", Until: later, At: noon,
		Lines: []paper.PickLine{
			{Name: "Rye crispbread 250 g", Aisle: "B2", GTIN: "09521234500001", Units: 2, Unit: "each"},
			{Name: "Something that the catalogue does not know", Units: 1, Unit: "each"},
			{Name: "Farm cheese", Aisle: "A1", GTIN: "09521234500018", Units: 1500, Unit: "g"},
		}}
}

func handover(lang words.Lang) paper.Handover {
	return paper.Handover{Lang: lang, Store: shop, Code: "7K3M2Q9A", Number: "H7-7K3M2Q9A", Contact: "Sanne", At: noon,
		Lines:   []paper.PickLine{{Name: "Rye crispbread 250 g", Units: 2, Unit: "each"}},
		Missing: []paper.PickLine{{Name: "Farm cheese", Units: 1500, Unit: "g"}}}
}

func TestPapersLookAsTheyDid(t *testing.T) {
	for _, c := range []struct {
		name string
		p    paper.Paper
		mark paper.Mark
	}{
		{"sale-nl", sale(words.NL), paper.Original}, {"sale-en", sale(words.EN), paper.Original},
		{"sale-da-copy", sale(words.DA), paper.Copy}, {"sale-de-duplicate", sale(words.DE), paper.Duplicate},
		{"pick-nl", slip(words.NL), paper.Original}, {"pick-de", slip(words.DE), paper.Copy},
		{"collect-nl", handover(words.NL), paper.Original}, {"collect-da", handover(words.DA), paper.Duplicate},
	} {
		d := c.p.Document(c.mark)
		if _, err := receipt.Job(d); err != nil {
			t.Errorf("%s cannot be printed: %v", c.name, err)
		}
		golden(t, c.name, receipt.Text(d))
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

func TestNoLineIsWiderThanThePaper(t *testing.T) {
	for _, lang := range words.Langs() {
		for _, p := range []paper.Paper{sale(lang), slip(lang), handover(lang)} {
			for line := range strings.Lines(receipt.Text(p.Document(paper.Duplicate))) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > paper.Width {
					t.Errorf("%s: %d columns: %q", lang, n, line)
				}
			}
		}
	}
}

func TestTheTaxInAPriceIsRoundedToTheCent(t *testing.T) {
	for _, c := range []struct {
		gross int64
		rate  uint32
		want  int64
	}{{109, 90, 9}, {121, 210, 21}, {299, 90, 25}, {100, 0, 0}, {1, 210, 0}, {3, 210, 1}, {0, 90, 0}} {
		if got := paper.TaxIn(c.gross, c.rate); got != c.want {
			t.Errorf("TaxIn(%d, %d) = %d, want %d", c.gross, c.rate, got, c.want)
		}
	}
	if got := paper.Rate(words.NL, 81); got != "8,1%" {
		t.Errorf("Rate = %q", got)
	}
}
