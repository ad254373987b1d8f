package assortment

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	recordv1 "holdfast.dev/proto/record/v1"
)

// setter puts one field into a product, or says what is wrong with it.
type setter func(p *recordv1.Product, field string) (reason string)

// column is a part of a product that a file may have: how a field is read, and
// how the part is kept when the file does not have it.
type column struct {
	set  setter
	keep func(next, known *recordv1.Product)
}

// columns by name. Every field arrives trimmed and without control characters.
var columns = map[string]column{
	"gtin": {func(*recordv1.Product, string) string { return "" }, func(_, _ *recordv1.Product) {}},
	"name": {text("name", maxName, func(p *recordv1.Product, s string) { p.Name = s }),
		func(p, k *recordv1.Product) { p.Name = k.Name }},
	"name_nl": translation("nl"),
	"name_da": translation("da"),
	"name_de": translation("de"),
	"name_en": translation("en"),
	"brand": {text("brand", maxText, func(p *recordv1.Product, s string) { p.Brand = s }),
		func(p, k *recordv1.Product) { p.Brand = k.Brand }},
	"category": {text("category", maxText, func(p *recordv1.Product, s string) { p.Category = s }),
		func(p, k *recordv1.Product) { p.Category = k.Category }},
	"aisle": {text("aisle", maxText, func(p *recordv1.Product, s string) { p.Aisle = s }),
		func(p, k *recordv1.Product) { p.Aisle = k.Aisle }},
	"package": {text("package", maxText, func(p *recordv1.Product, s string) { p.Package = s }),
		func(p, k *recordv1.Product) { p.Package = k.Package }},
	"country": {text("country", maxText, func(p *recordv1.Product, s string) { p.Country = s }),
		func(p, k *recordv1.Product) { p.Country = k.Country }},
	"unit": {setUnit, func(p, k *recordv1.Product) { p.Unit = k.Unit }},
	"price_minor": {
		number("price_minor", maxPrice, func(p *recordv1.Product, n int64) { p.PriceMinor = n }),
		func(p, k *recordv1.Product) { p.PriceMinor = k.PriceMinor }},
	"currency": {setCurrency, func(p, k *recordv1.Product) { p.Currency = k.Currency }},
	"vat_permille": {
		number("vat_permille", 1000, func(p *recordv1.Product, n int64) { p.VatPermille = uint32(n) }),
		func(p, k *recordv1.Product) { p.VatPermille = k.VatPermille }},
	"plu": {setPLU, func(p, k *recordv1.Product) { p.Plu = k.Plu }},
}

const maxPrice = 100_000_000 // minor units; a million of the major one

func text(column string, most int, set func(*recordv1.Product, string)) setter {
	return func(p *recordv1.Product, s string) string {
		if utf8.RuneCountInString(s) > most {
			return fmt.Sprintf("%s is longer than %d characters", column, most)
		}
		set(p, s)
		return ""
	}
}

func translation(language string) column {
	return column{
		set: text("name_"+language, maxName, func(p *recordv1.Product, s string) {
			translate(p,
				language, s)
		}),
		keep: func(p, k *recordv1.Product) { translate(p, language, k.GetNames()[language]) },
	}
}

func translate(p *recordv1.Product, language, name string) {
	if name == "" {
		return
	}
	if p.Names == nil {
		p.Names = make(map[string]string, 4)
	}
	p.Names[language] = name
}

func number(column string, most int64, set func(*recordv1.Product, int64)) setter {
	return func(p *recordv1.Product, s string) string {
		if s == "" {
			return ""
		}
		if !digits(s) {
			return column + " is not a whole number"
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n > most {
			return fmt.Sprintf("%s is above %d", column, most)
		}
		set(p, n)
		return ""
	}
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func setUnit(p *recordv1.Product, s string) string {
	switch s = strings.ToLower(s); s {
	case "":
		p.Unit = "each"
	case "each", "g", "ml":
		p.Unit = s
	default:
		return "unit is none of each, g, ml"
	}
	return ""
}

func setCurrency(p *recordv1.Product, s string) string {
	if s == "" {
		return ""
	}
	if len(s) != 3 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "currency is not a three-letter code such as EUR"
	}
	p.Currency = s
	return ""
}

func setPLU(p *recordv1.Product, s string) string {
	if s != "" && (len(s) != 5 || !digits(s)) {
		return "plu is not five digits"
	}
	p.Plu = s
	return ""
}

// complete checks what needs more than one field, and fills in defaults for
// columns that the file does not have.
func complete(p *recordv1.Product) string {
	if p.Unit == "" {
		p.Unit = "each"
	}
	switch {
	case p.Name == "":
		return "name is missing"
	case p.PriceMinor > 0 && p.Currency == "":
		return "a price without a currency"
	}
	return ""
}

func countReason(got, want int) string {
	return fmt.Sprintf("%d fields where the column names are %d", got, want)
}

func twiceReason(before int64) string {
	return fmt.Sprintf("this gtin is on line %d too", before)
}

// split cuts a row into fields. A field that begins with a quote ends at the
// next quote that is not doubled.
func split(fields []string, row string, comma byte) ([]string, string) {
	for {
		var field, reason string
		field, row, reason = cut(row, comma)
		if reason != "" {
			return fields, reason
		}
		fields = append(fields, field)
		if row == "" {
			return fields, ""
		}
		row = row[1:] // the comma
	}
}

// cut takes the first field off; what is left begins with the comma.
func cut(row string, comma byte) (field, rest, reason string) {
	if row == "" || row[0] != '"' {
		end := strings.IndexByte(row, comma)
		if end < 0 {
			end = len(row)
		}
		return row[:end], row[end:], ""
	}
	var b strings.Builder
	for row = row[1:]; ; {
		end := strings.IndexByte(row, '"')
		if end < 0 {
			return "", "", "a quote is not closed"
		}
		b.WriteString(row[:end])
		row = row[end+1:]
		switch {
		case row == "" || row[0] == comma:
			return b.String(), row, ""
		case row[0] == '"':
			b.WriteByte('"')
			row = row[1:]
		default:
			return "", "", "text after a closing quote"
		}
	}
}
