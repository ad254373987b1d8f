package assortment

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	recordv1 "holdfast.dev/proto/record/v1"
	"holdfast.dev/stock"
)

func parse(t *testing.T, text string) *List {
	t.Helper()
	l, err := Parse(strings.NewReader(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEveryColumnGoesIn(t *testing.T) {
	l := parse(t,
		"\uFEFFGTIN, name ,name_nl,name_da,name_de,name_en,brand,category,aisle,package,unit,"+
			"price_minor,currency,vat_permille,plu,country,source\r\n"+
			`4006381333931,"Oat ""Barista"", 1 l",Haver,Havre,Hafer,Oat,Acme,Dairy,12,1 l,ml,249,EUR,90,00042,DE,x`+"\r\n")
	want := []Row{{Line: 2, Product: &recordv1.Product{
		Gtin: "04006381333931", Name: `Oat "Barista", 1 l`,
		Names: map[string]string{"nl": "Haver", "da": "Havre", "de": "Hafer", "en": "Oat"},
		Brand: "Acme", Category: "Dairy", Aisle: "12", Package: "1 l", Unit: "ml", PriceMinor: 249,
		Currency: "EUR", VatPermille: 90, Plu: "00042", Country: "DE",
	}}}
	if diff := cmp.Diff(want, l.Rows, protocmp.Transform()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if len(l.Problems) > 0 {
		t.Errorf("problems: %v", l.Problems)
	}
}

func TestABrokenRowIsRefusedAloneWithItsLineAndReason(t *testing.T) {
	const good = "4006381333931,Pencil,1,EUR,each\n"
	for _, test := range []struct {
		name, row string
		want      Problem
	}{
		{"wrong check digit", "4006381333932,X,,,", Problem{GTIN: "4006381333932",
			Code: stock.BadCheckDigit, Reason: "gtin has a wrong check digit"}},
		{"no number", ",X,,,", Problem{Code: stock.Unreadable, Reason: "gtin: a GTIN of 0 characters"}},
		{"letters", "40063813339AB,X,,,", Problem{GTIN: "40063813339AB", Code: stock.Unreadable,
			Reason: "gtin: a GTIN of other than digits"}},
		{"no name", "96385074, ,,,", Problem{GTIN: "96385074", Code: stock.BadRequest,
			Reason: "name is missing"}},
		{"price with a comma", `96385074,X,"1,99",EUR,`, Problem{GTIN: "96385074", Code: stock.BadRequest, Reason: "price_minor is not a whole number"}},
		{"price below zero", "96385074,X,-1,EUR,", Problem{GTIN: "96385074", Code: stock.BadRequest,
			Reason: "price_minor is not a whole number"}},
		{"price too high", "96385074,X,99999999999999999999,EUR,", Problem{GTIN: "96385074",
			Code: stock.BadRequest, Reason: "price_minor is above 100000000"}},
		{"price without currency", "96385074,X,5,,", Problem{GTIN: "96385074", Code: stock.BadRequest,
			Reason: "a price without a currency"}},
		{"currency", "96385074,X,5,euro,", Problem{GTIN: "96385074", Code: stock.BadRequest,
			Reason: "currency is not a three-letter code such as EUR"}},
		{"unit", "96385074,X,5,EUR,kg", Problem{GTIN: "96385074", Code: stock.BadRequest,
			Reason: "unit is none of each, g, ml"}},
		{"same product again", "4006381333931,Other,,,", Problem{GTIN: "4006381333931",
			Code: stock.BadRequest, Reason: "this gtin is on line 2 too"}},
		{"same product padded", "04006381333931,Other,,,", Problem{GTIN: "04006381333931",
			Code: stock.BadRequest, Reason: "this gtin is on line 2 too"}},
		{"too few fields", "96385074,X", Problem{Code: stock.BadRequest,
			Reason: "2 fields where the column names are 5"}},
		{"too many fields", "96385074,X,,,,,", Problem{Code: stock.BadRequest,
			Reason: "7 fields where the column names are 5"}},
		{"not UTF-8", "96385074,caf\xe9,,,", Problem{Code: stock.BadRequest,
			Reason: "the row is not UTF-8"}},
		{"NUL", "96385074,a\x00b,,,", Problem{GTIN: "96385074", Code: stock.BadRequest,
			Reason: "a control character in the text"}},
		{"escape in the number", "\x1b[2J96385074,X,,,", Problem{GTIN: "[2J96385074",
			Code: stock.BadRequest, Reason: "a control character in the text"}},
		{"right-to-left override", "96385074,a\u202eb,,,", Problem{GTIN: "96385074",
			Code: stock.BadRequest, Reason: "a character that turns the direction of the text"}},
		{"open quote", `96385074,"X,,,`, Problem{Code: stock.BadRequest, Reason: "a quote is not closed"}},
		{"text after a quote", `96385074,"X"y,,,`, Problem{Code: stock.BadRequest, Reason: "text after a closing quote"}},
		{"long name", "96385074," + strings.Repeat("x", 201) + ",,,", Problem{GTIN: "96385074",
			Code: stock.BadRequest, Reason: "name is longer than 200 characters"}},
		{"long row", strings.Repeat("x", MaxLine+5), Problem{Code: stock.TooMany,
			Reason: "the row is too long"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := parse(t,
				"gtin,name,price_minor,currency,unit\n"+good+test.row+"\n\n5901234123457,Last,,,\n")
			test.want.Line = 3
			if diff := cmp.Diff([]Problem{test.want}, l.Problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if len(l.Rows) != 2 || l.Rows[1].Line != 5 || l.Rows[1].Product.GetGtin() != "05901234123457" {
				t.Errorf("the rows around it did not go in: %v", l.Rows)
			}
		})
	}
}

func TestAFileWithoutTheColumnsIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "no gtin": "name\nx\n", "no name": "gtin\n1\n", "twice": "gtin,name,gtin\n",
		"not UTF-8": "gtin,n\xff\n", "open quote": "\"gtin,name\n", "a long line": strings.Repeat("x",
			MaxLine+1),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(strings.NewReader(text), 0); !stock.Refused(err, stock.BadRequest) {
				t.Errorf("got %v, want a refusal", err)
			}
		})
	}
}

func TestSeparatorsOfSpreadsheets(t *testing.T) {
	for _, comma := range []string{",", ";"} {
		l := parse(t, strings.ReplaceAll("gtin|name|brand\n96385074|X|\"a"+comma+"b\"", "|", comma))
		if len(l.Rows) != 1 || l.Rows[0].Product.GetBrand() != "a"+comma+"b" {
			t.Errorf("%q: %v %v", comma, l.Rows, l.Problems)
		}
	}
}

func TestLinesOfAPartCountFromItsFirst(t *testing.T) {
	l, err := Parse(strings.NewReader("gtin,name\n96385074,X\nbad,X\n"), 1001)
	if err != nil {
		t.Fatal(err)
	}
	if l.Rows[0].Line != 1001 || l.Problems[0].Line != 1002 {
		t.Errorf("lines %d and %d", l.Rows[0].Line, l.Problems[0].Line)
	}
}

func TestAMissingColumnKeepsWhatTheCatalogueHas(t *testing.T) {
	known := &recordv1.Product{Sku: 7, Gtin: "00000096385074", Name: "Old", Brand: "Acme", Unit: "g",
		Names: map[string]string{"nl": "Oud", "de": "Alt"}, PriceMinor: 5, Currency: "EUR", Plu: "00001"}
	l := parse(t, "gtin,name,price_minor,currency,name_nl\n96385074,New,7,EUR,\n")
	want := &recordv1.Product{Gtin: "00000096385074", Name: "New", Brand: "Acme", Unit: "g",
		Names: map[string]string{"de": "Alt"}, PriceMinor: 7, Currency: "EUR", Plu: "00001"}
	if diff := cmp.Diff(want, l.Over(known, l.Rows[0].Product), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("gtin,name\n96385074,X\n")
	f.Add("gtin;name;price_minor\n\"96385074\";\"a\"\"b\";1\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(strings.NewReader(text), 0)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, r := range l.Rows {
			if g := r.Product.GetGtin(); len(g) != 14 || seen[g] || r.Product.GetName() == "" {
				t.Errorf("row %v", r)
			}
			seen[r.Product.GetGtin()] = true
		}
	})
}
