package gtin

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast.dev/stock"
)

func mustParse(t *testing.T, digits string) GTIN {
	t.Helper()
	g, err := Parse(digits)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// symbolTest is a symbol and what it says; AIM, and Text and Scanned where they
// follow from the rest, are filled in.
type symbolTest struct {
	name, data, aim string
	want            Symbol
}

func numberSymbols(t *testing.T) []symbolTest {
	milk := mustParse(t, "7038010054471")
	return []symbolTest{
		{"EAN-13", "7038010054471", "]E0", Symbol{Kind: Product, GTIN: milk}},
		{"EAN-13 from a keyboard", "7038010054471", "", Symbol{Kind: Product, GTIN: milk}},
		{"EAN-13 with add-on", "703801005447112", "]E3", Symbol{Kind: Product, GTIN: milk}},
		{"GTIN-14 of the same", "07038010054471", "", Symbol{Kind: Product, GTIN: milk}},
		{"EAN-8", "96385074", "]E4", Symbol{Kind: Product, GTIN: mustParse(t, "96385074")}},
		{"UPC-E without identifier", "04252614", "",
			Symbol{Kind: Product, GTIN: mustParse(t, "042100005264")}},
		{"ITF-14", "15400141288763", "]I1",
			Symbol{Kind: Product, GTIN: mustParse(t, "15400141288763")}},
		{"weighed in the shop", "2112345678900", "]E0", Symbol{
			Kind: Product, GTIN: mustParse(t, "2112345000008"), Scanned: mustParse(t, "2112345678900"),
			PLU: "12345", Weight: 67890}},
		{"weighed, as a case number it is not", "12112345678907", "",
			Symbol{Kind: Product, GTIN: mustParse(t, "12112345678907")}},
		{"weighed with composite", "2112345678900|]e099COMPOSITE\x1d98XYZ", "]E0", Symbol{
			Kind: Product, GTIN: mustParse(t, "2112345000008"), Scanned: mustParse(t, "2112345678900"),
			PLU: "12345", Weight: 67890, Text: "2112345678900(99)COMPOSITE(98)XYZ",
			AIs: []Element{{"99", "COMPOSITE"}, {"98", "XYZ"}}}},
		{"ITF without its check digit", "1540014128876", "]I3",
			Symbol{Kind: Product, GTIN: mustParse(t, "15400141288763")}},
		{"piece of an item", "8006150123456789070102", "]C1", Symbol{
			Kind: Product, GTIN: mustParse(t, "15012345678907"),
			AIs: []Element{{"8006", "150123456789070102"}}}},
		{"element string typed from the label", "(01)07038010054471(17)270630", "", Symbol{
			Kind: Product, GTIN: milk, AIs: []Element{{"01", "07038010054471"}, {"17", "270630"}}}},
		{"element string with the FNC1 in front", "\x1d010703801005447110A\x1d17270630", "", Symbol{
			Kind: Product, GTIN: milk,
			AIs: []Element{{"01", "07038010054471"}, {"10", "A"}, {"17", "270630"}}}},
	}
}

func elementSymbols(t *testing.T) []symbolTest {
	milk := mustParse(t, "7038010054471")
	return []symbolTest{
		{"weight and price in AIs", "019501234567890331020001253922059", "]C1", Symbol{
			Kind: Product, GTIN: mustParse(t, "95012345678903"), Weight: 1250, Price: 59,
			AIs: []Element{{"01", "95012345678903"}, {"3102", "000125"}, {"3922", "059"}}}},
		{"weight finer than a gram", "01950123456789033105123456", "]e0", Symbol{
			Kind: Product, GTIN: mustParse(t, "95012345678903"), Weight: 1235,
			AIs: []Element{{"01", "95012345678903"}, {"3105", "123456"}}}},
		{"price in kroner", "01950123456789033930208125", "]e0", Symbol{
			Kind: Product, GTIN: mustParse(t, "95012345678903"), Price: 12500, Currency: "DKK",
			AIs: []Element{{"01", "95012345678903"}, {"3930", "208125"}}}},
		{"pallet label", "02950123456789033724\x1d00106141412345678908", "]C1", Symbol{
			Kind: Delivery, GTIN: mustParse(t, "95012345678903"), Count: 24,
			AIs: []Element{{"02", "95012345678903"}, {"37", "24"}, {"00", "106141412345678908"}}}},
		{"element string without identifier", "010703801005447117270630", "", Symbol{
			Kind: Product, GTIN: milk,
			AIs: []Element{{"01", "07038010054471"}, {"17", "270630"}}}},
		{"SSCC without identifier", "00106141412345678908", "", Symbol{
			Kind: Delivery, AIs: []Element{{"00", "106141412345678908"}}}},
		{"second label", "10LOT1", "]C1", Symbol{
			Kind: Attributes, AIs: []Element{{"10", "LOT1"}}}},
		{"Digital Link", "https://shop.example/01/07038010054471?17=270630", "]Q1", Symbol{
			Kind: Product, GTIN: milk,
			AIs: []Element{{"01", "07038010054471"}, {"17", "270630"}}}},
	}
}

func TestEveryKindOfSymbolIsToldApart(t *testing.T) {
	token := "HF1:" + strings.Repeat("A8 %*+-./:", 30)
	tests := []symbolTest{
		{"pickup token", token, "]Q1", Symbol{Kind: Pickup}},
		{"pickup code", "7K3M2Q9A", "", Symbol{Kind: Pickup}},
		{"shelf", "SHELF-A-12", "]C0", Symbol{Kind: Location}},
		{"delivery note", "DELIVERY-2025-0117", "]Q1", Symbol{Kind: Delivery}},
	}
	for _, tt := range slices.Concat(numberSymbols(t), elementSymbols(t), tests) {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.AIM = tt.aim
			if tt.want.Text == "" && len(tt.want.AIs) > 0 && !strings.HasPrefix(tt.data, "http") {
				tt.want.Text = Bracketed(tt.want.AIs)
			}
			if tt.want.Text == "" {
				tt.want.Text = tt.data
			}
			if tt.want.Scanned.IsZero() {
				tt.want.Scanned = tt.want.GTIN
			}
			got, err := Decode([]byte(tt.data), tt.aim)
			if err != nil {
				t.Fatal(err)
			}
			diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(GTIN{}), cmpopts.EquateEmpty())
			if diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPickupCodeReadsInAnyFormThatPeopleType(t *testing.T) {
	for _, typed := range []string{"7k3m2q9a", "7K3M-2Q9A", "7k3m 2q9a"} {
		s, err := Decode([]byte(typed), "")
		if err != nil || s.Kind != Pickup || s.Text != "7K3M2Q9A" {
			t.Errorf("%q: %s %q, %v", typed, s.Kind, s.Text, err)
		}
	}
}

func TestWhatIsNoUseIsRefused(t *testing.T) {
	tests := []struct {
		name, data, aim string
		want            stock.Code
		kind            string
	}{
		{"nothing", "", "", stock.Unreadable, ""},
		{"control byte", "703801\x0d0054471", "", stock.Unreadable, ""},
		{"delete byte", "SHELF-A\x7f", "", stock.Unreadable, ""},
		{"noise", "\xff\xfe\x90", "", stock.Unreadable, ""},
		{"too long", "HF1:" + strings.Repeat("A", maxText), "", stock.Unreadable, ""},
		{"unknown identifier", "7038010054471", "]XX", stock.Unreadable, ""},
		{"half a number", "703801005", "", stock.Unreadable, ""},
		{"wrong check digit", "7038010054472", "", stock.BadCheckDigit, ""},
		{"eight digits of nothing", "23456789", "", stock.BadCheckDigit, ""},
		{"wrong check digit in a link", "https://a/01/12312312312334", "", stock.BadCheckDigit, ""},
		{"zeros", "0000000000000", "]E0", stock.Unreadable, ""},
		{"eight zeros", "00000000", "", stock.Unreadable, ""},
		{"add-on of letters", "7038010054471AB", "]E3", stock.Unreadable, ""},
		{"separator in a token", "HF1:AB\x1dCD", "]Q1", stock.UnsupportedCode, "element"},
		{"character that moves the cursor", "SHELF-\u202eA", "", stock.Unreadable, ""},
		{"second control set", "A\u0085B", "", stock.Unreadable, ""},
		{"product in a pallet", "0112345678901231371", "]C1", stock.Unreadable, ""},
		{"FNC1 in front of a GS1 symbol", "\x1d10A", "]C1", stock.UnsupportedCode, "element"},
		{"bracket without value", "(01)", "", stock.UnsupportedCode, "text"},
		{"two values of one AI", "10A\x1d10B", "]C1", stock.Unreadable, ""},
		{"two separators", "10A\x1d\x1d21B", "]C1", stock.UnsupportedCode, "element"},
		{"qualifier as parameter", "https://a/01/12312312312333?10=A", "", stock.Unreadable, ""},
		{"zero byte in a link", "https://a/01/12312312312333/10/A%00", "", stock.Unreadable, ""},
		{"add-on alone", "12", "]E1", stock.UnsupportedCode, "element"},
		{"refund receipt", "9800000000007", "]E0", stock.UnsupportedCode, "refund"},
		{"coupon", "9812345678902", "]E0", stock.UnsupportedCode, "coupon"},
		{"coupon 99", "9912345678909", "]E0", stock.UnsupportedCode, "coupon"},
		{"web page", "https://example.com/menu", "]Q1", stock.UnsupportedCode, "link"},
		{"mixed-case scheme", "Https://a/01/12312312312333", "]Q1", stock.UnsupportedCode, "text"},
		{"token without content", "HF1:", "", stock.UnsupportedCode, "text"},
		{"shelf in lower case", "SHELF-a", "", stock.UnsupportedCode, "text"},
		{"shelf without name", "SHELF-", "", stock.UnsupportedCode, "text"},
		{"shelf with long name", "SHELF-ABCDEFGHIJKLM", "", stock.UnsupportedCode, "text"},
		{"code with I, L, O, 0 or 1", "7K3M2Q9O", "", stock.UnsupportedCode, "text"},
		{"text", "smørrebrød", "]Q1", stock.UnsupportedCode, "text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Decode([]byte(tt.data), tt.aim)
			r, ok := stock.AsRefusal(err)
			if !ok || r.Code != tt.want || r.Args["kind"] != tt.kind {
				t.Errorf("got %v with %v, want %s %q", err, r, tt.want, tt.kind)
			}
			if s.Kind != 0 || !s.GTIN.IsZero() {
				t.Errorf("a refused symbol still says %+v", s)
			}
		})
	}
}

func TestWrongInnerCheckDigitIsRefused(t *testing.T) {
	rules, _ := Country("DE")
	number := "233071500239"
	number += string(checkDigit(number))
	_, err := Decoder{Rules: rules}.Decode([]byte(number), "]E0")
	if !stock.Refused(err, stock.BadCheckDigit) {
		t.Errorf("%s: %v, want BAD_CHECK_DIGIT", number, err)
	}
}

func TestGTINReadsAsUnderTheBars(t *testing.T) {
	tests := []struct{ in, grouped, digits string }{
		{"96385074", "9638 5074", "00000096385074"},
		{"042100005264", "0 42100 00526 4", "00042100005264"},
		{"7038010054471", "7 038010 054471", "07038010054471"},
		{"978-1-4920-5374-3", "9 781492 053743", "09781492053743"},
		{"15400141288763", "1 54 00141 28876 3", "15400141288763"},
	}
	for _, tt := range tests {
		g := mustParse(t, tt.in)
		if g.String() != tt.grouped || g.Digits() != tt.digits {
			t.Errorf("%s: %q and %q, want %q and %q",
				tt.in, g.String(), g.Digits(), tt.grouped, tt.digits)
		}
		var again GTIN
		text, _ := g.MarshalText()
		if err := again.UnmarshalText(text); err != nil || again != g {
			t.Errorf("%s: read back as %s, %v", tt.in, again, err)
		}
		if mustParse(t, g.String()) != g {
			t.Errorf("%s: its grouped form names another item", tt.in)
		}
	}
	var none GTIN
	if err := none.UnmarshalText(nil); err != nil || !none.IsZero() || none.String() != "" {
		t.Errorf("none reads as %q, %v", none, err)
	}
}

func TestOnlyASCIIDigitsCount(t *testing.T) {
	if g, err := Parse("７０３８"); err == nil { // 12 bytes of full-width digits
		t.Errorf("got %s", g)
	}
}

func TestRefusalsSayWhyAndArePrintable(t *testing.T) {
	for data, want := range map[string]why{
		"]C1\x1d\x1d": unknownAI, "]C199\x00": badCharacter, "]E0\x80": badCharacter,
		"]Q1https://a/01/1231231231\u00e5": linkCharacter, "]\u00e51": unknownAIM,
		"]C110\u00c5B": badCharacter, "]XX1": unknownAIM,
	} {
		_, err := Decode([]byte(data), "")
		r, ok := stock.AsRefusal(err)
		if !ok || r.Args["why"] != string(want) {
			t.Errorf("%q: %v with %v, want %s", data, err, r, want)
			continue
		}
		mustPrint(t, r.Error())
	}
}

func TestShopsConfigureTheirOwnLayouts(t *testing.T) {
	own, err := ParseRule("28....C{NNNDD}", "price", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	nl, _ := Country("NL")
	number := "281234" + "C" + "00599"
	inner, _ := priceCheck("00599")
	number = strings.Replace(number, "C", string(inner), 1)
	number += string(checkDigit(number))
	d := Decoder{Rules: append([]Rule{own}, nl...)}
	s, err := d.Decode([]byte(number), "]E0")
	if err != nil || s.PLU != "1234" || s.Price != 599 || s.Currency != "EUR" {
		t.Errorf("%s: %+v, %v", number, s, err)
	}
	if m, ok := d.Measured(s); !ok || m.Amount() != "5.99 EUR" || m.Article != s.GTIN {
		t.Errorf("%s: %v, %v", number, m, ok)
	}
	if s, err := d.Decode([]byte("2112345678900"), "]E0"); err != nil || s.Weight != 67890 {
		t.Errorf("the country's layout is gone: %+v, %v", s, err)
	}
	again, err := ParseRule(own.mask, own.measure.String(), own.currency)
	if err != nil || again != own {
		t.Errorf("%s reads back as %s, %v", own, again, err)
	}
}

func TestMasksThatCannotBeAreRefused(t *testing.T) {
	for _, mask := range []string{
		"", "21", ".....{NNDDD}", "21.....NNDDD", "21.....{NNDDD", "21.....{}", "21.....{NDND}",
		"21.....{DDDN}", "21......{NNDDD}", "21....x{NNDDD}", "21...CC{NNDDD}", "21....C{NDD}",
		"21....{NNDDDD}", "21{NN}.{NN}",
	} {
		if r, err := ParseRule(mask, "price", ""); !stock.Refused(err, stock.BadRequest) {
			t.Errorf("%q: %s, %v", mask, r, err)
		}
	}
	for _, measure := range []string{"", "length", "Weight"} {
		if r, err := ParseRule("21.....{NNNNN}", measure, ""); err == nil {
			t.Errorf("%q: %s", measure, r)
		}
	}
	for _, rule := range [][3]string{
		{"21.....{NNDDD}", "count", ""}, {"21.....{NNDDD}", "weight", "EUR"},
		{"21.....{NNNDD}", "price", "euro"}, {"21.....{NNNDD}", "price", "JPY"},
	} {
		if r, err := ParseRule(rule[0], rule[1], rule[2]); !stock.Refused(err, stock.BadRequest) {
			t.Errorf("%q: %s, %v", rule, r, err)
		}
	}
}

func TestTheTableOfAIsIsSound(t *testing.T) {
	d := ais()
	if len(d.byID) < 500 {
		t.Errorf("%d identifiers", len(d.byID))
	}
	for id, ai := range d.byID {
		if got, err := d.find(id + "1"); err != nil || got != ai {
			t.Errorf("AI %s reads as %v, %v", id, got, err)
		}
		if n := ai.fixed(); n != 0 && (ai.min != n || ai.max != n) {
			t.Errorf("AI %s has %d to %d characters, its prefix says %d", id, ai.min, ai.max, n)
		}
		unnamed := id == "8110" || id == "8112" // GS1 gives them no title
		if (ai.title == "") != unnamed || Title(id) != ai.title {
			t.Errorf("AI %s has the title %q", id, Title(id))
		}
		needs := slices.Concat(slices.Concat(ai.needs...)...)
		for _, pattern := range slices.Concat(needs, ai.never, slices.Concat(ai.paths...)) {
			fits := func(id string) bool { return matches(pattern, id) }
			if !slices.ContainsFunc(slices.Collect(maps.Keys(d.byID)), fits) {
				t.Errorf("AI %s names %s, which no identifier is", id, pattern)
			}
		}
	}
}

func TestOneSymbolOfALabelNeedNotSayAll(t *testing.T) {
	pallet, err := Decode([]byte("02950123456789033724"), "]C1")
	if err != nil {
		t.Fatal(err)
	}
	if err := Lacking(pallet.AIs); err == nil || !strings.Contains(err.Error(), "00") {
		t.Errorf("(02) and (37) stand alone: %v", err)
	}
	unit, err := Decode([]byte("00106141412345678908"), "]C1")
	if err != nil {
		t.Fatal(err)
	}
	if err := Lacking(append(pallet.AIs, unit.AIs...)); err != nil {
		t.Error(err)
	}
	if err := Lacking([]Element{{"89", "A"}}); err == nil {
		t.Error("an unknown AI lacks nothing")
	}
}

func TestAMissingSeparatorIsSuspected(t *testing.T) {
	for value, want := range map[string]string{
		"LOT117270630": "(17)270630", "LOT1": "", "17270630": "", "LOT117271330": "", "LOT118270630": "",
	} {
		got := Hint([]Element{{"01", "07038010054471"}, {"10", value}})
		if !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

func TestALinkTakesWhatItMustIntoThePath(t *testing.T) {
	all := []Element{{"10", "A/B"}, {"235", "T"}, {"01", "12312312312333"}}
	uri, err := Link("", all)
	if want := "https://id.gs1.org/01/12312312312333/235/T?10=A%2FB"; err != nil || uri != want {
		t.Errorf("got %q, %v, want %q", uri, err, want)
	}
}

func TestShortNumbersInLinks(t *testing.T) {
	const path, parameter = "https://a/01/7038010054471", "https://a/8004/9520614?01=7038010054471"
	if all, err := (LinkReader{}).ParseLink(path); err == nil {
		t.Errorf("%s: %v", path, all)
	}
	s, err := Decoder{Links: LinkReader{ShortGTIN: true}}.Decode([]byte(path), "]Q1")
	if err != nil || s.GTIN != mustParse(t, "7038010054471") {
		t.Errorf("%s: %+v, %v", path, s, err)
	}
	all, err := LinkReader{}.ParseLink(parameter)
	if err != nil || all[1].Value != "07038010054471" {
		t.Errorf("%s: %v, %v", parameter, all, err)
	}
}

func TestPlainProductCostsOneAllocation(t *testing.T) {
	for _, frame := range []string{"7038010054471", "]E07038010054471"} {
		data := []byte(frame)
		if n := testing.AllocsPerRun(100, func() { _, _ = Decode(data, "") }); n > 1 {
			t.Errorf("%s: %v allocations", frame, n)
		}
	}
}

// BenchmarkDecode is from a frame to its GTIN: at most a microsecond and one
// allocation for EAN-13.
func BenchmarkDecode(b *testing.B) {
	for _, bm := range []struct{ name, frame, aim string }{
		{"EAN-13", "7038010054471", ""},
		{"EAN-13 with AIM identifier in front", "]E07038010054471", ""},
		{"EAN-13 with AIM identifier beside", "7038010054471", "]E0"},
		{"EAN-13 weighed", "]E02112345678900", ""},
		{"GS1-128", "]C1010703801005447117270630", ""},
		{"GS1 DataMatrix", "]d20107038010054471172706302112345\x1d10ABC", ""},
		{"Digital Link", "]Q1https://id.gs1.org/01/07038010054471/10/ABC?17=270630", ""},
	} {
		b.Run(bm.name, func(b *testing.B) {
			data := []byte(bm.frame)
			b.ReportAllocs()
			for b.Loop() {
				if s, err := Decode(data, bm.aim); err != nil || s.GTIN.IsZero() {
					b.Fatal(err)
				}
			}
		})
	}
}
