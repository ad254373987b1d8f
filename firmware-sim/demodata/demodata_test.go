package demodata

import (
	"bytes"
	"encoding/csv"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
)

type product map[string]string

func products(t *testing.T) []product {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(Products())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := "gtin,name,name_nl,name_da,name_de,name_en,brand,category,aisle,package,unit," +
		"price_minor,currency,vat_permille,plu,image"
	if diff := cmp.Diff(want, strings.Join(rows[0], ",")); diff != "" {
		t.Fatalf("columns (-want +got):\n%s", diff)
	}
	list := make([]product, 0, len(rows)-1)
	for _, row := range rows[1:] {
		p := make(product, len(row))
		for i, column := range rows[0] {
			p[column] = row[i]
		}
		list = append(list, p)
	}
	return list
}

func checkDigitHolds(gtin string) bool {
	sum := 0
	for i, c := range gtin {
		weight := 1 + 2*(i%2)
		sum += int(c-'0') * weight
	}
	return sum%10 == 0
}

func TestEveryGTINIsAValidExampleNumberAndUnique(t *testing.T) {
	form := regexp.MustCompile(`^952\d{10}$`)
	seen := map[string]bool{}
	for _, p := range products(t) {
		gtin := p["gtin"]
		if !form.MatchString(gtin) || !checkDigitHolds(gtin) || seen[gtin] {
			t.Errorf("gtin %s of %s: malformed, wrong check digit or taken", gtin, p["name"])
		}
		seen[gtin] = true
	}
	if len(seen) < 2000 {
		t.Errorf("%d products, want at least 2000", len(seen))
	}
}

func TestEveryProductHasANameOfItsOwnInFourLanguages(t *testing.T) {
	for _, language := range []string{"nl", "da", "de", "en"} {
		seen := map[string]string{}
		names := map[string]bool{}
		for _, p := range products(t) {
			name := p["name_"+language]
			if len(name) < 3 || strings.TrimSpace(name) != name || strings.ContainsAny(name, "{}[];\u00ad") {
				t.Errorf("%s: name_%s is %q", p["gtin"], language, name)
			}
			key := strings.ToLower(name + "|" + p["brand"] + "|" + p["package"])
			if other, taken := seen[key]; taken {
				t.Errorf("%s and %s are both %q in %s", other, p["gtin"], key, language)
			}
			seen[key] = p["gtin"]
			names[name] = true
		}
		if len(names) < 1200 {
			t.Errorf("%d different names in %s, want at least 1200", len(names), language)
		}
	}
}

func TestPricesAndLabelsAreSane(t *testing.T) {
	aisle := regexp.MustCompile(`^\d\d-\d\d$`)
	for _, p := range products(t) {
		price, err := strconv.Atoi(p["price_minor"])
		if err != nil || price < 20 || price > 5000 {
			t.Errorf("%s %s costs %q", p["gtin"], p["name"], p["price_minor"])
		}
		if p["vat_permille"] != "90" && p["vat_permille"] != "210" {
			t.Errorf("%s %s has VAT %q", p["gtin"], p["name"], p["vat_permille"])
		}
		if p["name"] != p["name_en"] || p["currency"] != "EUR" || p["image"] != "" {
			t.Errorf("%s: name %q, currency %q, image %q", p["gtin"], p["name"], p["currency"], p["image"])
		}
		if p["brand"] == "" || p["category"] == "" || p["package"] == "" || !aisle.MatchString(p["aisle"]) {
			t.Errorf("%s %s: a label is missing: %v", p["gtin"], p["name"], p)
		}
	}
}

func TestWhatIsSoldByWeightHasAPLUOfItsOwn(t *testing.T) {
	plu := regexp.MustCompile(`^\d{5}$`)
	seen := map[string]bool{}
	for _, p := range products(t) {
		switch p["unit"] {
		case "g":
			if !plu.MatchString(p["plu"]) || seen[p["plu"]] {
				t.Errorf("%s %s has PLU %q", p["gtin"], p["name"], p["plu"])
			}
			seen[p["plu"]] = true
		case "each":
			if p["plu"] != "" {
				t.Errorf("%s %s is sold by the piece and has PLU %s", p["gtin"], p["name"], p["plu"])
			}
		default:
			t.Errorf("%s %s has unit %q", p["gtin"], p["name"], p["unit"])
		}
	}
	if len(seen) < 60 {
		t.Errorf("%d products by weight, want at least 60", len(seen))
	}
}

func TestStoresAreRealTownsInThreeCountries(t *testing.T) {
	stores := Stores()
	opening := regexp.MustCompile(`^([A-Z][a-z](-[A-Z][a-z])? \d\d:\d\d-\d\d:\d\d(; )?)+$`)
	for i, s := range stores {
		if s.ID != uint32(i+1) {
			t.Errorf("store %d has id %d", i+1, s.ID)
		}
		if _, err := time.LoadLocation(s.Timezone); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if s.Lat < 51 || s.Lat > 58 || s.Lon < 4 || s.Lon > 13 {
			t.Errorf("%s lies at %v, %v", s.Name, s.Lat, s.Lon)
		}
		if !opening.MatchString(s.Opening) || s.Currency != "EUR" || s.Street == "" || s.Postcode == "" {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
	var first []string
	for _, s := range stores[:3] {
		first = append(first, s.Country+" "+s.Language)
	}
	if diff := cmp.Diff([]string{"NL nl", "DK da", "DE de"}, first); diff != "" || len(stores) != 8 {
		t.Errorf("%d stores, the first three (-want +got):\n%s", len(stores), diff)
	}
}
