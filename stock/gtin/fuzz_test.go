package gtin

import (
	"maps"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/stock"
)

// mustRefuse fails unless err is a refusal that can be printed.
func mustRefuse(t *testing.T, err error) {
	t.Helper()
	r, ok := stock.AsRefusal(err)
	if !ok {
		t.Fatalf("a fault: %v", err)
	}
	mustPrint(t, r.Error())
	for _, arg := range r.Args {
		mustPrint(t, arg)
	}
}

func mustPrint(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q cannot be printed", text)
		}
	}
}

func mustPrintElements(t *testing.T, all []Element) {
	t.Helper()
	for _, e := range all {
		mustPrint(t, e.AI, e.Value, Title(e.AI))
		if e.Value == "" || Title(e.AI) == "" && e.AI != "8110" && e.AI != "8112" {
			t.Fatalf("an element %+v", e)
		}
	}
	mustPrint(t, Hint(all), Bracketed(all))
	if err := Lacking(all); err != nil {
		mustRefuse(t, err)
	}
}

// mustReadBack parses text again and wants the same elements.
func mustReadBack(t *testing.T, text string, all []Element, parse func(string) ([]Element, error)) {
	t.Helper()
	again, err := parse(text)
	if err != nil {
		t.Fatalf("%q is refused: %v", text, err)
	}
	if diff := cmp.Diff(all, again); diff != "" {
		t.Fatalf("%q reads back otherwise: %s", text, diff)
	}
}

var seeds = []string{
	"7038010054471", "04252614", "2112345678900|]e099A", "0195012345678903\x1d10LOT1", "HF1:ABC",
	"https://a/01/12312312312333/22/A?17=270600&99=%41+", "7k3m-2q9a", "SHELF-A",
	"(01)12345678901231(10)A", "]d20107038010054471\x1d10A\x1d17270630", "]I31540014128876",
	"https://a/8004/1234?01=7038010054471&x&y=1", "253400638133393112\x1d8030abc",
	"0112345678901231310300012339229789", "81100123456123456111101239",
}

func FuzzDecode(f *testing.F) {
	for _, seed := range seeds {
		for _, aim := range []string{"", "]E0", "]C1", "]Q1", "]E3", "]I3"} {
			f.Add([]byte(seed), aim)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, aim string) {
		s, err := Decode(data, aim)
		if err != nil {
			mustRefuse(t, err)
			return
		}
		if s.Kind < Product || s.Kind > Attributes || s.Text == "" {
			t.Fatalf("kind %d, text %q", s.Kind, s.Text)
		}
		if s.Weight < 0 || s.Count < 0 || s.Price < 0 {
			t.Fatalf("a negative measure: %+v", s)
		}
		mustPrint(t, s.Text, s.AIM, s.PLU, s.Currency, s.Kind.String())
		mustPrintElements(t, s.AIs)
		if s.GTIN.IsZero() != s.Scanned.IsZero() || s.Kind == Product && s.GTIN.IsZero() {
			t.Fatalf("a product without number: %+v", s)
		}
		for _, g := range []GTIN{s.GTIN, s.Scanned} {
			mustPrint(t, g.Kind(), g.Circulation())
			if g.IsZero() {
				continue
			}
			for _, form := range []string{g.Digits(), g.Short(), g.String()} {
				if again, err := Parse(form); err != nil || again != g {
					t.Fatalf("%q reads back as %s, %v", form, again, err)
				}
			}
		}
	})
}

func FuzzGTIN(f *testing.F) {
	for _, seed := range []string{
		"7038010054471", "0 42100 00526 4", "96385074", "425261", "1425261", "00123457",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if g, err := Parse(text); err != nil {
			mustRefuse(t, err)
		} else if again, err := Parse(g.Short()); err != nil || again != g {
			t.Fatalf("%s reads back as %s, %v", g.Short(), again, err)
		}
		g, err := ExpandUPCE(text)
		if err != nil {
			mustRefuse(t, err)
			return
		}
		digits := g.Digits()
		if again, err := Parse(digits[2:]); err != nil || again != g || digits[2] > '1' {
			t.Fatalf("%s is short for %s: %v", text, digits, err)
		}
		if full, err := ExpandUPCE(digits[2:3] + lastSix(text) + digits[13:]); err != nil || full != g {
			t.Fatalf("%s with its check digit is short for %s, %v", text, full, err)
		}
	})
}

// lastSix gives the six digits of a UPC-E without number system and check digit.
func lastSix(text string) string {
	if len(text) == 6 {
		return text
	}
	return text[1:7]
}

func FuzzElements(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) ([]Element, error){parseElements, ParseBracketed} {
			all, err := parse(text)
			if err != nil {
				mustRefuse(t, err)
				continue
			}
			if len(all) == 0 || len(all) > maxElements {
				t.Fatalf("%d elements", len(all))
			}
			mustPrintElements(t, all)
			mustReadBack(t, ElementString(all), all, parseElements)
			mustReadBack(t, Bracketed(all), all, ParseBracketed)
			for _, e := range all {
				if amount, err := e.Amount(); err == nil {
					mustPrint(t, amount)
				} else {
					mustRefuse(t, err)
				}
			}
		}
	})
}

func FuzzLink(f *testing.F) {
	for _, seed := range append(seeds, "https://a/01/12312312312333/235/A?10=B",
		"HTTP://[::1]/414/4006381333931/254/%5b") {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, uri string, short bool) {
		all, err := LinkReader{ShortGTIN: short}.ParseLink(uri)
		if err != nil {
			mustRefuse(t, err)
			return
		}
		mustPrint(t, uri)
		mustPrintElements(t, all)
		written, err := Link("", all)
		if err != nil {
			t.Fatalf("%v cannot be written: %v", all, err)
		}
		again, err := (LinkReader{}).ParseLink(written)
		if err != nil {
			t.Fatalf("%s is refused: %v", written, err)
		}
		if diff := cmp.Diff(valuesOf(all), valuesOf(again)); diff != "" {
			t.Fatalf("%s reads back otherwise: %s", written, diff)
		}
		if second, err := Link("", again); err != nil || second != written {
			t.Fatalf("%s is written again as %s, %v", written, second, err)
		}
	})
}

func valuesOf(all []Element) map[string]string {
	values := map[string]string{}
	for _, e := range all {
		values[e.AI] = e.Value
	}
	return values
}

func FuzzPercent(f *testing.F) {
	f.Add("A%20+B%", true)
	f.Add("\xff%00", false)
	f.Fuzz(func(t *testing.T, text string, inQuery bool) {
		if back, ok := unescape(escape(text, inQuery), inQuery); back != text && ok {
			t.Fatalf("%q reads back as %q", text, back)
		} else if !ok && !strings.Contains(text, "\x00") {
			t.Fatalf("%q is refused", text)
		}
	})
}

func FuzzMeasure(f *testing.F) {
	for country, rules := range maps.All(countries()) {
		for _, r := range rules {
			f.Add(r.mask, r.measure.String(), r.currency, "2112345678900")
			f.Add(r.mask, r.measure.String(), country, "2330714002396")
		}
	}
	f.Fuzz(func(t *testing.T, mask, measure, currency, number string) {
		r, err := ParseRule(mask, measure, currency)
		if err != nil {
			mustRefuse(t, err)
			return
		}
		if again, err := ParseRule(r.mask, r.measure.String(), r.currency); err != nil || again != r {
			t.Fatalf("%s reads back as %s, %v", r, again, err)
		}
		g, err := Parse(number)
		if err != nil {
			return
		}
		d := Decoder{Rules: []Rule{r}}
		m, ok, err := d.measured(g)
		if err != nil {
			mustRefuse(t, err)
		}
		if !ok {
			return
		}
		mustPrint(t, m.PLU)
		if m.Value < 0 || !allDigits(m.Article.Digits()) {
			t.Fatalf("%s says %+v", number, m)
		}
		bare, ok, err := d.measured(m.Article)
		if err != nil || !ok || bare.Value != 0 || bare.Article != m.Article || bare.PLU != m.PLU {
			t.Fatalf("article %s of %s says %+v, %v", m.Article, number, bare, err)
		}
	})
}
