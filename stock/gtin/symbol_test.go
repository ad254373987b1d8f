package gtin

import (
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

func TestEveryKindOfSymbolIsToldApart(t *testing.T) {
	token := "HF1:" + strings.Repeat("A8 %*+-./:", 30)
	milk := mustParse(t, "7038010054471")
	tests := []struct {
		name, data, aim string
		want            Symbol
	}{
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
			Kind: Product, GTIN: mustParse(t, "2112345000008"), PLU: "12345", Weight: 67890}},
		{"weighed, as a case number it is not", "12112345678907", "",
			Symbol{Kind: Product, GTIN: mustParse(t, "12112345678907")}},
		{"weighed with composite", "2112345678900|]e099COMPOSITE\x1d98XYZ", "]E0", Symbol{
			Kind: Product, GTIN: mustParse(t, "2112345000008"), PLU: "12345", Weight: 67890,
			AIs: []Element{{"99", "COMPOSITE"}, {"98", "XYZ"}}}},
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
		{"pickup token", token, "]Q1", Symbol{Kind: Pickup}},
		{"pickup code", "7K3M2Q9A", "", Symbol{Kind: Pickup}},
		{"shelf", "SHELF-A-12", "]C0", Symbol{Kind: Location}},
		{"delivery note", "DELIVERY-2025-0117", "]Q1", Symbol{Kind: Delivery}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Text = tt.data
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

func TestTablesOfAIsAndRulesAreSound(t *testing.T) {
	for id := range layouts() {
		if got, ok := identifier(id + "1"); !ok || got != id {
			t.Errorf("AI %s reads as %s, %v", id, got, ok)
		}
	}
	for key := range qualifiers {
		if _, ok := layouts()[key]; !ok {
			t.Errorf("key %s is in no table of AIs", key)
		}
	}
	for country, rules := range countries {
		for _, r := range append(Shop(), rules...) {
			if len(r.Pattern) != 12 || strings.Trim(r.Pattern, "PCV") != "" {
				t.Errorf("%s: pattern %q", country, r.Pattern)
			}
		}
	}
}

func TestPlainProductCostsOneAllocation(t *testing.T) {
	data := []byte("7038010054471")
	if n := testing.AllocsPerRun(100, func() { _, _ = Decode(data, "]E0") }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecodeEAN13(b *testing.B) {
	data := []byte("7038010054471")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data, "]E0"); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"7038010054471", "04252614", "2112345678900|]e099A", "0195012345678903\x1d10LOT1",
		"https://a/01/12312312312333/22/A?17=270600&99=%41+", "HF1:ABC", "7k3m-2q9a", "SHELF-A",
	} {
		for _, aim := range []string{"", "]E0", "]C1", "]Q1"} {
			f.Add([]byte(seed), aim)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, aim string) {
		s, err := Decode(data, aim)
		if _, ok := stock.AsRefusal(err); err != nil && !ok {
			t.Fatalf("a fault: %v", err)
		}
		if err != nil {
			return
		}
		if s.Kind < Product || s.Kind > Attributes || s.Text == "" {
			t.Fatalf("kind %d, text %q", s.Kind, s.Text)
		}
		if s.Weight < 0 || s.Count < 0 || s.Price < 0 {
			t.Fatalf("a negative measure: %+v", s)
		}
		if s.GTIN.IsZero() {
			return
		}
		for _, form := range []string{s.GTIN.Digits(), s.GTIN.Short(), s.GTIN.String()} {
			if again, err := Parse(form); err != nil || again != s.GTIN {
				t.Fatalf("%q reads back as %s, %v", form, again, err)
			}
		}
	})
}
