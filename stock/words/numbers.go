package words

import (
	"strconv"
	"strings"

	"holdfast.dev/stock"
)

// nbsp keeps an amount and its unit on one line.
const nbsp = "\u00a0"

// minorDigits lists the currencies that do not have two minor digits.
var minorDigits = map[string]int{
	"ISK": 0, "JPY": 0, "KRW": 0, "CLP": 0, "UGX": 0, "VND": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}

// symbols are the signs that replace the ISO 4217 code, where readers of the
// language expect one.
var symbols = map[Lang]map[string]string{
	NL: {"EUR": "€", "GBP": "£", "USD": "US$"},
	DA: {"EUR": "€", "GBP": "£", "USD": "US$", "DKK": "kr."},
	DE: {"EUR": "€", "GBP": "£", "USD": "$"},
	EN: {"EUR": "€", "GBP": "£", "USD": "US$"},
}

// Money words an amount of minor units, for example "€ 1.234,50" in Dutch. The
// spaces in it do not break; a printer of bytes must turn them into plain ones.
func Money(lang Lang, minor int64, currency string) string {
	lang = known(lang)
	digits := 2
	if d, ok := minorDigits[currency]; ok {
		digits = d
	}
	amount, minus := decimal(lang, magnitude(minor), digits, digits), ""
	if minor < 0 {
		minus = "-"
	}
	symbol, ok := symbols[lang][currency]
	if !ok {
		symbol = currency
	}
	switch {
	case lang == DA || lang == DE:
		return minus + amount + nbsp + symbol
	case lang == NL:
		return symbol + nbsp + minus + amount
	case ok:
		return minus + symbol + amount
	}
	return minus + symbol + nbsp + amount
}

// Number words a whole number, grouped: "12.345" or, in English, "12,345".
func Number(lang Lang, n int64) string {
	said := decimal(known(lang), magnitude(n), 0, 0)
	if n < 0 {
		return "-" + said
	}
	return said
}

// Quantity words units of a product. The base unit is "each", "g" or "ml"; from
// a thousand on, grams read as kilograms and millilitres as litres.
func Quantity(lang Lang, units stock.Units, base string) string {
	bigger, ok := map[string]string{"g": "kg", "ml": "l"}[base]
	if !ok {
		return Number(lang, int64(units))
	}
	abs, minus := magnitude(int64(units)), ""
	if units < 0 {
		minus = "-"
	}
	if abs < 1000 {
		return minus + decimal(known(lang), abs, 0, 0) + nbsp + base
	}
	return minus + decimal(known(lang), abs, 3, 0) + nbsp + bigger
}

// Counted words units as they stand before a product's name: "2 ×", "350 g". The
// spaces in it do not break.
func Counted(lang Lang, units stock.Units, base string) string {
	if base == "g" || base == "ml" {
		return Quantity(lang, units, base)
	}
	return Number(lang, int64(units)) + nbsp + "×"
}

// decimal writes n shifted right by shift digits, grouped by thousands. Zeros
// at the end of the fraction are dropped down to keep digits.
func decimal(lang Lang, n uint64, shift, keep int) string {
	group, point := ".", ","
	if lang == EN {
		group, point = point, group
	}
	digits := strconv.FormatUint(n, 10)
	if missing := shift + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	whole, fraction := digits[:len(digits)-shift], digits[len(digits)-shift:]
	for len(fraction) > keep && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + group + whole[i:]
	}
	if fraction == "" {
		return whole
	}
	return whole + point + fraction
}

// magnitude is the absolute value, right for the lowest int64 too.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func known(lang Lang) Lang {
	if _, ok := ParseLang(string(lang)); ok {
		return lang
	}
	return EN
}
